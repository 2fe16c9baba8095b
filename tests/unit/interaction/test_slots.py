"""Slots: so many jobs at the same time, and who waits for the last one."""

from __future__ import annotations

from typing import Any

import pytest

from syncio.interaction.master_link import MasterLink
from syncio.interaction.slots import Job, Slots
from syncio.runtime import choose_runtime

from ..runtime.kinds import PATIENCE
from ..streams.duplex import Doing
from .peers import DrivenSlave


class Bench:
    """Slots whose work waits until it is released, and whose reports are kept, or fail."""

    def __init__(self, count: int) -> None:
        self.runtime = choose_runtime()
        self.begun, self.reports = self.runtime.queue(), self.runtime.queue()
        self.release = self.runtime.event()
        self.is_free: list[bool] = []
        self.fails = False
        self.slots = Slots(self.runtime, count, self._work, self._report)
        self._link = MasterLink(DrivenSlave(), "http://127.0.0.1:1", "t", True)

    def job(self, name: str = "x") -> Job:
        """A job."""
        return Job(name, {}, self._link)

    def _work(self, job: Job) -> str:
        self.begun.put(job)
        assert self.release.wait(PATIENCE)
        return f"done {job.id}"

    def _report(self, job: Job, outcome: Any) -> None:
        self.is_free.append(job not in self.slots.jobs)
        self.reports.put((job.id, outcome))
        if self.fails:
            raise ZeroDivisionError


def test_so_many_and_no_more() -> None:
    """As many jobs are taken as there are slots; one that is done makes room for another."""
    bench = Bench(2)
    one, two, three = (bench.job(name) for name in "123")
    assert [bench.slots.take(job) for job in (one, two, three)] == [True, True, False]
    assert set(bench.slots.jobs) == {one, two}
    bench.release.set()
    bench.slots.run(one)
    assert bench.slots.jobs == [two] and bench.slots.take(three)
    assert bench.reports.get(timeout=PATIENCE) == ("1", "done 1")


def test_a_slot_is_free_before_the_report() -> None:
    """Who hears of a result can send the next job at once."""
    bench = Bench(1)
    bench.release.set()
    for _ in range(3):
        job = bench.job()
        assert bench.slots.take(job)
        bench.slots.run(job)
    assert bench.is_free == [True] * 3


def test_a_report_that_fails_costs_no_slot() -> None:
    """An error of the report comes out, and neither the slot nor the wait for the end knows of it."""
    bench = Bench(1)
    bench.fails = True
    bench.release.set()
    job = bench.job()
    bench.slots.take(job)
    with pytest.raises(ZeroDivisionError):
        bench.slots.run(job)
    assert bench.slots.jobs == [] and bench.slots.wait(0.0)


def test_waiting_for_the_end() -> None:
    """`wait` returns when the last job is reported, and gives up after its time; when nothing is done, at once."""
    bench = Bench(2)
    assert bench.slots.wait(0.0)
    jobs = [bench.job(name) for name in "12"]
    for job in jobs:
        assert bench.slots.take(job)
    assert bench.slots.wait(0.01) is False
    running = [Doing(bench.runtime, bench.slots.run, job) for job in jobs]
    waiting = [Doing(bench.runtime, bench.slots.wait, None) for _ in range(2)]
    assert all(one.is_waiting() for one in waiting)
    bench.release.set()
    assert [one.outcome() for one in waiting] == [True, True]
    for one in running:
        one.outcome()
    assert bench.reports.qsize() == 2


def test_what_is_closed_takes_nothing() -> None:
    """Behind `close` no job is taken; one that was taken is done."""
    bench = Bench(2)
    job = bench.job()
    assert bench.slots.take(job)
    bench.slots.close()
    assert bench.slots.is_closed and not bench.slots.take(bench.job())
    bench.release.set()
    bench.slots.run(job)
    assert bench.slots.wait(PATIENCE) and bench.reports.qsize() == 1
