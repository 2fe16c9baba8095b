"""The reader of answers: what it takes, what it refuses, and that both do not depend on how the bytes come."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncio.errors import RemoteProtocolError
from syncio.web.http1_message import Limits
from syncio.web.http1_response import HTTPResponse, ResponseReader

LIMITS = Limits(head=400, fields=8, body=1000)
Pieces = Callable[[bytes], list[bytes]]
BLANK = b"\r\n\r\n"


@pytest.fixture(params=["whole", "bytes"])
def pieces(request: pytest.FixtureRequest) -> Pieces:
    """How bytes come: at once, or one by one."""
    return (lambda data: [data]) if request.param == "whole" else (lambda data: [bytes([code]) for code in data])


class Connection:
    """A reader, and how bytes come to it."""

    def __init__(self, pieces: Pieces) -> None:
        self.reader = ResponseReader(LIMITS)
        self._pieces = pieces

    def read(self, data: bytes, method: str = "GET", ends: bool = False) -> HTTPResponse | None:
        """What an answer is read as that comes now.

        :param method: what was asked.
        :param ends: whether the connection ends behind it.
        """
        self.reader.expect(method)
        found = None
        for piece in self._pieces(data):
            self.reader.receive_data(piece)
            response = self.reader.next_response()
            if response is not None:
                assert found is None, "there are two"
                found = response
        return self.reader.end() if ends and found is None else found

    def body(self, data: bytes, method: str = "GET", ends: bool = False) -> bytes:
        """The body of an answer, behind which nothing is left."""
        response = self.read(data, method, ends)
        assert response is not None and not self.reader.buffered
        return response.body


@pytest.fixture
def connection(pieces: Pieces) -> Connection:
    """A connection on which nothing has come yet."""
    return Connection(pieces)


def answer(*fields: str, line: str = "HTTP/1.1 200 OK", body: bytes = b"") -> bytes:
    """An answer with some fields."""
    return "\r\n".join([line, *fields, "", ""]).encode("latin-1") + body


def sized(body: bytes, *fields: str, line: str = "HTTP/1.1 200 OK") -> bytes:
    """An answer with a body whose length is said."""
    return answer(f"Content-Length: {len(body)}", *fields, line=line, body=body)


def chunked(body: bytes, *fields: str) -> bytes:
    """An answer with a body in chunks."""
    return answer("Transfer-Encoding: chunked", *fields, body=body)


# ---------------------------------------------------------------------- what is taken


def test_answer(connection: Connection) -> None:
    """An answer has its status, its fields with their names in lower case, and its body."""
    response = connection.read(
        sized(b"hello", "X-One:  1\t", "x-TWO:", "X-Lat: \xe9", line="HTTP/1.1 418 I'm a teapot")
    )
    assert response is not None and (response.status, response.body) == (418, b"hello")
    assert response.fields == {"content-length": "5", "x-one": "1", "x-two": "", "x-lat": "\xe9"}


def test_fields_of_one_name_are_one_list(connection: Connection) -> None:
    """Fields of one name are joined by commas."""
    response = connection.read(sized(b"", "X: 1", "x: 2"))
    assert response is not None and response.fields["x"] == "1,2"


@pytest.mark.parametrize(
    "line", ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 \xe9\t!", "HTTP/1.0 200 OK", "HTTP/1.1 299 x y"]
)
def test_status_lines(connection: Connection, line: str) -> None:
    """The words behind the status may be any, or none."""
    response = connection.read(sized(b"x", line=line))
    assert response is not None and response.status in (200, 299) and response.body == b"x"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (sized(b""), b""),
        (sized(b"hello"), b"hello"),
        (sized(b"x" * 1000), b"x" * 1000),
        (answer("Content-Length: 005", body=b"hello"), b"hello"),
        (chunked(b"0\r\n\r\n"), b""),
        (chunked(b"5\r\nhello\r\n0\r\n\r\n"), b"hello"),
        (chunked(b"1;a=b\r\nh\r\n00A \t;x\r\nello world\r\n0;y\r\nX-Trailer: 1\r\n\r\n"), b"hello world"),
        (answer("transfer-encoding: CHUNKED", body=b"1\r\n\n\r\n0\r\n\r\n"), b"\n"),
    ],
)
def test_bodies(connection: Connection, data: bytes, body: bytes) -> None:
    """A body ends where its length or its last chunk says, and the end of the connection is not waited for."""
    assert connection.body(data) == body


@pytest.mark.parametrize("body", [b"", b"hello", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000])
def test_body_until_the_end_of_the_connection(connection: Connection, body: bytes) -> None:
    """A body of which nothing is said ends with the connection, and not before."""
    assert connection.read(answer(body=body)) is None
    response = connection.reader.end()
    assert response is not None and response.body == body and not response.keeps_alive
    assert connection.reader.end() is None


@pytest.mark.parametrize("line", ["HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified"])
@pytest.mark.parametrize("field", ["X: 1", "Content-Length: 5", "Transfer-Encoding: chunked"])
def test_answers_that_have_no_body(connection: Connection, line: str, field: str) -> None:
    """An answer of 204 or 304 ends with its head, whatever that says of a body."""
    response = connection.read(answer(field, line=line))
    assert response is not None and response.body == b"" and response.keeps_alive


@pytest.mark.parametrize("field", ["X: 1", "Content-Length: 5", "Content-Length: 99999", "Transfer-Encoding: chunked"])
def test_answers_to_head_have_no_body(connection: Connection, field: str) -> None:
    """An answer to HEAD ends with its head; the next one, to something else, has its body."""
    assert connection.body(answer(field), "HEAD") == b""
    assert connection.body(sized(b"hello"), "GET") == b"hello"


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_what_only_announces_an_answer(connection: Connection, status: str) -> None:
    """Answers below 200 are passed over, whatever they say of a body, be they one or many."""
    announced = answer("Link: </x>", "Content-Length: 7", line=f"HTTP/1.1 {status}")
    assert connection.body(announced + sized(b"hello")) == b"hello"
    assert connection.body(announced * 50 + sized(b"again")) == b"again"


def test_announcement_is_no_answer(connection: Connection) -> None:
    """A connection that ends behind an announcement has had no answer."""
    assert connection.read(answer(line="HTTP/1.1 100 Continue"), ends=True) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        sized(b"hello")[:-1],
        chunked(b"5\r\nhel"),
        chunked(b"5\r\nhello\r\n"),
        chunked(b"0\r\n"),
    ],
)
def test_connection_that_ends_too_early(connection: Connection, data: bytes) -> None:
    """What is missing something when the connection ends is no answer."""
    assert connection.read(data, ends=True) is None


# ---------------------------------------------------------------------- one after the other


def test_answers_follow_each_other(connection: Connection) -> None:
    """A connection has many answers, each with a body of its own kind."""
    for body in (b"one", b"", b"three"):
        assert connection.body(sized(body)) == body
        assert connection.body(chunked(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n")) == body
        assert connection.body(answer(line="HTTP/1.1 204 x")) == b""


def test_what_comes_behind_an_answer() -> None:
    """What comes behind an answer is not part of it, and is left for the next."""
    reader = ResponseReader(LIMITS)
    reader.expect("GET")
    reader.receive_data(sized(b"one") + chunked(b"3\r\ntwo\r\n0\r\n\r\n") + b"HTTP")
    assert [response.body for response in (reader.next_response(), reader.next_response()) if response] == [
        b"one",
        b"two",
    ]
    assert reader.next_response() is None and reader.buffered == 4 and reader.rest == b"HTTP"
    assert reader.buffered == 0


@pytest.mark.parametrize(
    ("line", "fields", "keeps"),
    [
        ("HTTP/1.1 200 OK", (), True),
        ("HTTP/1.1 200 OK", ("Connection: keep-alive",), True),
        ("HTTP/1.1 200 OK", ("Connection: close",), False),
        ("HTTP/1.1 200 OK", ("Connection: x ,\tCLOSE",), False),
        ("HTTP/1.1 200 OK", ("Connection: keep-alive", "Connection: close"), False),
        ("HTTP/1.1 200 OK", ("Connection: closed",), True),
        ("HTTP/1.0 200 OK", (), False),
        ("HTTP/1.0 200 OK", ("Connection: Keep-Alive",), True),
        ("HTTP/1.0 200 OK", ("Connection: keep-alive, close",), False),
        ("HTTP/1.1 500 Oh", (), True),
    ],
)
def test_whether_another_request_may_follow(
    connection: Connection, line: str, fields: tuple[str, ...], keeps: bool
) -> None:
    """A connection is kept if both versions and wishes allow it."""
    response = connection.read(sized(b"x", *fields, line=line))
    assert response is not None and response.keeps_alive is keeps


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "line",
    [
        "",
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 2",
        "HTTP/1.1 20",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 200OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 -20 OK",
        "HTTP/1.1 +20 OK",
        "HTTP/1.1 2_0 OK",
        "HTTP/1.1 \xb2\xb2\xb2 OK",
        "HTTP/1.1\t200 OK",
        " HTTP/1.1 200 OK",
        "HTTP/1.2 200 OK",
        "HTTP/2 200 OK",
        "HTTP/0.9 200 OK",
        "http/1.1 200 OK",
        "ICY 200 OK",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 O\rK",
        "HTTP/1.1 000 x",
        "HTTP/1.1 099 x",
        "HTTP/1.1 101 Switching Protocols",
        "GET / HTTP/1.1",
        "SSH-2.0-OpenSSH_9.6",
    ],
)
def test_first_lines_that_are_none(connection: Connection, line: str) -> None:
    """A first line that is no answer of HTTP/1, or one to what was not asked, is refused."""
    with pytest.raises(RemoteProtocolError):
        connection.read(sized(b"x", line=line))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (("Content-Length: 1", "Content-Length: 1"), 400),
        (("Content-Length: 1, 1",), 400),
        (("Content-Length: -1",), 400),
        (("Content-Length: +1",), 400),
        (("Content-Length: 0x1",), 400),
        (("Content-Length: \xb2",), 400),
        (("Content-Length:",), 400),
        (("Content-Length: " + "9" * 16,), 413),
        (("Content-Length: 1001",), 413),
        (("Transfer-Encoding: chunked", "Content-Length: 1"), 400),
        (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
        (("Transfer-Encoding: gzip, chunked",), 501),
        (("Transfer-Encoding: identity",), 501),
        (("Transfer-Encoding:",), 501),
        (("no field",), 400),
        (("X : 1",), 400),
        ((" X: 1",), 400),
        (("X: 1", " folded"), 400),
        (("X: a\0b",), 400),
        (("X: a\rb",), 400),
        (("X: a\nY: b",), 400),
        (tuple(f"X{number}: 1" for number in range(9)), 431),
        (("X: " + "x" * 400,), 431),
    ],
)
def test_fields_that_are_none(connection: Connection, fields: tuple[str, ...], code: int) -> None:
    """Fields that two readers could understand differently, and too many of them, are refused."""
    with pytest.raises(RemoteProtocolError) as caught:
        connection.read(answer(*fields, body=b"x"))
    assert caught.value.code == code


def test_chunks_in_an_old_version(connection: Connection) -> None:
    """HTTP/1.0 has no chunks: an answer that says otherwise is not understood by everybody in the same way."""
    with pytest.raises(RemoteProtocolError):
        connection.read(answer("Transfer-Encoding: chunked", line="HTTP/1.0 200 OK", body=b"0\r\n\r\n"))


@pytest.mark.parametrize(
    "body",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1 \r\nx",
        b"1\r\nxy\r\n",
        b"1\r\nx0\r\n",
        b"1\nx\r\n",
        b"0\r\nX\r\n",
        b"1" * 16 + b"\r\n",
        b"3E9\r\n",
        b"3E8\r\n" + b"x" * 1000 + b"\r\n1\r\n",
        b"1;" + b"x" * 300 + b"\r\n",
        b"0\r\n" + b"X: 1\r\n" * 100,
        b"0\r\nX: " + b"x" * 400,
    ],
)
def test_chunks_that_are_none(connection: Connection, body: bytes) -> None:
    """Chunks whose size or end is wrong, more of them than are allowed, and long trailers are refused."""
    with pytest.raises(RemoteProtocolError):
        connection.read(chunked(body))


def test_body_that_never_ends(connection: Connection) -> None:
    """A body of which nothing is said has the same bound, and is refused when it has come to it."""
    assert connection.read(answer(body=b"x" * 1000)) is None
    with pytest.raises(RemoteProtocolError) as caught:
        connection.read(b"x")
    assert caught.value.code == 413


def test_head_that_never_ends(connection: Connection) -> None:
    """A head is refused when it has come to its bound, and not kept until it ends."""
    assert connection.read(b"HTTP/1.1 200 " + b"x" * 386) is None
    with pytest.raises(RemoteProtocolError) as caught:
        connection.read(b"x")
    assert caught.value.code == 431


def test_nothing_is_read_behind_what_was_refused(connection: Connection) -> None:
    """An answer behind one that was refused is none, and nothing is kept of it."""
    with pytest.raises(RemoteProtocolError):
        connection.read(b"nonsense" + BLANK)
    assert connection.read(sized(b"hello"), ends=True) is None
    assert connection.reader.buffered == 0


def test_many_chunks_in_pieces_of_any_size() -> None:
    """A body of many small chunks is whole, wherever the pieces that come are cut."""
    count = 50_000
    reader = ResponseReader(Limits(body=count))
    reader.expect("GET")
    data = chunked(b"1\r\nx\r\n" * count + b"0\r\n\r\n")
    for start in range(0, len(data), 1000):
        reader.receive_data(data[start : start + 1000])
        response = reader.next_response()
    assert response is not None and response.body == b"x" * count
