"""Lines with syncio.protocol: an echo server in its own process, and the client's measurements. And commands of QMP."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from syncio.protocol import Protocol
from syncio.protocol.qmp import QMPClient

LIMIT = 64 * 1024 * 1024
TOGETHER = 16
"""Commands that are under way at the same time."""


class Lines(Protocol[bytes]):
    """Lines of bytes."""

    def _do_recv(self) -> bytes:
        return self._readline()

    def _do_send(self, message: bytes, timeout: float | None = None) -> None:
        self._write(message, timeout)

    def _on_message(self, message: bytes) -> None:
        self.send(message)


class Client(Lines):
    """Counts what comes."""

    def __init__(self, mode: str) -> None:
        super().__init__(readbuflen=LIMIT, send_limit=LIMIT, async_mode=mode)
        self.wanted = 0
        self.one_by_one = False
        self.event = self._runtime.event()

    def _on_message(self, message: bytes) -> None:
        self.wanted -= 1
        if self.wanted == 0:
            self.event.set()
        elif self.one_by_one:
            self.send(message)

    def exchange(self, message: bytes, count: int = 1, one_by_one: bool = False) -> None:
        """Send so many, at once or each when the last has come back, and wait for as many."""
        self.event.clear()
        self.wanted = count
        self.one_by_one = one_by_one
        for _ in range(1 if one_by_one else count):
            self.send(message)
        self.event.wait(60)


def sequential(client: Client, seconds: float) -> float:
    """Round trips per second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        client.exchange(b"x" * 63 + b"\n", 500, one_by_one=True)
        count += 500
    return count / (time.perf_counter() - began)


def pipelined(client: Client, seconds: float) -> float:
    """Messages per second, a thousand at a time."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        client.exchange(b"x" * 63 + b"\n", 1000)
        count += 1000
    return count / (time.perf_counter() - began)


def large(client: Client, seconds: float) -> float:
    """Mebibytes per second in lines of ten, there and back."""
    count, began, line = 0, time.perf_counter(), b"x" * (10 * 1024 * 1024 - 1) + b"\n"
    while time.perf_counter() - began < seconds:
        client.exchange(line)
        count += 10
    return count / (time.perf_counter() - began)


def commands(client: QMPClient, seconds: float) -> float:
    """query-version per second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        client.execute("query-version")
        count += 1
    return count / (time.perf_counter() - began)


def together(client: QMPClient, seconds: float) -> float:
    """query-version per second, asked for by many tasks on one connection."""
    counts: list[int] = []
    began = time.perf_counter()

    def ask() -> None:
        count = 0
        while time.perf_counter() - began < seconds:
            client.execute("query-version")
            count += 1
        counts.append(count)

    tasks = [client._runtime.start("asks", ask) for _ in range(TOGETHER)]
    for task in tasks:
        task.join()
    return sum(counts) / (time.perf_counter() - began)


MEASURES: dict[str, Any] = {
    "sequential": sequential,
    "pipelined": pipelined,
    "large": large,
    "commands": commands,
    "together": together,
}


def main() -> None:
    """``ours.py serve MODE PATH``, or ``ours.py MEASURE MODE PATH SECONDS``."""
    what, mode, path = sys.argv[1:4]
    if what == "serve":
        server = Lines(readbuflen=LIMIT, send_limit=LIMIT, async_mode=mode)
        server.start_server_and_accept(path)
        server.runstate_changed()
        return
    client: Any = QMPClient(async_mode=mode) if what in ("commands", "together") else Client(mode)
    client.connect(path, timeout=10, retry_for=10)
    measure = MEASURES[what]
    measure(client, 0.3)
    print(measure(client, float(sys.argv[4])), threading.active_count(), flush=True)
    began = time.perf_counter()
    client.disconnect()
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
