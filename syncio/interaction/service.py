"""Things that are started and closed."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any, TypeVar

__all__ = ["ControllableContext", "ControllableService"]

S = TypeVar("S", bound="ControllableContext")


class ControllableContext(metaclass=ABCMeta):
    """Started at the beginning of a ``with`` block, closed at its end."""

    @abstractmethod
    def start(self) -> Any:
        """Begin."""

    @abstractmethod
    def close(self) -> Any:
        """End."""

    def __enter__(self: S) -> S:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class ControllableService(ControllableContext):
    """Something that goes on by itself between its start and its end."""

    @abstractmethod
    def shutdown(self) -> Any:
        """Have it end."""

    @abstractmethod
    def join(self) -> Any:
        """Wait for its end."""

    def close(self) -> Any:
        """Have it end, and wait for that."""
        self.shutdown()
        self.join()
