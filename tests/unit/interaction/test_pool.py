"""The pool: tasks wait for whoever is free, are tried again where that helps, and none is forgotten."""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncio.errors import ConfigurationError, LocalError, RequestTimeout
from syncio.interaction import (
    HTTPError,
    Master,
    RequestException,
    SlaveTaskRefused,
    TaskFailed,
    TaskLost,
    TaskRetry,
    TaskTimeout,
)
from syncio.interaction.config import MOST_SLOTS
from syncio.runtime.relay import DEFAULT_WORKERS

from ..runtime.kinds import PATIENCE
from ..streams.duplex import Doing
from .peers import OK, Answer, DrivenSlave, Ends, Request, finish, task_of

NEVER = TaskRetry(lost=0, failed=0, refused=0)


class Fickle(DrivenSlave):
    """Refuses, fails, or breaks the first few times."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked_for: list[Any] = []

    def _is_due(self, data: Any, what: str) -> bool:
        return what in data and self.asked_for.count(data) <= data[what]

    def _before_task(self, data: Any) -> None:
        self.asked_for.append(data)
        if self._is_due(data, "refuses"):
            super()._before_task({"refuse": {"why": "x"}})
        if self._is_due(data, "breaks"):
            super()._before_task({"break": "x"})

    def _process_task(self, task: Any) -> Any:
        return super()._process_task({"fail": {"why": "x"}} if self._is_due(task, "fails") else task)


# ---------------------------------------------------------------------- who does what


def test_tasks_go_to_whoever_is_free(ends: Ends, master: Master) -> None:
    """Each slave gets as many tasks as it has slots; what is left waits, and is done when one is free."""
    slaves = [ends.slave(slots=slots) for slots in (1, 2)]
    for number, slave in enumerate(slaves):
        ends.connected(master, slave, str(number))
    futures = [master.submit({"wait": True, "a": number}) for number in range(5)]
    for slave, count in zip(slaves, (1, 2), strict=True):
        for _ in range(count):
            slave.begun.get(timeout=PATIENCE)
    assert (master.pool.waiting, master.pool.under_way) == (2, 3)
    for slave in slaves:
        slave.release.set()
    assert [future.result(PATIENCE)["sum"] for future in futures] == list(range(5))
    assert ends.wait(lambda: master.pool.under_way == 0) and master.pool.waiting == 0


def test_tasks_wait_for_the_first_slave(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """Tasks may be given before there is any slave."""
    futures = [master.submit({"a": number}) for number in range(3)]
    assert (master.pool.waiting, master.pool.under_way) == (3, 0)
    ends.connected(master, slave)
    assert [future.result(PATIENCE)["sum"] for future in futures] == [0, 1, 2]


def test_tasks_of_a_connection_and_of_the_pool_share_slots(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """A task that was given to one slave holds a slot which the pool has to wait for, whatever becomes of it."""
    connection = ends.connected(master, slave)
    for end in ("release", "cancel", "late"):
        slave.release.clear()
        task = connection.new_task({"wait": True}, 0.2 if end == "late" else None).start()
        slave.begun.get(timeout=PATIENCE)
        future = master.submit({"a": 1})
        assert (master.pool.waiting, master.pool.under_way) == (1, 0)
        if end == "cancel":
            task.cancel()
        if end == "late":
            assert isinstance(task.exception(PATIENCE), TaskTimeout)
        slave.release.set()
        assert future.result(PATIENCE) == {"sum": 1}
        slave.begun.get(timeout=PATIENCE)
        assert ends.wait(lambda: connection.free_slots == 1)


def test_more_tasks_than_workers(ends: Ends, master: Master) -> None:
    """Slaves with more slots than this process has workers get their tasks, and they come back."""
    for name in ("one", "two"):
        ends.connected(master, ends.slave(slots=MOST_SLOTS), name)
    assert 2 * MOST_SLOTS > DEFAULT_WORKERS
    futures = [master.submit({"a": number}) for number in range(3 * DEFAULT_WORKERS)]
    assert [future.result(PATIENCE)["sum"] for future in futures] == list(range(3 * DEFAULT_WORKERS))
    assert len(master) == 2


# ---------------------------------------------------------------------- further attempts


@pytest.mark.parametrize("value", [-1, 1.5, "1", True, None])
@pytest.mark.parametrize("name", ["lost", "failed", "refused"])
def test_attempts_that_cannot_be(name: str, value: Any) -> None:
    """A number of attempts is a whole number."""
    with pytest.raises(ConfigurationError, match=name):
        TaskRetry(**{name: value})


@pytest.mark.parametrize("what", ["fails", "refuses", "breaks"])
def test_as_many_attempts_as_were_asked_for(ends: Ends, master: Master, what: str) -> None:
    """A task is tried again as often as was said, and no more often: the future has what came of the last attempt."""
    slave = ends.slave(Fickle)
    ends.connected(master, slave)
    retry = TaskRetry(lost=0, failed=2, refused=2)
    assert master.submit({what: 2, "a": 1}, retry=retry).result(PATIENCE) == {"sum": 1}
    assert len(slave.asked_for) == 3
    error = {"fails": TaskFailed, "refuses": SlaveTaskRefused, "breaks": HTTPError}[what]
    assert isinstance(master.submit({what: 3}, retry=retry).exception(PATIENCE), error)
    assert len(slave.asked_for) == 6
    assert isinstance(master.submit({what: 1}, retry=NEVER).exception(PATIENCE), error)
    assert len(slave.asked_for) == 7


def test_what_is_tried_by_itself(ends: Ends, master: Master) -> None:
    """Without being asked a refused task is tried again, and one that has failed is not."""
    slave = ends.slave(Fickle)
    ends.connected(master, slave)
    assert master.submit({"refuses": 3, "a": 1}).result(PATIENCE) == {"sum": 1}
    assert isinstance(master.submit({"fails": 1}).exception(PATIENCE), TaskFailed)
    assert isinstance(master.submit({"wait": True}, timeout=0.05).exception(PATIENCE), TaskTimeout)


def test_a_task_of_a_lost_slave_goes_to_another(ends: Ends, master: Master) -> None:
    """A task in the middle of which its slave ends is done by another one; the time it has begins anew."""
    first, second = ends.slave(), ends.slave()
    ends.connected(master, first, "first")
    future = master.submit({"wait": True, "a": 4}, timeout=PATIENCE)
    first.begun.get(timeout=PATIENCE)
    ends.connected(master, second, "second")
    second.release.set()
    first.close()
    assert future.result(PATIENCE) == {"sum": 4}
    assert second.begun.get(timeout=PATIENCE)["a"] == 4


def test_a_task_that_may_not_be_lost(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """Without further attempts the future of a task whose slave ends is a TaskLost."""
    ends.connected(master, slave)
    future = master.submit({"wait": True}, retry=NEVER)
    slave.begun.get(timeout=PATIENCE)
    slave.close()
    assert isinstance(future.exception(PATIENCE), TaskLost)


def test_a_slave_that_refuses_rests(ends: Ends, master: Master) -> None:
    """A task that one slave does not want goes to another, and not to the first again at once."""

    class Never(DrivenSlave):
        def _before_task(self, data: Any) -> None:
            self.begun.put(data)
            super()._before_task({"refuse": {"why": "x"}})

    picky, willing = ends.slave(Never, slots=4), ends.slave()
    ends.connected(master, picky, "picky")
    ends.connected(master, willing, "willing")
    assert [master.submit({"a": n}).result(PATIENCE)["sum"] for n in range(5)] == list(range(5))
    assert picky.begun.qsize() <= 3 and willing.begun.qsize() == 5


def test_a_slave_that_drains_gets_no_more(ends: Ends, master: Master) -> None:
    """A slave that takes no more tasks is asked once; its task costs no attempt and is done by another."""
    ending, other = ends.slave(), ends.slave()
    connection = ends.connected(master, ending, "ending")
    assert ending.drain(PATIENCE)
    future = master.submit({"a": 3}, retry=NEVER)
    assert ends.wait(lambda: connection.slots == 0)
    ends.connected(master, other, "other")
    assert future.result(PATIENCE) == {"sum": 3}
    assert ending.begun.empty() and connection.is_connected


def test_a_slave_that_does_not_answer_rests(plain: Ends) -> None:
    """A slave that could not be reached gets no task until it has said something."""
    gone: list[None] = []

    def leave_once(request: Request) -> Answer:
        if request.path == "/task/new" and not gone:
            gone.append(None)
            return None
        return 200, OK

    master, peer = plain.master(request_retries=0), plain.peer(leave_once)
    connection = plain.connected(master, peer)
    future = master.submit({})
    first = task_of(peer)
    assert plain.wait(lambda: master.pool.waiting == 1)
    assert peer.next().path == "/task/cancel"
    connection.alive()
    second = task_of(peer)
    assert first != second
    assert finish(master, connection.token, second, {"sum": 1}).status == 200
    assert future.result(PATIENCE) == {"sum": 1}


def test_data_that_can_never_be_sent(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """Tasks whose data are no JSON fail at once, however many there are; slaves and other tasks suffer nothing."""
    connection = ends.connected(master, slave)
    blocking = master.submit({"wait": True})
    slave.begun.get(timeout=PATIENCE)
    wrong = [master.submit({"object": object()}) for _ in range(2 * sys.getrecursionlimit() // 5)]
    right = master.submit({"a": 1})
    slave.release.set()
    assert blocking.result(PATIENCE) == {"sum": 0} and right.result(PATIENCE) == {"sum": 1}
    assert all(isinstance(future.exception(PATIENCE), TypeError) for future in wrong)
    assert master.drain(PATIENCE) and connection.tasks == []


def test_a_hook_that_raises_is_an_error_of_the_future(ends: Ends, slave: DrivenSlave) -> None:
    """What `_before_new_task` raises is the error of that future, and of no other."""

    class Choosy(Master):
        def _before_new_task(self, data: Any = None) -> Any:
            return {"a": 1 // data["by"]}

    master = ends.master(Choosy)
    ends.connected(master, slave)
    futures = [master.submit({"by": by}) for by in (1, 0, 1)]
    assert isinstance(futures[1].exception(PATIENCE), ZeroDivisionError)
    assert futures[0].result(PATIENCE) == futures[2].result(PATIENCE) == {"sum": 1}


# ---------------------------------------------------------------------- futures


def test_cancelling_what_waits(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """A task that is cancelled while it waits is not sent, and makes room."""
    futures = [master.submit({"a": number}) for number in range(3)]
    assert futures[1].cancel() and master.pool.waiting == 2
    ends.connected(master, slave)
    assert [futures[n].result(PATIENCE)["sum"] for n in (0, 2)] == [0, 2]
    assert futures[1].cancelled() and slave.begun.qsize() == 2 and not futures[0].cancel()


def test_cancelling_what_is_under_way(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """A task that is cancelled while a slave has it is not tried again; the slave is free for the next one."""
    connection = ends.connected(master, slave)
    future = master.submit({"wait": True}, retry=TaskRetry(9, 9, 9))
    slave.begun.get(timeout=PATIENCE)
    assert future.cancel() and connection.tasks == []
    slave.release.set()
    assert master.submit({"a": 1}).result(PATIENCE) == {"sum": 1}
    assert master.drain(PATIENCE)


def test_cancelling_at_any_moment(ends: Ends, master: Master) -> None:
    """Futures that are cancelled while they are sent or come back are done, and the pool forgets none of them."""
    for number in range(2):
        ends.connected(master, ends.slave(slots=2), str(number))
    futures: list[Any] = []

    def give() -> None:
        for number in range(60):
            futures.append(master.submit({"a": number}))

    giving = Doing(ends.runtime, give)
    cancelled = 0
    for number in range(60):
        assert ends.wait(lambda number=number: len(futures) > number)
        cancelled += futures[number].cancel()
    giving.outcome()
    assert not concurrent.futures.wait(futures, PATIENCE).not_done
    assert sum(future.cancelled() for future in futures) == cancelled
    assert master.drain(PATIENCE) and all(slave.free_slots == 2 for slave in master.connections())


def test_callbacks_of_futures(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """Callbacks of a future are called once, whatever they raise, and may use the master."""
    ends.connected(master, slave)
    heard = ends.runtime.queue()

    def go_on(future: Any) -> None:
        heard.put(future.result()["sum"])
        heard.put(master.submit({"a": 2}).result(PATIENCE)["sum"])

    slave.release.set()
    future = master.submit({"wait": True, "a": 1})
    future.add_done_callback(go_on)
    assert [heard.get(timeout=PATIENCE) for _ in range(2)] == [1, 2]


# ---------------------------------------------------------------------- room, and the end


def test_room_for_a_few(ends: Ends, slave: DrivenSlave) -> None:
    """With `queue_size` tasks waiting `submit` waits for room, for as long as it may."""
    master = ends.master(queue_size=2)
    for _ in range(2):
        master.submit({"a": 1})
    for wait in (0.0, 0.01):
        with pytest.raises(RequestTimeout, match="2 tasks"):
            master.submit({}, wait=wait)
    submitting = Doing(ends.runtime, master.submit, {"a": 5})
    assert submitting.is_waiting() and master.pool.waiting == 2
    ends.connected(master, slave)
    assert submitting.outcome().result(PATIENCE) == {"sum": 5}


def test_cancelling_makes_room(ends: Ends) -> None:
    """Who waits for room gets that of a task that is cancelled."""
    master = ends.master(queue_size=1)
    first = master.submit({})
    submitting = Doing(ends.runtime, master.submit, {})
    assert submitting.is_waiting()
    first.cancel()
    assert not submitting.outcome().done()


def test_draining(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """`drain` refuses new tasks, and waits for those that there are; then every future is done."""
    ends.connected(master, slave)
    futures = [master.submit({"wait": True, "a": number}) for number in range(4)]
    assert master.drain(0.01) is False
    with pytest.raises(LocalError, match="drain"):
        master.submit({})
    draining = Doing(ends.runtime, master.drain)
    assert draining.is_waiting()
    slave.release.set()
    assert draining.outcome() is True and all(future.done() for future in futures)
    assert [future.result()["sum"] for future in futures] == [0, 1, 2, 3]
    master.close()
    master.start()
    assert master.drain(0.0) is True


def test_draining_waits_for_further_attempts(ends: Ends, master: Master) -> None:
    """A task that is about to be tried again is not over."""
    slave = ends.slave(Fickle)
    ends.connected(master, slave)
    futures = [master.submit({"refuses": 2, "a": number}) for number in range(3)]
    assert master.drain(PATIENCE) and all(future.done() for future in futures)
    assert [future.result()["sum"] for future in futures] == [0, 1, 2]


def test_waiting_for_slaves(ends: Ends, master: Master) -> None:
    """`wait_for_slaves` returns when so many are there, and gives up after its time."""
    slaves = [ends.slave() for _ in range(2)]
    master.wait_for_slaves(0, 0.0)
    with pytest.raises(RequestTimeout, match="2 slaves, of which 0"):
        master.wait_for_slaves(2, 0.01)
    waiting = Doing(ends.runtime, master.wait_for_slaves, 2)
    ends.connected(master, slaves[0], "0")
    assert waiting.is_waiting()
    ends.connected(master, slaves[1], "1")
    waiting.outcome()
    master.wait_for_slaves()


def test_closing_ends_all_waiting(ends: Ends) -> None:
    """When a master is closed, tasks that wait are lost, and who waits for room or for slaves hears of it."""
    master = ends.master(queue_size=1)
    future = master.submit({})
    waiting = [Doing(ends.runtime, master.submit, {}), Doing(ends.runtime, master.wait_for_slaves)]
    assert all(one.is_waiting() for one in waiting)
    master.close()
    assert isinstance(future.exception(PATIENCE), TaskLost)
    for one in waiting:
        with pytest.raises(LocalError, match="not running"):
            one.outcome()
    with pytest.raises(LocalError, match="not running"):
        master.submit({})
    assert master.pool.waiting == 0 and master.drain(0.0)


def test_a_callback_of_what_is_lost_may_wait_for_the_end(ends: Ends) -> None:
    """The callback of a future that is lost when its master is closed may wait for that, and holds nobody up."""
    master = ends.master()
    closed = ends.runtime.event()

    def close(future: Any) -> None:
        master.close()
        closed.set()

    master.submit({}).add_done_callback(close)
    closing = Doing(ends.runtime, master.close)
    closing.outcome()
    assert closed.wait(PATIENCE)


def test_closing_with_tasks_under_way(ends: Ends) -> None:
    """However the end of a master meets its tasks, each future is done, and nothing is under way."""
    slave = ends.slave(slots=2)
    for _ in range(8):
        master = ends.master()
        ends.connected(master, slave)
        futures: list[Any] = []

        def give(master: Master = master, futures: list[Any] = futures) -> None:
            with contextlib.suppress(LocalError):
                for number in range(10_000):
                    futures.append(master.submit({"a": number}))

        giving = Doing(ends.runtime, give)
        assert ends.wait(lambda futures=futures: futures)
        master.close()
        giving.outcome()
        assert not concurrent.futures.wait(futures, PATIENCE).not_done
        assert ends.wait(lambda master=master: master.pool.under_way == 0) and master.pool.waiting == 0
        assert ends.wait(lambda: not slave.is_connected)


# ---------------------------------------------------------------------- map


def test_map_keeps_the_order(ends: Ends, master: Master) -> None:
    """The results of a map come in the order of its items, whichever slave is faster."""
    slow, fast = ends.slave(), ends.slave()
    for name, slave in (("slow", slow), ("fast", fast)):
        ends.connected(master, slave, name)
    results = master.map([{"wait": True, "a": 0}, *({"a": number} for number in range(1, 20))])
    asking = Doing(ends.runtime, list, results)
    assert asking.is_waiting()
    slow.release.set()
    fast.release.set()
    assert [result["sum"] for result in asking.outcome()] == list(range(20))


def test_map_of_nothing(ends: Ends, master: Master) -> None:
    """Without items there are no results, and no slave is needed."""
    assert list(master.map([])) == []


def test_map_takes_items_as_it_needs_them(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """Of endless items as many are taken as can be under way; when nobody asks any more, the rest is cancelled."""
    ends.connected(master, slave)
    taken: list[int] = []

    def items() -> Iterator[Any]:
        while True:
            taken.append(len(taken))
            yield {"a": taken[-1]}

    results = master.map(items())
    assert taken == []
    assert [next(results)["sum"] for _ in range(40)] == list(range(40))
    assert 40 < len(taken) < 100
    results.close()  # type: ignore[attr-defined]
    assert master.pool.waiting == 0 and master.drain(PATIENCE)


def test_map_cancels_the_rest_behind_an_error(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """Where a task has failed the map raises, and what is behind it is cancelled."""
    ends.connected(master, slave)
    results = master.map([{"a": 1}, {"fail": {}}, *({"a": n} for n in range(20))])
    assert next(results) == {"sum": 1}
    with pytest.raises(TaskFailed):
        next(results)
    assert master.pool.waiting == 0 and master.drain(PATIENCE)
    assert list(results) == []


def test_map_of_items_that_fail(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """What the items raise comes out of the map, and what was taken is cancelled."""
    ends.connected(master, slave)

    def items() -> Iterator[Any]:
        yield {"wait": True}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(master.map(items()))
    slave.release.set()
    assert master.drain(PATIENCE)


@pytest.mark.parametrize(("make", "total"), [(list, 5), (iter, None)])
def test_map_says_how_far_it_is(
    ends: Ends, master: Master, slave: DrivenSlave, make: Callable[[Any], Any], total: int | None
) -> None:
    """A function hears after each result how many are done, and of how many if that is known."""
    ends.connected(master, slave)
    heard: list[Any] = []
    items = make([{"a": number} for number in range(5)])
    assert len(list(master.map(items, progress=lambda *said: heard.append(said)))) == 5
    assert heard == [(number, total) for number in range(1, 6)]


def test_map_draws_no_bar_where_there_is_no_terminal(
    ends: Ends, master: Master, slave: DrivenSlave, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `progress=True` nothing is written to what is no terminal."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    ends.connected(master, slave)
    assert len(list(master.map([{}, {}], progress=True))) == 2
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_map_has_times_and_attempts(ends: Ends, master: Master) -> None:
    """The time and the attempts of a map are those of each of its tasks."""
    slave = ends.slave(Fickle)
    ends.connected(master, slave)
    retry = TaskRetry(failed=1)
    assert list(master.map([{"fails": 1, "a": 2}], retry=retry)) == [{"sum": 2}]
    with pytest.raises(TaskTimeout):
        list(master.map([{"wait": True}], timeout=0.05))
    with pytest.raises(ConfigurationError):
        list(master.map([{}], timeout=-1))


def test_a_slave_that_cannot_be_reached_is_no_end(plain: Ends) -> None:
    """A task that two slaves in a row have not answered is a RequestException when it may not be tried again."""
    master = plain.master(request_retries=0)
    peer = plain.peer(lambda request: (200, OK) if request.path == "/connect" else None)
    plain.connected(master, peer)
    assert isinstance(master.submit({}, retry=NEVER).exception(PATIENCE), RequestException)
