"""A server: where it listens, how it starts and stops, how many it serves, TLS, and what becomes of WebSockets."""

from __future__ import annotations

import errno
import http.client
import logging
import os
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import requests

import syncio
from syncio.errors import LocalError
from syncio.web import App, jsonify
from syncio.web import request as current
from syncio.web.http_connection import MAX_AHEAD
from syncio.web.http_server import HTTPServer

from ..engineio.client.test_client import Recorder
from ..runtime.kinds import MOMENT, PATIENCE
from ..streams.duplex import CERTIFICATE, Doing, client_settings, server_settings
from .serving import SOON, Client, Site, echo, sites, text

Start = Callable[..., Any]


@pytest.fixture
def site() -> Iterator[Site]:
    """Servers and clients."""
    yield from sites()


@pytest.fixture
def server(site: Site) -> HTTPServer:
    """A server that says what it was asked."""
    return site.serve(echo)


def count_of(server: HTTPServer) -> int:
    """How many connections it has, as it says itself."""
    return int(repr(server).rpartition("=")[2].rstrip(">"))


def refuses(server: HTTPServer) -> bool:
    """Whether nobody listens at its address."""
    try:
        socket.create_connection(server.address, PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


class Gate:
    """An application that answers when it may."""

    def __init__(self, site: Site) -> None:
        self.entered = site.runtime.event()
        self.opened = site.runtime.event()

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        return echo(environ, start_response)


# ---------------------------------------------------------------------- start and stop


def test_clients_of_others(site: Site) -> None:
    """The standard library's client is served: JSON there and back, over one connection."""
    app = App("x", static_folder=None, template_folder=None)
    app.add_url_rule("/a", "a", lambda: jsonify(got=current.get_json()), methods=["POST"])
    server = site.serve(app)
    client = http.client.HTTPConnection(*server.address, timeout=PATIENCE)
    for number in range(3):
        client.request("POST", "/a", body=b"[%d]" % number, headers={"Content-Type": "application/json"})
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"got":[%d]}\n' % number)
    client.request("POST", "/a", body=iter([b"[", b"4]"]), headers={"Content-Type": "application/json"})
    assert client.getresponse().read() == b'{"got":[4]}\n'
    assert count_of(server) == 1
    client.close()


def test_port_in_use(site: Site, server: HTTPServer) -> None:
    """Where somebody listens a server does not start, and may be started when the port is free."""
    second = HTTPServer(echo, *server.address)
    with pytest.raises(OSError) as caught:
        second.start()
    assert (caught.value.errno, second.is_serving) == (errno.EADDRINUSE, False)
    server.stop()
    second.start()
    assert (second.is_serving, second.address) == (True, server.address)
    second.stop()


def test_started_twice(server: HTTPServer) -> None:
    """A server that listens cannot start again."""
    with pytest.raises(LocalError, match=f"listens already at {server.url}"):
        server.start()
    assert server.is_serving


def test_restart(site: Site, server: HTTPServer) -> None:
    """A server that was stopped can be started, and serves as before."""
    for _ in range(3):
        client = site.connect(server)
        client.get()
        reply = client.reply()
        assert reply.status == 200 and "connection" not in reply.fields
        server.stop()
        assert not server.is_serving and client.is_ended() and refuses(server)
        server.stop()
        server.start()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("0.0.0.0", "http://127.0.0.1:"),
        ("localhost", "http://"),
        ("::1", "http://[::1]:"),
    ],
)
def test_url(site: Site, host: str, url: str) -> None:
    """The URL is one that works on this machine."""
    try:
        server = site.serve(echo, host=host)
    except OSError as exc:
        pytest.skip(f"no {host} here: {exc}")
    assert server.url.startswith(url) and server.url.endswith(f":{server.address[1]}")
    address = server.url.removeprefix("http://").rpartition(":")
    client = http.client.HTTPConnection(address[0].strip("[]"), int(address[2]), timeout=PATIENCE)
    client.request("GET", "/")
    assert client.getresponse().read() == b"GET / "
    client.close()


def test_stop_ends_idle_connections(site: Site, server: HTTPServer) -> None:
    """A server that stops ends at once what has no request that is whole, and waits for nobody."""
    new, used, begun = (site.connect(server) for _ in range(3))
    used.get()
    assert used.reply().status == 200
    begun.send(b"GET / HT")
    assert site.wait(lambda: count_of(server) == 3)
    began = site.runtime.now()
    server.stop(PATIENCE)
    for client in (new, used, begun):
        assert client.is_ended()
    assert site.runtime.now() - began < 0.5
    assert count_of(server) == 0


def test_stop_waits_for_answers(site: Site) -> None:
    """A request that is being answered is answered, though the server stops, and the connection ends behind it."""
    gate = Gate(site)
    server = site.serve(gate)
    client = site.connect(server)
    client.get("/a")
    client.get("/b")
    assert gate.entered.wait(PATIENCE)
    stopping = Doing(site.runtime, server.stop, PATIENCE)
    assert stopping.is_waiting()
    assert refuses(server)
    gate.opened.set()
    stopping.outcome()
    reply = client.reply()
    assert (reply.body, reply.fields["connection"]) == (b"GET /a ", "close")
    assert client.is_ended()


def test_stop_does_not_wait_for_ever(site: Site) -> None:
    """A request that takes longer than `stop` waits is cut; its application ends when it likes."""
    gate = Gate(site)
    server = site.serve(gate)
    client = site.connect(server)
    client.get()
    assert gate.entered.wait(PATIENCE)
    began = site.runtime.now()
    server.stop(MOMENT)
    assert MOMENT <= site.runtime.now() - began < PATIENCE / 2
    assert client.is_ended() and count_of(server) == 0
    gate.opened.set()


# ---------------------------------------------------------------------- how many


def tasks() -> int:
    """The threads of this process, as the system counts them."""
    return len(os.listdir("/proc/self/task"))


def test_idle_connections_cost_no_threads(site: Site, server: HTTPServer) -> None:
    """Fifty connections that have been served and wait are fifty descriptors and no thread."""
    first = site.connect(server)
    first.get()
    assert first.reply().status == 200
    before = tasks()
    clients = [site.connect(server) for _ in range(50)]
    for client in clients:
        client.get()
        assert client.reply().status == 200
    assert count_of(server) == 51
    assert tasks() <= before + 2, "one that serves, and one for a handler that took long"


def test_most_connections(site: Site) -> None:
    """Beyond so many nobody is served until one has ended; nobody is lost, over and over."""
    server = site.serve(echo, max_connections=3)
    clients = [site.connect(server) for _ in range(12)]
    for client in clients:
        client.get()
    assert site.wait(lambda: count_of(server) == 3)
    while clients:
        assert clients[0].reply().status == 200
        assert count_of(server) <= 3
        clients.pop(0).close()
    assert site.wait(lambda: count_of(server) == 0)


def test_most_connections_at_the_end_of_an_answer(site: Site) -> None:
    """The next one is served as well where each request ends its own connection, from a worker."""
    server = site.serve(echo, max_connections=1)
    clients = [site.connect(server) for _ in range(20)]
    for client in clients:
        client.get("/", "Connection: close")
    for client in clients:
        assert client.reply().status == 200


# ---------------------------------------------------------------------- TLS


def test_tls(site: Site) -> None:
    """Over TLS everything is as without, and the application is told; the end of an answer is TLS's own."""
    seen: list[str] = []

    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        seen.append(environ["wsgi.url_scheme"])
        start_response("200 OK", [])
        yield b"x" * 100_000
        yield b"y" * 100_000

    server = site.serve(app, tls=server_settings())
    assert server.url.startswith("https://")
    client = site.connect(server, client_settings())
    for _ in range(2):
        client.get()
        assert len(client.reply().body) == 200_000
    began = site.runtime.now()
    old = site.connect(server, client_settings())
    old.get(version="1.0")
    assert len(old.reply().body) == 200_000
    server.stop()
    assert client.is_ended()
    assert site.runtime.now() - began < PATIENCE / 10, "nobody waits for the time in which a connection lingers"
    assert seen == ["https"] * 3


def test_client_certificates(site: Site) -> None:
    """A server that asks for certificates serves those who have a good one."""
    settings = server_settings()
    settings.verify_mode = ssl.CERT_REQUIRED
    settings.load_verify_locations(CERTIFICATE)
    server = site.serve(echo, tls=settings)
    with_one = client_settings()
    with_one.load_cert_chain(CERTIFICATE)
    client = site.connect(server, with_one)
    client.get()
    assert client.reply().status == 200
    without = client_settings()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        nobody = site.connect(server, without)
        nobody.get()
        nobody.reply()
    assert site.wait(lambda: count_of(server) == 1)


def test_plain_words_on_tls(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Who speaks no TLS, or leaves in its handshake, is ended; the others are served, and nothing is logged."""
    server = site.serve(echo, tls=server_settings())
    for words in (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\x16\x03\x01\0\x05\x01\0\0\x01\0", b"\0" * 1000):
        plain = site.connect(server)
        plain.send(words)
        assert b"HTTP" not in plain.sock.recv(100)
        plain.close()
    site.connect(server).reset()
    half = site.connect(server)
    half.send(b"\x16\x03\x01\x02")
    half.reset()
    client = site.connect(server, client_settings())
    client.get()
    assert client.reply().status == 200
    assert site.wait(lambda: count_of(server) == 1)
    assert caplog.records == []


# ---------------------------------------------------------------------- WebSockets


@pytest.fixture
def engine() -> Iterator[syncio.Server]:
    """Says every message back."""
    server = syncio.Server()
    server.on("message", lambda sid, data: server.send(sid, data))
    yield server
    server.shutdown(PATIENCE)


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def realtime(request: pytest.FixtureRequest, site: Site, engine: syncio.Server) -> HTTPServer:
    """A server of it, with TLS or without."""
    return site.serve(syncio.WSGIApp(engine), tls=server_settings() if request.param else None)


Connect = Callable[..., Recorder]


@pytest.fixture
def connect(site: Site) -> Iterator[Connect]:
    """Makes clients of the engine, whose connections for polling end with the test."""
    with requests.Session() as session:
        session.trust_env = False  # a machine may name authorities of its own
        session.verify = CERTIFICATE
        session.headers["Connection"] = "close"  # else its pool may be closed before it is given a connection back

        def connect(server: HTTPServer, transports: Any = "websocket") -> Recorder:
            trust = {} if server.scheme == "http" else {"sslopt": {"ca_certs": CERTIFICATE}}
            client = Recorder(http_session=session, websocket_extra_options=trust)
            client.connect(server.url, transports=transports)
            return client

        yield connect


@pytest.mark.parametrize("transports", [None, "polling", "websocket"], ids=str)
def test_engine(realtime: HTTPServer, connect: Connect, transports: Any) -> None:
    """A client of any transport is served; when it has left the server has no connection any more."""
    client = connect(realtime, transports)
    client.send(b"x" * 200_000)
    client.send("done")
    assert client.has("connect", b"x" * 200_000, "done")
    if transports == "websocket":
        assert count_of(realtime) == 0, "it is the engine's"
    client.disconnect()
    assert client.events[-1] == ("disconnect", "client disconnect")


def test_stop_leaves_websockets(realtime: HTTPServer, site: Site, engine: syncio.Server, connect: Connect) -> None:
    """A server that stops cuts no WebSocket: that is the engine's to do."""
    client = connect(realtime)
    realtime.stop()
    client.send("still there")
    assert client.has("connect", "still there")
    engine.shutdown(PATIENCE)
    assert site.wait(lambda: client.events[-1][0] == "disconnect")


HANDSHAKE = (
    b"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(text: bytes) -> bytes:
    """A message of text as a client sends it; its mask is zero."""
    return b"\x81" + bytes([0x80 | len(text)]) + bytes(4) + text


def read_until(client: Client, end: bytes) -> bytes:
    """What comes, up to some bytes."""
    data = b""
    while not data.endswith(end):
        more = client._file.read(1)
        assert more, f"the end came behind {data[-100:]!r}"
        data += more
    return data


def test_frames_with_the_handshake(site: Site, engine: syncio.Server) -> None:
    """What a client sends together with its handshake is not lost."""
    client = site.connect(site.serve(syncio.WSGIApp(engine)))
    client.send(HANDSHAKE + frame(b"4one") + frame(b"4two"))
    assert read_until(client, b"4two").count(b"4one") == 1


def test_many_frames_with_the_handshake(site: Site, engine: syncio.Server) -> None:
    """More than is read ahead is not lost either, and reading goes on."""
    entered, release = site.runtime.event(), site.runtime.event()

    @engine.on("connect")
    def connect(sid: str, environ: dict[str, Any]) -> None:
        entered.set()
        assert release.wait(PATIENCE)

    server = site.serve(syncio.WSGIApp(engine))
    client = site.connect(server)
    client.send(HANDSHAKE)
    assert entered.wait(PATIENCE)
    (connection,) = server._connections
    many = frame(b"4" + b"x" * 100) * (MAX_AHEAD // 50)
    client.send(many[: MAX_AHEAD + 10])
    assert site.wait(lambda: connection._stream.is_paused)
    release.set()
    client.send(many[MAX_AHEAD + 10 :] + frame(b"4last"))
    assert read_until(client, b"4last").count(b"4" + b"x" * 100) == MAX_AHEAD // 50


def test_nobody_writes_behind_a_handshake(site: Site, engine: syncio.Server, caplog: pytest.LogCaptureFixture) -> None:
    """Middleware that takes the end of an upgraded request for a failure, and answers it, does not reach the client."""
    wsgi = syncio.WSGIApp(engine)
    answered = site.runtime.event()

    def middleware(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        try:
            return list(wsgi(environ, start_response))
        except ConnectionResetError as exc:
            write = start_response("500 No", [], (type(exc), exc, exc.__traceback__))
            answered.set()
            write(b"oops")
            return [b"oops"]

    client = site.connect(site.serve(middleware))
    caplog.set_level(logging.ERROR)
    client.send(HANDSHAKE)
    assert answered.wait(PATIENCE)
    client.send(frame(b"4one"))
    assert b"oops" not in read_until(client, b"4one")
    assert caplog.records == []


def test_taken_once(site: Site) -> None:
    """A connection is given away once, not behind an answer's beginning, and not when it has ended."""
    found: list[Any] = []
    entered, left = site.runtime.event(), site.runtime.event()

    def app(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        host = environ["syncio.host"]
        if environ["PATH_INFO"] == "/late":
            start_response("200 OK", [])(b"x")
        elif environ["PATH_INFO"] == "/left":
            entered.set()
            assert left.wait(PATIENCE)
        for _ in range(2):
            try:
                found.append(host.take())
            except OSError as exc:
                found.append(str(exc))
        return []

    server = site.serve(app)
    late = site.connect(server)
    late.get("/late", "Connection: close")
    assert late.reply().body == b"x"
    assert found == ["the connection is gone"] * 2
    gone = site.connect(server)
    gone.get("/left")
    assert entered.wait(PATIENCE)
    gone.close()
    assert site.wait(lambda: count_of(server) == 0)
    left.set()
    assert site.wait(lambda: len(found) == 4)
    assert found == ["the connection is gone"] * 4
    site.connect(server).get("/")
    assert site.wait(lambda: len(found) == 6)
    assert found[5] == "the connection is gone"
    found[4].stream(site.runtime).close()


def test_short_idle_time_does_not_end_websockets(site: Site, engine: syncio.Server, connect: Connect) -> None:
    """The server's time-outs are not those of a connection that is not its own any more."""
    server = site.serve(syncio.WSGIApp(engine), request_timeout=SOON / 3, keep_alive=SOON / 3)
    client = connect(server)
    assert not site.runtime.event().wait(SOON)
    client.send("still there")
    assert client.has("connect", "still there")
    client.disconnect()


def test_small_answers_share_no_state(site: Site) -> None:
    """Many clients at once are each given their own answer."""
    server = site.serve(lambda environ, start: text(environ["PATH_INFO"].encode())(environ, start))
    clients = [site.connect(server) for _ in range(20)]
    for turn in range(5):
        for number, client in enumerate(clients):
            client.get(f"/{turn}/{number}")
        for number, client in enumerate(clients):
            assert client.reply().body == b"/%d/%d" % (turn, number)
