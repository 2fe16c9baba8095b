"""``syncio demo``: the chat of `syncio.demo` on the embedded server."""

from __future__ import annotations

import argparse
import webbrowser
from importlib.util import find_spec

from .engines import find_engines
from .problem import OK, Problem
from .run import add_address
from .serving import bind, prepare, start, stop, url_of, wait_for_signal
from .target import load

__all__ = ["add_parser"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("demo", help="serve a chat that shows what syncio does", description=__doc__)
    add_address(parser)
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.set_defaults(command=demo)


def demo(options: argparse.Namespace) -> int:
    """Serve the chat until a signal comes.

    :raises Problem: if it cannot start.
    """
    if find_spec("jinja2") is None or find_spec("itsdangerous") is None:
        raise Problem("the demo needs jinja2 and itsdangerous", "pip install 'syncio[web]'")
    prepare(options.worker)
    with bind(options.host, options.port) as listener:
        target = load("syncio.demo.app:app")
        url = url_of(listener)
        server = start(options.worker, listener, target.app, options.access_log)
        print(f"syncio demo at {url} ({options.worker}). Open it in several windows. Ctrl-C ends it.", flush=True)
        if options.open:
            webbrowser.open(url)
        wait_for_signal()
        stop(server, [mount.server for mount in find_engines(target)])
    return OK
