"""A client for QEMU's guest agent, which greets nobody and repeats no ids."""

from __future__ import annotations

import secrets
from typing import Any

from .client import QMPClient
from .message import Message

__all__ = ["GuestAgentClient"]

SENTINEL = b"\xff"


class GuestAgentClient(QMPClient):
    """A client of qemu-ga (QEMU's docs/interop/qemu-ga-ref). Its commands go one after the other.

    At the beginning both sides forget what an earlier client has left behind, by 'guest-sync-delimited'; so give
    `connect` a time-out: whether somebody is behind a virtual serial port cannot be seen otherwise.

    :param name: stands in the log and in the names of tasks.
    :param options: see `QMPClient`.
    """

    assigns_ids = False

    def __init__(self, name: str | None = None, **options: Any) -> None:
        super().__init__(name, **options)
        self.await_greeting = self.negotiate = False
        self.sync_on_connect = True
        """Whether `connect` begins with 'guest-sync-delimited', which agents have had since 2011."""
        self._token: int | None = None  # what the agent has to say before anything else counts

    def _establish_session(self) -> None:
        if self.sync_on_connect:
            token = secrets.randbits(31)
            link = self._connected()
            self._write(SENTINEL + bytes(_sync_message(token)) + b"\n", link.left())
            while not self._is_answer(self._readline(), token):
                pass
        super()._establish_session()

    @staticmethod
    def _is_answer(line: bytes, token: int) -> bool:
        _before, sentinel, rest = line.rpartition(SENTINEL)
        # The agent's complaint about the byte that resets it comes without one, like whatever was under way.
        return bool(sentinel) and Message(rest).get("return") == token

    def _do_recv(self) -> Message:
        line = b""
        while not line.strip():
            line = self._readline().rpartition(SENTINEL)[2]
        return Message(line)

    def sync(self, timeout: float | None = None) -> None:
        """Start anew after a command that has timed out: what the agent still says to it is forgotten.

        :param timeout: seconds.
        :raises RequestTimeout: if the agent does not answer in that time.
        :raises StateError: if this is not RUNNING.
        """
        link = self._waitable()
        with self._in_turn(timeout) as left:
            self._token = secrets.randbits(31)
            try:
                self._exchange(link, None, _sync_message(self._token), left)
            finally:
                self._token = None

    def _on_message(self, message: Message) -> None:
        token = self._token
        if token is not None and "id" not in message:
            if message.get("return") != token:
                self._calls.skip_late()
                return
            self._calls.forget_late()
        super()._on_message(message)


def _sync_message(token: int) -> Message:
    return Message({"execute": "guest-sync-delimited", "arguments": {"id": token}})
