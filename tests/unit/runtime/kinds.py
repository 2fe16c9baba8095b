"""Both runtimes for tests, each with a small relay of its own, and what tests of tasks need besides."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

from gevent.monkey import get_original

from syncio.runtime import MODES, Runtime
from syncio.runtime.choose import is_monkey_patched
from syncio.runtime.gevent_ import GeventRelay, GeventRuntime
from syncio.runtime.threads import ThreadRelay, ThreadRuntime

PATIENCE = 10.0
"""Seconds after which something that should have happened has not."""
MODES_HERE = tuple(mode for mode in MODES if mode == "gevent" or not is_monkey_patched())
"""The runtimes that this process can have: there are no threads where gevent has replaced them."""
MOMENT = 0.05
"""Seconds in which something that must not happen would have."""


class BoldRelay(ThreadRelay):
    """A relay of threads that runs handlers inline also when another one has just blocked, as greenlets do."""

    wariness = 0.0


def make_runtime(mode: str, workers: int) -> Runtime:
    """A runtime that shares nothing with the process's own."""
    if mode == "gevent":
        return GeventRuntime(lambda: GeventRelay(workers))
    return ThreadRuntime(lambda: BoldRelay(workers))


def fresh_runtime(mode: str, workers: int) -> Iterator[Runtime]:
    """One for a test, whose relay ends with it."""
    runtime = make_runtime(mode, workers)
    try:
        yield runtime
    finally:
        runtime.relay().stop()
        runtime.sleep(0.002)  # greenlets end when they get their turn
        gc.collect()


def eventually(runtime: Runtime, condition: Callable[[], Any], patience: float = PATIENCE) -> bool:
    """Whether a condition comes true in time, looking every few milliseconds: for what announces itself to nobody."""
    until = runtime.now() + patience
    while not condition():
        if runtime.now() > until:
            return False
        runtime.event().wait(0.002)
    return True


def in_native_thread(target: Callable[[], object]) -> None:
    """Run `target` on a thread of the operating system, also where gevent has replaced the module for them."""
    get_original("_thread", "start_new_thread")(target, ())


class Work:
    """Something for the pool that blocks until it is told to end, and says when it has begun and ended.

    :param runtime: threads or greenlets.
    :param act: called before it blocks.
    """

    def __init__(self, runtime: Runtime, act: Callable[[], object] | None = None) -> None:
        self.begun = runtime.event()
        self.release = runtime.event()
        self.ended = runtime.event()
        self._act = act

    def run(self) -> None:
        """Block."""
        self.begun.set()
        try:
            if self._act is not None:
                self._act()
            assert self.release.wait(PATIENCE), "nobody released the work"
        finally:
            self.ended.set()


class Call:
    """Something for the pool that is one call."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function

    def run(self) -> None:
        """Call it."""
        self._function()
