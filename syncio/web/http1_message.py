"""Messages of HTTP/1.1 out of bytes: what requests and answers have in common. Pure.

RFC 9112. What is not exactly in its grammar is refused: two readers that understand one message differently are how
requests are smuggled.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

from ..errors import RemoteProtocolError
from ..states import Transitions

__all__ = ["BODY", "CHUNK_SIZE", "CONTROLS", "HEAD", "TOKEN", "Limits", "MessageReader", "Reading", "refusal"]

M = TypeVar("M")
TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
CONTROLS = bytes(code for code in range(32) if code != 9) + b"\x7f"
HEX = frozenset(b"0123456789abcdefABCDEF")
ONLY_ONE = ("host", "transfer-encoding", "content-length")
MAX_DIGITS = 15
"""Of a length, in which no memory has so many bytes."""
MAX_CHUNK_LINE = 256
"""Bytes of the line that announces a chunk, with its extensions, which are ignored."""


class Limits(NamedTuple):
    """What a message may be.

    :param head: bytes of the first line and the header fields.
    :param fields: how many header fields.
    :param body: bytes of the body.
    """

    head: int = 16384
    fields: int = 100
    body: int = 16 * 1024 * 1024


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
    "reader of HTTP messages",
    {
        HEAD: (HEAD, BODY, CHUNK_SIZE, REFUSED),
        BODY: (HEAD, REFUSED),
        CHUNK_SIZE: (CHUNK, TRAILERS, REFUSED),
        CHUNK: (CHUNK_SIZE, REFUSED),
        TRAILERS: (HEAD, REFUSED),
        REFUSED: (),
    },
)


class MessageReader(Generic[M]):
    """Reads the messages of one direction of a connection.

    :param limits: what they may be.
    """

    what = "message"

    __slots__ = ("_body", "_buffer", "_left", "_limits", "_message", "_searched", "_state", "_trailers")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._state = HEAD
        self._message: M | None = None
        self._body = bytearray()
        self._left: int | None = 0  # of a body; None if the end of the connection ends it
        self._trailers = 0
        self._searched = 0  # bytes in which the end of a line, or of the head, is not

    @property
    def buffered(self) -> int:
        """Bytes that have come and are not understood yet."""
        return len(self._buffer)

    @property
    def rest(self) -> bytes:
        """What came behind the last message, taken out."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def receive_data(self, data: bytes) -> None:
        """Take what was read. What it means is asked for then."""
        if self._state is not REFUSED:
            self._buffer += data

    def _next(self) -> M | None:
        """The next message that is complete; None until more has come."""
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

    def _finished(self) -> M:
        message, self._message = self._message, None
        assert message is not None, "a body comes behind a head"
        if not self._body:
            return message
        body, self._body = bytes(self._body), bytearray()
        return self._with_body(message, body)

    def _with_body(self, message: M, body: bytes) -> M:
        """A message with its body."""
        raise NotImplementedError

    # ------------------------------------------------------------------ the head

    def _begin(self, lines: list[bytes]) -> Reading:
        """Understand the lines of a head; what is to be read behind them."""
        raise NotImplementedError

    def _read_head(self) -> bool:
        head = self._up_to(b"\r\n\r\n", self._limits.head)
        if head is None:
            if len(self._buffer) >= self._limits.head:
                raise refusal(431, f"the head of the {self.what} is longer than {self._limits.head} bytes")
            return False
        self._state = READING.move(HEAD, self._begin(head.split(b"\r\n")))
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
            raise refusal(400, "a line ends without CR")
        if end < 0:
            self._searched = len(buffer)
            return None
        found = bytes(buffer[:end])
        del buffer[: end + len(mark)]
        self._searched = 0
        return found

    def _fields(self, lines: list[bytes]) -> dict[str, str]:
        if len(lines) > self._limits.fields:
            raise refusal(431, f"there are more than {self._limits.fields} header fields")
        fields: dict[str, str] = {}
        for line in lines:
            key, text = _field(line)
            if key not in fields:
                fields[key] = text
            elif key in ONLY_ONE:
                raise refusal(400, f"there are two of {key}")
            else:
                fields[key] += ("; " if key == "cookie" else ",") + text
        return fields

    def _length(self, text: str) -> int:
        """The number in Content-Length (section 6.2)."""
        if not (text.isascii() and text.isdigit()):
            raise refusal(400, "Content-Length is no number")
        if len(text) > MAX_DIGITS:
            raise refusal(413, "the body is too long")
        length = int(text)
        self._check_size(length)
        return length

    # ------------------------------------------------------------------ the body

    def _check_size(self, size: int) -> None:
        if size > self._limits.body:
            raise refusal(413, f"the body has {size} bytes or more; at most {self._limits.body} are allowed")

    def _read_body(self) -> bool:
        buffer = self._buffer
        left = self._left
        if left is None:
            self._check_size(len(self._body) + len(buffer))
        if left or left is None:
            taken = buffer[:left]
            self._body += taken
            del buffer[: len(taken)]
            if left is None:
                return False
            self._left = left = left - len(taken)
        if left:
            return False
        if self._state is BODY:
            self._state = READING.move(BODY, HEAD)
            return True
        if len(buffer) < 2:
            return False
        if not buffer.startswith(b"\r\n"):
            raise refusal(400, "a chunk does not end where it says")
        del buffer[:2]
        self._state = READING.move(CHUNK, CHUNK_SIZE)
        return True

    def _line(self, limit: int) -> bytes | None:
        line = self._up_to(b"\r\n", limit)
        if line is None and len(self._buffer) >= limit:
            raise refusal(400, "a line of a chunked body is too long")
        return line

    def _read_chunk_size(self) -> bool:
        line = self._line(MAX_CHUNK_LINE)
        if line is None:
            return False
        digits, semicolon, _ = line.partition(b";")
        if semicolon:
            digits = digits.rstrip(b" \t")
        if not digits or not HEX.issuperset(digits) or _has_controls(line):
            raise refusal(400, "the size of a chunk is no hexadecimal number")
        if len(digits) > MAX_DIGITS:
            raise refusal(413, "the body is too long")
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
            raise refusal(431, "the trailers are too long")
        return True


def _field(line: bytes) -> tuple[str, str]:
    """The name, in lower case, and the value of a header field (section 5)."""
    name, colon, value = line.partition(b":")
    if not colon or not name or not TOKEN.issuperset(name):
        raise refusal(400, "a header field is no 'name: value'")
    value = value.strip(b" \t")
    if _has_controls(value):
        raise refusal(400, "a header field has control characters")
    return name.decode("ascii").lower(), value.decode("latin-1")


def _has_controls(text: bytes) -> bool:
    return len(text.translate(None, CONTROLS)) != len(text)


def refusal(status: int, words: str) -> RemoteProtocolError:
    return RemoteProtocolError(words, status)
