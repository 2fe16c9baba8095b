"""The names of the original's first weeks do what those of today do."""

from __future__ import annotations

import pytest
from werkzeug.exceptions import NotFound

import syncio.web
from syncio.web import App, Request, Response, request, session


def test_classes() -> None:
    """The app, the request and the response have their first names too."""
    assert syncio.web.Flask is App
    assert syncio.web.FlaskRequest is Request
    assert syncio.web.FlaskResponse is Response


def test_request_init(app: App) -> None:
    """What a function of `request_init` returns is the answer."""

    @app.request_init
    def closed() -> str:
        return "closed"

    app.add_url_rule("/", "index", lambda: "open")
    assert app.test.get("/").text == "closed"
    assert app.request_init_funcs == [closed] == app.before_request_funcs[None]


def test_request_shutdown(app: App) -> None:
    """A function of `request_shutdown` gets the response and returns one."""

    @app.request_shutdown
    def marked(response: Response) -> Response:
        response.headers["X-Seen"] = "yes"
        return response

    app.add_url_rule("/", "index", lambda: "open")
    assert app.test.get("/").headers["X-Seen"] == "yes"
    assert app.request_shutdown_funcs == [marked] == app.after_request_funcs[None]


def test_lists_of_functions(app: App) -> None:
    """A function that is put into the list is called."""
    app.request_init_funcs.append(lambda: "closed")
    app.add_url_rule("/", "index", lambda: "open")
    assert app.test.get("/").text == "closed"


def test_match_request(app: App) -> None:
    """`match_request` gives the endpoint and the values of the URL."""
    app.add_url_rule("/user/<int:id>", "user", lambda id: str(id))
    with app.test_request_context("/user/7"):
        assert app.match_request() == ("user", {"id": 7})
        assert app.dispatch_request() == "7"


def test_match_request_without_a_rule(app: App) -> None:
    """`match_request` raises why no rule matches."""
    with app.test_request_context("/nowhere"), pytest.raises(NotFound):
        app.match_request()


def test_test(app: App) -> None:
    """`test` is one client, which keeps its cookies."""
    app.add_url_rule("/set", "set", lambda: session.update(name="Ann") or "set")
    app.add_url_rule("/get", "get", lambda: session["name"])
    assert app.test is app.test
    app.test.get("/set")
    assert app.test.get("/get").text == "Ann"


def test_session_by_hand(app: App) -> None:
    """`open_session` and `save_session` do what is done around a request."""
    response = app.response_class()
    with app.test_request_context("/"):
        opened = app.open_session(request)
        opened["name"] = "Ann"
        app.save_session(opened, response)
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    with app.test_request_context("/", headers={"Cookie": cookie}):
        assert session["name"] == "Ann"


def test_process_response(app: App) -> None:
    """`process_response` saves the session of the current request."""
    with app.test_request_context("/"):
        session["name"] = "Ann"
        response = app.process_response(app.make_response("hello"))
    assert response.headers["Set-Cookie"].startswith("session=")


def test_names_of_the_app(app: App) -> None:
    """The module, the place of static files and the cookie's name have their first names."""
    assert app.package_name == "tests.unit.web"
    assert app.static_path == "/static"
    assert app.session_cookie_name == "session"
    app.session_cookie_name = "visit"
    assert app.config["SESSION_COOKIE_NAME"] == "visit"
