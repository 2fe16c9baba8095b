"""The server for development: Werkzeug's, on which WebSockets work. It reloads, and has a debugger for this machine."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import werkzeug.serving

if TYPE_CHECKING:
    from .app import App

__all__ = ["is_loopback", "run"]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    if host in ("localhost", ""):
        return host == "localhost"
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def run(app: App, host: str | None = None, port: int | None = None, debug: bool | None = None, **options: Any) -> None:
    """Serve an app until Ctrl-C.

    :param host: None for that of `SERVER_NAME`, or 127.0.0.1.
    :param port: None for that of `SERVER_NAME`, or 5000.
    :param debug: None for what the app says. In debug mode it reloads on change and errors are shown in a debugger.
    :param options: those of `werkzeug.serving.run_simple`.
    :raises ValueError: for a debugger that others could reach: it executes what they type.
    """
    if debug is not None:
        app.debug = bool(debug)
    name, _, number = (app.config["SERVER_NAME"] or "").partition(":")
    host = host or name or "127.0.0.1"
    port = int(port if port is not None else number or 5000)
    options.setdefault("threaded", True)
    options.setdefault("use_reloader", app.debug)
    options.setdefault("use_debugger", app.debug)
    if options["use_debugger"] and not is_loopback(host):
        raise ValueError(
            f"host={host!r}: a debugger executes what anybody types who reaches it; "
            "use host='127.0.0.1', or use_debugger=False"
        )
    application: Callable[..., Any] = app
    if options.pop("use_debugger"):
        from .debugger import Debugger

        application = Debugger(app, host, options.pop("use_evalex", True))
    werkzeug.serving.run_simple(host, port, application, **options)
