"""The heartbeat monitor: one per process, for every question of the kind "has it gone silent?".

A watch has a deadline and a check. When the deadline comes, the check says when it wants to be asked again, or that it
is done. Signs of life cost nothing here: whoever receives them notes the time, and the check compares.
There is no task and no timer while nothing is watched, and one timer however much is watched.
"""

from __future__ import annotations

import heapq
import logging
import weakref
from collections.abc import Callable

from .runtime import Relay, Runtime, Timer

__all__ = ["Check", "Monitor", "Watch", "monitor_of"]

logger = logging.getLogger("syncio.heartbeat")

Check = Callable[[float], "float | None"]
"""Called with the monotonic time; returns the next deadline, or None to end the watch. Must not block."""

TOLERANCE = 0.25
"""Seconds by which this process may be late before it is taken to have been asleep itself."""
MOST_LENIENT = 60.0
"""Seconds by which deadlines move at most when it was."""


class Watch:
    """One thing that is watched; `cancel` ends it."""

    __slots__ = ("check", "deadline", "seq")

    def __init__(self, deadline: float, seq: int, check: Check) -> None:
        self.deadline = deadline
        self.seq = seq
        self.check: Check | None = check

    def __lt__(self, other: Watch) -> bool:
        return (self.deadline, self.seq) < (other.deadline, other.seq)

    def cancel(self) -> None:
        """Never call the check again."""
        self.check = None


class Monitor:
    """Deadlines in a heap.

    :param runtime: threads or greenlets; the checks run on its relay.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._heap: list[Watch] = []
        self._seq = 0
        self._timer: Timer | None = None
        self._timer_at = 0.0

    def __len__(self) -> int:
        return sum(1 for watch in self._heap if watch.check is not None)

    def watch(self, deadline: float, check: Check) -> Watch:
        """Ask `check` at the monotonic time `deadline`.

        :return: the watch, to cancel it.
        """
        with self._lock:
            self._seq += 1
            watch = Watch(deadline, self._seq, check)
            heapq.heappush(self._heap, watch)
        self._set_timer()
        return watch

    def run_due(self, now: float, lateness: float = 0.0) -> None:
        """Ask all whose deadline has come.

        :param now: the monotonic time.
        :param lateness: by how many seconds this call comes too late; beyond the tolerance the deadlines move by it,
            because our slowness must not end a healthy peer.
        """
        if lateness > TOLERANCE:
            self._move_due(now, min(lateness, MOST_LENIENT))
            return
        while True:
            with self._lock:
                watch = self._pop_due(now)
            if watch is None:
                return
            self._ask(watch, now)

    def _pop_due(self, now: float) -> Watch | None:
        heap = self._heap
        while heap and (heap[0].deadline <= now or heap[0].check is None):
            watch = heapq.heappop(heap)
            if watch.check is not None:
                return watch
        return None

    def _ask(self, watch: Watch, now: float) -> None:
        check = watch.check
        if check is None:
            return
        try:
            deadline = check(now)
        except Exception:
            logger.exception("syncio: a heartbeat check failed and ends; please report it")
            deadline = None
        if deadline is None:
            watch.check = None
            return
        watch.deadline = deadline
        with self._lock:
            heapq.heappush(self._heap, watch)

    def _move_due(self, now: float, lateness: float) -> None:
        with self._lock:
            late = []
            while (watch := self._pop_due(now)) is not None:
                watch.deadline = now + lateness
                late.append(watch)
            for watch in late:
                heapq.heappush(self._heap, watch)

    # ------------------------------------------------------------------ the one timer

    def _set_timer(self) -> None:
        with self._lock:
            if not self._heap or (self._timer is not None and self._timer_at <= self._heap[0].deadline):
                return
            old, self._timer_at = self._timer, self._heap[0].deadline
            self._timer = self._runtime.relay().call_at(self._timer_at, self._wake)
        if old is not None:
            old.cancel()

    def _wake(self) -> None:
        now = self._runtime.now()
        with self._lock:
            due = self._timer_at
            self._timer = None
        try:
            self.run_due(now, now - due)
        finally:
            self._set_timer()


_monitors: weakref.WeakKeyDictionary[Relay, Monitor] = weakref.WeakKeyDictionary()


def monitor_of(runtime: Runtime) -> Monitor:
    """The process's monitor for a runtime: as long-lived as its relay, so that the child of a fork gets its own."""
    relay = runtime.relay()
    monitor = _monitors.get(relay)
    if monitor is None:
        monitor = _monitors.setdefault(relay, Monitor(runtime))
    return monitor
