"""An `HTTPServer` for a test, and a client that says exactly which bytes it sends."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from syncio.runtime import choose_runtime
from syncio.web.http_server import HTTPServer

from ..runtime.kinds import PATIENCE, eventually
from ..streams.conftest import open_descriptors

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Serve = Callable[..., HTTPServer]
SOON = 0.3
"""Seconds for time-outs that a test waits for."""


class Reply(NamedTuple):
    """One answer."""

    status: int
    fields: dict[str, str]
    body: bytes


class Client:
    """A connection to a server.

    :param settings: TLS, if that is spoken.
    :param small: whether its kernel takes little that is not read.
    """

    def __init__(self, server: HTTPServer, settings: ssl.SSLContext | None = None, small: bool = False) -> None:
        sock = socket.socket()
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        sock.settimeout(PATIENCE)
        sock.connect(server.address)
        self.sock = sock if settings is None else settings.wrap_socket(sock, server_hostname="localhost")
        self._file = self.sock.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def get(self, path: str = "/", *fields: str, method: str = "GET", version: str = "1.1") -> None:
        """Send a request without a body."""
        self.send("\r\n".join([f"{method} {path} HTTP/{version}", "Host: h", *fields, "", ""]).encode())

    def head(self) -> tuple[int, dict[str, str]]:
        """The head of the next answer."""
        first = self._file.readline()
        assert first.startswith(b"HTTP/1.1 "), first
        fields = {}
        while line := self._file.readline().rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(": ")
            assert name.lower() not in fields
            fields[name.lower()] = value
        return int(first.split()[1]), fields

    def chunk(self) -> bytes:
        """The next chunk of a body; nothing at its end."""
        size = int(self._file.readline(), 16)
        data = self._file.read(size)
        assert self._file.readline() == b"\r\n"
        return data

    def reply(self, has_body: bool = True) -> Reply:
        """The next answer."""
        status, fields = self.head()
        if not has_body or status in (100, 204, 304):
            return Reply(status, fields, b"")
        if "content-length" in fields:
            body = self._file.read(int(fields["content-length"]))
        elif "transfer-encoding" in fields:
            body = b"".join(iter(self.chunk, b""))
        else:
            body = self._file.read()
        return Reply(status, fields, body)

    def rest(self) -> bytes:
        """All until the server ends the connection, which it does."""
        return self._file.read()

    def is_ended(self) -> bool:
        """Whether the server has ended the connection, or does so now, without a word."""
        with contextlib.suppress(ConnectionResetError):
            return self._file.read(1) == b""
        return True

    def close(self) -> None:
        """Leave."""
        with contextlib.suppress(OSError):
            self._file.close()
            self.sock.close()

    def reset(self) -> None:
        """Leave without a word."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class Site:
    """Servers and their clients; they end with the test, and nothing is left of them."""

    def __init__(self) -> None:
        self.runtime = choose_runtime()
        self.runtime.relay()
        self._clients: list[Client] = []
        self._servers: list[HTTPServer] = []

    def serve(self, app: Application, **options: Any) -> HTTPServer:
        """A server that serves."""
        server = HTTPServer(app, **options)
        self._servers.append(server)
        server.start()
        return server

    def connect(self, server: HTTPServer, settings: ssl.SSLContext | None = None, small: bool = False) -> Client:
        """A client of it."""
        self._clients.append(Client(server, settings, small))
        return self._clients[-1]

    def wait(self, condition: Callable[[], Any]) -> bool:
        """Whether something comes true."""
        return eventually(self.runtime, condition)

    def close(self) -> None:
        """End them all."""
        for client in self._clients:
            client.close()
        for server in self._servers:
            server.stop()


def sites() -> Iterator[Site]:
    """A site for one test, which must give back what it has opened."""
    site = Site()
    before = open_descriptors()
    try:
        yield site
    finally:
        site.close()
    gc.collect()  # what clients of the engine keep
    assert site.wait(lambda: open_descriptors() <= before), open_descriptors() - before


def text(body: bytes) -> Application:
    """An application that says the same to everybody."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    return app


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """An application that says what it was asked: the method, the path and the body."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ".encode("latin-1") + environ["wsgi.input"].read()]
