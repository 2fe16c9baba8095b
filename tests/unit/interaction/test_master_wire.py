"""The master's end of the wire: what it understands, and that nothing is lost when it breaks."""

from __future__ import annotations

from typing import Any

import pytest

from syncio.interaction import HTTPError, Task, TaskStatus

from ..runtime.kinds import PATIENCE
from ..streams.duplex import Doing
from .peers import DrivenSlave, Ends, ends_of_a_test


@pytest.fixture
def wired() -> Any:
    """Ends that use the wire."""
    yield from ends_of_a_test(True)


class Counting(DrivenSlave):
    """Counts how often each task is done."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.done: list[Any] = []

    def _process_task(self, task: Any) -> Any:
        self.done.append(task.get("a"))
        return super()._process_task(task)


NONSENSE = [
    "7", "null", '"x"', "[]", "{}", "[7]", "[[]]", '["nothing"]', '["done"]', '["done",7]', '["done","x","odd",1]',
    '["done","x","complete"]', '["done","x","complete",1,2]', '["done",[],"complete",1]', '["done",{},"fail",1]',
    '["took"]', '["took","x"]', '["took","x",200]', '["took","x",200,7]', '["took","x","y",{}]', '["took","x",200,{}]',
    '["took",[],500,{}]', '["took","x",500,null]', '["progress","x"]', '["progress",{},1]', '["alive",1]', '["bye",1]',
    "not json", "", "[" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE, ids=[text[:30] for text in NONSENSE])
def test_messages_that_mean_nothing(wired: Ends, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """A message that means nothing changes nothing: the wire stays, and the task in its middle is done."""
    master, slave = wired.master(), wired.slave()
    connection = wired.connected(master, slave)
    task = connection.new_task({"wait": True, "a": 1}).start()
    assert slave.link is not None and slave.link.send is not None
    slave.link.send(text)
    slave.link.send(text.replace('"x"', f'"{task.id}"') if "[" in text and "done" not in text else text)
    slave.release.set()
    assert task.join(PATIENCE).result == {"sum": 1}
    assert connection.has_wire and connection.is_connected and connection.tasks == []
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


def test_a_slave_that_refuses_by_the_wire(wired: Ends) -> None:
    """A refusal with a code that there is not is an HTTPError with the status."""
    connection = wired.connected(wired.master(), wired.slave())
    task = connection.new_task({"break": "x"})
    with pytest.raises(HTTPError) as caught:
        task.start()
    assert caught.value.response.status_code == 500 and connection.has_wire


# ---------------------------------------------------------------------- when it breaks


def through_a_proxy(ends: Ends, kind: type[DrivenSlave] = Counting, **options: Any) -> Any:
    """A slave, what stands before it, and its master's connection."""
    slave = ends.slave(kind, **options)
    proxy = ends.proxy(slave)
    connection = ends.connected(ends.master(), proxy)
    assert connection.has_wire
    return slave, proxy, connection


def test_a_wire_that_was_cut_is_dialled_again(wired: Ends) -> None:
    """A wire that was cut is soon there again; meanwhile the slave is connected, and tasks go over HTTP."""
    slave, proxy, connection = through_a_proxy(wired)
    for number in range(3):
        proxy.cut()
        assert connection.new_task({"a": number}).start().join(PATIENCE).result == {"sum": number}
        assert wired.wait(lambda: connection.has_wire) and connection.is_connected
    assert slave.done == [0, 1, 2] and slave.lost.empty()


def test_a_task_that_was_kept_back(wired: Ends) -> None:
    """A task that has not reached the slave when the wire breaks goes over HTTP, and is done once."""
    slave, proxy, connection = through_a_proxy(wired)
    proxy.hold()
    task = connection.new_task({"a": 5})
    starting = Doing(wired.runtime, task.start)
    assert starting.is_waiting()
    proxy.cut()
    assert starting.outcome().join(PATIENCE).result == {"sum": 5}
    assert slave.done == [5] and connection.tasks == []


def test_an_answer_that_was_kept_back(wired: Ends) -> None:
    """A task that the slave has, though its answer was lost with the wire, is done once, and its result arrives."""
    slave, proxy, connection = through_a_proxy(wired)
    task = connection.new_task({"wait": True, "a": 5})
    starting = Doing(wired.runtime, task.start)
    slave.begun.get(timeout=PATIENCE)
    proxy.cut()
    starting.outcome()
    slave.release.set()
    assert task.join(PATIENCE).result == {"sum": 5} and slave.done == [5]


def test_a_result_that_was_kept_back(wired: Ends) -> None:
    """A result that was lost with the wire comes over HTTP, and is told once."""
    slave, proxy, connection = through_a_proxy(wired)
    heard: list[Any] = []
    task = connection.new_task({"wait": True, "a": 5}).on_complete(lambda data, result: heard.append(result)).start()
    slave.begun.get(timeout=PATIENCE)
    proxy.hold()
    slave.release.set()
    assert wired.wait(lambda: slave.drain(0.0))
    proxy.cut()
    assert task.join(PATIENCE).result == {"sum": 5}
    assert heard == [{"sum": 5}] and slave.done == [5] and connection.completed == 1


def test_a_session_that_the_slave_ends(wired: Ends) -> None:
    """A wire that the slave's server ends is no loss for tasks in their middle."""
    slave = wired.slave(Counting, slots=3)
    connection = wired.connected(wired.master(), slave)
    tasks = [connection.new_task({"wait": True, "a": number}).start() for number in range(3)]
    slave._wire._server.disconnect(slave._wire._sid)
    slave.release.set()
    assert [task.join(PATIENCE).result["sum"] for task in tasks] == [0, 1, 2]
    assert sorted(slave.done) == [0, 1, 2] and wired.wait(lambda: connection.has_wire)


def test_a_wire_that_is_cut_again_and_again(wired: Ends) -> None:
    """While the wire is cut at any moment every task is done once, told once, and the slave stays connected."""
    proxy, connection = through_a_proxy(wired, slots=4)[1:]
    heard: list[Any] = []
    over = wired.runtime.event()

    def cut() -> None:
        while not over.is_set():
            proxy.cut()
            wired.wait(lambda: not connection.has_wire or over.is_set())
            wired.wait(lambda: connection.has_wire or over.is_set())

    cutting = Doing(wired.runtime, cut)
    try:
        futures = [connection._master.submit({"a": number}) for number in range(150)]
        for future in futures:
            heard.append(future.result(PATIENCE)["sum"])
    finally:
        over.set()
        cutting.outcome()
    assert heard == list(range(150))
    assert connection._master.drain(PATIENCE) and connection.tasks == [] and connection.is_connected


def test_a_wire_that_breaks_while_nobody_can_be_reached(wired: Ends) -> None:
    """When a slave is gone for good with its wire, its tasks are lost, whether they had been taken or not."""
    proxy, connection = through_a_proxy(wired)[1:]
    task: Task = connection.new_task({"wait": True}).start()
    proxy.hold()
    connection.abandon()
    assert task.join(PATIENCE).status is TaskStatus.LOST and not connection.has_wire
    assert connection.tasks == []
