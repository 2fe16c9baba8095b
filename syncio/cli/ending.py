"""How a command ends that serves or works: by SIGINT, by SIGTERM, or because it has done what it was asked for."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from types import TracebackType
from typing import Any

__all__ = ["Ending"]


class Ending:
    """The end of a command. From `begin` on the two signals are its; ``with`` gives them back.

    A second signal, while the command ends, ends the process at once.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        """The signal that came; None if none did."""
        self._is_over = False
        self._before: dict[int, Any] = {}
        # The system may give a signal to any thread, which does not wake the main one: a byte on a socket does.
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)

    def begin(self) -> Ending:
        """Have the signals from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._signalled)
        return self

    def _signalled(self, number: int, frame: object) -> None:
        if self.signal is not None:
            os._exit(128 + number)
        self.signal = number

    def say(self) -> None:
        """The work is done. Called on any thread or greenlet; never waits."""
        self._is_over = True
        with contextlib.suppress(OSError):  # a signal was first
            self._writer.send(b"\0")

    def wait(self) -> int | None:
        """Wait for a signal, or for `say`.

        :return: the signal; None if the work was done before one came.
        """
        before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        try:
            while self.signal is None and not self._is_over:
                self._reader.recv(1)
        finally:
            signal.set_wakeup_fd(before)
            self._close()
        return self.signal

    def _close(self) -> None:
        self._reader.close()
        self._writer.close()

    def __enter__(self) -> Ending:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        for number, handler in self._before.items():
            signal.signal(number, handler)
