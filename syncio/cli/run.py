"""``syncio run module:app``: any WSGI application on the embedded server."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from socket import socket

from .engines import find_engines
from .problem import OK, Problem
from .serving import WORKERS, bind, prepare, start, stop, url_of, wait_for_signal
from .target import Target, load

__all__ = ["add_address", "add_parser", "port_number", "serve"]


def add_address(parser: argparse.ArgumentParser) -> None:
    """The options that every serving command has."""
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1; 0.0.0.0 for all)")
    parser.add_argument("--port", type=port_number, default=8000, help="0 for any free port (default: 8000)")
    parser.add_argument("--worker", choices=WORKERS, default="threads", help="threads, or gevent's greenlets")
    parser.add_argument("--access-log", action="store_true", help="write a line for each request")


def port_number(text: str) -> int:
    """What `--port` means."""
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is no port; ports are 0 to 65535")
    return port


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("run", help="run a WSGI application", description=__doc__)
    parser.add_argument("app", metavar="module:app", help="the application; module:create_app() for a factory")
    add_address(parser)
    parser.add_argument("--reload", action="store_true", help="start again when a file of the application changes")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run it until a signal comes.

    :raises Problem: if it cannot start.
    """
    if options.reload:
        return _reload(options)
    prepare(options.worker)
    with bind(options.host, options.port) as listener:
        return serve(options, load(options.app), listener)


def serve(options: argparse.Namespace, target: Target, listener: socket) -> int:
    """Serve an application on a socket until a signal comes."""
    print(_greeting(options, target, url_of(listener)), flush=True)
    server = start(options.worker, listener, target.app, options.access_log)
    wait_for_signal()
    stop(server, [mount.server for mount in find_engines(target)])
    return OK


def _greeting(options: argparse.Namespace, target: Target, url: str) -> str:
    paths = sorted(mount.path for mount in find_engines(target) if mount.path)
    engine = f"engine at {', '.join(paths)}" if paths else "no syncio server found in it"
    return f"syncio runs {target.spec} at {url} ({options.worker}; {engine}). Ctrl-C ends it."


def _reload(options: argparse.Namespace) -> int:
    """Run it in a process of Werkzeug's reloader, which begins anew when a file changes."""
    from werkzeug._reloader import run_with_reloader
    from werkzeug.serving import is_running_from_reloader

    logging.getLogger("werkzeug").setLevel(logging.INFO)
    prepare(options.worker)
    if not is_running_from_reloader():
        run_with_reloader(lambda: None)  # starts the process again and again, and leaves through sys.exit
        return OK
    with bind(options.host, options.port) as listener:
        run_with_reloader(lambda: _serve_until_reload(options, listener))
    return OK


def _serve_until_reload(options: argparse.Namespace, listener: socket) -> None:
    """In a thread of the reloader: an application that cannot be imported is waited for, not given up."""
    try:
        target = load(options.app)
    except Problem as problem:
        print(f"syncio: {problem}\nsyncio: waiting for a change", file=sys.stderr, flush=True)
        return
    print(_greeting(options, target, url_of(listener)), flush=True)
    start(options.worker, listener, target.app, options.access_log)
    while True:
        time.sleep(3600.0)
