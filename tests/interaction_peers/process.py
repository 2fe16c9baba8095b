"""Starts the original's programs and speaks with them. Nothing here waits without an end, and nothing outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from tests.servers.process import free_port

__all__ = ["Event", "Peer", "PeerError", "PeerSilent", "Peers"]

ROOT = Path(__file__).parents[2]
LOCALHOST = "127.0.0.1"
TIMEOUT = 20.0
STOP_TIMEOUT = 8.0
PORT_ATTEMPTS = 5
LOG_TAIL = 6000
Event = dict[str, Any]


class PeerSilent(AssertionError):
    """A program did not say in time what it had to, or ended; the message has the end of its log."""


class PeerError(Exception):
    """What a program was told to do failed there.

    :param answer: `error` is the exception's name and `message` its text; one that stands for an answer of a slave has
        `status_code`, `code` and `data` too.
    """

    def __init__(self, answer: Event) -> None:
        super().__init__(answer["error"], answer["message"])
        self.answer = answer
        self.error: str = answer["error"]
        self.code: int | None = answer.get("code")


class Peer:
    """A program of the original in a process of its own. It is started by `Peers`.

    :param command: what is run.
    :param port: where it serves.
    :param log_file: for what it prints.
    """

    def __init__(self, command: list[str], port: int, log_file: Path) -> None:
        self.port = port
        self.address = f"http://{LOCALHOST}:{port}"
        self._log_file = log_file
        self._numbers = count()
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._ended = False
        # What is meant for this Python is not for that one.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # a Ctrl-C at the tests is not for it
            )
        self._reader = threading.Thread(target=self._read, name=f"reads {log_file.stem}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._events.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # ------------------------------------------------------------------ what it says

    def take(self, event: str, timeout: float = TIMEOUT) -> Event:
        """The first event of that name that nobody has taken yet; one that has not come is waited for.

        :raises PeerSilent: if it does not come in time.
        """
        return self._take(lambda said: said["event"] == event, event, timeout)

    def ask(self, do: str, timeout: float = TIMEOUT, **arguments: Any) -> Any:
        """Have a master do something; what it answers.

        :param do: the name of one of `Commands`, and `arguments` are its own.
        :raises PeerError: if that failed.
        :raises PeerSilent: if there was no answer in time.
        """
        number = next(self._numbers)
        self._write({"id": number, "do": do, **arguments})
        answer = self._take(lambda said: said.get("id") == number, f"answer to {do}", timeout)
        if "error" in answer:
            raise PeerError(answer)
        return answer["result"]

    def join(self, task: int, timeout: float = TIMEOUT) -> Event:
        """Have a master wait for a task, but no longer than that; its `status`, `result`, and whether it `joined`."""
        joined: Event = self.ask("join", timeout + TIMEOUT, task=task, within=timeout)
        return joined

    def saw(self, event: str) -> list[Event]:
        """The events of a name that have come so far and were not taken."""
        with self._changed:
            return [said for said in self._events if said["event"] == event]

    def _take(self, is_wanted: Callable[[Event], bool], what: str, timeout: float) -> Event:
        until = time.monotonic() + timeout
        with self._changed:
            while True:
                for said in self._events:
                    if is_wanted(said):
                        self._events.remove(said)
                        return said
                left = until - time.monotonic()
                if self._ended or left <= 0:
                    raise PeerSilent(f"no {what} ({'it ended' if self._ended else 'in time'}): {self.log()}")
                self._changed.wait(left)

    def _write(self, line: Event) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:  # it has ended by itself, or has been killed here
            raise PeerSilent(f"it has ended: {self.log()}") from error

    def log(self) -> str:
        """The events that were not taken, and the end of what it has printed."""
        return f"{self._events}\n{self._log_file.read_text(errors='replace')[-LOG_TAIL:]}"

    # ------------------------------------------------------------------ its end

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def suspend(self) -> None:
        """Stop it where it is, as a machine that hangs; `resume` lets it go on."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """Have it close and end, with SIGTERM; whether it did in time, else it is killed."""
        if self.is_alive:
            self._process.terminate()
        try:
            return self._process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once, with SIGKILL, wherever it is; no harm if it has ended."""
        if self.is_alive:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):  # of a line that it has not read any more
                pipe.close()


class Peers:
    """Starts programs of the original for one test, and kills them all behind it.

    :param python: the one that can import the original.
    :param folder: for their logs.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self._python = python
        self._folder = folder
        self._started: list[Peer] = []

    def slave(self, **options: Any) -> Peer:
        """A slave that serves.

        Its heartbeat is fast. One that comes between its answer to a connection and the moment when the original's own
        master takes note of that ends its heartbeats for good: for that master give it a slow one, and connect soon.

        :param options: of the original's `Slave`.
        """
        return self._start("original_slave", {"heartbeat_span": 0.2, **options})

    def master(self, **options: Any) -> Peer:
        """A master that serves, to be asked for something.

        :param options: of the original's `Master`.
        """
        return self._start("original_master", {"heartbeat_check_span": 0.1, **options})

    def kill(self) -> None:
        """End them all at once."""
        for peer in self._started:
            peer.kill()

    def _start(self, program: str, options: dict[str, Any]) -> Peer:
        for attempt in range(PORT_ATTEMPTS):
            port = options.get("port") or free_port()
            given = {"host": LOCALHOST, "request_retry_waiting": 0.1, **options, "port": port}
            if program == "original_master":
                given.setdefault("my_address", f"http://{LOCALHOST}:{port}")
            command = [str(self._python), "-m", f"{__package__}.{program}", json.dumps(given)]
            log_file = self._folder / f"{program}-{len(self._started)}.log"
            peer = Peer(command, port, log_file)
            self._started.append(peer)
            said = peer._take(lambda said: said["event"] in ("started", "thread_died"), "start", TIMEOUT)
            if said["event"] == "started":
                return peer
            # It would ask whoever has that port for ever whether it has started.
            peer.kill()
            assert attempt + 1 < PORT_ATTEMPTS and "port" not in options, f"{program} did not start: {peer.log()}"
        raise AssertionError("no port")
