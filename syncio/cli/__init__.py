"""The ``syncio`` command: a demo, an app to start from, a server for any WSGI application, a doctor, clients, a master
and its slaves.

Exit codes: 0 for a clean end, 1 if the doctor found something broken, the client lost its connection or a task was not
done, 2 if a command could not start.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence

from .. import __version__
from . import connect, demo, doctor, master, new, qmp, run, slave
from .problem import CANNOT_START, Problem

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: the command line without the program's name; None for the process's own.
    :return: the exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except Problem as problem:
        print(f"syncio: {problem}", file=sys.stderr, flush=True)
        return CANNOT_START
    except KeyboardInterrupt:  # before the signals are ours, or in the doctor
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="syncio", description="Realtime for synchronous Python.")
    version = f"syncio {__version__} (Python {platform.python_version()})"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    for command in (demo, new, run, doctor, connect, qmp, master, slave):
        command.add_parser(commands)
    return parser
