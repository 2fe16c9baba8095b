"""What is current: per thread and per greenlet, as long as a request, a body or a `with` lasts, and no longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from syncio.runtime import Runtime
from syncio.web import (
    App,
    Response,
    abort,
    after_this_request,
    copy_current_request_context,
    current_app,
    flash,
    g,
    has_app_context,
    has_request_context,
    render_template_string,
    request,
    session,
    stream_with_context,
    url_for,
)
from syncio.web.context import current_context, found_context
from syncio.web.testing import AppClient
from tests.unit.runtime.kinds import PATIENCE

from .conftest import Together, raw

# ---------------------------------------------------------------------- tasks


def test_two_requests_at_the_same_time(app: App, runtime: Runtime, together: Together) -> None:
    """Two requests that are handled at once see their own `request`, `g` and `session`, whatever the other does."""
    inside = {"ada": runtime.event(), "ben": runtime.event()}

    @app.get("/<name>")
    def view(name: str) -> Any:
        g.name = session["name"] = name
        inside[name].set()
        assert all(event.wait(PATIENCE) for event in inside.values()), "they were not at the same time"
        return [request.path, g.name, session["name"], list(g), url_for("view", name=name)]

    answers = together(*[lambda name=name: app.test_client().get(f"/{name}").json for name in inside])
    assert answers == [[f"/{name}", name, name, ["name"], f"/{name}"] for name in inside]


def test_two_apps_at_the_same_time(runtime: Runtime, together: Together) -> None:
    """`current_app` is the one whose request it is."""
    first, second = App("first", root_path="/"), App("second", root_path="/")
    inside = {first.name: runtime.event(), second.name: runtime.event()}

    def view() -> str:
        inside[current_app.name].set()
        assert all(event.wait(PATIENCE) for event in inside.values()), "they were not at the same time"
        return current_app.name

    for app in (first, second):
        app.add_url_rule("/", "view", view)
    answers = together(lambda: first.test_client().get("/").text, lambda: second.test_client().get("/").text)
    assert answers == ["first", "second"]


def test_a_task_has_no_context(app: App, together: Together) -> None:
    """A thread or greenlet that a view starts has nothing of it, unless it is given."""
    with app.test_request_context():
        assert together(has_app_context, has_request_context) == [False, False]
        assert has_request_context()


def test_a_task_with_a_copy(app: App, runtime: Runtime, together: Together) -> None:
    """`copy_current_request_context` takes request and session along, also when the request has ended meanwhile."""
    begin = runtime.event()
    tasks: list[Callable[[], Any]] = []

    @app.get("/view/<name>")
    def view(name: str) -> str:
        session["name"] = name

        @copy_current_request_context
        def task(suffix: str) -> list[Any]:
            assert begin.wait(PATIENCE)
            found = [request.path, session["name"] + suffix, current_app.name, request.view_args]
            return [*found, url_for("view", name=1)]

        tasks.append(lambda: task("!"))
        return name

    assert app.test_client().get("/view/ada").text == "ada"
    begin.set()
    expected = ["/view/ada", "ada!", app.name, {"name": "ada"}, "/view/1"]
    assert together(*tasks) == [expected]
    assert not has_app_context()


def test_a_copy_leaves_the_request_alone(app: App, together: Together) -> None:
    """The end of a copied context is not the end of the request: nothing of that is torn down, and its files stay
    open; what the task has opened in its own `g` goes with `teardown_appcontext`."""
    ends: list[Any] = []
    app.teardown_request(lambda exc: ends.append("request"))
    app.teardown_appcontext(lambda exc: ends.append(g.get("name")))

    @app.post("/")
    def view() -> bytes:
        g.name = "view"
        file = request.files["file"]

        @copy_current_request_context
        def task() -> None:
            assert "name" not in g
            g.name = "task"

        together(task)
        assert ends == ["task"]
        assert g.name == "view"
        return file.read()

    answer = app.test_client().post("/", data={"file": (BytesIO(b"content"), "name.txt")})
    assert (answer.data, ends) == (b"content", ["task", "request", "view"])


def test_a_copy_needs_a_request(app: App) -> None:
    """There is nothing to copy without one."""
    with app.app_context(), pytest.raises(RuntimeError, match="test_request_context"):
        copy_current_request_context(print)


# ---------------------------------------------------------------------- nested


def test_nested_requests(app: App) -> None:
    """The innermost is current, and then the one around it again."""
    with app.test_request_context("/outer"):
        g.name = "outer"
        with app.test_request_context("/inner"):
            assert (request.path, list(g)) == ("/inner", [])
            g.name = "inner"
        assert (request.path, g.name) == ("/outer", "outer")
    assert not has_app_context()


def test_a_request_inside_of_a_view(app: App) -> None:
    """A view may ask its own app something."""
    app.add_url_rule("/inner", "inner", lambda: f"{request.path} {'name' in g}")

    @app.get("/outer")
    def outer() -> str:
        g.name = "outer"
        return f"{app.test_client().get('/inner').text} {request.path} {g.name}"

    assert app.test_client().get("/outer").text == "/inner False /outer outer"


def test_apps_inside_of_each_other(app: App) -> None:
    """An app inside of another one's request shares nothing with it."""
    other = App("other", root_path="/")
    with app.test_request_context("/outer"), other.app_context():
        assert current_app.name == "other"
        assert not has_request_context()
        with other.test_request_context("/inner"):
            assert request.path == "/inner"
        with pytest.raises(RuntimeError):
            _ = request.path
    assert not has_app_context()


def test_the_app_context_shares_g(app: App, client: AppClient) -> None:
    """A request inside of `with app.app_context():` has its `g`, which is torn down with the outer one."""
    ends: list[str] = []
    app.teardown_appcontext(lambda exc: ends.append("app"))
    app.teardown_request(lambda exc: ends.append("request"))
    app.add_url_rule("/", "view", lambda: g.setdefault("name", "view"))
    with app.app_context():
        assert client.get("/").text == "view"
        assert g.name == "view"
        g.name = "outer"
        assert client.get("/").text == "outer"
        assert ends == ["request", "request"]
    assert ends == ["request", "request", "app"]


def test_requests_do_not_share_g(app: App, client: AppClient) -> None:
    """Each has a new one."""
    app.add_url_rule("/", "view", lambda: str(g.setdefault("count", 0)) + str(g.__dict__.update(count=1)))
    assert [client.get("/").text for _ in range(2)] == ["0None", "0None"]


def test_one_context_twice(app: App) -> None:
    """A context that is entered again ends when it is left for the last time."""
    ends: list[str] = []
    app.teardown_request(lambda exc: ends.append("request"))
    context = app.test_request_context("/")
    with context:
        with context:
            pass
        assert (ends, request.path) == ([], "/")
    assert ends == ["request"]
    assert not context.is_current


# ---------------------------------------------------------------------- ends


@pytest.fixture
def ends(app: App) -> list[str]:
    """What happens at the end of requests to `app`, in its order."""
    ends: list[str] = []

    def note(name: str) -> Callable[[BaseException | None], None]:
        return lambda exc: ends.append(f"{name} {type(exc).__name__} {has_request_context()}")

    for name in ("first", "second"):
        app.teardown_request(note(f"{name} request"))
        app.teardown_appcontext(note(f"{name} app"))
    return ends


def in_order(kind: str) -> list[str]:
    """All that are to be called: the last that was registered first, and those of the request before."""
    return [f"{name} {kind} True" for name in ("second request", "first request", "second app", "first app")]


def test_ends(app: App, client: AppClient, ends: list[str]) -> None:
    """Everything is torn down once, in reverse, while the request is still current."""
    app.add_url_rule("/", "view", lambda: "x")
    assert client.get("/").status_code == 200
    assert ends == in_order("NoneType")


def test_ends_behind_an_error(app: App, client: AppClient, ends: list[str]) -> None:
    """The same when the view raises; the functions get the exception."""

    @app.get("/")
    def view() -> str:
        raise ZeroDivisionError

    assert client.get("/").status_code == 500
    assert ends == in_order("ZeroDivisionError")


def test_ends_behind_an_error_that_goes_through(app: App, client: AppClient, ends: list[str]) -> None:
    """The same when the exception is the server's."""
    app.testing = True

    @app.get("/")
    def view() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.get("/")
    assert ends == in_order("ZeroDivisionError")


def test_ends_behind_an_exit(app: App, client: AppClient, ends: list[str]) -> None:
    """The same for what is no `Exception`: a server's own exit goes through."""

    @app.get("/")
    def view() -> str:
        raise SystemExit

    with pytest.raises(SystemExit):
        client.get("/")
    assert ends == in_order("SystemExit")


def test_ends_behind_a_handled_error(app: App, client: AppClient, ends: list[str]) -> None:
    """What a handler has dealt with, and HTTP errors, are no errors at the end."""
    app.register_error_handler(ZeroDivisionError, lambda exc: "handled")
    app.add_url_rule("/", "view", lambda: 1 / 0)
    app.add_url_rule("/abort", "abort", lambda: abort(418))
    assert client.get("/").text == "handled"
    assert ends == in_order("NoneType")
    ends.clear()
    assert client.get("/abort").status_code == 418
    assert ends == in_order("NoneType")


@pytest.mark.parametrize("path", ["/missing", "/view"])
def test_ends_without_a_view(app: App, client: AppClient, ends: list[str], path: str) -> None:
    """The same when no rule matches, or `before_request` answers."""
    app.before_request(lambda: None if request.path == "/missing" else "early")
    client.get(path)
    assert ends == in_order("NoneType")


def test_an_end_that_fails(app: App) -> None:
    """A function of `teardown_request` that fails keeps neither others nor those of `teardown_appcontext` from it, and
    nothing stays current."""
    ends: list[str] = []
    app.teardown_appcontext(lambda exc: ends.append("app"))
    app.teardown_request(lambda exc: ends.append("request"))

    @app.teardown_request
    def fail(exc: BaseException | None) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), app.test_request_context():
        pass
    assert ends == ["request", "app"]
    assert not has_app_context()


def test_ends_with_a_client_that_is_entered(app: App, ends: list[str]) -> None:
    """In `with client:` the end comes once, with the next request or the end of the block, and the exception is
    still known."""
    app.add_url_rule("/", "view", lambda: setattr(g, "name", "ada") or "x")
    app.add_url_rule("/error", "error", lambda: 1 / 0)
    with app.test_client() as client:
        client.get("/")
        assert (ends, g.name, request.path) == ([], "ada", "/")
        client.get("/error")
        assert ends == in_order("NoneType")
        ends.clear()
    assert ends == in_order("ZeroDivisionError")


def test_end_of_an_app_context(app: App, ends: list[str]) -> None:
    """Without a request only `teardown_appcontext` is called, with what goes through the `with`."""
    with pytest.raises(KeyError), app.app_context():
        raise KeyError
    assert ends == ["second app KeyError False", "first app KeyError False"]


# ---------------------------------------------------------------------- bodies


def streaming(app: App, make: Callable[[], Iterator[Any]]) -> None:
    """A view whose body is made while it is sent."""

    @app.get("/<name>")
    def view(name: str) -> Response:
        g.name = name
        return Response(stream_with_context(make()))


def names() -> Iterator[str]:
    """Two pieces that need the request."""
    yield f"{request.path} "
    yield f"{g.name} {session.get('x')}"


def test_a_body_keeps_the_request(app: App, client: AppClient, ends: list[str]) -> None:
    """A streaming body has `request`, `g` and `session`; the end comes after its last piece, and once."""
    counts: list[int] = []

    def pieces() -> Iterator[str]:
        yield from names()
        counts.append(len(ends))

    streaming(app, pieces)
    assert client.get("/ada").text == "/ada ada None"
    assert counts == [0]
    assert ends == in_order("NoneType")


def test_bodies_in_turns(app: App, ends: list[str]) -> None:
    """Two bodies whose pieces are taken alternately, in whatever order they end, see each its own request."""
    streaming(app, names)
    environs = [EnvironBuilder(path).get_environ() for path in ("/ada", "/ben")]
    first, second = (iter(app(environ, lambda *args: None)) for environ in environs)
    assert [next(first), next(second), next(first)] == [b"/ada ", b"/ben ", b"ada None"]
    assert list(first) == []
    assert ends == in_order("NoneType")
    assert not has_app_context(), "between the pieces nothing is current"
    assert list(second) == [b"ben None"]
    assert ends == in_order("NoneType") * 2


def test_a_body_in_another_task(app: App, together: Together, ends: list[str]) -> None:
    """A server may send the body from another thread or greenlet than the one that called the app."""
    streaming(app, names)
    body = app(EnvironBuilder("/ada").get_environ(), lambda *args: None)
    assert together(lambda: list(body)) == [[b"/ada ", b"ada None"]]
    assert ends == in_order("NoneType")
    assert not has_app_context()


def test_a_body_that_is_closed(app: App, ends: list[str]) -> None:
    """When the client is gone, the source is closed with the request current, and the end comes."""
    closed: list[str] = []

    def pieces() -> Iterator[str]:
        try:
            yield from names()
        finally:
            closed.append(request.path)

    streaming(app, pieces)
    body: Any = app(EnvironBuilder("/ada").get_environ(), lambda *args: None)
    next(iter(body))
    body.close()
    assert closed == ["/ada"]
    assert ends == in_order("GeneratorExit")


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_body_that_nobody_wants(app: App, ends: list[str], method: str) -> None:
    """One that is closed before its first piece has its end as well."""
    streaming(app, names)
    body: Any = app(EnvironBuilder("/ada", method=method).get_environ(), lambda *args: None)
    body.close()
    assert len(ends) == 4
    assert not has_app_context()


def test_a_body_that_fails(app: App, ends: list[str]) -> None:
    """An error in the middle of a body is the server's, and known at the end."""

    def pieces() -> Iterator[str]:
        yield "x"
        raise ZeroDivisionError

    streaming(app, pieces)
    with pytest.raises(ZeroDivisionError):
        raw(app, EnvironBuilder("/ada").get_environ())
    assert ends == in_order("ZeroDivisionError")


def test_a_body_without_a_context(app: App, client: AppClient) -> None:
    """A plain generator is sent when the request has ended, and says so."""
    app.add_url_rule("/<name>", "view", lambda name: names())
    with pytest.raises(RuntimeError, match="there is no request here"):
        client.get("/ada")


# ---------------------------------------------------------------------- outside


@pytest.mark.parametrize(
    "use",
    [
        lambda: current_app.name,
        lambda: g.name,
        lambda: session["name"],
        lambda: url_for("index"),
        lambda: render_template_string("x"),
    ],
)
def test_outside_of_an_app(use: Callable[[], Any]) -> None:
    """What needs an app says what to do."""
    with pytest.raises(RuntimeError, match=r"with app\.app_context\(\)"):
        use()


@pytest.mark.parametrize(
    "use",
    [
        lambda: request.path,
        lambda: session["name"],
        lambda: session.get("name"),
        lambda: flash("x"),
        lambda: after_this_request(lambda response: response),
        lambda: stream_with_context(iter("x")),
    ],
)
def test_outside_of_a_request(app: App, use: Callable[[], Any]) -> None:
    """What needs a request says what to do."""
    with app.app_context(), pytest.raises(RuntimeError, match=r"with app\.test_request_context\(\)"):
        use()


def test_questions_outside() -> None:
    """Whether there is something may be asked anywhere."""
    assert (has_app_context(), has_request_context(), found_context()) == (False, False, None)
    assert (bool(g), bool(request), repr(g)) == (False, False, "<LocalProxy unbound>")


def test_repr(app: App) -> None:
    """A context says what it is of."""
    with app.test_request_context("/x", method="POST"):
        assert repr(current_context()) == "<Context of POST /x in tests.unit.web>"
    assert repr(app.app_context()) == "<Context in tests.unit.web>"


# ---------------------------------------------------------------------- g, after_this_request


def test_g(app: App) -> None:
    """`g` has attributes, like any object, and the questions of a dict."""
    with app.app_context():
        g.name = "ada"
        assert ("name" in g, list(g), g.get("name"), g.get("age", 36)) == (True, ["name"], "ada", 36)
        assert (g.setdefault("name", "ben"), g.setdefault("age", 36), g.pop("age"), g.pop("age", 0)) == (
            "ada", 36, 36, 0,
        )  # fmt: skip
        del g.name
        assert list(g) == []
        for missing in (lambda: g.name, lambda: delattr(g, "name")):
            with pytest.raises(AttributeError, match="g has no 'name'"):
                missing()
        with pytest.raises(KeyError):
            g.pop("name")


def test_after_this_request(app: App, client: AppClient) -> None:
    """Functions of one request are called in their order, with its response only, before those of the app."""
    app.after_request(lambda response: (response.headers.add("X-Order", "app"), response)[1])

    @app.get("/<name>")
    def view(name: str) -> str:
        for word in name.split("-"):
            after_this_request(lambda response, word=word: (response.headers.add("X-Order", word), response)[1])
        return name

    assert client.get("/a-b").headers.getlist("X-Order") == ["a", "b", "app"]
    assert client.get("/c").headers.getlist("X-Order") == ["c", "app"]
