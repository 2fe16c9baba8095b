"""What stands before a line: who the server is, and in which state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import SyncioError
from ..protocol.qmp import ExecuteError, GuestAgentClient, QMPClient

__all__ = ["Prompt"]

TIMEOUT = 2.0
"""Seconds that the server has to say it."""


class Prompt:
    """Asks the server.

    :param client: is connected.
    :param hmp: whether lines are for the human monitor.
    """

    def __init__(self, client: QMPClient, hmp: bool = False) -> None:
        self._client = client
        self._mark = "hmp" if hmp else ""
        self._name = ""
        self._has_state = True

    def __str__(self) -> str:
        if isinstance(self._client, GuestAgentClient):
            return "(guest agent) "
        if not self._client.negotiate:
            return "(QMP) "  # nothing can be asked
        self._name = self._name or self._ask("query-name", "name") or self._version()
        state = self._ask("query-status", "status") if self._has_state else ""
        self._has_state = bool(state)  # the storage daemon has none
        return f"({' '.join(part for part in (self._name, state, self._mark) if part)}) "

    def _version(self) -> str:
        version: Any = self._client.greeting.QMP.version.get("qemu") if self._client.greeting is not None else None
        if not isinstance(version, Mapping):
            return "QMP"
        return "QEMU " + ".".join(str(version.get(part, "?")) for part in ("major", "minor", "micro"))

    def _ask(self, command: str, member: str) -> str:
        try:
            answer = self._client.execute(command, timeout=TIMEOUT)
        except ExecuteError:
            return ""
        except SyncioError:
            return "?"
        return str(answer.get(member, "")) if isinstance(answer, Mapping) else ""
