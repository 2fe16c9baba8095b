"""The client against a server in the same process: on threads, and in a monkey-patched process on greenlets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server

import syncio
from syncio.engineio.client import Client, Retry
from syncio.errors import BusyError, ConfigurationError, ConnectionError, LocalError, RequestTimeout

from ...runtime.kinds import PATIENCE, eventually

TRANSPORTS = [None, "polling", "websocket"]
MANY = 300


class Site:
    """A server with one application, and the clients of one test."""

    def __init__(self, **options: Any) -> None:
        self.server = syncio.Server(**options)
        self.received: list[Any] = []
        self.environs: list[dict[str, Any]] = []
        self.ends: list[str] = []
        self.verdict: Any = True
        self.clients: list[Client] = []
        self.server.on("connect", self._connect)
        self.server.on("message", self._message)
        self.server.on("disconnect", lambda sid, reason: self.ends.append(reason))
        self._http = make_server("127.0.0.1", 0, syncio.WSGIApp(self.server), threaded=True)
        self.url = f"http://127.0.0.1:{self._http.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def _connect(self, sid: str, environ: dict[str, Any]) -> Any:
        self.environs.append(environ)
        return self.verdict

    def _message(self, sid: str, data: Any) -> None:
        self.received.append(data)
        if data == "disconnect-me":
            self.server.disconnect(sid)
        elif data == "silence":
            self.server.sockets[sid].machine.next_ping = float("inf")
        else:
            self.server.send(sid, data)

    def client(self, **options: Any) -> Recorder:
        """A client that notes what happens to it."""
        made = Recorder(**options)
        self.clients.append(made)
        return made

    def close(self) -> None:
        """End it all."""
        for client in self.clients:
            client.disconnect(abort=True)
        self.server.shutdown(PATIENCE)
        self._http.shutdown()
        self._thread.join(PATIENCE)
        self._http.server_close()


class Recorder(Client):
    """A client that notes its events."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.events: list[Any] = []
        self.on("connect", lambda: self.events.append("connect"))
        self.on("message", self.events.append)
        self.on("disconnect", lambda reason: self.events.append(("disconnect", reason)))

    def has(self, *events: Any) -> bool:
        """Whether these events come, and no others."""
        return eventually(self.runtime, lambda: len(self.events) >= len(events)) and self.events == list(events)


@pytest.fixture
def make_site() -> Iterator[Callable[..., Site]]:
    """Makes sites with options of the server."""
    made: list[Site] = []

    def make(**options: Any) -> Site:
        made.append(Site(**options))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A site with the default options."""
    return make_site()


@pytest.fixture(params=TRANSPORTS, ids=str)
def transports(request: pytest.FixtureRequest) -> Any:
    """Each way to connect."""
    return request.param


def test_a_whole_life(site: Site, transports: Any) -> None:
    """Connect, talk in both directions, text and bytes and JSON, and disconnect; each event once and in order."""
    client = site.client()
    assert (client.state, client.sid, client.current_transport) == ("disconnected", None, None)
    client.connect(site.url, transports=transports)
    assert client.state == "connected"
    assert client.transport() == client.current_transport == ("polling" if transports == "polling" else "websocket")
    assert list(site.server.sockets) == [client.sid]
    for data in ("hello", b"\x00\xff", {"a": [1, 2]}, "42", ""):
        client.send(data)
    assert client.has("connect", "hello", b"\x00\xff", {"a": [1, 2]}, "42", "")
    client.disconnect()
    assert client.events[-1] == ("disconnect", "client disconnect")
    assert (client.state, client.sid, client.current_transport) == ("disconnected", None, None)
    assert eventually(client.runtime, lambda: site.ends == ["client disconnect"])
    assert client.wait(0.0)


def test_many_messages_keep_their_order(site: Site, transports: Any) -> None:
    """From the connect handler on, across the upgrade, none is lost and none comes twice."""
    client = site.client()
    early = [f"early {number} {'x' * 150_000}" for number in range(10)]
    client.on("connect", lambda: [client.send(data) for data in early])
    client.connect(site.url, transports=transports)
    for number in range(MANY):
        client.send(f"late {number}")
    expected = [*early, *(f"late {number}" for number in range(MANY))]
    assert client.has(*expected)
    assert site.received == expected


def test_goodbye_comes_after_what_was_sent(site: Site, transports: Any) -> None:
    """`disconnect` loses nothing."""
    client = site.client()
    client.connect(site.url, transports=transports)
    for number in range(MANY):
        client.send(str(number))
    client.disconnect()
    assert eventually(client.runtime, lambda: len(site.received) == MANY and site.ends == ["client disconnect"])
    assert site.received == [str(number) for number in range(MANY)]


def test_big_messages(make_site: Callable[..., Site], transports: Any) -> None:
    """A message of nearly maxPayload comes and goes whole."""
    site = make_site(max_http_buffer_size=1_000_000)
    client = site.client()
    client.connect(site.url, transports=transports)
    text, data = "é" * 400_000, bytes(range(256)) * 2000
    client.send(text)
    client.send(data)
    assert client.has("connect", text, data)


def test_polling_knows_the_servers_limit(make_site: Callable[..., Site]) -> None:
    """Small messages are posted in batches within maxPayload; one that is bigger is refused, and nothing is lost."""
    site = make_site(max_http_buffer_size=1000)
    client = site.client()
    client.connect(site.url, transports="polling")
    for number in range(40):
        client.send(f"{number:090}")
    with pytest.raises(LocalError, match=r"1001 bytes .* 1000 at most"):
        client.send("x" * 1000)
    client.send("x" * 999)
    assert client.has("connect", *(f"{number:090}" for number in range(40)), "x" * 999)


def test_server_disconnects(site: Site, transports: Any) -> None:
    """The client is told by whom."""
    client = site.client()
    client.connect(site.url, transports=transports)
    client.send("disconnect-me")
    assert client.wait(PATIENCE)
    assert client.events == ["connect", ("disconnect", "server disconnect")]
    assert client.state == "disconnected"


def test_heartbeats(make_site: Callable[..., Site], transports: Any) -> None:
    """Pings are answered: the session outlives many of them."""
    site = make_site(ping_interval=0.1, ping_timeout=1.0)
    client = site.client()
    client.connect(site.url, transports=transports)
    assert not client.wait(1.6)
    client.send("still here")
    assert client.has("connect", "still here")


@pytest.mark.parametrize("transports", [None, "websocket"])
def test_silent_server(make_site: Callable[..., Site], transports: Any) -> None:
    """A server that sends no ping any more is noticed after ping_interval + ping_timeout."""
    site = make_site(ping_interval=0.2, ping_timeout=0.2, monitor_clients=False)
    client = site.client()
    client.connect(site.url, transports=transports)
    assert client.wait(PATIENCE)
    assert client.events == ["connect", ("disconnect", "ping timeout")]


def test_rejected(site: Site, transports: Any) -> None:
    """The server's answer is in the error, and the client can try again."""
    site.verdict = {"why": "not you"}
    client = site.client()
    with pytest.raises(ConnectionError) as caught:
        client.connect(site.url, transports=transports)
    assert (caught.value.status, caught.value.answer) == (401, {"why": "not you"})
    assert client.state == "disconnected" and client.events == []
    site.verdict = True
    client.connect(site.url, transports=transports)
    assert client.has("connect")


def test_nobody_listens(transports: Any) -> None:
    """A refused connection is a `ConnectionError` too."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = Recorder()
        with pytest.raises(ConnectionError):
            client.connect(f"http://127.0.0.1:{taken.getsockname()[1]}", transports=transports)
    assert client.state == "disconnected" and client.wait(0.0)


def test_server_that_says_nothing(transports: Any) -> None:
    """Connecting ends after request_timeout."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = Recorder(request_timeout=0.2)
        with pytest.raises(ConnectionError):
            client.connect(f"http://127.0.0.1:{mute.getsockname()[1]}", transports=transports)


def test_other_web_sites(transports: Any) -> None:
    """A site without an engine is told from one with it."""
    http = make_server("127.0.0.1", 0, lambda environ, start: (start("200 OK", []), [b"hello"])[1], threaded=True)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    client = Recorder()
    with pytest.raises(ConnectionError):
        client.connect(f"http://127.0.0.1:{http.port}", transports=transports)
    http.shutdown()
    thread.join(PATIENCE)
    http.server_close()


def test_retry(make_site: Callable[..., Site], transports: Any) -> None:
    """With `retry` it tries until the server lets it in."""
    site = make_site()
    answers = iter([False, False, True])
    site.server.on("connect", lambda sid, environ: next(answers))
    client = site.client()
    client.connect(site.url, transports=transports, retry=Retry(2, delay=0.01))
    assert client.has("connect")
    other = site.client()
    site.server.on("connect", lambda sid, environ: False)
    with pytest.raises(ConnectionError):
        other.connect(site.url, transports=transports, retry=Retry(1, delay=0.01))


def test_disconnect_ends_the_retrying(site: Site) -> None:
    """Who waits for the next attempt is let go."""
    site.verdict = False
    client = site.client()
    failed: list[Exception] = []

    def connect() -> None:
        try:
            client.connect(site.url, retry=Retry(delay=60, max_delay=60))
        except ConnectionError as exc:
            failed.append(exc)

    task = client.start_background_task(connect)
    assert eventually(client.runtime, lambda: site.environs)
    client.disconnect()
    task.join(PATIENCE)
    assert len(failed) == 1 and client.state == "disconnected"


def test_connecting_twice(site: Site) -> None:
    """A connected client says so; a disconnected one connects again, also from its own disconnect handler."""
    client = site.client()
    client.connect(site.url)
    with pytest.raises(BusyError):
        client.connect(site.url)
    first = client.sid
    again: list[str] = []

    def reconnect(reason: str) -> None:
        if not again:
            again.append(reason)
            client.connect(site.url)

    client.on("disconnect", reconnect)
    client.send("disconnect-me")
    assert eventually(client.runtime, lambda: client.sid not in (None, first))
    client.send("again")
    assert client.has("connect", "connect", "again")
    assert again == ["server disconnect"]


def test_handlers_may_disconnect(site: Site, transports: Any) -> None:
    """Also the connect handler: the session ends in order."""
    client = site.client()
    client.on("connect", client.disconnect)
    client.connect(site.url, transports=transports)
    assert client.has(("disconnect", "client disconnect"))
    assert client.state == "disconnected"
    assert eventually(client.runtime, lambda: site.ends == ["client disconnect"])
    other = site.client()
    other.on("message", lambda data: other.disconnect())
    other.connect(site.url, transports=transports)
    other.send("bye")
    assert other.wait(PATIENCE)
    assert other.events == ["connect", ("disconnect", "client disconnect")]


def test_handlers_may_fail(site: Site, transports: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What a handler raises is logged, and nothing else happens."""

    def fail(*arguments: object) -> None:
        raise ValueError("the test's")

    client = site.client()
    client.on("connect", fail)
    client.connect(site.url, transports=transports)
    client.on("message", fail)
    client.send("a")
    assert eventually(client.runtime, lambda: caplog.text.count("handler failed") == 2)
    client.on("message", client.events.append)
    client.send("b")
    assert client.has("b")


def test_interrupted_connect_handler(site: Site, transports: Any) -> None:
    """What ends a program ends `connect` too, and the session with it: its handler runs where `connect` was called."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    client = site.client()
    client.on("connect", interrupt)
    with pytest.raises(KeyboardInterrupt):
        client.connect(site.url, transports=transports)
    assert client.has(("disconnect", "client disconnect"))
    assert client.state == "disconnected"
    assert eventually(client.runtime, lambda: site.ends == ["client disconnect"])


def test_slow_handlers_keep_the_order(site: Site, transports: Any) -> None:
    """A handler that blocks delays the messages behind it, and no pings or sends."""
    client = site.client()
    release = client.create_event()
    client.on("message", lambda data: (release.wait(PATIENCE), client.events.append(data)))
    client.connect(site.url, transports=transports)
    for number in range(600):
        client.send(str(number))
    assert eventually(client.runtime, lambda: len(site.received) == 600)
    assert client.events == ["connect"]
    release.set()
    assert client.has("connect", *(str(number) for number in range(600)))


def test_headers_query_and_cookies(site: Site, transports: Any) -> None:
    """They reach the server with every transport; so do cookies and credentials of the HTTP session."""
    with requests.Session() as session:
        session.cookies.set("flavour", "almond")
        session.auth = ("ada", "secret")
        client = site.client(http_session=session)
        client.connect(f"{site.url}/ignored?token=abc", headers={"X-Shoe-Size": "44"}, transports=transports)
        (environ,) = site.environs
        assert environ["HTTP_X_SHOE_SIZE"] == "44"
        assert "token=abc" in environ["QUERY_STRING"]
        assert "flavour=almond" in environ["HTTP_COOKIE"]
        assert environ["HTTP_AUTHORIZATION"].startswith("Basic ")
        client.disconnect()


def test_websocket_options(site: Site) -> None:
    """Headers, cookies and sizes of WebSockets; what there is not is refused with the names of what there is."""
    options = {"header": {"X-A": "1"}, "cookie": "a=b", "max_message_size": 500}
    client = site.client(websocket_extra_options=options)
    client.connect(site.url, transports="websocket")
    (environ,) = site.environs
    assert (environ["HTTP_X_A"], environ["HTTP_COOKIE"]) == ("1", "a=b")
    client.send("x" * 501)
    assert client.wait(PATIENCE)
    assert client.events == ["connect", ("disconnect", "transport error")]
    with pytest.raises(ConfigurationError, match="sslopt"):
        Client(websocket_extra_options={"ssl_opt": {}})


def test_context_manager(site: Site) -> None:
    """It disconnects at the end of the block."""
    with site.client() as client:
        client.connect(site.url)
    assert client.events == ["connect", ("disconnect", "client disconnect")]


def test_sending_without_a_connection(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, as it is on the server."""
    site.client().send("x")
    assert "cannot send" in caplog.text


def test_no_room_in_time() -> None:
    """A server that reads nothing makes `send` wait, and the time-out ends that; what was refused is not sent."""
    site = Site(async_handlers=False)
    release = site.server.create_event()
    site.server.on("message", lambda sid, data: release.wait(PATIENCE))
    client = site.client()
    client.connect(site.url, transports="websocket")
    with pytest.raises(RequestTimeout):
        for _ in range(1000):
            client.send("x" * 100_000, timeout=0.05)
    release.set()
    site.close()


def test_stray_ends_are_noticed(site: Site, transports: Any) -> None:
    """A server that is gone ends the session with 'transport close' or 'transport error', once."""
    client = site.client()
    client.connect(site.url, transports=transports)
    client.send("x")
    assert client.has("connect", "x")
    for sock in list(site.server.sockets.values()):
        if sock.websocket is not None:
            sock.websocket._stream.close()
        site.server.sockets.pop(sock.sid)
        if (poll := sock.machine.poll) is not None:
            poll.answer(b"6")
    assert client.wait(PATIENCE)
    why = "transport error" if transports == "polling" else "transport close"
    assert client.events == ["connect", "x", ("disconnect", why)]


@pytest.mark.parametrize("wanted", ["ftp://x", "x", "http://", "http://x:99999", ""])
def test_bad_url(wanted: str) -> None:
    """It is refused before anything happens."""
    with pytest.raises(ConfigurationError, match="url"):
        Client().connect(wanted)


@pytest.mark.parametrize("wanted", ["", [], "webtransport", ["polling", "x"]])
def test_bad_transports(wanted: Any) -> None:
    """Only polling and websocket exist."""
    with pytest.raises(ConfigurationError, match="transports"):
        Client().connect("http://127.0.0.1", transports=wanted)


def test_bad_event() -> None:
    """The message names the events that there are."""
    with pytest.raises(ValueError, match="connect, message, disconnect"):
        Client().on("conect")
