"""Requests and responses, as far as an app adds to them. The limits of bodies are in test_security."""

from __future__ import annotations

import io

import pytest
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import EnvironBuilder

from syncio.web import App, Request, Response, request
from syncio.web.config import DEFAULTS

LIMITS = ["max_content_length", "max_form_memory_size", "max_form_parts"]


def test_a_request_without_an_app() -> None:
    """It knows no rule, and the default limits, which can be set."""
    made = Request(EnvironBuilder("/").get_environ())
    assert (made.url_rule, made.endpoint, made.view_args, made.blueprint, made.blueprints) == (
        None,
        None,
        None,
        None,
        [],
    )
    assert [getattr(made, name) for name in LIMITS] == [DEFAULTS[name.upper()] for name in LIMITS]
    made.max_form_parts = 3
    assert (made.max_form_parts, Request(EnvironBuilder("/").get_environ()).max_form_parts) == (3, 1000)


@pytest.mark.parametrize("name", LIMITS)
def test_limits_of_the_app(app: App, name: str) -> None:
    """Each limit is the app's, until one is set for the request."""
    app.config[name.upper()] = 7
    with app.test_request_context():
        assert getattr(request, name) == 7
        setattr(request, name, 8)
        assert getattr(request, name) == 8
        setattr(request, name, None)
        assert getattr(request, name) == 7, "None is no limit of one's own"


def test_a_matched_request(app: App) -> None:
    """It has its rule, its view's name and the values of the URL; one without a match has the reason."""
    app.add_url_rule("/<int:number>", "view", lambda number: "x")
    with app.test_request_context("/7"):
        assert (request.endpoint, request.view_args, str(request.url_rule)) == ("view", {"number": 7}, "/<int:number>")
    with app.test_request_context("/x"):
        assert request.endpoint is request.view_args is request.url_rule is None
        assert request.routing_exception is not None and request.routing_exception.code == 404


def test_pieces_of_a_body_without_a_length(app: App) -> None:
    """A body of unknown length can be read in pieces, up to the limit and no further."""
    app.config["MAX_CONTENT_LENGTH"] = 10
    environ = EnvironBuilder("/", method="POST").get_environ()
    environ.update({"wsgi.input": io.BytesIO(b"x" * 20), "wsgi.input_terminated": True})
    environ.pop("CONTENT_LENGTH", None)
    with app.request_context(environ):
        assert [request.stream.read(6), request.stream.read(6)] == [b"xxxxxx", b"xxxx"]
        with pytest.raises(RequestEntityTooLarge):
            request.stream.read(6)


def test_text_is_html() -> None:
    """A response is HTML unless it says otherwise."""
    assert Response("x").mimetype == "text/html"
    assert Response("x", mimetype="text/plain").mimetype == "text/plain"
