"""A line in the terminal that says how far something is."""

from __future__ import annotations

from typing import TextIO

from ..runtime import choose_runtime

__all__ = ["ProgressBar"]

WIDTH = 30
PACE = 0.1
"""Seconds between two drawings."""


class ProgressBar:
    """Draws on a terminal; writes nothing anywhere else.

    :param stream: where.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._now = choose_runtime().now
        self._began = self._now()
        self._next = 0.0
        self._length = 0

    def show(self, done: int, total: int | None) -> None:
        """Draw, unless that was done just now.

        :param done: how many are done.
        :param total: of how many; None if nobody knows.
        """
        now = self._now()
        is_last = done == total
        if not self._is_terminal or (now < self._next and not is_last):
            return
        self._next = now + PACE
        line = self.line(done, total, now - self._began)
        self._stream.write("\r" + line.ljust(self._length) + ("\n" if is_last else ""))
        self._stream.flush()
        self._length = len(line)

    @staticmethod
    def line(done: int, total: int | None, seconds: float) -> str:
        """What is drawn.

        :param seconds: since the beginning.
        """
        rate = done / seconds if seconds > 0 else 0.0
        if not total:
            return f"{done} done, {rate:.1f}/s"
        full = WIDTH * min(done, total) // total
        left = max(0, total - done) / rate if rate else 0.0
        bar = "#" * full + "." * (WIDTH - full)
        return f"[{bar}] {done}/{total}  {rate:.1f}/s  {left:.0f} s left"
