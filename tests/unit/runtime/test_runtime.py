"""What both runtimes offer besides the relay: tasks, locks, events, queues, waiting for descriptors, and the clock."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.monkey import get_original

from syncio.runtime import MODES, Readiness, Runtime

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


def test_forks_are_counted(mode: str) -> None:
    """Who was made before a fork can tell that he was, and no other runtime's count moves."""
    for runtime in fresh_runtime(mode, 2):
        assert runtime.forks == 0
        runtime.forget_relay()
        assert runtime.forks == 1
    for runtime in fresh_runtime(mode, 2):
        assert runtime.forks == 0


# ---------------------------------------------------------------------- tasks with a name


def test_started_task_has_its_name(runtime: Runtime) -> None:
    """`start` passes the arguments on, and people find the task by its name."""
    seen: list[object] = []
    task = runtime.start("syncio-test", lambda *args: seen.append(args), 1, 2)
    task.join(PATIENCE)
    assert seen == [(1, 2)]
    assert getattr(task, "name") == "syncio-test"  # noqa: B009


def test_every_task_is_somebody(runtime: Runtime) -> None:
    """`current` is the same for one task all the time, and differs between those that live at the same time."""
    both = [runtime.event(), runtime.event()]
    seen: list[list[object]] = []

    def note(mine: int) -> None:
        first = runtime.current()
        both[mine].set()
        both[not mine].wait(PATIENCE)
        seen.append([first, runtime.current()])

    tasks = [runtime.start("syncio-test", note, number) for number in range(2)]
    for task in tasks:
        task.join(PATIENCE)
    (a, b), (c, d) = seen
    assert a == b and c == d
    assert a != c and runtime.current() not in (a, c)


# ---------------------------------------------------------------------- calls that block


def test_blocking_call_lets_others_run(runtime: Runtime) -> None:
    """While a call blocks its thread other tasks go on; what it returns is returned."""
    read, write = os.pipe()
    blocked = runtime.event()

    def answer() -> None:
        blocked.wait(PATIENCE)
        os.write(write, b"x")

    task = runtime.spawn(answer)

    def block(size: int) -> bytes:
        blocked.set()
        return get_original("os", "read")(read, size)  # type: ignore[no-any-return]

    assert runtime.call_blocking(block, 100) == b"x"
    task.join(PATIENCE)
    os.close(read)
    os.close(write)


def test_blocking_call_raises_in_silence(runtime: Runtime, capfd: pytest.CaptureFixture[str]) -> None:
    """What a blocking call raises is raised, and printed by nobody."""
    with pytest.raises(ValueError, match="base 10"):
        runtime.call_blocking(int, "seven")
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------- waiting for a descriptor


Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Two connected sockets that do not block."""
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    yield here, there
    here.close()
    there.close()


@pytest.fixture
def readiness(runtime: Runtime, ends: Ends) -> Iterator[Readiness]:
    """What waits for the first of them."""
    readiness = runtime.readiness(ends[0].fileno())
    yield readiness
    readiness.close()


def fill(sock: socket.socket) -> None:
    """Send until there is no room."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b"x" * 65536)


def drain(sock: socket.socket) -> None:
    """Receive until there is nothing."""
    with contextlib.suppress(BlockingIOError):
        while sock.recv(65536):
            pass


def test_readable_is_a_level(readiness: Readiness, ends: Ends) -> None:
    """What is there is found however often one asks, also without any time, and not any more when it is read."""
    assert not readiness.readable(0) and not readiness.readable(-1)
    ends[1].send(b"x")
    for timeout in (None, 0, -1, 0.001, PATIENCE, 1e12, float("inf")):
        assert readiness.readable(timeout)
    ends[0].recv(1)
    assert not readiness.readable(0)


def test_writable_is_a_level(readiness: Readiness, ends: Ends) -> None:
    """There is room until there is none, and again when the peer has read."""
    for timeout in (None, 0, -1, 0.001, PATIENCE, 1e12, float("inf")):
        assert readiness.writable(timeout)
    fill(ends[0])
    assert not readiness.writable(0) and not readiness.writable(-1)
    drain(ends[1])
    assert readiness.writable(0)


def test_readiness_gives_up_in_time(runtime: Runtime, readiness: Readiness, ends: Ends) -> None:
    """Waiting in vain takes as long as it may, in both directions."""
    fill(ends[0])
    for wait in (readiness.readable, readiness.writable):
        began = runtime.now()
        assert not wait(MOMENT)
        assert MOMENT * 0.9 <= runtime.now() - began < PATIENCE


def test_reader_and_writer_wait_at_once(runtime: Runtime, readiness: Readiness, ends: Ends) -> None:
    """One task may wait for bytes while another one waits for room, and each is woken by its own."""
    fill(ends[0])
    found: list[str] = []
    reader = runtime.spawn(lambda: readiness.readable(PATIENCE) and found.append("bytes"))
    writer = runtime.spawn(lambda: readiness.writable(PATIENCE) and found.append("room"))
    reader.join(MOMENT)
    assert found == []
    drain(ends[1])
    writer.join(PATIENCE)
    assert found == ["room"]
    ends[1].send(b"x")
    reader.join(PATIENCE)
    assert found == ["room", "bytes"]


@pytest.mark.parametrize("timeout", [None, PATIENCE * 2])
def test_end_wakes_who_waits(runtime: Runtime, readiness: Readiness, ends: Ends, timeout: float | None) -> None:
    """When the connection ends on this side both who wait are woken, by whichever task ended it."""
    fill(ends[0])
    found: list[bool] = []
    tasks = [runtime.spawn(lambda wait: found.append(wait(timeout)), wait) for wait in _both(readiness)]
    tasks[0].join(MOMENT)
    assert found == []
    ends[0].shutdown(socket.SHUT_RDWR)
    for task in tasks:
        task.join(PATIENCE)
    assert found == [True, True]


def _both(readiness: Readiness) -> tuple[Callable[[float | None], bool], Callable[[float | None], bool]]:
    return readiness.readable, readiness.writable


def test_native_thread_wakes_who_waits(readiness: Readiness, ends: Ends) -> None:
    """Bytes that any thread of the operating system sends wake who waits for them."""
    in_native_thread(lambda: os.write(ends[1].fileno(), b"x"))
    assert readiness.readable(PATIENCE)


def test_closing_readiness_again_does_nothing(readiness: Readiness, ends: Ends) -> None:
    """It may be closed more than once, and before it was used; the descriptor stays open."""
    readiness.close()
    readiness.close()
    ends[0].send(b"x")
    assert ends[1].recv(1) == b"x"


def test_time_out_of_the_callers_own_is_his(ends: Ends) -> None:
    """A `gevent.Timeout` around a wait raises what it was made to raise, whatever that is."""
    for runtime in fresh_runtime("gevent", 2):
        readiness = runtime.readiness(ends[0].fileno())
        with pytest.raises(TimeoutError, match="mine"), gevent.Timeout(0.01, TimeoutError("mine")):
            readiness.readable(PATIENCE)
        with pytest.raises(TimeoutError, match="mine"), gevent.Timeout(0.01, TimeoutError("mine")):
            readiness.readable(None)
        ends[1].send(b"x")
        assert readiness.readable(0), "it can be used again"
        readiness.close()
