"""The public server: events, sessions, sends, disconnects and its end, in this process."""

from __future__ import annotations

import logging
import queue
import threading
from types import SimpleNamespace
from typing import Any

import pytest

import syncio
from syncio import Server
from syncio.engineio.packet import CLOSE, MESSAGE, NOOP, Packet
from tests.unit.engineio.driving import PATIENCE, Site, wait_until

UNKNOWN = "nobody"


@pytest.fixture
def site() -> Site:
    """A server with the default options."""
    return Site()


# ---------------------------------------------------------------------- registration


def test_on_as_a_decorator() -> None:
    """The function stays what it was."""
    server = Server()

    @server.on("message")
    def handler(sid: str, data: Any) -> None: ...

    assert server.handlers["message"] is handler
    assert server.on("connect", handler) is handler


def test_the_last_handler_wins(site: Site) -> None:
    """There is one handler per event."""
    seen: list[Any] = []
    site.server.on("message", lambda sid, data: seen.append(data))
    site.connect().post("4hello")
    assert wait_until(lambda: seen == ["hello"])
    assert site.messages == []


@pytest.mark.parametrize("event", ["", "Connect", "error", "ping"])
def test_other_events(event: str) -> None:
    """Their names are refused with those that there are."""
    with pytest.raises(ValueError, match=r"connect.*message.*disconnect"):
        Server().on(event)


def test_a_disconnect_handler_without_a_reason(site: Site) -> None:
    """It may take the sid alone."""
    seen: list[str] = []
    site.server.on("disconnect", lambda sid: seen.append(sid))
    session = site.connect()
    session.post("1")
    assert wait_until(lambda: seen == [session.sid])


@pytest.mark.parametrize("handler", [lambda: None, lambda a, b, c: None, lambda *, sid: None])
def test_a_disconnect_handler_that_cannot_be_called(handler: Any) -> None:
    """That is said when it is registered, not when the first client leaves."""
    with pytest.raises(TypeError, match="disconnect"):
        Server().on("disconnect", handler)


def test_no_handlers_at_all() -> None:
    """A server that listens to nothing accepts everybody."""
    site = Site()
    site.server.handlers.clear()
    session = site.connect()
    assert session.post("4hello").status_code == 200
    session.post("1")
    assert wait_until(lambda: session.is_forgotten)


# ---------------------------------------------------------------------- the connect handler


@pytest.mark.parametrize("verdict", [None, True])
def test_accepted(site: Site, verdict: Any) -> None:
    """None and True let the client in."""
    site.server.on("connect", lambda sid, environ: verdict)
    assert not site.connect().is_forgotten


@pytest.mark.parametrize(
    ("verdict", "body"),
    [
        (False, '"Unauthorized"'),
        ("no entry", '"no entry"'),
        ({"error": [1, None]}, '{"error": [1, null]}'),
        (0, "0"),
        ("", '""'),
        (1, "1"),
        ([], "[]"),
    ],
)
def test_rejected(site: Site, verdict: Any, body: str) -> None:
    """Every other value is a 401 with it as JSON; the session was never there and does not end."""
    site.server.on("connect", lambda sid, environ: verdict)
    answer = site.open()
    assert (answer.status_code, answer.text, answer.mimetype) == (401, body, "application/json")
    assert site.server.sockets == {}
    assert site.ends == []


def test_a_connect_handler_that_raises(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The client is rejected and told nothing; the log has the traceback."""

    def connect(sid: str, environ: Any) -> None:
        raise RuntimeError("secret")

    site.server.on("connect", connect)
    answer = site.open()
    assert (answer.status_code, answer.text) == (401, '"Unauthorized"')
    assert "RuntimeError" in caplog.text
    assert site.server.sockets == {}


def test_a_connect_handler_that_is_ended_by_its_server(site: Site) -> None:
    """It runs on the server's own thread: a server that ends its worker there may do so, and no session is left."""

    def connect(sid: str, environ: Any) -> None:
        raise SystemExit(3)

    site.server.on("connect", connect)
    with pytest.raises(SystemExit):
        site.open()
    assert site.server.sockets == {}


def test_a_verdict_that_is_no_json(site: Site) -> None:
    """The client is rejected all the same, and the server has no accident."""
    site.server.on("connect", lambda sid, environ: object())
    assert site.open().status_code == 401
    assert site.server.sockets == {}


def test_the_connect_handler_sees_the_request(site: Site) -> None:
    """It is given the WSGI environment, with the site's own parameters."""
    seen: dict[str, Any] = {}
    site.server.on("connect", lambda sid, environ: seen.update(environ, sid=sid))
    session = site.connect("&token=abc", headers={"X-Own": "own"})
    assert seen["sid"] == session.sid
    assert "token=abc" in seen["QUERY_STRING"]
    assert seen["HTTP_X_OWN"] == "own"


def test_connect_comes_before_messages(site: Site) -> None:
    """Nobody can post before the handler has accepted: the sid is unknown until then."""
    seen: list[int] = []

    def connect(sid: str, environ: Any) -> None:
        seen.append(site.client.post(f"/engine.io/?EIO=4&transport=polling&sid={sid}", data="4early").status_code)

    site.server.on("connect", connect)
    site.connect().post("4hello")
    assert seen == [400]
    assert site.has_received("hello")


# ---------------------------------------------------------------------- sending


def test_send_in_the_connect_handler(site: Site) -> None:
    """What it sends comes with the handshake, behind the open packet."""

    def connect(sid: str, environ: Any) -> None:
        site.server.send(sid, "welcome")
        site.server.send(sid, b"\x01")

    site.server.on("connect", connect)
    assert site.connect().more == ["4welcome", "bAQ=="]


def test_send_in_the_message_handler(site: Site) -> None:
    """The next GET has it."""
    site.server.on("message", lambda sid, data: site.server.send(sid, data))
    session = site.connect()
    session.post("4one\x1e4two\x1ebAQ==")
    assert session.get().text == "4one\x1e4two\x1ebAQ=="


def test_send_in_the_disconnect_handler(site: Site) -> None:
    """It is legal, and goes nowhere."""
    seen: list[str] = []

    def disconnect(sid: str, reason: str) -> None:
        site.server.send(sid, "too late")
        seen.append(reason)

    site.server.on("disconnect", disconnect)
    session = site.connect()
    session.post("1")
    assert wait_until(lambda: seen == ["client disconnect"])


def test_send_answers_the_get_that_waits(site: Site) -> None:
    """From any thread, at once."""
    session = site.connect()
    parked = session.park()
    site.server.start_background_task(site.server.send, session.sid, {"n": 1})
    assert parked.answer().text == '4{"n":1}'


def test_send_to_nobody(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown sid is a warning in the log and no exception."""
    site.server.send(UNKNOWN, "hello")
    site.server.send_packet(UNKNOWN, Packet(MESSAGE, "hello"))
    assert caplog.text.count(UNKNOWN) == 2
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_threads_that_send_at_the_same_time(site: Site) -> None:
    """Nothing is lost, and each thread's messages stay in order."""
    session = site.connect()

    def sender(name: str) -> None:
        for number in range(200):
            site.server.send(session.sid, f"{name}{number}")

    tasks = [site.server.start_background_task(sender, name) for name in "abc"]
    for task in tasks:
        task.join(PATIENCE)
    received: list[str] = []
    while len(received) < 600:
        received += [packet[1:] for packet in session.get().text.split("\x1e")]
    for name in "abc":
        assert [r for r in received if r[0] == name] == [f"{name}{number}" for number in range(200)]


def test_foreign_packets(site: Site) -> None:
    """Any object with packet_type, data and binary will do."""
    session = site.connect()
    for data, binary in [
        ("text", False),
        (b"\x01", True),
        (bytearray(b"\x02"), True),
        ({"a": 1}, False),
        (None, False),
    ]:
        site.server.send_packet(session.sid, SimpleNamespace(packet_type=4, data=data, binary=binary))
    site.server.send_packet(session.sid, SimpleNamespace(packet_type=6, data=None, binary=False))
    assert session.get().text.split("\x1e") == ["4text", "bAQ==", "bAg==", '4{"a":1}', "4", "6"]


def test_a_packet_of_ours(site: Site) -> None:
    """One packet may go to several clients."""
    one, two = site.connect(), site.connect()
    packet = Packet(MESSAGE, b"shared")
    for session in (one, two):
        site.server.send_packet(session.sid, packet)
    assert one.get().text == two.get().text == "bc2hhcmVk"


class Counting:
    """A JSON module that counts."""

    def __init__(self) -> None:
        self.calls = 0

    def dumps(self, value: Any, **options: Any) -> str:
        """A number."""
        self.calls += 1
        return str(self.calls)

    loads = staticmethod(str)


def test_broadcast_encodes_once() -> None:
    """However many there are, a value is written once."""
    codec = Counting()
    site = Site(json=codec)
    sessions = [site.connect() for _ in range(5)]
    site.server.broadcast({"to": "all"})
    assert {session.get().text for session in sessions} == {"41"}
    assert codec.calls == 1


def test_broadcast_to_some(site: Site) -> None:
    """Those that are named get it; unknown ones are passed over."""
    one, two, three = (site.connect() for _ in range(3))
    site.server.broadcast("hi", [one.sid, UNKNOWN, three.sid])
    site.server.broadcast("nobody", [])
    site.server.send(two.sid, "end")
    assert [session.get().text for session in (one, two, three)] == ["4hi", "4end", "4hi"]


# ---------------------------------------------------------------------- sessions


def test_the_session_is_live(site: Site) -> None:
    """What is changed in the dict is kept, also from the connect handler on."""
    site.server.on("connect", lambda sid, environ: site.server.get_session(sid).update(user="ann"))
    session = site.connect()
    assert site.server.get_session(session.sid) == {"user": "ann"}
    assert site.server.get_session(session.sid) is site.server.get_session(session.sid)


def test_save_session(site: Site) -> None:
    """Another dict takes its place; each client has its own."""
    one, two = site.connect(), site.connect()
    site.server.save_session(one.sid, {"a": 1})
    assert site.server.get_session(one.sid) == {"a": 1}
    assert site.server.get_session(two.sid) == {}


def test_the_session_in_a_with_block(site: Site) -> None:
    """Also when the client leaves inside it."""
    session = site.connect()
    with site.server.session(session.sid) as data:
        data["a"] = 1
    assert site.server.get_session(session.sid) == {"a": 1}
    with site.server.session(session.sid) as data:
        session.post("1")
        assert wait_until(lambda: session.is_forgotten)
        data["b"] = 2


def test_the_session_in_the_disconnect_handler(site: Site) -> None:
    """It can be read there, and nowhere after that."""
    seen: queue.Queue[Any] = queue.Queue()
    site.server.on(
        "disconnect", lambda sid, reason: seen.put((site.server.get_session(sid), site.server.transport(sid)))
    )
    session = site.connect()
    site.server.get_session(session.sid)["a"] = 1
    session.post("1")
    assert seen.get(timeout=PATIENCE) == ({"a": 1}, "polling")
    assert wait_until(lambda: session.is_forgotten)
    with pytest.raises(KeyError):
        site.server.get_session(session.sid)


def test_the_session_is_readable_even_if_the_client_was_told_before(site: Site) -> None:
    """A GET that brings the close packet while a handler still runs takes nothing from the disconnect handler."""
    seen: queue.Queue[Any] = queue.Queue()
    told = threading.Event()

    def message(sid: str, data: Any) -> None:
        site.server.disconnect(sid)
        told.wait(PATIENCE)

    site.server.on("message", message)
    site.server.on("disconnect", lambda sid, reason: seen.put(site.server.get_session(sid)))
    session = site.connect()
    site.server.get_session(session.sid)["a"] = 1
    session.post("4go")
    assert session.get().text == "1"
    told.set()
    assert seen.get(timeout=PATIENCE) == {"a": 1}
    assert wait_until(lambda: session.is_forgotten)


@pytest.mark.parametrize("ask", [Server.get_session, Server.transport, Server.buffered_amount])
def test_unknown_sessions(site: Site, ask: Any) -> None:
    """They are a KeyError that says so."""
    with pytest.raises(KeyError, match="Session not found"):
        ask(site.server, UNKNOWN)
    with pytest.raises(KeyError, match="Session not found"):
        site.server.save_session(UNKNOWN, {})
    with pytest.raises(KeyError, match="Session not found"), site.server.session(UNKNOWN):
        raise AssertionError("there is no such session")


def test_transport(site: Site) -> None:
    """It is named as in the protocol."""
    assert site.server.transport(site.connect().sid) == "polling"


def test_buffered_amount(site: Site) -> None:
    """The bytes that wait, until a GET takes them."""
    session = site.connect()
    site.server.send(session.sid, b"x" * 1000)
    assert site.server.buffered_amount(session.sid) == 1000
    session.get()
    assert site.server.buffered_amount(session.sid) == 0


# ---------------------------------------------------------------------- the end


def test_disconnect_one(site: Site) -> None:
    """The client is told with its next GET; the others stay."""
    one, two = site.connect(), site.connect()
    site.server.disconnect(one.sid)
    assert site.has_ended(one, "server disconnect")
    assert one.get().text == "1"
    assert not two.is_forgotten


def test_disconnect_all(site: Site) -> None:
    """Without a sid everybody goes, once."""
    sessions = [site.connect() for _ in range(5)]
    parked = sessions[0].park()
    site.server.disconnect()
    assert parked.answer().text == "1"
    for session in sessions:
        assert site.has_ended(session, "server disconnect")


def test_disconnect_nobody(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown sid is ignored without a word."""
    site.server.disconnect(UNKNOWN)
    assert caplog.records == []


def test_disconnect_in_the_connect_handler(site: Site) -> None:
    """The client is let in and out again: both handlers are called."""
    site.server.on("connect", lambda sid, environ: site.server.disconnect(sid))
    session = site.connect()
    assert session.get().text == "1"
    assert site.has_ended(session, "server disconnect")


def test_disconnect_again(site: Site) -> None:
    """In the disconnect handler, and after it, it changes nothing."""

    def disconnect(sid: str, reason: str) -> None:
        site.server.disconnect(sid)
        site.events.append(("end", sid))

    site.server.on("disconnect", disconnect)
    session = site.connect()
    for _ in range(3):
        site.server.disconnect(session.sid)
    assert wait_until(lambda: session.is_forgotten)
    site.server.disconnect(session.sid)
    assert [event[0] for event in site.events].count("end") == 1


def test_shutdown(site: Site) -> None:
    """Everybody is disconnected and has been told when it returns; nobody is let in any more."""
    sessions = [site.connect() for _ in range(3)]
    parked = sessions[0].park()
    site.server.shutdown()
    assert parked.answer().text == "1"
    assert sorted(site.ends) == sorted((session.sid, "server disconnect") for session in sessions)
    assert site.server.sockets == {}
    refused = site.open()
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0


def test_shutdown_does_not_wait_for_ever(site: Site) -> None:
    """A handler that hangs holds it no longer than its time-out."""
    going_on = threading.Event()
    site.server.on("message", lambda sid, data: going_on.wait(PATIENCE))
    session = site.connect()
    session.post("4hang")
    site.server.shutdown(timeout=0.05)
    assert not session.is_forgotten
    going_on.set()
    assert site.has_ended(session, "server disconnect")


def test_stats(site: Site) -> None:
    """Sessions by transport, and how many were accepted and rejected so far."""
    session = site.connect()
    site.server.on("connect", lambda sid, environ: False)
    site.open()
    stats = site.server.stats()
    assert (stats["sessions"], stats["polling"], stats["websocket"]) == (1, 1, 0)
    assert (stats["accepted"], stats["rejected"]) == (1, 1)
    session.post("1")
    assert wait_until(lambda: site.server.stats()["sessions"] == 0)
    assert site.server.stats()["accepted"] == 1
    assert {"watched", "timers", "busy"} <= set(stats["relay"])


# ---------------------------------------------------------------------- names and helpers


def test_reasons() -> None:
    """Their words are those of the field, on the package and on the server."""
    reason = syncio.reason
    assert Server.reason is reason
    assert [getattr(reason, name) for name in sorted(vars(reason)) if name.isupper()] == [
        "client disconnect",
        "ping timeout",
        "server disconnect",
        "transport close",
        "transport error",
    ]


def test_generate_id(site: Site) -> None:
    """20 characters that need no escaping in a URL, and never the same."""
    ids = {site.server.generate_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    alphabet = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert {len(i) for i in ids} == {20}
    assert set("".join(ids)) == alphabet


def test_own_ids(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subclass, or a site, can make its own."""
    monkeypatch.setattr(site.server, "generate_id", lambda: "own-id")
    assert site.connect().sid == "own-id"


def test_tasks(site: Site) -> None:
    """A background task gets its arguments and can be joined; queues and events are the runtime's."""
    server = site.server
    jobs, done = server.create_queue(), server.create_event()

    def work(a: int, b: int = 0) -> None:
        jobs.put(a + b)
        done.set()

    task = server.start_background_task(work, 1, b=2)
    assert done.wait(PATIENCE)
    task.join(PATIENCE)
    assert jobs.get(timeout=PATIENCE) == 3
    with pytest.raises(server.get_queue_empty_exception()):
        jobs.get(block=False)
    server.sleep(0)


def test_modes(site: Site) -> None:
    """Threads are always there, and asyncio never."""
    assert site.server.is_asyncio_based() is False
    assert site.server.async_modes()[0] == "threading"
    assert site.server.async_mode in site.server.async_modes()


def test_nothing_private_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What clients and handlers say to each other stands in no record above DEBUG."""
    site = Site(logger=True)
    with caplog.at_level(logging.INFO):
        site.server.on("message", lambda sid, data: site.server.send(sid, "hush-out"))
        session = site.connect()
        session.post("4hush-in")
        session.get()
        session.post("4hush-in\x1exhush-bad")
        assert site.has_ended(session, "transport error")
    assert session.sid in caplog.text
    assert "hush" not in caplog.text


def test_the_default_log_is_quiet(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Without logger=True only what is serious is said, at whatever level the site listens."""
    with caplog.at_level(logging.DEBUG):
        session = site.connect()
        session.post("1")
        assert site.has_ended(session, "client disconnect")
        site.server.send(UNKNOWN, "hello")
    assert session.sid not in caplog.text
    assert UNKNOWN in caplog.text


def test_closing_packets_can_be_sent(site: Site) -> None:
    """The protocol's own packets go out like any other."""
    session = site.connect()
    for packet_type in (NOOP, CLOSE):
        site.server.send_packet(session.sid, Packet(packet_type))
    assert session.get().text == "6\x1e1"
