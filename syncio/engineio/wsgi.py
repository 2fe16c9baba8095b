"""The WSGI application that puts an Engine.IO server in front of, or inside, a site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from ..errors import ConfigurationError
from .static_files import Entry, StaticFiles

__all__ = ["WSGIApp"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGICallable = Callable[[Environ, StartResponse], Iterable[bytes]]


class Engine(Protocol):
    """What the application puts at the engine's path: a `syncio.Server`."""

    def handle_request(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]: ...


class WSGIApp:
    """Engine first, then static files, then the wrapped application, then 404.

    :param engineio_app: the server.
    :param wsgi_app: a Flask, Django or any other WSGI application, or None.
    :param static_files: see `syncio.engineio.static_files.StaticFiles`.
    :param engineio_path: where the engine is mounted.
    """

    def __init__(
        self,
        engineio_app: Engine,
        wsgi_app: WSGICallable | None = None,
        static_files: Mapping[str, Entry] | None = None,
        engineio_path: str = "engine.io",
    ) -> None:
        path = engineio_path.strip("/")
        if not path:
            raise ConfigurationError("engineio_path", engineio_path, "it is a path like 'engine.io'")
        self.engineio_app = engineio_app
        self.wsgi_app = wsgi_app
        self.engineio_path = f"/{path}/"
        self.static_files = StaticFiles(static_files or {})

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI callable."""
        path = environ.get("PATH_INFO") or "/"
        if path.startswith(self.engineio_path) or path == self.engineio_path[:-1]:
            return self.engineio_app.handle_request(environ, start_response)
        response = self.static_files.find(environ)
        if response is not None:
            return response(environ, start_response)
        if self.wsgi_app is not None:
            return self.wsgi_app(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "9")])
        return [b"not found"]
