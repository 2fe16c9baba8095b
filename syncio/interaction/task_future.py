"""A task's result as a future."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..runtime import Future
from .errors import TaskCancelled

__all__ = ["TaskFuture"]


class TaskFuture(Future[Any]):
    """A task's result that is to come; `concurrent.futures.wait` and `as_completed` take it.

    :param cancel: called once, when it is cancelled.
    """

    def __init__(self, cancel: Callable[[], object]) -> None:
        super().__init__()
        self._cancel_task = cancel
        self._pending = [True]  # whoever pops this ends it: a single operation, which needs no lock
        self.has_callbacks = False

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """Have a function called with this when it is done; on a worker of the relay."""
        self.has_callbacks = True
        super().add_done_callback(fn)

    def cancel(self) -> bool:
        """Want the result no more. The slave is told, too; False if the task is done already."""
        if not super().cancel():
            return False
        if self._is_mine():
            self.set_running_or_notify_cancel()
            self._cancel_task()
        return True

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Called when the task is done; nothing if it was cancelled."""
        if not self._is_mine():
            return
        if isinstance(error, TaskCancelled):
            super().cancel()
        if not self.set_running_or_notify_cancel():
            return
        if error is not None:
            self.set_exception(error)
        else:
            self.set_result(result)

    def _is_mine(self) -> bool:
        try:
            return self._pending.pop()
        except IndexError:
            return False
