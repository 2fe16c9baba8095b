"""``syncio connect URL``: talk to an Engine.IO server by hand, or from a script.

What is typed is sent, a line a message; what comes is printed. Exit codes: 0 if this side ended the connection, 1 if it
was lost or the server ended it, 2 if there was none.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from typing import Any, TextIO

from ..engineio import Client, Retry, reason
from ..errors import ConfigurationError, ConnectionError, SyncioError
from .problem import FAILED, OK, Problem

__all__ = ["add_parser"]

FOREVER = -1.0
COLOURS = {"<": "\x1b[32m", ">": "\x1b[36m", "*": "\x1b[2m"}
PLAIN = "\x1b[0m"
BYTES_SHOWN = 64


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("connect", help="talk to an Engine.IO server", description=__doc__)
    parser.add_argument("url", help="http://..., https://..., ws://... or wss://...")
    parser.add_argument(
        "--send", action="append", metavar="TEXT", help="send this and ask for nothing; may be repeated"
    )
    parser.add_argument(
        "--listen",
        nargs="?",
        type=_seconds,
        const=FOREVER,
        metavar="SECONDS",
        help="print what comes, for so long or until the end, and ask for nothing",
    )
    parser.add_argument("--transport", choices=("polling", "websocket"), help="only this one (default: both)")
    parser.add_argument("--path", default="engine.io", help="where the engine is (default: engine.io)")
    parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'", help="for every request")
    parser.add_argument("--retry", type=int, default=0, metavar="N", help="try so often again")
    parser.add_argument("--no-verify", action="store_true", help="believe every certificate")
    parser.add_argument("--raw", action="store_true", help="print text as it comes, JSON too")
    parser.set_defaults(command=connect)


def connect(options: argparse.Namespace) -> int:
    """Run the command; the exit code."""
    conversation = Conversation(options.raw)
    client = Client(json=_NoJson if options.raw else None, ssl_verify=not options.no_verify)
    conversation.attach(client)
    try:
        client.connect(
            options.url,
            headers=dict(_header(each) for each in options.header),
            transports=options.transport,
            engineio_path=options.path,
            retry=Retry(options.retry),
        )
    except (ConnectionError, ConfigurationError) as exc:
        raise Problem(str(exc)) from exc
    conversation.note(f"connected by {client.transport()} as {client.sid}")
    try:
        for text in options.send or ():
            conversation.send(client, text)
        if options.listen is not None:
            client.wait(None if options.listen == FOREVER else options.listen)
        elif not options.send:
            threading.Thread(target=conversation.read, args=(client, sys.stdin), daemon=True).start()
            client.wait()
        client.disconnect()
    except KeyboardInterrupt:  # the client has disconnected
        pass
    return OK if conversation.end in (None, reason.CLIENT_DISCONNECT) else FAILED


class Conversation:
    """Prints what is said, and by whom.

    :param raw: whether text is printed as it is.
    """

    def __init__(self, raw: bool) -> None:
        self.end: str | None = None
        self._raw = raw
        self._lock = threading.Lock()
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def attach(self, client: Client) -> None:
        """Hear what a client hears."""
        client.on("message", lambda data: self._say("<", _shown(data)))
        client.on("disconnect", self._ended)

    def _ended(self, why: str) -> None:
        self.end = why
        self.note(f"disconnected: {why}")

    def note(self, words: str) -> None:
        """Say something that is no message: on the error output."""
        self._say("*", words, sys.stderr)

    def send(self, client: Client, text: str) -> None:
        """Send a message and show it."""
        if self._coloured:
            self._say(">", text)
        try:
            client.send(text)
        except SyncioError as exc:
            self.note(str(exc))

    def read(self, client: Client, lines: TextIO) -> None:
        """Send line after line; the end of them is the end of the connection."""
        for line in lines:
            client.send(line.rstrip("\r\n"))
        client.disconnect()

    def _say(self, mark: str, words: str, where: TextIO | None = None) -> None:
        with self._lock:
            if self._raw and mark == "<":
                print(words, flush=True)
            elif self._coloured:
                print(f"{COLOURS[mark]}{mark} {words}{PLAIN}", file=where, flush=True)
            else:
                print(f"{mark} {words}", file=where, flush=True)


class _NoJson:
    """Leaves text alone."""

    dumps = json.dumps

    @staticmethod
    def loads(text: str) -> Any:
        """Never a value."""
        raise ValueError("text stays text")


def _shown(data: Any) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, bytes):
        more = " ..." if len(data) > BYTES_SHOWN else ""
        return f"{len(data)} bytes: {data[:BYTES_SHOWN].hex(' ')}{more}"
    return json.dumps(data, indent=2, ensure_ascii=False)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise Problem(f"--header {line!r} is not possible: it is 'NAME: VALUE'")
    return name.strip(), value.strip()


def _seconds(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError("it is a number of seconds")
    return value
