"""Starts programs of ours as `process` starts those of the original; and hears what happens in this process."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from .process import LOCALHOST, TIMEOUT, Event, Peer, Peers

__all__ = ["Ear", "OurPeer", "OurPeers"]


class OurPeer(Peer):
    """A program of ours in a process of its own."""

    def tell(self, **line: Any) -> None:
        """Have it do something."""
        self._write(line)


class OurPeers(Peers):
    """Starts programs of ours for one test, each on a free port, and kills them all behind it.

    :param folder: for their logs.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(Path(sys.executable), folder)

    def slave(self, **options: Any) -> OurPeer:
        """A slave that serves.

        :param options: of our `Slave`; TLS is given by the names of files, see `certificates`.
        """
        return self.slaves(1, **options)[0]

    def slaves(self, count: int, **options: Any) -> list[OurPeer]:
        """So many slaves that serve, which is faster than one after the other."""
        started = [self._launch("our_slave", {"heartbeat_span": 0.2, **options}) for _ in range(count)]
        return [self._listening(peer) for peer in started]

    def master(self, **options: Any) -> OurPeer:
        """A master that serves, to be told something.

        :param options: of our `Master`.
        """
        return self._listening(self._launch("our_master", options))

    def _launch(self, program: str, options: dict[str, Any]) -> OurPeer:
        waits = {"request_timeout": 1.0, "request_retries": 1, "request_retry_waiting": 0.05}
        given = {"host": LOCALHOST, "port": 0, **waits, **options}
        command = [str(self._python), "-m", f"{__package__}.{program}", json.dumps(given)]
        peer = OurPeer(command, 0, self._folder / f"{program}-{len(self._started)}.log")
        self._started.append(peer)
        return peer

    @staticmethod
    def _listening(peer: OurPeer) -> OurPeer:
        peer.port = peer.take("listening")["port"]
        peer.address = f"http://{LOCALHOST}:{peer.port}"
        return peer


class Ear:
    """Hears events of this process, and gives them out as a `Peer` does."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: str, **more: Any) -> None:
        """Hear of an event."""
        with self._changed:
            self._events.append({"event": event, **more})
            self._changed.notify_all()

    def take(self, event: str, timeout: float = TIMEOUT) -> Event:
        """The first event of that name that nobody has taken yet; one that has not come is waited for."""
        until = time.monotonic() + timeout
        with self._changed:
            while True:
                for heard in self._events:
                    if heard["event"] == event:
                        self._events.remove(heard)
                        return heard
                left = until - time.monotonic()
                assert left > 0, f"no {event} in time: {self._events}"
                self._changed.wait(left)

    def saw(self, event: str) -> list[Event]:
        """The events of a name that have come so far and were not taken."""
        with self._changed:
            return [heard for heard in self._events if heard["event"] == event]
