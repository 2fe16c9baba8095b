"""Views as classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncio.web import App, MethodView, View, request
from syncio.web.testing import AppClient


class Counter(View):
    """Counts how often this object was asked."""

    def __init__(self, start: int = 0) -> None:
        self.count = start

    def dispatch_request(self, **values: Any) -> Any:
        """The count and the values."""
        self.count += 1
        return [self.count, values]


class Single(Counter):
    """One object for all requests."""

    init_every_request = False


def test_a_view(app: App, client: AppClient) -> None:
    """There is a new object for each request, with the arguments of the registration."""
    app.add_url_rule("/<name>", view_func=Counter.as_view("counter", start=5))
    assert [client.get("/x").json for _ in range(2)] == [[6, {"name": "x"}]] * 2
    assert set(app.view_functions) == {"static", "counter"}


def test_one_object(app: App, client: AppClient) -> None:
    """Or one for all, if the class says so."""
    app.add_url_rule("/", view_func=Single.as_view("single", 5))
    assert [client.get("/").json for _ in range(2)] == [[6, {}], [7, {}]]


def test_what_a_view_function_is() -> None:
    """It has the name that was given, the class's words and module, and the class."""
    view: Any = Counter.as_view("counter")
    assert (view.__name__, view.__doc__, view.__module__) == ("counter", Counter.__doc__, __name__)
    assert view.view_class is Counter


def test_decorators(app: App, client: AppClient) -> None:
    """They are around the view, the last one outermost; the name stays."""

    def around(word: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            return lambda **values: f"{word}({view(**values)})"

        return decorator

    class Decorated(View):
        decorators = [around("inner"), around("outer")]  # noqa: RUF012

        def dispatch_request(self) -> str:
            return "x"

    app.add_url_rule("/", view_func=Decorated.as_view("name"))
    assert client.get("/").text == "outer(inner(x))"
    assert "name" in app.view_functions


@pytest.mark.parametrize(("of_class", "of_rule", "expected"), [
    (None, None, {"GET"}), (["POST", "PUT"], None, {"POST", "PUT"}), (["POST"], ["DELETE"], {"DELETE"}),
])  # fmt: skip
def test_methods_of_a_view(app: App, client: AppClient, of_class: Any, of_rule: Any, expected: set[str]) -> None:
    """Those of the class, unless the rule has its own; GET if nobody says anything."""

    class Some(View):
        methods = of_class

        def dispatch_request(self) -> str:
            return "x"

    app.add_url_rule("/", view_func=Some.as_view("some"), methods=of_rule)
    names = ("GET", "POST", "PUT", "DELETE")
    assert {name for name in names if client.open("/", method=name).status_code == 200} == expected


class Resource(MethodView):
    """Has two methods."""

    def get(self, **values: Any) -> Any:
        """Answer GET."""
        return {"got": values}

    def post(self, **values: Any) -> Any:
        """Answer POST."""
        return f"{request.method}"


class More(Resource):
    """One more, and another way to post."""

    def delete(self) -> str:
        """Answer DELETE."""
        return "deleted"

    def post(self) -> str:
        """Answer POST."""
        return "more"


def test_a_method_view(app: App, client: AppClient) -> None:
    """Each method has its function; HEAD is answered by GET's; others are 405, and OPTIONS says which."""
    app.add_url_rule("/<name>", view_func=Resource.as_view("resource"))
    assert client.get("/x").json == {"got": {"name": "x"}}
    assert client.post("/x").text == "POST"
    assert (client.head("/x").status_code, client.head("/x").data) == (200, b"")
    assert client.delete("/x").status_code == 405
    assert set(client.options("/x").allow) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_a_method_view_that_inherits(app: App, client: AppClient) -> None:
    """It has the methods of its bases too, and its own in their place."""
    app.add_url_rule("/", view_func=More.as_view("more"))
    assert [client.open("/", method=name).text for name in ("POST", "DELETE")] == ["more", "deleted"]
    assert set(client.options("/").allow) == {"GET", "HEAD", "OPTIONS", "POST", "DELETE"}


def test_head_of_ones_own(app: App, client: AppClient) -> None:
    """A class may answer HEAD and OPTIONS itself."""

    class Own(MethodView):
        def get(self) -> str:
            return "get"

        def head(self) -> Any:
            return "", 204

        def options(self) -> str:
            return "options"

    app.add_url_rule("/", view_func=Own.as_view("own"))
    assert (client.head("/").status_code, client.options("/").text) == (204, "options")


def test_what_is_missing(app: App, client: AppClient) -> None:
    """A view without `dispatch_request`, and a method that the rule allows and the class lacks, are errors."""
    app.testing = True
    app.add_url_rule("/none", view_func=View.as_view("none"))
    app.add_url_rule("/put", view_func=Resource.as_view("put"), methods=["PUT"])
    with pytest.raises(NotImplementedError):
        client.get("/none")
    with pytest.raises(AssertionError, match="no PUT in Resource"):
        client.put("/put")
