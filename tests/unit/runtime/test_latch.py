"""A latch: it happens once, and whoever waits, or comes to wait at that moment, gets to know."""

from __future__ import annotations

import pytest

from syncio.runtime import Runtime
from syncio.runtime.latch import Latch

from .kinds import MOMENT, PATIENCE, eventually, in_native_thread


@pytest.fixture
def latch(runtime: Runtime) -> Latch:
    """One that has not happened."""
    return Latch(runtime)


def test_it_has_happened_from_then_on(latch: Latch) -> None:
    """It is not set at first; from `set` on it is, and nobody waits any more."""
    assert not latch.is_set
    for _ in range(2):
        latch.set()
        assert latch.is_set and latch.wait() and latch.wait(0) and latch.wait(PATIENCE)


@pytest.mark.parametrize("timeout", [0, 0.0, MOMENT])
def test_waiting_gives_up_in_time(runtime: Runtime, latch: Latch, timeout: float) -> None:
    """Who waits for what does not happen is told so after that time."""
    began = runtime.now()
    assert not latch.wait(timeout)
    assert timeout * 0.9 <= runtime.now() - began < PATIENCE and not latch.is_set


@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_it_wakes_all_who_wait(runtime: Runtime, latch: Latch, timeout: float | None) -> None:
    """One `set` wakes everybody, those with a time-out and those without."""
    woken: list[bool] = []
    waiting = [runtime.spawn(lambda: woken.append(latch.wait(timeout))) for _ in range(20)]
    assert eventually(runtime, lambda: len(latch._waiting) == 20) and not woken
    latch.set()
    for task in waiting:
        task.join(PATIENCE)
    assert woken == [True] * 20


def test_nothing_is_kept_of_who_waited(runtime: Runtime, latch: Latch) -> None:
    """Who has waited, in vain or not, is forgotten, and others go on waiting."""
    woken: list[bool] = []
    other = runtime.spawn(lambda: woken.append(latch.wait(PATIENCE)))
    assert eventually(runtime, lambda: len(latch._waiting) == 1)
    for _ in range(3):
        assert not latch.wait(0.001)
    assert len(latch._waiting) == 1
    latch.set()
    other.join(PATIENCE)
    assert woken == [True] and not latch._waiting


def test_nobody_misses_it(runtime: Runtime) -> None:
    """Who begins to wait in the moment in which it happens is woken, or need not wait."""
    woken: list[bool] = []

    def wait(latch: Latch) -> None:
        woken.append(latch.wait(PATIENCE))

    for number in range(200):
        latch = Latch(runtime)
        waiting = [runtime.spawn(wait, latch) for _ in range(2)]
        for _ in range(number % 4):
            runtime.sleep(0)
        latch.set()
        for task in waiting:
            task.join(PATIENCE)
    assert woken == [True] * 400


def test_it_may_happen_on_another_thread(runtime: Runtime, latch: Latch) -> None:
    """A thread that is none of the runtime's may set it."""
    woken: list[bool] = []
    task = runtime.spawn(lambda: woken.append(latch.wait(PATIENCE)))
    assert eventually(runtime, lambda: len(latch._waiting) == 1)
    in_native_thread(latch.set)
    task.join(PATIENCE)
    assert woken == [True]
