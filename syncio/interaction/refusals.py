"""What the hooks of a slave raise to refuse something, and a task to say that it has failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .codes import SlaveErrorCode
from .envelope import ResponsibleException

__all__ = ["ConnectionRefuse", "DisconnectionRefuse", "TaskFail", "TaskRefuse"]


class ConnectionRefuse(ResponsibleException):
    """Raised in `_before_connection`: this master may not have the slave.

    :param data: goes to the master.
    """

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(SlaveErrorCode.SLAVE_CONNECTION_REFUSED, "Connection refused!", data, 403)


class DisconnectionRefuse(ResponsibleException):
    """Raised in `_before_disconnection`: the master has to keep the slave.

    :param data: goes to the master.
    """

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(SlaveErrorCode.SLAVE_DISCONNECTION_REFUSED, "Disconnection refused!", data, 403)


class TaskRefuse(ResponsibleException):
    """Raised in `_before_task`: the slave does not take this task.

    :param data: goes to the master.
    """

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(SlaveErrorCode.TASK_REFUSED, "Task refused!", data, 403)


class TaskFail(Exception):
    """Raised in `_process_task`: the task has failed.

    :param result: what the master's callbacks are given.
    :param message: for the slave's log.
    """

    def __init__(self, result: Mapping[str, Any] | None = None, message: str | None = None) -> None:
        super().__init__(f"Task process failed - {message}." if message else "Task process failed.")
        self.message = message
        self.result = result if result is not None else {}
