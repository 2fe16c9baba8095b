"""What a subclass of `Master` may override to have its say in connections and tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .errors import RequestException

__all__ = ["MasterHooks", "default_func"]


class MasterHooks:
    """The hooks of a master. What a `_before_` hook raises ends the matter; what an `_error_` hook raises, too."""

    def _before_connect(self) -> Mapping[str, Any] | None:
        """What a slave is told when it is connected."""

    def _after_connect(self, status_code: int, success: bool, code: int, message: str | None, data: Any) -> Any:
        """The slave's answer; what this returns is what `connect` returns."""

    def _error_connect(self, error: RequestException) -> Any:
        """There was none; what this returns is what `connect` returns."""
        raise error

    def _before_disconnect(self) -> Mapping[str, Any] | None:
        """What a slave is told when it is disconnected."""

    def _after_disconnect(self, status_code: int, success: bool, code: int, message: str | None, data: Any) -> Any:
        """The slave's answer; what this returns is what `disconnect` returns."""

    def _error_disconnect(self, error: RequestException) -> Any:
        """There was none; what this returns is what `disconnect` returns."""
        raise error

    def _before_new_task(self, data: Any = None) -> Any:
        """What a slave is given for a task's data. None becomes {}."""
        return data

    def _after_new_task(self, status_code: int, success: bool, code: int, message: str | None, data: Any) -> Any:
        """The slave's answer."""

    def _error_new_task(self, error: RequestException) -> Any:
        """There was none; if this returns, so does `Task.start`, with the status START_FAILED."""
        raise error

    def _lost_slave(self, name: str, reason: str) -> None:
        """A slave was lost; its tasks are already. Called on a worker of the relay."""


def default_func(return_value: Any = None) -> Callable[[Callable[..., Any] | None], Callable[..., Any]]:
    """Give a function that may be missing a stand-in.

    :param return_value: what the stand-in returns.
    """

    def choose(function: Callable[..., Any] | None) -> Callable[..., Any]:
        return function if function is not None else lambda *args, **kwargs: return_value

    return choose
