"""Events of connections: they run with the app, the session of the login and a `g` of their own; and rooms."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncio import ConnectionError
from syncio.errors import RequestTimeout
from syncio.runtime import choose_runtime
from syncio.testing import TestClient
from syncio.testing.web import WebClient
from syncio.web import (
    App,
    Blueprint,
    abort,
    current_app,
    g,
    has_app_context,
    render_template,
    render_template_string,
    request,
    session,
    url_for,
)
from syncio.web.context import current_context
from syncio.web.realtime import SCRIPT
from tests.unit.runtime.kinds import eventually

pytestmark = pytest.mark.filterwarnings("error")
Connect = Callable[..., TestClient]


@pytest.fixture(params=["polling", "websocket"])
def transport(request: pytest.FixtureRequest) -> str:
    """What carries the connection."""
    name: str = request.param
    return name


@pytest.fixture
def connect(app: App, transport: str) -> Iterator[Connect]:
    """Makes connections to the app; they end with the test. The user, if one is given, has logged in before."""
    app.add_url_rule("/login/<name>", "login", lambda name: session.update(name=name) or "x")
    assert app.realtime is app.realtime, "it is there from its first use on"
    made: list[TestClient] = []

    def connect(user: str | None = None) -> TestClient:
        browser = WebClient(app)
        if user is not None:
            assert browser.get(f"/login/{user}").status_code == 200
        made.append(browser.connect(transport))
        return made[-1]

    yield connect
    for client in made:
        client.disconnect()


def wait(condition: Callable[[], Any]) -> bool:
    """Whether something comes true."""
    return eventually(choose_runtime(), condition)


def refusal(connect: Connect) -> tuple[int | None, Any]:
    """With what a connection is refused."""
    with pytest.raises(ConnectionError) as caught:
        connect()
    return caught.value.status, caught.value.answer


def sid_of(client: TestClient) -> str:
    """Who it is."""
    assert client.sid is not None
    return client.sid


# ---------------------------------------------------------------------- what is current


def test_the_session_of_the_login(app: App, connect: Connect) -> None:
    """Every event knows who has logged in by HTTP, and each client is itself."""
    seen: list[tuple[str, Any]] = []
    app.on("connect")(lambda sid, environ: seen.append(("connect", session["name"])))
    app.on("message")(lambda sid, data: app.send(sid, f"{session['name']}: {data}"))
    app.on("disconnect")(lambda sid, reason: seen.append(("disconnect", session["name"])))
    ada, ben = connect("ada"), connect("ben")
    ada.send("hello")
    ben.send("hi")
    assert [ada.receive(), ben.receive()] == ["ada: hello", "ben: hi"]
    ben.disconnect()
    assert wait(lambda: len(seen) == 3)
    assert seen == [("connect", "ada"), ("connect", "ben"), ("disconnect", "ben")]


def test_without_a_login(app: App, connect: Connect) -> None:
    """The session of somebody without a cookie is empty, and so is one with a cookie that is not ours."""
    app.on("message")(lambda sid, data: app.send(sid, dict(session)))
    client = connect()
    client.send("x")
    assert client.receive() == {}
    forged = TestClient(app)
    forged.connect(headers={"Cookie": "session=eyJuYW1lIjoiYWRhIn0.aaaa.bbbb"})
    forged.send("x")
    assert forged.receive() == {}
    forged.disconnect()


def test_the_session_of_a_connection_is_one(app: App, connect: Connect) -> None:
    """What an event changes in it the next ones see, of this connection only; the cookie stays as it is."""

    @app.on("message")
    def message(sid: str, data: Any) -> None:
        session["count"] = session.get("count", 0) + 1
        app.send(sid, [session["count"]])

    first, second = connect("ada"), connect("ada")
    for client, count in ((first, 1), (first, 2), (second, 1)):
        client.send("x")
        assert client.receive() == [count]


def test_g_is_fresh(app: App, connect: Connect) -> None:
    """Each event has a `g` of its own, which its handlers share."""
    app.on("connect")(lambda sid: setattr(g, "name", "connect"))

    @app.on("message")
    def first(sid: str, data: Any) -> None:
        app.send(sid, list(g))
        g.first = data

    @app.on("message")
    def second(sid: str, data: Any) -> None:
        app.send(sid, list(g))

    client = connect()
    for _ in range(2):
        client.send("x")
        assert [client.receive(), client.receive()] == [[], ["first"]]


def test_the_app_is_current(app: App, connect: Connect, template: Callable[[str, str], None]) -> None:
    """`current_app`, `request`, `url_for` and templates work as in a view."""
    template(
        "message.html", "{{ data }} {{ session.name }} {{ request.path }} {{ url_for('login', name='x') }} {{ more }}"
    )
    app.context_processor(lambda: {"more": "more"})
    answers = {
        "app": lambda: current_app.name,
        "path": lambda: request.path,
        "argument": lambda: request.args["EIO"],
        "body": lambda: [request.get_data().decode(), dict(request.form), request.get_json(silent=True)],
        "url": lambda: url_for("login", name="ada"),
        "external": lambda: url_for("login", name="ada", _external=True),
        "template": lambda: render_template("message.html", data="<b>"),
        "string": lambda: render_template_string("{{ g.x }}{{ config.REALTIME_PATH }}"),
        "repr": lambda: repr(current_context()),
    }
    app.on("message")(lambda sid, data: app.send(sid, answers[data]()))
    client = connect("ada")
    found = {}
    for name in answers:
        client.send(name)
        found[name] = client.receive()
    assert found == {
        "app": "tests.unit.web",
        "path": "/engine.io/",
        "argument": "4",
        "body": ["", {}, None],
        "url": "/login/ada",
        "external": "http://testserver/login/ada",
        "template": "&lt;b&gt; ada /engine.io/ /login/x more",
        "string": "engine.io",
        "repr": "<Context of GET /engine.io/ in tests.unit.web>",
    }


def test_the_functions_of_requests_are_not_called(app: App, connect: Connect) -> None:
    """Of all that surrounds requests an event has `teardown_appcontext` only: once, after its handlers."""
    calls: list[str] = []
    app.before_request(lambda: calls.append("before"))
    app.after_request(lambda response: (calls.append("after"), response)[1])
    app.teardown_request(lambda exc: calls.append("teardown"))
    app.url_value_preprocessor(lambda endpoint, values: calls.append("values"))
    app.teardown_appcontext(lambda exc: calls.append(f"end {g.event} {type(exc).__name__}"))
    runtime = choose_runtime()
    ended = runtime.event()

    def event(name: str) -> Callable[..., None]:
        def note(*args: Any) -> None:
            g.event = name
            calls.append(name)

        return note

    for name in ("connect", "message", "disconnect"):
        app.on(name)(event(name))
    app.on("message")(lambda sid, data: ended.set())
    client = connect()
    client.send("x")
    assert ended.wait(5)
    client.disconnect()
    expected = [part for name in ("connect", "message", "disconnect") for part in (name, f"end {name} NoneType")]
    assert wait(lambda: len(calls) >= len(expected))
    assert calls == expected


def test_an_event_that_fails(app: App, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged once and known to `teardown_appcontext`; nothing stays current, and the next one works."""
    ends: list[str] = []
    app.teardown_appcontext(lambda exc: ends.append(type(exc).__name__))

    @app.on("message")
    def message(sid: str, data: Any) -> None:
        app.send(sid, [1 // data["by"]])

    client = connect()
    client.send({"by": 0})
    client.send({"by": 1})
    assert client.receive() == [1]
    assert wait(lambda: len(ends) == 3)
    assert ends == ["NoneType", "ZeroDivisionError", "NoneType"]
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


def test_several_handlers(app: App, connect: Connect) -> None:
    """They are called in the order in which they were registered, with as many arguments as they take."""
    calls: list[Any] = []
    app.on("connect")(lambda sid: calls.append(("connect", 1)))
    app.on("connect")(lambda sid, environ: calls.append(("connect", environ["REQUEST_METHOD"])))
    app.on("message")(lambda sid, data: calls.append(("message", 1)))
    app.on("message")(lambda sid, data, more="default": calls.append(("message", more)))
    app.on("disconnect")(lambda sid: calls.append(("disconnect", 1)))
    app.on("disconnect")(lambda sid, reason: calls.append(("disconnect", reason)))
    app.on("disconnect")(lambda *args: calls.append(("disconnect", len(args))))
    client = connect()
    client.send("x")
    assert wait(lambda: len(calls) == 4)
    client.disconnect()
    assert wait(lambda: len(calls) == 7)
    assert calls == [
        ("connect", 1), ("connect", "GET"), ("message", 1), ("message", "default"), ("disconnect", 1),
        ("disconnect", "client disconnect"), ("disconnect", 2),
    ]  # fmt: skip


def test_events_of_a_blueprint(app: App, connect: Connect) -> None:
    """A blueprint registers handlers for the app, in the order of its registration; they return the function."""
    part = Blueprint("part", __name__)

    @part.on("message")
    def message(sid: str, data: Any) -> None:
        app.send(sid, f"part {data}")

    assert callable(message)
    app.on("message")(lambda sid, data: app.send(sid, f"app {data}"))
    app.register_blueprint(part)
    client = connect()
    client.send("x")
    assert [client.receive(), client.receive()] == ["app x", "part x"]


# ---------------------------------------------------------------------- who may connect


def raising(error: BaseException) -> Callable[..., Any]:
    """A handler that fails."""

    def handler(sid: str) -> None:
        raise error

    return handler


@pytest.mark.parametrize(
    ("handler", "answer"),
    [
        (lambda sid: False, "Unauthorized"),
        (lambda sid: "log in first", "log in first"),
        (lambda sid: {"code": 7}, {"code": 7}),
        (lambda sid: abort(403, "not you"), "not you"),
        (raising(ZeroDivisionError()), "Unauthorized"),
    ],
    ids=["False", "reason", "value", "abort", "exception"],
)
def test_rejection(app: App, connect: Connect, handler: Callable[..., Any], answer: Any) -> None:
    """A handler rejects by False, by a reason, by `abort` or by failing: no other one is asked, nothing is kept, and no
    error of a rejection is a 500."""
    asked: list[str] = []
    app.on("connect")(lambda sid: app.join(sid, "room"))
    app.on("connect")(handler)
    app.on("connect")(lambda sid: asked.append(sid))
    app.on("disconnect")(lambda sid: asked.append(sid))
    status, got = refusal(connect)
    assert (status, asked) == (401, [])
    if answer != "Unauthorized":
        assert got == answer
    assert_nothing_is_kept(app)
    assert not has_app_context()


def test_abort_without_words(app: App, connect: Connect) -> None:
    """`abort(403)` rejects with Werkzeug's words for it."""
    app.on("connect")(lambda sid: abort(403))
    status, answer = refusal(connect)
    assert status == 401
    assert "permission" in answer


@pytest.mark.parametrize("verdict", [None, True])
def test_acceptance(app: App, connect: Connect, verdict: Any) -> None:
    """Nothing, and True, accept."""
    app.on("connect")(lambda sid: verdict)
    assert connect().state == "connected"


def test_an_untrusted_host(app: App, connect: Connect) -> None:
    """A handshake for a host that is not of `TRUSTED_HOSTS` is refused before a handler sees it, as any request is."""
    asked: list[str] = []
    app.on("connect")(asked.append)
    app.config["TRUSTED_HOSTS"] = ["testserver"]
    connect()
    assert len(asked) == 1
    app.config["TRUSTED_HOSTS"] = ["example.com"]
    status, _ = refusal(connect)
    assert (status, len(asked)) == (401, 1)


def test_without_handlers(app: App, connect: Connect) -> None:
    """An app that has only wanted `realtime` accepts everybody, and can send."""
    client = connect()
    client.send("nobody listens")
    app.send(sid_of(client), {"a": 1})
    assert client.receive() == {"a": 1}


# ---------------------------------------------------------------------- rooms


@pytest.fixture
def room(app: App) -> str:
    """A room that clients join by saying 'join', and leave by saying 'leave'; 'sync' is answered."""

    @app.on("message")
    def message(sid: str, data: str) -> None:
        {"join": app.join, "leave": app.leave, "sync": lambda *args: None}[data](sid, "room")
        app.send(sid, data)

    return "room"


def says(client: TestClient, *words: str) -> None:
    """Send words, and wait until they were understood."""
    for word in words:
        client.send(word)
        assert client.receive() == word


def test_rooms(app: App, connect: Connect, room: str) -> None:
    """What is sent to a room gets to those who are in it, once, however often they have joined."""
    ada, ben, eve = connect(), connect(), connect()
    says(ada, "join", "join")
    says(ben, "join")
    app.broadcast("hello", room=room)
    assert [ada.receive(), ben.receive()] == ["hello", "hello"]
    says(ben, "leave", "leave")
    app.broadcast("again", room=room)
    assert ada.receive() == "again"
    for client in (ada, ben, eve):
        says(client, "sync")
    assert app.realtime.members(room) == {ada.sid}
    assert (app.realtime.rooms(sid_of(ada)), app.realtime.rooms(sid_of(ben))) == ({room}, set())


def test_broadcast(app: App, connect: Connect, room: str) -> None:
    """Without a room it is for all; `skip` leaves one out, also in a room."""
    ada, ben, eve = connect(), connect(), connect()
    for client in (ada, ben):
        says(client, "join")
    app.broadcast("all")
    app.broadcast("not ada", skip=ada.sid)
    app.broadcast("room", room=room)
    app.broadcast("room without ben", room=room, skip=ben.sid)
    app.broadcast("nobody", room="empty")
    app.realtime.broadcast("some", [sid_of(eve)])
    app.realtime.broadcast("some without", [sid_of(eve), sid_of(ben)], skip=eve.sid)
    for client in (ada, ben, eve):
        app.send(sid_of(client), "end")
    heard = []
    for client in (ada, ben, eve):
        words = iter(client.receive, "end")
        heard.append(list(words))
    assert heard == [
        ["all", "room", "room without ben"],
        ["all", "not ada", "room", "some without"],
        ["all", "not ada", "some"],
    ]


def test_what_a_room_can_be(app: App, connect: Connect) -> None:
    """Anything hashable names a room, and rooms with other names are others."""
    client = connect()
    for name in (1, ("game", 7), "1"):
        app.join(sid_of(client), name)
    assert app.realtime.rooms(sid_of(client)) == {1, ("game", 7), "1"}
    app.broadcast("seven", room=("game", 7))
    assert client.receive() == "seven"
    app.broadcast("eight", room=("game", 8))
    with pytest.raises(RequestTimeout):
        client.receive(timeout=0.05)


def test_rooms_are_left_at_the_end(app: App, connect: Connect) -> None:
    """Who disconnects is in his rooms until the last handler for that has returned, and then in none."""
    inside: list[Any] = []

    @app.on("disconnect")
    def first(sid: str) -> None:
        inside.append(sid in app.realtime.members("room"))
        app.broadcast("gone", room="room", skip=sid)

    app.on("disconnect")(lambda sid: inside.append(app.realtime.rooms(sid)))
    app.on("connect")(lambda sid: app.join(sid, "room"))
    ada, ben = connect(), connect()
    ben.disconnect()
    assert ada.receive() == "gone"
    assert wait(lambda: app.realtime.members("room") == {ada.sid})
    assert inside == [True, {"room"}]


def test_unknown_clients(app: App, connect: Connect) -> None:
    """Nobody joins who is not there; to leave, to ask and to send to who is gone does nothing."""
    client = connect()
    sid = sid_of(client)
    client.disconnect()
    assert wait(lambda: not app.realtime._people)
    with pytest.raises(KeyError):
        app.join(sid, "room")
    with pytest.raises(KeyError):
        app.join("nobody", "room")
    app.leave(sid, "room")
    app.leave("nobody", "room")
    app.broadcast("x", room="room")
    assert app.realtime.rooms(sid) == app.realtime.members("room") == set()
    assert_nothing_is_kept(app)


def assert_nothing_is_kept(app: App) -> None:
    """Of people who have gone nothing is there any more."""
    assert wait(lambda: not app.realtime.sockets)
    assert wait(lambda: not app.realtime._people)
    assert not app.realtime._rooms


def test_nothing_is_kept(app: App, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """When they have gone, neither people nor rooms nor sessions are kept, also if a handler has failed, whoever
    has ended it; and looking at rooms makes none."""

    class Precious:
        """What is in a session."""

    kept: list[weakref.ref[Any]] = []

    @app.on("connect")
    def on_connect(sid: str) -> None:
        precious = Precious()
        kept.append(weakref.ref(precious))
        session["precious"] = precious
        app.join(sid, sid)
        app.join(sid, "room")

    @app.on("disconnect")
    def on_disconnect(sid: str) -> None:
        app.join(sid, "another")
        raise ZeroDivisionError

    clients = [connect() for _ in range(3)]
    assert (len(app.realtime._people), len(app.realtime._rooms)) == (3, 4)
    assert app.realtime.members("nobody there") == set()
    app.broadcast("x", room="nobody there either")
    app.leave(sid_of(clients[0]), "not in there")
    assert len(app.realtime._rooms) == 4
    clients[0].disconnect()
    for client in clients[1:]:
        app.realtime.disconnect(sid_of(client))
    assert_nothing_is_kept(app)
    caplog.clear()  # the records have tracebacks, which have all of it
    clients.clear()

    def are_gone() -> bool:
        gc.collect()
        return all(reference() is None for reference in kept)

    assert wait(are_gone)


# ---------------------------------------------------------------------- registering


@pytest.mark.parametrize("event", ["conect", "", "Message", "error"])
def test_wrong_events(app: App, event: str) -> None:
    """Another event does not exist; the error has those that do."""
    with pytest.raises(ValueError, match="connect, message, disconnect"):
        app.on(event)(lambda *args: None)


@pytest.mark.parametrize(
    ("event", "function"),
    [
        ("connect", lambda: None),
        ("connect", lambda sid, environ, more: None),
        ("message", lambda sid: None),
        ("message", lambda sid, data, more: None),
        ("disconnect", lambda: None),
        ("disconnect", lambda sid, *, reason: None),
    ],
)
def test_wrong_signatures(app: App, event: str, function: Callable[..., Any]) -> None:
    """A function that cannot be called with what comes is refused when it is registered, and not when it comes."""
    with pytest.raises(TypeError, match=f"a function for {event!r} takes"):
        app.on(event)(function)


def test_on_returns_the_function(app: App) -> None:
    """A decorated function is what it was."""

    def message(sid: str, data: Any) -> None:
        pass

    assert app.on("message")(message) is message


def test_the_path(app: App) -> None:
    """`REALTIME_PATH` and `REALTIME_OPTIONS` say where it is and how; pages are where they were."""
    app.config.update(REALTIME_PATH="/live/", REALTIME_OPTIONS={"ping_interval": 7})
    app.add_url_rule("/", "index", lambda: "page")
    app.on("message")(lambda sid, data: app.send(sid, data))
    assert app.test_client().get("/").text == "page"
    assert app.test_client().get("/engine.io/").status_code == 404
    client = WebClient(app).connect("polling")
    client.send("x")
    assert client.receive() == "x"
    client.disconnect()
    assert app.realtime.config.ping_interval == 7


def test_options_are_not_shared(app: App) -> None:
    """What is put into the options of one app is not in those of another."""
    app.config["REALTIME_OPTIONS"]["ping_interval"] = 7
    assert App("other", root_path="/").config["REALTIME_OPTIONS"] == {}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_script_of_browsers(app: App, method: str) -> None:
    """Pages find the client for browsers beside the events, and ask again only whether it has changed."""
    app.config["REALTIME_PATH"] = "live"
    assert app.realtime is not None
    with app.test_client().open("/live/syncio-client.js", method=method) as answer:
        assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
        assert answer.content_length == SCRIPT.stat().st_size
        etag = answer.headers["ETag"]
    with app.test_client().get("/live/syncio-client.js", headers={"If-None-Match": etag}) as again:
        assert again.status_code == 304
