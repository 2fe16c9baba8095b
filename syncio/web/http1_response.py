"""HTTP/1.1 answers out of bytes. Pure. RFC 9112."""

from __future__ import annotations

from typing import NamedTuple

from .http1_message import BODY, CHUNK_SIZE, CONTROLS, HEAD, READING, Limits, MessageReader, Reading, refusal

__all__ = ["HTTPResponse", "ResponseReader"]

BODILESS = (204, 304)


class HTTPResponse(NamedTuple):
    """One answer.

    :param status: its number.
    :param fields: names in lower case with their values; of several with one name the values joined by commas.
    :param body: whole.
    :param keeps_alive: whether another request may follow on the connection (section 9.3).
    """

    status: int
    fields: dict[str, str]
    body: bytes
    keeps_alive: bool


class ResponseReader(MessageReader[HTTPResponse]):
    """Reads the answers of one connection; `expect` comes before each of them.

    :param limits: what they may be.
    """

    what = "answer"

    __slots__ = ("_method",)

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._method = "GET"

    def expect(self, method: str) -> None:
        """What was asked: an answer to HEAD has no body."""
        self._method = method

    def next_response(self) -> HTTPResponse | None:
        """The answer, if it is complete; None until more has come.

        :raises RemoteProtocolError: for what is none. Nothing more is read then.
        """
        while True:
            response = self._next()
            if response is None or response.status >= 200:
                return response  # those below only announce it

    def end(self) -> HTTPResponse | None:
        """The connection has ended: the answer, if that is what ends its body; None if something is missing."""
        if self._state is not BODY or self._left is not None:
            return None
        self._state = READING.move(BODY, HEAD)
        return self._finished()

    def _with_body(self, message: HTTPResponse, body: bytes) -> HTTPResponse:
        return message._replace(body=body)

    def _begin(self, lines: list[bytes]) -> Reading:
        is_newest, status = _status_line(lines[0])
        fields = self._fields(lines[1:])
        following = self._framing(status, fields, is_newest)
        wishes = [wish.strip().lower() for wish in fields.get("connection", "").split(",")]
        keeps = "close" not in wishes and (is_newest or "keep-alive" in wishes)
        self._message = HTTPResponse(status, fields, b"", keeps and self._left is not None)
        return following

    def _framing(self, status: int, fields: dict[str, str], is_newest: bool) -> Reading:
        """How the body is delimited (section 6.3)."""
        self._left = 0
        if status < 200 or status in BODILESS or self._method == "HEAD":
            return HEAD
        coding, length = fields.get("transfer-encoding"), fields.get("content-length")
        if coding is not None:
            if length is not None or not is_newest:
                raise refusal(400, "Transfer-Encoding goes with HTTP/1.1 and without Content-Length")
            if coding.lower() != "chunked":
                raise refusal(501, "chunked is the only transfer coding here")
            return CHUNK_SIZE
        self._left = None if length is None else self._length(length)
        return BODY if self._left != 0 else HEAD


def _status_line(line: bytes) -> tuple[bool, int]:
    """Whether it is HTTP/1.1 and not 1.0, and the status (section 4)."""
    version, _, rest = line.partition(b" ")
    number, end = rest[:3], rest[3:4]
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or len(number) != 3 or not number.isdigit() or end not in (b"", b" "):
        raise refusal(400, "the first line is no answer of HTTP/1.1")
    if len(line.translate(None, CONTROLS)) != len(line):
        raise refusal(400, "the first line has control characters")
    status = int(number)
    if status < 100 or status == 101:
        raise refusal(400, f"nothing was asked to which {number.decode()} is an answer")
    return version == b"HTTP/1.1", status
