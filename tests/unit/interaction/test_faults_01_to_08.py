"""The faults of the original 1 to 8, by their numbers in the specification: ours has none of them."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from syncio.interaction import (
    HTTPError,
    Master,
    SlaveConnection,
    TaskFail,
    TaskLost,
    TaskStatus,
)

from ..runtime.kinds import PATIENCE
from .peers import (
    OK,
    Answer,
    DrivenSlave,
    Ends,
    ask,
    connect_as,
    finish,
    task_of,
)

# ---------------------------------------------------------------------- 1: the end of the server

LEAVES = """
from syncio.interaction import Master, Slave
class Busy(Slave):
    def _process_task(self, task):
        import time
        time.sleep(60)
slave, master = Busy(host='127.0.0.1', port=0), Master(host='127.0.0.1', port=0)
slave.start()
master.start()
connection = master.new_connection('one', '127.0.0.1', slave.port)
connection.connect()
connection.new_task({}).start()
print('done')
"""


def test_01_a_process_ends_that_has_closed_nothing() -> None:
    """A running master and a slave with a task keep no process alive."""
    done = subprocess.run([sys.executable, "-c", LEAVES], capture_output=True, text=True, timeout=PATIENCE * 3)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_01_it_answers_when_start_returns_and_nobody_does_when_close_returns(ends: Ends) -> None:
    """Between start and close, and only there, somebody listens, with the web framework that there is."""
    for end in (ends.master(), ends.slave()):
        assert ask(end.port, "GET", "/ping", Token="wrong").status == 403
        assert end.ping()
        port = end.port
        end.shutdown()
        end.join(PATIENCE)
        assert not end.ping()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), PATIENCE)


# ---------------------------------------------------------------------- 2: what is printed


def test_02_nothing_is_printed(ends: Ends, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """Start, heartbeats, tasks and the end print nothing, and log nothing above DEBUG."""
    caplog.set_level(logging.INFO)
    master, slave = ends.master(), ends.slave()
    connection = ends.connected(master, slave)
    connected_at = connection.last_heartbeat
    assert connection.new_task({"a": 1, "b": 2}).start().join(PATIENCE).result == {"sum": 3}
    assert ends.wait(lambda: connection.last_heartbeat > connected_at)
    connection.disconnect()
    slave.close()
    master.close()
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------- 3 and 4: callbacks


def test_03_a_callback_may_touch_its_connection(
    ends: Ends, master: Master, slave: DrivenSlave, connection: SlaveConnection
) -> None:
    """A callback asks and lists its connection and its master, and disconnects; `join` returns behind it."""
    seen: list[Any] = []

    def look(data: Any, result: Any) -> None:
        seen.extend([connection.is_connected, connection.tasks, "one" in master, list(master), master["one"]])
        connection.disconnect()
        seen.append(connection.is_connected)

    task = connection.new_task({"a": 1}).on_complete(look).start().join(PATIENCE)
    assert task.status is TaskStatus.COMPLETED
    assert seen == [True, [], True, ["one"], connection, False]
    assert not slave.is_connected


def test_03_a_callback_may_start_and_join_another_task(ends: Ends, connection: SlaveConnection) -> None:
    """A callback does a second task on the same connection, whose callback does a third."""
    results: list[Any] = []

    def again(left: int) -> Callable[[Any, Any], None]:
        def done(data: Any, result: Any) -> None:
            results.append(result["sum"])
            if left:
                connection.new_task({"a": left}).on_complete(again(left - 1)).start().join(PATIENCE)

        return done

    connection.new_task({"a": 9}).on_complete(again(2)).start().join(PATIENCE)
    assert results == [9, 2, 1]


def test_03_a_callback_may_close_its_master(ends: Ends, master: Master, connection: SlaveConnection) -> None:
    """A callback closes the master that calls it."""
    task = connection.new_task({"a": 1}).on_complete(lambda data, result: master.close())
    task.start().join(PATIENCE)
    assert not master.ping()
    assert not connection.is_connected


@pytest.mark.parametrize(("data", "status"), [({"a": 1}, "COMPLETED"), ({"fail": {"a": 1}}, "FAILED")])
def test_04_a_callback_may_raise(
    ends: Ends,
    connection: SlaveConnection,
    caplog: pytest.LogCaptureFixture,
    data: dict[str, Any],
    status: str,
) -> None:
    """An error of a callback is logged; the next callback is called, `join` returns, and the next task is done."""
    heard, error = ends.runtime.queue(), ValueError("mine")

    def fail(data: Any, result: Any) -> None:
        raise error

    for _ in range(2):
        task = connection.new_task(data)
        for callback in (fail, lambda data, result: heard.put(result)):
            task.on_complete(callback).on_fail(callback)
        assert task.start().join(PATIENCE).status.name == status
        assert heard.get(timeout=PATIENCE) == task.result
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert errors == [error, error]


# ---------------------------------------------------------------------- 5: tasks that nobody knows


def test_05_unknown_and_duplicate_results_do_no_harm(plain: Ends) -> None:
    """An unknown id is refused with 404, one that is over gets 200 again; later results arrive all the same."""
    master, peer = plain.master(), plain.peer()
    connection = plain.connected(master, peer)
    token = peer.next("/connect").token
    heard: list[Any] = []
    for number in range(2):
        reply = finish(master, token, str(uuid4()), {"number": -1})
        assert (reply.status, reply.code) == (404, 601)
        task = connection.new_task({}).on_complete(lambda data, result: heard.append(result)).start()
        task_id = task_of(peer)
        for again in range(3):
            assert finish(master, token, task_id, {"number": number + again}).status == 200
        assert task.join(PATIENCE).result == {"number": number}
    assert heard == [{"number": 0}, {"number": 1}]


def test_05_a_result_of_a_task_of_another_slave_is_refused(plain: Ends) -> None:
    """A slave cannot end the task of another one."""
    master, good, bad = plain.master(), plain.peer(), plain.peer()
    task = plain.connected(master, good, "good").new_task({}).start()
    plain.connected(master, bad, "bad")
    task_id = task_of(good)
    assert finish(master, bad.next("/connect").token, task_id, {"from": "bad"}).status == 404
    assert task.status is TaskStatus.STARTED


# ---------------------------------------------------------------------- 6: what is raised while a task is done


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("out of range"), "ValueError", "out of range"),
        (RecursionError("too deep"), "RecursionError", "too deep"),
        (SystemExit(3), "SystemExit", "3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_06_errors_of_a_task_are_reported(ends: Ends, error: BaseException, kind: str, message: str) -> None:
    """Whatever a task raises, its master hears the type and the message; the slave does the next task."""

    class Raising(DrivenSlave):
        def _process_task(self, task: Any) -> Any:
            if task.get("raises"):
                raise error
            return super()._process_task(task)

    connection = ends.connected(ends.master(), ends.slave(Raising))
    task = connection.new_task({"raises": True}).start().join(PATIENCE)
    assert task.status is TaskStatus.FAILED
    said = task.result["error"]
    assert (said["type"], said["message"]) == (kind, message)
    assert "_process_task" in said["traceback"]
    assert connection.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}


def test_06_a_result_that_is_no_json_is_an_error_of_the_task(ends: Ends) -> None:
    """A result, or the result of a `TaskFail`, that cannot go into JSON makes the task fail with a TypeError."""

    class Odd(DrivenSlave):
        def _process_task(self, task: Any) -> Any:
            if task.get("fails"):
                raise TaskFail({"object": object()})
            return {"object": object()}

    connection = ends.connected(ends.master(), ends.slave(Odd))
    for data in ({}, {"fails": True}):
        task = connection.new_task(data).start().join(PATIENCE)
        assert task.status is TaskStatus.FAILED
        assert task.result["error"]["type"] == "TypeError"


def test_06_errors_of_the_hook_are_an_answer(ends: Ends, connection: SlaveConnection) -> None:
    """A slave whose `_before_task` raises what it should not refuses the task, with the wire and without it."""
    task = connection.new_task({"break": "mine"})
    with pytest.raises(HTTPError) as caught:
        task.start()
    assert caught.value.response.status_code == 500
    assert task.status is TaskStatus.START_FAILED
    assert connection.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}


# ---------------------------------------------------------------------- 7: slaves that die


def test_07_tasks_of_a_silent_slave_are_lost(plain: Ends) -> None:
    """A slave that sends no heartbeats is lost, its task is LOST, every join returns, and the name is free."""

    class Hearing(Master):
        def _lost_slave(self, name: str, reason: str) -> None:
            lost.put((name, reason))

    lost = plain.runtime.queue()
    master, peer = plain.master(Hearing, heartbeat_tolerance=0.3, heartbeat_check_span=0.1), plain.peer()
    connection = plain.connected(master, peer)
    heard: list[Any] = []
    task = connection.new_task({}).on_fail(lambda data, result: heard.append(result)).start().join(PATIENCE)
    assert task.status is TaskStatus.LOST
    assert isinstance(task.error, TaskLost)
    assert [result["error"]["type"] for result in heard] == ["TaskLost"]
    assert not connection.is_connected and "one" not in master and connection.tasks == []
    assert lost.get(timeout=PATIENCE)[0] == "one"
    assert plain.connected(master, plain.peer()) is master["one"]


# ---------------------------------------------------------------------- 8: heartbeats that are answered with a no


@pytest.mark.parametrize("answer", [(403, {**OK, "success": False, "code": 502}), (401, b"<html>"), None])
def test_08_a_master_that_does_not_know_the_slave_is_lost(plain: Ends, answer: Answer) -> None:
    """A slave whose heartbeats are refused, or not answered, tells its hook, is free, and has a heart still."""
    slave, first, second = plain.slave(), plain.peer(lambda request: answer), plain.peer()
    assert connect_as(slave, first, "t1") == 200
    assert slave.lost.get(timeout=PATIENCE)[0] == first.url
    assert not slave.is_connected
    assert connect_as(slave, second, "t2") == 200
    assert [second.next("/slave/heartbeat").token for _ in range(2)] == ["t2", "t2"]


def test_08_a_heartbeat_before_the_master_knows_its_slave_is_no_loss(plain: Ends) -> None:
    """The first heartbeat may come before the original has registered its slave: a no is no end then."""
    answers = iter([(403, {**OK, "success": False, "code": 502})])
    slave, peer = plain.slave(heartbeat_span=0.5), plain.peer(lambda request: next(answers, (200, OK)))
    assert connect_as(slave, peer, "t1") == 200
    for _ in range(2):
        peer.next("/slave/heartbeat")
    assert slave.is_connected and slave.lost.empty()


def test_08_connecting_again_and_again(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """A slave that beats as fast as it may can be connected and disconnected many times."""
    for _ in range(30):
        connection = ends.connected(master, slave)
        connection.disconnect()
        assert not connection.is_connected and not slave.is_connected
    assert slave.lost.empty()
