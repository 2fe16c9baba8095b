"""Templates: Jinja2, with the app's and its blueprints' folders, and what every template knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jinja2 import BaseLoader, Environment, Template, TemplateNotFound

from .context import current_app, current_context, found_context
from .streaming import stream_with_context

if TYPE_CHECKING:
    from .app import App

__all__ = [
    "Loader",
    "Templates",
    "get_template_attribute",
    "render_template",
    "render_template_string",
    "stream_template",
    "stream_template_string",
]

ESCAPED = (".html", ".htm", ".xml", ".xhtml", ".svg")


def escapes(name: str | None) -> bool:
    """Whether the values in a template are escaped: in HTML and XML, and in templates without a name."""
    return name is None or name.lower().endswith(ESCAPED)


class Loader(BaseLoader):
    """Looks into the app's folder, and then into those of its blueprints."""

    def __init__(self, app: App) -> None:
        self._app = app

    def _loaders(self) -> Iterator[BaseLoader]:
        for loader in (self._app.jinja_loader, *(part.jinja_loader for part in self._app.blueprints.values())):
            if loader is not None:
                yield loader

    def get_source(self, environment: Environment, template: str) -> Any:
        for loader in self._loaders():
            try:
                return loader.get_source(environment, template)
            except TemplateNotFound:
                continue
        raise TemplateNotFound(template)

    def list_templates(self) -> list[str]:
        return sorted({name for loader in self._loaders() for name in loader.list_templates()})


class Templates(Environment):
    """The Jinja environment of an app.

    :param app: whose it is.
    :param options: those of `jinja2.Environment`.
    """

    def __init__(self, app: App, **options: Any) -> None:
        if "loader" not in options:
            options["loader"] = app.create_global_jinja_loader()
        options.setdefault("autoescape", escapes)
        super().__init__(**options)
        self.app = app


def _render(app: App, template: Template, values: dict[str, Any]) -> str:
    app.update_template_context(values)
    return template.render(values)


def render_template(template: str | Template | list[str | Template], **values: Any) -> str:
    """Render a template by its name, or the first of several that is there.

    :param values: what the template knows, besides `request`, `session`, `g`, `config` and what the app adds.
    :raises jinja2.TemplateNotFound: if there is none.
    """
    app = current_context().app
    return _render(app, app.jinja_env.get_or_select_template(template), values)


def render_template_string(source: str, **values: Any) -> str:
    """Render a template that is text. Never make that text of what users say: it is a program."""
    app = current_context().app
    return _render(app, app.jinja_env.from_string(source), values)


def _stream(app: App, template: Template, values: dict[str, Any]) -> Iterator[str]:
    app.update_template_context(values)
    pieces: Iterator[str] = template.generate(values)
    context = found_context()
    return stream_with_context(pieces) if context is not None and context.request is not None else pieces


def stream_template(template: str | Template | list[str | Template], **values: Any) -> Iterator[str]:
    """Render a template piece by piece: the body of a response that begins before it is complete."""
    app = current_context().app
    return _stream(app, app.jinja_env.get_or_select_template(template), values)


def stream_template_string(source: str, **values: Any) -> Iterator[str]:
    """The same for a template that is text."""
    app = current_context().app
    return _stream(app, app.jinja_env.from_string(source), values)


def get_template_attribute(template: str, attribute: str) -> Any:
    """A macro or variable of a template."""
    return getattr(current_app.jinja_env.get_template(template).module, attribute)


def default_values() -> dict[str, Any]:
    """What every template knows."""
    context = found_context()
    values: dict[str, Any] = {}
    if context is not None:
        values["g"] = context.g
        if context.request is not None:
            values["request"] = context.request  # not the session: only who asks for it looks at it
    return values
