"""Where the lines of ``syncio qmp`` come from, and who hears meanwhile what the server tells."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TextIO, TypeVar

from ..protocol.qmp import Message
from .qmp_output import Output

__all__ = ["Console", "ServerGone"]

C = TypeVar("C", bound="Console")

BELL: Any = getattr(signal, "SIGUSR1", None)
AGAIN = 0.05
"""Seconds after which the bell is rung again: who was just about to wait has missed it."""


class ServerGone(Exception):
    """The session ended while a line was awaited."""


class Console:
    """Lines of text, without prompts. A `with` puts it into operation.

    One thread asks for lines. Another one tells what happens meanwhile; it rings a bell, which is a signal, when
    that has to interrupt the first one.

    :param lines: the text.
    :param output: where events go.
    """

    is_interactive = False
    """Whether a person is there."""

    def __init__(self, lines: TextIO, output: Output) -> None:
        self._lines = lines
        self._output = output
        self._lock = threading.Lock()
        self._is_asking = False
        self._is_gone = False
        self._closed = threading.Event()
        self._has_bell = False
        self._former: Any = None

    def __enter__(self: C) -> C:
        self._has_bell = BELL is not None and threading.current_thread() is threading.main_thread()
        if self._has_bell:
            self._former = signal.signal(BELL, self._answer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed.set()
        if self._has_bell:
            signal.signal(BELL, signal.SIG_IGN)  # one that was rung just now
            signal.signal(BELL, self._former)

    def ask(self, prompt: str) -> str:
        """Wait for a line; returns it without its end.

        :raises EOFError: if there are no more.
        :raises ServerGone: if the session ends meanwhile.
        """
        with self._lock:
            self._is_asking = True
        try:
            if self._is_gone:
                raise ServerGone
            return self._read(prompt)
        finally:
            with self._lock:
                self._is_asking = False

    def _read(self, prompt: str) -> str:
        line = self._lines.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    def event(self, event: Message) -> None:
        """Show an event; in another thread than `ask`. What comes behind the last line is of no interest."""
        if not self._closed.is_set():
            self._output.event(event)

    def gone(self) -> None:
        """The session has ended; in another thread than `ask`, whose wait this ends."""
        self._is_gone = True
        self._ring(lambda: self._is_asking)

    def _ring(self, is_needed: Callable[[], object]) -> None:
        while self._has_bell and is_needed() and not self._closed.is_set():
            os.kill(os.getpid(), BELL)
            self._closed.wait(AGAIN)

    def _answer(self, number: int, frame: FrameType | None) -> None:
        """The bell: in the main thread, wherever that is."""
        if self._is_gone and self._is_asking:
            raise ServerGone
