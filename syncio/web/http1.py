"""HTTP/1.1 requests out of bytes. Pure.

RFC 9112. What is not exactly in its grammar is refused: two readers that understand one message differently are how
requests are smuggled.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from ..errors import RemoteProtocolError
from ..states import Transitions

__all__ = ["HTTPRequest", "Limits", "RequestReader"]

TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
CONTROLS = bytes(code for code in range(32) if code != 9) + b"\x7f"
NO_TARGET = CONTROLS + b"\t#" + bytes(range(128, 256))
"""What a request line has nowhere: a fragment stays at the client, and the rest is to be percent-encoded."""
HOST = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~!$&'()*+;=:[]%")
HEX = frozenset(b"0123456789abcdefABCDEF")
ONLY_ONE = ("host", "transfer-encoding", "content-length")
EMPTY_LINE = (b"", b"\r", b"\r\n")
"""An empty line in front of a request is a habit of old clients (section 2.2); this is it as it comes."""
MAX_DIGITS = 15
"""Of a length, in which no memory has so many bytes."""
MAX_CHUNK_LINE = 256
"""Bytes of the line that announces a chunk, with its extensions, which are ignored."""


class Limits(NamedTuple):
    """What a request may be.

    :param head: bytes of the request line and the header fields.
    :param fields: how many header fields.
    :param body: bytes of the body.
    """

    head: int = 16384
    fields: int = 100
    body: int = 16 * 1024 * 1024


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


class Reading(Enum):
    """What is read next."""

    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    TRAILERS = auto()
    REFUSED = auto()


HEAD, BODY, CHUNK_SIZE, CHUNK, TRAILERS, REFUSED = Reading

READING = Transitions(
    "reader of requests",
    {
        HEAD: (HEAD, BODY, CHUNK_SIZE, REFUSED),
        BODY: (HEAD, REFUSED),
        CHUNK_SIZE: (CHUNK, TRAILERS, REFUSED),
        CHUNK: (CHUNK_SIZE, REFUSED),
        TRAILERS: (HEAD, REFUSED),
        REFUSED: (),
    },
)


class RequestReader:
    """Reads the requests of one connection.

    :param limits: what they may be.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_head",
        "_left",
        "_limits",
        "_searched",
        "_skipped",
        "_state",
        "_trailers",
        "wants_continue",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._state = HEAD
        self._head: HTTPRequest | None = None
        self._body = bytearray()
        self._left = 0
        self._trailers = 0
        self._searched = 0  # bytes in which the end of a line, or of the head, is not
        self._skipped = False  # an empty line in front of the request
        self.wants_continue = False
        """Whether the client waits for a 100 before it sends the body (RFC 9110, section 10.1.1)."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has come yet."""
        return self._state is HEAD and not self._skipped and self._buffer in EMPTY_LINE

    @property
    def buffered(self) -> int:
        """Bytes that have come and are not understood yet."""
        return len(self._buffer)

    @property
    def rest(self) -> bytes:
        """What came behind the last request, taken out."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def receive_data(self, data: bytes) -> None:
        """Take what was read. `next_request` says what it means."""
        if self._state is not REFUSED:
            self._buffer += data

    def next_request(self) -> HTTPRequest | None:
        """The next request that is complete; None until more has come.

        :raises RemoteProtocolError: for what is no request, or a forbidden one; its code is the status of the answer.
            Nothing more is read then.
        """
        try:
            while True:
                state = self._state
                if state is REFUSED:
                    return None
                if state is HEAD:
                    if not self._read_head():
                        return None
                elif state is BODY or state is CHUNK:
                    if not self._read_body():
                        return None
                elif state is CHUNK_SIZE:
                    if not self._read_chunk_size():
                        return None
                elif not self._read_trailer():
                    return None
                if self._state is HEAD:
                    return self._finished()
        except RemoteProtocolError:
            self._state = READING.move(self._state, REFUSED)
            self._buffer.clear()
            raise

    def _finished(self) -> HTTPRequest:
        head, self._head = self._head, None
        assert head is not None, "a body comes behind a head"
        if not self._body:
            return head
        body, self._body = bytes(self._body), bytearray()
        return head._replace(body=body)

    # ------------------------------------------------------------------ the head

    def _read_head(self) -> bool:
        buffer = self._buffer
        if not self._skipped:
            if buffer in EMPTY_LINE:
                return False
            if buffer.startswith(b"\r\n"):
                del buffer[:2]
                self._skipped = True
        if buffer.startswith(b"\r\n"):
            raise _refusal(400, "there are empty lines in front of the request")
        head = self._up_to(b"\r\n\r\n", self._limits.head)
        if head is None:
            if len(buffer) >= self._limits.head:
                raise _refusal(431, f"the head of the request is longer than {self._limits.head} bytes")
            return False
        self._skipped = False
        lines = head.split(b"\r\n")
        method, target, version = _request_line(lines[0])
        fields = self._fields(lines[1:])
        if "host" in fields:
            _check_host(fields["host"])
        elif version == "HTTP/1.1":
            raise _refusal(400, "a request of HTTP/1.1 names the host")
        if not target.startswith("/") and target != "*":
            fields["host"] = _authority(target)
        self._head = HTTPRequest(method, target, version, fields, b"")
        self._state = READING.move(HEAD, self._framing(fields, version))
        self.wants_continue = (
            self._state is not HEAD and version == "HTTP/1.1" and fields.get("expect", "").lower() == "100-continue"
        )
        return True

    def _up_to(self, mark: bytes, limit: int) -> bytes | None:
        """Take what stands in front of a mark, and the mark; None if it has not come within so many bytes.

        What was looked at before is not looked at again.
        """
        buffer, searched = self._buffer, self._searched
        end = buffer.find(mark, max(0, searched - len(mark) + 1), limit)
        stop = limit if end < 0 else end
        # A line that ends without CR is none here, but may be one for whoever stands in front of us.
        if buffer.count(b"\n", searched, stop) != buffer.count(b"\r\n", max(0, searched - 1), stop):
            raise _refusal(400, "a line ends without CR")
        if end < 0:
            self._searched = len(buffer)
            return None
        found = bytes(buffer[:end])
        del buffer[: end + len(mark)]
        self._searched = 0
        return found

    def _fields(self, lines: list[bytes]) -> dict[str, str]:
        if len(lines) > self._limits.fields:
            raise _refusal(431, f"there are more than {self._limits.fields} header fields")
        fields: dict[str, str] = {}
        for line in lines:
            key, text = _field(line)
            if key not in fields:
                fields[key] = text
            elif key in ONLY_ONE:
                raise _refusal(400, f"there are two of {key}")
            else:
                fields[key] += ("; " if key == "cookie" else ",") + text
        return fields

    def _framing(self, fields: dict[str, str], version: str) -> Reading:
        """How the body is delimited (section 6.3)."""
        coding, length = fields.get("transfer-encoding"), fields.get("content-length")
        if coding is not None:
            if length is not None or version != "HTTP/1.1":
                raise _refusal(400, "Transfer-Encoding goes with HTTP/1.1 and without Content-Length")
            if coding.lower() != "chunked":
                raise _refusal(501, "chunked is the only transfer coding here")
            return CHUNK_SIZE
        if length is None:
            return HEAD
        if not (length.isascii() and length.isdigit()):
            raise _refusal(400, "Content-Length is no number")
        if len(length) > MAX_DIGITS:
            raise _refusal(413, "the body is too long")
        self._left = int(length)
        self._check_size(self._left)
        return BODY if self._left else HEAD

    # ------------------------------------------------------------------ the body

    def _check_size(self, size: int) -> None:
        if size > self._limits.body:
            raise _refusal(413, f"the body has {size} bytes or more; at most {self._limits.body} are allowed")

    def _read_body(self) -> bool:
        buffer = self._buffer
        if self._left:
            taken = buffer[: self._left]
            self._body += taken
            del buffer[: len(taken)]
            self._left -= len(taken)
        if self._left:
            return False
        if self._state is BODY:
            self._state = READING.move(BODY, HEAD)
            return True
        if len(buffer) < 2:
            return False
        if not buffer.startswith(b"\r\n"):
            raise _refusal(400, "a chunk does not end where it says")
        del buffer[:2]
        self._state = READING.move(CHUNK, CHUNK_SIZE)
        return True

    def _line(self, limit: int) -> bytes | None:
        line = self._up_to(b"\r\n", limit)
        if line is None and len(self._buffer) >= limit:
            raise _refusal(400, "a line of a chunked body is too long")
        return line

    def _read_chunk_size(self) -> bool:
        line = self._line(MAX_CHUNK_LINE)
        if line is None:
            return False
        digits, semicolon, _ = line.partition(b";")
        if semicolon:
            digits = digits.rstrip(b" \t")
        if not digits or not HEX.issuperset(digits) or _has_controls(line):
            raise _refusal(400, "the size of a chunk is no hexadecimal number")
        if len(digits) > MAX_DIGITS:
            raise _refusal(413, "the body is too long")
        self._left = int(digits, 16)
        self._check_size(len(self._body) + self._left)
        self._trailers = 0
        self._state = READING.move(CHUNK_SIZE, CHUNK if self._left else TRAILERS)
        return True

    def _read_trailer(self) -> bool:
        line = self._line(self._limits.head)
        if line is None:
            return False
        if not line:
            self._state = READING.move(TRAILERS, HEAD)
            return True
        _field(line)  # it is not used, but has to be one
        self._trailers += len(line) + 2
        if self._trailers > self._limits.head:
            raise _refusal(431, "the trailers are too long")
        return True


def _request_line(line: bytes) -> tuple[str, str, str]:
    parts = line.split(b" ")
    if len(parts) != 3 or not all(parts) or not TOKEN.issuperset(parts[0]):
        raise _refusal(400, "the first line is no request")
    if len(line.translate(None, NO_TARGET)) != len(line):
        raise _refusal(400, "the first line has characters that none may have")
    method, target, version = (part.decode("ascii") for part in parts)
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise _refusal(505 if version.startswith("HTTP/") else 400, "HTTP/1.1 is spoken here")
    if not target.startswith("/") and not (target == "*" and method == "OPTIONS"):
        _authority(target)
    return method, target, version


def _authority(target: str) -> str:
    """The host that a whole address names, which counts more than the field does (section 3.2.2)."""
    scheme, _, rest = target.partition("://")
    host = rest.partition("/")[0].partition("?")[0]
    if scheme.lower() not in ("http", "https") or not host:
        raise _refusal(400, "the target is neither a path nor an address")
    _check_host(host)
    return host


def _check_host(host: str) -> None:
    if not HOST.issuperset(host.encode("latin-1")):
        raise _refusal(400, "the host has characters that none has")


def _field(line: bytes) -> tuple[str, str]:
    """The name, in lower case, and the value of a header field (section 5)."""
    name, colon, value = line.partition(b":")
    if not colon or not name or not TOKEN.issuperset(name):
        raise _refusal(400, "a header field is no 'name: value'")
    value = value.strip(b" \t")
    if _has_controls(value):
        raise _refusal(400, "a header field has control characters")
    return name.decode("ascii").lower(), value.decode("latin-1")


def _has_controls(text: bytes) -> bool:
    return len(text.translate(None, CONTROLS)) != len(text)


def _refusal(status: int, words: str) -> RemoteProtocolError:
    return RemoteProtocolError(words, status)
