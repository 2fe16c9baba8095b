"""Templates: where they are, and what they know. What is escaped is in test_security."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader, TemplateNotFound, UndefinedError

from syncio.web import (
    App,
    Markup,
    Response,
    g,
    get_template_attribute,
    render_template,
    render_template_string,
    request,
    session,
    stream_template,
    stream_template_string,
)
from syncio.web.templating import Templates
from syncio.web.testing import AppClient

Write = Callable[[str, str], None]


def test_what_templates_know(app: App) -> None:
    """`request`, `session`, `g`, `config` and two functions; what is given hides them."""
    source = "{{ request.path }} {{ session.a }} {{ g.b }} {{ config.DEBUG }} {{ url_for('static', filename='x') }}"
    with app.test_request_context("/x"):
        session["a"], g.b = 1, 2
        assert render_template_string(source) == "/x 1 2 False /static/x"
        assert render_template_string("{{ request }} {{ g }} {{ session }}", request=1, g=2, session=3) == "1 2 3"


def test_what_macros_know(app: App, template: Write) -> None:
    """They know it also in a file that is imported without context."""
    template("macros.html", "{% macro hello() %}{{ request.path }} {{ g.b }}{{ session.a }}{% endmacro %}")
    with app.test_request_context("/x"):
        session["a"], g.b = 1, 2
        assert render_template_string("{% from 'macros.html' import hello %}{{ hello() }}") == "/x 21"


def test_without_a_request(app: App) -> None:
    """In an app context templates work, and have no request."""
    with app.app_context():
        g.b = 1
        assert render_template_string("{{ g.b }} {{ x }}", x=2) == "1 2"
        with pytest.raises(RuntimeError, match="there is no request here"):
            render_template_string("{{ request.path }}")


def test_context_processors(app: App) -> None:
    """They add values, the later ones win, and what a view gives wins over all."""
    app.context_processor(lambda: {"a": 1, "b": 1, "c": 1})
    app.context_processor(lambda: {"b": 2, "c": 2, "g": 2})
    with app.app_context():
        assert render_template_string("{{ a }}{{ b }}{{ c }}{{ g }}", c=3) == "1232"


def test_by_name(app: App, template: Write) -> None:
    """A name, a template, or the first of several that is there."""
    template("a.html", "a {{ x }}")
    template("sub/b.html", "b {{ x }}")
    with app.app_context():
        assert render_template("a.html", x=1) == "a 1"
        assert render_template("sub/b.html", x=1) == "b 1"
        assert render_template(["missing.html", "a.html"], x=1) == "a 1"
        assert render_template(app.jinja_env.get_template("a.html"), x=1) == "a 1"
        for name in ("missing.html", "../a.html", "sub/../../secret"):
            with pytest.raises(TemplateNotFound):
                render_template(name)


def test_without_a_folder(tmp_path: Path) -> None:
    """An app without templates has none, and can still render text."""
    app = App("x", template_folder=None, root_path=str(tmp_path))
    with app.app_context():
        assert app.jinja_loader is None
        assert render_template_string("x") == "x"
        with pytest.raises(TemplateNotFound):
            render_template("a.html")


@pytest.mark.parametrize("kind", ["filter", "test", "global"])
def test_additions(tmp_path: Path, kind: str) -> None:
    """Filters, tests and functions are added by decorators with and without a name, and by a call."""
    app = App("x", root_path=str(tmp_path))
    decorate: Any = getattr(app, f"template_{kind}")

    def even(number: int = 2) -> bool:
        return number % 2 == 0

    assert decorate(even) is even
    assert decorate()(even) is even
    assert decorate("named")(even) is even
    getattr(app, f"add_template_{kind}")(even, "added")
    source = {"filter": "{{ 2|NAME }}", "test": "{{ 2 is NAME }}", "global": "{{ NAME() }}"}[kind]
    with app.app_context():
        for name in ("even", "named", "added"):
            assert render_template_string(source.replace("NAME", name)) == "True"


def test_streams(app: App, client: AppClient, template: Write) -> None:
    """A template can be sent while it is made, with the request; the text is the same."""
    template("rows.html", "{% for row in rows %}{{ row }}{{ request.path }} {% endfor %}")
    app.add_url_rule("/name", "name", lambda: Response(stream_template("rows.html", rows=iter("ab"))))
    app.add_url_rule("/text", "text", lambda: stream_template_string("{{ request.path }}{{ g.x }}"))
    assert client.get("/name").text == "a/name b/name "
    assert client.get("/text").text == "/text"
    with app.app_context():
        assert list(stream_template_string("{{ x }}", x=1)) == ["1"]


def test_a_stream_is_lazy(app: App) -> None:
    """Nothing is made before it is wanted."""
    made: list[int] = []
    with app.test_request_context():
        pieces = stream_template_string(
            "{% for n in rows %}{{ n }}{% endfor %}", rows=(made.append(n) or n for n in (1, 2))
        )
        assert made == []
        next(pieces)
        assert made == [1]
        pieces.close()  # type: ignore[attr-defined]


def test_attributes(app: App, template: Write) -> None:
    """A macro can be called from Python, a variable read."""
    template("macros.html", "{% macro bold(x) %}<b>{{ x }}</b>{% endmacro %}{% set version = 3 %}")
    with app.app_context():
        assert get_template_attribute("macros.html", "bold")("<") == Markup("<b>&lt;</b>")
        assert get_template_attribute("macros.html", "version") == 3
        with pytest.raises(AttributeError):
            get_template_attribute("macros.html", "missing")


@pytest.mark.parametrize(("debug", "config", "expected"), [
    (False, None, "old"), (True, None, "new"), (False, True, "new"), (True, False, "old"),
])  # fmt: skip
def test_reload(app: App, tmp_path: Path, template: Write, debug: bool, config: Any, expected: str) -> None:
    """A template that has changed is read again in debug mode, or as `TEMPLATES_AUTO_RELOAD` says."""
    app.config["TEMPLATES_AUTO_RELOAD"] = config
    app.debug = debug
    template("a.html", "old")
    with app.app_context():
        assert render_template("a.html") == "old"
        template("a.html", "new")
        os.utime(tmp_path / "templates" / "a.html", (1, 1))
        assert render_template("a.html") == expected


def test_debug_mode_that_comes_later(app: App) -> None:
    """Debug mode can be switched when templates were used already."""
    assert app.jinja_env.auto_reload is False
    app.debug = True
    assert app.jinja_env.auto_reload is True


def test_options(tmp_path: Path) -> None:
    """A subclass can have options of Jinja, an environment of its own, and another loader."""

    class Own(App):
        """With other marks."""

        jinja_options = {"variable_start_string": "[[", "variable_end_string": "]]", "autoescape": False}  # noqa: RUF012
        jinja_environment = type("OwnTemplates", (Templates,), {})

        def create_global_jinja_loader(self) -> Any:
            return DictLoader({"a.html": "[[ x ]]"})

    app = Own("x", root_path=str(tmp_path))
    with app.app_context():
        assert render_template("a.html", x="<") == "<"
    assert type(app.jinja_env).__name__ == "OwnTemplates"


def test_errors_of_templates(app: App) -> None:
    """What is wrong with a template is the view's error."""
    with app.app_context(), pytest.raises(UndefinedError):
        render_template_string("{{ missing.name }}")


def test_the_request_itself(app: App) -> None:
    """Templates get the request and no proxy, which is quicker."""
    with app.test_request_context():
        values: dict[str, Any] = {}
        app.update_template_context(values)
        assert values["request"] is request._get_current_object()  # type: ignore[attr-defined]
