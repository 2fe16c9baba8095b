"""The kinds of hosting that syncio is tested under: one row each."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass

__all__ = ["GUNICORN_KINDS", "KINDS", "POLLING_KINDS", "WEBSOCKET_KINDS", "Kind"]


@dataclass(frozen=True)
class Kind:
    """One way to host a WSGI application.

    :param name: its name in test ids.
    :param arguments: the command line behind the interpreter; `{port}` and `{app}` are filled in.
    :param needs: top-level modules that have to be installed.
    :param websocket: whether WebSocket works there. Where it does, the server gives its sockets away, and we see
        clients leave at any time.
    :param greenlets: whether requests run in greenlets.
    :param answers_first: whether the server itself writes the 101 before the application is asked.
    :param shutdown_tick: seconds that pass in the worst case until the server's own loop notices a SIGTERM.
    """

    name: str
    arguments: tuple[str, ...]
    needs: tuple[str, ...]
    websocket: bool = True
    greenlets: bool = False
    answers_first: bool = False
    shutdown_tick: float = 0.0

    def command(self, port: int, app: str) -> list[str]:
        """The command line that serves `app` ("module:name") on a port of 127.0.0.1."""
        return [sys.executable, *(a.format(port=port, app=app) for a in self.arguments)]

    @property
    def missing(self) -> list[str]:
        """Modules that it needs and that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]

    @property
    def is_gunicorn(self) -> bool:
        """Whether gunicorn's master and worker processes run it."""
        return "gunicorn" in self.arguments


def _gunicorn(name: str, worker: str, *more: str, needs: tuple[str, ...] = (), **traits: bool | float) -> Kind:
    arguments = ("-m", "gunicorn", "-b", "127.0.0.1:{port}", "-k", worker, *more, "--access-logfile", "-")
    arguments += ("--no-control-socket", "{app}")
    return Kind(name, arguments, ("gunicorn", *needs), **traits)  # type: ignore[arg-type]


def _script(name: str, *needs: str, websocket: bool = True, **traits: bool) -> Kind:
    arguments = ("-m", "tests.servers.serve", name, "{port}", "{app}")
    return Kind(name, arguments, needs, websocket=websocket, **traits)


# Loops of gunicorn's gevent workers sleep for a second between two looks at "shall I end?".
_GEVENT_TICK = 1.0

KINDS = (
    _script("werkzeug", "werkzeug"),
    _gunicorn("gunicorn-gthread", "gthread", "--threads", "4"),
    _gunicorn("gunicorn-sync", "sync"),
    _gunicorn("gunicorn-gevent", "gevent", needs=("gevent",), greenlets=True, shutdown_tick=_GEVENT_TICK),
    _gunicorn(
        "gunicorn-gevent-pywsgi",
        "gunicorn.workers.ggevent.GeventPyWSGIWorker",
        needs=("gevent",),
        greenlets=True,
        shutdown_tick=_GEVENT_TICK,
    ),
    _gunicorn(
        "gevent-websocket",
        "geventwebsocket.gunicorn.workers.GeventWebSocketWorker",
        needs=("gevent", "geventwebsocket"),
        greenlets=True,
        answers_first=True,
        shutdown_tick=_GEVENT_TICK,
    ),
    _script("gevent-pywsgi", "gevent", greenlets=True),
    _script("gevent-websocket-handler", "gevent", "geventwebsocket", greenlets=True, answers_first=True),
    _script("waitress", "waitress", websocket=False),
    _script("cheroot", "cheroot", websocket=False),
)
WEBSOCKET_KINDS = tuple(kind for kind in KINDS if kind.websocket)
POLLING_KINDS = tuple(kind for kind in KINDS if not kind.websocket)
GUNICORN_KINDS = tuple(kind for kind in KINDS if kind.is_gunicorn)
