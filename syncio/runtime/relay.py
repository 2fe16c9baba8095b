"""The relay: one loop that owns adopted sockets and calls handlers itself, on a bounded pool.

One worker at a time is *on duty*: it waits for readiness, reads, decodes and calls the handler. When a handler blocks,
the duty is handed to another worker of the pool, and the blocked handler goes on where it is. This module is what
threads and greenlets share; `threads` and `gevent_` say how a worker is started and how a blocked one is noticed.

Who has the duty is decided by one atomic operation. While the duty worker is inside a handler there is one token in
`_slot`; whoever pops it owns the duty: the worker when its handler returns, or the one who noticed that it does not.
Every handler has a slot of its own, so that one which ends after it was handed over cannot take the token of the next.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from time import monotonic

from .base import Flushable, Lock, Runnable
from .poller import READ, Ready, Waker, make_poller
from .timers import TimerHandle, Timers

__all__ = ["DEFAULT_WORKERS", "RelayCore"]

logger = logging.getLogger("syncio.relay")

BLOCKING = 0.005
"""A handler that takes longer than this, in seconds, blocks."""
DEFAULT_WORKERS = 128
"""How many handlers may block at the same time in one process of threads."""


class Duty:
    """The job of being on duty; there is one in a relay, and it is run like any other work of the pool."""

    __slots__ = ("_relay",)

    def __init__(self, relay: RelayCore) -> None:
        self._relay = relay

    def run(self) -> None:
        """Serve until the duty is lost."""
        self._relay.serve()


class RelayCore:
    """What both relays are. A subclass gives `_ident`, `_start_worker`, `_wait` and calls `_steal`.

    :param workers: how many handlers may run at the same time; one more worker is always left for the loop.
    :param lock: guards the counters; never held around I/O or user code.
    """

    wariness = 0.0
    """Seconds after a handler has blocked during which the duty worker runs none itself: what blocks rarely does so
    once. For a runtime that needs time to notice it."""

    def __init__(self, workers: int, lock: Lock) -> None:
        self.now = monotonic()
        self.workers = workers
        self._lock = lock
        self._poller = make_poller()
        self._waker = Waker()
        self._timers = Timers()
        self._dirty: deque[Flushable] = deque()
        self._slot: list[bool] = []
        self._sentinel_sleeps = False  # who notices that a handler blocks, where that takes somebody
        self._turn = 0
        self._wary_until = 0.0
        self._duty: object = None
        self._busy = 0
        self._backlog: deque[Runnable] = deque()
        self._stopped = False
        self.change = self._poller.change
        self._poller.watch(self._waker.fileno(), READ, self._woken)

    # ------------------------------------------------------------------ for a subclass

    def _ident(self) -> object:
        """Who is asking: a value that is the same for one worker and compares by ``==``."""
        raise NotImplementedError

    def _start_worker(self, job: Runnable) -> None:
        """Have `job` run on a worker: an idle one, or a new one."""
        raise NotImplementedError

    def _wait(self, deadline: float | None) -> list[tuple[int, int]]:
        """Wait until something is ready or the deadline has come."""
        raise NotImplementedError

    def _note_handler(self) -> None:
        """The duty worker enters a handler, and `_sentinel_sleeps`."""

    # ------------------------------------------------------------------ descriptors and timers

    def watch(self, fd: int, wanted: int, ready: Ready) -> None:
        """Call `ready(found)` on the duty worker whenever the descriptor can be read or written."""
        self._poller.watch(fd, wanted, ready)

    def forget(self, fd: int) -> None:
        """Stop watching a descriptor."""
        self._poller.forget(fd)

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call `callback` on the duty worker at the monotonic time `when`. It must not block."""
        with self._lock:
            earliest = self._timers.next_deadline()
            timer = self._timers.add(when, callback)
        if (earliest is None or when < earliest) and self._duty != self._ident():
            self._waker.wake()
        return timer

    def _woken(self, found: int) -> None:
        self._waker.clear()

    # ------------------------------------------------------------------ corking

    def corks(self) -> bool:
        """Whether the caller is the duty worker, so that its writes wait for the end of the current read's handling."""
        return self._duty == self._ident()

    def cork(self, stream: Flushable) -> bool:
        """Have a stream flush when the handling of the current read ends, or when its handler blocks.

        :return: whether it will; False if the caller is not on duty, and has to write itself.
        """
        me = self._ident()
        if self._duty != me:
            return False
        self._dirty.append(stream)
        if self._duty != me:
            # The duty was lost in this moment; whoever has it now may have looked already, and wait.
            self._flush_dirty()
        return True

    def _flush_dirty(self) -> None:
        dirty = self._dirty
        while dirty:
            try:
                stream = dirty.popleft()
            except IndexError:
                return
            stream.flush()

    # ------------------------------------------------------------------ the pool

    def submit(self, work: Runnable) -> None:
        """Run `work` on a worker of the pool. Never blocks; waits in a queue while the pool is exhausted."""
        with self._lock:
            if self._busy >= self.workers:
                self._backlog.append(work)
                return
            self._busy += 1
        self._start_worker(work)

    def call_inline(self, work: Runnable) -> None:
        """From the duty worker: run `work` here, or submit it while the pool is exhausted or handlers are blocking.

        A worker of the pool costs a switch of threads; a handler that blocks here costs all sessions the time until it
        is noticed.
        """
        if self._busy >= self.workers or self.now < self._wary_until:
            self.submit(work)
            return
        self._turn += 1
        self._slot = slot = [True]
        if self._sentinel_sleeps:
            self._note_handler()
        try:
            work.run()
        finally:
            try:
                slot.pop()
            except IndexError:
                # If the token is gone, so is the duty: this one is a worker of the pool now and ends as one.
                self._leave_duty()

    def _leave_duty(self) -> bool:
        """Be on duty no longer, also if whoever took the token has not said so yet; False if that was so already."""
        with self._lock:
            if self._duty != self._ident():
                return False
            self._duty = None
            return True

    def _steal(self) -> bool:
        """Hand the duty on because its worker is blocked inside a handler; False if it has just come out."""
        try:
            self._slot.pop()
        except IndexError:
            return False
        with self._lock:
            self._busy += 1
            self._duty = None
            self._wary_until = monotonic() + self.wariness
        self._start_worker(Duty(self))
        return True

    def _bequeath(self) -> None:
        """The worker dies of what its job raised: give what it had, the duty or its place in the pool, to another."""
        if self._stopped:
            return
        job = Duty(self) if self._leave_duty() else self._next_job()
        if job is not None:
            self._start_worker(job)

    def _next_job(self) -> Runnable | None:
        """What a worker does after a job: the oldest work that waits, or None. Ends its being busy in that case."""
        with self._lock:
            if self._backlog and self._busy <= self.workers:
                return self._backlog.popleft()
            self._busy -= 1
            return None

    def work(self, job: Runnable) -> None:
        """Run a job and then all that waits for a worker.

        What is no `Exception` (sys.exit, a greenlet that is killed, gevent's time-outs) ends the worker.
        """
        next_job: Runnable | None = job
        while next_job is not None:
            began = monotonic()
            try:
                next_job.run()
            except Exception:
                logger.exception("syncio: a worker of the relay survived an error; please report it")
            ended = monotonic()
            if ended - began > BLOCKING:
                self._wary_until = ended + self.wariness
            next_job = self._next_job() if not self._stopped else None

    # ------------------------------------------------------------------ on duty

    def serve(self) -> None:
        """The loop. Returns when the duty was handed to another worker, or when the relay stops."""
        me = self._ident()
        self._duty = me
        while not self._stopped:
            self._flush_dirty()
            if not self._run_timers(me):
                return
            with self._lock:
                deadline = self._timers.next_deadline()
            if not self._serve_ready(me, self._wait(deadline)):
                return

    def _serve_ready(self, me: object, found: list[tuple[int, int]]) -> bool:
        # What is left of `found` when the duty is lost is found again by the next worker: readiness is level-triggered.
        ready = self._poller.ready
        self.now = monotonic()
        for fd, events in found:
            callback = ready.get(fd)
            if callback is None:
                continue
            try:
                callback(events)
            except Exception:
                logger.exception("syncio: the relay survived an error; please report it")
            if self._duty != me:
                return False
            if self._dirty:
                self._flush_dirty()
        return True

    def _run_timers(self, me: object) -> bool:
        self.now = monotonic()
        while True:
            with self._lock:
                callback = self._timers.pop_due(self.now)
            if callback is None:
                return True
            try:
                callback()
            except Exception:
                logger.exception("syncio: the relay survived an error in a timer; please report it")
            if self._duty != me:
                return False
            if self._dirty:
                self._flush_dirty()

    # ------------------------------------------------------------------ the end

    def stop(self) -> None:
        """End the loop and its idle workers; handlers that run go on. What is watched stays open and unserved."""
        self._stopped = True
        self._waker.wake()

    def abandon(self) -> None:
        """In the child of a fork: what is watched is the parent's, so serve none of it and change nothing there."""
        self._stopped = True
        self._duty = None
        self._poller.close()

    def stats(self) -> dict[str, int]:
        """Numbers for people: watched descriptors, timers, handlers that run outside the loop, work that waits."""
        with self._lock:
            return {
                "watched": len(self._poller.ready) - 1,
                "timers": len(self._timers),
                "busy": self._busy,
                "backlog": len(self._backlog),
            }
