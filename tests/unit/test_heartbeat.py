"""The heartbeat monitor over threads and over greenlets: deadlines in order, one timer, and patience with ourselves."""

from __future__ import annotations

import gc
import logging
import random
import weakref
from collections.abc import Iterator

import pytest

from syncio.heartbeat import MOST_LENIENT, SLOT, TOLERANCE, Check, Monitor, monitor_of
from syncio.runtime import Runtime

from .runtime.kinds import MODES_HERE, PATIENCE, eventually, fresh_runtime, make_runtime

WORKERS = 2
FAR = 3600.0
"""Seconds that no test waits."""
SOON = 0.03


@pytest.fixture(params=MODES_HERE)
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """Each runtime, with a relay of its own."""
    yield from fresh_runtime(request.param, WORKERS)


@pytest.fixture
def monitor(runtime: Runtime) -> Monitor:
    """A monitor of which the test is the clock, unless it waits for real."""
    return Monitor(runtime)


def timers(runtime: Runtime) -> int:
    """How many timers the relay has."""
    return runtime.relay().stats()["timers"]


class Asked:
    """Notes which checks were asked, and when."""

    def __init__(self) -> None:
        self.names: list[object] = []
        self.times: list[float] = []

    def once(self, name: object) -> Check:
        """A check that ends its watch."""
        return self.then(name, None)

    def then(self, name: object, deadline: float | None) -> Check:
        """A check that says when it wants to be asked again."""

        def check(now: float) -> float | None:
            self.names.append(name)
            self.times.append(now)
            return deadline

        return check


# ---------------------------------------------------------------------- by the test's clock


def test_nothing_watched_is_nothing_to_do(runtime: Runtime, monitor: Monitor) -> None:
    """A monitor is empty at first, asks nobody, and has no timer."""
    monitor.run_due(runtime.now() + FAR)
    assert len(monitor) == 0
    assert timers(runtime) == 0


def test_deadlines_are_asked_in_order(runtime: Runtime, monitor: Monitor) -> None:
    """The earliest deadline first, whatever the order of watching; equal ones in that order."""
    asked, start = Asked(), runtime.now() + FAR
    for name, after in (("c", 3.0), ("a", 1.0), ("b1", 2.0), ("d", 4.0), ("b2", 2.0)):
        monitor.watch(start + after, asked.once(name))
    assert len(monitor) == 5
    monitor.run_due(start + 3.0)
    assert asked.names == ["a", "b1", "b2", "c"]
    assert asked.times == [start + 3.0] * 4
    assert len(monitor) == 1


def test_deadline_is_not_asked_before_its_time(runtime: Runtime, monitor: Monitor) -> None:
    """Not a moment before; at its very time it is."""
    asked, when = Asked(), runtime.now() + FAR
    monitor.watch(when, asked.once("x"))
    monitor.run_due(when - 0.001)
    assert asked.names == [] and len(monitor) == 1
    monitor.run_due(when)
    assert asked.names == ["x"] and len(monitor) == 0


def test_check_moves_its_deadline(runtime: Runtime, monitor: Monitor) -> None:
    """What a check returns is when it is asked next; None ends the watch."""
    start = runtime.now() + FAR
    answers: list[float | None] = [start + 5, start + 7, None]
    times: list[float] = []

    def check(now: float) -> float | None:
        times.append(now)
        return answers[len(times) - 1]

    watch = monitor.watch(start, check)
    for now in range(20):
        monitor.run_due(start + now)
    assert times == [start, start + 5, start + 7]
    assert watch.check is None and len(monitor) == 0


def test_moved_deadline_takes_its_place_among_the_others(runtime: Runtime, monitor: Monitor) -> None:
    """One that moves goes behind those that are due before it."""
    asked, start = Asked(), runtime.now() + FAR
    monitor.watch(start, asked.then("moves", start + 10))
    monitor.watch(start + 5, asked.once("stays"))
    for after in (0, 5):
        monitor.run_due(start + after)
    assert asked.names == ["moves", "stays"]
    monitor.run_due(start + 9)
    assert asked.names == ["moves", "stays"]
    assert len(monitor) == 1


def test_cancelled_watch_is_never_asked(runtime: Runtime, monitor: Monitor) -> None:
    """Neither it is asked nor does it count; cancelling again, or after its end, does nothing."""
    asked, start = Asked(), runtime.now() + FAR
    first = monitor.watch(start, asked.once("first"))
    second = monitor.watch(start, asked.once("second"))
    first.cancel()
    first.cancel()
    assert len(monitor) == 1
    monitor.run_due(start)
    assert asked.names == ["second"]
    second.cancel()
    assert len(monitor) == 0


def test_check_may_cancel(runtime: Runtime, monitor: Monitor) -> None:
    """A watch that is cancelled while it is asked ends, whatever its check returns; so does another that is due."""
    asked, start = Asked(), runtime.now() + FAR

    def check(now: float) -> float:
        asked.names.append("only")
        itself.cancel()
        other.cancel()
        return start + 1

    itself = monitor.watch(start, check)
    other = monitor.watch(start, asked.once("other"))
    monitor.run_due(start)
    monitor.run_due(start + 10)
    assert asked.names == ["only"]
    assert len(monitor) == 0


def test_check_may_watch(runtime: Runtime, monitor: Monitor) -> None:
    """A check may begin other watches, also one that is due already: it is asked in this turn or the next."""
    asked, start = Asked(), runtime.now() + FAR

    def check(now: float) -> None:
        monitor.watch(start, asked.once("inner"))

    monitor.watch(start, check)
    monitor.run_due(start)
    monitor.run_due(start)
    assert asked.names == ["inner"]
    assert len(monitor) == 0


def test_cancelling_lets_go(runtime: Runtime, monitor: Monitor) -> None:
    """A cancelled watch keeps nothing alive that its check knows, although its deadline is far."""

    class Client:
        def check(self, now: float) -> None:
            raise AssertionError("it was cancelled")

    client = Client()
    gone = weakref.ref(client)
    watch = monitor.watch(runtime.now() + FAR, client.check)
    watch.cancel()
    del client
    gc.collect()
    assert gone() is None


def test_check_that_raises_ends_alone(runtime: Runtime, monitor: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged and its watch is over; the others are asked, in the same turn and later."""
    asked, start = Asked(), runtime.now() + FAR

    def check(now: float) -> float:
        raise RuntimeError("no answer")

    monitor.watch(start, asked.then("before", start + 1))
    bad = monitor.watch(start, check)
    monitor.watch(start, asked.once("after"))
    with caplog.at_level(logging.ERROR, "syncio.heartbeat"):
        monitor.run_due(start)
    assert asked.names == ["before", "after"]
    assert len(caplog.records) == 1 and "no answer" in caplog.text
    assert bad.check is None and len(monitor) == 1


def test_check_that_is_due_again_at_once(runtime: Runtime, monitor: Monitor) -> None:
    """In one turn each is asked once, also if its next deadline has come already: the relay must go on."""
    asked, start = Asked(), runtime.now() + FAR

    def check(now: float) -> float | None:
        asked.names.append("again")
        return now if len(asked.names) < 100 else None

    monitor.watch(start, check)
    monitor.watch(start, asked.once("other"))
    monitor.run_due(start)
    assert asked.names == ["again", "other"]
    monitor.run_due(start)
    assert asked.names == ["again", "other", "again"]


@pytest.mark.parametrize("lateness", [-1.0, 0.0, TOLERANCE])
def test_small_lateness_changes_nothing(runtime: Runtime, monitor: Monitor, lateness: float) -> None:
    """Being late by what every process is late by asks as if it were not."""
    asked, start = Asked(), runtime.now() + FAR
    monitor.watch(start, asked.once("x"))
    monitor.run_due(start, lateness)
    assert asked.names == ["x"]


@pytest.mark.parametrize(("lateness", "moved"), [(2.0, 2.0), (MOST_LENIENT, MOST_LENIENT), (FAR, MOST_LENIENT)])
def test_our_lateness_moves_what_was_due(runtime: Runtime, monitor: Monitor, lateness: float, moved: float) -> None:
    """When we were asleep nobody is judged: what was due gets that time on top, up to a bound, and keeps its order."""
    asked, start = Asked(), runtime.now() + FAR
    now = start + lateness
    monitor.watch(start + 1, asked.once("second"))
    monitor.watch(start, asked.once("first"))
    monitor.watch(start, asked.once("cancelled")).cancel()
    monitor.watch(now + 1, asked.once("not due"))
    monitor.run_due(now, lateness)
    assert asked.names == [] and len(monitor) == 3
    monitor.run_due(now + 1)
    assert asked.names == ["not due"]
    monitor.run_due(now + moved - 0.001)
    assert asked.names == ["not due"]
    monitor.run_due(now + moved)
    assert sorted(map(str, asked.names)) == ["first", "not due", "second"]
    assert len(monitor) == 0


@pytest.mark.parametrize("seed", range(5))
def test_many_watches(runtime: Runtime, monitor: Monitor, seed: int) -> None:
    """Thousands of watches, moved and cancelled at random: each is asked when it is due, once, and no other."""
    source, start = random.Random(seed), runtime.now() + FAR
    due = {number: start + source.randrange(100) for number in range(2000)}
    asked: list[int] = []
    clock = [start]

    def check_of(number: int) -> Check:
        def check(now: float) -> float | None:
            assert now == clock[0] and due[number] <= now
            asked.append(number)
            if source.random() < 0.3:
                del due[number]
                return None
            due[number] = now + source.randrange(1, 50)
            return due[number]

        return check

    watches = {number: monitor.watch(when, check_of(number)) for number, when in due.items()}
    for second in range(150):
        clock[0] = start + second
        for number in source.sample(sorted(due), min(len(due), 5)):
            watches[number].cancel()
            del due[number]
        expected = sorted(number for number, when in due.items() if when <= clock[0])
        asked.clear()
        monitor.run_due(clock[0])
        assert sorted(asked) == expected
        assert len(monitor) == len(due)


# ---------------------------------------------------------------------- by the real clock


def test_watch_is_asked_at_its_time(runtime: Runtime, monitor: Monitor) -> None:
    """The relay asks by itself, on the duty worker, and not before the deadline."""
    done, found = runtime.event(), [0.0, 0.0]

    def check(now: float) -> None:
        found[:] = now, float(runtime.relay().corks())
        done.set()

    when = runtime.now() + SOON
    monitor.watch(when, check)
    assert done.wait(PATIENCE)
    assert found[0] >= when
    assert found[1] == 1.0


def test_earlier_watch_moves_the_timer(runtime: Runtime, monitor: Monitor) -> None:
    """One that is due before all others is asked in time, and there is one timer for both."""
    asked, done = Asked(), runtime.event()
    monitor.watch(runtime.now() + FAR, asked.once("far"))

    def check(now: float) -> None:
        asked.names.append("near")
        done.set()

    monitor.watch(runtime.now() + SOON, check)
    assert timers(runtime) == 1
    assert done.wait(PATIENCE)
    assert asked.names == ["near"]
    assert eventually(runtime, lambda: timers(runtime) == 1)


def test_one_timer_however_much_is_watched(runtime: Runtime, monitor: Monitor) -> None:
    """Thousands of watches, in any order, cost the relay one timer and no task."""
    start, source = runtime.now() + FAR, random.Random(1)
    for _ in range(2000):
        monitor.watch(start + source.random() * 100, lambda now: None)
    assert len(monitor) == 2000
    assert timers(runtime) == 1
    assert runtime.relay().stats()["busy"] == 0


def test_no_timer_when_the_last_watch_has_ended(runtime: Runtime, monitor: Monitor) -> None:
    """After the last one nothing is left in the relay; a later watch begins anew."""
    for _ in range(3):
        done = runtime.event()
        monitor.watch(runtime.now() + SOON, lambda now: done.set())  # noqa: B023
        assert done.wait(PATIENCE)
        assert eventually(runtime, lambda: timers(runtime) == 0)
        assert len(monitor) == 0


def test_no_timer_after_a_cancelled_deadline(runtime: Runtime, monitor: Monitor) -> None:
    """A watch that was cancelled leaves no timer behind its deadline."""
    asked = Asked()
    monitor.watch(runtime.now() + SOON, asked.once("x")).cancel()
    assert eventually(runtime, lambda: timers(runtime) == 0)
    assert asked.names == [] and len(monitor) == 0


def test_watch_goes_on_by_itself(runtime: Runtime, monitor: Monitor) -> None:
    """A check that is asked again and again is asked at each of its deadlines, not before."""
    done, times, deadlines = runtime.event(), [], [runtime.now() + SOON]

    def check(now: float) -> float | None:
        times.append(now)
        if len(times) == 4:
            done.set()
            return None
        deadlines.append(now + SOON / 3)
        return deadlines[-1]

    monitor.watch(deadlines[0], check)
    assert done.wait(PATIENCE)
    assert len(times) == len(deadlines) == 4
    assert all(now >= deadline for now, deadline in zip(times, deadlines, strict=True))


def test_error_does_not_stop_the_clock(runtime: Runtime, monitor: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    """After a check that raises, those that are due later are asked as ever."""
    done = runtime.event()

    def check(now: float) -> None:
        raise RuntimeError("no answer")

    with caplog.at_level(logging.ERROR, "syncio.heartbeat"):
        monitor.watch(runtime.now(), check)
        monitor.watch(runtime.now() + SOON, lambda now: done.set())
        assert done.wait(PATIENCE)
    assert len(caplog.records) == 1 and "no answer" in caplog.text


def test_process_that_was_asleep_judges_nobody(runtime: Runtime, monitor: Monitor) -> None:
    """A timer that fires much too late is our own fault: the check is asked only after as much time again."""
    done, found = runtime.event(), [0.0]

    def check(now: float) -> None:
        found[0] = now
        done.set()

    began, late = runtime.now(), 2 * TOLERANCE
    monitor.watch(began - late, check)
    assert done.wait(PATIENCE)
    assert found[0] >= began + late - SLOT  # the timer was due at the end of the deadline's slot


def test_watches_from_many_tasks(runtime: Runtime, monitor: Monitor) -> None:
    """Watching and cancelling at the same time loses no check, and asks none that was cancelled."""
    asked: list[tuple[int, int]] = []
    workers, count = 4, 50

    def note(task: int, number: int) -> Check:
        return lambda now: asked.append((task, number))

    def watcher(task: int) -> None:
        for number in range(count):
            watch = monitor.watch(runtime.now() + SOON, note(task, number))
            if number % 2:
                watch.cancel()
            runtime.sleep(0)

    tasks = [runtime.spawn(watcher, task) for task in range(workers)]
    for task in tasks:
        task.join(PATIENCE)
    wanted = [(task, number) for task in range(workers) for number in range(0, count, 2)]
    assert eventually(runtime, lambda: len(asked) >= len(wanted))
    assert sorted(asked) == wanted
    assert eventually(runtime, lambda: len(monitor) == timers(runtime) == 0)


# ---------------------------------------------------------------------- one per process


def test_one_monitor_for_a_runtime(runtime: Runtime) -> None:
    """Whoever asks gets the same monitor."""
    assert monitor_of(runtime) is monitor_of(runtime)


def test_monitor_lives_as_long_as_its_relay(runtime: Runtime) -> None:
    """Another relay, as after a fork, has another monitor, with nothing of the first one's in it."""
    first = monitor_of(runtime)
    first.watch(runtime.now() + FAR, lambda now: None)
    other = make_runtime(runtime.name, WORKERS)
    try:
        assert monitor_of(other) is not first
        assert len(monitor_of(other)) == 0 and len(first) == 1
    finally:
        other.relay().stop()  # type: ignore[attr-defined]  # only the relays themselves have it
