"""URLs of views by their names."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.routing import BuildError

from syncio.web import App, Blueprint, url_for


@pytest.fixture(autouse=True)
def rules(app: App) -> None:
    """Rules to build URLs of."""
    app.add_url_rule("/", "index", print)
    app.add_url_rule("/user/<name>", "user", print)
    app.add_url_rule("/item/<int:number>", "item", print)
    app.add_url_rule("/post", "post", print, methods=["POST"])
    app.add_url_rule("/get", "post", print)


@pytest.mark.parametrize(
    ("endpoint", "values", "url"),
    [
        ("index", {}, "/"),
        ("index", {"q": "a b&c"}, "/?q=a+b%26c"),
        ("index", {"q": [1, 2]}, "/?q=1&q=2"),
        ("index", {"q": None}, "/"),
        ("user", {"name": "café?#"}, "/user/caf%C3%A9%3F%23"),
        ("item", {"number": 7, "x": "y"}, "/item/7?x=y"),
        ("index", {"_anchor": "a b"}, "/#a%20b"),
        ("index", {"_anchor": ""}, "/#"),
        ("index", {"_external": True}, "http://localhost/"),
        ("index", {"_scheme": "https"}, "https://localhost/"),
        ("index", {"_external": True, "_scheme": "https", "_anchor": "x"}, "https://localhost/#x"),
        ("post", {"_method": "POST"}, "/post"),
        ("post", {"_method": "GET"}, "/get"),
        ("static", {"filename": "a/b.css"}, "/static/a/b.css"),
    ],
)
def test_urls(app: App, endpoint: str, values: dict[str, Any], url: str) -> None:
    """Values go into the rule, what it does not know into the query, and some say how the URL looks."""
    with app.test_request_context("/x"):
        assert url_for(endpoint, **values) == app.url_for(endpoint, **values) == url


@pytest.mark.parametrize(("endpoint", "values"), [("missing", {}), ("user", {}), ("item", {"number": "x"})])
def test_what_cannot_be_built(app: App, endpoint: str, values: dict[str, Any]) -> None:
    """An unknown view and a missing value are errors."""
    with app.test_request_context(), pytest.raises((BuildError, ValueError)):
        url_for(endpoint, **values)


def test_a_scheme_without_a_host(app: App) -> None:
    """A scheme makes a URL external, so it cannot be without."""
    with app.test_request_context(), pytest.raises(ValueError, match="_external=True"):
        url_for("index", _scheme="https", _external=False)


def test_outside_of_a_request(app: App) -> None:
    """Without a request URLs are external, and need the server's name; they need no context either."""
    with app.app_context(), pytest.raises(RuntimeError, match="SERVER_NAME"):
        url_for("index")
    app.config.update(SERVER_NAME="example.com", APPLICATION_ROOT="/below", PREFERRED_URL_SCHEME="https")
    with app.app_context():
        assert url_for("index") == "https://example.com/below/"
        assert url_for("index", _external=False) == "/below/"
    assert app.url_for("index") == "https://example.com/below/"


def test_of_another_app(app: App) -> None:
    """The URL of another app's view is not built with this app's request."""
    other = App("other", root_path="/")
    other.add_url_rule("/other", "index", print)
    other.config["SERVER_NAME"] = "other.com"
    with app.test_request_context():
        assert other.url_for("index") == "http://other.com/other"


def test_where_the_app_is(app: App) -> None:
    """An app below a path has that in its URLs."""
    with app.test_request_context("/", base_url="https://example.com/below"):
        assert url_for("index") == "/below/"
        assert url_for("index", _external=True) == "https://example.com/below/"


def test_relative_names(app: App) -> None:
    """'.name' is of the same blueprint, and of the app outside of one."""
    part = Blueprint("part", __name__, url_prefix="/part")
    part.add_url_rule("/", "index", lambda: url_for(".index"))
    app.register_blueprint(part)
    app.add_url_rule("/app", "app", lambda: url_for(".index"))
    client = app.test_client()
    assert [client.get(path).text for path in ("/part/", "/app")] == ["/part/", "/"]


def test_who_helps_with_what_cannot_be_built(app: App) -> None:
    """Functions of `url_build_error_handlers` are asked in their order, with all values; the last error is raised."""
    asked: list[Any] = []

    def first(error: BuildError, endpoint: str, values: dict[str, Any]) -> str | None:
        asked.append((endpoint, values["a"], values["_anchor"]))
        return None

    def second(error: BuildError, endpoint: str, values: dict[str, Any]) -> str | None:
        if endpoint == "worse":
            raise BuildError("worst", {}, None)
        return f"/{endpoint}" if endpoint == "known" else None

    app.url_build_error_handlers += [first, second]
    with app.test_request_context():
        assert url_for("known", a=1, _anchor="x") == "/known"
        assert asked == [("known", 1, "x")]
        with pytest.raises(BuildError, match="unknown"):
            url_for("unknown", a=1)
        with pytest.raises(BuildError, match="worst"):
            url_for("worse", a=1)
