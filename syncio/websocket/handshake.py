"""The opening handshake of RFC 6455, section 4: the server's half over a WSGI environ, the client's half over bytes.

The server's half decides nothing about origins, cookies or paths: whoever owns the site does that before `response`.
This module must not know frames.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import HandshakeError, LocalError
from .deflate import DeflateParameters, accept_answer, accept_offer, offer
from .headers import has_token, is_field_value, is_token, split_list

__all__ = ["MAX_RESPONSE_HEAD", "ClientHandshake", "ServerHandshake", "Upgraded", "accept_value", "is_upgrade"]

MAX_RESPONSE_HEAD = 16_384
"""The longest head of a response that a client reads, in bytes."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OURS = frozenset({"connection", "upgrade", "host", "content-length", "transfer-encoding"})
_PREFIX = "sec-websocket-"

Headers = tuple[tuple[str, str], ...]


def accept_value(key: str) -> str:
    """The `Sec-WebSocket-Accept` that answers a key (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()).decode("ascii")


def is_upgrade(environ: Mapping[str, Any]) -> bool:
    """Whether a request asks for a WebSocket at all, however badly: `ServerHandshake` says whether it does it well."""
    return has_token(str(environ.get("HTTP_UPGRADE", "")), "websocket")


class ServerHandshake:
    """A client's opening handshake, read and found good (RFC 6455, section 4.2.1).

    :param environ: a WSGI environ; REQUEST_METHOD, SERVER_PROTOCOL and the HTTP_* variables are read.
    :raises HandshakeError: with the status and the header fields that the answer should have.
    """

    __slots__ = ("_key", "extensions", "subprotocols")

    def __init__(self, environ: Mapping[str, Any]) -> None:
        def field(name: str) -> str:
            return str(environ.get(name, "")).strip(" \t")

        if environ.get("REQUEST_METHOD") != "GET":
            raise HandshakeError("a WebSocket begins with GET", 405, (("Allow", "GET"),))
        if not _is_http_1_1(field("SERVER_PROTOCOL")):
            raise HandshakeError("a WebSocket needs HTTP/1.1")
        if not field("HTTP_HOST"):
            raise HandshakeError("the Host header is missing")
        if not is_upgrade(environ):
            raise HandshakeError("the Upgrade header does not say websocket")
        if not has_token(field("HTTP_CONNECTION"), "upgrade"):
            raise HandshakeError("the Connection header does not say Upgrade")
        if field("HTTP_SEC_WEBSOCKET_VERSION") != "13":
            # RFC 7231 wants an Upgrade header as well, which WSGI (PEP 3333) forbids to applications.
            raise HandshakeError("the WebSocket version is not 13", 426, (("Sec-WebSocket-Version", "13"),))
        self._key = field("HTTP_SEC_WEBSOCKET_KEY")
        if not _is_key(self._key):
            raise HandshakeError("Sec-WebSocket-Key is not 16 bytes in base64")
        self.subprotocols = tuple(split_list(field("HTTP_SEC_WEBSOCKET_PROTOCOL")))
        """The subprotocols that the client speaks, its favourite first."""
        if not all(map(is_token, self.subprotocols)):
            raise HandshakeError("Sec-WebSocket-Protocol cannot be read")
        self.extensions = field("HTTP_SEC_WEBSOCKET_EXTENSIONS")
        """What the client offers, as it stands in the request."""

    def negotiate(self, wanted: DeflateParameters) -> tuple[DeflateParameters, str] | None:
        """Choose among the client's offers of permessage-deflate.

        :param wanted: what the server would like.
        :returns: what is agreed (for `Connection`) and what says so (for `response`); None without compression.
        :raises HandshakeError: the offers cannot be read.
        """
        return accept_offer(self.extensions, wanted)

    def response(
        self, *, extensions: str = "", subprotocol: str | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> bytes:
        """The whole 101 response (RFC 6455, section 4.2.2).

        :param extensions: the second half of what `negotiate` returned.
        :param subprotocol: one of `subprotocols`, or None.
        :param headers: more header fields, a cookie for instance.
        :raises LocalError: a subprotocol that the client did not name; a field that is not ours to set or would break
            the response in two.
        """
        if subprotocol is not None and subprotocol not in self.subprotocols:
            raise LocalError(f"the client did not name the subprotocol {subprotocol!r}")
        fields = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
        fields.append(("Sec-WebSocket-Accept", accept_value(self._key)))
        if subprotocol is not None:
            fields.append(("Sec-WebSocket-Protocol", subprotocol))
        if extensions:
            fields.append(("Sec-WebSocket-Extensions", extensions))
        return _encode_head("HTTP/1.1 101 Switching Protocols", fields, headers)


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The server has accepted: the connection is a WebSocket now.

    :param subprotocol: the subprotocol that it chose, or None.
    :param deflate: what is agreed on for permessage-deflate, or None.
    :param headers: all header fields of the response, in their order.
    :param trailing: what came after the response: the first bytes for the `Connection`.
    """

    subprotocol: str | None
    deflate: DeflateParameters | None
    headers: Headers
    trailing: bytes


class ClientHandshake:
    """The client's half of one opening handshake (RFC 6455, section 4.1).

    :param host: the value of the Host header, with the port where it is not the scheme's own.
    :param target: path and query of the URL.
    :param key: 16 bytes in base64; None draws them.
    :param subprotocols: what the client speaks, its favourite first.
    :param deflate: what it would like of permessage-deflate; None offers nothing.
    :param headers: more header fields for the request.
    :raises LocalError: something would not make a legal request.
    """

    __slots__ = ("_buffer", "_deflate", "_key", "_request", "_subprotocols")

    def __init__(
        self,
        host: str,
        target: str = "/",
        *,
        key: str | None = None,
        subprotocols: tuple[str, ...] = (),
        deflate: DeflateParameters | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._key = base64.b64encode(secrets.token_bytes(16)).decode("ascii") if key is None else key
        if not _is_key(self._key):
            raise LocalError("the key is not 16 bytes in base64")
        if not target.startswith("/") or not all("!" <= character <= "~" for character in target):
            raise LocalError(f"{target!r} cannot stand in a request line")
        if not host:
            raise LocalError("the host is empty")
        if not all(map(is_token, subprotocols)):
            raise LocalError(f"not all of {subprotocols!r} can be names of subprotocols")
        self._deflate = deflate
        self._subprotocols = subprotocols
        self._buffer = bytearray()
        fields = [("Host", host), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
        fields += [("Sec-WebSocket-Key", self._key), ("Sec-WebSocket-Version", "13")]
        if subprotocols:
            fields.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
        if deflate is not None:
            fields.append(("Sec-WebSocket-Extensions", offer(deflate)))
        self._request = _encode_head(f"GET {target} HTTP/1.1", fields, headers)

    def request(self) -> bytes:
        """The whole request, to be written first."""
        return self._request

    @property
    def received(self) -> bytes:
        """What was read of the response so far: after a refusal, also what was read of its body."""
        return bytes(self._buffer)

    def receive_data(self, data: bytes) -> Upgraded | None:
        """Take what was read of the response (RFC 6455, section 4.1).

        :returns: None while the head is not complete; what was agreed once it is.
        :raises HandshakeError: the server refused (its status and header fields are in the error), or its response is
            none to this request.
        """
        searched = max(0, len(self._buffer) - 3)
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n", searched)
        if (len(self._buffer) if end < 0 else end) > MAX_RESPONSE_HEAD:
            raise HandshakeError(f"the response has more than {MAX_RESPONSE_HEAD} bytes of headers", 502)
        if end < 0:
            return None
        status, headers = _parse_head(self._buffer[:end].decode("latin-1"))
        return self._judge(status, headers, bytes(self._buffer[end + 4 :]))

    def _judge(self, status: int, headers: Headers, trailing: bytes) -> Upgraded:
        def field(name: str) -> str:
            return ", ".join(value for key, value in headers if key.lower() == name)

        def refuse(message: str) -> HandshakeError:
            return HandshakeError(message, status, headers)

        if status != 101:
            raise refuse(f"the server answered with status {status}")
        if not has_token(field("upgrade"), "websocket") or not has_token(field("connection"), "upgrade"):
            raise refuse("the response does not upgrade to websocket")
        if field("sec-websocket-accept") != accept_value(self._key):
            raise refuse("Sec-WebSocket-Accept does not fit the key")
        subprotocol = field("sec-websocket-protocol") or None
        if subprotocol is not None and subprotocol not in self._subprotocols:
            raise refuse(f"the server chose the subprotocol {subprotocol!r}, which was not offered")
        extensions = field("sec-websocket-extensions")
        if self._deflate is None:
            if extensions:
                raise refuse("the server chose an extension that was not offered")
            return Upgraded(subprotocol, None, headers, trailing)
        try:
            return Upgraded(subprotocol, accept_answer(extensions, self._deflate), headers, trailing)
        except HandshakeError as error:
            raise refuse(error.message) from error


def _is_http_1_1(version: str) -> bool:
    """Whether this is HTTP/1.1 or a later HTTP/1.x."""
    minor = version.removeprefix("HTTP/1.")
    return minor != version and minor.isascii() and minor.isdigit() and int(minor) >= 1


def _is_key(key: str) -> bool:
    if len(key) != 24:
        return False
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def _encode_head(start_line: str, fields: list[tuple[str, str]], more: Iterable[tuple[str, str]]) -> bytes:
    """A start line and header fields as bytes.

    :raises LocalError: a field would break the head in two, or sets what the handshake itself sets.
    """
    for name, _ in (more := list(more)):
        if name.lower() in _OURS or name.lower().startswith(_PREFIX):
            raise LocalError(f"the header {name} belongs to the handshake")
    lines = [start_line]
    for name, value in [*fields, *more]:
        if not is_token(name) or not is_field_value(value):
            raise LocalError(f"the header {name!r} cannot be sent with the value {value!r}")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _parse_head(head: str) -> tuple[int, Headers]:
    """Status and header fields of a response (RFC 7230, section 3).

    :raises HandshakeError: with status 502 when this is no HTTP/1.1 response.
    """
    start_line, *lines = head.split("\r\n")
    version, _, rest = start_line.partition(" ")
    status = rest[:3]
    well_formed = len(status) == 3 and status.isascii() and status.isdigit() and rest[3:4] in ("", " ")
    if not well_formed or not version.startswith("HTTP/1."):
        raise HandshakeError("the response is not HTTP/1.1", 502)
    if status == "101" and not _is_http_1_1(version):
        raise HandshakeError("the response is not HTTP/1.1", 502)
    return int(status), tuple(_parse_field(line) for line in lines)


def _parse_field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    value = value.strip(" \t")
    if not colon or not is_token(name) or not is_field_value(value):
        raise HandshakeError("a header of the response cannot be read", 502)
    return name, value
