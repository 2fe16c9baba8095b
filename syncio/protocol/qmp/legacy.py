"""The names of QEMU's old synchronous `qmp.py`, for scripts that were written for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from ..runstate import Runstate
from .client import HANGUPS, QMPClient
from .errors import ListenerClosed, QMPBadPortError
from .message import Message

__all__ = ["QEMUMonitorProtocol"]


class QEMUMonitorProtocol:
    """A QMP connection as the old wrapper had it. New code is better off with `QMPClient`.

    :param address: (host, port), the path of a UNIX socket, or a connected socket.
    :param server: whether to listen there at once, for `accept`.
    :param nickname: stands in the log.
    :param async_mode: see `Protocol`.
    """

    def __init__(
        self, address: Any, server: bool = False, nickname: str | None = None, *, async_mode: str | None = None
    ) -> None:
        self._client = QMPClient(nickname, async_mode=async_mode)
        self._address = address
        self._timeout: float | None = None
        if server:
            self._client.start_server(address)

    def __enter__(self) -> QEMUMonitorProtocol:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @staticmethod
    def parse_address(address: str) -> str | tuple[str, int]:
        """Read 'host:port', '[IPv6 address]:port' or a path.

        :raises QMPBadPortError: if the port is no number.
        """
        host, colon, port = address.rpartition(":")
        if not colon or os.sep in address:
            return address
        try:
            return host.removeprefix("[").removesuffix("]"), int(port)
        except ValueError:
            raise QMPBadPortError(f"{address!r}: the port is a number, not {port!r}") from None

    def connect(self, negotiate: bool = True) -> dict[str, Any] | None:
        """Connect.

        :param negotiate: False for servers without greeting and capabilities, like the guest agent.
        :return: the greeting, or None.
        :raises ConnectError: if that fails.
        """
        self._client.await_greeting = self._client.negotiate = negotiate
        self._client.connect(self._address, timeout=self._timeout)
        return self._greeting()

    def accept(self, timeout: float | None = 15.0) -> dict[str, Any]:
        """Wait for the server to connect to us.

        :param timeout: seconds; None waits for ever.
        :return: the greeting.
        :raises ConnectError: if that fails, or takes too long.
        """
        self._client.await_greeting = self._client.negotiate = True
        self._client.accept(timeout)
        greeting = self._greeting()
        assert greeting is not None, "it was awaited"
        return greeting

    def _greeting(self) -> dict[str, Any] | None:
        greeting = self._client.greeting
        return greeting._asdict() if greeting is not None else None

    def cmd(self, cmd: str, **kwds: object) -> Any:
        """Execute a command.

        :return: the member 'return' of the answer.
        :raises ExecuteError: if the server answers with an error.
        """
        return self._client.execute(cmd, kwds or None, timeout=self._timeout)

    command = cmd

    def cmd_raw(self, name: str, args: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Execute a command; returns the whole answer, also if it is an error."""
        return self.cmd_obj({"execute": name, **({"arguments": args} if args else {})})

    def cmd_obj(self, qmp_cmd: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message as it is, without an id of our own; returns the whole answer, also if it is an error."""
        return dict(self._client._raw(Message(qmp_cmd), False, timeout=self._timeout))

    def pull_event(self, wait: bool | float = False) -> dict[str, Any] | None:
        """Take an event.

        :param wait: seconds to wait for one; True waits for ever, False and 0 not at all.
        :return: None if there is none.
        :raises RequestTimeout: if none came in that time.
        """
        if wait is False or wait == 0:
            if self._client.events.empty():
                return None
            wait = 0
        try:
            return dict(self._client.events.get(None if wait is True else float(wait)))
        except ListenerClosed:
            return None

    def get_events(self, wait: bool | float = False) -> list[dict[str, Any]]:
        """Take all events, after waiting for the first as in `pull_event`."""
        first = self.pull_event(wait)
        rest = [dict(event) for event in self._client.events.clear()]
        return rest if first is None else [first, *rest]

    def clear_events(self) -> None:
        """Forget all events."""
        self._client.events.clear()

    def settimeout(self, timeout: float | None) -> None:
        """How long `connect` and commands may take.

        :param timeout: seconds; None for any time.
        :raises ValueError: for 0: nothing is done without waiting here.
        """
        if timeout == 0:
            raise ValueError("a time-out of 0 would let every command fail")
        self._timeout = timeout

    def send_fd_scm(self, fd: int) -> None:
        """Pass a descriptor; it stays open here."""
        self._client.send_fd_scm(fd, self._timeout)

    def close(self) -> None:
        """End the session, if there is one.

        :raises Exception: what has ended it before; but that the server hung up is no error here.
        """
        with contextlib.suppress(*HANGUPS):
            self._client.disconnect()

    @property
    def is_connected(self) -> bool:
        """Whether commands can be executed."""
        return self._client.runstate is Runstate.RUNNING
