"""Answers by a call."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.exceptions import HTTPException, NotFound

from syncio.web import App, Response, abort, make_response, redirect


def test_make_response(app: App) -> None:
    """What a view may return is a response; nothing is an empty one."""
    with app.test_request_context():
        assert (make_response().data, make_response().status_code) == (b"", 200)
        assert make_response("x").data == b"x"
        response = make_response({"a": 1}, 201, {"X-A": "1"})
        assert (response.json, response.status_code, response.headers["X-A"]) == ({"a": 1}, 201, "1")
        assert make_response(("x", 404)).status_code == 404


@pytest.mark.parametrize("code", [301, 302, 303, 305, 307, 308])
def test_redirect(app: App, code: int) -> None:
    """The target and the code are in it; the response is the app's."""
    with app.app_context():
        response = redirect("/café?a=b#c", code)
    assert (type(response), response.status_code) == (app.response_class, code)
    assert response.get_wsgi_headers({})["Location"] == "/caf%C3%A9?a=b#c"
    assert redirect("/").status_code == 302, "it works without an app"


def test_abort() -> None:
    """It raises the error of the code, with a description, or a response as it is."""
    with pytest.raises(NotFound) as not_found:
        abort(404, "not here")
    assert not_found.value.description == "not here"
    response: Any = Response("x", 418)
    with pytest.raises(HTTPException) as caught:
        abort(response)
    assert caught.value.get_response() is response
    with pytest.raises(LookupError):
        abort(99)


def test_the_size_of_cookies(app: App) -> None:
    """A cookie that browsers would drop is warned of; `MAX_COOKIE_SIZE` says from when on."""
    with app.app_context():
        response = make_response("x")
        with pytest.warns(UserWarning, match="too large"):
            response.set_cookie("a", "x" * 4100)
        app.config["MAX_COOKIE_SIZE"] = 0
        response.set_cookie("a", "x" * 4100)
    with pytest.warns(UserWarning, match="too large"):
        Response().set_cookie("a", "x" * 4100)
