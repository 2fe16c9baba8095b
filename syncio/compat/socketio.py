"""python-socketio on syncio's engine: ``from syncio.compat import socketio`` instead of ``import socketio``.

What is not here is python-socketio's own: ``socketio.Namespace``, ``socketio.RedisManager`` and all the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import socketio as original

from ..engineio import WSGIApp as EngineApp
from .engine import EngineClient, EngineServer
from .install import make_module

__all__ = ["Client", "Server", "SimpleClient", "WSGIApp"]


class Server(original.Server):  # type: ignore[misc]
    """`socketio.Server` on syncio; options of the engine are those of `syncio.Server`."""

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    def instrument(self, *arguments: Any, **options: Any) -> Any:
        """Let the admin UI look in (python-socketio's ``instrument``)."""
        with _own_sockets():
            instrumented = super().instrument(*arguments, **options)
        theirs = instrumented.uninstrument

        def uninstrument() -> None:
            with _own_sockets():
                theirs()

        instrumented.uninstrument = uninstrument
        return instrumented


class Client(original.Client):  # type: ignore[misc]
    """`socketio.Client` on syncio; options of the engine are those of `syncio.Client`."""

    def _engineio_client_class(self) -> type[EngineClient]:
        return EngineClient


class SimpleClient(original.SimpleClient):  # type: ignore[misc]
    """`socketio.SimpleClient` on syncio."""

    client_class = Client


class WSGIApp(EngineApp):
    """`socketio.WSGIApp` on syncio.

    :param socketio_app: a `Server`.
    :param wsgi_app: what answers all other requests; None for 404.
    :param static_files: files that are served, by their URLs.
    :param socketio_path: where the engine is.
    """

    def __init__(
        self, socketio_app: Any, wsgi_app: Any = None, static_files: Any = None, socketio_path: str = "socket.io"
    ) -> None:
        super().__init__(socketio_app, wsgi_app, static_files=static_files, engineio_path=socketio_path)


def __getattr__(name: str) -> Any:
    return getattr(original, name)


@contextmanager
def _own_sockets() -> Iterator[None]:
    """While the instrumentation looks for the engine's sessions it finds ours."""
    name = "engineio.socket"
    theirs = sys.modules.get(name)
    sys.modules[name] = make_module(name)
    try:
        yield
    finally:
        if theirs is not None:
            sys.modules[name] = theirs
        else:
            del sys.modules[name]
