"""Names that Flask 0.3 had and Flask has no more: a module was what a blueprint is now."""

from __future__ import annotations

from typing import Any

from syncio.web import App, Blueprint

json_available = True


class Module(Blueprint):
    """A blueprint that was given its module first, and its name behind that.

    :param import_name: the module.
    :param name: None for the module's.
    :param url_prefix: stands before its rules.
    """

    def __init__(self, import_name: str, name: str | None = None, url_prefix: str | None = None) -> None:
        super().__init__(name or import_name.rpartition(".")[2], import_name, url_prefix=url_prefix)


def register_module(app: App, module: Module, **options: Any) -> None:
    """`register_blueprint`."""
    app.register_blueprint(module, **options)
