"""Connections that reach a WSGI application without a network: one end is the client's, the other the application's."""

from __future__ import annotations

import http.client
import io
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict
from urllib3.response import HTTPResponse

from ..runtime import Runtime
from ..streams import SocketLike
from ..streams.raw import raw_socket

__all__ = ["MemorySession", "memory_dial"]

App = Callable[..., Iterable[bytes]]
LINE = 65536
"""Bytes of one line of a request's head."""


class MemorySession(requests.Session):
    """An HTTP session whose requests for one site reach an application.

    :param runtime: threads or greenlets, in which the application runs.
    :param url: the site.
    """

    def __init__(self, runtime: Runtime, app: App, url: str) -> None:
        super().__init__()
        self.trust_env = False
        self.mount(url, _Adapter(runtime, app))


class _Adapter(HTTPAdapter):
    def __init__(self, runtime: Runtime, app: App) -> None:
        super().__init__()
        self._runtime = runtime
        self._app = app

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """Make the request on a connection of its own."""
        body = request.body or b""
        assert isinstance(body, bytes), "the client sends bytes"
        head = [f"{request.method} {request.path_url} HTTP/1.1", f"Host: {urlsplit(request.url or '').netloc}"]
        head += [f"{name}: {_text(value)}" for name, value in request.headers.items()]
        sock = _connect(self._runtime, self._app)
        try:
            timeout = options.get("timeout")
            sock.settimeout(timeout[1] if isinstance(timeout, tuple) else timeout)
            sock.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + body)
            answer = http.client.HTTPResponse(sock, method=request.method)
            answer.begin()
        except (OSError, http.client.HTTPException) as exc:
            raise requests.ConnectionError(exc, request=request) from exc
        finally:
            sock.close()  # the answer has a file of its own on it
        return self.build_response(
            request,
            HTTPResponse(
                body=answer,
                headers=HTTPHeaderDict(answer.headers.items()),
                status=answer.status,
                reason=answer.reason,
                preload_content=False,
                original_response=answer,
            ),
        )


def memory_dial(app: App) -> Callable[..., SocketLike]:
    """What a client dials with: each call is a new connection to the application."""

    def dial(runtime: Runtime, *arguments: Any) -> SocketLike:
        return raw_socket(_connect(runtime, app).detach())

    return dial


def _connect(runtime: Runtime, app: App) -> socket.socket:
    ours, theirs = socket.socketpair()
    runtime.spawn(_serve, app, theirs)
    return ours


def _serve(app: App, sock: socket.socket) -> None:
    """Read one request and let the application answer it, or take the connection over."""
    with sock, sock.makefile("rb") as reader:
        environ = _read_request(reader)
        environ["werkzeug.socket"] = sock
        answered: list[Any] = []
        try:
            result = app(environ, lambda status, headers, exc_info=None: answered.extend((status, headers)))
            try:
                body = b"".join(result)
            finally:
                getattr(result, "close", lambda: None)()
        except ConnectionResetError:
            return  # it has taken the connection over
        lines = [f"HTTP/1.1 {answered[0]}", *(f"{name}: {value}" for name, value in answered[1]), "Connection: close"]
        sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def _read_request(reader: io.BufferedReader) -> dict[str, Any]:
    """The WSGI environment of the request that comes (PEP 3333)."""
    method, target, version = reader.readline(LINE).decode("latin-1").split()
    parts = urlsplit(target)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": version,
        "SERVER_SOFTWARE": "syncio.testing",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    while field := reader.readline(LINE).decode("latin-1").rstrip("\r\n"):
        name, _, value = field.partition(":")
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value.strip()
    is_upgrade = "HTTP_UPGRADE" in environ
    environ["wsgi.input"] = reader if is_upgrade else io.BytesIO(reader.read(int(environ.get("CONTENT_LENGTH") or 0)))
    return environ


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
