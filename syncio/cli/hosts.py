"""The WSGI servers that syncio knows: what each gives it, and the command line for an application."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from .target import Target

__all__ = ["HOSTS", "Host", "host_named"]


@dataclass(frozen=True)
class Host:
    """One way to serve a WSGI application.

    :param name: what ``--server`` calls it.
    :param distribution: the package on PyPI whose version counts.
    :param needs: modules that have to be there.
    :param websocket: whether WebSocket works.
    :param waiting: what a WebSocket or a waiting poll holds while nothing happens.
    :param greenlets: whether requests run in gevent's greenlets.
    :param command_line: how to start it; ``{app}`` is the application as it is named on a command line, ``{module}``
        and ``{name}`` are its parts.
    :param install: what pip has to install.
    :param note: what else should be known.
    """

    name: str
    distribution: str
    needs: tuple[str, ...]
    websocket: bool
    waiting: str
    greenlets: bool
    command_line: str
    install: str
    note: str = ""

    @property
    def frees_thread(self) -> bool:
        """Whether a waiting connection holds no thread."""
        return self.waiting != A_THREAD

    @property
    def version(self) -> str | None:
        """The installed version; None if something that it needs is missing."""
        if any(find_spec(name) is None for name in self.needs):
            return None
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return None

    def command(self, target: Target) -> str:
        """The command line that serves an application."""
        name = target.spec.partition(":")[2]
        parts = {"app": shlex.quote(target.spec), "module": target.module.__name__, "name": name}
        return self.command_line.format(**parts, root=name.partition(".")[0].removesuffix("()"))


NOTHING = "nothing"
A_THREAD = "a thread"
_GEVENT_WEBSOCKET = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"
_PYWSGI = (
    'python -c "from gevent import monkey; monkey.patch_all(); from gevent.pywsgi import WSGIServer; '
    "from {module} import {root}; WSGIServer(('127.0.0.1', 8000), {name}).serve_forever()\""
)
_ONE_AT_A_TIME = "one request at a time: gthread is the better choice"

HOSTS = (
    Host(
        "syncio-threads", "werkzeug", ("werkzeug",), True, NOTHING, False, "syncio run {app}", "syncio",
        "for development and small sites",
    ),
    Host(
        "syncio-gevent", "gevent", ("gevent",), True, NOTHING, True, "syncio run --worker gevent {app}", "gevent",
    ),
    Host(
        "gunicorn-gthread", "gunicorn", ("gunicorn",), True, NOTHING, False,
        "gunicorn --workers 1 --worker-class gthread --threads 8 {app}", "gunicorn",
    ),
    Host(
        "gunicorn-sync", "gunicorn", ("gunicorn",), True, NOTHING, False, "gunicorn --workers 1 {app}", "gunicorn",
        _ONE_AT_A_TIME,
    ),
    Host(
        "gunicorn-gevent", "gunicorn", ("gunicorn", "gevent"), True, NOTHING, True,
        "gunicorn --workers 1 --worker-class gevent {app}", "gunicorn gevent",
    ),
    Host(
        "gunicorn-gevent-pywsgi", "gunicorn", ("gunicorn", "gevent"), True, NOTHING, True,
        "gunicorn --workers 1 --worker-class gevent_pywsgi {app}", "gunicorn gevent",
    ),
    Host(
        "gunicorn-gevent-websocket", "gevent-websocket", ("gunicorn", "gevent", "geventwebsocket"), True, NOTHING, True,
        f"gunicorn --workers 1 --worker-class {_GEVENT_WEBSOCKET} {{app}}", "gunicorn gevent-websocket",
    ),
    Host("gevent-pywsgi", "gevent", ("gevent",), True, NOTHING, True, _PYWSGI, "gevent"),
    Host(
        "waitress", "waitress", ("waitress",), False, A_THREAD, False,
        "waitress-serve --listen=127.0.0.1:8000 --threads=32 {app}", "waitress", "long polling only",
    ),
    Host(
        "cheroot", "cheroot", ("cheroot",), False, A_THREAD, False,
        "cheroot --bind 127.0.0.1:8000 --threads 32 {app}", "cheroot", "long polling only",
    ),
)  # fmt: skip


def host_named(name: str) -> Host:
    """The server of a name.

    :raises KeyError: if there is none.
    """
    return {host.name: host for host in HOSTS}[name]
