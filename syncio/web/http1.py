"""HTTP/1.1 requests out of bytes. Pure. RFC 9112."""

from __future__ import annotations

from typing import NamedTuple

from .http1_message import BODY, CHUNK_SIZE, CONTROLS, HEAD, TOKEN, Limits, MessageReader, Reading, refusal

__all__ = ["HTTPRequest", "Limits", "RequestReader"]

NO_TARGET = CONTROLS + b"\t#" + bytes(range(128, 256))
"""What a request line has nowhere: a fragment stays at the client, and the rest is to be percent-encoded."""
HOST = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~!$&'()*+;=:[]%")
EMPTY_LINE = (b"", b"\r", b"\r\n")
"""An empty line in front of a request is a habit of old clients (section 2.2); this is it as it comes."""


class HTTPRequest(NamedTuple):
    """One request.

    :param method: as it was written.
    :param target: the path and the query, or a whole address, or '*' with OPTIONS.
    :param version: 'HTTP/1.1' or 'HTTP/1.0'.
    :param fields: names in lower case with their values; of several with one name the values joined by commas.
    :param body: whole.
    """

    method: str
    target: str
    version: str
    fields: dict[str, str]
    body: bytes

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow on the connection (section 9.3)."""
        wished = self.fields.get("connection")
        if wished is None:
            return self.version == "HTTP/1.1"
        wishes = [wish.strip().lower() for wish in wished.split(",")]
        if "close" in wishes:
            return False
        return self.version == "HTTP/1.1" or "keep-alive" in wishes


class RequestReader(MessageReader[HTTPRequest]):
    """Reads the requests of one connection.

    :param limits: what they may be.
    """

    what = "request"

    __slots__ = ("_skipped", "wants_continue")

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._skipped = False  # an empty line in front of the request
        self.wants_continue = False
        """Whether the client waits for a 100 before it sends the body (RFC 9110, section 10.1.1)."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has come yet."""
        return self._state is HEAD and not self._skipped and self._buffer in EMPTY_LINE

    def next_request(self) -> HTTPRequest | None:
        """The next request that is complete; None until more has come.

        :raises RemoteProtocolError: for what is no request, or a forbidden one; its code is the status of the answer.
            Nothing more is read then.
        """
        return self._next()

    def _with_body(self, message: HTTPRequest, body: bytes) -> HTTPRequest:
        return message._replace(body=body)

    def _read_head(self) -> bool:
        buffer = self._buffer
        if not self._skipped:
            if buffer in EMPTY_LINE:
                return False
            if buffer.startswith(b"\r\n"):
                del buffer[:2]
                self._skipped = True
        if buffer.startswith(b"\r\n"):
            raise refusal(400, "there are empty lines in front of the request")
        return super()._read_head()

    def _begin(self, lines: list[bytes]) -> Reading:
        self._skipped = False
        method, target, version = _request_line(lines[0])
        fields = self._fields(lines[1:])
        if "host" in fields:
            _check_host(fields["host"])
        elif version == "HTTP/1.1":
            raise refusal(400, "a request of HTTP/1.1 names the host")
        if not target.startswith("/") and target != "*":
            fields["host"] = _authority(target)
        self._message = HTTPRequest(method, target, version, fields, b"")
        following = self._framing(fields, version)
        self.wants_continue = (
            following is not HEAD and version == "HTTP/1.1" and fields.get("expect", "").lower() == "100-continue"
        )
        return following

    def _framing(self, fields: dict[str, str], version: str) -> Reading:
        """How the body is delimited (section 6.3)."""
        coding, length = fields.get("transfer-encoding"), fields.get("content-length")
        if coding is not None:
            if length is not None or version != "HTTP/1.1":
                raise refusal(400, "Transfer-Encoding goes with HTTP/1.1 and without Content-Length")
            if coding.lower() != "chunked":
                raise refusal(501, "chunked is the only transfer coding here")
            return CHUNK_SIZE
        self._left = 0 if length is None else self._length(length)
        return BODY if self._left else HEAD


def _request_line(line: bytes) -> tuple[str, str, str]:
    parts = line.split(b" ")
    if len(parts) != 3 or not all(parts) or not TOKEN.issuperset(parts[0]):
        raise refusal(400, "the first line is no request")
    if len(line.translate(None, NO_TARGET)) != len(line):
        raise refusal(400, "the first line has characters that none may have")
    method, target, version = (part.decode("ascii") for part in parts)
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise refusal(505 if version.startswith("HTTP/") else 400, "HTTP/1.1 is spoken here")
    if not target.startswith("/") and not (target == "*" and method == "OPTIONS"):
        _authority(target)
    return method, target, version


def _authority(target: str) -> str:
    """The host that a whole address names, which counts more than the field does (section 3.2.2)."""
    scheme, _, rest = target.partition("://")
    host = rest.partition("/")[0].partition("?")[0]
    if scheme.lower() not in ("http", "https") or not host:
        raise refusal(400, "the target is neither a path nor an address")
    _check_host(host)
    return host


def _check_host(host: str) -> None:
    if not HOST.issuperset(host.encode("latin-1")):
        raise refusal(400, "the host has characters that none has")
