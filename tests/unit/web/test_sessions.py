"""Sessions: what they keep, when their cookie is sent, and for how long. Forged ones are in test_security."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from werkzeug.http import parse_cookie

from syncio.web import App, Request, Response, session
from syncio.web.sessions import LockedSession, Session, SessionCookies
from syncio.web.testing import AppClient


def view(app: App, path: str, act: Callable[[], Any]) -> None:
    """A view that does something with the session."""
    app.add_url_rule(path, path, lambda: (act(), "x")[1])


def set_cookie(response: Any) -> str | None:
    """The cookie that a response sets."""
    header: str | None = response.headers.get("Set-Cookie")
    return header


def test_a_session(app: App, client: AppClient) -> None:
    """What one request writes the next one reads, of the same client only."""
    view(app, "/set", lambda: session.update(a=1))
    app.add_url_rule("/", "show", lambda: dict(session))
    client.get("/set")
    assert client.get("/").json == {"a": 1}
    assert app.test_client().get("/").json == {}


def test_when_it_is_sent(app: App, client: AppClient) -> None:
    """A session that did not change is not sent again, and none is not sent at all."""
    view(app, "/none", lambda: None)
    view(app, "/look", lambda: session.get("a"))
    view(app, "/set", lambda: session.update(a=1))
    view(app, "/pop", lambda: session.pop("missing", None))
    sent = [set_cookie(client.get(path)) is not None for path in ("/none", "/look", "/set", "/look", "/none", "/pop")]
    assert sent == [False, False, True, False, False, False]


def test_a_change_inside_of_a_value(app: App, client: AppClient) -> None:
    """Of that the session has to be told."""
    view(app, "/set", lambda: session.update(a=[]))
    view(app, "/silent", lambda: session["a"].append("silent"))
    view(app, "/told", lambda: (session["a"].append("told"), setattr(session, "modified", True)))
    app.add_url_rule("/", "show", lambda: session["a"])
    for path in ("/set", "/silent", "/told"):
        client.get(path)
    assert client.get("/").json == ["told"]


def test_an_empty_session_is_deleted(app: App, client: AppClient) -> None:
    """The cookie goes when nothing is in it any more."""
    view(app, "/set", lambda: session.update(a=1))
    view(app, "/clear", lambda: session.clear())
    client.get("/set")
    assert client.get_cookie("session") is not None
    assert "Max-Age=0" in str(set_cookie(client.get("/clear")))
    assert client.get_cookie("session") is None


def test_permanent(app: App, client: AppClient) -> None:
    """A permanent session outlives the browser, and each request lets it live on, unless that is switched off."""

    def make() -> None:
        session["a"] = 1
        session.permanent = True

    view(app, "/set", make)
    view(app, "/none", lambda: None)
    app.permanent_session_lifetime = timedelta(days=2)
    for path in ("/set", "/none"):
        [expires] = [part for part in str(set_cookie(client.get(path))).split("; ") if part.startswith("Expires=")]
        when = datetime.strptime(expires, "Expires=%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=timezone.utc)
        assert abs(when - datetime.now(timezone.utc) - timedelta(days=2)) < timedelta(minutes=1)
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    assert set_cookie(client.get("/none")) is None
    assert "Expires" in str(set_cookie(client.get("/set")))


def test_not_permanent(app: App, client: AppClient) -> None:
    """Others end with the browser: their cookie has no date."""
    view(app, "/set", lambda: session.update(a=1))
    header = str(set_cookie(client.get("/set")))
    assert "Expires" not in header and "Max-Age" not in header


def test_the_path_of_the_application(app: App, client: AppClient) -> None:
    """An app that is not at the root has its cookie there."""
    app.config["APPLICATION_ROOT"] = "/below"
    view(app, "/set", lambda: session.update(a=1))
    assert "Path=/below" in str(set_cookie(client.get("/set")))


def test_what_it_knows() -> None:
    """A session knows whether it is new and was changed; to look at it changes nothing."""
    made = Session({"a": 1})
    assert (made.modified, made.new, Session(new=True).new, made.permanent) == (False, False, True, False)
    assert (made["a"], made.get("b"), "a" in made, list(made), made.modified) == (1, None, True, ["a"], False)


CHANGES: list[Callable[[Any], Any]] = [
    lambda s: s.__setitem__("b", 1),
    lambda s: s.__delitem__("a"),
    lambda s: s.update(b=1),
    lambda s: s.pop("a"),
    lambda s: s.popitem(),
    lambda s: s.clear(),
    lambda s: s.setdefault("b", 1),
    lambda s: s.__ior__({"b": 1}),
    lambda s: setattr(s, "permanent", True),
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change(change: Callable[[Any], Any]) -> None:
    """It notices each way to change it."""
    made = Session({"a": 1})
    change(made)
    assert made.modified
    assert made.accessed


def test_a_locked_session_can_be_read() -> None:
    """It is empty, like any new one."""
    locked = LockedSession()
    assert (dict(locked), locked.get("a", 1), "a" in locked, len(locked), locked.permanent) == ({}, 1, False, 0, False)


def test_what_is_signed_but_no_session(app: App, client: AppClient) -> None:
    """A cookie with our signature that holds no JSON, of an older version of the app, is an empty session."""

    class Words:
        """Another format."""

        dumps = staticmethod(lambda value: value)
        loads = staticmethod(lambda text: text)

    class Older(SessionCookies):
        """An interface that wrote in it."""

        serializer = Words()

    signer = Older().get_signing_serializer(app)
    assert signer is not None
    app.add_url_rule("/", "show", lambda: dict(session))
    app.testing = True
    client.set_cookie("session", str(signer.dumps("no json")))
    assert client.get("/").json == {}


def test_an_interface_of_ones_own(app: App, client: AppClient) -> None:
    """Sessions can be kept elsewhere."""
    store: dict[str, dict[str, Any]] = {}

    class Stored(SessionCookies):
        """Keeps them here, and their name in the cookie."""

        def open_session(self, app: App, request: Request) -> Session:
            return Session(store.get(request.cookies.get("id", ""), {}))

        def save_session(self, app: App, session: Session, response: Response) -> None:
            store["1"] = dict(session)
            response.set_cookie("id", "1")

    app.session_interface = Stored()
    view(app, "/set", lambda: session.update(a=1))
    app.add_url_rule("/", "show", lambda: dict(session))
    response = client.get("/set")
    assert parse_cookie(str(set_cookie(response)))["id"] == "1"
    assert (client.get("/").json, store) == ({"a": 1}, {"1": {"a": 1}})
