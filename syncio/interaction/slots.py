"""The slots of a slave: so many tasks are worked on at the same time, wherever there is a thread for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..runtime import Latch, Runtime

if TYPE_CHECKING:
    from .master_link import MasterLink

__all__ = ["Job", "Slots"]


class Job:
    """A task as the slave has it.

    :param task_id: the master's name for it.
    :param data: what the master gave.
    :param link: the master.
    """

    __slots__ = ("data", "id", "is_cancelled", "link", "next_progress")

    def __init__(self, task_id: str, data: Any, link: MasterLink) -> None:
        self.id = task_id
        self.data = data
        self.link = link
        self.is_cancelled = False
        self.next_progress = 0.0


class Slots:
    """Works on jobs.

    :param count: how many at the same time.
    :param work: works on one and returns what has come of it; must not raise.
    :param report: says that to the master. The slot is free for the next job before that, because the master may send
        it as soon as it hears.
    """

    def __init__(
        self, runtime: Runtime, count: int, work: Callable[[Job], Any], report: Callable[[Job, Any], None]
    ) -> None:
        self._lock = runtime.lock()
        self._work = work
        self._report = report
        self._jobs: set[Job] = set()
        self._reporting = 0
        self._runtime = runtime
        self._quiet: Latch | None = None
        self.count = count
        self.is_closed = False
        """Whether no more jobs are taken."""

    @property
    def jobs(self) -> list[Job]:
        """What is worked on, or about to be."""
        with self._lock:
            return list(self._jobs)

    def take(self, job: Job) -> bool:
        """Keep a slot for a job, which has to be `run` then; False if every one is taken, or if it is closed."""
        with self._lock:
            if self.is_closed or len(self._jobs) >= self.count:
                return False
            self._jobs.add(job)
        return True

    def run(self, job: Job) -> None:
        """Work on a job, here, and report it."""
        outcome = self._work(job)
        with self._lock:
            self._jobs.discard(job)
            self._reporting += 1
        try:
            self._report(job, outcome)
        finally:
            with self._lock:
                self._reporting -= 1
                quiet = self._quiet if self._is_quiet else None
            if quiet is not None:
                quiet.set()

    def close(self) -> None:
        """Take no more jobs."""
        with self._lock:
            self.is_closed = True

    def wait(self, timeout: float | None) -> bool:
        """Wait until nothing is worked on or reported, behind `close`.

        :param timeout: seconds; None for as long as it takes.
        :return: whether that is so in time.
        """
        with self._lock:
            if self._is_quiet:
                return True
            quiet = self._quiet = self._quiet or Latch(self._runtime)
        return quiet.wait(timeout)

    @property
    def _is_quiet(self) -> bool:
        return not self._jobs and not self._reporting
