"""Requests to one server: what is sent, what is made of the answers, kept connections, further attempts, the end."""

from __future__ import annotations

import itertools
import json
import ssl
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from syncio.errors import ConfigurationError, LocalError, RemoteProtocolError, StreamError
from syncio.interaction import (
    HttpEngine,
    HTTPError,
    RequestException,
    SlaveTaskRefused,
    get_http_engine_class,
    get_slave_exception_by_error,
    split_http_address,
    translate_dict_func,
)
from syncio.interaction.http_engine import KEPT, Dialling, HttpResponse
from syncio.runtime import choose_runtime
from syncio.streams.adopt import _dead_descriptor
from syncio.web.http_server import HTTPServer

from ..runtime.kinds import MOMENT, PATIENCE, eventually
from ..streams.conftest import watched_descriptors
from ..streams.duplex import Doing, client_settings, server_settings
from ..web.scripted import LONG, OK, Act, Site, request_on, saying

REFUSED = {"success": False, "code": 602, "message": "full", "data": {"why": 1}}
Leave: Act = request_on
"""What a peer does that leaves without an answer."""


class Noting:
    """An application that notes what it is asked, and answers what it is told to.

    :param status: the first line of the answer.
    :param said: its body, as JSON.
    """

    def __init__(self, status: str = "200 OK", said: Any = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.gate = choose_runtime().event()
        """Opened, unless a test closes it: answers wait for it."""
        self.gate.set()
        self._status, self._said = status, said

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.asked.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        assert self.gate.wait(PATIENCE)
        start_response(self._status, [("Content-Type", "application/json"), ("X-Mine", "1")])
        return [json.dumps(self._said).encode()]


class Engines(Site):
    """Servers, peers and engines of one test, which end with it."""

    def engine(self, port: int, kind: type[HttpEngine] = HttpEngine, **options: Any) -> HttpEngine:
        """An engine that calls a port.

        :param options: those of `Dialling`, and of the engine.
        """
        dialling = Dialling(**{name: options.pop(name) for name in Dialling._fields if name in options})
        engine = kind(options.pop("host", "127.0.0.1"), port, dialling=dialling, **options)
        self._opened.append(engine)
        return engine

    def served(self, app: Noting, kind: type[HttpEngine] = HttpEngine, **options: Any) -> HttpEngine:
        """An engine that calls an application."""
        return self.engine(self.serve(app).address[1], kind, **options)


@pytest.fixture
def site() -> Iterator[Engines]:
    """Servers and engines, on the runtime of this process."""
    _dead_descriptor()
    runtime = choose_runtime()
    runtime.relay()
    for _ in watched_descriptors(runtime):
        site = Engines(runtime)
        try:
            yield site
        finally:
            site.close()


def get(engine: HttpEngine, path: str = "/", **options: Any) -> HttpResponse:
    """Ask for something, once."""
    return engine.request("GET", path, **{"retries": 0, **options})


def count_of(server: HTTPServer) -> int:
    """How many connections a server has, as it says itself."""
    return int(repr(server).rpartition("=")[2].rstrip(">"))


# ---------------------------------------------------------------------- what is asked


def test_what_is_sent(site: Engines) -> None:
    """A request has its method and path, its data as JSON, what that is, and the headers of the caller."""
    app = Noting()
    engine = site.served(app)
    engine.request("PUT", "/a/b", {"x": [1, "\xe9"]}, {"Token": "t", "Channel": "0"})
    (environ,) = app.asked
    assert (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("PUT", "/a/b", "")
    assert (environ["HTTP_TOKEN"], environ["HTTP_CHANNEL"], environ["CONTENT_TYPE"]) == ("t", "0", "application/json")
    assert json.loads(app.bodies[0]) == {"x": [1, "\xe9"]}


@pytest.mark.parametrize("data", [None, {}])
def test_no_data_are_an_empty_object(site: Engines, data: Any) -> None:
    """A body is an object also if there is nothing to say, as the original wants it."""
    app = Noting()
    get(site.served(app), data=data)
    assert app.bodies == [b"{}"]


@pytest.mark.parametrize(
    ("prefix", "path", "target"),
    [
        (None, "", "/"),
        (None, "/", "/"),
        (None, None, "/"),
        (None, "a", "/a"),
        (None, "/a//b/", "/a/b"),
        ("", "/a", "/a"),
        ("/", "/a", "/a"),
        ("x", "a", "/x/a"),
        ("/x//y/", "/a/b", "/x/y/a/b"),
        ("/x", "", "/x"),
        (None, "/a b", "/a%20b"),
        (None, "/a%20b", "/a%20b"),
        (None, "/a?b#c", "/a%3Fb%23c"),
        (None, "/\xe9", "/%C3%A9"),
        (None, "/a\r\nX: b", "/a%0D%0AX:%20b"),
    ],
)
def test_paths(prefix: str | None, path: str | None, target: str) -> None:
    """What stands in front of every path, and the path, are put together with one slash each, and quoted."""
    assert HttpEngine("h", 80, path=prefix).get_url(path) == "http://h:80" + target


@pytest.mark.parametrize(
    ("host", "https", "url"),
    [("10.0.0.1", False, "http://10.0.0.1:5"), ("::1", False, "http://[::1]:5"), ("h", True, "https://h:5")],
)
def test_where_it_calls(host: str, https: bool, url: str) -> None:
    """An engine says where its server is, an IPv6 address in brackets."""
    engine = HttpEngine(host, 5, https)
    assert (engine.base_url, engine.get_url("a")) == (url, url + "/a")
    assert (engine.host, engine.port) == (host, 5)


def test_paths_and_queries_as_they_are_sent(site: Engines) -> None:
    """The path with what stands in front of it, and the parameters, arrive as they were meant."""
    app = Noting()
    engine = site.served(app, path="x")
    response = get(engine, "/a b", params={"q": "1&2", "r": "\xe9 ="})
    assert app.asked[0]["PATH_INFO"] == "/x/a b"
    assert app.asked[0]["QUERY_STRING"] == "q=1%262&r=%C3%A9+%3D"
    assert response.request.url == engine.base_url + "/x/a%20b?q=1%262&r=%C3%A9+%3D"


def test_what_cannot_be_sent(site: Engines) -> None:
    """Data that are no JSON, and headers of more than one line, are the caller's mistake: nobody is asked, and once."""
    app = Noting()
    engine = site.served(app)
    with pytest.raises(TypeError):
        engine.request("GET", "/", {"x": object()}, retry_waiting=LONG)
    with pytest.raises(LocalError):
        engine.request("GET", "/", headers={"X": "1\r\nY: 2"}, retry_waiting=LONG)
    with pytest.raises(ConfigurationError):
        engine.request("GET", "/", retries=-1)
    assert not app.asked and get(engine).status_code == 200


# ---------------------------------------------------------------------- what is answered


def test_answer(site: Engines) -> None:
    """An answer has its status, its headers, its content as bytes and as a value, and what was asked."""
    response = get(site.served(Noting("201 x", {"a": [1]})), "/p", headers={"T": "1"})
    assert (response.status_code, response.content, response.json()) == (201, b'{"a": [1]}', {"a": [1]})
    assert response.headers["x-mine"] == "1"
    assert (response.request.method, response.request.body, response.request.headers["T"]) == ("GET", b"{}", "1")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_content_that_is_no_value(site: Engines, content: bytes) -> None:
    """Content that is no JSON is a ValueError when it is asked for as such, and bytes otherwise."""
    answer = b"HTTP/1.1 200 x\r\nContent-Length: %d\r\n\r\n" % len(content) + content
    response = get(site.engine(site.peer(saying(answer))))
    assert response.content == content
    with pytest.raises(ValueError):
        response.json()


@pytest.mark.parametrize("status", ["400 x", "403 x", "404 x", "500 x", "503 x", "599 x"])
def test_answers_that_are_errors(site: Engines, status: str) -> None:
    """An answer of 400 or more is an error, which has the answer, unless one says otherwise; it is not asked again."""
    app = Noting(status, REFUSED)
    engine = site.served(app)
    with pytest.raises(HTTPError, match="full") as caught:
        engine.request("POST", "/", retries=5, retry_waiting=LONG)
    assert caught.value.response.status_code == int(status[:3]) and caught.value.response.json() == REFUSED
    assert engine.request("POST", "/", raise_for_status=False).status_code == int(status[:3])
    assert len(app.asked) == 2


@pytest.mark.parametrize("status", ["200 x", "204 x", "302 x", "399 x"])
def test_answers_that_are_none(site: Engines, status: str) -> None:
    """Anything below 400 is an answer; redirects are not followed."""
    app = Noting(status)
    assert get(site.served(app)).status_code == int(status[:3]) and len(app.asked) == 1


# ---------------------------------------------------------------------- no answer


@pytest.mark.parametrize(
    ("act", "cause"),
    [
        (Leave, StreamError),
        (lambda stream: None, StreamError),
        (saying(OK[:-1]), StreamError),
        (saying(b"nonsense\r\n\r\n"), RemoteProtocolError),
        (saying(b"HTTP/1.1 200 x\r\nContent-Length: 5000\r\n\r\n"), RemoteProtocolError),
    ],
    ids=["leaves", "closes at once", "leaves in the middle", "speaks nonsense", "says too much"],
)
def test_what_is_no_answer(site: Engines, act: Act, cause: type[Exception]) -> None:
    """A server that gives no answer, or none that can be had, is one error that names the request, and has a cause."""
    engine = site.engine(site.peer(act), max_body=4000)
    with pytest.raises(RequestException) as caught:
        get(engine, "/p")
    assert isinstance(caught.value.__cause__, cause) and not isinstance(caught.value, HTTPError)
    assert str(caught.value).startswith(f"GET {engine.base_url}/p had no answer: ")


def test_servers_that_cannot_be_reached(site: Engines) -> None:
    """Nobody there, a way that is barred, and a kernel that is silent are the same error."""
    for engine in (
        site.engine(site.free_port()),
        site.engine(1, host="255.255.255.255"),
        site.engine(80, host="x" * 300),
        site.engine(site.full_port(), connect_timeout=MOMENT),
    ):
        for ask in (lambda engine=engine: get(engine), engine.local_host):
            with pytest.raises(RequestException) as caught:
                ask()
            assert isinstance(caught.value.__cause__, (OSError, ConfigurationError))


def test_answer_that_takes_too_long(site: Engines) -> None:
    """A server that says nothing for the time that was given is given up, by each attempt."""
    engine = site.engine(site.peer(site.hold), request_timeout=MOMENT)
    with pytest.raises(RequestException, match="did not end within"):
        engine.request("GET", "/", retries=1, retry_waiting=0)


@pytest.mark.parametrize("right", [True, False])
def test_tls(site: Engines, right: bool) -> None:
    """By https a server is asked whose certificate is right, and no other; nobody is meant by the system's."""
    port = site.serve(Noting(said=1), tls=server_settings()).address[1]
    engine = site.engine(port, https=True, tls=client_settings() if right else None)
    if right:
        assert [get(engine).json() for _ in range(3)] == [1] * 3
        assert engine.local_host() == "127.0.0.1"
        return
    for ask in (lambda: get(engine), engine.local_host):
        with pytest.raises(RequestException, match=r"self.signed"):
            ask()


def test_name_of_another(site: Engines) -> None:
    """A server with the certificate of another host is not asked."""
    context = client_settings()
    assert context.verify_mode is ssl.CERT_REQUIRED
    app = Noting()
    port = site.serve(app, host="127.0.0.2", tls=server_settings()).address[1]
    with pytest.raises(RequestException, match="mismatch"):
        get(site.engine(port, host="127.0.0.2", https=True, tls=context))
    assert not app.asked


def test_own_address(site: Engines) -> None:
    """An engine says from where it calls, and keeps no connection for that."""
    server = site.serve(Noting())
    assert site.engine(server.address[1]).local_host() == "127.0.0.1"
    assert eventually(site.runtime, lambda: count_of(server) == 0)


# ---------------------------------------------------------------------- kept connections


def test_a_connection_is_kept(site: Engines) -> None:
    """Requests that follow each other share one connection, also behind an answer that is an error."""
    server = site.serve(Noting("404 x"))
    engine = site.engine(server.address[1])
    for _ in range(5):
        assert get(engine, raise_for_status=False).status_code == 404
    assert count_of(server) == 1


def test_requests_at_once_have_a_connection_each(site: Engines) -> None:
    """Nobody waits for the answer to another's request; a few of the connections are kept."""
    app = Noting()
    app.gate.clear()
    server = site.serve(app)
    engine = site.engine(server.address[1])
    asking = [Doing(site.runtime, get, engine) for _ in range(KEPT + 3)]
    assert eventually(site.runtime, lambda: len(app.asked) == KEPT + 3)
    app.gate.set()
    assert all(task.outcome().status_code == 200 for task in asking)
    assert eventually(site.runtime, lambda: count_of(server) == KEPT)


def test_nothing_is_kept_if_nobody_wants_that(site: Engines) -> None:
    """`keep` closes what is kept, and has what is in use closed behind its answer, until it is asked for again."""
    app = Noting()
    server = site.serve(app)
    engine = site.engine(server.address[1])
    get(engine)
    app.gate.clear()
    asking = Doing(site.runtime, get, engine)
    assert eventually(site.runtime, lambda: len(app.asked) == 2) and count_of(server) == 1
    engine.keep(False)
    app.gate.set()
    assert asking.outcome().status_code == 200
    assert eventually(site.runtime, lambda: count_of(server) == 0)
    get(engine)
    assert eventually(site.runtime, lambda: count_of(server) == 0)
    engine.keep(True)
    get(engine)
    assert count_of(server) == 1
    engine.keep(False)
    assert eventually(site.runtime, lambda: count_of(server) == 0)


@pytest.mark.parametrize("stale", [lambda stream: None, Leave], ids=["before the request", "behind it"])
def test_a_kept_connection_may_be_stale(site: Engines, stale: Act) -> None:
    """A kept connection that the server has closed is no failure: the request has a new one, without an attempt."""
    engine = site.engine(site.peer(saying(OK, then=stale), saying(OK)))
    for _ in range(2):
        assert get(engine).content == b"hello"


def test_a_new_connection_is_made_once(site: Engines) -> None:
    """If the new connection breaks, too, that is the failure of the attempt."""
    connections: list[None] = []

    def act(stream: Any) -> None:
        connections.append(None)
        (saying(OK) if len(connections) == 1 else Leave)(stream)

    engine = site.engine(site.peer(*[act] * 5))
    assert get(engine).content == b"hello"
    with pytest.raises(RequestException):
        get(engine)
    assert len(connections) == 2


def test_a_connection_that_ends_is_not_kept(site: Engines) -> None:
    """A server that closes behind each answer is asked over a new connection each time."""
    closing = saying(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", then=site.hold)
    engine = site.engine(site.peer(saying(b"HTTP/1.1 200 OK\r\n\r\nall"), saying(OK + b"more"), closing))
    assert [get(engine).content for _ in range(3)] == [b"all", b"hello", b"x"]


# ---------------------------------------------------------------------- further attempts


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_further_attempts(site: Engines, failures: int) -> None:
    """A request that had no answer is asked again, the same, until it has one."""
    seen: list[bytes] = []

    def act(stream: Any) -> None:
        seen.append(request_on(stream))
        if len(seen) > failures:
            stream.write(OK)

    engine = site.engine(site.peer(*[act] * (failures + 1)))
    assert engine.request("DELETE", "/p", headers={"Token": "t"}, retries=3, retry_waiting=0).content == b"hello"
    assert len(seen) == failures + 1 and len(set(seen)) == 1


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_attempts_come_to_an_end(site: Engines, retries: int) -> None:
    """There are as many further attempts as were allowed, and the last failure is the request's."""
    seen: list[bytes] = []
    engine = site.engine(site.peer(*[lambda stream: seen.append(request_on(stream))] * 5))
    with pytest.raises(RequestException):
        engine.request("GET", "/", retries=retries, retry_waiting=0)
    assert len(seen) == retries + 1


def test_attempts_wait_longer_and_longer(site: Engines) -> None:
    """The first wait is about what was asked for, the next ones are twice as long, up to four times."""
    times: list[float] = []

    def act(stream: Any) -> None:
        request_on(stream)
        times.append(site.runtime.now())

    engine = site.engine(site.peer(*[act] * 5))
    with pytest.raises(RequestException):
        engine.request("GET", "/", retries=4, retry_waiting=0.04)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    # By chance each is up to a half shorter.
    assert all(gap >= least * 0.9 for gap, least in zip(gaps, (0.02, 0.04, 0.08, 0.08), strict=True)), gaps


def test_default_of_attempts(site: Engines) -> None:
    """None means five further attempts."""
    seen: list[bytes] = []
    engine = site.engine(site.peer(*[lambda stream: seen.append(request_on(stream))] * 10))
    with pytest.raises(RequestException):
        engine.request("GET", "/", retry_waiting=0)
    assert len(seen) == 6


# ---------------------------------------------------------------------- the end


def closed(engine: HttpEngine, asking: Doing) -> None:
    """See that a request ends at once when its engine is closed, and that nothing is asked any more."""
    assert asking.is_waiting()
    engine.close()
    with pytest.raises(RequestException):
        asking.outcome()
    for ask in (lambda: engine.request("GET", "/", retry_waiting=LONG), engine.local_host):
        with pytest.raises(RequestException, match="the engine was closed"):
            ask()
    engine.close()


@pytest.mark.parametrize("kept", [False, True])
def test_close_while_an_answer_is_waited_for(site: Engines, kept: bool) -> None:
    """A request that waits for its answer fails, over a new connection or a kept one, and is not asked again."""
    acts = (saying(OK, then=site.hold), site.hold) if kept else (site.hold,)
    engine = site.engine(site.peer(*acts))
    if kept:
        get(engine)
    closed(engine, Doing(site.runtime, engine.request, "GET", "/"))


def test_close_between_attempts(site: Engines) -> None:
    """A request that waits for its next attempt fails."""
    engine = site.engine(site.free_port())
    closed(engine, Doing(site.runtime, lambda: engine.request("GET", "/", retry_waiting=LONG)))


@pytest.mark.parametrize("https", [False, True])
def test_close_while_connecting(site: Engines, https: bool) -> None:
    """A request that waits for its connection, or for the server's greeting, fails."""
    port = site.peer(site.hold) if https else site.full_port()
    engine = site.engine(port, https=https, connect_timeout=LONG, tls=client_settings())
    closed(engine, Doing(site.runtime, get, engine))


@pytest.mark.parametrize("https", [False, True])
def test_close_while_the_own_address_is_asked_for(site: Engines, https: bool) -> None:
    """So does who waits for this host's address."""
    port = site.peer(site.hold) if https else site.full_port()
    engine = site.engine(port, https=https, connect_timeout=LONG, tls=client_settings())
    closed(engine, Doing(site.runtime, engine.local_host))


def test_close_ends_what_is_kept(site: Engines) -> None:
    """Connections that wait for a request are closed, and those in use behind their answers."""
    server = site.serve(Noting())
    engine = site.engine(server.address[1])
    get(engine)
    assert count_of(server) == 1
    engine.close()
    assert eventually(site.runtime, lambda: count_of(server) == 0)


# ---------------------------------------------------------------------- made to order


def test_factory_without_anything(site: Engines) -> None:
    """A class that was ordered with nothing is as the plain one."""
    app = Noting("403 x", REFUSED)
    with pytest.raises(HTTPError):
        site.served(app, get_http_engine_class({})()).request("GET", "/", {"a": 1})
    assert app.bodies == [b'{"a": 1}']


def test_headers_of_every_request(site: Engines) -> None:
    """Headers are functions of the factory's arguments, called for every request; the request's own come on top."""
    calls: list[str] = []

    def token(name: str, number: int) -> str:
        calls.append(name)
        return f"{name}{len(calls)}"

    app = Noting()
    kind = get_http_engine_class({"Token": token, "Channel": lambda name, number: str(number)})("t", number=7)
    engine = site.served(app, kind)
    get(engine)
    get(engine, headers={"Channel": "8"})
    assert [(asked["HTTP_TOKEN"], asked["HTTP_CHANNEL"]) for asked in app.asked] == [("t1", "7"), ("t2", "8")]


def test_data_of_every_request(site: Engines) -> None:
    """Data go through the processor, which is given an empty dict where there are none."""
    app = Noting()
    engine = site.served(app, get_http_engine_class({}, data_processor=lambda data: {"more": 1, **data})())
    get(engine, data={"a": 1})
    get(engine)
    assert [json.loads(body) for body in app.bodies] == [{"more": 1, "a": 1}, {"more": 1}]


def test_errors_to_order(site: Engines) -> None:
    """An answer of 400 or more becomes the error that is made of it, with the first one as its cause."""
    kind = get_http_engine_class({}, http_error_gene=get_slave_exception_by_error)()
    with pytest.raises(SlaveTaskRefused) as caught:
        get(site.served(Noting("403 x", REFUSED), kind))
    assert (caught.value.data, caught.value.status_code) == ({"why": 1}, 403)
    assert isinstance(caught.value.__cause__, HTTPError)


@pytest.mark.parametrize("said", [None, [], {"code": 1}, {**REFUSED, "code": 999}, {**REFUSED, "code": float("inf")}])
def test_errors_that_cannot_be_made(site: Engines, said: Any) -> None:
    """An answer that says nothing of that kind stays an `HTTPError`."""
    kind = get_http_engine_class({}, http_error_gene=get_slave_exception_by_error)()
    with pytest.raises(HTTPError) as caught:
        get(site.served(Noting("502 x", said), kind))
    assert caught.value.response.status_code == 502


def test_no_answer_is_no_matter_of_the_order(site: Engines) -> None:
    """Where there is no answer nothing is made of it."""
    kind = get_http_engine_class({}, http_error_gene=get_slave_exception_by_error)()
    with pytest.raises(RequestException):
        get(site.engine(site.free_port(), kind))


def test_functions_in_a_dict() -> None:
    """Many functions become one, which gives each of them its arguments."""
    both = translate_dict_func({"sum": lambda a, b: a + b, "pair": lambda a, b: (a, b)})
    assert both(1, b=2) == {"sum": 3, "pair": (1, 2)}
    assert translate_dict_func({})(1) == {}


@pytest.mark.parametrize(
    ("address", "default", "parts"),
    [
        ("http://10.0.0.1:7236", None, ("10.0.0.1", 7236, False, "")),
        ("https://h:1/x/y?z", None, ("h", 1, True, "/x/y")),
        ("http://h", None, ("h", 80, False, "")),
        ("https://h/", None, ("h", 443, True, "/")),
        ("http://h/", 7236, ("h", 7236, False, "/")),
        ("https://h", 7236, ("h", 7236, True, "")),
        ("http://h", 0, ("h", 0, False, "")),
        ("http://h:0", 7236, ("h", 0, False, "")),
        ("HTTP://H.example:5", None, ("h.example", 5, False, "")),
        ("http://[::1]:5/x", None, ("::1", 5, False, "/x")),
        ("http://user:word@h:5", None, ("h", 5, False, "")),
    ],
)
def test_addresses(address: str, default: int | None, parts: tuple[str, int, bool, str]) -> None:
    """An address has a host, a port, which may be left out, perhaps TLS, and a path."""
    assert split_http_address(address, default) == parts


@pytest.mark.parametrize(
    "address",
    [
        "",
        "h",
        "h:5",
        "10.0.0.1:7236",
        "//h",
        "ftp://h",
        "http:",
        "http://",
        "http://:5",
        "http:///x",
        "http://h:x",
        "http://h:99999",
        "http://h:-1",
        "http://[::1",
        "http://[x]:5",
        None,
        5,
        b"http://h",
        ["http://h"],
    ],
)
def test_addresses_that_are_none(address: Any) -> None:
    """Whatever else it is, is refused in one way."""
    with pytest.raises(ConfigurationError) as caught:
        split_http_address(address)
    assert caught.value.option == "address" and caught.value.value == address
