"""A slave's workbench: which tasks it takes, what is done with them, and what its master is told of that."""

from __future__ import annotations

import json
import logging
import traceback
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ..errors import LocalError
from ..runtime import Runtime
from .codes import SlaveErrorCode
from .envelope import ResponsibleException
from .master_link import MasterLink, Outcome
from .refusals import TaskFail
from .slots import Job, Slots

__all__ = ["Workbench"]

logger = logging.getLogger("syncio.interaction")

REMEMBERED = 1024
"""Ids of tasks that were taken, which may be asked for once more."""
PACE = 0.05
"""Seconds between two messages of progress of one task."""
MOST_TRACE = 8000
"""Characters of a traceback that a master is told."""

_job: ContextVar[Job | None] = ContextVar("syncio_job", default=None)
"""The job that is worked on here."""


class Workbench:
    """Works on tasks.

    :param slots: how many at the same time.
    :param ask: called with a task's data before it is taken; raises the refusal.
    :param process: does the work.
    """

    def __init__(self, runtime: Runtime, slots: int, ask: Callable[[Any], None], process: Callable[[Any], Any]) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._ask = ask
        self._process = process
        self._taken: OrderedDict[str, None] = OrderedDict()
        self._slots = Slots(runtime, slots, self._work, self._report)

    # ------------------------------------------------------------------ which tasks

    def take(self, link: MasterLink, task_id: str, data: Any) -> Job | None:
        """Take a task, or refuse it.

        :param link: whose it is.
        :return: what has to be given to `run` then; None for a task that was taken before: it is known by its id.
        :raises ResponsibleException: the refusal.
        """
        self._check_open()
        with self._lock:
            if task_id in self._taken:
                return None
            self._taken[task_id] = None
            if len(self._taken) > REMEMBERED:
                self._taken.popitem(last=False)
        try:
            self._ask(data)
            job = Job(task_id, data, link)
            if self._slots.take(job):
                return job
            self._check_open()
            raise ResponsibleException(SlaveErrorCode.TASK_ALREADY_EXIST, "Already has a task.")
        except BaseException:
            with self._lock:
                self._taken.pop(task_id, None)
            raise

    def _check_open(self) -> None:
        if self._slots.is_closed:
            words = "This slave takes no more tasks."
            raise ResponsibleException(SlaveErrorCode.SYSTEM_SHUTTING_DOWN, words, status_code=401)

    def cancel(self, task_id: str) -> None:
        """Nobody wants a task's result any more: its `is_cancelled` says so."""
        for job in self._slots.jobs:
            if job.id == task_id:
                job.is_cancelled = True

    def abandon(self, link: MasterLink) -> None:
        """Nobody wants the results of a master's tasks any more."""
        for job in self._slots.jobs:
            if job.link is link:
                job.is_cancelled = True

    def run(self, job: Job) -> None:
        """Work on a task, here, and report it."""
        self._slots.run(job)

    def close(self) -> None:
        """Take no more tasks."""
        self._slots.close()

    def join(self, timeout: float | None) -> bool:
        """Wait until nothing is worked on, behind `close`.

        :param timeout: seconds; None for as long as it takes.
        :return: whether that is so in time.
        """
        return self._slots.wait(timeout)

    # ------------------------------------------------------------------ in the middle of one

    @staticmethod
    def current() -> Job:
        """What is worked on here.

        :raises LocalError: if nothing is.
        """
        job = _job.get()
        if job is None:
            raise LocalError("this belongs into _process_task, on the thread or greenlet that calls it")
        return job

    def progress(self, value: Any) -> None:
        """See `Slave.progress`."""
        job = self.current()
        now = self._runtime.now()
        if now >= job.next_progress and not job.is_cancelled:
            job.next_progress = now + PACE
            job.link.progress(job.id, json.dumps(value))

    def _work(self, job: Job) -> Outcome | None:
        """Called by a slot; must not raise."""
        if job.is_cancelled:
            return None
        token = _job.set(job)
        try:
            try:
                kind, result = "complete", self._process(job.data)
            except TaskFail as fail:
                kind, result = "fail", fail.result
            return Outcome(kind, json.dumps({} if result is None else result))
        except BaseException as exc:  # what ends a thread, as gevent's time-outs do, would take the slot along
            logger.exception("task %s failed", job.id)
            return Outcome("fail", json.dumps({"error": _described(exc)}))
        finally:
            _job.reset(token)

    @staticmethod
    def _report(job: Job, outcome: Outcome | None) -> None:
        """Called by a slot, which is free for the next task already."""
        if outcome is not None and not job.is_cancelled:
            job.link.report(job.id, outcome)


def _described(exc: BaseException) -> dict[str, str]:
    """What a master is told of an error."""
    lines = traceback.format_exception(type(exc), exc, exc.__traceback__)
    try:
        message = str(exc)
    except Exception:  # of the user's own error class
        message = lines[-1].strip()
    return {"type": type(exc).__name__, "message": message, "traceback": "".join(lines)[-MOST_TRACE:]}
