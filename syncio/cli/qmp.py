"""``syncio qmp SOCKET``: talk to QEMU, its storage daemon or its guest agent, by hand or from a script.

Exit codes: 0 if all went well, 1 if the server answered with an error or went away, 2 if there was no connection.
"""

from __future__ import annotations

import argparse
import sys
import threading

from ..protocol.qmp import Message, QMPClient
from .problem import FAILED
from .qmp_arguments import read_arguments
from .qmp_completion import Completer
from .qmp_console import Console
from .qmp_launch import launched
from .qmp_output import Output
from .qmp_script import Script
from .qmp_session import connect
from .qmp_shell import Shell, hmp_message
from .qmp_terminal import Terminal

__all__ = ["add_parser"]

USAGE = """syncio qmp [OPTIONS] SOCKET                            for a shell
       syncio qmp [OPTIONS] SOCKET COMMAND [KEY=VALUE ...]   for one command
       syncio qmp [OPTIONS] SOCKET -                         for JSON from the input, a command a line
       syncio qmp [OPTIONS] SOCKET -H [COMMAND ...]          for the human monitor
       syncio qmp [OPTIONS] --launch -- PROGRAM [ARG ...]    for a shell to a program that is started for it"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("qmp", help="talk to QEMU", description=__doc__, usage=USAGE)
    _add_options(parser)
    parser.add_argument("line", nargs=argparse.REMAINDER, metavar="SOCKET", help="host:port or a path")
    parser.set_defaults(command=qmp)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="for connecting, and for a command (default: 10)",
    )
    add(
        "--retry", type=_seconds, default=0.0, metavar="SECONDS", help="wait so long for a socket that is not there yet"
    )
    add("-c", "--compact", action="store_true", help="print a value in one line")
    add("--events", type=_count, metavar="N", help="wait for so many events of the command, and print them")
    add("--wait", metavar="EVENT", help="wait for this event of the command, and print it")
    add("--guest-agent", action="store_true", help="the server is qemu-ga")
    add("-H", "--hmp", nargs=argparse.REMAINDER, metavar="COMMAND", help="the rest is for the human monitor")
    add("-v", "--verbose", action="store_true", help="print what is sent")
    add("-N", "--no-negotiation", action="store_true", help="expect no greeting, and negotiate nothing")
    add("--launch", action="store_true", help="the rest is a program; it ends with the shell")


def qmp(options: argparse.Namespace) -> int:
    """Run the command; the exit code.

    :raises Problem: if it cannot start.
    """
    parser = argparse.ArgumentParser("syncio qmp", usage=USAGE)
    if options.launch:
        return _launch(parser, options)
    message = _parse(parser, options)
    client = connect(options)
    try:
        if message is not None:
            return _execute(client, message, options)
        if options.words:
            return Script(client, Output(sys.stdout, sys.stderr, True), options.timeout).pass_on(sys.stdin)
        return _talk(client, options)
    except KeyboardInterrupt:
        return FAILED
    finally:
        client.close()


def _parse(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Message | None:
    """Read what begins with the socket, options among it too; the command that it has."""
    _add_options(parser)
    parser.add_argument("words", nargs="*")
    parser.parse_intermixed_args(options.line, options)
    words = [*options.words, *(options.hmp or ())]
    if not words:
        parser.error("there is no SOCKET")
    if options.wait is not None and options.events is not None:
        parser.error("--wait and --events exclude each other")
    options.socket, *options.words = words
    if options.words in ([], ["-"]):
        return None
    if options.hmp is not None:
        return hmp_message(" ".join(options.words))
    command, *arguments = options.words
    return QMPClient.make_execute_msg(command, read_arguments(arguments) or None)


def _execute(client: QMPClient, message: Message, options: argparse.Namespace) -> int:
    output = Output(sys.stdout, sys.stderr, options.compact)
    if options.verbose:
        output.sent(message)
    events = 1 if options.wait is not None else options.events or 0
    return Script(client, output, options.timeout).execute(message, options.hmp is not None, options.wait, events)


def _launch(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    call = [*options.line, *(options.hmp or ())]
    if call[:1] == ["--"]:
        del call[0]
    if not call:
        parser.error("there is no PROGRAM behind --launch")
    with launched(options, call) as client:
        return _talk(client, options)


def _talk(client: QMPClient, options: argparse.Namespace) -> int:
    """Let a person type, or read lines from the input."""
    output = Output(sys.stdout, sys.stderr, options.compact)
    console = Console(sys.stdin, output)
    timeout = options.timeout
    if sys.stdin.isatty() and sys.stdout.isatty():
        can_ask = options.hmp is None and not options.no_negotiation
        completer = Completer(lambda command: client.execute(command, timeout=options.timeout))
        console = Terminal(output, completer if can_ask else None)
        timeout = None  # there is Ctrl-C
    with console:
        shell = Shell(client, console, output, hmp=options.hmp is not None, verbose=options.verbose, timeout=timeout)
        return shell.run()


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError("it is a number of seconds")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("it is a number of events")
    return value
