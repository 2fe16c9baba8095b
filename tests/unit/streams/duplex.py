"""Connections of every kind for tests of blocking streams, and tasks whose outcome is kept."""

from __future__ import annotations

import _socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from syncio.runtime import Runtime
from syncio.streams import BlockingStream, Duplex, TlsStream
from syncio.streams.raw import RawSocket

from ..runtime.kinds import MOMENT, PATIENCE
from .conftest import raw_pair

CERTIFICATE = str(Path(__file__).parents[1] / "engineio" / "client" / "localhost.pem")
"""Of 127.0.0.1 and localhost, signed by itself, with its key."""
PLAIN = ("pair", "tcp", "unix")
TLS = ("tls tcp", "tls unix")


def server_settings() -> ssl.SSLContext:
    """TLS with the certificate of localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def client_settings() -> ssl.SSLContext:
    """TLS that trusts that certificate and no other."""
    return ssl.create_default_context(cafile=CERTIFICATE)


class Doing:
    """A call in a task of its own."""

    def __init__(self, runtime: Runtime, call: Callable[..., Any], *args: Any) -> None:
        self._result: Any = None
        self._error: BaseException | None = None
        self._ended = False
        self._call = call
        self._task = runtime.spawn(self._run, args)

    def _run(self, args: tuple[Any, ...]) -> None:
        try:
            self._result = self._call(*args)
        except BaseException as exc:
            self._error = exc
        self._ended = True

    def is_waiting(self) -> bool:
        """Whether it still has not ended after a moment."""
        self._task.join(MOMENT)
        return not self._ended

    def outcome(self) -> Any:
        """What the call returned, or raised."""
        self._task.join(PATIENCE)
        assert self._ended, f"{self._call} goes on and on"
        if self._error is not None:
            raise self._error
        return self._result


class Ends:
    """A connection between two streams of this process.

    :param kind: one of `PLAIN` or `TLS`, or 'tls pair'.
    """

    def __init__(self, runtime: Runtime, kind: str, folder: Path) -> None:
        self.runtime = runtime
        self.kind = kind
        way = kind.split()[-1]
        # Both are blocking streams first, and encrypted ones thereafter.
        self.raw = unix_pair(str(folder / "s")) if way == "unix" else raw_pair(way)
        inner = [BlockingStream(runtime, sock) for sock in self.raw]
        self.here: Duplex = inner[0]
        self.there: Duplex = inner[1]
        if kind.startswith("tls"):
            self._encrypt(*inner)

    def _encrypt(self, here: BlockingStream, there: BlockingStream) -> None:
        client = TlsStream(self.runtime, here, client_settings(), False, "localhost")
        server = TlsStream(self.runtime, there, server_settings(), True)
        shaking = Doing(self.runtime, server.handshake, PATIENCE)
        client.handshake(PATIENCE)
        shaking.outcome()
        self.here, self.there = client, server

    def fill(self) -> int:
        """Write here until there is no room for more; how much was taken."""
        taken = 0
        while True:
            more = self.here.write(b"x" * 1_000_000)
            taken += more
            if not more and not self.here.wait_writable(MOMENT):
                return taken

    def close(self) -> None:
        """Close both ends."""
        self.here.close()
        self.there.close()


def unix_pair(path: str) -> tuple[RawSocket, RawSocket]:
    """Two sockets that are connected over a path."""
    listener = RawSocket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    there = RawSocket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    there.connect(path)
    fd, _ = listener._accept()  # type: ignore[attr-defined]  # what socket.accept() is made of
    listener.close()
    return RawSocket(fileno=fd), there


def write_all(stream: Duplex, data: bytes) -> None:
    """Write everything, waiting for room."""
    view = memoryview(data)
    while view or stream.unsent:
        taken = stream.write(view)
        view = view[taken:]
        if not taken:
            assert stream.wait_writable(PATIENCE), "nobody reads"


def read_exactly(stream: Duplex, size: int, piece: int = 65536) -> bytes:
    """Read so many bytes.

    :param piece: how many at most at a time.
    """
    data = bytearray()
    while len(data) < size:
        more = stream.read(min(piece, size - len(data)), PATIENCE)
        assert more, f"the end after {len(data)} of {size} bytes"
        data += more
    return bytes(data)
