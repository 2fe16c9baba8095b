"""What the relay promises, over threads and over greenlets alike."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncio.runtime import READ, WRITE, Relay, Runtime

from .conftest import WORKERS
from .kinds import MOMENT, PATIENCE, Call, Work, eventually, in_native_thread


class Wire:
    """A watched descriptor and its other end: `ring` makes it readable, and that calls `act` on the duty worker."""

    def __init__(self, relay: Relay, act: Callable[[], object]) -> None:
        self._relay = relay
        self._act = act
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self.fd = self._here.fileno()
        relay.watch(self.fd, READ, self._ready)

    def _ready(self, found: int) -> None:
        self._here.recv(100)
        self._act()

    def ring(self) -> None:
        """Make it readable."""
        self._there.send(b"x")

    def close(self) -> None:
        """Give it back."""
        self._relay.forget(self.fd)
        self._here.close()
        self._there.close()


class Kept:
    """Stands where a stream does that has kept bytes back."""

    def __init__(self, flush: Callable[[], object]) -> None:
        self.flush = flush


@pytest.fixture
def wire(relay: Relay) -> Iterator[Callable[[Callable[[], object]], Wire]]:
    """Makes wires."""
    made: list[Wire] = []

    def make(act: Callable[[], object]) -> Wire:
        made.append(Wire(relay, act))
        return made[-1]

    yield make
    for one in made:
        one.close()


Wires = Callable[[Callable[[], object]], Wire]


def turn(runtime: Runtime, relay: Relay) -> bool:
    """Wait until the loop has gone round; False if it does not."""
    done = runtime.event()
    relay.call_at(0.0, done.set)
    return bool(done.wait(PATIENCE))


# ------------------------------------------------------------------ descriptors


def test_readable_descriptor_is_reported(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """A descriptor with bytes to read calls its callback, again for each time that bytes come."""
    rung = runtime.event()
    one = wire(rung.set)
    for _ in range(3):
        rung.clear()
        one.ring()
        assert rung.wait(PATIENCE)


def test_writable_descriptor_is_reported_as_wanted(runtime: Runtime, relay: Relay) -> None:
    """What is found is what was wanted: room to write first, and after `change` bytes to read."""
    here, there = socket.socketpair()
    found: list[int] = []
    seen = runtime.event()

    def ready(events: int) -> None:
        found.append(events)
        relay.change(here.fileno(), 0)
        seen.set()

    relay.watch(here.fileno(), WRITE, ready)
    assert seen.wait(PATIENCE)
    seen.clear()
    relay.change(here.fileno(), READ)
    there.send(b"x")
    assert seen.wait(PATIENCE)
    assert found == [WRITE, READ]
    relay.forget(here.fileno())
    here.close()
    there.close()


def test_forgotten_descriptor_is_silent(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """After `forget` nothing is reported any more, whatever comes."""
    rings: list[int] = []
    one = wire(lambda: rings.append(1))
    relay.forget(one.fd)
    one.ring()
    assert turn(runtime, relay) and turn(runtime, relay)
    assert rings == []


def test_descriptor_forgotten_in_the_same_turn_is_silent(runtime: Runtime, relay: Relay) -> None:
    """Of two that are ready together, the one that is served first can forget the other."""
    pairs = [socket.socketpair() for _ in range(2)]
    fds = [here.fileno() for here, _ in pairs]
    calls: list[int] = []
    served = runtime.event()

    def ready(index: int) -> None:
        calls.append(index)
        for fd in fds:
            relay.forget(fd)
        served.set()

    for _, there in pairs:
        there.send(b"x")

    def begin() -> None:
        # On the duty worker, so that the next look at the system finds both.
        relay.watch(fds[0], READ, lambda _: ready(0))
        relay.watch(fds[1], READ, lambda _: ready(1))

    relay.call_at(0.0, begin)
    assert served.wait(PATIENCE)
    assert turn(runtime, relay)
    assert len(calls) == 1
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_failed_watch_leaves_nothing(relay: Relay) -> None:
    """A descriptor that cannot be watched raises and is not counted."""
    here, there = socket.socketpair()
    fd = here.fileno()
    here.close()
    there.close()
    with pytest.raises(OSError):
        relay.watch(fd, READ, lambda _: None)
    assert relay.stats()["watched"] == 0


def test_raising_callback_is_survived(
    runtime: Runtime, relay: Relay, wire: Wires, caplog: pytest.LogCaptureFixture
) -> None:
    """An error in a callback is logged, and the loop serves on."""

    def fail() -> None:
        raise ValueError("the test's")

    rung = runtime.event()
    bad, good = wire(fail), wire(rung.set)
    bad.ring()
    assert eventually(runtime, lambda: caplog.records)
    good.ring()
    assert rung.wait(PATIENCE)
    assert "the test's" in caplog.text


# ------------------------------------------------------------------ timers


def test_timers_fire_in_order_of_time(runtime: Runtime, relay: Relay) -> None:
    """Earlier before later, and of equal ones the one that was made first."""
    fired: list[str] = []
    done = runtime.event()
    now = runtime.now()

    def begin() -> None:
        relay.call_at(now + 0.03, lambda: (fired.append("d"), done.set()))
        relay.call_at(now + 0.02, lambda: fired.append("b"))
        relay.call_at(now + 0.02, lambda: fired.append("c"))
        relay.call_at(now + 0.01, lambda: fired.append("a"))

    relay.call_at(0.0, begin)
    assert done.wait(PATIENCE)
    assert fired == ["a", "b", "c", "d"]


def test_timer_waits_for_its_time(runtime: Runtime, relay: Relay) -> None:
    """No timer fires early."""
    fired: list[float] = []
    done = runtime.event()
    when = runtime.now() + 0.03
    relay.call_at(when, lambda: (fired.append(runtime.now()), done.set()))
    assert done.wait(PATIENCE)
    assert fired[0] >= when


def test_earlier_timer_shortens_the_wait(runtime: Runtime, relay: Relay) -> None:
    """A loop that waits for a far timer wakes for a near one that is added later, and for another one after it."""
    relay.call_at(runtime.now() + 3600, lambda: None)
    assert turn(runtime, relay)
    assert turn(runtime, relay)


def test_timer_from_a_native_thread_wakes_the_loop(runtime: Runtime, relay: Relay) -> None:
    """`call_at` may be called on any thread of the operating system."""
    done = runtime.event()
    in_native_thread(lambda: relay.call_at(0.0, done.set))
    assert done.wait(PATIENCE)


def test_cancelled_timer_is_silent(runtime: Runtime, relay: Relay) -> None:
    """A timer that was cancelled before its time does not fire, and the one behind it does."""
    fired: list[str] = []
    now = runtime.now()
    done = runtime.event()
    timer = relay.call_at(now + 0.01, lambda: fired.append("cancelled"))
    relay.call_at(now + 0.02, done.set)
    timer.cancel()
    assert done.wait(PATIENCE)
    assert fired == [] and relay.stats()["timers"] == 0


def test_raising_timer_is_survived(runtime: Runtime, relay: Relay, caplog: pytest.LogCaptureFixture) -> None:
    """An error in a timer is logged, and the timers behind it fire."""

    def fail() -> None:
        raise ValueError("the test's")

    relay.call_at(0.0, fail)
    assert turn(runtime, relay)
    assert "the test's" in caplog.text


# ------------------------------------------------------------------ handlers


def test_inline_work_runs_on_the_duty_worker(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """`call_inline` costs no switch: the work runs inside the call, on the worker that reads."""
    seen: list[Any] = []
    done = runtime.event()

    def act() -> None:
        relay.call_inline(Call(lambda: seen.append(relay.corks())))
        seen.append("returned")
        done.set()

    wire(act).ring()
    assert done.wait(PATIENCE)
    assert seen == [True, "returned"]
    assert not relay.corks()


def test_others_are_served_while_a_handler_blocks(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """A handler that blocks keeps neither another descriptor nor a timer waiting."""
    work = Work(runtime)
    rung = runtime.event()
    other = wire(rung.set)
    wire(lambda: relay.call_inline(work)).ring()
    assert work.begun.wait(PATIENCE)
    other.ring()
    assert rung.wait(PATIENCE)
    assert turn(runtime, relay)
    assert relay.stats()["busy"] == 1 and not work.ended.is_set()
    work.release.set()
    assert work.ended.wait(PATIENCE)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)
    assert turn(runtime, relay)


def test_the_same_descriptor_is_served_while_its_handler_blocks(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """What comes behind a blocked handler on its own descriptor is read."""
    works = [Work(runtime) for _ in range(WORKERS)]
    waiting = list(works)
    one = wire(lambda: relay.call_inline(waiting.pop(0)))
    for work in works:
        one.ring()
        assert work.begun.wait(PATIENCE)
    assert turn(runtime, relay)
    for work in works:
        work.release.set()
        assert work.ended.wait(PATIENCE)


def test_handover_survives_the_end_of_an_earlier_handler(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """A handler that was handed over and ends while the next one is inside takes nothing from that one."""
    first = Work(runtime)
    second = Work(runtime, act=first.release.set)
    wire(lambda: relay.call_inline(first)).ring()
    assert first.begun.wait(PATIENCE)
    assert turn(runtime, relay)
    wire(lambda: relay.call_inline(second)).ring()
    assert second.begun.wait(PATIENCE)
    assert turn(runtime, relay), "the loop is blocked by the second handler"
    second.release.set()
    assert second.ended.wait(PATIENCE)


def test_many_overlapping_handlers_never_stop_the_loop(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """Handlers that block and end in every overlap leave exactly one worker on duty."""
    for _ in range(60):
        works = [Work(runtime) for _ in range(2)]
        waiting = list(works)
        one = wire(lambda waiting=waiting: relay.call_inline(waiting.pop(0)))
        one.ring()
        assert works[0].begun.wait(PATIENCE)
        one.ring()
        assert works[1].begun.wait(PATIENCE)
        works[0].release.set()
        assert turn(runtime, relay)
        works[1].release.set()
        assert all(work.ended.wait(PATIENCE) for work in works)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)
    assert turn(runtime, relay)


def test_submitted_work_runs_beside_the_loop(runtime: Runtime, relay: Relay) -> None:
    """`submit` never runs anything on the worker that reads, from wherever it is called."""
    work = Work(runtime)
    corked: list[bool] = []
    relay.call_at(0.0, lambda: relay.submit(Call(lambda: corked.append(relay.corks()))))
    relay.call_at(0.0, lambda: relay.submit(work))
    assert work.begun.wait(PATIENCE)
    assert turn(runtime, relay)
    assert corked == [False]
    work.release.set()


def test_submit_from_a_native_thread(runtime: Runtime, relay: Relay) -> None:
    """Work may come from any thread of the operating system."""
    done = runtime.event()
    in_native_thread(lambda: relay.submit(Call(done.set)))
    assert done.wait(PATIENCE)


class Abort(BaseException):
    """What a handler may raise that is no `Exception`, as sys.exit and gevent's time-outs do."""


@pytest.mark.parametrize("error", [ValueError, Abort])
@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_raising_handler_is_survived(
    runtime: Runtime, relay: Relay, wire: Wires, error: type[BaseException], blocks: bool
) -> None:
    """A handler that raises on duty, or after it has lost the duty, ends neither the loop nor the pool."""
    for _ in range(WORKERS + 2):
        gone = runtime.event()

        def act(gone: Any = gone) -> None:
            if blocks:
                assert turn(runtime, relay)
            gone.set()
            raise error("the test's")

        wire(lambda act=act: relay.call_inline(Call(act))).ring()
        assert gone.wait(PATIENCE)
        assert turn(runtime, relay)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)
    done = runtime.event()
    relay.submit(Call(done.set))
    assert done.wait(PATIENCE)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_raising_work_gives_its_worker_back(runtime: Runtime, relay: Relay) -> None:
    """Submitted work that raises whatever it likes leaves the pool as large as it was."""

    def abort() -> None:
        raise Abort("the test's")

    for _ in range(WORKERS * 3):
        relay.submit(Call(abort))
    done = runtime.event()
    relay.submit(Call(done.set))
    assert done.wait(PATIENCE)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)


# ------------------------------------------------------------------ corking


def test_flushes_wait_for_the_end_of_a_reads_handling(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """What is to be flushed later is flushed right after the callback that asked for it, in order."""
    seen: list[str] = []
    done = runtime.event()

    def act() -> None:
        relay.cork(Kept(lambda: seen.append("first")))
        relay.cork(Kept(lambda: (seen.append("second"), done.set())))
        seen.append("handled")

    wire(act).ring()
    assert done.wait(PATIENCE)
    assert seen == ["handled", "first", "second"]


def test_flushes_of_a_timer_wait_for_its_end(runtime: Runtime, relay: Relay) -> None:
    """A timer corks like a read does."""
    seen: list[str] = []
    done = runtime.event()

    def act() -> None:
        assert relay.corks()
        relay.cork(Kept(lambda: (seen.append("flushed"), done.set())))
        seen.append("fired")

    relay.call_at(0.0, act)
    assert done.wait(PATIENCE)
    assert seen == ["fired", "flushed"]


def test_blocking_handler_breaks_its_cork(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """What a handler wants flushed leaves when it blocks, not when it ends."""
    flushed = runtime.event()
    work = Work(runtime, act=lambda: relay.cork(Kept(flushed.set)))
    wire(lambda: relay.call_inline(work)).ring()
    assert flushed.wait(PATIENCE)
    assert not work.ended.is_set() and not relay.corks()
    work.release.set()


def test_only_the_duty_worker_corks(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """Who has lost the duty, or never had it, is told to write himself."""
    answers: list[bool] = [relay.cork(Kept(lambda: None))]
    done = runtime.event()

    def act() -> None:
        answers.append(relay.cork(Kept(lambda: None)))
        assert turn(runtime, relay)  # another worker is on duty, and waits
        answers.append(relay.cork(Kept(lambda: None)))
        done.set()

    work = Work(runtime, act)
    wire(lambda: relay.call_inline(work)).ring()
    assert done.wait(PATIENCE)
    assert answers == [False, True, False]
    work.release.set()


# ------------------------------------------------------------------ the bound of the pool


def test_exhausted_pool_still_serves_timers_and_reads(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """With every worker blocked the loop goes on; more work waits, and runs when one of them ends."""
    works = [Work(runtime) for _ in range(WORKERS)]
    for work in works:
        wire(lambda work=work: relay.call_inline(work)).ring()
        assert work.begun.wait(PATIENCE)
    assert turn(runtime, relay)
    late = Work(runtime)
    read = runtime.event()

    def act() -> None:
        relay.call_inline(late)
        read.set()

    wire(act).ring()
    assert read.wait(PATIENCE), "reading waits for the pool"
    assert turn(runtime, relay)
    assert relay.stats()["backlog"] == 1 and not late.begun.is_set()
    works[0].release.set()
    assert late.begun.wait(PATIENCE)
    for work in (*works, late):
        work.release.set()
        assert work.ended.wait(PATIENCE)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)


def test_backlog_runs_in_order(runtime: Runtime, relay: Relay) -> None:
    """Work that waits for a worker gets one in the order in which it came."""
    blockers = [Work(runtime) for _ in range(WORKERS)]
    for work in blockers:
        relay.submit(work)
        assert work.begun.wait(PATIENCE)
    order: list[int] = []
    done = runtime.event()
    for number in range(50):
        relay.submit(Call(lambda number=number: order.append(number)))
    relay.submit(Call(done.set))
    assert order == [] and relay.stats()["backlog"] == 51
    blockers[0].release.set()
    assert done.wait(PATIENCE)
    assert order == list(range(50))
    for work in blockers:
        work.release.set()


def test_no_more_than_the_bound_runs_at_once(runtime: Runtime, relay: Relay) -> None:
    """However much is submitted, at most so many run at the same time."""
    running, most, left = set(), [0], [300]
    lock = runtime.lock()
    done = runtime.event()

    def act(number: int) -> None:
        with lock:
            running.add(number)
            most[0] = max(most[0], len(running))
        runtime.sleep(0)
        with lock:
            running.discard(number)
            left[0] -= 1
            last = left[0] == 0
        if last:
            done.set()

    for number in range(300):
        relay.submit(Call(lambda number=number: act(number)))
    assert done.wait(PATIENCE)
    assert 1 <= most[0] <= WORKERS


# ------------------------------------------------------------------ the end


def test_stopped_relay_serves_nothing(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """Once the loop has ended no timer fires and nothing is read; what was watched stays open."""
    rings: list[int] = []
    one = wire(lambda: rings.append(1))
    relay.stop()
    runtime.event().wait(MOMENT)
    one.ring()
    relay.call_at(0.0, lambda: rings.append(2))
    runtime.event().wait(MOMENT)
    assert rings == []


def test_stop_inside_a_handler_ends_the_loop(runtime: Runtime, relay: Relay, wire: Wires) -> None:
    """The relay may be stopped by a handler of its own."""
    ended = runtime.event()

    def act() -> None:
        relay.call_inline(Call(relay.stop))
        ended.set()

    wire(act).ring()
    assert ended.wait(PATIENCE)
    fired = runtime.event()
    relay.call_at(0.0, fired.set)
    assert not fired.wait(MOMENT)
