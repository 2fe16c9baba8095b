"""What both runtimes offer besides the relay: tasks, locks, events, queues and the clock."""

from __future__ import annotations

import time

import pytest

from syncio.runtime import MODES, Runtime

from .kinds import MOMENT, PATIENCE, fresh_runtime, in_native_thread


def test_name_is_the_modes(runtime: Runtime, mode: str) -> None:
    """A runtime knows what it is called."""
    assert runtime.name == mode and mode in MODES


def test_spawned_task_runs_with_its_arguments_and_can_be_joined(runtime: Runtime) -> None:
    """`spawn` passes everything on, and `join` returns when the task has ended."""
    seen: list[object] = []
    task = runtime.spawn(lambda *args, **kwargs: seen.append((args, kwargs)), 1, 2, key="value")
    task.join(PATIENCE)
    assert seen == [((1, 2), {"key": "value"})]


def test_join_gives_up_in_time(runtime: Runtime) -> None:
    """`join` with a time-out returns although the task goes on."""
    release, ended = runtime.event(), runtime.event()

    def block() -> None:
        release.wait(PATIENCE)
        ended.set()

    task = runtime.spawn(block)
    task.join(MOMENT)
    assert not ended.is_set()
    release.set()
    task.join(PATIENCE)
    assert ended.is_set()


def test_lock_has_one_holder(runtime: Runtime) -> None:
    """A lock that is held cannot be taken, and can again when it is released."""
    lock = runtime.lock()
    with lock:
        assert not lock.acquire(False)
    assert lock.acquire(False)
    lock.release()


def test_event_wakes_all_who_wait(runtime: Runtime) -> None:
    """`set` wakes every waiter, and who comes later does not wait."""
    event = runtime.event()
    woken: list[bool] = []
    tasks = [runtime.spawn(lambda: woken.append(bool(event.wait(PATIENCE)))) for _ in range(3)]
    runtime.sleep(0)
    event.set()
    for task in tasks:
        task.join(PATIENCE)
    assert woken == [True] * 3
    assert event.is_set() and event.wait(0)


def test_event_gives_up_in_time(runtime: Runtime) -> None:
    """`wait` says whether the event was set, and waits no longer than it may."""
    event = runtime.event()
    began = runtime.now()
    assert not event.wait(0.02)
    assert 0.015 <= runtime.now() - began < PATIENCE
    event.set()
    event.clear()
    assert not event.is_set() and not event.wait(0)


def test_event_can_be_set_by_a_native_thread(runtime: Runtime) -> None:
    """An event wakes its waiter from any thread of the operating system."""
    event = runtime.event()
    in_native_thread(event.set)
    assert event.wait(PATIENCE)


def test_queue_is_first_in_first_out(runtime: Runtime) -> None:
    """A queue gives what was put, in order, to a task that waits for it too."""
    queue = runtime.queue()
    got: list[int] = []
    task = runtime.spawn(lambda: got.extend(queue.get(timeout=PATIENCE) for _ in range(5)))
    for number in range(5):
        queue.put(number)
    task.join(PATIENCE)
    assert got == list(range(5))


def test_empty_queue_raises_the_runtimes_own_error(runtime: Runtime) -> None:
    """`queue_empty` is what a get without patience raises, and one whose patience ends."""
    queue = runtime.queue()
    with pytest.raises(runtime.queue_empty):
        queue.get(block=False)
    with pytest.raises(runtime.queue_empty):
        queue.get(timeout=0.001)


def test_bounded_queue_is_full_at_its_bound(runtime: Runtime) -> None:
    """A queue with a bound holds so much and no more."""
    queue = runtime.queue(2)
    queue.put(1)
    queue.put(2)
    assert queue.full()
    queue.get()
    assert not queue.full()


def test_sleep_lets_others_run(runtime: Runtime) -> None:
    """Even a sleep of nothing gives the turn away in the end."""
    ran = runtime.event()
    runtime.spawn(ran.set)
    until = runtime.now() + PATIENCE
    while not ran.is_set() and runtime.now() < until:
        runtime.sleep(0)
    assert ran.is_set()


def test_clock_is_the_monotonic_one(runtime: Runtime) -> None:
    """`now` is the clock that no one sets."""
    before = time.monotonic()
    assert before <= runtime.now() <= time.monotonic()


def test_relay_starts_once(runtime: Runtime) -> None:
    """Whoever asks first starts the relay; all get the same, also when they ask at the same time."""
    relays: list[object] = []
    tasks = [runtime.spawn(lambda: relays.append(runtime.relay())) for _ in range(8)]
    for task in tasks:
        task.join(PATIENCE)
    assert len(relays) == 8 and len(set(map(id, relays))) == 1


def test_forgotten_relay_is_replaced(mode: str) -> None:
    """After `forget_relay` the next one who asks starts a new one, and the old one serves nothing."""
    for runtime in fresh_runtime(mode, 2):
        old = runtime.relay()
        runtime.forget_relay()
        new = runtime.relay()
        assert new is not old
        done = runtime.event()
        new.call_at(0.0, done.set)
        assert done.wait(PATIENCE)
