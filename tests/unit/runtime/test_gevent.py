"""What only the relay of greenlets does: it lives in a hub, and its greenlets come and go."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import gevent
import pytest

from syncio.runtime import Runtime, gevent_
from syncio.runtime.gevent_ import GeventRelay

from .kinds import PATIENCE, Call, Work, eventually, fresh_runtime

WORKERS = 3


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """Greenlets."""
    yield from fresh_runtime("gevent", WORKERS)


@pytest.fixture
def relay(runtime: Runtime) -> GeventRelay:
    """Their relay."""
    relay = runtime.relay()
    assert isinstance(relay, GeventRelay)
    return relay


def turn(runtime: Runtime) -> bool:
    """Whether the loop goes round."""
    done = runtime.event()
    runtime.relay().call_at(0.0, done.set)
    return bool(done.wait(PATIENCE))


def test_idle_relay_does_not_keep_the_program(runtime: Runtime, relay: GeventRelay) -> None:
    """A hub with nothing else to do ends although the relay watches: gevent.wait() returns."""
    relay.call_at(runtime.now() + 3600, lambda: None)
    assert turn(runtime)
    assert gevent.wait(timeout=PATIENCE)


def test_surplus_greenlets_end(monkeypatch: pytest.MonkeyPatch, runtime: Runtime) -> None:
    """Of the greenlets that a burst has needed, some wait for the next one and the others end."""
    monkeypatch.setattr(gevent_, "IDLE_GREENLETS", 2)
    relay = runtime.relay()
    works = [Work(runtime) for _ in range(WORKERS)]
    for work in works:
        relay.submit(work)
        assert work.begun.wait(PATIENCE)
    for work in works:
        work.release.set()
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)
    runtime.sleep(0)
    assert len(relay._idle) == 2


def test_idle_greenlets_are_reused(runtime: Runtime, relay: GeventRelay) -> None:
    """Work after work is done by the same greenlet."""
    seen = []
    for _ in range(5):
        done = runtime.event()
        relay.submit(Call(lambda done=done: (seen.append(gevent.getcurrent()), done.set())))
        assert done.wait(PATIENCE)
        runtime.sleep(0)
    assert len(set(map(id, seen))) == 1


def test_killed_idle_greenlet_gets_no_work(runtime: Runtime, relay: GeventRelay) -> None:
    """A greenlet that dies while it waits for work, of a time-out that a handler forgot, takes no work with it."""
    done = runtime.event()
    worker = []
    relay.submit(Call(lambda: (worker.append(gevent.getcurrent()), done.set())))
    assert done.wait(PATIENCE)
    runtime.sleep(0)
    assert list(relay._idle) == worker
    worker[0].kill()
    again = runtime.event()
    relay.submit(Call(again.set))
    assert again.wait(PATIENCE)


def test_killed_duty_greenlet_has_an_heir(runtime: Runtime, relay: GeventRelay) -> None:
    """Who kills the greenlet on duty, inside a handler or while it waits, does not end the service."""
    assert turn(runtime)
    for _ in range(2):
        relay._waiting.kill()
        assert turn(runtime)
    work = Work(runtime, act=lambda: gevent.getcurrent().kill())
    relay.call_at(0.0, lambda: relay.call_inline(work))
    assert work.ended.wait(PATIENCE)
    assert turn(runtime)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)


def test_uncaught_timeout_costs_its_handler_only(runtime: Runtime, relay: GeventRelay) -> None:
    """A gevent.Timeout that a handler does not catch, which is no `Exception`, leaves the loop and the pool whole."""

    def wait_too_long() -> None:
        with gevent.Timeout(0.001):
            runtime.event().wait(PATIENCE)

    for _ in range(WORKERS * 2):
        relay.call_at(0.0, lambda: relay.call_inline(Call(wait_too_long)))
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)
    assert turn(runtime)


def test_timer_that_was_moved_up_and_back(runtime: Runtime, relay: GeventRelay) -> None:
    """The hub's one timer follows the earliest deadline, in both directions."""
    fired: list[str] = []
    now = runtime.now()
    early = relay.call_at(now + 0.01, lambda: fired.append("early"))
    assert turn(runtime)
    relay.call_at(now + 0.02, lambda: fired.append("late"))
    early.cancel()
    assert turn(runtime)
    assert eventually(runtime, lambda: fired == ["late"])


def test_reader_that_always_finds_something_leaves_the_others_their_turn(runtime: Runtime) -> None:
    """Looking before switching ends after a moment, also where every look finds something."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")  # never read: there is always something
        readiness = runtime.readiness(ours.fileno())
        others: list[float] = []
        gevent.spawn(lambda: others.append(runtime.now()))
        until = runtime.now() + PATIENCE
        while not others and runtime.now() < until:
            assert readiness.readable(None)
        readiness.close()
    assert others
