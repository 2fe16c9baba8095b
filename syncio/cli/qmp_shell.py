"""The shell of ``syncio qmp``: reads commands, executes them, and goes on whatever comes of one."""

from __future__ import annotations

import threading
from typing import Any

from ..errors import SyncioError
from ..protocol import Runstate
from ..protocol.qmp import ExecInterruptedError, ExecuteError, Message, QMPClient
from .problem import FAILED, OK
from .qmp_arguments import read_arguments, split_line
from .qmp_console import Console, ServerGone
from .qmp_output import Output, words_of
from .qmp_prompt import Prompt
from .qmp_session import ending

__all__ = ["Shell", "hmp_message"]

BEGIN, END = "transaction(", ")"
QUIT = ("quit", "q")


def hmp_message(line: str) -> Message:
    """A command for the human monitor."""
    return QMPClient.make_execute_msg("human-monitor-command", {"command-line": line})


class Shell:
    """Commands, a line each.

    :param client: is connected.
    :param console: where the lines come from.
    :param output: where answers go.
    :param hmp: whether lines are for the human monitor.
    :param verbose: whether commands are printed as they leave.
    :param timeout: seconds for each command; None for any time.
    """

    def __init__(
        self,
        client: QMPClient,
        console: Console,
        output: Output,
        *,
        hmp: bool = False,
        verbose: bool = False,
        timeout: float | None = None,
    ) -> None:
        self._client = client
        self._console = console
        self._output = output
        self._hmp = hmp
        self._verbose = verbose
        self._timeout = timeout
        self._actions: list[dict[str, Any]] | None = None  # of the transaction that is being collected
        self._has_failed = False
        self._is_leaving = False
        self._prompt = Prompt(client, hmp)

    def run(self) -> int:
        """Execute lines until there are no more, or no server.

        :return: the exit code.
        """
        threading.Thread(target=self._watch, daemon=True).start()
        while not self._is_leaving:
            try:
                self._do(self._ask())
            except KeyboardInterrupt:
                if not self._console.is_interactive:
                    raise
                self._actions = None
                print()
            except EOFError:
                break
            except ServerGone:
                self._output.error(ending(self._client))
                return FAILED
        return FAILED if self._has_failed and not self._console.is_interactive else OK

    def _watch(self) -> None:
        for event in self._client.events:
            self._console.event(event)
        self._console.gone()

    def _ask(self) -> str:
        if not self._console.is_interactive:
            return self._console.ask("")
        return self._console.ask(str(self._prompt) if self._actions is None else "transaction> ")

    def _do(self, line: str) -> None:
        """Execute a line, and print what comes of it.

        :raises ServerGone: if that is the end of the session.
        """
        try:
            message = self._read(line)
            if message is not None:
                self._execute(message)
        except SyncioError as exc:
            if self._client.runstate is not Runstate.RUNNING and not isinstance(exc, ExecuteError):
                raise ServerGone from exc
            self._has_failed = True
            self._output.error(words_of(exc))

    def _read(self, line: str) -> Message | None:
        """The command of a line; None if there is none yet.

        :raises Problem: if it cannot be read.
        """
        if self._hmp:
            return hmp_message(line.strip()) if line.strip() else None
        words = split_line(line)
        if words[:1] == [BEGIN] and self._actions is None:
            self._actions = []
            words = words[1:]
        if self._actions is None:
            return self._client.make_execute_msg(words[0], read_arguments(words[1:]) or None) if words else None
        is_whole = words[-1:] == [END]
        if words := words[:-1] if is_whole else words:
            self._actions.append({"type": words[0], "data": read_arguments(words[1:])})
        if not is_whole:
            return None
        actions, self._actions = self._actions, None
        return self._client.make_execute_msg("transaction", {"actions": actions})

    def _execute(self, message: Message) -> None:
        if self._verbose:
            self._output.sent(message)
        line = message["arguments"]["command-line"] if self._hmp else message["execute"]
        try:
            value = self._client.execute_msg(message, timeout=self._timeout)
        except ExecInterruptedError:
            if line not in QUIT:
                raise
            value = ""
        self._is_leaving = line in QUIT
        if self._hmp:
            self._output.text(value)
        else:
            self._output.value(value)
