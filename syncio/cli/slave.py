"""``syncio slave module:function``: a worker. It joins a master, and calls the function for each of its tasks.

It joins again when the master was lost, and works until SIGINT or SIGTERM. Exit codes: 0 if a signal ended it, 1 if a
master refused it that it has had before, 2 if it could not start or was refused at once.
"""

from __future__ import annotations

import argparse
import sys

from ..errors import ConfigurationError
from .ending import Ending
from .ends import add_end, end_options, number_of, require_packages, running, seconds
from .problem import FAILED, OK, Problem
from .target import load_function

__all__ = ["add_parser"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("slave", help="work on the tasks of a master", description=__doc__)
    parser.add_argument(
        "function", metavar="module:function", help="is called with a task's data, and returns the result"
    )
    parser.add_argument("--master", required=True, metavar="URL", help="whom to join; 'host' and 'host:port' will do")
    parser.add_argument("--name", help="what the slave is called there (default: its host and port)")
    add_end(parser, 0)
    parser.add_argument(
        "--slots", type=number_of(1), default=1, metavar="N", help="tasks at the same time (default: 1)"
    )
    parser.add_argument("--heartbeat", type=seconds, metavar="SECONDS", help="between two signs of life (default: 3)")
    parser.add_argument(
        "--grace", type=seconds, default=5.0, metavar="SECONDS", help="for tasks, when it has to end (default: 5)"
    )
    parser.set_defaults(command=slave)


def slave(options: argparse.Namespace) -> int:
    """Work until a signal comes; the exit code.

    :raises Problem: if it cannot start, or is refused.
    """
    require_packages("slave")
    function = load_function(options.function)
    from .membership import FunctionSlave, Membership  # they need those packages

    ends = end_options(options)
    try:
        worker = FunctionSlave(function, slots=options.slots, heartbeat_span=options.heartbeat, **ends)
        with Ending() as ending:
            membership = Membership(worker, options.master, options.name, note, ending.say)
            with running(worker):
                membership.start()
                ending.wait()
                membership.stop()
                if not worker.drain(options.grace):
                    note(f"tasks were not done within {options.grace:g} s")
    except ConfigurationError as exc:
        raise Problem(str(exc)) from exc
    if membership.refusal is None:
        return OK
    if not membership.has_joined:
        raise Problem(membership.refusal)
    note(membership.refusal)
    return FAILED


def note(words: str) -> None:
    """Tell people something."""
    print(words, file=sys.stderr, flush=True)
