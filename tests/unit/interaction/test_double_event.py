"""An event that can be waited for both ways."""

from __future__ import annotations

import pytest

from syncio.interaction import DblEvent
from syncio.runtime import Runtime, choose_runtime

from ..runtime.kinds import MOMENT, PATIENCE
from ..streams.duplex import Doing


@pytest.fixture
def runtime() -> Runtime:
    """The runtime of this process, which is the event's."""
    return choose_runtime()


@pytest.mark.parametrize("opened", [False, True])
def test_it_is_one_of_both(opened: bool) -> None:
    """It is open or closed, never both, and closed unless one says otherwise."""
    event = DblEvent(opened) if opened else DblEvent()
    assert (event.is_open(), event.is_close()) == (opened, not opened)
    for _ in range(2):
        event.open()
        assert (event.is_open(), event.is_close()) == (True, False)
    for _ in range(2):
        event.close()
        assert (event.is_open(), event.is_close()) == (False, True)


@pytest.mark.parametrize("timeout", [0, MOMENT])
def test_waiting_gives_up_in_time(runtime: Runtime, timeout: float) -> None:
    """Who waits for what it is not is told so after that time; for what it is nobody waits."""
    event = DblEvent()
    began = runtime.now()
    assert not event.wait_for_open(timeout)
    assert runtime.now() - began >= timeout * 0.9
    assert event.wait_for_close() and event.wait_for_close(0)
    event.open()
    assert not event.wait_for_close(timeout)
    assert event.wait_for_open() and event.wait_for_open(0)


@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_both_ways_are_waited_for(runtime: Runtime, timeout: float | None) -> None:
    """All who wait for one way are woken by it, and then those who wait for the other."""
    event = DblEvent()
    opening = [Doing(runtime, event.wait_for_open, timeout) for _ in range(3)]
    assert opening[0].is_waiting()
    event.open()
    assert [task.outcome() for task in opening] == [True] * 3
    closing = [Doing(runtime, event.wait_for_close, timeout) for _ in range(3)]
    assert closing[0].is_waiting()
    event.close()
    assert [task.outcome() for task in closing] == [True] * 3


def test_it_is_one_of_both_for_who_looks(runtime: Runtime) -> None:
    """Tasks that open and close it at the same time leave it as one of both."""
    event = DblEvent()

    def toggle() -> None:
        for _ in range(200):
            event.open()
            event.close()

    tasks = [Doing(runtime, toggle) for _ in range(4)]
    for task in tasks:
        task.outcome()
    assert event.is_close() and not event.is_open() and event.wait_for_close(0) and not event.wait_for_open(0)
