"""What only the relay of threads does: it starts and ends threads, and never more than its bound."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from syncio.runtime import Runnable, Runtime, threads
from syncio.runtime.relay import BLOCKING
from syncio.runtime.threads import ThreadRelay

from .kinds import MODES_HERE, PATIENCE, Call, Work, eventually, fresh_runtime

pytestmark = pytest.mark.skipif("threading" not in MODES_HERE, reason="gevent has replaced the threads of this process")

WORKERS = 3
MOST = WORKERS + 2
"""A worker in each place of the pool, one on duty, and one that has just lost the duty."""


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """Threads."""
    yield from fresh_runtime("threading", WORKERS)


@pytest.fixture
def relay(runtime: Runtime) -> ThreadRelay:
    """Their relay."""
    relay = runtime.relay()
    assert isinstance(relay, ThreadRelay)
    return relay


def test_threads_are_bounded_and_reused(runtime: Runtime, relay: ThreadRelay) -> None:
    """Bursts of work as large as the pool never make more threads than the bound, however they overlap."""
    most = 0
    for _ in range(400):
        done = [runtime.event() for _ in range(WORKERS)]
        for event in done:
            relay.submit(Call(event.set))
            most = max(most, relay.stats()["threads"])
        assert all(event.wait(PATIENCE) for event in done)
    assert most <= MOST
    assert relay.stats()["threads"] <= MOST
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)


class Dawdling(ThreadRelay):
    """Its workers take their time between the end of a job and the wait for the next one."""

    def __init__(self, workers: int) -> None:
        self.dawdles = threading.Event()
        self.hurries = threading.Event()
        super().__init__(workers)

    def work(self, job: Runnable) -> None:
        super().work(job)
        self.dawdles.set()
        self.hurries.wait(PATIENCE)


def test_threads_that_are_between_two_jobs_count(runtime: Runtime) -> None:
    """Work that comes when all workers have ended their jobs, but do not wait for the next one yet, starts none."""
    relay = Dawdling(WORKERS)
    for _ in range(MOST * 2):
        relay.dawdles.clear()
        done = threading.Event()
        relay.submit(Call(done.set))
        if not done.wait(0.02):
            break  # all threads there may be are dawdling
        assert relay.dawdles.wait(PATIENCE)
        assert eventually(runtime, lambda: relay.stats()["busy"] == 0)
    assert relay.stats()["threads"] == MOST
    relay.hurries.set()
    assert done.wait(PATIENCE), "the work was lost"
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)
    relay.stop()
    assert eventually(runtime, lambda: relay.stats()["threads"] == 0)


def test_blocked_handlers_add_no_thread_beyond_the_bound(runtime: Runtime, relay: ThreadRelay) -> None:
    """With every worker blocked and much work waiting there is one thread for the loop, and no other."""
    works = [Work(runtime) for _ in range(2000)]
    for work in works:
        relay.submit(work)
    assert all(work.begun.wait(PATIENCE) for work in works[:WORKERS])
    assert relay.stats()["threads"] == WORKERS + 1
    assert relay.stats()["backlog"] == 2000 - WORKERS
    for work in works:
        work.release.set()
    assert works[-1].ended.wait(PATIENCE)
    assert relay.stats()["threads"] <= MOST


def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch, runtime: Runtime) -> None:
    """Workers that have had nothing to do for a while end; the one on duty stays, and work starts new ones."""
    monkeypatch.setattr(threads, "IDLE", 0.01)
    relay = runtime.relay()
    for _ in range(2):
        works = [Work(runtime) for _ in range(WORKERS)]
        for work in works:
            relay.submit(work)
        for work in works:
            assert work.begun.wait(PATIENCE)
            work.release.set()
        assert eventually(runtime, lambda: relay.stats()["threads"] == 1)
    done = runtime.event()
    relay.call_at(0.0, done.set)
    assert done.wait(PATIENCE)


def test_work_and_idle_ends_may_cross(monkeypatch: pytest.MonkeyPatch, runtime: Runtime) -> None:
    """Work that arrives while a thread is ending for want of work is done all the same."""
    monkeypatch.setattr(threads, "IDLE", 0.0005)
    relay = runtime.relay()
    for pause in range(300):
        done = runtime.event()
        relay.submit(Call(done.set))
        assert done.wait(PATIENCE)
        threading.Event().wait(0.0001 * (pause % 10))
    assert eventually(runtime, lambda: relay.stats()["threads"] == 1)


def test_stop_ends_all_threads(relay: ThreadRelay, runtime: Runtime) -> None:
    """A stopped relay leaves no thread behind: not the workers, not the one on duty, not the sentinel."""
    done = runtime.event()
    relay.submit(Call(done.set))
    assert done.wait(PATIENCE)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)
    relay.stop()
    assert eventually(runtime, lambda: relay.stats()["threads"] == 0)


@pytest.mark.parametrize(("wariness", "corks"), [(3600.0, [False, False]), (0.0, [True, True])])
@pytest.mark.parametrize("inline", [True, False])
def test_handlers_go_to_the_pool_for_a_while_after_one_has_blocked(
    runtime: Runtime, relay: ThreadRelay, wariness: float, corks: list[bool], inline: bool
) -> None:
    """Once a handler has blocked, on duty or in the pool, the next ones run beside the loop until that is forgotten."""
    relay.wariness = wariness
    work = Work(runtime)
    relay.call_at(0.0, lambda: relay.call_inline(work) if inline else relay.submit(work))
    assert work.begun.wait(PATIENCE)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 1)
    threading.Event().wait(BLOCKING * 2)
    work.release.set()
    assert work.ended.wait(PATIENCE)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 0)
    seen: list[bool] = []
    done = runtime.event()
    for _ in range(2):
        relay.call_at(0.0, lambda: relay.call_inline(Call(lambda: seen.append(relay.corks()))))
    relay.call_at(0.0, lambda: relay.call_inline(Call(done.set)))
    assert done.wait(PATIENCE)
    assert eventually(runtime, lambda: len(seen) == 2)
    assert seen == corks


def test_duty_outlives_a_system_that_gives_no_threads(
    monkeypatch: pytest.MonkeyPatch, runtime: Runtime, relay: ThreadRelay
) -> None:
    """Where no thread can be started for the duty, it passes to the blocked worker itself when that comes back."""
    fired = runtime.event()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    work = Work(runtime)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    relay.call_at(0.0, lambda: relay.call_inline(work))
    assert work.begun.wait(PATIENCE)
    assert eventually(runtime, lambda: relay.stats()["busy"] == 1)
    relay.call_at(0.0, fired.set)
    assert not fired.is_set()
    work.release.set()
    assert fired.wait(PATIENCE)
    assert relay.stats()["busy"] == 0
    monkeypatch.undo()
    second = Work(runtime)
    relay.call_at(0.0, lambda: relay.call_inline(second))
    assert second.begun.wait(PATIENCE)
    again = runtime.event()
    relay.call_at(0.0, again.set)
    assert again.wait(PATIENCE)
    second.release.set()
