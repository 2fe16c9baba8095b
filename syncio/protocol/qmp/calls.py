"""The commands of a session that wait for their answers."""

from __future__ import annotations

from collections import deque

from ...runtime import Runtime
from .message import Message

__all__ = ["Call", "Calls"]

ABANDONED = 256
"""Ids of commands that nobody waits for any more, which are remembered so that a late answer is no surprise."""


class Call:
    """A command and its answer.

    :param sent: the command.
    """

    __slots__ = ("done", "reply", "sent")

    def __init__(self, runtime: Runtime, sent: Message) -> None:
        self.sent = sent
        self.reply: Message | None = None
        self.done = runtime.event()


class Calls:
    """Who waits for what.

    :param runtime: threads or greenlets.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._waiting: dict[str | None, Call] = {}
        self._abandoned: deque[str] = deque(maxlen=ABANDONED)
        self._late = 0  # answers without an id that are still to come, and that nobody waits for
        self._ended = False

    def add(self, exec_id: str | None, sent: Message) -> Call | None:
        """A command is about to be sent.

        :param exec_id: its id; None if it has none.
        :return: None if the session has ended.
        :raises ValueError: if another one with this id has not been answered, whether somebody waits for that or not.
        """
        call = Call(self._runtime, sent)
        with self._lock:
            if exec_id in self._waiting or exec_id in self._abandoned:
                raise ValueError(f"id={exec_id!r} is in use: a command with it has not been answered")
            if self._ended:
                return None
            self._waiting[exec_id] = call
        return call

    def drop(self, exec_id: str | None, late: bool) -> None:
        """Nobody waits for it any more.

        :param late: whether its answer may still come.
        """
        with self._lock:
            if self._waiting.pop(exec_id, None) is None or not late:
                return
            if exec_id is None:
                self._late += 1
            else:
                self._abandoned.append(exec_id)

    def answer(self, exec_id: object, reply: Message) -> bool:
        """An answer has come; False if it answers nothing that was asked."""
        with self._lock:
            if exec_id is None and self._late:
                self._late -= 1
                return True
            call = self._waiting.pop(exec_id, None) if isinstance(exec_id, (str, type(None))) else None
            if call is None:
                if not isinstance(exec_id, str) or exec_id not in self._abandoned:
                    return False
                self._abandoned.remove(exec_id)
                return True
        call.reply = reply
        call.done.set()
        return True

    def begin(self) -> None:
        """A session begins."""
        with self._lock:
            self._ended = False
            self._late = 0
            self._abandoned.clear()

    def skip_late(self) -> None:
        """An answer without an id has come that is not the one that is awaited."""
        with self._lock:
            self._late = max(0, self._late - 1)

    def forget_late(self) -> None:
        """What was late is not coming any more: both sides start anew."""
        with self._lock:
            self._late = 0

    def end(self) -> None:
        """The session has ended: everybody who waits goes without an answer."""
        with self._lock:
            self._ended = True
            calls = list(self._waiting.values())
            self._waiting.clear()
        for call in calls:
            call.done.set()
