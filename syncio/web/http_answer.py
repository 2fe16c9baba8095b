"""The answer to one request, as PEP 3333 has it written: its head leaves with the first piece of its body."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..runtime import Runtime
from ..streams import Stream
from .http1 import HTTPRequest
from .http1_message import CONTROLS, TOKEN

if TYPE_CHECKING:
    from .http_server import HTTPServer

__all__ = ["Answer", "GoneAway", "head_of_answer", "refusal"]

Fields = list[tuple[str, str]]

SEND_LIMIT = 1024 * 1024
"""Bytes that may wait for a client before the application waits too."""
BODILESS = ("204", "304")
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade"}
LENGTH = "content-length"
MAX_DIGITS = 18
"""Of a length, so that it is one for everybody."""


class GoneAway(Exception):
    """The client reads no more, or the connection has another owner."""


class Answer:
    """What is said to one request.

    :param stream: where it is written.
    :param request: what it is the answer to.
    """

    __slots__ = (
        "_chunked",
        "_fields",
        "_is_revoked",
        "_keeps",
        "_left",
        "_request",
        "_runtime",
        "_server",
        "_status",
        "_stream",
        "has_begun",
    )

    def __init__(self, runtime: Runtime, stream: Stream, request: HTTPRequest, server: HTTPServer) -> None:
        self._runtime = runtime
        self._stream = stream
        self._request = request
        self._server = server
        self._status: str | None = None
        self._fields: Fields = []
        self._keeps = request.keeps_alive
        self._chunked = False
        self._left: int | None = None
        self._is_revoked = False
        self.has_begun = False
        """Whether something of it has left."""

    def revoke(self) -> None:
        """The connection is somebody else's now: nothing is written any more, whatever the application says."""
        self._is_revoked = True

    def start_response(self, status: str, headers: Fields, exc_info: Any = None) -> Callable[[bytes], object]:
        """PEP 3333, section "The start_response() Callable"."""
        if exc_info is not None and self.has_begun:
            raise exc_info[1].with_traceback(exc_info[2])
        if self._status is not None and exc_info is None:
            raise AssertionError("start_response() was called twice")
        self._status, self._fields = status, list(headers)
        return self._write

    def send(self, result: Iterable[bytes]) -> bool:
        """Write what the application has returned.

        :return: whether another request may follow on the connection.
        :raises GoneAway: if the client does not take it.
        :raises ValueError: if it is not as long as was announced; what was too much has not left.
        """
        only = len(result) == 1 if isinstance(result, (list, tuple)) else False
        for piece in result:
            if piece:
                self._write(piece, len(piece) if only else None)
        if not self.has_begun:
            self._begin(b"", 0)
        elif self._chunked:
            self._send(b"0\r\n\r\n")
        if self._left:
            raise ValueError(f"the application has said {self._left} bytes less than its Content-Length")
        return self._keeps

    def _write(self, piece: bytes, length: int | None = None) -> None:
        if not isinstance(piece, bytes):
            raise TypeError(f"the application says {type(piece).__name__}, and not bytes")
        if not self.has_begun:
            self._begin(piece, length)
        elif piece and not self._is_bodiless:
            self._send(self._framed(piece))
        if self._left is not None and self._left < 0:
            raise ValueError(f"the application says {-self._left} bytes more than its Content-Length")

    def _framed(self, piece: bytes) -> bytes:
        if self._chunked:
            return b"%x\r\n%b\r\n" % (len(piece), piece)
        left = self._left
        if left is not None:
            self._left = left - len(piece)
            if self._left < 0:
                return piece[:left]
        return piece

    # ------------------------------------------------------------------ the head

    @property
    def _is_bodiless(self) -> bool:
        return self._request.method == "HEAD" or (self._status or "").startswith(BODILESS)

    def _begin(self, piece: bytes, length: int | None) -> None:
        if self._is_revoked:
            raise GoneAway
        fields = self._own_fields()
        self._delimit(fields, length)
        fields.append(("Date", _date_in(int(self._runtime.now()))))
        if self._server.is_stopping:
            self._keeps = False
        if not self._keeps:
            fields.append(("Connection", "close"))
        elif self._request.version == "HTTP/1.0":
            fields.append(("Connection", "keep-alive"))
        assert self._status is not None, "without a status there are no fields"
        head = head_of_answer(self._status, fields)
        if self._is_bodiless:
            self._chunked, self._left, piece = False, None, b""
        self.has_begun = True
        self._send(head + (self._framed(piece) if piece else b""))

    def _own_fields(self) -> Fields:
        """What the application has said, without what is the server's to say."""
        status = self._status
        if status is None:
            raise AssertionError("the application has not called start_response()")
        if status.startswith("1"):
            raise ValueError(f"{status} is no answer, but announces one")
        fields = []
        for name, value in self._fields:
            key = name.lower()
            if key == LENGTH:
                self._announce(value)
                if status.startswith("204"):
                    continue
            elif key == "connection" and "close" in value.lower():
                self._keeps = False
            if key not in HOP_BY_HOP and key != "date":
                fields.append((name, value))
        return fields

    def _announce(self, value: str) -> None:
        if self._left is not None or not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS):
            raise ValueError("the application's Content-Length is no number, or there are two")
        self._left = int(value)

    def _delimit(self, fields: Fields, length: int | None) -> None:
        """Say where the body ends (RFC 9112, section 6.3)."""
        if self._left is not None or self._is_bodiless:
            return
        if length is not None:
            self._left = length
            fields.append(("Content-Length", str(length)))
        elif self._request.version == "HTTP/1.1":
            self._chunked = True
            fields.append(("Transfer-Encoding", "chunked"))
        else:
            self._keeps = False

    # ------------------------------------------------------------------ out

    def _send(self, data: bytes) -> None:
        """Write; wait while the client has too much to read, as long as it goes on reading."""
        if self._is_revoked:
            raise GoneAway
        if not data:
            return
        stream, limit = self._stream, SEND_LIMIT + len(data)
        while not stream.write(data, limit):
            before = stream.buffered
            has_room = stream.wait_for_room(SEND_LIMIT, self._runtime.event(), self._server.request_timeout)
            if not has_room and (stream.is_closed or stream.buffered >= before):
                raise GoneAway
        if stream.is_closed:
            raise GoneAway


def head_of_answer(status: str, fields: Fields) -> bytes:
    """The head of an answer (RFC 9112, section 4).

    :param status: number and reason.
    :raises ValueError: for what is no status or field, would be more than one line, or is no Latin-1.
    :raises TypeError: for what is no text.
    """
    if not (status[:3].isascii() and status[:3].isdigit() and status[3:4] == " "):
        raise ValueError(f"{status!r} is no status: that is a number of three digits, a space and words")
    lines = ["HTTP/1.1 " + status]
    for name, value in fields:
        if not _is_name(name):
            raise ValueError(f"{name!r} is no name of a header field")
        lines.append(name + ": " + value)
    lines.append("\r\n")
    head = "\r\n".join(lines).encode("latin-1")
    if len(head) - len(head.translate(None, CONTROLS)) != 2 * len(lines):
        raise ValueError("a header field of the answer has control characters")
    return head


@lru_cache(maxsize=1)
def _date_in(second: int) -> str:
    """The date, written once in a second of the monotonic clock."""
    return formatdate(usegmt=True)


@lru_cache(maxsize=256)
def _is_name(name: str) -> bool:
    return bool(name) and name.isascii() and TOKEN.issuperset(name.encode())


def refusal(status: int, words: str, has_body: bool = True) -> bytes:
    """The last answer on a connection, of the server itself.

    :param words: the body, for people.
    :param has_body: False for the answer to HEAD.
    """
    body = words.encode("utf-8") + b"\n"
    fields = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Date", formatdate(usegmt=True)),
        ("Connection", "close"),
    ]
    return head_of_answer(f"{status} {HTTPStatus(status).phrase}", fields) + (body if has_body else b"")
