"""The debugger for development. This module is imported only where one is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from werkzeug.debug import DebuggedApplication

if TYPE_CHECKING:
    from .app import App

__all__ = ["Debugger"]


class Debugger(DebuggedApplication):
    """Werkzeug's, around all requests but those of events: that their connections are taken over, which is a reset
    connection to a server, is an error to it.

    :param app: the app.
    :param host: that of this machine by which its pages may be asked for.
    :param evalex: whether it executes what is typed.
    """

    def __init__(self, app: App, host: str, evalex: bool) -> None:
        super().__init__(app, evalex=evalex)
        self.trusted_hosts.append(host)
        self._events = f"/{app.config['REALTIME_PATH'].strip('/')}/"

    def debug_application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        """Answer a request; an error becomes a page."""
        if f"{environ.get('PATH_INFO', '')}/".startswith(self._events):
            return iter(self.app(environ, start_response))
        return super().debug_application(environ, start_response)
