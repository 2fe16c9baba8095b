"""The runtime of threads, its relay and the sentinel that hands the duty on when a handler blocks."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from .base import Runnable
from .poller import READ, READ_SPIN, WRITE, Spinner, milliseconds, poll_for
from .relay import BLOCKING, DEFAULT_WORKERS, Duty, RelayCore

__all__ = ["ThreadRelay", "ThreadRuntime"]

SPIN = 2e-5
"""Seconds for which the loop looks again and again before it sleeps. To sleep and be woken costs about as much."""
QUIET_TICKS = 40
"""After so many looks without a handler the sentinel sleeps until the next one."""
IDLE = 10.0
"""How long a worker waits for work before its thread ends, in seconds."""


class ThreadRelay(RelayCore):
    """The relay on threads. All of them are daemons and end when there is nothing for them to do.

    :param workers: the bound of the pool: at most so many handlers block at once; one more thread serves the loop.
    """

    wariness = 0.25

    def __init__(self, workers: int = DEFAULT_WORKERS) -> None:
        super().__init__(workers, threading.Lock())
        self._ident = threading.get_ident  # type: ignore[method-assign]
        self._jobs: queue.SimpleQueue[Runnable | None] = queue.SimpleQueue()
        # With one busy client twice as many messages come through in this way.
        self._spinner = Spinner(self._poller.poll, SPIN)
        self._idle = 0  # threads that wait for a job, less the jobs that wait for a thread
        self._threads = 0
        self._sentinel_sleeps = True
        self._handler_seen = threading.Event()
        threading.Thread(target=self._sentinel, name="syncio-sentinel", daemon=True).start()
        self._start_worker(Duty(self))

    def corks(self) -> bool:
        return self._duty == threading.get_ident()

    # ------------------------------------------------------------------ workers

    def _start_worker(self, job: Runnable) -> None:
        with self._lock:
            # With as many threads as there can be jobs at once, one of them is just about to look for its next job.
            fresh = self._idle <= 0 and self._threads < self.workers + 2
            if fresh:
                self._threads += 1
            else:
                self._idle -= 1
        if not fresh:
            self._jobs.put(job)
            return
        try:
            threading.Thread(target=self._worker, args=(job,), name="syncio-worker", daemon=True).start()
        except RuntimeError:
            # The interpreter ends, or the system has no threads left: handlers run on the thread that wants them run,
            # and the duty waits for the worker that has just lost it.
            with self._lock:
                self._threads -= 1
                if isinstance(job, Duty):
                    self._idle -= 1
                    self._jobs.put(job)
                    return
            self.work(job)

    def _worker(self, job: Runnable | None) -> None:
        try:
            while job is not None:
                self.work(job)
                with self._lock:
                    if self._stopped:
                        self._threads -= 1
                        return
                    self._idle += 1
                job = self._await_job()
        except BaseException:
            with self._lock:
                self._threads -= 1
            self._bequeath()
            raise

    def _await_job(self) -> Runnable | None:
        while True:
            try:
                return self._jobs.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    if self._idle > 0:
                        self._idle -= 1
                        self._threads -= 1
                        return None
                # Somebody has counted on this thread: the job is on its way.

    def stop(self) -> None:
        super().stop()
        self._handler_seen.set()
        with self._lock:
            idle, self._idle = max(0, self._idle), 0
            self._threads -= idle
        for _ in range(idle):
            self._jobs.put(None)

    def abandon(self) -> None:
        # Whoever held the lock in the parent will not release it here.
        self._lock = threading.Lock()
        super().abandon()

    def stats(self) -> dict[str, int]:
        return {**super().stats(), "threads": self._threads}

    # ------------------------------------------------------------------ duty

    def _wait(self, deadline: float | None) -> list[tuple[int, int]]:
        if found := self._spinner.look():
            return found
        if deadline is None:
            return self._poller.poll(None)
        return self._poller.poll(max(0.0, deadline - time.monotonic()))

    def _note_handler(self) -> None:
        self._sentinel_sleeps = False
        self._handler_seen.set()

    def _sentinel(self) -> None:
        while not self._stopped:
            self._handler_seen.wait()
            self._handler_seen.clear()
            self._look_until_quiet()

    def _look_until_quiet(self) -> None:
        seen, quiet = -1, 0
        while not self._stopped:
            time.sleep(BLOCKING)
            turn = self._turn
            if turn != seen:
                seen, quiet = turn, 0
                continue
            if self._slot and self._steal():
                continue
            quiet += 1
            if quiet >= QUIET_TICKS:
                self._sentinel_sleeps = True
                if not self._slot:
                    return
                self._sentinel_sleeps = False


class PolledDescriptor:
    """Waits for one descriptor by blocking the thread: `base.Readiness` for threads."""

    __slots__ = ("_fd", "_read", "_spinner", "_write")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._read = poll_for(fd, READ)
        self._write: Callable[[int | None], list[tuple[int, int]]] | None = None
        self._spinner = Spinner(self._read, READ_SPIN)

    def readable(self, timeout: float | None) -> bool:
        if timeout != 0 and self._spinner.look():
            return True
        return bool(self._read(milliseconds(timeout)))

    def writable(self, timeout: float | None) -> bool:
        if self._write is None:
            self._write = poll_for(self._fd, WRITE)
        return bool(self._write(milliseconds(timeout)))

    def close(self) -> None:
        pass  # there is nothing that the system would keep


class ThreadRuntime:
    """Threads behind the interface of `base.Runtime`."""

    name = "threading"
    queue_empty: type[Exception] = queue.Empty
    forks = 0
    hold = 0.0

    def __init__(self, make_relay: Callable[[], ThreadRelay] = ThreadRelay) -> None:
        self._make_relay = make_relay
        self._relay: ThreadRelay | None = None
        self._starting = threading.Lock()

    def serves_here(self) -> bool:
        """True: threads can wait anywhere."""
        return True

    now = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
    lock = staticmethod(threading.Lock)
    event = staticmethod(threading.Event)

    def spawn(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
        """Start a daemon thread."""
        return self._start(threading.Thread(target=target, args=args, kwargs=kwargs, daemon=True))

    def start(self, name: str, target: Callable[..., Any], *args: Any) -> threading.Thread:
        """Start a daemon thread with a name."""
        return self._start(threading.Thread(target=target, args=args, name=name, daemon=True))

    @staticmethod
    def _start(thread: threading.Thread) -> threading.Thread:
        thread.start()
        return thread

    current = staticmethod(threading.get_ident)
    readiness = staticmethod(PolledDescriptor)

    def call_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call it: a thread may block."""
        return function(*args)

    def queue(self, maxsize: int = 0) -> queue.Queue[Any]:
        """A `queue.Queue`."""
        return queue.Queue(maxsize)

    def relay(self) -> ThreadRelay:
        """The process's relay of threads."""
        relay = self._relay
        if relay is None:
            with self._starting:
                if self._relay is None:
                    self._relay = self._make_relay()
                relay = self._relay
        return relay

    def forget_relay(self) -> None:
        """In the child of a fork: the relay's threads are in the parent, and so are its sockets."""
        self.forks += 1
        relay, self._relay = self._relay, None
        self._starting = threading.Lock()
        if relay is not None:
            relay.abandon()
