"""An Engine.IO request: what its query and headers ask for, checked. Pure.

Protocol: "Transports, Request path and query parameters" of the Engine.IO protocol, version 4.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import parse_qs

from ..errors import RemoteProtocolError
from .answers import Answer, Refused, error

__all__ = ["EngineRequest", "read_body"]

Environ = dict[str, Any]
MAX_FIELDS = 32
UPGRADE_HINT = (
    "this server speaks version 4: JavaScript clients engine.io-client 4 and newer, socket.io-client 3 and newer"
)


class EngineRequest(NamedTuple):
    """What a request asks for.

    :param method: the HTTP method.
    :param transport: 'polling' or 'websocket'.
    :param sid: the session, or None for a handshake.
    :param jsonp: the number of the page's JSONP callback, or None.
    :param is_websocket: whether the client asks for a WebSocket on this connection.
    """

    method: str
    transport: str
    sid: str | None
    jsonp: int | None
    is_websocket: bool

    @classmethod
    def of(cls, environ: Environ, transports: tuple[str, ...]) -> EngineRequest:
        """Read and check a request.

        :param transports: those that the server offers.
        :raises Refused: with the protocol's error.
        """
        query = _query(environ)
        transport = query.get("transport", "")
        if transport not in transports:
            raise error(0)
        method = environ.get("REQUEST_METHOD", "GET")
        sid = query.get("sid")
        is_websocket = environ.get("HTTP_UPGRADE", "").strip().lower() == "websocket"
        if sid is None:
            if method != "GET":
                raise error(2)
            if query.get("EIO") != "4":
                raise error(5, f"EIO={query.get('EIO', '')[:20]!r}; {UPGRADE_HINT}")
        elif method not in ("GET", "POST"):
            raise method_not_allowed(method)
        if (transport == "websocket") is not is_websocket:
            raise error(3, "the transport 'websocket' needs, and is the only one with, the header 'Upgrade: websocket'")
        return cls(method, transport, sid, _jsonp(query.get("j")), is_websocket)


def method_not_allowed(method: str) -> Refused:
    """The answer to a method that sessions do not know."""
    return Refused(
        Answer(
            405,
            b"GET, POST and OPTIONS are allowed here",
            (("Allow", "GET, POST, OPTIONS"), ("Content-Type", "text/plain")),
        ),
        f"the method {method[:20]!r} is not allowed",
    )


def _query(environ: Environ) -> dict[str, str]:
    """The fields of the query; of several with one name, the first."""
    text = environ.get("QUERY_STRING", "")
    if "%" not in text and "+" not in text and text.count("&") < MAX_FIELDS:
        # What clients send has nothing to be decoded: 1 us instead of 7.
        found: dict[str, str] = {}
        for field in text.split("&"):
            name, _, value = field.partition("=")
            if field and name not in found:
                found[name] = value
        return found
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as exc:
        raise error(3, f"the query has more than {MAX_FIELDS} fields") from exc
    return {name: values[0] for name, values in fields.items()}


def _jsonp(value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise error(3, "the JSONP index 'j' must be a number")
    return int(value)


def read_body(environ: Environ, limit: int) -> bytes:
    """Read a request's body, never more than the limit.

    :param limit: bytes.
    :raises Refused: 413 for a body over the limit, whether announced or not.
    :raises RemoteProtocolError: if the client went away in the middle.
    """
    announced = _content_length(environ)
    if announced is not None and announced > limit:
        raise too_large(announced, limit)
    terminated = environ.get("wsgi.input_terminated") or environ.get("HTTP_TRANSFER_ENCODING")
    if announced is None and not terminated:
        return b""
    stream = environ["wsgi.input"]
    wanted = announced if announced is not None else limit + 1
    parts, size = [], 0
    while size < wanted:
        try:
            part = stream.read(min(wanted - size, 65536))
        except (OSError, ValueError, EOFError) as exc:
            raise RemoteProtocolError("the body could not be read to its end") from exc
        if not part:
            break
        parts.append(part)
        size += len(part)
    if size > limit:
        raise too_large(size, limit)
    if announced is not None and size < announced:
        raise RemoteProtocolError(f"the body ended after {size} of {announced} bytes")
    return b"".join(parts)


def _content_length(environ: Environ) -> int | None:
    value = environ.get("CONTENT_LENGTH", "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise error(3, "Content-Length is not a number")
    return int(value)


def too_large(size: int, limit: int) -> Refused:
    """The answer to a body over the limit."""
    body = f"the body has {size} bytes or more; at most {limit} are allowed (max_http_buffer_size)"
    return Refused(Answer(413, body.encode(), (("Content-Type", "text/plain"),)), body)
