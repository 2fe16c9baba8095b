"""Lanes: the handlers of one session run in order, one at a time (or a chosen few), on whichever worker is free."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from .base import Lock, Relay, Runnable

__all__ = ["Lane"]


class Lane:
    """A queue of items for one handler function, and who may run it.

    Whoever takes a token out of `_idle` runs the items. It gives the token back when it finds none, and then looks once
    more: an item may have come from somebody who found no token. Both are single operations, which need no lock.

    :param relay: whose pool runs the handlers.
    :param lock: the session's lock; held for a few lines only.
    :param call: what is called with each item. What it raises ends its worker, not the lane.
    :param width: how many items may be in the handler at the same time.
    :param limit: with more items than this waiting, the lane is full.
    """

    __slots__ = ("_call", "_idle", "_items", "_limit", "_lock", "_waiting", "_width", "relay")

    def __init__(self, relay: Relay, lock: Lock, call: Callable[[Any], None], width: int = 1, limit: int = 256) -> None:
        self.relay = relay
        self._lock = lock
        self._call = call
        self._width = width
        self._limit = limit
        self._idle = [True] * width
        self._items: deque[Any] | None = None  # made when first needed: most lanes never queue anything
        self._waiting: list[tuple[int | None, Callable[[], object]]] | None = None

    def __len__(self) -> int:
        return len(self._items) if self._items else 0

    @property
    def is_full(self) -> bool:
        """Whether whoever fills the lane should stop reading: more wait and run than the limit allows."""
        return self._load() > self._limit

    def _load(self) -> int:
        # A limit of 0 means that nothing may come in while a handler runs; else running ones do not count.
        return len(self) + (self._running if self._limit == 0 else 0)

    @property
    def _running(self) -> int:
        return self._width - len(self._idle)

    @property
    def is_busy(self) -> bool:
        """Whether a handler runs."""
        return self._running > 0

    def put(self, items: list[Any], run: Callable[[Runnable], None] | None = None) -> bool:
        """Append items in order and have them run.

        :param run: `submit` or `call_inline` of the relay; None for `submit`.
        :return: whether the lane is full now.
        """
        waiting = self._items
        if waiting is None:
            waiting = self._first()
        waiting.extend(items)
        idle = self._idle
        if idle and self._take_token():
            for _ in items[1:]:
                if not idle or not self._take_token():
                    break
                self.relay.submit(self)
            (run or self.relay.submit)(self)
        return len(idle) < self._width and self.is_full

    def _first(self) -> deque[Any]:
        with self._lock:
            if self._items is None:
                self._items = deque()
            return self._items

    def _take_token(self) -> bool:
        try:
            return self._idle.pop()
        except IndexError:
            return False

    def run(self) -> None:
        """Run items until there are none; called by the relay on the worker that got this lane."""
        items, idle = self._items, self._idle
        assert items is not None, "who has the lane run has put something in"
        take, call = items.popleft, self._call
        while True:
            if not items:
                idle.append(True)
                if self._waiting is not None:
                    self._call_due()
                if not items or not self._take_token():
                    return
            try:
                item = take()
            except IndexError:
                continue  # another one of several runners was faster
            if self._waiting is not None:
                self._call_due()
            try:
                call(item)
            except BaseException:
                # This worker is lost; another one goes on in its place.
                self.relay.submit(self)
                raise

    def _call_due(self) -> None:
        with self._lock:
            waiting = self._waiting or []
            due = [callback for most, callback in waiting if self._is_at(most)]
            self._waiting = [entry for entry in waiting if not self._is_at(entry[0])] or None
        for callback in due:
            callback()

    def when_roomy(self, callback: Callable[[], object]) -> bool:
        """Call `callback` once when a full lane has room again; False (and no call) if it has room now."""
        return self._wait_for(self._limit // 2, callback)

    def when_idle(self, callback: Callable[[], object]) -> bool:
        """Call `callback` once when nothing waits and nothing runs; False (and no call) if that is so now."""
        return self._wait_for(None, callback)

    def _wait_for(self, most: int | None, callback: Callable[[], object]) -> bool:
        entry = most, callback
        with self._lock:
            # Noted first and asked then: a runner gives its token back first and looks here then.
            self._waiting = [*(self._waiting or ()), entry]
            if not self._is_at(most):
                return True
            self._waiting = [other for other in self._waiting if other is not entry] or None
            return False

    def _is_at(self, most: int | None) -> bool:
        return self._load() <= most if most is not None else self._running == 0
