"""A latch: an event that happens once, and costs next to nothing while nobody waits for it."""

from __future__ import annotations

from .base import Event, Runtime

__all__ = ["Latch"]


class Latch:
    """Open from its `set` on.

    Who waits puts an event of his own in first and looks then; who opens it opens it first and sets the events then.
    Each is a single operation, which needs no lock.

    :param runtime: threads or greenlets.
    """

    __slots__ = ("_runtime", "_waiting", "is_set")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting: list[Event] = []
        self.is_set = False
        """Whether it has happened."""

    def set(self) -> None:
        """It has happened."""
        self.is_set = True
        for event in list(self._waiting):
            event.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it happens.

        :param timeout: seconds; None for as long as it takes.
        :return: whether it has.
        """
        if self.is_set:
            return True
        event = self._runtime.event()
        self._waiting.append(event)
        try:
            return self.is_set or event.wait(timeout)
        finally:
            self._waiting.remove(event)
