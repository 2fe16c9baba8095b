"""Clients for tests: requests without a network, with cookies, and a look into what was current."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from werkzeug.test import Client, EnvironBuilder, TestResponse
from werkzeug.wrappers import Request as WerkzeugRequest

from .context import Context
from .sessions import LockedSession, Session

if TYPE_CHECKING:
    from .app import App

__all__ = ["AppClient", "AppEnvironBuilder", "environ_builder"]


class AppEnvironBuilder(EnvironBuilder):
    """Makes WSGI environments for an app: with its server name, and JSON as it writes it.

    :param app: whose requests they are.
    :param path: a path, or a whole URL.
    :param subdomain: put before `SERVER_NAME`.
    :param url_scheme: instead of `PREFERRED_URL_SCHEME`.
    """

    def __init__(
        self,
        app: App,
        path: str = "/",
        base_url: str | None = None,
        subdomain: str | None = None,
        url_scheme: str | None = None,
        *args: Any,
        **options: Any,
    ) -> None:
        if base_url is not None and (subdomain or url_scheme):
            raise ValueError("base_url has a subdomain and a scheme: give it, or them")
        if base_url is None:
            host = app.config["SERVER_NAME"] or "localhost"
            root = app.config["APPLICATION_ROOT"]
            if subdomain:
                host = f"{subdomain}.{host}"
            url = urlsplit(path)
            scheme = url_scheme or url.scheme or app.config["PREFERRED_URL_SCHEME"]
            base_url = f"{scheme}://{url.netloc or host}/{root.lstrip('/')}"
            path = url.path
            if url.query:
                path = f"{path}?{url.query}"
        self.app = app
        super().__init__(path, base_url, *args, **options)

    def json_dumps(self, obj: Any, **options: Any) -> str:
        """Encode as the app does."""
        return self.app.json.dumps(obj, **options)


def environ_builder(app: App, *args: Any, **options: Any) -> AppEnvironBuilder:
    """A builder of environments."""
    return AppEnvironBuilder(app, *args, **options)


class AppClient(Client):
    """A client of an app. In a ``with`` the context of the last request stays current, to be looked at.

    :param app: the app.
    :param options: those of `werkzeug.test.Client`.
    """

    application: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._preserves = False
        self._preserved: list[tuple[Context, BaseException | None]] = []
        self.environ_base = {"REMOTE_ADDR": "127.0.0.1", "HTTP_USER_AGENT": f"Werkzeug/{version('werkzeug')}"}
        """What each request has."""

    @contextmanager
    def session_transaction(self, *args: Any, **options: Any) -> Iterator[Session]:
        """Read and change the session that the next request finds.

        :raises RuntimeError: if the app has no sessions.
        """
        if self._cookies is None:
            raise TypeError("Cookies are disabled. A session needs them: test_client(use_cookies=True)")
        app = self.application
        context = app.test_request_context(*args, **options)
        self._add_cookies_to_wsgi(context.request.environ)
        with context:
            session = app.session_interface.open_session(app, context.request)
        if session is None or isinstance(session, LockedSession):
            raise RuntimeError("Session backend did not open a session: the app has no secret_key")
        yield session
        response = app.response_class()
        with context:
            app.session_interface.save_session(app, session, response)
        self._update_cookies_from_response(
            context.request.host.partition(":")[0], context.request.path, response.headers.getlist("Set-Cookie")
        )

    def open(self, *args: Any, buffered: bool = False, follow_redirects: bool = False, **options: Any) -> TestResponse:
        """Make a request.

        :param args: those of an environment's builder; or such a builder, an environment, or a request.
        :param buffered: whether the body is read at once.
        :param follow_redirects: whether redirects are followed.
        """
        first = args[0] if args else None
        if isinstance(first, EnvironBuilder):
            request = WerkzeugRequest({**self.environ_base, **first.get_environ()})
        elif isinstance(first, dict):
            request = WerkzeugRequest({**self.environ_base, **first})
        elif isinstance(first, WerkzeugRequest):
            request = WerkzeugRequest({**self.environ_base, **first.environ})
        else:
            base = {**self.environ_base, **options.pop("environ_base", {})}
            builder = environ_builder(self.application, *args, environ_base=base, **options)
            try:
                request = builder.get_request()
            finally:
                builder.close()
        self._close()
        response = super().open(request, buffered=buffered, follow_redirects=follow_redirects)
        response.json_module = self.application.json
        return response

    def run_wsgi_app(self, environ: dict[str, Any], buffered: bool = False) -> Any:
        """Make one request, of which a redirect is another one."""
        if self._preserves:
            environ["syncio.web.preserve_context"] = self._preserve
        return super().run_wsgi_app(environ, buffered)

    def _preserve(self, context: Context, error: BaseException | None) -> None:
        context.push()
        self._preserved.append((context, error))

    def _close(self) -> None:
        while self._preserved:
            context, error = self._preserved.pop()
            context.pop(error)

    def __enter__(self) -> AppClient:
        if self._preserves:
            raise RuntimeError("this client is inside of a `with` already")
        self._preserves = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._preserves = False
        self._close()
