"""What the rest of syncio asks of threads or greenlets: a handful of small interfaces.

This module must not import threading or gevent: `threads` and `gevent_` do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .poller import Ready

__all__ = ["Event", "Lock", "Readiness", "Relay", "Runnable", "Runtime", "Task", "Timer"]


class Lock(Protocol):
    """Guards a machine. Never held around I/O or user code."""

    def acquire(self, blocking: bool = ...) -> bool: ...
    def release(self) -> None: ...
    def __enter__(self) -> bool: ...
    def __exit__(self, *exc_info: Any) -> None: ...


class Event(Protocol):
    """A flag that can be waited for."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = ...) -> bool: ...


class Task(Protocol):
    """A thread or greenlet that was started and can be joined."""

    def join(self, timeout: float | None = ...) -> None: ...


class Timer(Protocol):
    """Something that will happen once unless it is cancelled."""

    def cancel(self) -> None: ...


class Runnable(Protocol):
    """Work for the relay's pool: a lane that has something to run."""

    def run(self) -> None: ...


class Flushable(Protocol):
    """A stream that has kept bytes back."""

    def flush(self) -> None:
        """Write them."""


class Relay(Protocol):
    """The I/O loop that owns adopted sockets, and the bounded pool that runs handlers."""

    now: float
    """The monotonic clock when the loop last woke, in seconds: cheap, and old by one turn at most."""

    def watch(self, fd: int, wanted: int, ready: Ready) -> None:
        """Call `ready(found)` on the duty thread whenever the descriptor can be read or written."""

    def change(self, fd: int, wanted: int) -> None:
        """Watch a descriptor for something else."""

    def forget(self, fd: int) -> None:
        """Stop watching a descriptor."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the duty thread at the monotonic time `when`. It must not block."""

    def submit(self, work: Runnable) -> None:
        """Run `work` on a thread of the pool. Never blocks; waits in a queue while the pool is exhausted."""

    def call_inline(self, work: Runnable) -> None:
        """From the duty thread: run `work` here if the pool can replace this thread, else submit it."""

    def corks(self) -> bool:
        """Whether the caller is the duty thread inside the handling of one read, so that writes wait for its end."""

    def cork(self, stream: Flushable) -> bool:
        """Have a stream flush when the handling of the current read ends, or its handler blocks; False off duty."""

    def stats(self) -> dict[str, int]:
        """Numbers for people."""


class Readiness(Protocol):
    """Waits for one descriptor, which must stay open until this is closed. At most one task reads, and one writes."""

    def readable(self, timeout: float | None) -> bool:
        """Wait until there is something to read, or the end; False if there was nothing for `timeout` seconds."""

    def writable(self, timeout: float | None) -> bool:
        """Wait until there is room to write, or the end; False if there was none for `timeout` seconds."""

    def close(self) -> None:
        """Wait no more. Nobody may be waiting now."""


class Runtime(Protocol):
    """Threads or greenlets."""

    name: str
    """'threading' or 'gevent'."""
    queue_empty: type[Exception]
    """What `create_queue().get(block=False)` raises."""
    forks: int
    """How often this process was forked from one that had this runtime: what was connected before is the parent's."""
    hold: float
    """How long, in seconds, a request that waits may keep its thread before it goes to the relay."""

    def serves_here(self) -> bool:
        """Whether the caller may wait in this runtime's way: False for greenlets on a thread without a running hub."""

    def now(self) -> float:
        """The monotonic clock in seconds."""

    def sleep(self, seconds: float) -> None:
        """Let others run for that long."""

    def spawn(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Task:
        """Start a background task; it does not keep the process alive."""

    def start(self, name: str, target: Callable[..., Any], *args: Any) -> Task:
        """Start a background task that people shall find by its name."""

    def current(self) -> object:
        """The task that asks: a value that is the same for one task while it lives, and compares by ``==``."""

    def call_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call what blocks its thread, letting other tasks run, and return what it returns."""

    def readiness(self, fd: int) -> Readiness:
        """What waits for a descriptor in this runtime's way."""

    def lock(self) -> Lock:
        """A new lock."""

    def event(self) -> Event:
        """A new event."""

    def queue(self, maxsize: int = 0) -> Any:
        """A new queue in the manner of `queue.Queue`."""

    def relay(self) -> Relay:
        """The process's relay; it starts at the first call, never before a fork."""
