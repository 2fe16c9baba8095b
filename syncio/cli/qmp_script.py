"""``syncio qmp`` without a person: one command and its events, or JSON from a stream."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import RequestTimeout, SyncioError
from ..protocol import Runstate
from ..protocol.qmp import EventListener, ExecuteError, Message, QMPClient
from .problem import FAILED, OK, Problem
from .qmp_output import Output, words_of
from .qmp_session import ending

__all__ = ["Script"]


class Script:
    """Executes commands, and prints what comes of them.

    :param client: is connected.
    :param output: where that goes.
    :param timeout: seconds for each command, and for the events of one.
    """

    def __init__(self, client: QMPClient, output: Output, timeout: float) -> None:
        self._client = client
        self._output = output
        self._timeout = timeout

    def execute(self, message: Message, is_text: bool = False, wait: str | None = None, events: int = 0) -> int:
        """Execute one command; the exit code.

        :param is_text: whether the answer is meant for people already.
        :param wait: the name of an event; None for any.
        :param events: how many of these are waited for.
        """
        try:
            with self._client.listener(wait) as listener:
                answer = self._client.execute_msg(message, timeout=self._timeout)
                if is_text:
                    self._output.text(answer)
                else:
                    self._output.value(answer)
                for event in self._take(listener, events, wait or "event"):
                    self._output.value(dict(event))
        except SyncioError as exc:
            self._output.error(self._words(exc))
            return FAILED
        return OK

    def _take(self, listener: EventListener, count: int, kind: str) -> Iterator[Message]:
        until = time.monotonic() + self._timeout
        for _ in range(count):
            try:
                yield listener.get(max(0.0, until - time.monotonic()))
            except RequestTimeout:
                raise Problem(f"no {kind} came within {self._timeout:g} s") from None

    def _words(self, error: SyncioError) -> str:
        return ending(self._client) if self._has_ended(error) else words_of(error)

    def _has_ended(self, error: SyncioError) -> bool:
        return self._client.runstate is not Runstate.RUNNING and not isinstance(error, ExecuteError)

    def pass_on(self, lines: Iterable[str]) -> int:
        """Execute commands that are JSON already, a line each, and print each answer in a line; the exit code."""
        code = OK
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                answer = self._answer(_command(line))
            except (SyncioError, ValueError) as exc:
                code = FAILED
                if isinstance(exc, SyncioError) and self._has_ended(exc):
                    self._output.error(ending(self._client))
                    break
                self._output.error(f"line {number}: {exc}")
                continue
            self._output.value(answer)
            if "error" in answer:
                code = FAILED
        return code

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """The answer as the server would give it: the ids between it and the client stay between them."""
        tail = {"id": command.pop("id")} if "id" in command else {}
        try:
            return {"return": self._client.execute_msg(Message(command), timeout=self._timeout), **tail}
        except ExecuteError as exc:
            return {"error": exc.received["error"], **tail}


def _command(line: str) -> dict[str, Any]:
    """A command from its JSON.

    :raises ValueError: if it is none.
    """
    try:
        value = json.loads(line)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    if not isinstance(value, dict):
        raise ValueError(f"a command is an object, not {type(value).__name__}")
    return value
