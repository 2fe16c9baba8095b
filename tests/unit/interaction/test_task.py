"""A task: its states, its properties, who waits for it, and who is told."""

from __future__ import annotations

import concurrent.futures
from typing import Any
from uuid import UUID

import pytest

from syncio.errors import ConfigurationError, RequestTimeout
from syncio.interaction import (
    Master,
    RequestException,
    SlaveConnection,
    Task,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskStatus,
    TaskTimeout,
)
from syncio.interaction.task import ENDS, TASK_STATES

from ..runtime.kinds import MOMENT, PATIENCE
from ..streams.duplex import Doing
from .peers import OK, Answer, DrivenSlave, Ends, Request, finish

TIMES_THAT_ARE_NONE = [0, -1, 0.0, float("nan"), "1", True]


class Telling(DrivenSlave):
    """Says how far it is before it does the rest, and notes whether anybody still wants a result."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.unwanted = self.runtime.event()
        """Set when a task has been cancelled."""

    def _process_task(self, task: Any) -> Any:
        for value in task.get("progress", ()):
            self.progress(value)
        if task.get("until cancelled"):
            self.begun.put(task)
        while task.get("until cancelled"):
            if self.is_cancelled:
                self.unwanted.set()
                return None
            self.runtime.event().wait(0.002)
        return super()._process_task(task)


def test_the_table() -> None:
    """What has ended stays so, a task that was not started can only be started or cancelled, all else may end."""
    for end in (*ENDS, TaskStatus.START_FAILED):
        assert not any(TASK_STATES.allows(end, status) for status in TaskStatus)
    allowed = {status for status in TaskStatus if TASK_STATES.allows(TaskStatus.IDLE, status)}
    assert allowed == {TaskStatus.STARTING, TaskStatus.CANCELLED}
    for end in ENDS:
        assert TASK_STATES.allows(TaskStatus.STARTING, end) and TASK_STATES.allows(TaskStatus.STARTED, end)


# ---------------------------------------------------------------------- what there is to know


def test_a_task_that_was_not_started(connection: SlaveConnection) -> None:
    """A new task knows its data and has nothing else; nobody waits for it, and its slave has not heard of it."""
    task = connection.new_task({"a": 1}, 3.0)
    assert UUID(task.id).version == 4
    assert (task.status, task.task, task.timeout) == (TaskStatus.IDLE, {"a": 1}, 3.0)
    assert (task.result, task.progress, task.error, task.done()) == (None, None, None, False)
    assert task.join() is task and task.exception() is None
    assert connection.tasks == [] and connection.free_slots == 1
    assert repr(task) == f"<Task {task.id} IDLE>"


def test_a_task_that_is_under_way(slave: DrivenSlave, connection: SlaveConnection) -> None:
    """A task that was taken is STARTED, holds its slave's slot, and has no result yet."""
    task = connection.new_task({"wait": True, "a": 1}).start()
    assert (task.status, task.result, task.error, task.done()) == (TaskStatus.STARTED, None, None, False)
    assert connection.tasks == [task] and connection.free_slots == 0
    slave.release.set()
    assert task.join(PATIENCE).done() and task.result == {"sum": 1}
    assert connection.tasks == [] and connection.free_slots == 1


def test_a_task_is_started_once(connection: SlaveConnection) -> None:
    """Whatever has become of a task, it cannot be started a second time, and nothing changes."""
    completed = connection.new_task({"a": 1}).start().join(PATIENCE)
    cancelled = connection.new_task({})
    assert cancelled.cancel()
    for task in (completed, cancelled):
        before = task.status
        with pytest.raises(ValueError, match="IDLE"):
            task.start()
        assert task.status is before
    assert connection.tasks == []


def test_two_tasks_of_a_name_are_two(connection: SlaveConnection) -> None:
    """Each task has an id of its own."""
    assert connection.new_task({}).id != connection.new_task({}).id


@pytest.mark.parametrize("timeout", TIMES_THAT_ARE_NONE)
def test_times_that_are_none(plain: Ends, timeout: Any) -> None:
    """A task in no time is refused when it is made, by a connection and by the pool, which has nothing of it."""
    master = plain.master()
    with pytest.raises(ConfigurationError):
        master.new_connection("one", "127.0.0.1", 1).new_task({}, timeout)
    with pytest.raises(ConfigurationError):
        master.submit({}, timeout)
    assert master.drain(PATIENCE)


# ---------------------------------------------------------------------- its end


@pytest.mark.parametrize(
    ("data", "status", "error", "heard"),
    [
        ({"a": 1, "b": 2}, TaskStatus.COMPLETED, type(None), "complete"),
        ({"fail": {"why": "x"}}, TaskStatus.FAILED, TaskFailed, "fail"),
        ({"wait": True, "late": True}, TaskStatus.FAILED, TaskTimeout, "fail"),
        ({"wait": True, "lost": True}, TaskStatus.LOST, TaskLost, "fail"),
        ({"wait": True, "cancelled": True}, TaskStatus.CANCELLED, TaskCancelled, None),
    ],
    ids=["completed", "failed", "too late", "lost", "cancelled"],
)
def test_every_end(
    slave: DrivenSlave, connection: SlaveConnection, data: Any, status: TaskStatus, error: type, heard: str | None
) -> None:
    """However a task ends, everybody who waits in any way hears of it, and its slot is free."""
    calls: list[Any] = []
    task = connection.new_task(data, 0.05 if "late" in data else None)
    task.on_complete(lambda data, result: calls.append(("complete", data, result)))
    task.on_fail(lambda data, result: calls.append(("fail", data, result)))
    done = connection.runtime.queue()
    task.add_done_callback(done.put)
    task.start()
    joining = Doing(connection.runtime, task.join)
    if "lost" in data:
        slave.close()
    if "cancelled" in data:
        assert task.cancel() and not task.cancel()
    assert joining.outcome() is task and task.join() is task and task.done()
    assert task.status is status and isinstance(task.error, error) and isinstance(task.exception(), error)
    assert calls == ([] if heard is None else [(heard, data, task.result)])
    assert connection.tasks == []
    future = done.get(timeout=PATIENCE)
    assert future is task.future and future.done()
    if status is TaskStatus.COMPLETED:
        assert future.result() == task.result == {"sum": 3}
    elif status is TaskStatus.CANCELLED:
        assert future.cancelled()
    else:
        assert future.exception() is task.error


def test_join_takes_no_longer_than_it_may(slave: DrivenSlave, connection: SlaveConnection) -> None:
    """`join`, `exception` and the future's `result` give up after their time; the task goes on."""
    task = connection.new_task({"wait": True}).start()
    for wait in (task.join, task.exception):
        with pytest.raises(RequestTimeout):
            wait(0.01)
    with pytest.raises(concurrent.futures.TimeoutError):
        task.future.result(0.01)
    slave.release.set()
    assert task.join(PATIENCE).status is TaskStatus.COMPLETED


def test_many_wait_for_one(slave: DrivenSlave, connection: SlaveConnection) -> None:
    """All who join a task come back."""
    task = connection.new_task({"wait": True}).start()
    joining = [Doing(connection.runtime, task.join) for _ in range(5)]
    assert joining[0].is_waiting()
    slave.release.set()
    assert [join.outcome() for join in joining] == [task] * 5


def test_a_task_that_is_too_late_frees_its_slot(ends: Ends) -> None:
    """A slave hears that a task's time is over, and does the next one; what the first brings changes nothing."""
    slave = ends.slave(Telling)
    connection = ends.connected(ends.master(), slave)
    late = connection.new_task({"until cancelled": True}, 0.3).start()
    slave.begun.get(timeout=PATIENCE)
    assert isinstance(late.exception(PATIENCE), TaskTimeout) and "0.3 s" in str(late.error)
    assert late.result["error"]["type"] == "TaskTimeout"
    assert slave.unwanted.wait(PATIENCE)
    assert ends.wait(lambda: starts(connection))
    assert late.status is TaskStatus.FAILED


def test_a_task_in_time_is_not_too_late(connection: SlaveConnection) -> None:
    """A task that is done in its time stays COMPLETED when that is over."""
    task = connection.new_task({"a": 1}, 0.2).start().join(PATIENCE)
    with pytest.raises(RequestTimeout):
        connection.new_task({"wait": True}).start().join(0.3)
    assert task.status is TaskStatus.COMPLETED


def test_cancelling_tells_the_slave(ends: Ends) -> None:
    """A slave of ours hears in the middle of a task that nobody wants it, and is free for the next one."""
    slave = ends.slave(Telling)
    connection = ends.connected(ends.master(), slave)
    task = connection.new_task({"until cancelled": True}).start()
    slave.begun.get(timeout=PATIENCE)
    assert task.cancel() and task.status is TaskStatus.CANCELLED
    assert slave.unwanted.wait(PATIENCE)


def test_a_result_may_come_before_the_answer(plain: Ends) -> None:
    """A slave that brings the result, and then has no answer to the start, has done the task: `start` is content."""
    master = plain.master()

    def done_already(request: Request) -> Answer:
        if request.path != "/task/new":
            return 200, OK
        finish(master, request.token, request.body["task"]["id"], {"sum": 7})
        return None

    task = plain.connected(master, plain.peer(done_already)).new_task({}).start()
    assert task.join(PATIENCE).result == {"sum": 7}
    assert task.status is TaskStatus.COMPLETED and task.error is None


# ---------------------------------------------------------------------- callbacks


def test_callbacks_are_called_in_order(connection: SlaveConnection) -> None:
    """Callbacks are called in the order in which they were added, with data and result, before `join` returns."""
    calls: list[Any] = []
    task = connection.new_task({"a": 1})
    for number in range(10):
        task.on_complete(lambda data, result, number=number: calls.append((number, data, result)))
    task.start().join(PATIENCE)
    assert calls == [(number, {"a": 1}, {"sum": 1}) for number in range(10)]


@pytest.mark.parametrize(("data", "kind"), [({"a": 1}, "on_complete"), ({"fail": {"x": 1}}, "on_fail")])
def test_a_callback_that_comes_late_is_called(connection: SlaveConnection, data: Any, kind: str) -> None:
    """A callback that is added when the task is over is called all the same, and one for another end is not."""
    heard, other = connection.runtime.queue(), {"on_complete": "on_fail", "on_fail": "on_complete"}[kind]
    task = connection.new_task(data).start().join(PATIENCE)
    getattr(task, other)(lambda data, result: heard.put("wrong"))
    for number in range(3):
        getattr(task, kind)(lambda data, result, number=number: heard.put((number, data, result)))
    assert [heard.get(timeout=PATIENCE) for _ in range(3)] == [(n, data, task.result) for n in range(3)]
    assert heard.empty()


def test_no_callback_is_lost_on_the_way(ends: Ends, connection: SlaveConnection) -> None:
    """Callbacks that are added while a task ends are each called once."""
    for _ in range(20):
        heard = ends.runtime.queue()
        task = connection.new_task({"a": 1}).start()
        for number in range(20):
            task.on_complete(lambda data, result, number=number, heard=heard: heard.put(number))
        assert [heard.get(timeout=PATIENCE) for _ in range(20)] == list(range(20))
        task.join(PATIENCE)
        assert heard.empty()


def test_progress(ends: Ends) -> None:
    """What the slave says while it works is known, and told in order, before the end."""
    slave = ends.slave(Telling)
    connection = ends.connected(ends.master(), slave)
    heard = ends.runtime.queue()
    task = connection.new_task({"progress": [{"done": 0.5}], "wait": True})
    task.on_progress(lambda data, value: heard.put(value)).on_complete(lambda data, result: heard.put("over"))
    task.start()
    assert heard.get(timeout=PATIENCE) == task.progress == {"done": 0.5}
    slave.release.set()
    task.join(PATIENCE)
    assert heard.get(timeout=PATIENCE) == "over" and task.progress == {"done": 0.5}


def test_progress_of_what_is_over(connection: SlaveConnection) -> None:
    """What is said of a task that is over is not told, and changes nothing."""
    heard: list[Any] = []
    task = connection.new_task({}).on_progress(lambda data, value: heard.append(value)).start().join(PATIENCE)
    task.progressed(0.9)
    assert task.progress is None and heard == []


# ---------------------------------------------------------------------- its future


def test_futures_are_those_of_the_library(ends: Ends, master: Master) -> None:
    """`wait` and `as_completed` of `concurrent.futures` take the futures of several slaves."""
    slaves = [ends.slave() for _ in range(3)]
    connections = [ends.connected(master, slave, str(number)) for number, slave in enumerate(slaves)]
    tasks = [one.new_task({"wait": True, "a": number}).start() for number, one in enumerate(connections)]
    futures = [task.future for task in tasks]
    assert concurrent.futures.wait(futures, MOMENT).done == set()
    slaves[1].release.set()
    first = concurrent.futures.wait(futures, PATIENCE, concurrent.futures.FIRST_COMPLETED)
    assert first.done == {futures[1]}
    for slave in slaves:
        slave.release.set()
    done = concurrent.futures.as_completed(futures, PATIENCE)
    assert sorted(future.result()["sum"] for future in done) == [0, 1, 2]
    assert all(task.future is future for task, future in zip(tasks, futures, strict=True))


def test_the_future_of_a_task_that_has_failed(connection: SlaveConnection) -> None:
    """A future raises what went wrong, with what the slave says of it."""
    task = connection.new_task({"fail": {"why": "x"}}).start()
    with pytest.raises(TaskFailed) as caught:
        task.future.result(PATIENCE)
    assert caught.value is task.future.exception() and caught.value.result == {"why": "x"}


@pytest.mark.parametrize("starts", [False, True])
def test_cancelling_a_future(slave: DrivenSlave, connection: SlaveConnection, starts: bool) -> None:
    """A future that is cancelled, before the start or behind it, cancels its task; those who wait hear of it."""
    task = connection.new_task({"wait": True})
    if starts:
        task.start()
    future, heard = task.future, connection.runtime.queue()
    future.add_done_callback(heard.put)
    waiting = Doing(connection.runtime, concurrent.futures.wait, [future], PATIENCE)
    assert future.cancel() and future.cancel() and future.cancelled()
    assert task.status is TaskStatus.CANCELLED and task.join(PATIENCE).done()
    assert heard.get(timeout=PATIENCE) is future and waiting.outcome().done == {future}
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(PATIENCE)
    assert connection.tasks == []


def test_what_is_done_cannot_be_cancelled(connection: SlaveConnection) -> None:
    """Neither a task nor its future can be cancelled when it is over."""
    task = connection.new_task({"a": 1}).start().join(PATIENCE)
    assert not task.cancel() and not task.future.cancel()
    assert task.status is TaskStatus.COMPLETED and task.future.result() == {"sum": 1}


def test_a_future_that_is_asked_for_late_is_done(connection: SlaveConnection) -> None:
    """The future of a task that is over, or was not taken, is done at once."""
    completed = connection.new_task({"a": 1}).start().join(PATIENCE)
    refused = connection.new_task({"refuse": {"why": "x"}})
    with pytest.raises(Exception, match="refused"):
        refused.start()
    assert completed.future.done() and refused.future.exception(PATIENCE) is refused.error
    assert isinstance(refused.error, Exception) and not isinstance(refused.error, RequestException)


def test_ending_and_cancelling_at_once(ends: Ends, connection: SlaveConnection) -> None:
    """A future that is cancelled while its task ends is done one way or the other, and its slot is free."""
    for _ in range(30):
        task: Task = connection.new_task({"a": 1})
        future = task.future
        task.start()
        cancelled = future.cancel()
        assert concurrent.futures.wait([future], PATIENCE).done == {future}
        assert future.cancelled() == cancelled and task.join(PATIENCE).done()
        assert ends.wait(lambda: connection.free_slots == 1)
        # The slave may still be at work on what nobody wants: wait until it is not.
        again = ends.wait(lambda: starts(connection))
        assert again


def starts(connection: SlaveConnection) -> bool:
    """Whether a slave has done another task, which it may be too busy for."""
    task = connection.new_task({"a": 1})
    try:
        task.start()
    except Exception:
        return False
    return task.join(PATIENCE).status is TaskStatus.COMPLETED
