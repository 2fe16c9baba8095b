"""An event that can be waited for both ways."""

from __future__ import annotations

from ..runtime import choose_runtime

__all__ = ["DblEvent"]


class DblEvent:
    """Open or closed; tasks can wait for either.

    :param opened: what it is at first.
    """

    def __init__(self, opened: bool = False) -> None:
        runtime = choose_runtime()
        self._lock = runtime.lock()
        self._opened, self._closed = runtime.event(), runtime.event()
        (self._opened if opened else self._closed).set()

    def wait_for_open(self, timeout: float | None = None) -> bool:
        """Wait until it is open.

        :param timeout: seconds; None for ever.
        :return: whether it was in that time.
        """
        return self._opened.wait(timeout)

    def wait_for_close(self, timeout: float | None = None) -> bool:
        """Wait until it is closed.

        :param timeout: seconds; None for ever.
        :return: whether it was in that time.
        """
        return self._closed.wait(timeout)

    def open(self) -> None:
        """Open it."""
        with self._lock:
            self._closed.clear()
            self._opened.set()

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._opened.clear()
            self._closed.set()

    def is_open(self) -> bool:
        """Whether it is open."""
        with self._lock:
            return self._opened.is_set()

    def is_close(self) -> bool:
        """Whether it is closed."""
        with self._lock:
            return self._closed.is_set()
