"""The embedded servers: Werkzeug's on threads, gevent's on greenlets. Started, waited for, ended within a second."""

from __future__ import annotations

import errno
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from werkzeug.serving import WSGIRequestHandler, make_server

from ..engineio import Server
from .ending import Ending
from .problem import Problem
from .target import WSGICallable

__all__ = [
    "WORKERS",
    "EmbeddedServer",
    "bind",
    "cannot_listen",
    "prepare",
    "start",
    "stop",
    "url_of",
    "wait_for_signal",
]

WORKERS = ("threads", "gevent")
BACKLOG = 256
GRACE = 0.5
"""Seconds that disconnect handlers may take when the server ends; together with the rest it is below a second."""
TICK = 0.05


class EmbeddedServer(Protocol):
    """One of the embedded servers, serving in the background."""

    def close(self) -> None:
        """Accept no more connections."""


def prepare(worker: str) -> None:
    """Make the process what a worker needs. Has to come before the application is imported.

    :param worker: 'threads' or 'gevent'.
    :raises Problem: if gevent is wanted and not installed.
    """
    if worker != "gevent":
        return
    try:
        from gevent import monkey
    except ImportError as exc:
        raise Problem("the gevent worker needs gevent, which is not installed", "pip install gevent") from exc
    monkey.patch_all()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    :param port: 0 for any free port.
    :raises Problem: if the address is in use or is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as exc:
        raise cannot_listen(host, port, exc) from exc


def cannot_listen(host: str, port: int, error: OSError) -> Problem:
    """Why an address cannot be had."""
    if error.errno == errno.EADDRINUSE:
        hint = f"end the program that uses it, or choose another: --port {port + 1}, or --port 0 for any free port"
        return Problem(f"port {port} of {host} is in use", hint)
    return Problem(f"cannot listen on {host}, port {port}: {error.strerror}")


def url_of(listener: socket.socket) -> str:
    """The URL at which a listening socket can be reached from this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def start(worker: str, listener: socket.socket, app: WSGICallable, access_log: bool = False) -> EmbeddedServer:
    """Serve an application in the background.

    :param worker: 'threads' or 'gevent', for which the process has been prepared.
    :param access_log: whether each request is written to the standard error.
    """
    kind: Callable[..., EmbeddedServer] = _GeventServer if worker == "gevent" else _ThreadsServer
    return kind(listener, app, access_log)


class _ThreadsServer:
    """Werkzeug's server with a thread for each request; WebSockets and waiting polls go to syncio's relay."""

    def __init__(self, listener: socket.socket, app: WSGICallable, access_log: bool) -> None:
        host, port = listener.getsockname()[:2]
        handler = _LoudHandler if access_log else _QuietHandler
        self._server = make_server(host, port, app, threaded=True, request_handler=handler, fd=listener.fileno())
        listener.close()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(TICK,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Accept no more connections."""
        self._server.shutdown()
        self._thread.join()


class _LoudHandler(WSGIRequestHandler):
    """Writes a line for each request, without touching the logging of the application."""

    def log(self, type: str, message: str, *args: Any) -> None:
        text = message % args if args else message
        sys.stderr.write(f"{self.address_string()} - [{self.log_date_time_string()}] {text}\n")


class _QuietHandler(_LoudHandler):
    """Writes a line for what fails only."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Not a word."""


class _GeventServer:
    """gevent's server with a greenlet for each request."""

    def __init__(self, listener: socket.socket, app: WSGICallable, access_log: bool) -> None:
        from gevent.pywsgi import WSGIServer

        log = sys.stderr if access_log else None
        self._server = WSGIServer(listener, app, log=log, error_log=sys.stderr)
        self._server.start()

    def close(self) -> None:
        """Accept no more connections."""
        self._server.stop(timeout=TICK)


def stop(server: EmbeddedServer, engines: Iterable[Server]) -> None:
    """End a server: no more connections, then a goodbye to every session.

    :param engines: the servers that are known to be in the application.
    """
    server.close()
    for engine in engines:
        engine.shutdown(GRACE)


def wait_for_signal() -> None:
    """Wait for SIGINT or SIGTERM. A second one, while the server ends, ends the process at once."""
    Ending().begin().wait()
