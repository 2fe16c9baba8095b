"""Takes a connection over from the WSGI server that accepted it: one small class per way to reach the socket.

Servers of threads keep their socket object and their descriptor number, but behind the number is a dead socket from
then on: whatever they still do with it (shut it down, drain it, close it) ends at once and harms nobody, and their
counts of connections stay right. Servers of greenlets let go with `detach()`, because their loop knows the descriptor.
This module must not write to a connection; that is for whoever takes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ..errors import BrokenStream
from ..runtime import Runtime
from .raw import RawSocket, SocketLike, raw_socket
from .receiver import Receiver
from .socket_ import Stream
from .tls import TlsSocket

__all__ = ["Host", "Released", "Taken", "TakenStream", "find_host"]

Environ = dict[str, Any]


class Taken:
    """A connection that was taken over.

    :param sock: its socket, non-blocking.
    :param leftover: what the server had read of it already and not used.
    :param held: the server could not let go: the request must not return before the connection ends.
    """

    __slots__ = ("_leftover", "held", "sock")

    def __init__(self, sock: SocketLike, leftover: bytes, held: bool = False) -> None:
        self.sock = sock
        self._leftover = leftover
        self.held = held

    @property
    def leftover(self) -> bytes:
        """What the server had read of it already and not used."""
        return self._leftover

    def stream(self, runtime: Runtime) -> Stream:
        """The connection as a stream, on which nothing is read yet but by who had it before."""
        return Stream(runtime, self.sock)

    def start(self, stream: Stream, receiver: Receiver) -> None:
        """Have the relay read for a receiver. Called on the relay's duty worker.

        :raises StreamError: if the connection is gone.
        """
        stream.start(receiver)


class TakenStream(Taken):
    """A connection that was on the relay already.

    :param stream: it.
    :param rest: gives what was read of it and not used; asked on the relay's duty worker, where nobody reads meanwhile.
    """

    __slots__ = ("_rest", "_stream")

    def __init__(self, stream: Stream, rest: Callable[[], bytes]) -> None:
        self.held = False
        self._stream = stream
        self._rest = rest

    @property
    def leftover(self) -> bytes:
        """See `Taken`."""
        return self._rest()

    def stream(self, runtime: Runtime) -> Stream:
        """See `Taken`."""
        return self._stream

    def start(self, stream: Stream, receiver: Receiver) -> None:
        """See `Taken`."""
        stream.hand_over(receiver)
        stream.resume()  # who had it before may have had enough
        if stream.is_closed:
            raise BrokenStream("the connection ended before it was read")


class Host(Protocol):
    """The WSGI server of one request."""

    name: str
    can_websocket: bool
    """Whether a WebSocket can be spoken on this connection."""
    can_release: bool
    """Whether the server lets go of the socket, so that waiting costs it no thread."""
    is_upgraded: bool
    """Whether the server has answered the WebSocket handshake already."""
    runs_greenlets: bool
    """Whether its requests run in gevent's greenlets, as far as the socket tells."""

    def take(self) -> Taken:
        """Take the connection over. At most once in a request.

        :raises OSError: if the connection is gone already.
        """


class Released:
    """The answer of a request whose connection was taken over: it ends the request without a word.

    Every server that we know treats a reset connection as the client's leaving, and logs nothing. The error comes from
    the iteration, not from the call, so that middleware in between is not concerned.
    """

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        raise ConnectionResetError(errno.ECONNRESET, "the connection was taken over by syncio")


class _Host:
    can_websocket = True
    can_release = True
    is_upgraded = False

    def __init__(self, name: str, sock: Any, leftover: Callable[[], bytes]) -> None:
        self.name = name
        self._sock = sock
        self._leftover = leftover
        self.runs_greenlets = is_gevent_socket(sock)

    def take(self) -> Taken:
        """Take the connection over from a server of threads, or of greenlets."""
        if self.runs_greenlets:
            fd = self._sock.detach()
            if fd < 0:
                raise OSError(errno.EBADF, "the connection is closed already")
            return Taken(raw_socket(fd), self._read_ahead())
        fd = os.dup(self._sock.fileno())
        try:
            os.dup2(_dead_descriptor(), self._sock.fileno(), inheritable=False)
        except OSError:
            os.close(fd)
            raise
        return Taken(raw_socket(fd), self._read_ahead())

    def _read_ahead(self) -> bytes:
        # The server's socket cannot deliver any more, or only what is there: this never waits.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return self._leftover()
        return b""


class _TlsHost(_Host):
    """The server speaks TLS itself, so the connection is more than its descriptor and the request has to stay."""

    can_release = False

    def take(self) -> Taken:
        """Use the server's TLS socket for as long as the connection lasts."""
        sock = TlsSocket(self._sock)
        return Taken(sock, self._read_ahead(), held=True)


class _UpgradedHost(_Host):
    """gevent-websocket's handler: the handshake is answered, its object gives way to us."""

    is_upgraded = True

    def __init__(self, websocket: Any) -> None:
        handler = websocket.handler
        super().__init__("gevent-websocket", handler.socket, lambda: _buffered(handler.rfile))
        self._websocket = websocket

    def take(self) -> Taken:
        """Take the connection over and let the handler believe that its WebSocket is closed."""
        self._websocket.closed = True
        return super().take()


class NoHost:
    """A server that keeps its sockets to itself: long polling only."""

    can_websocket = False
    can_release = False
    is_upgraded = False
    runs_greenlets = False

    def __init__(self, name: str) -> None:
        self.name = name

    def take(self) -> Taken:
        """Not possible here."""
        raise OSError(errno.ENOTSOCK, f"{self.name} does not give its sockets away")


def find_host(environ: Environ) -> Host:
    """Which server this request came through, and what it can do.

    :param environ: the WSGI environment.
    """
    own: Host | None = environ.get("syncio.host")
    if own is not None:
        return own
    websocket = environ.get("wsgi.websocket")
    if websocket is not None and getattr(websocket, "handler", None) is not None:
        return _UpgradedHost(websocket)
    body = environ.get("wsgi.input")
    name = str(environ.get("SERVER_SOFTWARE") or "the WSGI server")
    sock: Any = None
    leftover: Callable[[], bytes] = bytes
    if environ.get("HTTP_VERSION") == "2":
        sock = None  # one connection carries many requests
    elif (sock := environ.get("gunicorn.socket")) is not None:
        leftover = lambda: _unread(body)  # noqa: E731
    elif (sock := environ.get("werkzeug.socket")) is not None:
        leftover = lambda: _buffered(body)  # noqa: E731
    else:
        # The body of an upgrade is the connection's reader itself, of any other request an object around it.
        reader = getattr(body, "rfile", body)
        sock = _pywsgi_socket(environ, reader)
        leftover = lambda: _buffered(reader)  # noqa: E731
    if sock is None or not hasattr(sock, "fileno"):
        return NoHost(name)
    if isinstance(sock, ssl.SSLSocket) or hasattr(sock, "do_handshake"):
        return _TlsHost(name, sock, leftover)
    return _Host(name, sock, leftover)


def is_gevent_socket(sock: object) -> bool:
    """Whether a socket is gevent's."""
    return type(sock).__module__.startswith("gevent")


def _pywsgi_socket(environ: Environ, reader: Any) -> Any:
    """gevent.pywsgi's: only its buffered reader knows the socket."""
    sock = environ.get("gunicorn.sock") or getattr(getattr(reader, "raw", None), "_sock", None)
    return sock if sock is not None and is_gevent_socket(sock) else None


def _buffered(reader: Any) -> bytes:
    waiting = len(reader.peek(1))
    return bytes(reader.read1(waiting)) if waiting else b""


def _unread(body: Any) -> bytes:
    unreader = body.reader.unreader
    if hasattr(unreader, "take_buffered"):
        return bytes(unreader.take_buffered())
    data = bytes(unreader.buf.getvalue())
    unreader.buf.seek(0)
    unreader.buf.truncate()
    return data


_dead: dict[str, RawSocket] = {}


def _dead_descriptor() -> int:
    """A connected socket whose peer is gone: reads end, writes fail, shutting down changes nothing."""
    dead = _dead.get("socket")
    if dead is None:
        here, there = socket.socketpair()
        there.close()
        made = RawSocket(fileno=here.detach())
        dead = _dead.setdefault("socket", made)
        if dead is not made:
            made.close()  # another thread was first
    return dead.fileno()
