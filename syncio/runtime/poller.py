"""Readiness of many descriptors behind three methods: epoll where there is one, `selectors` elsewhere.

`watch`, `change` and `forget` may be called from any thread while another one waits in `poll`.
This module must not read or write what it watches.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import selectors
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

__all__ = [
    "READ",
    "READ_SPIN",
    "WRITE",
    "EpollPoller",
    "Poller",
    "Ready",
    "SelectorPoller",
    "Spinner",
    "Waker",
    "make_poller",
    "milliseconds",
    "poll_for",
]

READ = 1
"""Wanted or found: bytes to read, or the end of the stream."""
WRITE = 4
"""Wanted or found: room to write."""
MOST_MILLISECONDS = 2**31 - 1
"""The longest time that `poll` takes."""

MOST_VAIN = 10
"""After looking in vain once, twice, ... one sleeps 2, 4, ... times without looking, but 2 ** 10 times at most."""

READ_SPIN = 5e-5
"""Seconds for which a task that reads from one peer looks before it sleeps."""

Ready = Callable[[int], None]
"""Called with what was found: `READ`, `WRITE` or both."""


class Poller(Protocol):
    """What the relay asks of the operating system."""

    def watch(self, fd: int, wanted: int, ready: Ready) -> None:
        """Begin to watch a descriptor; `ready` is what `poll` returns for it."""

    def change(self, fd: int, wanted: int) -> None:
        """Watch for something else; 0 for nothing but its end."""

    def forget(self, fd: int) -> None:
        """Stop watching. Must happen before the descriptor is closed."""

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait up to `timeout` seconds (None: for ever) and return pairs of descriptor and what was found."""

    def fileno(self) -> int:
        """A descriptor that is readable when `poll` would return something."""

    def close(self) -> None:
        """Give everything back."""


@contextlib.contextmanager
def claimed(callbacks: dict[int, Ready], fd: int, ready: Ready) -> Iterator[None]:
    """Note a callback before its descriptor is registered, so that nothing is found without it; undo it on an error."""
    earlier = callbacks.get(fd)
    callbacks[fd] = ready
    try:
        yield
    except BaseException:
        if earlier is None:
            del callbacks[fd]
        else:
            callbacks[fd] = earlier
        raise


class EpollPoller:
    """Level-triggered epoll. The events it returns are epoll's own bits, of which READ and WRITE are two."""

    __slots__ = ("_epoll", "change", "fileno", "ready")

    def __init__(self) -> None:
        make = find_epoll()
        assert make is not None, "this system has no epoll"
        self._epoll = make()
        self.ready: dict[int, Ready] = {}
        self.change = self._epoll.modify
        self.fileno = self._epoll.fileno

    def watch(self, fd: int, wanted: int, ready: Ready) -> None:
        with claimed(self.ready, fd, ready):
            self._epoll.register(fd, wanted)

    def forget(self, fd: int) -> None:
        if self.ready.pop(fd, None) is not None:
            with contextlib.suppress(OSError, ValueError):
                self._epoll.unregister(fd)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = self._epoll.poll(timeout)
        return found

    def close(self) -> None:
        self._epoll.close()


class SelectorPoller:
    """Any other system: a selector, and a waker because its waiting call does not see later changes."""

    __slots__ = ("_selector", "_waker", "ready")

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self._selector = selector if selector is not None else selectors.DefaultSelector()
        self._waker = Waker()
        self.ready: dict[int, Ready] = {}
        self._selector.register(self._waker.fileno(), selectors.EVENT_READ)

    def watch(self, fd: int, wanted: int, ready: Ready) -> None:
        with claimed(self.ready, fd, ready):
            self._register(fd, wanted)

    def change(self, fd: int, wanted: int) -> None:
        if fd not in self.ready:
            raise KeyError(fd)
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)
        self._register(fd, wanted)

    def _register(self, fd: int, wanted: int) -> None:
        events = (selectors.EVENT_READ if wanted & READ else 0) | (selectors.EVENT_WRITE if wanted & WRITE else 0)
        if events:
            self._selector.register(fd, events)
        self._waker.wake()

    def forget(self, fd: int) -> None:
        if self.ready.pop(fd, None) is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(fd)
            self._waker.wake()

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        found = []
        for key, events in self._selector.select(timeout):
            if key.fd == self._waker.fileno():
                self._waker.clear()
                continue
            read = READ if events & selectors.EVENT_READ else 0
            found.append((key.fd, read | (WRITE if events & selectors.EVENT_WRITE else 0)))
        return found

    def fileno(self) -> int:
        raise NotImplementedError("a selector cannot be watched by another loop; gevent mode needs epoll")

    def close(self) -> None:
        self._selector.close()
        self._waker.close()


def make_poller() -> EpollPoller | SelectorPoller:
    """The best poller of this system."""
    return SelectorPoller() if find_epoll() is None else EpollPoller()


def find_epoll() -> Any:
    """The system's epoll, also where monkey-patching has hidden it: ours is only asked, it never blocks a hub."""
    return _original("epoll")


def _original(name: str) -> Any:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        with contextlib.suppress(AttributeError):
            return monkey.get_original("select", name)
    return getattr(select, name, None)


class Spinner:
    """Looks again and again for a moment before one sleeps: to sleep and be woken takes longer than most answers.

    :param poll: looks, and does not wait when it is given 0.
    :param seconds: how long a moment is.
    """

    __slots__ = ("_poll", "_seconds", "_sleeps", "_vain")

    def __init__(self, poll: Callable[[int], list[tuple[int, int]]], seconds: float) -> None:
        self._poll = poll
        self._seconds = seconds
        self._vain = 0  # how often in a row it has looked in vain
        self._sleeps = 0  # how often one sleeps before it looks again

    def look(self) -> list[tuple[int, int]]:
        """What is there now or very soon."""
        if self._sleeps > 0:
            self._sleeps -= 1
            return []
        poll, clock = self._poll, time.monotonic
        until = clock() + self._seconds
        while not (found := poll(0)) and clock() < until:
            pass
        if found:
            self._vain = 0
        else:
            self._vain = min(self._vain + 1, MOST_VAIN)
            self._sleeps = 1 << self._vain
        return found


def poll_for(fd: int, wanted: int) -> Callable[[int | None], list[tuple[int, int]]]:
    """What waits, by blocking the thread, until one descriptor is ready: it takes milliseconds, or None for ever."""
    poll = _original("poll")()
    poll.register(fd, wanted)
    wait: Callable[[int | None], list[tuple[int, int]]] = poll.poll
    return wait


def milliseconds(timeout: float | None) -> int | None:
    """Seconds as `poll` wants them: not less than what was asked for, but for more than it can count, some 24 days."""
    return None if timeout is None else math.ceil(min(max(0.0, timeout * 1000), MOST_MILLISECONDS))


class Waker:
    """A descriptor that any thread can make readable."""

    __slots__ = ("_read", "_write")

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._read

    def wake(self) -> None:
        """Make it readable. A full pipe is readable already."""
        with contextlib.suppress(OSError):
            os.write(self._write, b"\0")

    def clear(self) -> None:
        """Make it unreadable again."""
        with contextlib.suppress(OSError):
            os.read(self._read, 4096)

    def close(self) -> None:
        """Give the descriptors back. Calling it again does nothing."""
        fds = self._read, self._write
        self._read = self._write = -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    __del__ = close
