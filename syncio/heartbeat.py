"""The heartbeat monitor: one per process, for every question of the kind "has it gone silent?".

A watch has a deadline and a check. When the deadline comes, the check says when it wants to be asked again, or that it
is done. Signs of life cost nothing here: whoever receives them notes the time, and the check compares.
There is no task and no timer while nothing is watched, and one timer however much is watched.
"""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Callable

from .runtime import Relay, Runtime, Timer, TimerHandle, Timers

__all__ = ["Check", "Monitor", "Watch", "monitor_of"]

logger = logging.getLogger("syncio.heartbeat")

Check = Callable[[float], "float | None"]
"""Called with the monotonic time; returns the next deadline, or None to end the watch. Must not block."""

SLOT = 0.05
"""Seconds: deadlines that lie closer together are looked at together, at the end of that time. Ten thousand clients
are woken for twenty times a second then, and their answers come together."""
TOLERANCE = 0.25
"""Seconds by which this process may be late before it is taken to have been asleep itself."""
MOST_LENIENT = 60.0
"""Seconds by which deadlines move at most when it was."""


class Watch:
    """One thing that is watched; `cancel` ends it."""

    __slots__ = ("check", "timer")

    def __init__(self, check: Check) -> None:
        self.check: Check | None = check
        self.timer: TimerHandle | None = None

    def cancel(self) -> None:
        """Never call the check again."""
        self.check = None
        if self.timer is not None:
            self.timer.cancel()


class Monitor:
    """Deadlines in a heap.

    :param runtime: threads or greenlets; the checks run on its relay.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._deadlines = Timers()
        self._timer: Timer | None = None
        self._timer_at = 0.0

    def __len__(self) -> int:
        return len(self._deadlines)

    def watch(self, deadline: float, check: Check) -> Watch:
        """Ask `check` at the monotonic time `deadline`.

        :return: the watch, to cancel it.
        """
        watch = Watch(check)
        self._add(watch, deadline)
        self._set_timer()
        return watch

    def _add(self, watch: Watch, deadline: float) -> None:
        with self._lock:
            watch.timer = self._deadlines.add(deadline, watch)

    def run_due(self, now: float, lateness: float = 0.0) -> None:
        """Ask all whose deadline has come, each once.

        :param now: the monotonic time.
        :param lateness: by how many seconds this call comes too late; beyond the tolerance the deadlines move by it,
            because our slowness must not end a healthy peer.
        """
        with self._lock:
            due = list(iter(lambda: self._deadlines.pop_due(now), None))
        for watch in due:
            if lateness > TOLERANCE:
                self._add(watch, now + min(lateness, MOST_LENIENT))
            else:
                self._ask(watch, now)

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
        elif watch.check is not None:  # it may have been cancelled meanwhile
            self._add(watch, deadline)

    # ------------------------------------------------------------------ the one timer

    def _set_timer(self) -> None:
        with self._lock:
            earliest = self._deadlines.next_deadline()
            if earliest is None:
                return
            earliest = math.ceil(earliest / SLOT) * SLOT
            if self._timer is not None and self._timer_at <= earliest:
                return
            old, self._timer_at = self._timer, earliest
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
