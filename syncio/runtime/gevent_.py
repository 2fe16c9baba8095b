"""The runtime of greenlets and its relay. Nothing here needs monkey-patching, and nothing here does it.

All adopted sockets wait in one epoll descriptor of the relay's own, which the hub watches: an idle connection has no
greenlet and no watcher. A handler that blocks switches to the hub, and that is the signal to hand the duty on.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event
import gevent.queue
import gevent.socket
from gevent import getcurrent
from gevent.hub import get_hub
from gevent.monkey import get_original
from gevent.util import wrap_errors

from .base import Runnable
from .poller import READ, READ_SPIN, Spinner, poll_for
from .relay import Duty, RelayCore

__all__ = ["GeventRelay", "GeventRuntime"]

allocate_lock = get_original("_thread", "allocate_lock")
get_ident = get_original("_thread", "get_ident")

DEFAULT_GREENLETS = 1000
"""How many handlers may block at the same time in one process of greenlets."""
MOST_SPINNING = 1e-3
"""Seconds for which a greenlet may find what it waits for without a switch; then the others have their turn."""
READ_EVENT, WRITE_EVENT = 1, 2
"""libev's own bits."""
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


_watched: weakref.WeakSet[WatchedDescriptor] = weakref.WeakSet()
"""Those that a child of this process inherits, and must not serve."""


class WatchedDescriptor:
    """Waits for one descriptor by switching to the hub: `base.Readiness` for greenlets."""

    __slots__ = ("__weakref__", "_fd", "_read", "_spinner", "_switched", "_write")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._read: Any = None
        self._write: Any = None
        self._spinner = Spinner(poll_for(fd, READ), READ_SPIN)
        self._switched = 0.0
        _watched.add(self)

    def readable(self, timeout: float | None) -> bool:
        # Other greenlets wait while this one looks, so it must not go on doing so with a peer that always answers.
        now = time.monotonic()
        if now - self._switched < MOST_SPINNING and timeout != 0 and self._spinner.look():
            return True
        if self._read is None:
            self._read = get_hub().loop.io(self._fd, READ_EVENT)
        self._switched = now
        return self._await(self._read, timeout)

    def writable(self, timeout: float | None) -> bool:
        if self._write is None:
            self._write = get_hub().loop.io(self._fd, WRITE_EVENT)
        return self._await(self._write, timeout)

    def _await(self, watcher: Any, timeout: float | None) -> bool:
        if timeout is None:
            get_hub().wait(watcher)
            return True
        late = TimeoutError()
        try:
            gevent.socket.wait(watcher, max(0.0, timeout), late)
        except TimeoutError as exc:
            if exc is not late:  # a `gevent.Timeout` of the caller's own
                raise
            return False
        return True

    def close(self) -> None:
        for watcher in (self._read, self._write):
            if watcher is not None:
                watcher.close()
        self._read = self._write = None


class GeventRuntime:
    """Greenlets behind the interface of `base.Runtime`."""

    name = "gevent"
    queue_empty: type[Exception] = gevent.queue.Empty
    forks = 0
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
    current = staticmethod(getcurrent)
    readiness = staticmethod(WatchedDescriptor)

    def start(self, name: str, target: Callable[..., Any], *args: Any) -> gevent.Greenlet:
        """Start a greenlet with a name."""
        greenlet = gevent.spawn(target, *args)
        greenlet.name = name
        return greenlet

    def call_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call it on a thread of the hub's pool."""
        # An error that leaves the thread would be printed, too.
        result = get_hub().threadpool.apply(wrap_errors(Exception, function), args)
        if isinstance(result, Exception):
            raise result
        return result

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
        self.forks += 1
        for descriptor in list(_watched):
            descriptor.close()
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.abandon()
