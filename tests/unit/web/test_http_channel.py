"""A client's connection to servers of ours, and to peers that do as a test says, on threads and greenlets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncio.errors import BrokenStream, ClosedStream, LocalError, RemoteProtocolError, RequestTimeout
from syncio.runtime import Runtime, choose_runtime
from syncio.streams import Duplex, TlsContext, client_context
from syncio.streams.adopt import _dead_descriptor
from syncio.web.http1_message import Limits
from syncio.web.http1_response import HTTPResponse
from syncio.web.http_channel import HTTPChannel

from ..runtime.kinds import MODES_HERE, MOMENT, PATIENCE, fresh_runtime
from ..streams.conftest import watched_descriptors
from ..streams.duplex import Doing, client_settings, server_settings, write_all
from .scripted import LONG, OK, Act, Site, request_on, saying
from .serving import text

WORKERS = 4
MUCH = 12_000_000
"""Bytes that no kernel keeps for a reader who takes his time."""
TOO_LARGE = b"HTTP/1.1 413 x\r\nContent-Length: 4\r\n\r\nless"


@pytest.fixture(params=MODES_HERE)
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """Threads, and greenlets with nothing patched; whatever a test opens must be closed when it ends."""
    _dead_descriptor()
    choose_runtime().relay()  # that of the servers, which is the process's
    for runtime in fresh_runtime(request.param, WORKERS):
        runtime.relay()
        yield from watched_descriptors(runtime)


@pytest.fixture
def site(runtime: Runtime) -> Iterator[Site]:
    """Servers and channels."""
    site = Site(runtime)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    """Whether TLS is spoken."""
    return bool(request.param)


def trusting(tls: bool) -> TlsContext | None:
    """What a client expects of our certificate."""
    return client_settings() if tls else None


def ask(
    channel: HTTPChannel,
    method: str = "GET",
    target: str = "/",
    body: bytes = b"",
    timeout: float = LONG,
    **fields: str,
) -> HTTPResponse:
    """Ask for something."""
    return channel.exchange(method, target, fields, body, timeout)


# ---------------------------------------------------------------------- with servers of ours


def test_requests_over_one_connection(site: Site, tls: bool) -> None:
    """A server is asked again and again over one connection, with bodies and without."""
    server = site.serve(tls=server_settings() if tls else None)
    channel = site.channel(server.address[1], tls=trusting(tls))
    assert not channel.is_open and channel.local_host == ""
    for number in range(5):
        answer = ask(channel, "PUT", f"/a/{number}?b=c", b"%d" % number)
        assert (answer.status, answer.body, answer.keeps_alive) == (200, b"PUT /a/%d %d" % (number, number), True)
        assert ask(channel).body == b"GET / "
    assert channel.is_open and channel.local_host == "127.0.0.1"
    assert repr(server).endswith("connections=1>")


def test_big_bodies_both_ways(site: Site, tls: bool) -> None:
    """Bodies that fill every buffer on the way go through whole, in both directions."""
    server = site.serve(tls=server_settings() if tls else None)
    channel = site.channel(server.address[1], tls=trusting(tls))
    body = bytes(range(256)) * (MUCH // 256)
    for _ in range(2):
        assert ask(channel, "POST", body=body).body == b"POST / " + body


def test_answers_without_a_body(site: Site) -> None:
    """Answers to HEAD, and those of 204, leave the connection to the next request."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("204 x" if environ["PATH_INFO"] == "/204" else "200 OK", [])
        return [] if environ["PATH_INFO"] == "/204" else [b"hello"]

    channel = site.channel(site.serve(app).address[1])
    assert ask(channel, "HEAD")[::2] == (200, b"")
    assert ask(channel, target="/204")[::2] == (204, b"")
    assert ask(channel)[::2] == (200, b"hello")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_host_is_named(site: Site, host: str) -> None:
    """A request names the host as it was given, an IPv6 address in brackets, and the port."""
    seen: list[str] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        seen.append(environ["HTTP_HOST"])
        return text(b"x")(environ, start_response)

    try:
        port = site.serve(app, host="::1" if host == "::1" else "127.0.0.1").address[1]
    except OSError as exc:
        pytest.skip(f"no IPv6 here: {exc}")
    channel = site.channel(port, host)
    assert ask(channel).status == 200
    assert seen == [f"[::1]:{port}" if host == "::1" else f"{host}:{port}"]
    assert channel.local_host == ("::1" if host == "::1" else "127.0.0.1")


def test_request_as_it_is_sent(site: Site) -> None:
    """A request is its line, the host, the given fields, the length of the body, and the body."""
    seen: list[bytes] = []

    def act(stream: Duplex) -> None:
        seen.append(request_on(stream))
        write_all(stream, OK)

    port = site.peer(act)
    assert ask(site.channel(port), "DELETE", "/a?b=c", Channel="0", Token="\xe9").body == b"hello"
    assert seen == [
        b"DELETE /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nChannel: 0\r\nToken: \xe9\r\nContent-Length: 0\r\n\r\n" % port
    ]


def test_server_that_has_gone(site: Site) -> None:
    """A connection that the server has closed is broken for the next request, and made anew after `close`."""
    server = site.serve()
    port = server.address[1]
    channel = site.channel(port)
    ask(channel)
    server.stop()
    with pytest.raises(BrokenStream):
        ask(channel)
    channel.close()
    assert not channel.is_open
    site.serve(text(b"new"), port=port)
    assert ask(channel).body == b"new"


# ---------------------------------------------------------------------- TLS


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_right_names(site: Site, host: str) -> None:
    """A certificate may name the host by its address or by its name."""
    assert ask(site.channel(site.peer(saying(OK), tls=True), host, tls=client_settings())).body == b"hello"


def test_wrong_name(site: Site) -> None:
    """A server whose certificate names another host is told nothing."""
    port = site.peer(saying(OK), tls=True, host="127.0.0.2")
    channel = site.channel(port, "127.0.0.2", tls=client_settings())
    with pytest.raises(BrokenStream, match="mismatch"):
        ask(channel)
    assert not channel.is_open


def test_unknown_authority(site: Site) -> None:
    """A server whose certificate nobody vouches for is told nothing."""
    with pytest.raises(BrokenStream, match=r"self.signed"):
        ask(site.channel(site.peer(saying(OK), tls=True), tls=client_context()))


def test_server_without_tls(site: Site) -> None:
    """A server that speaks something else where TLS is expected breaks the connection."""
    channel = site.channel(site.peer(lambda stream: write_all(stream, OK)), tls=client_settings())
    with pytest.raises(BrokenStream):
        ask(channel)
    assert not channel.is_open


def test_server_with_tls(site: Site) -> None:
    """A server that expects TLS where none is spoken has no answer that could be one."""
    with pytest.raises((BrokenStream, RemoteProtocolError)):
        ask(site.channel(site.peer(saying(OK), tls=True)))


# ---------------------------------------------------------------------- time


def test_connecting_takes_too_long(site: Site) -> None:
    """A connection that the kernel keeps waiting is given up in its own time."""
    channel = site.channel(site.full_port(), connect_timeout=MOMENT)
    with pytest.raises(RequestTimeout, match="connection"):
        ask(channel)
    assert not channel.is_open


def test_handshake_takes_too_long(site: Site) -> None:
    """A server that takes the connection and does not greet is given up in the same time."""
    channel = site.channel(site.peer(site.hold), tls=client_settings(), connect_timeout=MOMENT)
    with pytest.raises(RequestTimeout, match="handshake"):
        ask(channel)
    assert not channel.is_open


@pytest.mark.parametrize("begun", [b"", OK[:3], OK[:-1]], ids=["nothing", "half a head", "half a body"])
def test_answer_takes_too_long(site: Site, tls: bool, begun: bytes) -> None:
    """A server that stops in the middle of its answer, or in front of it, is given up."""
    port = site.peer(saying(begun, then=site.hold), tls=tls)
    with pytest.raises(RequestTimeout) as caught:
        ask(site.channel(port, tls=trusting(tls)), timeout=MOMENT)
    assert (caught.value.operation, caught.value.timeout) == ("reading", MOMENT)


@pytest.mark.parametrize("patience", [0.0, MOMENT, 0.15])
def test_body_that_nobody_reads(site: Site, tls: bool, patience: float) -> None:
    """A server that does not read the body is given up."""
    port = site.peer(site.hold, tls=tls)
    channel = site.channel(port, tls=trusting(tls))
    began = site.runtime.now()
    with pytest.raises(RequestTimeout) as caught:
        ask(channel, "POST", body=b"x" * MUCH, timeout=patience)
    assert (caught.value.operation, caught.value.timeout) == ("writing", patience)
    assert site.runtime.now() - began >= patience * 0.9


# ---------------------------------------------------------------------- abort


def aborted(site: Site, channel: HTTPChannel, body: bytes = b"") -> None:
    """See that who waits in a channel ends when another task says so, and who comes later, too."""
    asking = Doing(site.runtime, ask, channel, "POST", "/", body)
    assert asking.is_waiting()
    channel.abort()
    with pytest.raises(ClosedStream):
        asking.outcome()
    with pytest.raises(ClosedStream):
        ask(channel)


def test_abort_while_connecting(site: Site) -> None:
    """Who waits for a connection is woken."""
    aborted(site, site.channel(site.full_port(), connect_timeout=LONG))


def test_abort_in_the_handshake(site: Site) -> None:
    """Who waits for the server's greeting is woken."""
    aborted(site, site.channel(site.peer(site.hold), tls=client_settings(), connect_timeout=LONG))


def test_abort_while_writing(site: Site, tls: bool) -> None:
    """Who waits for room is woken."""
    aborted(site, site.channel(site.peer(site.hold, tls=tls), tls=trusting(tls)), b"x" * MUCH)


@pytest.mark.parametrize("begun", [b"", OK[:3], OK[:-1]], ids=["nothing", "half a head", "half a body"])
def test_abort_while_reading(site: Site, tls: bool, begun: bytes) -> None:
    """Who waits for an answer, or for the rest of it, is woken."""
    port = site.peer(saying(begun, then=site.hold), tls=tls)
    aborted(site, site.channel(port, tls=trusting(tls)))


def test_abort_before_and_behind(site: Site) -> None:
    """A channel that was given up connects no more, be it before the first request or behind its answer."""
    server = site.serve()
    channel = site.channel(server.address[1])
    channel.abort()
    with pytest.raises(ClosedStream):
        ask(channel)
    assert not channel.is_open
    channel = site.channel(server.address[1])
    assert ask(channel).status == 200
    channel.abort()
    channel.abort()
    with pytest.raises(ClosedStream):
        ask(channel)
    channel.close()
    channel.abort()
    with pytest.raises(ClosedStream):
        ask(channel)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_abort_at_any_moment(site: Site, tls: bool, steps: int) -> None:
    """An abort is never lost between two phases of a request."""
    port = site.peer(*[site.hold] * 100)
    for number in range(50):
        channel = site.channel(port, tls=trusting(tls) if number % 2 else None, connect_timeout=LONG)
        asking = Doing(site.runtime, ask, channel)
        for _ in range(number % 5 * steps):
            site.runtime.sleep(0)
        channel.abort()
        with pytest.raises(ClosedStream):
            asking.outcome()
        channel.close()


# ---------------------------------------------------------------------- servers that end it


def reset(stream: Duplex) -> None:
    """What a peer does that does not read what has come: the kernel answers that with a reset."""
    stream.read(1, PATIENCE)


@pytest.mark.parametrize(
    "act",
    [lambda stream: None, request_on, reset, saying(OK[:10]), saying(OK[:-1]), saying(b"HTTP/1.1 100 x\r\n\r\n")],
    ids=["at once", "behind the request", "by a reset", "in the head", "in the body", "behind an announcement"],
)
def test_server_closes_too_early(site: Site, act: Act) -> None:
    """A connection that ends before the answer does is broken; another one is made after `close`."""
    channel = site.channel(site.peer(act, saying(OK)))
    with pytest.raises(BrokenStream):
        ask(channel)
    channel.close()
    assert ask(channel).body == b"hello"


def test_answer_until_the_end(site: Site, tls: bool) -> None:
    """A body of which nothing is said is what comes until the server closes; the channel cannot be kept."""
    port = site.peer(saying(b"HTTP/1.1 200 OK\r\n\r\n", b"all ", b"of it"), tls=tls)
    assert ask(site.channel(port, tls=trusting(tls)))[2:] == (b"all of it", False)


def test_what_nobody_asked_for(site: Site) -> None:
    """An answer with another one behind it is the last on its connection."""
    channel = site.channel(site.peer(saying(OK + b"HTTP/1.1 200 OK\r\n\r\n"), saying(TOO_LARGE)))
    assert ask(channel)[2:] == (b"hello", False)
    channel.close()
    assert ask(channel).body == b"less"


def test_announcements_are_passed_over(site: Site) -> None:
    """What only announces an answer is none, also if it comes alone."""
    port = site.peer(saying(b"HTTP/1.1 100 x\r\n\r\n", b"HTTP/1.1 103 x\r\nLink: y\r\n\r\n", OK))
    assert ask(site.channel(port))[2:] == (b"hello", True)


@pytest.mark.parametrize(
    "nonsense", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 20 x\r\n\r\n", b"\0" * 20000, b"HTTP/1.1 200 x\n\n"]
)
def test_answers_that_are_none(site: Site, nonsense: bytes) -> None:
    """What is no answer is refused; the next connection knows nothing of it."""
    channel = site.channel(site.peer(saying(nonsense), saying(OK)))
    with pytest.raises(RemoteProtocolError):
        ask(channel)
    channel.close()
    assert ask(channel).body == b"hello"


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 1001\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3E9\r\n", b"\r\n", b"X: " + b"x" * 400],
)
def test_answers_beyond_the_limit(site: Site, head: bytes) -> None:
    """An answer that is longer than it may be is refused when that is known, and not read to its end."""
    port = site.peer(saying(b"HTTP/1.1 200 OK\r\n" + head, b"x" * 1001, then=site.hold))
    channel = site.channel(port, limits=Limits(head=400, body=1000))
    with pytest.raises(RemoteProtocolError):
        ask(channel)


def test_nobody_listens(site: Site) -> None:
    """Where nobody listens the system's error is raised."""
    channel = site.channel(site.free_port())
    with pytest.raises(ConnectionRefusedError):
        ask(channel)
    assert not channel.is_open


# ---------------------------------------------------------------------- what is asked


@pytest.mark.parametrize("bad", ["a\r\nX: b", "a\nb", "a\rb", "\r\n", "a\r\n\r\nGET / HTTP/1.1"])
@pytest.mark.parametrize("place", ["method", "target", "name", "value"])
def test_requests_of_more_lines(site: Site, bad: str, place: str) -> None:
    """A line break in anything that goes into the head is refused before anything is sent."""
    channel = site.channel(site.free_port())
    asked = {"method": "GET", "target": "/", "name": "X", "value": "1", place: bad}
    with pytest.raises(LocalError):
        channel.exchange(asked["method"], asked["target"], {asked["name"]: asked["value"]}, b"", LONG)
    assert not channel.is_open


# ---------------------------------------------------------------------- servers that answer early


def test_server_refuses_a_long_body(site: Site, tls: bool) -> None:
    """A server of ours that refuses a body while it is sent has its answer read."""
    server = site.serve(tls=server_settings() if tls else None, limits=Limits(body=1000))
    for _ in range(5):
        channel = site.channel(server.address[1], tls=trusting(tls))
        answer = ask(channel, "POST", body=b"x" * MUCH)
        assert answer.status == 413 and not answer.keeps_alive
        channel.close()


@pytest.mark.parametrize("closes", [False, True])
def test_peer_answers_and_reads_no_more(site: Site, tls: bool, closes: bool) -> None:
    """An answer that comes while the body waits for room is the answer; the body is not sent to its end."""

    def act(stream: Duplex) -> None:
        stream.read(100, PATIENCE)
        write_all(stream, TOO_LARGE)
        if not closes:
            site.hold(stream)

    channel = site.channel(site.peer(act, tls=tls), tls=trusting(tls))
    assert ask(channel, "POST", body=b"x" * MUCH)[::2] == (413, b"less")


def test_answer_that_begins_early(site: Site) -> None:
    """A server may announce its answer, or begin with it, before it reads the body; then all of that arrives."""
    size = 0

    def act(stream: Duplex) -> None:
        nonlocal size
        write_all(stream, b"HTTP/1.1 100 x\r\n\r\n" + OK[:20])
        site.runtime.event().wait(0.15)  # longer than the client goes without a look
        while size < MUCH:
            size += len(stream.read(1_000_000, PATIENCE))
        write_all(stream, OK[20:])

    answer = ask(site.channel(site.peer(act)), "POST", body=b"x" * MUCH)
    assert answer.body == b"hello" and size > MUCH


@pytest.mark.parametrize("begun", [b"", OK[:-1]], ids=["nothing", "half an answer"])
def test_peer_leaves_without_reading(site: Site, tls: bool, begun: bytes) -> None:
    """A server that leaves in the middle of the body without a whole answer has broken the connection."""

    def act(stream: Duplex) -> None:
        stream.read(100, PATIENCE)
        write_all(stream, begun)

    with pytest.raises(BrokenStream):
        ask(site.channel(site.peer(act, tls=tls), tls=trusting(tls)), "POST", body=b"x" * MUCH)
