"""One connection of a server: how requests come, how they are answered, and who has to go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from syncio.web.http1 import Limits
from syncio.web.http_answer import SEND_LIMIT
from syncio.web.http_connection import CLOSED, MAX_AHEAD, SERVING, Serving

from ..runtime.kinds import MOMENT, PATIENCE
from .serving import SOON, Client, Site, echo, sites, text

Start = Callable[..., Any]
Environ = dict[str, Any]
MEGABYTE = bytes(1024) * 1024


@pytest.fixture
def site() -> Iterator[Site]:
    """Servers and clients."""
    yield from sites()


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is logged, by the relay too."""
    caplog.set_level(logging.INFO)
    return caplog


def answering(
    body: Iterable[bytes], *fields: tuple[str, str], status: str = "200 OK"
) -> Callable[[Environ, Start], Iterable[bytes]]:
    """An application that answers so."""

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response(status, list(fields))
        return body

    return app


class Blocking:
    """An application that blocks where the path says so, until it is released, and says how often it was asked."""

    def __init__(self, site: Site) -> None:
        self.entered = site.runtime.event()
        self.release = site.runtime.event()
        self.count = 0

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        self.count += 1
        if environ["PATH_INFO"] == "/block":
            self.entered.set()
            assert self.release.wait(PATIENCE)
        return echo(environ, start_response)


# ---------------------------------------------------------------------- requests and answers


def test_keep_alive(site: Site) -> None:
    """One connection carries one request after another, with bodies and without."""
    client = site.connect(site.serve(echo))
    for _ in range(3):
        client.get("/a")
        reply = client.reply()
        assert (reply.status, reply.body, reply.fields["content-length"]) == (200, b"GET /a ", "7")
        assert "connection" not in reply.fields and reply.fields["date"].endswith("GMT")
        client.send(b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
        assert client.reply().body == b"POST /b hello"
        client.send(b"PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
        assert client.reply().body == b"PUT /c hi"


@pytest.mark.parametrize(
    ("version", "field", "said"),
    [("1.1", "Connection: close", "close"), ("1.0", "X: y", "close"), ("1.0", "Connection: keep-alive", "keep-alive")],
)
def test_who_ends_it(site: Site, version: str, field: str, said: str) -> None:
    """The answer says whether the connection goes on, if that is not as the version has it, and so it is."""
    client = site.connect(site.serve(echo))
    client.get("/", field, version=version)
    assert client.reply().fields["connection"] == said
    if said == "close":
        assert client.is_ended()
    else:
        client.get("/", version=version)
        assert client.reply().fields["connection"] == "close"
        assert client.is_ended()


def test_pipelined(site: Site) -> None:
    """Requests that come at once are answered in their order, also behind one that blocks."""
    app = Blocking(site)
    client = site.connect(site.serve(app))
    client.get("/block")
    assert app.entered.wait(PATIENCE)
    for number in range(50):
        client.get(f"/{number}")
    app.release.set()
    assert client.reply().body == b"GET /block "
    assert [client.reply().body for _ in range(50)] == [b"GET /%d " % number for number in range(50)]


def test_pipelined_in_one_piece(site: Site) -> None:
    """Requests in one packet are answered one by one, and a bad one among them ends the connection in its turn."""
    client = site.connect(site.serve(echo))
    client.send(
        b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" * 3 % (1, 2, 3) + b"nonsense\r\n\r\nGET /4 HTTP/1.1\r\nHost: h\r\n\r\n"
    )
    assert [client.reply()[::2] for _ in range(3)] == [(200, b"GET /%d " % number) for number in (1, 2, 3)]
    reply = client.reply()
    assert (reply.status, reply.fields["connection"]) == (400, "close")
    assert client.is_ended()


def test_byte_by_byte(site: Site) -> None:
    """A request may come in any pieces."""
    client = site.connect(site.serve(echo))
    for (
        code
    ) in b"\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n":
        client.send(bytes([code]))
    assert [client.reply().body, client.reply().body] == [b"POST /b hello", b"GET / "]


def test_big_body(site: Site) -> None:
    """A body of megabytes comes whole."""
    client = site.connect(site.serve(lambda environ, start: echo({**environ, "wsgi.input": Sum(environ)}, start)))
    client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (5 * len(MEGABYTE)))
    for _ in range(5):
        client.send(MEGABYTE)
    assert client.reply().body == b"POST / %d" % (5 * len(MEGABYTE))


class Sum:
    """Instead of a body, how long it is."""

    def __init__(self, environ: Environ) -> None:
        self._body = environ["wsgi.input"]

    def read(self) -> bytes:
        """The number."""
        return b"%d" % len(self._body.read())


def test_continue(site: Site) -> None:
    """Who waits for a word before its body is given it, once; who does not wait is not."""
    client = site.connect(site.serve(echo))
    head = b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    client.send(head)
    assert client.head()[0] == 100
    client.send(b"hel")
    client.send(b"lo" + head + b"again")
    assert [client.reply()[::2] for _ in range(2)] == [(200, b"POST /b hello"), (200, b"POST /b again")]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\0\n\r\n", 400),
        (b"GET / HTTP/3.0\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", 413),
        (b"x" * 1000, 431),
    ],
)
def test_refused(site: Site, log: pytest.LogCaptureFixture, data: bytes, status: int) -> None:
    """What is no request, or too much, is answered with words and the end, and leaves no line in a log."""
    app = Blocking(site)
    client = site.connect(site.serve(app, limits=Limits(head=1000, fields=10, body=100)))
    client.send(data)
    reply = client.reply()
    assert (reply.status, reply.fields["connection"]) == (status, "close")
    assert reply.body.endswith(b"\n") and client.is_ended()
    assert (app.count, log.records) == (0, [])


# ---------------------------------------------------------------------- what an application says


def test_head(site: Site) -> None:
    """HEAD is answered without a body, with the length if the application has said it, and the connection goes on."""
    client = site.connect(site.serve(answering([b"hello", b"you"], ("Content-Length", "8"))))
    for _ in range(2):
        client.get(method="HEAD")
        assert client.reply(has_body=False).fields["content-length"] == "8"
    client.get()
    assert client.reply().body == b"helloyou"
    client = site.connect(site.serve(answering([])))
    client.get(method="HEAD")
    assert "content-length" not in client.reply(has_body=False).fields
    client.get()
    assert client.reply().fields["content-length"] == "0"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_without_a_body(site: Site, status: str) -> None:
    """Some answers have no body, whatever the application says, and the next answer follows at once."""
    app = answering([b"what", b"ever"], ("Content-Length", "8"), ("ETag", "x"), status=status)
    client = site.connect(site.serve(app))
    for _ in range(2):
        client.get()
        reply = client.reply()
        assert (reply.status, reply.fields["etag"]) == (int(status[:3]), "x")
        assert ("content-length" in reply.fields) is (reply.status == 304)


def test_chunks(site: Site) -> None:
    """A body of unknown length leaves in chunks, each as soon as it is there; to HTTP/1.0 it lasts until the end."""
    next_piece = site.runtime.event()

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        assert next_piece.wait(PATIENCE)
        yield b""
        yield b"second"

    server = site.serve(app)
    client = site.connect(server)
    client.get()
    assert client.head()[1]["transfer-encoding"] == "chunked"
    assert client.chunk() == b"first"
    next_piece.set()
    assert [client.chunk(), client.chunk()] == [b"second", b""]
    client.get()
    assert client.reply().body == b"firstsecond"
    old = site.connect(server)
    old.get("/", "Connection: keep-alive", version="1.0")
    reply = old.reply()
    assert (reply.body, reply.fields["connection"]) == (b"firstsecond", "close")
    assert "transfer-encoding" not in reply.fields


def test_write(site: Site) -> None:
    """What `start_response` returns writes before the rest."""

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"one ")
        write(b"two ")
        return [b"three"]

    client = site.connect(site.serve(app))
    for _ in range(2):
        client.get()
        assert client.reply().body == b"one two three"


def test_fields_of_the_server(site: Site) -> None:
    """How the connection is used is the server's to say, but for its end."""
    fields = [("Connection", "close"), ("Keep-Alive", "x"), ("Transfer-Encoding", "x"), ("Date", "x"), ("X", "y")]
    client = site.connect(site.serve(answering([b"x"], *fields)))
    client.get()
    reply = client.reply()
    assert {**reply.fields, "date": ""} == {"connection": "close", "content-length": "1", "date": "", "x": "y"}
    assert client.is_ended()


def test_changed_mind(site: Site) -> None:
    """An application that fails before its first piece may answer otherwise."""

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [("X", "1")])
        try:
            raise ValueError("x")
        except ValueError as exc:
            start_response("404 Not Found", [], (type(exc), exc, exc.__traceback__))
        return [b"gone"]

    client = site.connect(site.serve(app))
    client.get()
    reply = client.reply()
    assert (reply.status, reply.body, "x" in reply.fields) == (404, b"gone", False)


# ---------------------------------------------------------------------- applications that fail


def raising(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Fails before anything."""
    raise KeyError("secret")


def raising_late(environ: Environ, start_response: Start) -> Iterator[bytes]:
    """Fails before its first piece."""
    start_response("200 OK", [])
    if environ:
        raise KeyError("secret")
    yield b""


def silent(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Says no status."""
    return [b"x"]


def twice(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Says two."""
    start_response("200 OK", [])
    start_response("201 Created", [])
    return [b"x"]


class Killed(BaseException):
    """What ends a worker: as sys.exit, gevent's time-outs and kill()."""


def killed(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Ends its worker."""
    raise Killed


FAILING = {
    "error": raising,
    "late error": raising_late,
    "no status": silent,
    "two statuses": twice,
    "nothing": lambda environ, start_response: None,
    "text": answering(["x"]),  # type: ignore[list-item]
    "name with a line": answering([b"x"], ("X\r\nY", "1")),
    "value with a line": answering([b"x"], ("X", "1\r\nSet-Cookie: a=b")),
    "value with LF": answering([b"x"], ("X", "1\nSet-Cookie: a=b")),
    "value with CR": answering([b"x"], ("X", "1\rSet-Cookie: a=b")),
    "value with NUL": answering([b"x"], ("X", "1\0")),
    "status with a line": answering([b"x"], status="200 OK\r\nX: y"),
    "name with a colon": answering([b"x"], ("X: y", "1")),
    "name with a space": answering([b"x"], ("X ", "1")),
    "no name": answering([b"x"], ("", "1")),
    "not Latin-1": answering([b"x"], ("X", "\u20ac")),
    "number": answering([b"x"], ("X", 1)),  # type: ignore[arg-type]
    "no status line": answering([b"x"], status="fine"),
    "status alone": answering([b"x"], status="200"),
    "interim": answering([b"x"], status="100 Continue"),
    "length": answering([b"x"], ("Content-Length", "one")),
    "negative length": answering([b"x"], ("Content-Length", "-1")),
    "two lengths": answering([b"x"], ("Content-Length", "1"), ("content-length", "1")),
}


@pytest.mark.parametrize("name", FAILING)
def test_failure_before_the_answer(site: Site, log: pytest.LogCaptureFixture, name: str) -> None:
    """An application that fails, or says what nobody may, is answered for with a 500, and one line with a traceback."""
    server = site.serve(FAILING[name])
    client = site.connect(server)
    client.get("/path")
    reply = client.reply()
    assert (reply.status, reply.fields["connection"]) == (500, "close")
    assert b"secret" not in reply.body and "x" not in reply.fields and "set-cookie" not in reply.fields
    assert client.is_ended()
    (record,) = log.records
    assert (record.name, record.levelname, record.exc_info is not None) == ("syncio.http", "ERROR", True)
    assert record.getMessage() == "the application failed at GET /path"


def after_a_piece(environ: Environ, start_response: Start) -> Iterator[bytes]:
    """Fails behind its first piece."""
    start_response("200 OK", [])
    yield b"x"
    raise KeyError("secret")


def second_status(environ: Environ, start_response: Start) -> Iterator[bytes]:
    """Changes its mind too late."""
    start_response("200 OK", [])
    yield b"x"
    try:
        raise KeyError("secret")
    except KeyError as exc:
        start_response("500 No", [], (type(exc), exc, exc.__traceback__))


class Unclosable(list[bytes]):
    """A body whose end fails."""

    def close(self) -> None:
        """Fail."""
        raise KeyError("secret")


BROKEN = {
    "error": (after_a_piece, b"1\r\nx\r\n"),
    "too late": (second_status, b"1\r\nx\r\n"),
    "text": (answering([b"x", "y"]), b"1\r\nx\r\n"),  # type: ignore[list-item]
    "too much": (answering([b"1234", b"567"], ("Content-Length", "5")), b"12345"),
    "too much at once": (answering([b"123456"], ("Content-Length", "5")), b"12345"),
    "too little": (answering([b"1234"], ("Content-Length", "5")), b"1234"),
    "close": (answering(Unclosable([b"x"])), b"x"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_failure_in_the_answer(site: Site, log: pytest.LogCaptureFixture, name: str) -> None:
    """An application that fails behind its first piece ends the connection, so that the client sees it; one line."""
    app, said = BROKEN[name]
    client = site.connect(site.serve(app))
    client.get()
    assert client.head()[0] == 200
    assert client.rest() == said
    assert [record.getMessage() for record in log.records] == ["the application failed at GET /"]


def test_failure_at_head(site: Site) -> None:
    """A failure at HEAD is answered without a body."""
    client = site.connect(site.serve(raising))
    client.get(method="HEAD")
    assert client.reply(has_body=False).status == 500
    assert client.rest() == b""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_killed(site: Site) -> None:
    """An application that ends its worker ends its connection with it, and no other; the server goes on."""
    server = site.serve(lambda environ, start: (killed if environ["PATH_INFO"] == "/kill" else echo)(environ, start))
    other, client = site.connect(server), site.connect(server)
    other.get()
    assert other.reply().status == 200
    client.get("/kill")
    assert client.is_ended()
    other.get()
    assert other.reply().status == 200
    assert site.wait(lambda: "connections=1" in repr(server))


def test_result_is_closed(site: Site) -> None:
    """What the application has returned is closed when it was sent, and when the client has left."""
    closed: list[str] = []
    blocked = site.runtime.event()

    class Body:
        def __init__(self, path: str) -> None:
            self.path = path

        def __iter__(self) -> Iterator[bytes]:
            if self.path == "/endless":
                blocked.set()
            while self.path == "/endless":
                yield MEGABYTE
            yield b"x"

        def close(self) -> None:
            closed.append(self.path)

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Body(environ["PATH_INFO"])

    server = site.serve(app)
    client = site.connect(server)
    client.get("/short")
    assert client.reply().body == b"x"
    assert site.wait(lambda: closed == ["/short"])
    client.get("/endless")
    assert blocked.wait(PATIENCE)
    client.close()
    assert site.wait(lambda: closed == ["/short", "/endless"])


# ---------------------------------------------------------------------- the environment


def test_environ_is_valid(site: Site) -> None:
    """The environment is what PEP 3333 says, and the application's answer is used as it says."""

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(100)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    client = site.connect(site.serve(validator(app)))
    client.send(b"POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Type: x/y\r\nContent-Length: 5\r\n\r\nhello")
    assert client.reply()[::2] == (200, b"hello")
    client.send(b"POST http://h HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert client.reply()[::2] == (200, b"hello")


def environ_of(site: Site, data: bytes) -> Environ:
    """What an application is told of a request."""
    seen: list[Environ] = []

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        seen.append(environ)
        return echo(environ, start_response)

    client = site.connect(site.serve(app))
    client.send(data)
    assert client.reply().status == 200
    return {**seen[0], "client": client.sock.getsockname(), "server": client.sock.getpeername()}


def test_environ(site: Site) -> None:
    """The environment says who asks whom for what."""
    found = environ_of(
        site,
        b"POST /caf%C3%A9/a%2Fb?c=%20d&e?f HTTP/1.1\r\nHost: h:1\r\nX-One: 1\r\nContent-Type: x/y\r\n"
        b"Content-Length: 1\r\nX_One: 2\r\n\r\nx",
    )
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/caf\xc3\xa9/a/b",
        "QUERY_STRING": "c=%20d&e?f",
        "REQUEST_URI": "/caf%C3%A9/a%2Fb?c=%20d&e?f",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(found["server"][1]),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(found["client"][1]),
        "CONTENT_TYPE": "x/y",
        "CONTENT_LENGTH": "1",
        "HTTP_HOST": "h:1",
        "HTTP_X_ONE": "1",
        "wsgi.url_scheme": "http",
    }
    assert {key: found[key] for key in expected} == expected
    assert "HTTP_CONTENT_TYPE" not in found and "HTTP_CONTENT_LENGTH" not in found


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://other/a?b", "/a", "b"),
        (b"http://other", "/", ""),
        (b"http://other?b/c", "/", "b/c"),
        (b"//other/a", "//other/a", ""),
        (b"/http://other/a", "/http://other/a", ""),
        (b"/%", "/%", ""),
        (b"/?", "/", ""),
    ],
)
def test_forms_of_targets(site: Site, target: bytes, path: str, query: str) -> None:
    """The path and the query are the same in whatever form the target is written."""
    found = environ_of(site, b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % target)
    assert (found["PATH_INFO"], found["QUERY_STRING"]) == (path, query)


@pytest.mark.parametrize("body", [b"", b"hi"])
def test_chunks_are_a_length(site: Site, body: bytes) -> None:
    """A body that came in chunks has a length for the application, and no transfer coding any more."""
    chunks = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
    head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    found = environ_of(site, head + chunks + b"0\r\n\r\n")
    assert found["CONTENT_LENGTH"] == str(len(body)) and "HTTP_TRANSFER_ENCODING" not in found
    assert "CONTENT_LENGTH" not in environ_of(site, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")


# ---------------------------------------------------------------------- clients that are slow, or leave


def test_blocking_harms_nobody(site: Site) -> None:
    """A handler that blocks keeps its own connection waiting, and no other."""
    app = Blocking(site)
    server = site.serve(app)
    slow, quick = site.connect(server), site.connect(server)
    slow.get("/block")
    assert app.entered.wait(PATIENCE)
    for _ in range(3):
        quick.get()
        assert quick.reply().body == b"GET / "
    app.release.set()
    assert slow.reply().body == b"GET /block "


@pytest.mark.parametrize("leave", [Client.close, Client.reset])
def test_client_leaves(site: Site, log: pytest.LogCaptureFixture, leave: Callable[[Client], None]) -> None:
    """A client may leave before, in and behind its request: it is forgotten, and leaves no line in a log."""
    app = Blocking(site)
    server = site.serve(app)
    before, inside, behind = (site.connect(server) for _ in range(3))
    inside.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhello")
    behind.get("/block")
    assert app.entered.wait(PATIENCE)
    assert site.wait(lambda: "connections=3" in repr(server))
    for client in (before, inside, behind):
        leave(client)
    assert site.wait(lambda: "connections=0" in repr(server))
    app.release.set()
    last = site.connect(server)
    last.get()
    assert last.reply().status == 200
    assert (app.count, log.records) == (2, [])


def test_slow_request(site: Site) -> None:
    """A request that does not come within its time is answered with 408, however it trickles."""
    server = site.serve(echo, request_timeout=SOON, keep_alive=100.0)
    idle, head, body = (site.connect(server) for _ in range(3))
    began = site.runtime.now()
    head.send(b"GET / HTTP/1.1\r\n")
    body.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhello")
    trickles = site.runtime.event()
    while not trickles.wait(SOON / 10) and site.runtime.now() < began + SOON * 0.8:
        head.send(b"X: y\r\n")
    for client in (head, body):
        assert client.reply().status == 408
        assert client.is_ended()
    assert SOON <= site.runtime.now() - began < PATIENCE / 2
    idle.get()
    assert idle.reply().status == 200


def test_idle(site: Site) -> None:
    """An idle connection is ended without a word when its time is over, which a request starts anew."""
    server = site.serve(echo, keep_alive=SOON)
    began = site.runtime.now()
    never, once, lines = (site.connect(server) for _ in range(3))
    once.get()
    assert once.reply().status == 200
    lines.send(b"\r\n")
    for client in (never, once, lines):
        assert client.is_ended()
    assert SOON <= site.runtime.now() - began < PATIENCE / 2


def test_time_to_answer(site: Site) -> None:
    """An application may take longer than a client may."""
    app = Blocking(site)
    client = site.connect(site.serve(app, request_timeout=SOON / 4, keep_alive=SOON / 4))
    client.get("/block")
    assert app.entered.wait(PATIENCE)
    assert not site.runtime.event().wait(SOON)
    app.release.set()
    assert client.reply().status == 200


def test_client_that_does_not_read(site: Site, log: pytest.LogCaptureFixture) -> None:
    """A client that does not read makes the application wait, not the memory grow, and is ended after its time."""
    said: list[int] = []
    ended = site.runtime.event()

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                said.append(1)
                yield MEGABYTE
        finally:
            ended.set()

    server = site.serve(app, request_timeout=SOON)
    client = site.connect(server, small=True)
    client.get()
    assert ended.wait(PATIENCE)
    assert len(said) * len(MEGABYTE) < 16 * SEND_LIMIT
    assert site.wait(lambda: "connections=0" in repr(server))
    assert log.records == []


def test_big_answer_that_nobody_reads(site: Site) -> None:
    """An answer in one piece costs no worker; who does not read it is ended after its time, though it has come."""
    server = site.serve(text(MEGABYTE * 16), request_timeout=SOON, keep_alive=100.0)
    client = site.connect(server, small=True)
    client.get()
    assert client.head()[0] == 200
    assert site.wait(lambda: "connections=0" in repr(server))


def test_big_answer_that_is_read(site: Site) -> None:
    """Who reads slowly is given all of it, for longer than either time-out."""
    size = 12 * len(MEGABYTE)
    server = site.serve(text(MEGABYTE * 12), request_timeout=SOON, keep_alive=SOON / 3)
    client = site.connect(server, small=True)
    client.get()
    assert client.head()[1]["content-length"] == str(size)
    pause = site.runtime.event()
    for _ in range(12):
        assert len(client._file.read(len(MEGABYTE))) == len(MEGABYTE)
        pause.wait(SOON / 4)
    assert client.is_ended()


def test_slow_reader_of_pieces(site: Site) -> None:
    """An application waits for a client that reads slowly as long as that reads on."""
    server = site.serve(answering([MEGABYTE * 8, MEGABYTE]), request_timeout=SOON)
    client = site.connect(server, small=True)
    client.get("/", "Connection: close")
    assert client.head()[0] == 200
    pause, left = site.runtime.event(), 9 * len(MEGABYTE)
    while left > 2 * len(MEGABYTE):
        left -= len(client._file.read(len(MEGABYTE)))
        pause.wait(SOON / 3)
    assert len(client.rest()) > left


def test_bytes_ahead_are_bounded(site: Site) -> None:
    """Who sends on and on while a request is answered is not read any more, and all of it is answered then."""
    app = Blocking(site)
    server = site.serve(app)
    client = site.connect(server)
    client.get("/block")
    assert app.entered.wait(PATIENCE)
    (connection,) = server._connections
    line = b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % (b"x" * 900)
    client.sock.settimeout(MOMENT)
    sent = b""
    with pytest.raises(TimeoutError):
        while len(sent) < 64 * len(MEGABYTE):
            client.sock.sendall(line)
            sent += line
    assert connection._reader.buffered < MAX_AHEAD + 65536 + len(line)
    client.sock.settimeout(PATIENCE)
    app.release.set()
    assert client.reply().body == b"GET /block "
    for _ in range(sent.count(b"GET")):
        assert client.reply().status == 200
    assert not connection._stream.is_paused


def test_big_body_behind_a_blocking_request(site: Site) -> None:
    """A body that is read ahead as far as may be is read on when its turn has come."""
    app = Blocking(site)
    client = site.connect(site.serve(app))
    client.get("/block")
    assert app.entered.wait(PATIENCE)
    client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (2 * MAX_AHEAD + 5))
    client.send(bytes(2 * MAX_AHEAD))
    app.release.set()
    client.send(b"hello")
    assert client.reply().body == b"GET /block "
    assert client.reply().body.endswith(b"\0hello")


def test_table() -> None:
    """What is closed stays so, and from every other state it can be."""
    assert SERVING.is_final(CLOSED)
    assert all(SERVING.allows(state, CLOSED) for state in Serving if state is not CLOSED)
