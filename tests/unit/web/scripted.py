"""Servers that do as a test says, byte by byte, beside servers of ours; and channels to them."""

from __future__ import annotations

import _socket
import contextlib
from collections.abc import Callable
from typing import Any

from syncio.errors import BrokenStream, ClosedStream
from syncio.runtime import Runtime
from syncio.streams import BlockingStream, Duplex, Listener, TlsStream
from syncio.streams.raw import RawSocket
from syncio.web.http_channel import HTTPChannel
from syncio.web.http_server import HTTPServer

from ..runtime.kinds import PATIENCE
from ..streams.duplex import Doing, server_settings, write_all
from .serving import Application, echo

LONG = PATIENCE * 3
"""Seconds that no test waits: who ends sooner was not ended by the time-out."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
Act = Callable[[Duplex], object]


class Peer:
    """A server that does as it is told, with one connection after the other.

    :param acts: what is done with each of them; then it is closed.
    :param tls: whether it speaks TLS.
    """

    def __init__(self, runtime: Runtime, acts: tuple[Act, ...], tls: bool, host: str) -> None:
        self._runtime = runtime
        self._acts = acts
        self._tls = tls
        self._listener = Listener(runtime, (host, 0), backlog=100)
        self._streams: list[BlockingStream] = []
        self._serving = Doing(runtime, self._serve)
        self.port = int(self._listener.address[1])

    def _serve(self) -> None:
        for act in self._acts:
            inner = self._listener.accept(LONG)
            self._streams.append(inner)
            with contextlib.suppress(BrokenStream, ClosedStream):  # the client may leave whenever it likes
                act(self._encrypted(inner) if self._tls else inner)
            inner.close()

    def _encrypted(self, inner: BlockingStream) -> Duplex:
        stream = TlsStream(self._runtime, inner, server_settings(), True)
        stream.handshake(PATIENCE)
        return stream

    def close(self) -> None:
        """End; what went wrong here is raised."""
        self._listener.abort()
        for stream in self._streams:
            stream.abort()
        with contextlib.suppress(ClosedStream):
            self._serving.outcome()
        for stream in self._streams:
            stream.close()
        self._listener.close()


class Site:
    """Servers, peers and channels of one test, which end with it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.released = runtime.event()
        """Set at the end of the test: what peers wait for that shall say no more."""
        self._opened: list[Any] = []

    def serve(self, app: Application = echo, **options: Any) -> HTTPServer:
        """A server of ours that serves."""
        server = HTTPServer(app, **options)
        server.start()
        self._opened.append(server)
        return server

    def peer(self, *acts: Act, tls: bool = False, host: str = "127.0.0.1") -> int:
        """The port of a peer."""
        peer = Peer(self.runtime, acts, tls, host)
        self._opened.append(peer)
        return peer.port

    def full_port(self) -> int:
        """The port of a listener whose queue is full: the kernel swallows what comes now."""
        listener = self._socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = self._socket()
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        return int(listener.getsockname()[1])

    def free_port(self) -> int:
        """A port at which nobody listens."""
        sock = self._socket()
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])

    def _socket(self) -> RawSocket:
        sock = RawSocket(_socket.AF_INET, _socket.SOCK_STREAM)
        self._opened.append(sock)
        return sock

    def channel(self, port: int, host: str = "127.0.0.1", **options: Any) -> HTTPChannel:
        """A channel to a port."""
        channel = HTTPChannel(self.runtime, host, port, **options)
        self._opened.append(channel)
        return channel

    def hold(self, stream: Duplex) -> None:
        """What a peer does that says no more, and reads no more."""
        self.released.wait(LONG)

    def close(self) -> None:
        """End them all."""
        self.released.set()
        for thing in reversed(self._opened):
            (thing.stop if isinstance(thing, HTTPServer) else thing.close)()


def request_on(stream: Duplex) -> bytes:
    """The request that comes.

    :raises BrokenStream: if the client leaves before it is complete.
    """
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        if end and len(body) == int(head.rpartition(b"Content-Length: ")[2]):
            return data
        more = stream.read(65536, PATIENCE)
        if not more:
            raise BrokenStream("the client has left")
        data += more


def saying(*pieces: bytes, then: Act | None = None) -> Act:
    """What a peer does that waits for a request, and then says something.

    :param then: what it does thereafter; None to leave.
    """

    def act(stream: Duplex) -> None:
        request_on(stream)
        for piece in pieces:
            write_all(stream, piece)
        if then is not None:
            then(stream)

    return act
