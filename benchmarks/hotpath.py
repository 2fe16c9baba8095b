"""What Python costs in an echo: the server's path from a read to a write, without a kernel.

    python benchmarks/hotpath.py [--inflight 1 16] [--rounds 25]

A session's stream reads the same frames again and again from something that is no socket, and writes to nowhere; the
handler sends each message back. The figure is CPU time per message, the least of the rounds: it repeats within two per
cent on a machine on which rates swing by half, so a step that saves 50 ns can be seen.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from typing import Any

import syncio
from syncio.engineio.websocket_transport import WebSocketTransport
from syncio.runtime import READ, Runtime
from syncio.streams import Stream
from syncio.websocket import Connection, Role, encode_frame

SESSIONS = 20
MESSAGE = "4" + "x" * 32
ROUND = 20_000
"""Messages, about."""

server = syncio.Server(async_mode="threading")


@server.on("message")
def echo(sid: str, data: Any) -> None:
    """Send it back."""
    server.send(sid, data)


class Source:
    """In the place of a socket: each read brings the same."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pipe = os.pipe()

    def fileno(self) -> int:
        """A descriptor that is never ready."""
        return self._pipe[0]

    def recv(self, size: int, /) -> bytes:
        """All of it."""
        return self._data

    def send(self, data: bytes, /) -> int:
        """Take it."""
        return len(data)

    def shutdown(self, how: int, /) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def session(runtime: Runtime, data: bytes) -> Stream:
    """The stream of a session on a WebSocket, which is never watched: this program calls it."""
    socket = server.socket_class(server, server.generate_id(), True)
    server.admit(socket)
    socket.accept()
    stream = Stream(runtime, Source(data))
    websocket = WebSocketTransport(runtime, socket, stream, Connection(Role.SERVER))
    socket.carry(websocket)
    stream.start(websocket)
    return stream


def measure(inflight: int, rounds: int) -> float:
    """Microseconds for one message."""
    relay: Any = server.runtime.relay()
    streams = [
        session(server.runtime, encode_frame(1, MESSAGE.encode(), mask_key=b"abcd") * inflight) for _ in range(SESSIONS)
    ]
    turns = max(1, ROUND // (SESSIONS * inflight))
    best = float("inf")
    done = threading.Event()

    def work() -> None:
        # On duty, where everything of an echo happens; the loop gets nothing else to do meanwhile.
        nonlocal best
        for _ in range(rounds):
            began = time.thread_time()
            for _ in range(turns):
                for stream in streams:
                    stream.ready(READ)
                    relay._flush_dirty()
            best = min(best, (time.thread_time() - began) / (turns * SESSIONS * inflight))
        done.set()

    relay.call_at(0.0, work)
    done.wait()
    return best * 1e6


def main() -> None:
    """Print a line for each number of messages in a read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inflight", type=int, nargs="+", default=[1, 16], help="messages in one read")
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    for inflight in options.inflight:
        print(f"{inflight:3} in a read: {measure(inflight, options.rounds):.2f} us each")


if __name__ == "__main__":
    main()
