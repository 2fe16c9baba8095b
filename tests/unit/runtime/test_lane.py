"""Lanes: order, overlap and fullness, over both runtimes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from syncio.runtime import Lane, Relay, Runtime

from .conftest import WORKERS
from .kinds import MOMENT, PATIENCE, Call, Work, eventually


def make_lane(runtime: Runtime, call: Callable[[Any], None], **options: int) -> Lane:
    """A lane on the runtime's relay."""
    return Lane(runtime.relay(), runtime.lock(), call, **options)


def on_duty(runtime: Runtime, act: Callable[[], object]) -> None:
    """Run something on the duty worker and wait until it has returned."""
    done = runtime.event()
    runtime.relay().call_at(0.0, lambda: (act(), done.set()))
    assert done.wait(PATIENCE)


class Gate:
    """A handler that blocks on every item until it is let through, and notes in which order items came in."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.entered: list[Any] = []
        self.inside = 0
        self.most_inside = 0
        self.arrived = runtime.queue()
        self._pass = runtime.queue()
        self._lock = runtime.lock()

    def __call__(self, item: Any) -> None:
        with self._lock:
            self.entered.append(item)
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        self.arrived.put(item)
        self._pass.get(timeout=PATIENCE)
        with self._lock:
            self.inside -= 1

    def let_through(self, count: int = 1) -> None:
        """Let so many out."""
        for _ in range(count):
            self._pass.put(None)

    def wait_for(self, count: int = 1) -> list[Any]:
        """Wait until so many have come in."""
        return [self.arrived.get(timeout=PATIENCE) for _ in range(count)]


# ------------------------------------------------------------------ order


@pytest.mark.parametrize("inline", [False, True])
def test_items_are_handled_in_order(runtime: Runtime, relay: Relay, inline: bool) -> None:
    """Items of several puts are handled one after another."""
    handled: list[int] = []
    done = runtime.event()

    def handle(item: int) -> None:
        handled.append(item)
        if item == 99:
            done.set()

    lane = make_lane(runtime, handle)
    for first in range(0, 100, 5):
        items = list(range(first, first + 5))
        if inline:
            on_duty(runtime, lambda items=items: lane.put(items, relay.call_inline))
        else:
            lane.put(items)
    assert done.wait(PATIENCE)
    assert handled == list(range(100))
    assert eventually(runtime, lambda: not lane.is_busy)
    assert len(lane) == 0 and not lane.is_full


def test_inline_items_are_handled_inside_the_put(runtime: Runtime, relay: Relay) -> None:
    """On the duty worker a put returns when its items are handled: no switch in between."""
    handled: list[Any] = []
    lane = make_lane(runtime, lambda item: handled.append((item, relay.corks())))
    seen: list[Any] = []

    def act() -> None:
        lane.put(["a", "b"], relay.call_inline)
        seen.extend(handled)

    on_duty(runtime, act)
    assert seen == [("a", True), ("b", True)]


def test_a_thousand_messages_stay_in_order_under_random_blocking(runtime: Runtime, relay: Relay) -> None:
    """1,000 messages, put inline and from elsewhere, to handlers that block at times: in order, one at a time."""
    chance = random.Random(7)
    blocks = {number: chance.random() < 0.1 for number in range(1000)}
    handled: list[int] = []
    inside: list[int] = []
    overlaps: list[int] = []
    done = runtime.event()

    def handle(item: int) -> None:
        if inside:
            overlaps.append(item)
        inside.append(item)
        if blocks[item]:
            released = runtime.event()
            relay.call_at(0.0, released.set)  # the loop goes on meanwhile, or this would wait in vain
            assert released.wait(PATIENCE)
        handled.append(item)
        inside.pop()
        if item == 999:
            done.set()

    lane = make_lane(runtime, handle)
    number = 0
    while number < 1000:
        items = list(range(number, min(1000, number + chance.randrange(1, 20))))
        number = items[-1] + 1
        if chance.random() < 0.5:
            on_duty(runtime, lambda items=items: lane.put(items, relay.call_inline))
        else:
            lane.put(items)
    assert done.wait(PATIENCE)
    assert handled == list(range(1000))
    assert overlaps == []


def test_every_lane_keeps_its_order_in_a_small_pool(runtime: Runtime, relay: Relay) -> None:
    """Many more lanes than workers, all with handlers that switch: each in order, none forgotten."""
    handled: dict[int, list[int]] = {number: [] for number in range(40)}
    left = [40 * 25]
    lock = runtime.lock()
    done = runtime.event()

    def handle(item: tuple[int, int]) -> None:
        lane, number = item
        runtime.sleep(0)
        handled[lane].append(number)
        with lock:
            left[0] -= 1
            last = left[0] == 0
        if last:
            done.set()

    lanes = [make_lane(runtime, handle) for _ in range(40)]
    for number in range(25):
        for index, lane in enumerate(lanes):
            lane.put([(index, number)])
    assert done.wait(PATIENCE)
    assert all(numbers == list(range(25)) for numbers in handled.values())


def test_slow_handlers_of_one_lane_take_one_worker(runtime: Runtime, relay: Relay) -> None:
    """2,000 messages to slow handlers wait in their lane and take neither thread nor greenlet but one."""
    gate = Gate(runtime)
    lane = make_lane(runtime, gate)
    lane.put(list(range(2000)))
    gate.wait_for(1)
    stats = relay.stats()
    assert stats["busy"] == 1 and stats["backlog"] == 0
    assert stats.get("threads", 2) <= 2
    assert len(lane) == 1999 and lane.is_full
    gate.let_through(2000)
    gate.wait_for(1999)
    assert eventually(runtime, lambda: not lane.is_busy)
    assert gate.entered == list(range(2000)) and gate.most_inside == 1


# ------------------------------------------------------------------ width


@pytest.mark.parametrize("width", [1, 2, WORKERS])
def test_width_is_how_many_overlap(runtime: Runtime, relay: Relay, width: int) -> None:
    """So many handlers of a lane run at once and no more; they begin in order."""
    gate = Gate(runtime)
    lane = make_lane(runtime, gate, width=width)
    lane.put(list(range(10)))
    assert sorted(gate.wait_for(width)) == list(range(width))
    runtime.event().wait(MOMENT)
    assert gate.inside == width
    gate.let_through(10)
    gate.wait_for(10 - width)
    assert eventually(runtime, lambda: not lane.is_busy)
    assert gate.most_inside == width
    assert sorted(gate.entered) == list(range(10))


def test_width_is_reached_by_single_puts(runtime: Runtime, relay: Relay) -> None:
    """A handler can wait for one that comes after it, if the lane is wide enough."""
    came = runtime.event()
    answered = runtime.event()

    def handle(item: str) -> None:
        if item == "question":
            assert came.wait(PATIENCE)
            answered.set()
        else:
            came.set()

    lane = make_lane(runtime, handle, width=2)
    on_duty(runtime, lambda: lane.put(["question"]))
    on_duty(runtime, lambda: lane.put(["answer"], relay.call_inline))
    assert answered.wait(PATIENCE)


def test_wide_lane_waits_for_the_pool(runtime: Runtime, relay: Relay) -> None:
    """A lane that is wider than the pool overlaps as the pool allows, and the loop goes on."""
    gate = Gate(runtime)
    lane = make_lane(runtime, gate, width=WORKERS * 2)
    lane.put(list(range(20)))
    gate.wait_for(WORKERS)
    on_duty(runtime, lambda: None)
    assert gate.inside == WORKERS
    gate.let_through(20)
    gate.wait_for(20 - WORKERS)
    assert eventually(runtime, lambda: not lane.is_busy)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)


# ------------------------------------------------------------------ fullness


def test_room_is_announced_at_half_the_limit(runtime: Runtime, relay: Relay) -> None:
    """A lane of 256 is full beyond 256, and says once that it has room again, at 128."""
    gate = Gate(runtime)
    lane = make_lane(runtime, gate, limit=256)
    sizes: list[int] = []
    roomy = runtime.event()
    lane.put(list(range(257)))
    gate.wait_for(1)
    assert len(lane) == 256 and not lane.is_full
    lane.put([257])
    assert lane.is_full
    assert lane.when_roomy(lambda: (sizes.append(len(lane)), roomy.set()))
    gate.let_through(128)
    gate.wait_for(128)
    assert not roomy.is_set() and len(lane) == 129
    gate.let_through()
    assert roomy.wait(PATIENCE)
    assert sizes == [128]
    gate.let_through(300)
    gate.wait_for(129)
    assert eventually(runtime, lambda: not lane.is_busy)
    assert sizes == [128]


def test_room_that_is_there_is_not_announced(runtime: Runtime, relay: Relay) -> None:
    """Asking a lane that has room says so at once and calls nothing, then or later."""
    calls: list[int] = []
    done = runtime.event()
    lane = make_lane(runtime, lambda item: done.set(), limit=256)
    assert not lane.when_roomy(lambda: calls.append(1))
    assert not lane.when_idle(lambda: calls.append(2))
    lane.put([1])
    assert done.wait(PATIENCE)
    assert eventually(runtime, lambda: not lane.is_busy)
    assert calls == []


def test_limit_of_none_means_one_at_a_time(runtime: Runtime, relay: Relay) -> None:
    """With a limit of 0 a lane is full while its handler runs, and has room when the handler has returned."""
    gate = Gate(runtime)
    lane = make_lane(runtime, gate, limit=0)
    roomy = runtime.event()
    assert not lane.is_full
    lane.put(["a", "b"])
    gate.wait_for(1)
    assert lane.is_full
    assert lane.when_roomy(roomy.set)
    gate.let_through()
    gate.wait_for(1)
    assert lane.is_full and not roomy.is_set(), "the second one is still inside"
    gate.let_through()
    assert roomy.wait(PATIENCE)
    assert not lane.is_full


def test_idle_is_announced_when_all_is_done(runtime: Runtime, relay: Relay) -> None:
    """`when_idle` waits for what runs and for what waits; everybody who asked is told once."""
    gate = Gate(runtime)
    lane = make_lane(runtime, gate, width=2)
    lane.put(list(range(4)))
    gate.wait_for(2)
    told = [runtime.event() for _ in range(3)]
    for event in told:
        assert lane.when_idle(event.set)
    gate.let_through(3)
    gate.wait_for(2)
    assert not any(event.is_set() for event in told)
    gate.let_through()
    assert all(event.wait(PATIENCE) for event in told)
    assert not lane.is_busy


# ------------------------------------------------------------------ errors


class Abort(BaseException):
    """What ends a worker."""


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_lane_outlives_a_handler_that_kills_its_worker(runtime: Runtime, relay: Relay, inline: bool) -> None:
    """A handler that raises what nobody catches costs its own message only: those behind it are handled, in order."""
    handled: list[int] = []
    done = runtime.event()

    def handle(item: int) -> None:
        if item % 3 == 0:
            raise Abort("the test's")
        handled.append(item)
        if item == 11:
            done.set()

    lane = make_lane(runtime, handle)
    relay.call_at(0.0, lambda: lane.put(list(range(12)), relay.call_inline if inline else relay.submit))
    assert done.wait(PATIENCE)
    assert handled == [1, 2, 4, 5, 7, 8, 10, 11]
    assert eventually(runtime, lambda: not lane.is_busy)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)
    on_duty(runtime, lambda: None)


def test_exhausted_pool_keeps_what_is_put(runtime: Runtime, relay: Relay) -> None:
    """While every worker is blocked a lane only fills; when one is free it runs, in order."""
    works = [Work(runtime) for _ in range(WORKERS)]
    for work in works:
        relay.submit(work)
        assert work.begun.wait(PATIENCE)
    handled: list[int] = []
    done = runtime.event()
    lane = make_lane(runtime, handled.append)
    on_duty(runtime, lambda: lane.put([1, 2], relay.call_inline))
    on_duty(runtime, lambda: lane.put([3], relay.call_inline))
    assert handled == [] and len(lane) == 3
    works[0].release.set()
    relay.submit(Call(done.set))
    assert done.wait(PATIENCE)
    assert eventually(runtime, lambda: handled == [1, 2, 3])
    for work in works:
        work.release.set()
