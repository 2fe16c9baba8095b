"""Parts of an app: names, prefixes, what is theirs and what is the app's, and parts in parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncio.web import App, Blueprint, Response, abort, g, render_template, request, url_for
from syncio.web.testing import AppClient


@pytest.fixture
def part(tmp_path: Path) -> Blueprint:
    """A blueprint with a view that says what the request knows of it."""
    part = Blueprint("part", __name__, root_path=str(tmp_path / "part"))
    part.add_url_rule("/x", "x", lambda **values: {"blueprints": request.blueprints, **values})
    return part


@pytest.mark.parametrize(
    ("own", "options", "path"),
    [
        (None, {}, "/x"),
        ("/own", {}, "/own/x"),
        ("/own/", {}, "/own/x"),
        ("/own", {"url_prefix": "/other"}, "/other/x"),
        ("/own", {"url_prefix": None}, "/own/x"),
        ("/own", {"url_prefix": ""}, "/x"),
    ],
)
def test_prefixes(app: App, client: AppClient, part: Blueprint, own: str, options: Any, path: str) -> None:
    """The prefix is the blueprint's, unless the app gives another."""
    part.url_prefix = own
    app.register_blueprint(part, **options)
    assert client.get(path).json == {"blueprints": ["part"]}
    with app.test_request_context():
        assert url_for("part.x") == path


@pytest.mark.parametrize(
    ("prefix", "rule", "path"), [("/p", "/", "/p/"), ("/p", "", "/p"), ("/p/", "/", "/p/"), ("/", "/x", "/x")]
)
def test_the_root_of_a_prefix(app: App, client: AppClient, prefix: str, rule: str, path: str) -> None:
    """A prefix with '/' behind it ends with a slash, with nothing behind it without."""
    part = Blueprint("part", __name__, url_prefix=prefix)
    part.add_url_rule(rule, "index", lambda: "index")
    app.register_blueprint(part)
    assert client.get(path).text == "index"


def test_two_registrations(app: App, client: AppClient, part: Blueprint) -> None:
    """One blueprint can be registered twice under two names, and its functions run once for a request."""
    calls: list[str] = []
    part.before_request(lambda: calls.append(request.blueprints[0]))
    app.register_blueprint(part)
    with pytest.raises(ValueError, match="'part' already"):
        app.register_blueprint(part, url_prefix="/2")
    app.register_blueprint(part, url_prefix="/2", name="second")
    assert [client.get(path).status_code for path in ("/x", "/2/x")] == [200, 200]
    assert calls == ["part", "second"]


def test_what_is_its_own(app: App, client: AppClient, part: Blueprint) -> None:
    """Functions around requests, error handlers and context of a blueprint are for its views; `app_` ones for all."""
    for name, function in (("before_request", "own"), ("before_app_request", "all")):
        getattr(part, name)(lambda function=function: setattr(g, function, True))

    def mark(word: str) -> Callable[[Response], Response]:
        return lambda response: (response.headers.add("X-After", word), response)[1]

    part.after_request(mark("own"))
    part.after_app_request(mark("all"))
    ends: list[str] = []
    part.teardown_request(lambda exc: ends.append("own"))
    part.teardown_app_request(lambda exc: ends.append("all"))
    part.register_error_handler(404, lambda exc: ("own 404", 404))
    part.app_errorhandler(403)(lambda exc: ("all 403", 403))
    part.add_url_rule("/g", "g", lambda: sorted(g))
    part.add_url_rule("/404", "404", lambda: abort(404))
    app.add_url_rule("/app/g", "g", lambda: sorted(g))
    app.add_url_rule("/app/403", "403", lambda: abort(403))
    app.register_blueprint(part)
    own = client.get("/g")
    assert (own.json, own.headers.getlist("X-After"), ends) == (["all", "own"], ["own", "all"], ["own", "all"])
    ends.clear()
    other = client.get("/app/g")
    assert (other.json, other.headers.getlist("X-After"), ends) == (["all"], ["all"], ["all"])
    assert client.get("/404").text == "own 404"
    assert client.get("/missing").text != "own 404", "no rule matches, so it is nobody's"
    assert client.get("/app/403").text == "all 403"


def test_templates(app: App, client: AppClient, tmp_path: Path, template: Callable[[str, str], None]) -> None:
    """Its templates are behind the app's; its context is for its views, `app_context_processor` for all."""
    part = Blueprint("part", __name__, template_folder="templates", root_path=str(tmp_path / "part"))
    folder = tmp_path / "part" / "templates"
    folder.mkdir(parents=True)
    (folder / "own.html").write_text("part {{ own }} {{ all }}")
    (folder / "both.html").write_text("part")
    template("both.html", "app")
    part.context_processor(lambda: {"own": "own", "given": "hidden"})
    part.app_context_processor(lambda: {"all": "all"})
    part.add_url_rule("/<name>", "view", lambda name: render_template(name))
    app.add_url_rule("/app/<name>", "view", lambda name: render_template(name))
    app.register_blueprint(part)
    assert [client.get(path).text for path in ("/own.html", "/app/own.html", "/both.html")] == [
        "part own all", "part  all", "app",
    ]  # fmt: skip
    assert app.jinja_env.list_templates() == ["both.html", "own.html"]


@pytest.mark.parametrize(
    ("options", "path"),
    [({}, "/p/files/a.txt"), ({"static_url_path": "/assets"}, "/p/assets/a.txt")],
)
def test_files(app: App, tmp_path: Path, options: dict[str, Any], path: str) -> None:
    """Its files are under its prefix, and nothing outside of its folder."""
    (tmp_path / "part" / "files").mkdir(parents=True)
    (tmp_path / "part" / "files" / "a.txt").write_text("a")
    (tmp_path / "part" / "secret.txt").write_text("secret")
    part = Blueprint(
        "part", __name__, static_folder="files", url_prefix="/p", root_path=str(tmp_path / "part"), **options
    )
    app.register_blueprint(part)
    with app.test_client().get(path) as answer:
        assert answer.text == "a"
    assert app.test_client().get(path.replace("a.txt", "..%2fsecret.txt")).status_code == 404
    with app.test_request_context():
        assert url_for("part.static", filename="a.txt") == path


def test_subdomains(tmp_path: Path) -> None:
    """All its rules are of its subdomain, that of its files too."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("a")
    app = App("x", root_path=str(tmp_path), subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    part = Blueprint("part", __name__, subdomain="part", static_folder="files", root_path=str(tmp_path))
    part.add_url_rule("/", "index", lambda: "index")
    app.register_blueprint(part)
    client = app.test_client()
    assert client.get("/", subdomain="part").text == "index"
    assert client.get("/").status_code == 404
    with client.get("/files/a.txt", subdomain="part") as answer:
        assert answer.text == "a"
    assert client.get("/files/a.txt").status_code == 404


def test_defaults_of_its_rules(app: App, client: AppClient, part: Blueprint) -> None:
    """`url_defaults` are values of all its rules; those of the registration win, those of a rule most of all."""
    part.url_values_defaults = {"a": 1, "b": 1}
    part.add_url_rule("/y", "y", lambda **values: values, defaults={"b": 3})
    app.register_blueprint(part, url_defaults={"a": 2})
    assert client.get("/y").json == {"a": 2, "b": 3}
    assert client.get("/x").json == {"blueprints": ["part"], "a": 2, "b": 1}


def test_values_of_urls(app: App, client: AppClient, part: Blueprint) -> None:
    """Its functions for values of URLs are called for its views only."""
    part.url_value_preprocessor(lambda endpoint, values: values.__setitem__("added", endpoint))
    part.url_defaults(lambda endpoint, values: values.setdefault("q", "part"))
    app.add_url_rule("/app", "view", lambda: [url_for("view"), url_for("part.x")])
    app.register_blueprint(part)
    assert client.get("/x").json == {"blueprints": ["part"], "added": "part.x"}
    assert client.get("/app").json == ["/app", "/x?q=part"]


# ---------------------------------------------------------------------- in each other


def test_nested(app: App, client: AppClient) -> None:
    """Names, prefixes and functions of parts in parts are those of all, from the outside in."""
    calls: list[str] = []
    outer, inner = Blueprint("outer", __name__, url_prefix="/outer"), Blueprint("inner", __name__, url_prefix="/inner")
    for part in (inner, outer):
        part.before_request(lambda part=part: calls.append(f"before {part.name}"))
        part.teardown_request(lambda exc, part=part: calls.append(f"end {part.name}"))
    app.before_request(lambda: calls.append("before app"))
    outer.register_error_handler(404, lambda exc: ("outer", 404))
    outer.register_error_handler(403, lambda exc: ("outer", 403))
    inner.register_error_handler(403, lambda exc: ("inner", 403))
    inner.add_url_rule("/x", "x", lambda: [request.endpoint, request.blueprint, request.blueprints, url_for(".x")])
    inner.add_url_rule("/<int:code>", "code", lambda code: abort(code))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    assert client.get("/outer/inner/x").json == [
        "outer.inner.x", "outer.inner", ["outer.inner", "outer"], "/outer/inner/x",
    ]  # fmt: skip
    assert calls == ["before app", "before outer", "before inner", "end inner", "end outer"]
    assert [client.get(f"/outer/inner/{code}").text for code in (403, 404)] == ["inner", "outer"]


def test_nested_twice(app: App, client: AppClient) -> None:
    """A part can be in two others, and in one under two names."""
    outer, other = Blueprint("outer", __name__, url_prefix="/outer"), Blueprint("other", __name__, url_prefix="/other")
    inner = Blueprint("inner", __name__)
    inner.add_url_rule("/x", "x", lambda: f"{request.blueprint}")
    for part in (outer, other):
        part.register_blueprint(inner)
        app.register_blueprint(part)
    assert [client.get(f"/{name}/x").text for name in ("outer", "other")] == ["outer.inner", "other.inner"]


@pytest.mark.parametrize(("own", "host"), [(None, "outer"), ("inner", "inner.outer")])
def test_nested_subdomains(own: str | None, host: str) -> None:
    """A part in another one is of that one's subdomain, below it with its own, and of no other."""
    app = App("x", root_path="/", subdomain_matching=True, static_folder=None)
    app.config["SERVER_NAME"] = "example.com"
    outer, inner = Blueprint("outer", __name__, subdomain="outer"), Blueprint("inner", __name__, subdomain=own)
    inner.add_url_rule("/", "index", lambda: "inner")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    client = app.test_client()
    assert client.get("/", subdomain=host).text == "inner"
    assert client.get("/").status_code == 404


# ---------------------------------------------------------------------- wrong ones


def test_wrong_names(part: Blueprint) -> None:
    """Names have no dots: those are between them."""
    for name in ("", "a.b"):
        with pytest.raises(ValueError, match="no dot"):
            Blueprint(name, __name__)
    with pytest.raises(ValueError, match="no dot"):
        part.add_url_rule("/", "a.b", print)
    with pytest.raises(TypeError, match="an endpoint or a view"):
        part.add_url_rule("/")
    with pytest.raises(ValueError, match="inside of itself"):
        part.register_blueprint(part)
    with pytest.raises(RuntimeError, match="no static_folder"):
        part.send_static_file("x")
    assert repr(part) == "<Blueprint 'part'>"


LATE: list[Callable[[Blueprint], Any]] = [
    lambda part: part.add_url_rule("/late", "late", print),
    lambda part: part.before_request(print),
    lambda part: part.after_request(print),
    lambda part: part.teardown_request(print),
    lambda part: part.errorhandler(404)(print),
    lambda part: part.on("message")(lambda sid, data: None),
    lambda part: part.before_app_request(print),
    lambda part: part.register_blueprint(Blueprint("late", __name__)),
    lambda part: part.record(print),
]


@pytest.mark.parametrize("setup", LATE)
def test_what_comes_too_late(app: App, part: Blueprint, setup: Callable[[Blueprint], Any]) -> None:
    """What is registered behind the registration would be missing, and is refused."""
    app.register_blueprint(part)
    with pytest.raises(AssertionError, match="registered already"):
        setup(part)


def test_record(app: App, part: Blueprint) -> None:
    """A function of one's own is called with the app."""
    found: list[App] = []
    part.record(found.append)
    app.register_blueprint(part)
    assert found == [app]
