"""``syncio master [TASKS]``: a coordinator. Slaves join it; ``syncio slave`` starts one.

With TASKS, a file of JSON lines or - for the input, each line is a task, and each line of the output is its result, in
the same order; then it ends. Without TASKS it serves until SIGINT or SIGTERM. Exit codes: 0 if all tasks were done
well, 1 if one was not, 2 if it could not start, 130 or 143 if a signal came before the last result.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import ConfigurationError
from .ending import Ending
from .ends import add_end, end_options, number_of, require_packages, running, seconds
from .problem import FAILED, OK, Problem

if TYPE_CHECKING:
    from ..interaction import Master

__all__ = ["add_parser"]

DEFAULT_PORT = 7235
SIGNALLED = 128


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("master", help="give tasks to slaves that join", description=__doc__)
    parser.add_argument("tasks", metavar="TASKS", nargs="?", help="a file of JSON lines, or - for the input")
    add_end(parser, DEFAULT_PORT)
    parser.add_argument(
        "--slaves",
        type=number_of(1),
        default=1,
        metavar="N",
        help="wait for so many before the first task (default: 1)",
    )
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="for each task on a slave (default: none)")
    parser.add_argument(
        "--retries",
        type=number_of(0),
        metavar="N",
        help="try a task again so often (default: 3 times if its slave was lost, never if it has failed)",
    )
    parser.add_argument(
        "--tolerance", type=seconds, metavar="SECONDS", help="for which a slave may be silent (default: 17)"
    )
    parser.add_argument("--no-status", action="store_true", help="show no page with the slaves and their tasks")
    parser.set_defaults(command=master)


def master(options: argparse.Namespace) -> int:
    """Do the tasks, or serve until a signal comes; the exit code.

    :raises Problem: if it cannot start.
    """
    require_packages("master")
    from ..interaction import Master  # it needs those packages

    ends = end_options(options)
    if options.timeout == 0:
        raise Problem("--timeout 0 leaves no time for a task")
    source = None if options.tasks is None else _opened(options.tasks)
    try:
        made = Master(
            accept_slaves=True, status_page=not options.no_status, heartbeat_tolerance=options.tolerance, **ends
        )
    except ConfigurationError as exc:
        raise Problem(str(exc)) from exc
    with Ending() as ending, running(made):
        greeting = f"syncio master at {made.my_address}{'' if options.no_status else '/ shows its slaves and tasks'}."
        if source is None:
            print(f"{greeting} Ctrl-C ends it.", flush=True)
            ending.wait()
            return OK
        print(f"{greeting} Waiting for slaves.", file=sys.stderr, flush=True)
        return _work(made, source, options, ending)


def _opened(name: str) -> BinaryIO:
    try:
        # The input not by `sys.stdin`: Python could not close that at its end while it is read.
        return open(0, "rb", closefd=False) if name == "-" else open(name, "rb")
    except OSError as exc:
        raise Problem(f"there are no tasks to be read in {name}: {exc.strerror}") from exc


def _work(made: Master, source: BinaryIO, options: argparse.Namespace, ending: Ending) -> int:
    from ..interaction import TaskRetry
    from .batch import Batch

    count = options.retries
    retry = None if count is None else TaskRetry(lost=count, failed=count, refused=count)
    batch = Batch(made, source, sys.stdout, options.timeout, retry)

    def work() -> Any:
        try:
            made.wait_for_slaves(options.slaves)
            batch.run()
        finally:
            ending.say()

    made.runtime.start("syncio-batch", work)
    number = ending.wait()
    batch.stop()
    if batch.is_unread:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
    if number is not None:
        return SIGNALLED + number
    return OK if batch.is_whole else FAILED
