"""A part of an app: views, functions, templates and files under a name and a prefix, registered at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .scaffold import Scaffold, merged

if TYPE_CHECKING:
    from .app import App

__all__ = ["Blueprint"]

F = TypeVar("F", bound=Callable[..., Any])


class Blueprint(Scaffold):
    """A part of an app.

    :param name: stands before the names of its views: 'name.view'.
    :param import_name: its module, usually `__name__`.
    :param static_folder: its files, under `static_url_path`.
    :param static_url_path: None for '/' and the folder's name, behind the prefix.
    :param template_folder: its templates, behind the app's.
    :param url_prefix: stands before its rules.
    :param subdomain: of its rules.
    :param url_defaults: values for all its rules.
    :param root_path: where its folders are; None for where its module is.
    """

    def __init__(
        self,
        name: str,
        import_name: str,
        static_folder: str | os.PathLike[str] | None = None,
        static_url_path: str | None = None,
        template_folder: str | os.PathLike[str] | None = None,
        url_prefix: str | None = None,
        subdomain: str | None = None,
        url_defaults: dict[str, Any] | None = None,
        root_path: str | None = None,
    ) -> None:
        super().__init__(
            import_name,
            static_folder=static_folder,
            static_url_path=static_url_path,
            template_folder=template_folder,
            root_path=root_path,
        )
        if not name or "." in name:
            raise ValueError(f"{name!r}: a blueprint's name has a character, and no dot")
        self.name = name
        self.url_prefix = url_prefix
        self.subdomain = subdomain
        self.url_values_defaults = url_defaults or {}
        self._deferred: list[Callable[[App, str, dict[str, Any]], None]] = []
        self._children: list[tuple[Blueprint, dict[str, Any]]] = []
        self._registered = False

    def __repr__(self) -> str:
        return f"<Blueprint {self.name!r}>"

    def _check_setup(self, what: str) -> None:
        if self._registered:
            raise AssertionError(
                f"{what} on {self!r}, which is registered already: what comes now would be missing in the app. "
                "Do it before app.register_blueprint()"
            )

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """See `Scaffold.add_url_rule`; the rule is the app's when the blueprint is registered."""
        self._check_setup("add_url_rule")
        own = endpoint or getattr(view_func, "__name__", None)
        if own is None:
            raise TypeError("add_url_rule: an endpoint or a view is needed")
        if "." in own:
            raise ValueError(f"{own!r}: the name of a view has no dot; the blueprint's own is put before it")

        def add(app: App, name: str, registration: dict[str, Any]) -> None:
            given = dict(options)
            prefix = registration["url_prefix"]
            path = f"{prefix.rstrip('/')}/{rule.lstrip('/')}" if prefix and rule else prefix or rule
            given.setdefault("subdomain", registration["subdomain"])
            given["defaults"] = {**registration["url_defaults"], **(given.get("defaults") or {})} or None
            app.add_url_rule(path, f"{name}.{own}", view_func, provide_automatic_options, **given)

        self._deferred.append(add)

    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Put another one inside of this one: its names and prefix are behind this one's."""
        self._check_setup("register_blueprint")
        if blueprint is self:
            raise ValueError("a blueprint cannot be inside of itself")
        self._children.append((blueprint, options))

    def record(self, function: Callable[[App], object]) -> None:
        """Call a function with the app when this is registered."""
        self._check_setup("record")

        def call(app: App, name: str, registration: dict[str, Any]) -> None:
            function(app)

        self._deferred.append(call)

    def register(self, app: App, options: dict[str, Any], parent: str = "") -> None:
        """Become a part of an app; `App.register_blueprint` calls this.

        :raises ValueError: if the app has one of this name.
        """
        name = f"{parent}.{options.get('name', self.name)}".lstrip(".")
        if name in app.blueprints:
            same = "this one" if app.blueprints[name] is self else repr(app.blueprints[name])
            raise ValueError(f"{same} is registered as {name!r} already: give another name with name=...")
        first = not any(other is self for other in app.blueprints.values())
        app.blueprints[name] = self
        self._registered = True
        prefix, subdomain = options.get("url_prefix"), options.get("subdomain", self.subdomain)
        registration: dict[str, Any] = {
            "url_prefix": self.url_prefix if prefix is None else prefix,
            "subdomain": ".".join(filter(None, (subdomain, options.get("parent_subdomain")))) or None,
            "url_defaults": {**self.url_values_defaults, **(options.get("url_defaults") or {})},
        }
        if parent:
            registration["url_prefix"] = "/".join(
                part.strip("/") for part in (options["parent_prefix"] or "", registration["url_prefix"] or "") if part
            )
            registration["url_prefix"] = f"/{registration['url_prefix']}" if registration["url_prefix"] else None
        if self.static_folder is not None:
            prefix = registration["url_prefix"] or ""
            app.add_url_rule(
                f"{prefix.rstrip('/')}{self.static_url_path}/<path:filename>", f"{name}.static", self.send_static_file,
                subdomain=registration["subdomain"],
            )  # fmt: skip
        if first or options.get("name"):
            self._merge(app, name)
        for add in self._deferred:
            add(app, name, registration)
        for child, child_options in self._children:
            inside = {
                **child_options,
                "parent_prefix": registration["url_prefix"],
                "parent_subdomain": registration["subdomain"],
            }
            child.register(app, inside, name)

    def _merge(self, app: App, name: str) -> None:
        for key, codes in self.error_handlers.items():
            place = name if key is None else f"{name}.{key}"
            for code, handlers in codes.items():
                app.error_handlers[place][code].update(handlers)
        for endpoint, view in self.view_functions.items():
            app.view_functions[f"{name}.{endpoint}"] = view
        for attribute in (
            "before_request_funcs",
            "after_request_funcs",
            "teardown_request_funcs",
            "template_context_processors",
            "url_value_preprocessors",
            "url_default_functions",
        ):
            merged(getattr(app, attribute), getattr(self, attribute), name)

    # ------------------------------------------------------------------ for the whole app

    def _for_app(self, attribute: str, function: F) -> F:
        self.record(lambda app: getattr(app, attribute)[None].append(function))
        return function

    def on(self, event: str) -> Callable[[F], F]:
        """Decorate a function for an event of the app's connections; see `App.on`."""

        def decorate(function: F) -> F:
            self.record(lambda app: app.on(event)(function))
            return function

        return decorate

    def before_app_request(self, function: F) -> F:
        """`before_request` for all requests of the app."""
        return self._for_app("before_request_funcs", function)

    def after_app_request(self, function: F) -> F:
        """`after_request` for all requests of the app."""
        return self._for_app("after_request_funcs", function)

    def teardown_app_request(self, function: F) -> F:
        """`teardown_request` for all requests of the app."""
        return self._for_app("teardown_request_funcs", function)

    def app_context_processor(self, function: F) -> F:
        """`context_processor` for all templates of the app."""
        return self._for_app("template_context_processors", function)

    def app_errorhandler(self, error: type[BaseException] | int) -> Callable[[F], F]:
        """`errorhandler` for all requests of the app."""

        def decorate(handler: F) -> F:
            self.record(lambda app: app.register_error_handler(error, handler))
            return handler

        return decorate
