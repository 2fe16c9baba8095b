"""What an application is told of a request: PEP 3333, section "environ Variables"."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from ..streams import Host
from .http1 import HTTPRequest

if TYPE_CHECKING:
    from .http_server import HTTPServer

__all__ = ["Environ", "environ_of"]

Environ = dict[str, Any]


def environ_of(request: HTTPRequest, server: HTTPServer, peer: Any, host: Host) -> Environ:
    """The environment of one request.

    :param peer: the client's address.
    :param host: gives the connection away, for a WebSocket.
    """
    path, query = _place(request.target)
    name, port = server.address[:2]
    client = peer if isinstance(peer, tuple) else ("", "")
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
        "QUERY_STRING": query,
        "REQUEST_URI": request.target,
        "SERVER_NAME": str(name),
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": request.version,
        "SERVER_SOFTWARE": "syncio",
        "REMOTE_ADDR": str(client[0]),
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": server.scheme,
        "wsgi.input": BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "syncio.host": host,
    }
    _add_fields(environ, request)
    return environ


def _add_fields(environ: Environ, request: HTTPRequest) -> None:
    fields = request.fields
    for key, value in fields.items():
        if "_" not in key:  # else "a_b" and "a-b" would be one, and a proxy may have checked the other
            environ["HTTP_" + key.upper().replace("-", "_")] = value
    if (kind := environ.pop("HTTP_CONTENT_TYPE", None)) is not None:
        environ["CONTENT_TYPE"] = kind
    if "content-length" in fields or "transfer-encoding" in fields:
        # Chunks are none any more: the body is whole, and has a length.
        environ["CONTENT_LENGTH"] = str(len(request.body))
        environ.pop("HTTP_CONTENT_LENGTH", None)
        environ.pop("HTTP_TRANSFER_ENCODING", None)


def _place(target: str) -> tuple[str, str]:
    """The path and the query of a target of any form (RFC 9112, section 3.2)."""
    if not target.startswith("/"):  # '*', or a whole address, which servers must take
        rest = target.partition("://")[2]
        target = rest.removeprefix(rest.partition("/")[0].partition("?")[0])
        if not target.startswith("/"):
            target = "/" + target
    path, _, query = target.partition("?")
    return path, query
