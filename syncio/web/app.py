"""The app: routes, what happens to a request, and what it answers."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Hashable
from datetime import timedelta
from functools import cached_property
from typing import IO, Any, TypeVar

from jinja2 import BaseLoader
from werkzeug.datastructures import ImmutableDict
from werkzeug.exceptions import SecurityError
from werkzeug.routing import BuildError, Map, MapAdapter, Rule
from werkzeug.test import EnvironBuilder

from ..engineio import WSGIApp
from .blueprint import Blueprint
from .config import DEFAULTS, Config, ConfigAttribute
from .context import Context, Globals, found_context, g, request, session
from .dispatching import Dispatching
from .first_weeks import FirstWeeks
from .flashing import get_flashed_messages
from .json import JSONProvider
from .log import make_logger
from .place import name_of
from .realtime import Realtime
from .run import run
from .sessions import Session, SessionCookies
from .templating import Loader, Templates, default_values
from .testing import AppClient, environ_builder
from .urls import is_host, url_for
from .wrappers import Request, Response

__all__ = ["App"]

F = TypeVar("F", bound=Callable[..., Any])
Environ = dict[str, Any]


class App(FirstWeeks, Dispatching):
    """A WSGI application.

    :param import_name: the module, usually `__name__`: its folder has the templates and static files.
    :param static_url_path: where static files are served; None for '/' and the folder's name.
    :param static_folder: None for no static files.
    :param template_folder: None for no templates.
    :param root_path: where the folders are; None for where the module is.
    :param host_matching: whether rules have hosts.
    :param subdomain_matching: whether rules have subdomains, of `SERVER_NAME`.
    :param static_host: the host of static files, with `host_matching`.
    """

    request_class: type[Request] = Request
    response_class: type[Response] = Response
    session_interface: Any = SessionCookies()
    jinja_environment: type[Templates] = Templates
    json_provider_class: type[JSONProvider] = JSONProvider
    app_ctx_globals_class: type[Any] = Globals
    config_class: type[Config] = Config
    url_rule_class: type[Rule] = Rule
    url_map_class: type[Map] = Map
    test_client_class: type[AppClient] = AppClient
    jinja_options: dict[str, Any] = {}  # noqa: RUF012  a subclass replaces it
    default_config = ImmutableDict(DEFAULTS)
    secret_key = ConfigAttribute("SECRET_KEY")
    testing = ConfigAttribute("TESTING")
    permanent_session_lifetime = ConfigAttribute(
        "PERMANENT_SESSION_LIFETIME",
        lambda value: value if isinstance(value, timedelta) else timedelta(seconds=value),
    )
    use_x_sendfile = False

    def __init__(
        self,
        import_name: str,
        static_url_path: str | None = None,
        static_folder: str | os.PathLike[str] | None = "static",
        template_folder: str | os.PathLike[str] | None = "templates",
        root_path: str | None = None,
        host_matching: bool = False,
        subdomain_matching: bool = False,
        static_host: str | None = None,
    ) -> None:
        super().__init__(
            import_name,
            static_folder=static_folder,
            static_url_path=static_url_path,
            template_folder=template_folder,
            root_path=root_path,
        )
        self.name = name_of(import_name)
        if self.static_url_path is not None:
            self.static_url_path = self.static_url_path.rstrip("/")
        self.config = self.config_class(self.root_path, self.default_config)
        if self.config["DEBUG"] is None:
            self.config["DEBUG"] = False
        self.json = self.json_provider_class(self)
        self.url_map = self.url_map_class(host_matching=host_matching)
        self.subdomain_matching = subdomain_matching
        self.blueprints: dict[str, Blueprint] = {}
        self.teardown_appcontext_funcs: list[Callable[..., Any]] = []
        self.url_build_error_handlers: list[Callable[[Exception, str, dict[str, Any]], str | None]] = []
        self.extensions: dict[str, Any] = {}
        """Room for extensions, each under its name."""
        self._got_first_request = False
        if self.static_folder is not None:
            if (static_host is not None) is not host_matching:
                raise AssertionError("static_host goes with host_matching: with both, or with none")
            # By way of a weak reference, so that an app which nobody has any more goes at once.
            app = weakref.ref(self)
            rule = f"{self.static_url_path}/<path:filename>"
            self.add_url_rule(rule, "static", lambda **values: app().send_static_file(**values), host=static_host)  # type: ignore[union-attr]

    def __repr__(self) -> str:
        return f"<App {self.name!r}>"

    # ------------------------------------------------------------------ what it is

    @cached_property
    def logger(self) -> logging.Logger:
        """The app's own: it has the app's name, and writes to `wsgi.errors` if nobody has configured logging."""
        return make_logger(self)

    @property
    def debug(self) -> bool:
        """Whether errors are shown, and templates are read again."""
        return bool(self.config["DEBUG"])

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value
        if self.config["TEMPLATES_AUTO_RELOAD"] is None:
            self.jinja_env.auto_reload = value

    @property
    def got_first_request(self) -> bool:
        """Whether it has begun to serve."""
        return self._got_first_request

    def _check_setup(self, what: str) -> None:
        if self._got_first_request:
            raise AssertionError(
                f"the setup method {what!r} was called on {self!r}, which has handled a request already: what comes "
                "now was missing in it. Set everything up before the app is served"
            )

    # ------------------------------------------------------------------ routes

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """See `Scaffold.add_url_rule`.

        :raises AssertionError: if another view has the name.
        """
        self._check_setup("add_url_rule")
        if endpoint is None:
            if view_func is None:
                raise TypeError("add_url_rule: an endpoint or a view is needed")
            endpoint = view_func.__name__
        methods = options.pop("methods", None)
        if methods is None:
            methods = getattr(view_func, "methods", None) or ("GET",)
        if isinstance(methods, str):
            raise TypeError(f"methods={methods!r}: a list of names is wanted, like ['POST']")
        methods = {method.upper() for method in methods} | set(getattr(view_func, "required_methods", ()))
        if provide_automatic_options is None:
            provide_automatic_options = getattr(view_func, "provide_automatic_options", None)
        if provide_automatic_options is None:
            provide_automatic_options = "OPTIONS" not in methods and self.config["PROVIDE_AUTOMATIC_OPTIONS"]
        if provide_automatic_options:
            methods.add("OPTIONS")
        made = self.url_rule_class(rule, methods=methods, endpoint=endpoint, **options)
        made.provide_automatic_options = provide_automatic_options  # type: ignore[attr-defined]
        if view_func is not None:
            if self.view_functions.get(endpoint, view_func) != view_func:
                raise AssertionError(
                    f"the name {endpoint!r} is another view's: give the second one endpoint=..., "
                    "or wrap it with functools.wraps"
                )
            self.view_functions[endpoint] = view_func
        self.url_map.add(made)

    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Add a part.

        :param options: `url_prefix`, `subdomain`, `url_defaults` and `name` instead of its own.
        """
        self._check_setup("register_blueprint")
        blueprint.register(self, options)

    def teardown_appcontext(self, function: F) -> F:
        """Call a function when a context ends, also one without a request, with the exception or None."""
        self._check_setup("teardown_appcontext")
        self.teardown_appcontext_funcs.append(function)
        return function

    # ------------------------------------------------------------------ files and templates

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """Seconds for which a browser may keep a file; None for asking each time."""
        value = self.config["SEND_FILE_MAX_AGE_DEFAULT"]
        return int(value.total_seconds()) if isinstance(value, timedelta) else value

    def open_resource(self, name: str, mode: str = "rb", encoding: str | None = None) -> IO[Any]:
        """Open a file from beside the app's module, for reading.

        :raises ValueError: for another mode.
        """
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f"mode={mode!r}: a resource can only be read: 'r', 'rt' or 'rb'")
        return open(os.path.join(self.root_path, name), mode, encoding=encoding if "b" not in mode else None)

    def create_global_jinja_loader(self) -> BaseLoader:
        """What finds templates: in the app's folder, and then in those of its blueprints."""
        return Loader(self)

    @cached_property
    def jinja_env(self) -> Templates:
        """The Jinja environment, made when it is needed first."""
        reload = self.config["TEMPLATES_AUTO_RELOAD"]
        options = {"auto_reload": self.debug if reload is None else reload, **self.jinja_options}
        env = self.jinja_environment(self, **options)
        env.globals.update(url_for=self.url_for, get_flashed_messages=get_flashed_messages, config=self.config)
        # In templates these are looked up when they are used, in macros of other files too.
        env.globals.update(request=request, session=session, g=g)
        env.policies["json.dumps_function"] = self.json.dumps
        return env

    def update_template_context(self, values: dict[str, Any]) -> None:
        """Add what every template knows; what is there already stays."""
        given = dict(values)
        values.update(default_values())
        context = found_context()
        names: list[str | None] = [None]
        if context is not None and context.request is not None:
            names += reversed(context.request.blueprints)
        for name in names:
            for function in self.template_context_processors.get(name, ()):
                values.update(function())
        values.update(given)

    def _named(self, table: Callable[[Templates], Any], name: Any) -> Any:
        def decorate(function: F) -> F:
            self._check_setup("the registration of something for templates")
            table(self.jinja_env)[name if isinstance(name, str) else function.__name__] = function
            return function

        return decorate(name) if callable(name) else decorate

    def template_filter(self, name: Any = None) -> Any:
        """Decorate a filter for templates, with its own name or another one."""
        return self._named(lambda env: env.filters, name)

    def template_test(self, name: Any = None) -> Any:
        """Decorate a test for templates, with its own name or another one."""
        return self._named(lambda env: env.tests, name)

    def template_global(self, name: Any = None) -> Any:
        """Decorate a function for templates, with its own name or another one."""
        return self._named(lambda env: env.globals, name)

    def add_template_filter(self, function: F, name: str | None = None) -> None:
        """Add a filter for templates."""
        self.template_filter(name)(function)

    def add_template_test(self, function: F, name: str | None = None) -> None:
        """Add a test for templates."""
        self.template_test(name)(function)

    def add_template_global(self, function: F, name: str | None = None) -> None:
        """Add a function for templates."""
        self.template_global(name)(function)

    def url_for(self, endpoint: str, **values: Any) -> str:
        """See `syncio.web.url_for`."""
        return url_for(endpoint, _app=self, **values)

    def handle_url_build_error(self, error: BuildError, endpoint: str, values: dict[str, Any]) -> str:
        """Let the functions of `url_build_error_handlers` find a URL that no rule gives.

        :raises BuildError: if none does.
        """
        for function in self.url_build_error_handlers:
            try:
                url = function(error, endpoint, values)
            except BuildError as exc:
                error = exc
            else:
                if url is not None:
                    return url
        raise error

    def inject_url_defaults(self, endpoint: str, values: dict[str, Any]) -> None:
        """Have the functions of `url_defaults` add what they want."""
        names: list[str | None] = [None]
        if "." in endpoint:
            parts = endpoint.rpartition(".")[0].split(".")
            names += [".".join(parts[: number + 1]) for number in range(len(parts))]
        for name in names:
            for function in self.url_default_functions.get(name, ()):
                function(endpoint, values)

    def run(self, host: str | None = None, port: int | None = None, debug: bool | None = None, **options: Any) -> None:
        """Serve, for development. See `syncio.web.run.run`."""
        run(self, host, port, debug, **options)

    # ------------------------------------------------------------------ realtime

    @cached_property
    def realtime(self) -> Realtime:
        """The `syncio.Server` of the app's events, which is mounted at `REALTIME_PATH` when it is wanted first."""
        server = Realtime(self, **self.config["REALTIME_OPTIONS"])
        self.wsgi_app = WSGIApp(server, self.wsgi_app, engineio_path=self.config["REALTIME_PATH"])  # type: ignore[method-assign]
        return server

    def on(self, event: str) -> Callable[[F], F]:
        """Decorate a function for an event of a connection; several are called in their order.

        It runs with the app, with the session as it was when the client connected, and with `request` of that moment.

        :param event: 'connect' (sid, environ) or (sid), which rejects the client by returning False or a reason, or by
            `abort`; 'message' (sid, data); 'disconnect' (sid, reason) or (sid).
        """

        def decorate(function: F) -> F:
            self.realtime.add(event, function)
            return function

        return decorate

    def send(self, sid: str, data: Any) -> None:
        """Send a message to a client.

        :param data: text, bytes, or a value that goes into JSON.
        """
        self.realtime.send(sid, data)

    def broadcast(self, data: Any, *, room: Hashable = None, skip: str | None = None) -> None:
        """Send a message to all, or to those in a room; see `Realtime.broadcast`."""
        self.realtime.broadcast(data, room=room, skip=skip)

    def join(self, sid: str, room: Hashable) -> None:
        """Put a client into a room; see `Realtime.join`."""
        self.realtime.join(sid, room)

    def leave(self, sid: str, room: Hashable) -> None:
        """Take a client out of a room; see `Realtime.leave`."""
        self.realtime.leave(sid, room)

    # ------------------------------------------------------------------ contexts

    def app_context(self) -> Context:
        """`with app.app_context():` makes the app current, without a request."""
        return Context(self)

    def request_context(self, environ: Environ) -> Context:
        """A context for a request of WSGI."""
        context = found_context()
        # Inside of `with app.app_context():` both share `g`.
        shared = context.g if context is not None and context.app is self and context.request is None else None
        return Context(self, self.request_class(environ), g=shared)

    def test_request_context(self, *args: Any, **options: Any) -> Context:
        """A context for a request that nobody has made: ``with app.test_request_context("/x?y=1"):``.

        :param options: those of `werkzeug.test.EnvironBuilder`, and `json`.
        """
        builder: EnvironBuilder = environ_builder(self, *args, **options)
        try:
            return self.request_context(builder.get_environ())
        finally:
            builder.close()

    def test_client(self, use_cookies: bool = True, **options: Any) -> AppClient:
        """A client for tests, with cookies of its own; each call gives another one."""
        return self.test_client_class(self, self.response_class, use_cookies=use_cookies, **options)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What matches and builds URLs, of a request or of `SERVER_NAME`; None without either."""
        server_name = self.config["SERVER_NAME"]
        if request is None:
            if server_name is None:
                return None
            return self.url_map.bind(
                server_name,
                script_name=self.config["APPLICATION_ROOT"],
                url_scheme=self.config["PREFERRED_URL_SCHEME"],
            )
        request.trusted_hosts = self.config["TRUSTED_HOSTS"]
        if not request.host and not is_host(request.environ.get("HTTP_HOST", "")):  # it raises what is not trusted
            raise SecurityError("the Host field does not name a host")
        if self.url_map.host_matching:
            return self.url_map.bind_to_environ(request.environ, server_name=None)
        subdomain = None if self.subdomain_matching else self.url_map.default_subdomain or ""
        return self.url_map.bind_to_environ(request.environ, server_name=server_name, subdomain=subdomain)

    def create_fallback_adapter(self, request: Request) -> MapAdapter:
        """What builds URLs for the answer to a request whose host is refused."""
        return self.url_map.bind(
            self.config["SERVER_NAME"] or "localhost",
            script_name=request.root_path or "/",
            url_scheme=self.config["PREFERRED_URL_SCHEME"],
        )

    def open_session(self, request: Request) -> Session:
        """The session of a request."""
        return self.session_interface.open_session(self, request)  # type: ignore[no-any-return]
