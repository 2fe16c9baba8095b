"""A WSGI server on the relay: connections that are idle cost no thread, requests run on the relay's bounded pool.

It serves a program's own endpoints, as those of `syncio.interaction`. Sites have gunicorn or gevent for that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import LocalError, StreamError
from ..runtime import Runtime, choose_runtime
from ..streams import Acceptor, SocketLike, Stream, TlsContext
from .http1 import Limits
from .http_connection import HTTPConnection

__all__ = ["HTTPServer"]

WSGICallable = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class HTTPServer:
    """An HTTP/1.1 server for one WSGI application, with WebSockets for `syncio.Server`.

    :param app: the application.
    :param host: where to listen; '' for all addresses.
    :param port: 0 for any free port.
    :param tls: the certificate; None for plain HTTP. With `verify_mode` it asks clients for theirs.
    :param limits: what a request may be. Its body is read into memory.
    :param request_timeout: seconds in which a request has to arrive, and in which a client has to read on.
    :param keep_alive: seconds for which an idle connection is kept.
    :param max_connections: with so many nobody is accepted until one has ended.
    """

    def __init__(
        self,
        app: WSGICallable,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: TlsContext | None = None,
        limits: Limits | None = None,
        request_timeout: float = 30.0,
        keep_alive: float = 75.0,
        max_connections: int = 4096,
    ) -> None:
        self.app = app
        self.limits = limits or Limits()
        self.request_timeout = request_timeout
        self.keep_alive = keep_alive
        self.scheme = "http" if tls is None else "https"
        self.runtime: Runtime = choose_runtime()
        self.logger = logging.getLogger("syncio.http")
        self.is_stopping = False
        self._where = host, port
        self._tls = tls
        self._most = max_connections
        self._lock = self.runtime.lock()
        self._acceptor: Acceptor | None = None
        self._connections: set[HTTPConnection] = set()
        self._none_left = self.runtime.event()
        self._address: tuple[Any, ...] = (host, port)

    def __repr__(self) -> str:
        return f"<HTTPServer {self.url} connections={len(self._connections)}>"

    @property
    def address(self) -> tuple[Any, ...]:
        """The host and the port, the one that was found if 0 was asked for."""
        return self._address

    @property
    def url(self) -> str:
        """Where it is to be reached from this host."""
        host, port = self._address[:2]
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"{self.scheme}://[{host}]:{port}" if ":" in host else f"{self.scheme}://{host}:{port}"

    @property
    def is_serving(self) -> bool:
        """Whether it listens."""
        return self._acceptor is not None

    def start(self) -> None:
        """Listen, and serve from now on.

        :raises OSError: if it cannot listen there.
        :raises LocalError: if it listens already.
        """
        if self._acceptor is not None:
            raise LocalError(f"the server listens already at {self.url}")
        self.is_stopping = False
        acceptor = Acceptor(self.runtime, self._where, self._accepted, self._tls, has_room=self._has_room)
        self._address = acceptor.address
        self._acceptor = acceptor

    def _has_room(self) -> bool:
        return len(self._connections) < self._most

    def _accepted(self, sock: SocketLike, peer: Any) -> None:
        stream = Stream(self.runtime, sock)
        connection = HTTPConnection(self, stream, peer)
        with self._lock:
            self._connections.add(connection)
        try:
            stream.start(connection)
        except StreamError:
            connection.abort()

    def forget(self, connection: HTTPConnection) -> None:
        """Called by a connection that has ended, or has another owner now."""
        with self._lock:
            was_full = not self._has_room()
            self._connections.discard(connection)
            is_empty = not self._connections
        acceptor = self._acceptor
        if was_full and acceptor is not None:
            acceptor.look()
        if is_empty and self.is_stopping:
            self._none_left.set()

    def stop(self, timeout: float = 1.0) -> None:
        """Listen no more, let requests that are being answered end, and close every connection.

        :param timeout: seconds for those requests; then their connections are cut.
        """
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is None:
            return
        self._none_left.clear()
        self.is_stopping = True
        acceptor.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()
        with self._lock:
            if not self._connections:
                self._none_left.set()
        self._none_left.wait(timeout)
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.abort()
