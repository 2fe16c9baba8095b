"""A pool of slaves: tasks wait in a queue, and go to whichever slave is free."""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, LocalError, RequestTimeout
from ..runtime import Call, Event, Runtime
from .errors import (
    HTTPError,
    RequestException,
    ResponseException,
    SlaveSystemShuttingDown,
    SlaveTaskAlreadyExist,
    TaskLost,
)
from .progress_bar import ProgressBar
from .task import Task, TaskStatus, checked_timeout
from .task_future import TaskFuture

if TYPE_CHECKING:
    from .connection import SlaveConnection

__all__ = ["Pool", "TaskRetry"]

REST = 0.2
"""Seconds for which a slave is left alone that has refused a task, or could not be reached, before the next look."""
SLICE = 3600.0
"""Seconds. Without any time-out a wait could look to gevent like one that nobody will ever end."""
LEAST_AHEAD = 32
"""Tasks of a `map` that are under way at the same time, at least."""


ANSWERS = (ResponseException, HTTPError)
"""What a slave says that does not take a task."""


@dataclass(frozen=True)
class TaskRetry:
    """What happens to a task of the pool that does not end well.

    :param lost: how often it is tried again after a slave was lost, or could not be reached.
    :param failed: how often after it has failed, or was not done in time.
    :param refused: how often after a slave has refused it.
    :raises ConfigurationError: for a negative number.
    """

    lost: int = 3
    failed: int = 0
    refused: int = 3

    def __post_init__(self) -> None:
        for name in ("lost", "failed", "refused"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ConfigurationError(name, value, "it is a number of further attempts")


class Job:
    """One task of the pool, over all its attempts."""

    __slots__ = ("data", "future", "left", "task", "timeout")

    def __init__(self, data: Any, timeout: float | None, retry: TaskRetry, cancelled: Callable[[Job], None]) -> None:
        self.data = data
        self.timeout = checked_timeout(timeout)
        self.left = {"lost": retry.lost, "failed": retry.failed, "refused": retry.refused}
        self.task: Task | None = None
        self.future = TaskFuture(lambda: cancelled(self))

    def may_try_again(self, task: Task) -> bool:
        """Whether there is another attempt after this one, which it is charged with."""
        if task.status is TaskStatus.LOST:
            kind = "lost"
        elif task.status is TaskStatus.FAILED:
            kind = "failed"
        elif isinstance(task.error, SlaveSystemShuttingDown):
            return True  # it is not asked a second time
        elif isinstance(task.error, SlaveTaskAlreadyExist):
            return True  # it is still busy with one that nobody wants any more, which is not this one's fault
        elif isinstance(task.error, ANSWERS):
            kind = "refused"
        elif isinstance(task.error, (RequestException, LocalError)):
            kind = "lost"
        else:
            return False  # it was cancelled, or is no task for anybody: our own hook or JSON do not want it
        self.left[kind] -= 1
        return self.left[kind] >= 0


class Pool:
    """The tasks of a master that are for any slave.

    :param slaves: gives the live connections.
    :param size: how many tasks may wait.
    """

    def __init__(self, runtime: Runtime, slaves: Callable[[], list[SlaveConnection]], size: int) -> None:
        self._runtime = runtime
        self._slaves = slaves
        self._size = size
        self._lock = runtime.lock()
        self._waiting: deque[Job] = deque()
        self._under_way: set[Job] = set()
        self._resting: set[SlaveConnection] = set()
        self._watchers: list[Event] = []
        self._is_open = False
        self._drains = False

    # ------------------------------------------------------------------ what there is to know

    @property
    def waiting(self) -> int:
        """How many tasks wait for a slave."""
        return len(self._waiting)

    @property
    def under_way(self) -> int:
        """How many tasks slaves have."""
        return len(self._under_way)

    # ------------------------------------------------------------------ its life

    def open(self) -> None:
        """Take tasks."""
        with self._lock:
            self._is_open, self._drains = True, False

    def close(self) -> None:
        """Take no more tasks; those that wait are lost."""
        with self._lock:
            self._is_open = False
            jobs = list(self._waiting)
            self._waiting.clear()
            self._resting.clear()
        for job in jobs:
            self._settle(job, None, TaskLost("the master was closed"))
        self._tell()

    def drain(self, timeout: float | None) -> bool:
        """See `Master.drain`."""
        self._drains = True
        return self._wait_until(self._is_idle, timeout)

    def _is_idle(self) -> bool:
        with self._lock:  # or a task might be seen in neither, on its way from one to the other
            return not self._waiting and not self._under_way

    def wait_for_slaves(self, count: int, timeout: float | None) -> None:
        """See `Master.wait_for_slaves`."""
        if not self._wait_until(lambda: len(self._slaves()) >= count or not self._is_open, timeout):
            raise RequestTimeout(
                f"waiting for {count} slaves, of which {len(self._slaves())} are there,", timeout or 0.0
            )
        if not self._is_open:
            raise LocalError("no more slaves: the master is not running")

    def _wait_until(self, holds: Callable[[], bool], timeout: float | None) -> bool:
        until = None if timeout is None else self._runtime.now() + timeout
        changed = self._runtime.event()
        with self._lock:
            self._watchers = [*self._watchers, changed]
        try:
            while not holds():
                left = SLICE if until is None else until - self._runtime.now()
                if left <= 0:
                    return False
                changed.wait(min(left, SLICE))
                changed.clear()
            return True
        finally:
            with self._lock:
                self._watchers = [other for other in self._watchers if other is not changed]

    def _tell(self) -> None:
        for changed in self._watchers:
            changed.set()

    # ------------------------------------------------------------------ tasks

    def submit(self, data: Any, timeout: float | None, retry: TaskRetry | None, wait: float | None) -> TaskFuture:
        """See `Master.submit`."""
        job = Job(data, timeout, retry or TaskRetry(), self._cancelled)
        if len(self._waiting) >= self._size and not self._wait_until(self._has_room, wait):
            raise RequestTimeout(f"waiting for room behind {self._size} tasks", wait or 0.0)
        with self._lock:
            if not self._is_open or self._drains:
                why = "drain() was called" if self._drains and self._is_open else "the master is not running"
                raise LocalError(f"no more tasks: {why}")
            self._waiting.append(job)
        self.pump()
        return job.future

    def _has_room(self) -> bool:
        return len(self._waiting) < self._size or not self._is_open

    def map(
        self,
        items: Iterable[Any],
        timeout: float | None,
        retry: TaskRetry | None,
        progress: bool | Callable[[int, int | None], None],
    ) -> Iterator[Any]:
        """See `Master.map`."""
        total = len(items) if isinstance(items, Sized) else None
        bar = ProgressBar(sys.stderr) if progress is True else None
        report = bar.show if bar is not None else progress if callable(progress) else None
        return self._map(iter(items), timeout, retry, total, report)

    def _map(
        self,
        items: Iterator[Any],
        timeout: float | None,
        retry: TaskRetry | None,
        total: int | None,
        report: Callable[[int, int | None], None] | None,
    ) -> Iterator[Any]:
        ahead: deque[TaskFuture] = deque()
        done = 0
        try:
            while True:
                most = max(LEAST_AHEAD, 4 * sum(slave.slots for slave in self._slaves()))
                for data in items:
                    ahead.append(self.submit(data, timeout, retry, None))
                    if len(ahead) >= most:
                        break
                if not ahead:
                    return
                result = ahead[0].result()
                ahead.popleft()
                done += 1
                if report is not None:
                    report(done, total)
                yield result
        finally:
            for future in ahead:
                future.cancel()

    # ------------------------------------------------------------------ who does what

    def pump(self) -> None:
        """Give tasks to slaves, as long as there are both."""
        while self._waiting:
            with self._lock:
                slave = self._freest()
                job = self._waiting.popleft() if slave is not None and self._waiting else None
                if job is None or slave is None:
                    break
                self._under_way.add(job)
                task = slave.new_task(job.data, job.timeout)
                task.then = lambda task, job=job, slave=slave: self._over(job, task, slave)
                slave.expect(task)
                job.task = task  # from now on it may be cancelled
            # What goes wrong is told to the task, and so to `_over`.
            with contextlib.suppress(Exception):
                slave.send_task(task, waits=False)
        self._tell()

    def _freest(self) -> SlaveConnection | None:
        best, most = None, 0
        for slave in self._slaves():
            free = slave.free_slots
            if free > most and slave not in self._resting:
                best, most = slave, free
        return best

    def _over(self, job: Job, task: Task, slave: SlaveConnection) -> None:
        """Called by a task that has ended, on whichever thread; must not block."""
        if isinstance(task.error, SlaveSystemShuttingDown):
            slave.slots = 0
        if task.status is TaskStatus.START_FAILED and isinstance(task.error, (ResponseException, RequestException)):
            self._rest(slave, is_silent=not isinstance(task.error, ANSWERS))
        with self._lock:
            again = self._is_open and job.may_try_again(task) and not job.future.cancelled()
            if again:
                self._under_way.discard(job)
                self._waiting.appendleft(job)
        if again:
            self._runtime.relay().submit(Call(self.pump))  # somebody else may be free
            return
        self._settle(job, task.result, task.error)
        with self._lock:
            self._under_way.discard(job)  # behind that: who drains the pool finds every future done
        self._tell()

    def _settle(self, job: Job, result: Any, error: BaseException | None) -> None:
        if job.future.has_callbacks:
            self._runtime.relay().submit(Call(job.future.finish, result, error))
        else:
            job.future.finish(result, error)

    def _rest(self, slave: SlaveConnection, is_silent: bool) -> None:
        """Leave a slave alone for a moment; one that could not be reached until it has said something, or is lost."""
        with self._lock:
            if slave in self._resting:
                return
            self._resting.add(slave)
        now, relay = self._runtime.now(), self._runtime.relay()

        def look() -> None:
            if is_silent and slave.is_connected and slave.last_heartbeat < now:
                relay.call_at(self._runtime.now() + REST, look)
                return
            with self._lock:
                self._resting.discard(slave)
            relay.submit(Call(self.pump))  # the loop waits for us here

        relay.call_at(now + REST, look)

    def _cancelled(self, job: Job) -> None:
        with self._lock:
            with contextlib.suppress(ValueError):
                self._waiting.remove(job)
            task = job.task
        if task is not None:
            task.cancel()
        self._tell()
