"""A bounded mailbox: a queue between tasks that can be closed, where every wait takes a timeout."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from ..errors import MailboxClosed, RequestTimeout
from .base import Event, Runtime

__all__ = ["Mailbox"]

T = TypeVar("T")


class Mailbox(Generic[T]):
    """First in, first out, never more than `limit` items.

    :param runtime: whose tasks use it.
    :param limit: how many items it holds.
    """

    __slots__ = ("_closed", "_filled", "_items", "_limit", "_lock", "_room", "_runtime")

    def __init__(self, runtime: Runtime, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit={limit}: a mailbox holds at least one item")
        self._runtime = runtime
        self._limit = limit
        self._items: deque[T] = deque()
        self._lock = runtime.lock()
        self._filled = runtime.event()
        self._room = runtime.event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be put in any more."""
        return self._closed

    def put(self, item: T, timeout: float | None = None) -> None:
        """Append an item, waiting for room.

        :param timeout: seconds; None waits for ever, 0 not at all.
        :raises RequestTimeout: if there was no room in that time.
        :raises MailboxClosed: if the mailbox is or gets closed.
        """
        deadline = None if timeout is None else self._runtime.now() + timeout
        while True:
            with self._lock:
                if self._closed:
                    raise MailboxClosed("put() on a closed mailbox")
                if len(self._items) < self._limit:
                    self._items.append(item)
                    self._filled.set()
                    return
                self._room.clear()
            self._await(self._room, deadline, "put()", timeout)

    def get(self, timeout: float | None = None) -> T:
        """Take the oldest item, waiting for one. What was put in before the mailbox was closed still comes out.

        :param timeout: seconds; None waits for ever, 0 not at all.
        :raises RequestTimeout: if there was none in that time.
        :raises MailboxClosed: if the mailbox is closed and empty.
        """
        deadline = None if timeout is None else self._runtime.now() + timeout
        while True:
            with self._lock:
                if self._items:
                    item = self._items.popleft()
                    self._room.set()
                    return item
                if self._closed:
                    raise MailboxClosed("get() on a mailbox that is closed and empty")
                self._filled.clear()
            self._await(self._filled, deadline, "get()", timeout)

    def close(self) -> None:
        """Let nothing in any more and wake everybody who waits. Calling it again does nothing."""
        with self._lock:
            self._closed = True
            self._filled.set()
            self._room.set()

    def _await(self, event: Event, deadline: float | None, operation: str, timeout: float | None) -> None:
        remaining = None if deadline is None else deadline - self._runtime.now()
        if remaining is not None and remaining <= 0:
            raise RequestTimeout(operation, timeout or 0.0)
        event.wait(remaining)
