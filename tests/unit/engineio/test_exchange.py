"""Requests and their answers: handshakes, polls, posts, refusals, cookies, compression, CORS, JSONP."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.unit.engineio.driving import HANDSHAKE, PATIENCE, Session, Site, wait_until

SEPARATOR = "\x1e"
ORIGIN = "https://a.example"


@pytest.fixture
def site() -> Site:
    """A server with the default options."""
    return Site()


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    """A connection whose server would give it away; nobody is at its other end."""
    here, there = socket.socketpair()
    with here, there:
        yield here


def code_of(answer: TestResponse) -> tuple[int, int]:
    """The status and the protocol's code of an error."""
    assert answer.mimetype == "application/json"
    body = json.loads(answer.data)
    assert set(body) == {"code", "message"}
    return answer.status_code, body["code"]


# ---------------------------------------------------------------------- the handshake


def test_handshake_fields() -> None:
    """Times are whole milliseconds of the true value, and 0.3 s is 300 of them."""
    session = Site(ping_interval=0.3, ping_timeout=0.25, max_http_buffer_size=12345).connect()
    assert session.handshake == {
        "sid": session.sid,
        "upgrades": [],
        "pingInterval": 300,
        "pingTimeout": 250,
        "maxPayload": 12345,
    }


def test_the_default_handshake(site: Site) -> None:
    """25 s, 20 s and a megabyte; text that no cache keeps."""
    session = site.connect()
    assert session.handshake == {**session.handshake, "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 10**6}
    assert session.opened.content_type == "text/plain; charset=UTF-8"
    assert session.opened.headers["Cache-Control"] == "no-store"


def test_the_grace_is_not_announced() -> None:
    """It is the server's own patience."""
    assert Site(ping_interval=(10, 5)).connect().handshake["pingInterval"] == 10000


@pytest.mark.parametrize(
    ("options", "upgrades"),
    [({}, ["websocket"]), ({"allow_upgrades": False}, []), ({"transports": "polling"}, [])],
)
def test_upgrades(options: dict[str, Any], upgrades: list[str], connection: socket.socket) -> None:
    """Only what this server can do on this connection, and what it was told to, is announced."""
    session = Site(**options).connect(environ_overrides={"werkzeug.socket": connection})
    assert session.handshake["upgrades"] == upgrades


def test_no_upgrades_without_a_socket(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Under a server that keeps its sockets one line of the log says so, and what would help."""
    for _ in range(3):
        assert site.connect(environ_overrides={"SERVER_SOFTWARE": "odd/1.0"}).handshake["upgrades"] == []
    assert caplog.text.count("odd/1.0") == 1
    assert "gunicorn" in caplog.text


def test_the_session_is_there_before_the_answer() -> None:
    """Its connect handler may already send to it; max_sessions counts it."""
    site = Site()
    known: list[bool] = []
    site.server.on("connect", lambda sid, environ: known.append(sid in site.server.sockets))
    site.connect()
    assert known == [True]


def test_too_many_sessions() -> None:
    """Beyond max_sessions a handshake gets 503 with Retry-After, until one has gone."""
    site = Site(max_sessions=2)
    first, _ = site.connect(), site.connect()
    refused = site.open()
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert len([event for event in site.events if event[0] == "connect"]) == 2
    first.post("1")
    assert wait_until(lambda: first.is_forgotten)
    site.connect()
    assert site.open().status_code == 503


def test_rejected_clients_do_not_count() -> None:
    """A place that nobody takes is free at once."""
    site = Site(max_sessions=1)
    site.server.on("connect", lambda sid, environ: False)
    assert [site.open().status_code for _ in range(3)] == [401] * 3


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("method", "query", "refused"),
    [
        ("GET", "", (400, 0)),
        ("GET", "EIO=4&transport=tin-can", (400, 0)),
        ("GET", "EIO=4&transport=polling&sid=unknown", (400, 1)),
        ("POST", "EIO=4&transport=polling&sid=unknown", (400, 1)),
        ("GET", "EIO=4&transport=polling&sid=", (400, 1)),
        ("POST", "EIO=4&transport=polling", (400, 2)),
        ("HEAD", "EIO=4&transport=polling", (400, 2)),
        ("GET", "EIO=4&transport=websocket", (400, 3)),
        ("GET", "EIO=3&transport=polling", (400, 5)),
    ],
)
def test_refused(site: Site, method: str, query: str, refused: tuple[int, int]) -> None:
    """The protocol's errors."""
    answer = site.client.open(f"/engine.io/?{query}", method=method)
    if method == "HEAD":
        assert answer.status_code == refused[0]
    else:
        assert code_of(answer) == refused
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
def test_other_methods(site: Site, method: str) -> None:
    """With a sid they are 405, and the session is untouched."""
    session = site.connect()
    answer = site.client.open(session.path, method=method)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert session.post("4hello").status_code == 200


def test_another_transport(site: Site) -> None:
    """A session on polling is asked for by a request that is no WebSocket but says so: 400, and it stays."""
    session = site.connect()
    assert code_of(site.client.get(f"/engine.io/?EIO=4&transport=websocket&sid={session.sid}")) == (400, 3)
    assert not session.is_forgotten


def test_old_clients_are_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Who runs the site learns which JavaScript clients speak this version."""
    with caplog.at_level("INFO"):
        Site(logger=True).client.get("/engine.io/?EIO=3&transport=polling")
    assert "socket.io-client 3" in caplog.text


# ---------------------------------------------------------------------- GET


def test_overlapping_gets(site: Site) -> None:
    """The second is 400, the first answers with the close packet, and the session ends."""
    session = site.connect()
    parked = session.park()
    assert code_of(session.get()) == (400, 3)
    assert parked.answer().text == "1"
    assert site.has_ended(session, "transport error")


def test_a_get_after_the_end(site: Site) -> None:
    """The client is told once, and then unknown."""
    session = site.connect()
    site.server.send(session.sid, "last")
    site.server.disconnect(session.sid)
    assert session.get().text == "4last\x1e1"
    assert site.has_ended(session, "server disconnect")
    assert code_of(session.get()) == (400, 1)


def test_a_client_that_never_asks_again_is_forgotten() -> None:
    """After ping_timeout nothing is left of it."""
    site = Site(ping_timeout=0.05)
    session = site.connect()
    site.server.disconnect(session.sid)
    assert wait_until(lambda: session.is_forgotten and not site.server.leaving)
    assert code_of(session.get()) == (400, 1)


# ---------------------------------------------------------------------- POST


def test_post(site: Site) -> None:
    """Packets reach the handler in order; the answer is `ok`."""
    session = site.connect()
    answer = session.post("4one\x1ebAQID\x1e4two")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert site.has_received("one", b"\x01\x02\x03", "two")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", ""),
        ("plain", "plain"),
        ('{"a":[1,null]}', {"a": [1, None]}),
        ("[]", []),
        ("true", True),
        ("42", "42"),
        ("4.5", "4.5"),
        ("{not json", "{not json"),
        ("€", "€"),
    ],
)
def test_json_is_decoded(site: Site, text: str, data: Any) -> None:
    """Text that is JSON reaches the handler as its value, but for what begins with a digit."""
    site.connect().post(f"4{text}".encode())
    assert site.has_received(data)
    assert type(site.messages[0]) is type(data)


def test_json_is_not_decoded_if_so_wished() -> None:
    """With decode_json=False text is text."""
    site = Site(decode_json=False)
    site.connect().post('4{"a":1}\x1e4[1]\x1e4true')
    assert site.has_received('{"a":1}', "[1]", "true")


def test_a_json_module_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it raises is logged, and the next message is handled."""

    class Broken:
        dumps = staticmethod(json.dumps)

        @staticmethod
        def loads(text: str) -> Any:
            raise LookupError(text)

    site = Site(json=Broken)
    session = site.connect()
    session.post("4{}")
    session.post("4plain")
    assert wait_until(lambda: "plain" in site.messages)
    session.post("1")
    assert site.has_ended(session, "client disconnect")


@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_a_handler_that_raises(site: Site, error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its traceback and ends nothing but itself."""
    seen: list[Any] = []

    def message(sid: str, data: Any) -> None:
        if data == "raise":
            raise error
        seen.append(data)

    site.server.on("message", message)
    session = site.connect()
    assert session.post("4raise\x1e4after").status_code == 200
    assert wait_until(lambda: seen == ["after"])
    assert "Traceback" in caplog.text
    assert type(error).__name__ in caplog.text
    session.post("1")
    assert site.has_ended(session, "client disconnect")


def test_a_disconnect_handler_that_raises(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The session is forgotten all the same."""

    def disconnect(sid: str, reason: str) -> None:
        raise ZeroDivisionError

    site.server.on("disconnect", disconnect)
    session = site.connect()
    session.post("1")
    assert wait_until(lambda: session.is_forgotten)
    assert "ZeroDivisionError" in caplog.text


def test_an_overlong_post() -> None:
    """Exactly the limit is taken; one byte more is 413 and the session stays."""
    site = Site(max_http_buffer_size=100)
    session = site.connect()
    assert session.post(b"4" + b"x" * 99).status_code == 200
    assert session.post(b"4" + b"x" * 100).status_code == 413
    assert session.post("4still here").status_code == 200
    assert site.has_received("x" * 99, "still here")


def test_an_overlong_chunked_post() -> None:
    """The limit holds as well when no length was announced."""
    site = Site(max_http_buffer_size=100)
    session = site.connect()
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    for size, status in [(99, 200), (100, 413), (100_000, 413), (10, 200)]:
        body = io.BytesIO(b"4" + b"x" * size)
        answer = site.client.post(session.path, input_stream=body, environ_overrides=chunked)
        assert answer.status_code == status
    assert site.has_received("x" * 99, "x" * 10)


@pytest.mark.parametrize(
    "body", [b"", b"x", b"9", b"\xff", b"4\xff", b"b!", b"\x1e", b"2", b"2probe", "4ok\x1e€".encode(), b"bAQID\nb"]
)
def test_a_post_that_does_not_decode(site: Site, body: bytes) -> None:
    """It is 400, the session ends, and the GET that waits hears of it."""
    session = site.connect()
    parked = session.park()
    assert code_of(session.post(body)) == (400, 3)
    assert parked.answer().text == "1"
    assert site.has_ended(session, "transport error")
    assert code_of(session.post("4more")) == (400, 1)


def test_packets_before_the_bad_one_are_delivered(site: Site) -> None:
    """In order, and before the end; what stands behind it is not."""
    session = site.connect()
    assert session.post("4one\x1e4two\x1ebad!\x1e4three").status_code == 400
    assert site.has_ended(session, "transport error")
    assert [event[0] for event in site.events] == ["connect", "message", "message", "disconnect"]
    assert site.messages == ["one", "two"]


def test_too_many_packets() -> None:
    """As many as allowed are all delivered, and more than that are a bad request."""
    site = Site(max_packets_per_payload=3)
    session = site.connect()
    assert session.post("4a\x1e4b\x1e4c").status_code == 200
    assert site.has_received("a", "b", "c")
    assert session.post("4a\x1e4b\x1e4c\x1e4d").status_code == 400
    assert site.has_ended(session, "transport error")


@pytest.mark.parametrize("content_type", ["application/octet-stream", "Application/Octet-Stream; x=y"])
def test_octet_streams(site: Site, content_type: str) -> None:
    """Version 4 posts no raw bytes."""
    session = site.connect()
    assert code_of(session.post(b"4hello", content_type=content_type)) == (400, 3)
    assert site.has_ended(session, "transport error")
    assert site.messages == []


@pytest.mark.parametrize("stray", ["3", "0", "5", "6", "3probe", '0{"sid":"x"}'])
def test_stray_packets(site: Site, stray: str) -> None:
    """They are ignored, and what stands beside them is not."""
    session = site.connect()
    assert session.post(f"{stray}\x1e4hello\x1e{stray}").status_code == 200
    assert site.has_received("hello")
    assert not session.is_forgotten


def test_the_client_closes(site: Site) -> None:
    """POST `1` lets the GET go with `6` and ends the session; what stands before it is delivered, behind it not."""
    session = site.connect()
    parked = session.park()
    assert session.post("4bye\x1e1\x1e4more").status_code == 200
    assert parked.answer().text == "6"
    assert site.has_ended(session, "client disconnect")
    assert site.messages == ["bye"]
    assert code_of(session.get()) == (400, 1)


class Waiting(io.BytesIO):
    """A body whose end comes when it is allowed to."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reading = threading.Event()
        self.may_go_on = threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        """Wait, then read."""
        self.reading.set()
        self.may_go_on.wait(PATIENCE)
        return super().read(size)


def slow_post(session: Session, body: Waiting) -> Any:
    """A POST on another thread, in the middle of its body."""
    parked = session.later_post(None, input_stream=body, content_length=len(body.getvalue()))
    assert body.reading.wait(PATIENCE)
    return parked


def test_overlapping_posts(site: Site) -> None:
    """The second is 400 and the session ends; the first is told that nothing of it was delivered."""
    session = site.connect()
    body = Waiting(b"4first")
    first = slow_post(session, body)
    assert code_of(session.post("4second")) == (400, 3)
    body.may_go_on.set()
    assert first.answer().status_code == 400
    assert site.has_ended(session, "transport error")
    assert site.messages == []


def test_a_post_to_a_session_that_ends(site: Site) -> None:
    """What is not delivered is never answered with 200."""
    session = site.connect()
    body = Waiting(b"4hello")
    posted = slow_post(session, body)
    site.server.disconnect(session.sid)
    body.may_go_on.set()
    assert posted.answer().status_code == 400
    assert site.has_ended(session, "server disconnect")
    assert site.messages == []


def test_posts_one_after_the_other(site: Site) -> None:
    """That is not overlapping, also behind one that was refused."""
    session = site.connect()
    for status, body in [(200, b"4a"), (413, b"4" + b"x" * 1_000_000), (200, b"4b")]:
        assert session.post(body).status_code == status
    assert site.has_received("a", "b")


def test_a_short_body(site: Site) -> None:
    """A client that went away in the middle: nothing is delivered, the session ends."""
    session = site.connect()
    announced = {"CONTENT_LENGTH": "10"}
    assert session.post(None, input_stream=io.BytesIO(b"4hel"), environ_overrides=announced).status_code == 400
    assert site.has_ended(session, "transport error")
    assert site.messages == []


# ---------------------------------------------------------------------- dress


@pytest.mark.parametrize(
    ("option", "header"),
    [
        ("io", r"io=SID; path=/; SameSite=Lax"),
        ({"name": "own", "Path": "/rt", "Secure": True, "HttpOnly": False}, r"own=SID; Path=/rt; Secure"),
        ({"name": "own", "Max-Age": lambda: 60, "Partitioned": lambda: True}, r"own=SID; Max-Age=60; Partitioned"),
        ({}, r"io=SID"),
    ],
)
def test_cookies(option: Any, header: str) -> None:
    """The handshake sets it, with attributes that are strings, functions or True; later answers do not."""
    site = Site(cookie=option)
    session = site.connect()
    assert session.opened.headers["Set-Cookie"] == header.replace("SID", session.sid)
    site.server.send(session.sid, "x")
    assert "Set-Cookie" not in session.get().headers


def test_no_cookie(site: Site) -> None:
    """By default there is none."""
    assert "Set-Cookie" not in site.connect().opened.headers


def test_compression(site: Site) -> None:
    """A body of 1,024 bytes is compressed for who wants it, and a cache is told."""
    session = site.connect()
    for size, encoding in [(1023, "gzip"), (1022, None)]:
        site.server.send(session.sid, "x" * size)
        answer = session.get(headers={"Accept-Encoding": "gzip"})
        assert answer.headers.get("Content-Encoding") == encoding
        body = gzip.decompress(answer.data) if encoding else answer.data
        assert body == b"4" + b"x" * size
        assert answer.headers.getlist("Vary").count("Accept-Encoding") == (encoding is not None)


def test_compression_of_an_answer_that_had_to_wait(site: Site) -> None:
    """It is dressed in the same way, as its request wanted it."""
    session = site.connect()
    parked = session.park()
    site.server.send(session.sid, "x" * 5000)
    assert "Content-Encoding" not in parked.answer().headers


@pytest.mark.parametrize("options", [{"http_compression": False}, {"compression_threshold": 5000}])
def test_no_compression(options: dict[str, Any]) -> None:
    """It can be switched off, and its threshold moved."""
    site = Site(**options)
    session = site.connect()
    site.server.send(session.sid, "x" * 2000)
    assert session.get(headers={"Accept-Encoding": "gzip"}).text == "4" + "x" * 2000


def test_foreign_origins(site: Site) -> None:
    """Handshakes, GETs, POSTs and preflights of other origins are 403, and touch no session."""
    session = site.connect()
    foreign = {"Origin": ORIGIN}
    answers = [
        site.open(headers=foreign),
        session.get(headers=foreign),
        session.post("4hello", headers=foreign),
        site.client.options(HANDSHAKE, headers=foreign),
    ]
    for answer in answers:
        assert code_of(answer) == (403, 4)
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]
    assert site.messages == []
    assert session.post("4own", headers={"Origin": "http://localhost"}).status_code == 200


def test_allowed_origins() -> None:
    """Every answer tells the browser, also the errors, so that the page can read them."""
    site = Site(cors_allowed_origins=[ORIGIN])
    own = {"Origin": ORIGIN}
    session = site.connect(headers=own)
    site.server.send(session.sid, "x")
    answers = [
        session.opened,
        session.get(headers=own),
        session.post("4a", headers=own),
        session.post("?", headers=own),
    ]
    answers.append(site.client.get("/engine.io/", headers=own))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 400]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"


def test_preflight() -> None:
    """OPTIONS is 200 or 204 with what the browser wants to know, with a session and without."""
    site = Site(cors_allowed_origins=[ORIGIN])
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-own"}
    for path in (HANDSHAKE, "/engine.io/", site.connect().path):
        answer = site.client.options(path, headers=headers)
        assert answer.status_code in (200, 204)
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert answer.headers["Access-Control-Allow-Headers"] == "x-own"


def test_jsonp(site: Site) -> None:
    """Handshake, GET and POST of a page that knows nothing but scripts."""
    opened = site.open("&j=3")
    call = re.fullmatch(r"___eio\[3\]\((.*)\);", opened.text)
    assert call is not None
    assert opened.mimetype == "text/javascript"
    sid = json.loads(json.loads(call[1])[1:])["sid"]
    path = f"{HANDSHAKE}&sid={sid}&j=4"
    site.server.send(sid, "</script>")
    assert site.client.get(path).text == '___eio[4]("4\\u003c/script\\u003e");'
    answer = site.client.post(path, data={"d": "4a\\nb\x1e4c"})
    assert (answer.status_code, answer.text) == (200, "ok")
    assert site.has_received("a\nb", "c")


def test_a_jsonp_post_that_is_none(site: Site) -> None:
    """A body without the form's field is 400 and the end."""
    session = site.connect()
    assert site.client.post(f"{session.path}&j=1", data="4hello").status_code == 400
    assert site.has_ended(session, "transport error")


def test_any_query_has_an_answer(site: Site) -> None:
    """Random queries, methods and bodies get one of the answers that there are, and raise nothing."""
    dice = random.Random(15)
    sid = site.connect().sid
    words = [
        "EIO=4",
        "EIO=3",
        "transport=polling",
        "transport=websocket",
        f"sid={sid}",
        "sid=",
        "sid=x",
        "j=1",
        "j=x",
        "%",
        "&&",
    ]
    statuses = set()
    for _ in range(500):
        query = "&".join(dice.sample(words, dice.randrange(6)))
        method = dice.choice(["POST", "PUT", "HEAD", "OPTIONS", "GET"])
        if method == "GET" and f"sid={sid}" in query:
            continue  # it would wait, as it should
        headers = dice.choice([{}, {"Upgrade": "websocket"}, {"Origin": "null"}, {"Content-Length": "x"}])
        statuses.add(site.client.open(f"/engine.io/?{query}", method=method, headers=headers).status_code)
    assert statuses <= {200, 204, 400, 401, 403, 405, 413, 503}
    assert {200, 400, 403} <= statuses
