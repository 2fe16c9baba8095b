"""The test client of `syncio.web`: pages and events with one set of cookies."""

from __future__ import annotations

import pytest

from syncio import ConnectionError
from syncio.testing.web import WebClient
from syncio.web import App, abort, request, session


def make_app() -> App:
    """An app with a login, whose events know who has logged in."""
    app = App(__name__)
    app.secret_key = "secret"

    @app.post("/login")
    def login() -> str:
        session["name"] = request.form["name"]
        return "welcome"

    @app.on("connect")
    def connect(sid: str) -> None:
        if "name" not in session:
            abort(403, "log in first")

    @app.on("message")
    def message(sid: str, data: str) -> None:
        app.broadcast({"from": session["name"], "text": data})

    return app


@pytest.mark.parametrize("transports", ["polling", "websocket", None])
def test_events_know_who_has_logged_in(transports: str | None) -> None:
    """A connection has the cookies that the pages have set, and two clients have each their own."""
    app = make_app()
    ada, ben = WebClient(app), WebClient(app)
    ada.post("/login", data={"name": "ada"})
    ben.post("/login", data={"name": "ben"})
    first, second = ada.connect(transports), ben.connect(transports)
    first.send("hello")
    assert first.receive() == second.receive() == {"from": "ada", "text": "hello"}
    second.send("hi")
    assert first.receive() == second.receive() == {"from": "ben", "text": "hi"}
    first.disconnect()
    second.disconnect()
    app.realtime.shutdown()


def test_who_has_not_logged_in_is_refused() -> None:
    """Without the cookie the app says no, and why."""
    app = make_app()
    with pytest.raises(ConnectionError, match="log in first"):
        WebClient(app).connect()
    with pytest.raises(ConnectionError, match="log in first"):
        WebClient(app, use_cookies=False).connect()
    app.realtime.shutdown()
