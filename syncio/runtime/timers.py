"""Timers: a heap of deadlines for whoever owns a loop. Pure: `now` comes in, the next deadline goes out.

Adding and cancelling may happen on any thread; cancelled timers leave the heap when they surface, or when they are the
larger half of it.
"""

from __future__ import annotations

import heapq
from typing import Any

__all__ = ["TimerHandle", "Timers"]


class TimerHandle:
    """One entry. `cancel` may be called at any time, also after it has fired."""

    __slots__ = ("_timers", "callback", "when")

    def __init__(self, timers: Timers, when: float, callback: Any) -> None:
        self._timers = timers
        self.when = when
        self.callback: Any = callback

    def cancel(self) -> None:
        """Make sure that it does not fire any more, and let go of what it would have called."""
        if self.callback is not None:
            self.callback = None
            self._timers.count_cancelled()


class Timers:
    """The heap. Its owner guards it with a lock."""

    __slots__ = ("_cancelled", "_heap", "_seq")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, TimerHandle]] = []  # the number keeps those of one moment in order
        self._seq = 0
        self._cancelled = 0  # about: threads that cancel at the same time may be counted as one

    def __len__(self) -> int:
        return sum(timer.callback is not None for _, _, timer in self._heap)

    def add(self, when: float, callback: Any) -> TimerHandle:
        """Add a timer for the monotonic time `when`.

        :param callback: what `pop_due` is to return then; not None.
        """
        self._seq += 1
        timer = TimerHandle(self, when, callback)
        if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
        heapq.heappush(self._heap, (when, self._seq, timer))
        return timer

    def count_cancelled(self) -> None:
        """Called by a timer that was cancelled."""
        self._cancelled += 1

    def next_deadline(self) -> float | None:
        """When the next timer fires, or None."""
        self._drop_cancelled()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Any:
        """Take what was added with one timer whose time has come, or None."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            callback, timer.callback = timer.callback, None
            if callback is not None:
                return callback
            self._cancelled -= 1
        return None

    def _drop_cancelled(self) -> None:
        while self._heap and self._heap[0][2].callback is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
