"""The reader of requests: what it takes, what it refuses, and that both do not depend on how the bytes come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from syncio.errors import IllegalTransition, RemoteProtocolError
from syncio.web import http1, http1_message
from syncio.web.http1 import HTTPRequest, Limits, RequestReader

LIMITS = Limits(head=400, fields=8, body=1000)
Read = Callable[..., list[HTTPRequest]]


def all_of(reader: RequestReader) -> Iterator[HTTPRequest]:
    """The requests that are complete."""
    while (request := reader.next_request()) is not None:
        yield request


@pytest.fixture(params=["whole", "bytes"])
def read(request: pytest.FixtureRequest) -> Read:
    """Reads requests that come at once, or byte by byte."""

    def read(data: bytes, limits: Limits = LIMITS) -> list[HTTPRequest]:
        reader = RequestReader(limits)
        found = []
        for piece in [data] if request.param == "whole" else [bytes([code]) for code in data]:
            reader.receive_data(piece)
            found += all_of(reader)
        assert reader.is_idle, "something is left"
        return found

    return read


def get(*fields: str, line: str = "GET / HTTP/1.1") -> bytes:
    """A request with some fields, and a host."""
    return "\r\n".join([line, "Host: h", *fields, "", ""]).encode("latin-1")


def post(body: bytes, *fields: str) -> bytes:
    """A request with a body."""
    return get(*fields, line="POST / HTTP/1.1") + body


def chunked(body: bytes) -> bytes:
    """A request with a body in chunks."""
    return post(body, "Transfer-Encoding: chunked")


# ---------------------------------------------------------------------- what is taken


def test_request(read: Read) -> None:
    """A request has its method, target, version, and fields with their names in lower case."""
    (request,) = read(get("X-One:  1\t", "x-TWO:", "X-Lat: \xe9", line="DELETE /a%20b?c=d HTTP/1.1"))
    assert request[:3] == ("DELETE", "/a%20b?c=d", "HTTP/1.1")
    assert request.fields == {"host": "h", "x-one": "1", "x-two": "", "x-lat": "\xe9"}
    assert request.body == b""


def test_fields_of_one_name(read: Read) -> None:
    """Fields of one name are one list; cookies have a sign of their own between them."""
    (request,) = read(get("X: 1", "Cookie: a=1", "x: 2", "cookie: b=2"))
    assert (request.fields["x"], request.fields["cookie"]) == ("1,2", "a=1; b=2")


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (post(b"hello", "Content-Length: 5"), b"hello"),
        (post(b"", "Content-Length: 0"), b""),
        (post(b"", "Content-Length: 000"), b""),
        (post(b"x" * 1000, "Content-Length: 1000"), b"x" * 1000),
        (chunked(b"0\r\n\r\n"), b""),
        (chunked(b"5\r\nhello\r\n0\r\n\r\n"), b"hello"),
        (chunked(b"1\r\nh\r\n0004\r\nello\r\n00\r\n\r\n"), b"hello"),
        (chunked(b"A\r\n\r\n0\r\n\r\n\n\n0\r\n0\r\n\r\n"), b"\r\n0\r\n\r\n\n\n0"),
        (chunked(b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n"), b"x" * 1000),
        (chunked(b"5;a=b\r\nhello\r\n0 ; c\r\n\r\n"), b"hello"),
        (chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nHost: other\r\n\r\n"), b"hello"),
        (post(b"5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: Chunked"), b"hello"),
    ],
)
def test_body(read: Read, data: bytes, body: bytes) -> None:
    """A body is as long as is said, or comes in chunks, whose extensions and trailers are forgotten."""
    (request,) = read(data)
    assert request.body == body
    assert request.fields["host"] == "h"
    assert type(request.body) is bytes


def test_pipelined(read: Read) -> None:
    """Requests may follow one another without a pause, with bodies of any kind, and one empty line before each."""
    parts = [
        get(),
        post(b"one", "Content-Length: 3"),
        chunked(b"3\r\ntwo\r\n0\r\n\r\n"),
        b"\r\n" + get(),
        post(b"\r\n\r\n", "Content-Length: 4"),
        b"\r\n" + get(line="PUT /last HTTP/1.1"),
    ]
    found = read(b"".join(parts))
    assert [request.body for request in found] == [b"", b"one", b"two", b"", b"\r\n\r\n", b""]
    assert found[-1].target == "/last"


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("http://other:80/a?b", "other:80"),
        ("HTTPS://[::1]", "[::1]"),
        ("http://other?q", "other"),
        ("/http://x/", "h"),
        ("//x/", "h"),
    ],
)
def test_whole_address(read: Read, target: str, host: str) -> None:
    """A target that is a whole address names the host, whatever the field says."""
    (request,) = read(get(line=f"GET {target} HTTP/1.1"))
    assert (request.target, request.fields["host"]) == (target, host)


def test_asterisk(read: Read) -> None:
    """OPTIONS may be about the server itself."""
    (request,) = read(get(line="OPTIONS * HTTP/1.1"))
    assert (request.target, request.fields["host"]) == ("*", "h")


def test_http10_needs_no_host(read: Read) -> None:
    """A request of HTTP/1.0 may be without a host."""
    (request,) = read(b"GET / HTTP/1.0\r\n\r\n")
    assert (request.version, request.fields) == ("HTTP/1.0", {})


@pytest.mark.parametrize(
    ("version", "fields", "keeps"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: keep-alive"], True),
        ("1.1", ["Connection: Upgrade"], True),
        ("1.1", ["Connection: close"], False),
        ("1.1", ["Connection: x,  CLOSE"], False),
        ("1.1", ["Connection: keep-alive", "Connection: close"], False),
        ("1.1", ["Connection: closed"], True),
        ("1.0", [], False),
        ("1.0", ["Connection: Keep-Alive"], True),
        ("1.0", ["Connection: keep-alive, close"], False),
    ],
)
def test_keep_alive(read: Read, version: str, fields: list[str], keeps: bool) -> None:
    """A connection goes on with HTTP/1.1 unless somebody says otherwise, and with HTTP/1.0 if somebody asks for it."""
    (request,) = read(get(*fields, line=f"GET / HTTP/{version}"))
    assert request.keeps_alive is keeps


# ---------------------------------------------------------------------- what is refused

REFUSED = [
    # the first line
    (400, get(line="GET /")),
    (400, get(line="GET  / HTTP/1.1")),
    (400, get(line="GET / HTTP/1.1 ")),
    (400, get(line=" GET / HTTP/1.1")),
    (400, get(line="GET\t/ HTTP/1.1")),
    (400, get(line="G(T / HTTP/1.1")),
    (400, get(line="GET /\0 HTTP/1.1")),
    (400, get(line="GET /\x7f HTTP/1.1")),
    (400, get(line="GET /\xe9 HTTP/1.1")),
    (400, get(line="GET /a\rb HTTP/1.1")),
    (400, get(line="GET /#a HTTP/1.1")),
    (400, get(line="GET a HTTP/1.1")),
    (400, get(line="GET * HTTP/1.1")),
    (400, get(line="GET ftp://h/ HTTP/1.1")),
    (400, get(line="GET http:///a HTTP/1.1")),
    (400, get(line="GET http://u@h/ HTTP/1.1")),
    (400, get(line="CONNECT h:80 HTTP/1.1")),
    (400, get(line="GET / http/1.1")),
    (400, get(line="GET / HTTQ/1.1")),
    (400, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n"),
    (505, get(line="GET / HTTP/2.0")),
    (505, get(line="GET / HTTP/0.9")),
    (505, get(line="GET / HTTP/1.10")),
    (505, b"PRI * HTTP/2.0\r\n\r\n"),
    # lines
    (400, b"GET / HTTP/1.1\nHost: h\n\n"),
    (400, b"GET / HTTP/1.1\n"),
    (400, b"\n"),
    (400, b"GET / HTTP/1.1\r\nHost: h\n\r\n\r\n"),
    (400, b"GET / HTTP/2.0\r\nHost: h\nX: y\r\n\r\n"),
    (400, b"\r\n\r\n" + get()),
    # fields
    (400, get("X : 1")),
    (400, get("X\t: 1")),
    (400, get(" X: 1")),
    (400, get("X: 1", " folded")),
    (400, get("X: 1", "\tfolded: 1")),
    (400, get("no colon")),
    (400, get(": 1")),
    (400, get("X(: 1")),
    (400, get("X\xe9: 1")),
    (400, get("X: a\0b")),
    (400, get("X: a\x01b")),
    (400, get("X: a\rb")),
    (400, get("X: a\x7f")),
    (431, get(*[f"X{number}: 1" for number in range(8)])),
    (431, get("X: " + "x" * 400)),
    (431, get(line="GET /" + "x" * 400 + " HTTP/1.1")),
    (431, b"x" * 400),
    # the host
    (400, b"GET / HTTP/1.1\r\n\r\n"),
    (400, get("Host: h")),
    (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    # the length
    (400, post(b"", "Content-Length: 3", "Transfer-Encoding: chunked")),
    (400, post(b"", "Transfer-Encoding: chunked", "Content-Length: 3")),
    (400, post(b"", "Content-Length: 3", "Content-Length: 4")),
    (400, post(b"", "Content-Length: 3", "Content-Length: 3")),
    (400, post(b"", "Content-Length: 3, 3")),
    (400, post(b"", "Content-Length: -3")),
    (400, post(b"", "Content-Length: +3")),
    (400, post(b"", "Content-Length: 0x3")),
    (400, post(b"", "Content-Length: 3.0")),
    (400, post(b"", "Content-Length: 1_0")),
    (400, post(b"", "Content-Length: \xb2")),
    (400, post(b"", "Content-Length:")),
    (413, post(b"", "Content-Length: 1001")),
    (413, post(b"", "Content-Length: " + "9" * 300)),
    (413, post(b"", "Content-Length: 1001", "Expect: 100-continue")),
    # codings
    (400, get("Transfer-Encoding: chunked", line="POST / HTTP/1.0")),
    (400, post(b"", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked")),
    (400, post(b"", "Transfer-Encoding: identity", "Transfer-Encoding: chunked")),
    (400, post(b"", "Transfer-Encoding : chunked")),
    (501, post(b"", "Transfer-Encoding: gzip, chunked")),
    (501, post(b"", "Transfer-Encoding: chunked, identity")),
    (501, post(b"", "Transfer-Encoding: xchunked")),
    (501, post(b"", "Transfer-Encoding: \xa0chunked")),
    (501, post(b"", "Transfer-Encoding:")),
    # chunks
    (400, chunked(b"\r\n")),
    (400, chunked(b"x\r\n")),
    (400, chunked(b"-1\r\n")),
    (400, chunked(b"+1\r\n")),
    (400, chunked(b"0x1\r\n")),
    (400, chunked(b"1_0\r\n")),
    (400, chunked(b" 1\r\n")),
    (400, chunked(b"1 \r\n")),
    (400, chunked(b";a\r\n")),
    (400, chunked(b"5\nhello")),
    (400, chunked(b"5;a\nb\r\n")),
    (400, chunked(b"5;a\rb\r\n")),
    (400, chunked(b"5;a\0b\r\n")),
    (400, chunked(b"5;" + b"a" * 300)),
    (400, chunked(b"5\r\nhellox\r\n")),
    (400, chunked(b"5\r\nhello\n\n")),
    (400, chunked(b"5\r\nhello0\r\n\r\n")),
    (413, chunked(b"3e9\r\n")),
    (413, chunked(b"3e8\r\n" + b"x" * 1000 + b"\r\n1\r\n")),
    (413, chunked(b"f" * 200 + b"\r\n")),
    (400, chunked(b"0\r\nno trailer\r\n")),
    (400, chunked(b"0\r\nX : 1\r\n")),
    (400, chunked(b"0\r\nX: 1\n\r\n")),
    (400, chunked(b"0\r\nX: " + b"1" * 400)),
    (431, chunked(b"0\r\n" + b"X: 1\r\n" * 67)),
]


@pytest.mark.parametrize(("status", "data"), REFUSED, ids=[repr(data[:60]) for _, data in REFUSED])
def test_refused(read: Read, status: int, data: bytes) -> None:
    """What is no request, or a forbidden one, is refused with its status, also when it comes byte by byte."""
    with pytest.raises(RemoteProtocolError) as caught:
        read(data)
    assert caught.value.code == status


def test_limits_are_allowed(read: Read) -> None:
    """What is exactly as much as may be is taken."""
    head = get("X: " + "x" * 400)
    head = get("X: " + "x" * (400 - (len(head) - LIMITS.head)))
    assert len(head) == LIMITS.head and len(read(head)) == 1
    assert len(read(get(*[f"X{number}: 1" for number in range(7)]))) == 1
    assert len(read(chunked(b"0\r\n" + b"X: 1\r\n" * 66 + b"\r\n"))) == 1


def test_nothing_after_a_refusal() -> None:
    """Behind what was refused nothing is read: it may have been meant as something else."""
    reader = RequestReader(LIMITS)
    reader.receive_data(get() + b"x\r\n\r\n" + get())
    assert reader.next_request() is not None
    with pytest.raises(RemoteProtocolError):
        reader.next_request()
    reader.receive_data(get())
    assert reader.next_request() is None
    assert (reader.buffered, reader.is_idle) == (0, False)


def test_refusals_do_not_repeat_the_peer() -> None:
    """The words of a refusal have nothing in them that the peer has written."""
    for _, data in REFUSED:
        reader = RequestReader(LIMITS)
        reader.receive_data(data.replace(b"X", b"<script>"))
        with pytest.raises(RemoteProtocolError) as caught:
            list(all_of(reader))
        assert "script" not in str(caught.value)


# ---------------------------------------------------------------------- while it comes


def test_idle() -> None:
    """Nothing has come before the first byte and behind a whole request; an empty line is nothing either."""
    reader = RequestReader(LIMITS)
    for data, is_idle in [
        (b"", True),
        (b"\r", True),
        (b"\n", True),
        (b"G", False),
        (get()[1:], True),
        (b"\r\nG", False),
    ]:
        reader.receive_data(data)
        reader.next_request()
        assert reader.is_idle is is_idle


def test_idle_after_an_empty_line() -> None:
    """A second empty line is the beginning of something, and of nothing good."""
    reader = RequestReader(LIMITS)
    reader.receive_data(b"\r\n\r")
    assert reader.next_request() is None
    assert not reader.is_idle


@pytest.mark.parametrize(
    ("head", "waits"),
    [
        (post(b"", "Content-Length: 5", "Expect: 100-Continue"), True),
        (post(b"", "Transfer-Encoding: chunked", "Expect: 100-continue"), True),
        (post(b"", "Content-Length: 5"), False),
        (get("Content-Length: 5", "Expect: 100-continue", line="POST / HTTP/1.0"), False),
        (post(b"", "Content-Length: 0", "Expect: 100-continue"), False),
        (post(b"", "Content-Length: 5", "Expect: else"), False),
    ],
)
def test_expectation(head: bytes, waits: bool) -> None:
    """A client of HTTP/1.1 that has announced a body may wait for a word first."""
    reader = RequestReader(LIMITS)
    reader.receive_data(head)
    reader.next_request()
    assert reader.wants_continue is waits


def test_rest() -> None:
    """What came behind a request can be taken out, once."""
    reader = RequestReader(LIMITS)
    reader.receive_data(get() + b"\x81\x00more")
    assert reader.next_request() is not None
    assert reader.buffered == 6
    assert (reader.rest, reader.rest, reader.buffered) == (b"\x81\x00more", b"", 0)


def test_body_is_no_request_yet() -> None:
    """A request without its last byte is none; it is not idle, and its body does not stay in the buffer."""
    for data in (post(b"hello", "Content-Length: 5"), chunked(b"5\r\nhello\r\n0\r\n\r\n")):
        reader = RequestReader(LIMITS)
        reader.receive_data(data[:-1])
        assert reader.next_request() is None
        assert not reader.is_idle and reader.buffered <= 1
        reader.receive_data(data[-1:])
        request = reader.next_request()
        assert request is not None and request.body == b"hello"


def seconds(data: bytes, step: int, limits: Limits) -> float:
    """The processor time of reading a request that comes in pieces of some size; the best of three."""
    times = []
    for _ in range(3):
        reader = RequestReader(limits)
        began = time.process_time()
        found = 0
        for start in range(0, len(data), step):
            reader.receive_data(data[start : start + step])
            found += reader.next_request() is not None
        times.append(time.process_time() - began)
        assert found == 1
    return min(times)


SIZE = 100_000


@pytest.mark.parametrize(
    ("small", "big", "step"),
    [
        (get("X: " + "x" * SIZE), get("X: " + "x" * SIZE * 8), 4),
        (
            chunked(b"1\r\nx\r\n" * (SIZE // 20) + b"0\r\n\r\n"),
            chunked(b"1\r\nx\r\n" * (SIZE // 20 * 8) + b"0\r\n\r\n"),
            4096,
        ),
        (chunked(b"0\r\n" + b"X:" + b"x" * SIZE + b"\r\n\r\n"), chunked(b"0\r\nX:" + b"x" * SIZE * 8 + b"\r\n\r\n"), 4),
    ],
    ids=["head", "chunks", "trailer"],
)
def test_time_is_proportional(small: bytes, big: bytes, step: int) -> None:
    """What comes in tiny pieces takes as much longer as it is longer, and no more."""
    limits = Limits(head=SIZE * 10, fields=8, body=SIZE * 10)
    assert seconds(big, step, limits) < 24 * seconds(small, step, limits)


def test_table() -> None:
    """Every state has a row, a refusal is final, and from a head nothing leads into a trailer."""
    assert http1_message.READING.is_final(http1_message.REFUSED)
    assert all(
        http1_message.READING.allows(state, http1_message.REFUSED)
        for state in http1.Reading
        if state is not http1_message.REFUSED
    )
    with pytest.raises(IllegalTransition):
        http1_message.READING.move(http1_message.HEAD, http1_message.TRAILERS)
