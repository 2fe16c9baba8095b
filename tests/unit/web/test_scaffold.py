"""What apps and blueprints have in common: decorators that give their function back, and keys of handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.exceptions import Conflict, HTTPException, NotFound

from syncio.web import App, Blueprint
from syncio.web.scaffold import error_key


@pytest.fixture(params=["app", "blueprint"])
def scaffold(request: pytest.FixtureRequest, app: App) -> App | Blueprint:
    """Either."""
    return app if request.param == "app" else Blueprint("part", __name__)


DECORATORS: list[Callable[[Any], Callable[..., Any]]] = [
    lambda s: s.route("/"),
    lambda s: s.get("/"),
    lambda s: s.post("/"),
    lambda s: s.put("/"),
    lambda s: s.delete("/"),
    lambda s: s.patch("/"),
    lambda s: s.endpoint("name"),
    lambda s: s.before_request,
    lambda s: s.after_request,
    lambda s: s.teardown_request,
    lambda s: s.context_processor,
    lambda s: s.url_value_preprocessor,
    lambda s: s.url_defaults,
    lambda s: s.errorhandler(404),
    lambda s: s.errorhandler(KeyError),
]


@pytest.mark.parametrize("decorator", DECORATORS)
def test_decorators(scaffold: Any, decorator: Callable[[Any], Callable[..., Any]]) -> None:
    """A decorated function is what it was, and so can be decorated again."""

    def function() -> None:
        """Nothing."""

    assert decorator(scaffold)(function) is function


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch"])
def test_methods(app: App, scaffold: Any, method: str) -> None:
    """`@get` and the like are for one method, and take no others."""
    getattr(scaffold, method)("/", endpoint="name")(lambda: method)
    if scaffold is not app:
        app.register_blueprint(scaffold)
    allowed = {name for name in ("GET", "POST", "PUT", "DELETE", "PATCH") if call(app, name) == 200}
    assert allowed == {method.upper()}
    with pytest.raises(TypeError, match=f"@{method} has its method"):
        getattr(scaffold, method)("/", methods=["GET"])


def call(app: App, method: str) -> int:
    """The status of a request."""
    return app.test_client().open("/", method=method).status_code


def test_several_routes(app: App) -> None:
    """Decorators can be stacked, each with options of its own."""

    @app.get("/a")
    @app.post("/b", endpoint="b")
    def view() -> str:
        return "x"

    client = app.test_client()
    answers = [client.get("/a"), client.post("/a"), client.get("/b"), client.post("/b")]
    assert [answer.status_code for answer in answers] == [200, 405, 405, 200]
    assert set(app.view_functions) == {"static", "view", "b"}


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (404, (NotFound, 404)),
        (NotFound, (NotFound, 404)),
        (HTTPException, (HTTPException, None)),
        (KeyError, (KeyError, None)),
        (type("Own", (Conflict,), {}), None),
    ],
)
def test_error_keys(error: Any, key: Any) -> None:
    """A handler is filed under its class, and its code if that is HTTP's."""
    assert error_key(error) == (key or (error, 409))


def test_the_base_registers_no_rules() -> None:
    """What has no map of URLs cannot."""
    from syncio.web.scaffold import Scaffold

    with pytest.raises(NotImplementedError):
        Scaffold("x").add_url_rule("/")
