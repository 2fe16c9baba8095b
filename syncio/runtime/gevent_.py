"""The runtime of greenlets and its relay. Nothing here needs monkey-patching, and nothing here does it.

All adopted sockets wait in one epoll descriptor of the relay's own, which the hub watches: an idle connection has no
greenlet and no watcher. A handler that blocks switches to the hub, and that is the signal to hand the duty on.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event
import gevent.queue
from gevent import getcurrent
from gevent.hub import get_hub
from gevent.monkey import get_original

from .base import Runnable
from .relay import Duty, RelayCore

__all__ = ["GeventRelay", "GeventRuntime"]

allocate_lock = get_original("_thread", "allocate_lock")
get_ident = get_original("_thread", "get_ident")

DEFAULT_GREENLETS = 1000
"""How many handlers may block at the same time in one process of greenlets."""
IDLE_GREENLETS = 64
"""How many greenlets wait for work; more than that end."""


class GeventRelay(RelayCore):
    """The relay on greenlets of the hub in which it was made.

    :param workers: the bound of the pool: at most so many handlers block at once.
    """

    def __init__(self, workers: int = DEFAULT_GREENLETS) -> None:
        # The original lock: it is held for a few lines without a switch, and native threads may call in.
        super().__init__(workers, allocate_lock())
        self._ident = getcurrent  # type: ignore[method-assign]
        self._hub = get_hub()
        self._thread = get_ident()
        self._idle: deque[Any] = deque()
        self._inbox: deque[Runnable] = deque()
        self._waiting: Any = None
        self._alarm: float | None = None
        self._timer = self._hub.loop.timer(0)
        self._io = self._hub.loop.io(self._poller.fileno(), 1)
        self._prepare = self._hub.loop.prepare()
        self._io.start(self._resume)
        self._prepare.start(self._before_hub_waits)
        # None of these keeps a program alive that has nothing else to do.
        self._io.ref = self._prepare.ref = False
        self._start_worker(Duty(self))

    def corks(self) -> bool:
        return self._duty is getcurrent()

    # ------------------------------------------------------------------ workers

    def _start_worker(self, job: Runnable) -> None:
        if get_ident() != self._thread:
            self._inbox.append(job)
            self._waker.wake()
        elif self._idle:
            self._hub.loop.run_callback(self._idle.popleft().switch, job)
        else:
            gevent.spawn(self._worker, job)

    def _worker(self, job: Runnable | None) -> None:
        me = getcurrent()
        while job is not None:
            try:
                self.work(job)
            except BaseException:
                self._bequeath()
                raise
            if len(self._idle) >= IDLE_GREENLETS or self._stopped:
                return
            self._idle.append(me)
            try:
                job = self._hub.switch()
            except BaseException:
                # A time-out that an earlier handler has left behind, or somebody kills what he finds.
                with contextlib.suppress(ValueError):
                    self._idle.remove(me)
                raise

    def _woken(self, found: int) -> None:
        super()._woken(found)
        while self._inbox:
            self._start_worker(self._inbox.popleft())

    def stop(self) -> None:
        super().stop()
        for watcher in (self._prepare, self._timer):
            watcher.stop()
        while self._idle:
            self._hub.loop.run_callback(self._idle.popleft().switch, None)

    def abandon(self) -> None:
        # The child's hub has inherited the watchers, and would read what is the parent's.
        for watcher in (self._io, self._prepare, self._timer):
            watcher.stop()
        self._lock = allocate_lock()
        super().abandon()

    # ------------------------------------------------------------------ duty

    def _wait(self, deadline: float | None) -> list[tuple[int, int]]:
        if deadline != self._alarm:
            self._set_alarm(deadline)
        self._waiting = getcurrent()
        self._hub.switch()
        return self._poller.poll(0)

    def _set_alarm(self, deadline: float | None) -> None:
        self._timer.stop()
        self._alarm = deadline
        if deadline is not None:
            self._timer = self._hub.loop.timer(max(0.0, deadline - time.monotonic()), ref=False)
            self._timer.start(self._ring, update=True)

    def _ring(self) -> None:
        """In the hub: the deadline has come."""
        self._alarm = None
        self._resume()

    def _resume(self) -> None:
        """In the hub: something is ready."""
        waiting = self._waiting
        if waiting is not None:
            self._waiting = None
            waiting.switch()
        if self._stopped:
            self._io.stop()

    def _before_hub_waits(self) -> None:
        """In the hub, before it blocks: a handler that is still inside has switched out, so it is blocked."""
        if self._slot:
            self._steal()


class GeventRuntime:
    """Greenlets behind the interface of `base.Runtime`."""

    name = "gevent"
    queue_empty: type[Exception] = gevent.queue.Empty
    hold = 0.2

    def __init__(self, make_relay: Callable[[], GeventRelay] = GeventRelay) -> None:
        self._make_relay = make_relay
        self._relay: GeventRelay | None = None

    def serves_here(self) -> bool:
        """Whether the caller is a greenlet of a hub, or the main thread, whose hub runs when it waits."""
        return getcurrent().parent is not None or bool(get_hub().main_hub)

    now = staticmethod(time.monotonic)
    sleep = staticmethod(gevent.sleep)
    lock = staticmethod(allocate_lock)
    event = staticmethod(gevent.event.Event)
    spawn = staticmethod(gevent.spawn)

    def queue(self, maxsize: int = 0) -> Any:
        """A `gevent.queue.Queue`; 0 means without a bound."""
        return gevent.queue.Queue(maxsize or None)

    def relay(self) -> GeventRelay:
        """The process's relay of greenlets."""
        if self._relay is None:
            self._relay = self._make_relay()
        return self._relay

    def forget_relay(self) -> None:
        """In the child of a fork: the relay's sockets are the parent's."""
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.abandon()
