"""The tasks of one connection: those that are under way, and the ids of those that are over."""

from __future__ import annotations

from collections import OrderedDict

from ..runtime import Runtime
from .task import Task

__all__ = ["TaskBook"]

REMEMBERED = 1024
"""Ids of tasks that are over, whose results may come once more."""


class TaskBook:
    """Which task is which."""

    def __init__(self, runtime: Runtime) -> None:
        self._lock = runtime.lock()
        self._tasks: dict[str, Task] = {}
        self._over: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: Task) -> None:
        """A task is under way, or about to be."""
        with self._lock:
            self._tasks[task.id] = task

    def find(self, task_id: str) -> Task | None:
        """A task that is under way."""
        return self._tasks.get(task_id)

    def close(self, task_id: str) -> Task | None:
        """A task is over: it, if it was under way."""
        with self._lock:
            self._over[task_id] = None
            if len(self._over) > REMEMBERED:
                self._over.popitem(last=False)
            return self._tasks.pop(task_id, None)

    def is_over(self, task_id: str) -> bool:
        """Whether a task was here that is over; for a while that is known."""
        return task_id in self._over

    def all(self) -> list[Task]:
        """The tasks that are under way."""
        with self._lock:
            return list(self._tasks.values())

    def clear(self) -> list[Task]:
        """Forget them all, and return those that were under way."""
        with self._lock:
            tasks = list(self._tasks.values())
            self._tasks.clear()
            self._over.clear()
        return tasks
