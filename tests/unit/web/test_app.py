"""The app: rules and views, what happens to a request in which order, what a view may return, and errors."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.exceptions import Forbidden, HTTPException, InternalServerError, NotFound
from werkzeug.test import EnvironBuilder

from syncio.web import App, Blueprint, Response, abort, g, redirect, request
from syncio.web.config import DEFAULTS
from syncio.web.testing import AppClient

from .conftest import raw

# ---------------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("rule", "path", "answer"),
    [
        ("/", "/", {}),
        ("/<name>", "/ada", {"name": "ada"}),
        ("/<int:n>", "/007", {"n": 7}),
        ("/<int:n>", "/-1", None),
        ("/<int(signed=True):n>", "/-1", {"n": -1}),
        ("/<float:n>", "/1.5", {"n": 1.5}),
        ("/<float:n>", "/1", None),
        ("/<path:p>", "/a/b/c", {"p": "a/b/c"}),
        ("/<name>", "/a/b", None),
        ("/<name>", "/caf%C3%A9%2B", {"name": "café+"}),
        ("/n", "/n/", None),
    ],
)
def test_rules(app: App, client: AppClient, rule: str, path: str, answer: Any) -> None:
    """Converters make values of parts of a path, or do not match."""
    app.add_url_rule(rule, "view", lambda **values: values)
    got = client.get(path)
    assert (got.json if got.status_code == 200 else got.status_code) == (404 if answer is None else answer)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_slash_is_added(app: App, client: AppClient, method: str) -> None:
    """Who forgets the slash is sent on with 308, which keeps method, body and query."""
    app.add_url_rule("/x/", "view", lambda: request.get_data() + request.query_string, methods=[method])
    answer = client.open("/x?a=b", method=method, data="body")
    assert (answer.status_code, answer.headers["Location"]) == (308, "http://localhost/x/?a=b")
    assert client.open("/x?a=b", method=method, data="body", follow_redirects=True).data == b"bodya=b"


def test_methods(app: App, client: AppClient) -> None:
    """GET has HEAD with its length; OPTIONS says what there is; all else is 405."""
    app.add_url_rule("/", "view", lambda: "body")
    head = client.head("/")
    assert (head.status_code, head.data, head.content_length) == (200, b"", 4)
    options = client.options("/")
    assert (options.status_code, set(options.allow)) == (200, {"GET", "HEAD", "OPTIONS"})
    refused = client.post("/")
    assert (refused.status_code, set(refused.allow)) == (405, {"GET", "HEAD", "OPTIONS"})


def test_options_of_ones_own(app: App, client: AppClient) -> None:
    """A view that answers OPTIONS gets it; the automatic answer can be switched off, for one rule and for all."""
    app.add_url_rule("/own", "own", lambda: "own", methods=["OPTIONS"])
    app.add_url_rule("/off", "off", lambda: "off", provide_automatic_options=False)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.add_url_rule("/all", "all", lambda: "all")
    assert client.options("/own").text == "own"
    assert [client.options(path).status_code for path in ("/off", "/all")] == [405, 405]


def test_add_url_rule_without_a_view(app: App, client: AppClient) -> None:
    """A rule may name a view that is registered later; one that is never registered is an error of the app."""
    app.add_url_rule("/", endpoint="later")
    app.add_url_rule("/never", endpoint="never")
    app.endpoint("later")(lambda: "later")
    app.testing = True
    assert client.get("/").text == "later"
    with pytest.raises(RuntimeError, match="no view has the name 'never'"):
        client.get("/never")


def test_wrong_rules(app: App) -> None:
    """What cannot work is refused at once."""
    app.add_url_rule("/", "view", lambda: "x")
    with pytest.raises(AssertionError, match="'view' is another view's"):
        app.add_url_rule("/y", "view", lambda: "y")
    with pytest.raises(TypeError, match=r"\['POST'\]"):
        app.add_url_rule("/z", "z", lambda: "z", methods="POST")
    with pytest.raises(TypeError, match="an endpoint or a view"):
        app.add_url_rule("/z")
    with pytest.raises(AssertionError, match="static_host"):
        App("x", static_host="example.com", root_path="/")


def test_one_view_with_two_rules(app: App, client: AppClient) -> None:
    """A view may have several rules, with defaults."""

    @app.route("/", defaults={"page": 1})
    @app.route("/page/<int:page>")
    def view(page: int) -> str:
        return f"{page}"

    assert [client.get(path).text for path in ("/", "/page/2")] == ["1", "2"]
    assert client.get("/page/1").headers["Location"] == "http://localhost/"


SETUPS: list[Callable[[App], Any]] = [
    lambda app: app.add_url_rule("/late", "late", lambda: ""),
    lambda app: app.route("/late")(print),
    lambda app: app.endpoint("late")(print),
    lambda app: app.before_request(print),
    lambda app: app.after_request(print),
    lambda app: app.teardown_request(print),
    lambda app: app.teardown_appcontext(print),
    lambda app: app.context_processor(print),
    lambda app: app.url_defaults(print),
    lambda app: app.url_value_preprocessor(print),
    lambda app: app.errorhandler(404)(print),
    lambda app: app.template_filter("late")(print),
    lambda app: app.register_blueprint(Blueprint("late", __name__)),
]


@pytest.mark.parametrize("setup", SETUPS)
def test_setup_that_comes_too_late(app: App, client: AppClient, setup: Callable[[App], Any]) -> None:
    """After the first request nothing can be registered: some requests would not have had it."""
    assert not app.got_first_request
    client.get("/")
    assert app.got_first_request
    with pytest.raises(AssertionError, match="has handled a request already"):
        setup(app)


def test_subdomains() -> None:
    """With `subdomain_matching` rules have subdomains of `SERVER_NAME`."""
    app = App("x", root_path="/", subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    app.add_url_rule("/", "index", lambda: "index")
    app.add_url_rule("/", "user", lambda user: user, subdomain="<user>")
    client = app.test_client()
    assert client.get("/").text == "index"
    assert client.get("/", subdomain="ada").text == "ada"
    assert client.get("/", base_url="http://ben.example.com").text == "ben"


def test_hosts(tmp_path: Path) -> None:
    """With `host_matching` rules have hosts, static files too."""
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_text("a")
    app = App("x", root_path=str(tmp_path), host_matching=True, static_host="files.com")
    app.add_url_rule("/", "a", lambda: "a", host="a.com")
    app.add_url_rule("/", "b", lambda: "b", host="b.com")
    client = app.test_client()
    assert [client.get("/", base_url=f"http://{host}.com").text for host in "ab"] == ["a", "b"]
    with client.get("/static/a.txt", base_url="http://files.com") as file:
        assert file.text == "a"
    assert client.get("/static/a.txt", base_url="http://a.com").status_code == 404


# ---------------------------------------------------------------------- around a request


def test_order(app: App, client: AppClient) -> None:
    """Before in the order of registration, after in reverse, the session last."""
    calls: list[str] = []

    def after(name: str) -> Callable[[Response], Response]:
        return lambda response: (calls.append(f"{name} {'Set-Cookie' in response.headers}"), response)[1]

    for name in ("1", "2"):
        app.before_request(lambda name=name: calls.append(f"before {name}"))
        app.after_request(after(f"after {name}"))
    app.add_url_rule("/", "view", lambda: calls.append("view") or "x")
    client.get("/")
    assert calls == ["before 1", "before 2", "view", "after 2 False", "after 1 False"]


def test_before_request_answers(app: App, client: AppClient) -> None:
    """The first thing that is returned is the answer; what comes after a view comes after it too, also for abort."""
    app.after_request(lambda response: (response.headers.__setitem__("X-After", "yes"), response)[1])
    app.before_request(lambda: abort(401) if request.path == "/abort" else None)
    app.before_request(lambda: ("early", 202) if request.path == "/early" else None)
    app.before_request(lambda: g.__setattr__("late", True))
    app.add_url_rule("/", "view", lambda: str(g.get("late")))
    answers = [client.get(path) for path in ("/", "/early", "/abort")]
    assert [(answer.status_code, answer.headers["X-After"]) for answer in answers] == [
        (200, "yes"), (202, "yes"), (401, "yes"),
    ]  # fmt: skip
    assert [answer.text for answer in answers[:2]] == ["True", "early"]


def test_after_request_replaces(app: App, client: AppClient) -> None:
    """What such a function returns is what is sent."""
    app.after_request(lambda response: Response("other", 203))
    app.add_url_rule("/", "view", lambda: "x")
    answer = client.get("/")
    assert (answer.text, answer.status_code) == ("other", 203)


def test_url_values(app: App, client: AppClient) -> None:
    """`url_value_preprocessor` may take values away before the view; `url_defaults` puts them back into URLs."""

    @app.url_value_preprocessor
    def take(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if values is not None:
            g.language = values.pop("language", None)

    app.url_defaults(lambda endpoint, values: values.setdefault("language", g.language))
    app.add_url_rule("/<language>/", "index", lambda: app.url_for("about"))
    app.add_url_rule("/<language>/about", "about", lambda: g.language)
    assert client.get("/de/").text == "/de/about"
    assert client.get("/de/about").text == "de"
    assert client.get("/").status_code == 404, "without a match there are no values"


# ---------------------------------------------------------------------- answers


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """A WSGI application."""
    start_response("203 OK", [("X-App", environ["PATH_INFO"])])
    return iter([b"wsgi"])


@pytest.mark.parametrize(
    ("value", "status", "body", "kind"),
    [
        ("text", 200, "text", "text/html; charset=utf-8"),
        (b"bytes", 200, "bytes", "text/html; charset=utf-8"),
        (bytearray(b"bytes"), 200, "bytes", "text/html; charset=utf-8"),
        ({"b": 1, "a": [2]}, 200, '{"a":[2],"b":1}\n', "application/json"),
        ([1, "x"], 200, '[1,"x"]\n', "application/json"),
        (("made", 201), 201, "made", "text/html; charset=utf-8"),
        (("made", "201 So It Is"), 201, "made", "text/html; charset=utf-8"),
        (("x", {"Content-Type": "text/plain"}), 200, "x", "text/plain"),
        (("x", [("Content-Type", "text/plain")]), 200, "x", "text/plain"),
        (({"a": 1}, 202, {"X-A": "b"}), 202, '{"a":1}\n', "application/json"),
        ((iter(["a", "b"]), 200), 200, "ab", "text/html; charset=utf-8"),
        (Response("x", 204), 204, "x", "text/html; charset=utf-8"),
        ((Response("x", 200), 203), 203, "x", "text/html; charset=utf-8"),
        (application, 203, "wsgi", "text/plain; charset=utf-8"),
    ],
)
def test_what_a_view_returns(app: App, value: Any, status: int, body: str, kind: str | None) -> None:
    """Each kind of value is a response."""
    with app.test_request_context():
        response = app.make_response(value)
    assert isinstance(response, Response)
    assert (response.status_code, response.get_data(as_text=True)) == (status, body)
    assert response.headers.get("Content-Type") == kind


def test_headers_of_an_answer_replace(app: App) -> None:
    """Headers in a tuple replace those of the response, and others stay."""
    with app.test_request_context():
        response = app.make_response((Response("x", headers={"X-A": "1", "X-B": "1"}), {"X-A": "2"}))
    assert (response.headers["X-A"], response.headers["X-B"]) == ("2", "1")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "'view' did not return a valid response: it returned None"),
        ((None, 200), "it returned None"),
        (5, "it was a int"),
        (object(), "it was a object"),
        (("x",), r"\(body, status, headers\)"),
        (("x", 200, {}, "y"), r"\(body, status, headers\)"),
    ],
)
def test_what_a_view_must_not_return(app: App, client: AppClient, value: Any, words: str) -> None:
    """The error names the view and what it may return."""
    app.testing = True
    app.add_url_rule("/", "view", lambda: value)
    with pytest.raises(TypeError, match=words):
        client.get("/")


# ---------------------------------------------------------------------- errors


class Specific(ZeroDivisionError):
    """An error of ours."""


def test_handlers_by_class(app: App, client: AppClient) -> None:
    """The handler of the nearest class is called, whatever the order of registration."""
    app.register_error_handler(Exception, lambda exc: "Exception")
    app.register_error_handler(ArithmeticError, lambda exc: f"ArithmeticError {type(exc).__name__}")
    app.register_error_handler(Specific, lambda exc: ("Specific", 418))

    @app.get("/<name>")
    def view(name: str) -> str:
        raise {"specific": Specific, "zero": ZeroDivisionError, "key": KeyError}[name]

    answers = [client.get(path) for path in ("/specific", "/zero", "/key")]
    assert [answer.text for answer in answers] == ["Specific", "ArithmeticError ZeroDivisionError", "Exception"]
    assert answers[0].status_code == 418


def test_handlers_by_code(app: App, client: AppClient) -> None:
    """A code, its class and `HTTPException` are told apart, the code first; others are pages of their own."""
    app.register_error_handler(404, lambda exc: (f"code {exc.code}", 404))
    app.register_error_handler(Forbidden, lambda exc: (f"class {exc.description}", 403))
    app.add_url_rule("/<int:code>", "view", lambda code: abort(code, "words"))
    assert [client.get(path).text for path in ("/404", "/403", "/missing")] == ["code 404", "class words", "code 404"]
    answer = client.get("/410")
    assert (answer.status_code, "words" in answer.text) == (410, True)


def test_the_handler_of_all_http_errors(app: App, client: AppClient) -> None:
    """One handler for `HTTPException` gets them all, but no redirects of rules."""
    app.register_error_handler(HTTPException, lambda exc: ({"code": exc.code}, exc.code))
    app.add_url_rule("/x/", "x", lambda: "x")
    assert client.get("/missing").json == {"code": 404}
    assert client.get("/x").status_code == 308


def test_the_handler_of_500(app: App, client: AppClient) -> None:
    """It gets an `InternalServerError` that has the original, for errors and for `abort(500)`, which has none."""
    originals: list[Any] = []
    app.register_error_handler(500, lambda exc: (originals.append(exc.original_exception), ("sorry", 500))[1])
    app.add_url_rule("/", "view", lambda: 1 / 0)
    app.add_url_rule("/abort", "abort", lambda: abort(500))
    assert [(client.get(path).text, client.get(path).status_code) for path in ("/", "/abort")] == [("sorry", 500)] * 2
    assert [type(original) for original in originals[1:3]] == [ZeroDivisionError, type(None)]


def test_a_handler_that_fails(app: App, client: AppClient) -> None:
    """An error in a handler is an error like any: 500."""
    app.register_error_handler(404, lambda exc: 1 / 0)
    assert client.get("/missing").status_code == 500


def test_a_response_that_cannot_be_finished(app: App, client: AppClient, caplog: pytest.LogCaptureFixture) -> None:
    """An error in `after_request` is 500, which is sent although the function fails again."""

    @app.after_request
    def fail(response: Response) -> Response:
        raise ZeroDivisionError

    app.add_url_rule("/", "view", lambda: "x")
    assert client.get("/").status_code == 500
    assert len(caplog.records) == 2


def test_wrong_handlers(app: App) -> None:
    """A handler is for a code or a class, and the codes are those of errors."""
    for wrong, kind in ((999, ValueError), (200, ValueError), (KeyError(), TypeError), (str, ValueError)):
        with pytest.raises(kind):
            app.register_error_handler(wrong, print)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "goes_through"),
    [
        ({}, False),
        ({"TESTING": True}, True),
        ({"DEBUG": True}, True),
        ({"TESTING": True, "PROPAGATE_EXCEPTIONS": False}, False),
        ({"PROPAGATE_EXCEPTIONS": True}, True),
    ],
)
def test_errors_go_through(app: App, client: AppClient, config: dict[str, Any], goes_through: bool) -> None:
    """In tests and debug mode an error is the caller's, who has a debugger; else it is 500."""
    app.config.update(config)
    app.add_url_rule("/", "view", lambda: 1 / 0)
    if goes_through:
        with pytest.raises(ZeroDivisionError):
            client.get("/")
    else:
        assert client.get("/").status_code == 500


def test_trapped_errors(app: App, client: AppClient) -> None:
    """HTTP errors can be treated as others, to be found in a debugger."""
    app.testing = True
    app.add_url_rule("/", "view", lambda: request.form["missing"])
    assert client.get("/").status_code == 400
    app.config["TRAP_BAD_REQUEST_ERRORS"] = True
    with pytest.raises(KeyError):
        client.get("/")
    app.config["TRAP_HTTP_EXCEPTIONS"] = True
    with pytest.raises(NotFound):
        client.get("/missing")


# ---------------------------------------------------------------------- itself


def test_middleware(app: App) -> None:
    """It is put around `wsgi_app`; the app stays what it is, for the test client too."""
    inner = app.wsgi_app

    def middleware(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        environ["PATH_INFO"] = environ["PATH_INFO"].upper()
        return inner(environ, start_response)

    app.wsgi_app = middleware  # type: ignore[method-assign]
    app.add_url_rule("/<name>", "view", lambda name: name)
    assert app.test_client().get("/ada").text == "ADA"
    status, headers, pieces = raw(app, EnvironBuilder("/ada").get_environ())
    assert (status, dict(headers)["Content-Length"], pieces) == ("200 OK", "3", [b"ADA"])


def test_attributes_of_the_configuration(app: App) -> None:
    """Some values of the configuration are attributes too."""
    app.testing, app.secret_key, app.debug = True, "x", True
    app.permanent_session_lifetime = 60  # type: ignore[assignment]
    assert [app.config[name] for name in ("TESTING", "SECRET_KEY", "DEBUG")] == [True, "x", True]
    assert app.permanent_session_lifetime == timedelta(seconds=60)
    app.config.update(TESTING=False, PERMANENT_SESSION_LIFETIME=timedelta(1))
    assert (app.testing, app.permanent_session_lifetime) == (False, timedelta(1))


def test_defaults(app: App) -> None:
    """An app begins with the documented values, out of debug mode."""
    assert {name: app.config[name] for name in DEFAULTS} == {**DEFAULTS, "DEBUG": False, "SECRET_KEY": app.secret_key}
    assert repr(app) == "<App 'tests.unit.web'>"


def test_open_resource(app: App, tmp_path: Path) -> None:
    """Files from beside the module can be read, as bytes or text, and not written."""
    (tmp_path / "schema.sql").write_text("é", encoding="utf-8")
    with app.open_resource("schema.sql") as file:
        assert file.read() == "é".encode()
    with app.open_resource("schema.sql", "r", encoding="utf-8") as file:
        assert file.read() == "é"
    with pytest.raises(ValueError, match="only be read"):
        app.open_resource("schema.sql", "w")


def test_without_static_files(tmp_path: Path) -> None:
    """With `static_folder=None` there is no rule for them."""
    app = App("x", static_folder=None, root_path=str(tmp_path))
    assert not app.has_static_folder
    assert app.test_client().get("/static/x").status_code == 404
    assert "static" not in app.view_functions
    with pytest.raises(RuntimeError):
        app.send_static_file("x")


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "/static/a.txt"),
        ({"static_folder": "files"}, "/files/a.txt"),
        ({"static_folder": "files", "static_url_path": "/assets"}, "/assets/a.txt"),
        ({"static_folder": "files", "static_url_path": ""}, "/a.txt"),
        ({"static_folder": Path("files/"), "static_url_path": "/assets/"}, "/assets/a.txt"),
    ],
)
def test_where_static_files_are(tmp_path: Path, options: dict[str, Any], path: str) -> None:
    """Their folder and their path can be chosen; the path follows the folder."""
    folder = tmp_path / options.get("static_folder", "static")
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    app = App("x", root_path=str(tmp_path), **options)
    with app.test_client().get(path) as answer:
        assert answer.text == "a"
    with app.test_request_context():
        assert app.url_for("static", filename="a.txt") == path


def test_an_app_goes_at_once(tmp_path: Path) -> None:
    """Who drops an app drops all of it, without a collector."""
    app = App("x", root_path=str(tmp_path))
    reference = weakref.ref(app)
    gc.collect()
    gc.disable()
    try:
        del app
        assert reference() is None
    finally:
        gc.enable()


def test_subclasses(tmp_path: Path) -> None:
    """Requests, responses and `g` can be other classes."""

    class OwnResponse(Response):
        default_mimetype = "text/plain"

    class Own(App):
        response_class = OwnResponse
        app_ctx_globals_class = type("Globals", (dict,), {})

    app = Own("x", root_path=str(tmp_path))
    app.add_url_rule("/", "view", lambda: f"{isinstance(g._get_current_object(), dict)}")
    app.add_url_rule("/to", "to", lambda: redirect("/"))
    answer = app.test_client().get("/")
    assert (answer.text, answer.mimetype) == ("True", "text/plain")
    assert app.test_client().get("/to").status_code == 302


def test_nothing_is_logged_of_success(app: App, client: AppClient, caplog: pytest.LogCaptureFixture) -> None:
    """A request that works is no news."""
    caplog.set_level(logging.DEBUG)
    app.add_url_rule("/", "view", lambda: "x")
    client.get("/")
    assert caplog.records == []


def test_internal_server_error_has_its_page(app: App, client: AppClient) -> None:
    """Without a handler 500 is Werkzeug's page, in English."""
    app.add_url_rule("/", "view", lambda: 1 / 0)
    assert InternalServerError.description is not None
    assert "Internal Server Error" in client.get("/").text
