"""The same lines with the AsyncProtocol of qemu.qmp, and the same commands with its QMPClient."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from qemu.qmp import QMPClient
from qemu.qmp.protocol import AsyncProtocol

LIMIT = 64 * 1024 * 1024
TOGETHER = 16
"""Commands that are under way at the same time."""


class Lines(AsyncProtocol[bytes]):
    """Lines of bytes."""

    async def _do_recv(self) -> bytes:
        return await self._readline()

    def _do_send(self, msg: bytes) -> None:
        self._writer.write(msg)

    async def _on_message(self, msg: bytes) -> None:
        await self._outgoing.put(msg)


class Client(Lines):
    """Counts what comes."""

    def __init__(self) -> None:
        super().__init__(readbuflen=LIMIT)
        self.wanted = 0
        self.one_by_one = False
        self.event = asyncio.Event()

    async def _on_message(self, msg: bytes) -> None:
        self.wanted -= 1
        if self.wanted == 0:
            self.event.set()
        elif self.one_by_one:
            await self._outgoing.put(msg)

    async def exchange(self, message: bytes, count: int = 1, one_by_one: bool = False) -> None:
        """Send so many, at once or each when the last has come back, and wait for as many."""
        self.event.clear()
        self.wanted = count
        self.one_by_one = one_by_one
        for _ in range(1 if one_by_one else count):
            await self._outgoing.put(message)
        await self.event.wait()


async def sequential(client: Client, seconds: float) -> float:
    """Round trips per second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        await client.exchange(b"x" * 63 + b"\n", 500, one_by_one=True)
        count += 500
    return count / (time.perf_counter() - began)


async def pipelined(client: Client, seconds: float) -> float:
    """Messages per second, a thousand at a time."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        await client.exchange(b"x" * 63 + b"\n", 1000)
        count += 1000
    return count / (time.perf_counter() - began)


async def large(client: Client, seconds: float) -> float:
    """Mebibytes per second in lines of ten, there and back."""
    count, began, line = 0, time.perf_counter(), b"x" * (10 * 1024 * 1024 - 1) + b"\n"
    while time.perf_counter() - began < seconds:
        await client.exchange(line)
        count += 10
    return count / (time.perf_counter() - began)


async def commands(client: QMPClient, seconds: float) -> float:
    """query-version per second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        await client.execute("query-version")
        count += 1
    return count / (time.perf_counter() - began)


async def together(client: QMPClient, seconds: float) -> float:
    """query-version per second, asked for by many tasks on one connection."""
    began = time.perf_counter()

    async def ask() -> int:
        count = 0
        while time.perf_counter() - began < seconds:
            await client.execute("query-version")
            count += 1
        return count

    counts = await asyncio.gather(*(ask() for _ in range(TOGETHER)))
    return sum(counts) / (time.perf_counter() - began)


MEASURES: dict[str, Any] = {
    "sequential": sequential,
    "pipelined": pipelined,
    "large": large,
    "commands": commands,
    "together": together,
}


async def run() -> None:
    """``theirs.py serve - PATH``, or ``theirs.py MEASURE - PATH SECONDS``."""
    what, _, path = sys.argv[1:4]
    if what == "serve":
        server = Lines(readbuflen=LIMIT)
        await server.start_server_and_accept(path)
        await server.runstate_changed()
        return
    client: Any = QMPClient() if what in ("commands", "together") else Client()
    for _ in range(100):
        try:
            await client.connect(path)
            break
        except Exception:
            await asyncio.sleep(0.1)
    measure = MEASURES[what]
    await measure(client, 0.3)
    print(await measure(client, float(sys.argv[4])), 1, flush=True)
    began = time.perf_counter()
    await client.disconnect()
    print(time.perf_counter() - began)


if __name__ == "__main__":
    asyncio.run(run())
