"""The faults of the original, by their numbers in the specification: ours has none of them."""

from __future__ import annotations

import gc
import hmac
import http.client
import json
import logging
import queue
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from syncio.errors import BusyError, LocalError, RequestTimeout
from syncio.interaction import (
    Coordinator,
    HTTPError,
    Master,
    RequestException,
    SlaveConnection,
    SlaveMasterTokenInvalid,
    SlaveSlaveAlreadyConnected,
    SlaveSlaveConnectionRefused,
    SlaveTaskAlreadyExist,
    SlaveTaskRefused,
    TaskFail,
    TaskLost,
    TaskRetry,
    TaskStatus,
    Worker,
)
from syncio.interaction.config import (
    DEFAULT_HEARTBEAT_TOLERANCE,
    DEFAULT_MASTER_PORT,
    DEFAULT_REQUEST_RETRIES,
    MasterConfig,
    SlaveConfig,
)

from ..runtime.kinds import PATIENCE
from ..streams.duplex import Doing
from .peers import OK, OPTIONS, Answer, DrivenSlave, Ends, Peer, Request, ask, tasks_of_ours, wire_of

IDS = {"id": "00000000-0000-4000-8000-000000000001"}


def connect_as(slave: DrivenSlave, peer: Peer, token: str, data: Any = None) -> int:
    """Have a slave connected to a master of raw HTTP; the status of its answer."""
    body = {"master": {"address": peer.url}, "data": data or {}}
    return ask(slave.port, "POST", "/connect", body, Token=token).status


def give(slave: DrivenSlave, token: str, task_id: str, data: Any) -> int:
    """Give a slave a task, in raw HTTP; the status of its answer."""
    return ask(slave.port, "POST", "/task/new", {"task": {"id": task_id}, "data": data}, Token=token).status


def task_of(peer: Peer) -> str:
    """The id of the task that a slave of raw HTTP is given next."""
    return str(peer.next("/task/new").body["task"]["id"])


def finish(master: Master, token: str, task_id: Any, result: Any = None) -> Any:
    """Say as a slave of raw HTTP that a task is completed; the answer."""
    body = {"task": {"id": task_id}, "result": result}
    return ask(master.port, "PUT", "/slave/task/complete", body, Token=token)


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


# ---------------------------------------------------------------------- 9: which result is whose


def test_09_a_result_goes_with_its_own_task(plain: Ends) -> None:
    """A task that is offered while another one is about to be reported changes nothing of that report."""
    offers: list[int] = []
    one, two = str(uuid4()), str(uuid4())

    class Meddling(TaskFail):
        """Offers the slave a second task in the moment in which the original has none, and has reported none."""

        @property
        def result(self) -> Any:
            offers.append(give(slave, "t1", two, {"a": 2}))
            return {"of": one}

        @result.setter
        def result(self, value: Any) -> None:
            pass

    class Mixed(DrivenSlave):
        def _process_task(self, task: Any) -> Any:
            if task.get("first"):
                raise Meddling()
            return super()._process_task(task)

    slave, peer = plain.slave(Mixed), plain.peer()
    connect_as(slave, peer, "t1")
    give(slave, "t1", one, {"first": True})
    assert peer.next("/slave/task/fail").body == {"task": {"id": one}, "result": {"of": one}}
    if offers == [400]:
        assert plain.wait(lambda: give(slave, "t1", two, {"a": 2}) == 200)
    assert peer.next("/slave/task/complete").body == {"task": {"id": two}, "result": {"sum": 2}}


def test_09_tasks_that_follow_each_other_at_once(plain: Ends) -> None:
    """Tasks that are offered again until the slave is free all come back, each with its own result."""
    slave, peer = plain.slave(), plain.peer()
    connect_as(slave, peer, "t1")
    wanted = {str(uuid4()): number for number in range(40)}
    for task_id, number in wanted.items():
        assert plain.wait(lambda task_id=task_id, number=number: give(slave, "t1", task_id, {"a": number}) == 200)
    reports = [peer.next("/slave/task/complete").body for _ in wanted]
    assert {body["task"]["id"]: body["result"]["sum"] for body in reports} == wanted


# ---------------------------------------------------------------------- 10: who waits for whom


def test_10_joining_a_task_blocks_nobody(
    ends: Ends, master: Master, slave: DrivenSlave, connection: SlaveConnection
) -> None:
    """While somebody joins a task, its connection and its master can be asked; `join(timeout)` ends by itself."""
    task = connection.new_task({"wait": True, "a": 1}).start()
    joining = Doing(ends.runtime, task.join, PATIENCE)
    assert slave.begun.get(timeout=PATIENCE)
    assert connection.is_connected and connection.tasks == [task] and task.status is TaskStatus.STARTED
    with pytest.raises(RequestTimeout):
        task.join(0.01)
    with pytest.raises(SlaveTaskAlreadyExist):
        connection.new_task({}).start()
    slave.release.set()
    assert joining.outcome() is task


def test_10_joining_an_end_blocks_nobody(
    ends: Ends, master: Master, slave: DrivenSlave, connection: SlaveConnection
) -> None:
    """While somebody joins a master or a slave, others ping it, ask it for names and shut it down."""
    joins = [Doing(ends.runtime, end.join) for end in (master, slave)]
    assert all(join.is_waiting() for join in joins)
    assert master.ping() and slave.ping()
    assert "one" in master and "two" not in master and master["one"] is connection
    with pytest.raises(KeyError):
        master["two"]
    with pytest.raises(RequestTimeout):
        master.join(0.01)
    del master["one"]
    for end, join in zip((master, slave), joins, strict=True):
        end.shutdown()
        join.outcome()
    assert not master.ping() and not slave.ping()


# ---------------------------------------------------------------------- 11: a port that somebody has


@pytest.mark.parametrize("kind", [Master, DrivenSlave])
def test_11_a_port_in_use_is_an_error(plain: Ends, kind: type[Any]) -> None:
    """`start` raises an OSError for a port that somebody has, leaves nothing behind, and works when it is free."""
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    end = plain.add(kind(host="127.0.0.1", port=port, wire=False))
    for _ in range(2):
        with pytest.raises(OSError, match="in use"):
            end.start()
    assert not tasks_of_ours()
    end.close()
    taken.close()
    end.start()
    assert end.ping() and end.port == port


# ---------------------------------------------------------------------- 12: names


def test_12_a_name_has_one_live_connection(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """Of two connections with one name one is connected; the end of the other one does it no harm."""
    other = ends.slave()
    one = master.new_connection("one", "127.0.0.1", slave.port)
    two = master.new_connection("one", "127.0.0.1", other.port)
    one.connect()
    with pytest.raises(KeyError):
        two.connect()
    with pytest.raises(KeyError):
        master.new_connection("one", "127.0.0.1", other.port)
    assert two.disconnect() is None
    assert master["one"] is one and one.is_connected and not two.is_connected and not other.is_connected
    one.disconnect()
    two.connect()
    assert master["one"] is two


def test_12_a_name_is_taken_while_its_connection_is_being_made(plain: Ends) -> None:
    """A name is reserved before the slave has answered, and free when that says no."""
    opened, master = plain.runtime.event(), plain.master()

    def refuse_late(request: Request) -> Answer:
        assert opened.wait(PATIENCE)
        return 403, {**OK, "success": False, "code": 503}

    peer, slave = plain.peer(refuse_late), plain.slave()
    first = master.new_connection("one", "127.0.0.1", peer.port)
    second = master.new_connection("one", "127.0.0.1", slave.port)
    connecting = Doing(plain.runtime, first.connect)
    peer.next("/connect")
    with pytest.raises(KeyError):
        second.connect()
    with pytest.raises(BusyError):
        first.connect()
    assert "one" not in master and not slave.is_connected
    opened.set()
    with pytest.raises(SlaveSlaveConnectionRefused):
        connecting.outcome()
    second.connect()
    assert master["one"] is second


# ---------------------------------------------------------------------- 13: tasks that are refused


def test_13_a_refused_task_has_not_started(ends: Ends, slave: DrivenSlave, connection: SlaveConnection) -> None:
    """A refused task is START_FAILED with the slave's reason, its connection forgets it, and `join` returns."""
    task = connection.new_task({"refuse": {"why": "not today"}})
    with pytest.raises(SlaveTaskRefused) as caught:
        task.start()
    assert caught.value.data == {"why": "not today"}
    assert task.status is TaskStatus.START_FAILED and task.error is caught.value
    assert connection.tasks == [] and connection.free_slots == 1
    assert task.join(PATIENCE) is task and task.done()
    assert connection.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}


# ---------------------------------------------------------------------- 14: the end, and a new beginning


def seconds_of(call: Callable[[], object]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def closes_soon(prepare: Callable[[], Any]) -> bool:
    """Whether an end is closed within 0.2 seconds, in one of three attempts: others need the processors, too.

    :param prepare: gives an end that runs.
    """
    return any(seconds_of(prepare().close) < 0.2 for _ in range(3))


def test_14_an_end_is_closed_at_once(ends: Ends) -> None:
    """`close` takes less than 0.2 s: with nobody connected, with a live connection, and in the middle of a task."""
    assert closes_soon(ends.master)
    assert closes_soon(ends.slave)

    def pair(data: Any) -> tuple[Master, DrivenSlave]:
        master, slave = ends.master(), ends.slave()
        connection = ends.connected(master, slave)
        if data is not None:
            connection.new_task(data).start()
            slave.begun.get(timeout=PATIENCE)
        return master, slave

    for data in (None, {"wait": True}):
        assert closes_soon(lambda data=data: pair(data)[0])
        assert closes_soon(lambda data=data: pair(data)[1])


def test_14_a_peer_that_hangs_delays_no_end(plain: Ends) -> None:
    """Masters and slaves are closed within 0.2 s also if the other end takes connections and never answers."""

    def master_of_a_slave_that_hangs() -> Master:
        hang = plain.runtime.event()
        plain.add(Closing(hang.set))

        def answer(request: Request) -> Answer:
            if request.path == "/connect":
                return 200, OK
            hang.wait(PATIENCE)
            return None

        peer = plain.peer(answer)
        master: Master = plain.master()
        plain.connected(master, peer)
        return master

    def slave_of_a_master_that_hangs() -> DrivenSlave:
        slave: DrivenSlave = plain.slave()
        body = {"master": {"address": f"http://127.0.0.1:{plain.silent_port()}"}, "syncio": {}}
        assert ask(slave.port, "POST", "/connect", body, Token="t1").status == 200
        assert give(slave, "t1", str(uuid4()), {"a": 1}) == 200
        slave.begun.get(timeout=PATIENCE)
        return slave

    def slave_of_a_wire_that_hangs() -> DrivenSlave:
        slave: DrivenSlave = plain.slave(wire=True)
        body = {"master": {"address": f"http://127.0.0.1:{plain.silent_port()}"}, "syncio": {"wire": True}}
        assert ask(slave.port, "POST", "/connect", body, Token="t1").status == 200
        assert plain.add(wire_of(slave, Token="t1")).getresponse().status == 101
        return slave

    assert closes_soon(master_of_a_slave_that_hangs)
    assert closes_soon(slave_of_a_master_that_hangs)
    assert closes_soon(slave_of_a_wire_that_hangs)


class Closing:
    """A call at the end of a test."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.close = call


@pytest.mark.parametrize("takes", [True, False])
def test_14_closing_a_master_ends_what_it_connects(plain: Ends, takes: bool) -> None:
    """A connect to a slave that never answers, or that does not even take it, fails when its master is closed."""
    master = plain.master(request_retries=5)
    connection = master.new_connection("one", "127.0.0.1", plain.silent_port(takes))
    connecting = Doing(plain.runtime, connection.connect)
    assert connecting.is_waiting()
    master.close()
    with pytest.raises(RequestException):
        connecting.outcome()
    assert not connection.is_connected


def test_14_an_end_can_be_started_again(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """Closed masters and slaves begin anew: with new connections, tasks and heartbeats. Twice at once is an error."""
    for _ in range(3):
        connection = ends.connected(master, slave)
        beaten = connection.last_heartbeat
        assert connection.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}
        assert ends.wait(lambda c=connection, b=beaten: c.last_heartbeat > b)
        for end in (master, slave):
            with pytest.raises(LocalError):
                end.start()
            end.close()
            end.close()
        assert not connection.is_connected
        assert ends.wait(lambda: not tasks_of_ours()), tasks_of_ours()
        master.start()
        slave.start()
    assert list(master) == []


def test_14_the_task_of_a_closed_end_is_lost(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """Whichever end is closed, a task in its middle is LOST, and nobody waits for it."""
    for end in (slave, master):
        slave.release.clear()
        connection = ends.connected(master, slave)
        task = connection.new_task({"wait": True}).start()
        slave.begun.get(timeout=PATIENCE)
        end.close()
        assert task.join(PATIENCE).status is TaskStatus.LOST
        slave.release.set()
        if end is slave:
            slave.start()


def test_14_nothing_is_left_open(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """A connection that was let go, and is forgotten, leaves no socket to be closed by the collector."""
    for _ in range(3):
        connection = ends.connected(master, slave)
        connection.new_task({"a": 1}).start().join(PATIENCE)
        connection.disconnect()
        del connection
        gc.collect()  # a ResourceWarning is an error here


# ---------------------------------------------------------------------- 15: who may have a slave


def test_15_a_slave_is_had_by_who_may_have_it(plain: Ends) -> None:
    """Without the secret, or at an address that is not allowed, nobody gets a slave, nor is called by it."""
    stranger = plain.peer()
    guarded = plain.slave(secret="s3cret", heartbeat_span=0.2)
    picky = plain.slave(allowed_masters=["10.0.0.1"], heartbeat_span=0.2)
    for slave, code in ((guarded, 302), (picky, 503)):
        body = {"master": {"address": stranger.url}, "data": {}}
        reply = ask(slave.port, "POST", "/connect", body, Token="t1")
        assert (reply.status, reply.code) == (403, code)
        assert not slave.is_connected
    # By now a heart that belonged to the stranger would have beaten.
    own = plain.peer()
    free = plain.slave(heartbeat_span=0.2)
    connect_as(free, own, "t1")
    for _ in range(2):
        own.next("/slave/heartbeat")
    with pytest.raises(queue.Empty):
        stranger.requests.get_nowait()


# ---------------------------------------------------------------------- 16: tokens


def test_16_tokens_cannot_be_guessed(plain: Ends) -> None:
    """Who knows the state of `random` knows no token; each digit has four bits."""
    tokens = []
    for _ in range(2):
        random.seed(7)
        master, peer = plain.master(), plain.peer()
        for _ in range(3):
            plain.connected(master, peer).disconnect()
            tokens += [peer.next("/connect").token]
    assert len(set(tokens)) == 6
    assert all(len(token) == 64 and set(token) <= set("0123456789abcdef") for token in tokens)


def test_16_tokens_are_compared_in_constant_time(plain: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own tokens, masters' tokens and secrets are compared by `hmac.compare_digest`."""
    compared: list[tuple[Any, Any]] = []
    original = hmac.compare_digest

    def compare(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return original(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    slave, peer = plain.slave(secret="s3cret"), plain.peer()
    body = {"master": {"address": peer.url}}
    asked = [
        ask(slave.port, "GET", "/ping", Token="self").status,
        ask(slave.port, "POST", "/connect", body, Token="t1", Secret="guess").status,
        ask(slave.port, "POST", "/connect", body, Token="t1", Secret="s3cret").status,
        ask(slave.port, "DELETE", "/disconnect", {}, Token="t2").status,
    ]
    assert asked == [403, 403, 200, 403]
    assert {b"self", b"guess", b"s3cret", b"t2"} <= {one for pair in compared for one in pair}


# ---------------------------------------------------------------------- 17: requests that make no sense

BAD_BODIES = [b"{", b"\xff\xfe", b"[]", b"7", b'"task"', b"null", b"[" * 100_000]


@pytest.fixture
def raw(plain: Ends) -> Iterator[tuple[int, int, str, str]]:
    """A master with a slave of raw HTTP, and a slave with a master of raw HTTP: two ports and two tokens."""
    master, slave, peer = plain.master(), plain.slave(), plain.peer()
    plain.connected(master, peer)
    connect_as(slave, peer, "t1")
    yield master.port, slave.port, peer.next("/connect").token, "t1"
    assert master.ping() and slave.ping()


@pytest.mark.parametrize("body", BAD_BODIES, ids=[str(body[:8]) for body in BAD_BODIES])
def test_17_bodies_that_are_no_objects(raw: tuple[int, int, str, str], body: bytes) -> None:
    """A body that is no JSON object is refused with 400 and an envelope."""
    master, slave, of_master, of_slave = raw
    for path in ("/slave/task/complete", "/slave/task/fail", "/slave/task/progress"):
        assert ask(master, "PUT", path, body, Token=of_master).status == 400
    for method, path in (("POST", "/connect"), ("POST", "/task/new"), ("DELETE", "/disconnect")):
        assert ask(slave, method, path, body, Token=of_slave).status == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 200),
        ({"task": None, "result": 1}, 200),
        ({"task": [], "result": 1}, 200),
        ({"task": {}, "result": 1}, 200),
        ({"task": {"id": "no uuid"}, "result": 1}, 400),
        ({"task": {"id": 7}, "result": 1}, 400),
        ({"task": {"id": None}, "result": 1}, 400),
        ({"task": {"id": ["x"]}, "result": 1}, 400),
        ({"task": IDS}, 400),
        ({"task": IDS, "result": 1}, 404),
    ],
)
def test_17_results_that_are_none(raw: tuple[int, int, str, str], body: Any, status: int) -> None:
    """A result without a task, an id or a value, or with an id that cannot be, is refused with the code 601."""
    for kind in ("complete", "fail"):
        reply = ask(raw[0], "PUT", f"/slave/task/{kind}", body, Token=raw[2])
        assert (reply.status, reply.code, reply.said["success"]) == (status, 601, False)


@pytest.mark.parametrize("task", [None, [], "x", {}, {"id": 7}, {"id": None}, {"id": "no uuid"}, {"id": ["x"]}])
def test_17_tasks_that_are_none(raw: tuple[int, int, str, str], task: Any) -> None:
    """A task without an id, or with one that cannot be, is refused with 400; so is a cancellation of it."""
    for method, path in (("POST", "/task/new"), ("DELETE", "/task/cancel")):
        assert ask(raw[1], method, path, {"task": task, "data": {}}, Token=raw[3]).status == 400


@pytest.mark.parametrize("master", [None, [], {}, {"address": 7}, {"address": "no url"}, {"address": "ftp://h/"}])
def test_17_masters_that_are_none(plain: Ends, master: Any) -> None:
    """A connection to a master without an address, or with one that is none, is refused with 400."""
    slave = plain.slave()
    assert ask(slave.port, "POST", "/connect", {"master": master, "data": {}}, Token="t1").status == 400
    assert not slave.is_connected
    assert connect_as(slave, plain.peer(), "t1") == 200


@pytest.mark.parametrize(
    ("channel", "status", "code"),
    [
        (None, 400, 201),
        ("", 400, 201),
        ("abc", 400, 202),
        ("0.0", 400, 202),
        ("0x", 400, 202),
        ("9" * 6000, 400, 202),
        ("1", 403, 202),
    ],
    ids=lambda value: str(value)[:5],
)
def test_17_channels(raw: tuple[int, int, str, str], channel: str | None, status: int, code: int) -> None:
    """A request without a channel, or with another or none that can be, is refused; each has its code."""
    master, slave, of_master, of_slave = raw
    replies = [
        ask(master, "GET", "/slave/heartbeat", Token=of_master, Channel=channel),
        ask(master, "PUT", "/slave/task/fail", Token=of_master, Channel=channel),
        ask(slave, "POST", "/connect", Token=of_slave, Channel=channel),
        ask(slave, "POST", "/task/new", Token=of_slave, Channel=channel),
        ask(slave, "DELETE", "/disconnect", Token=of_slave, Channel=channel),
    ]
    assert {(reply.status, reply.code) for reply in replies} == {(status, code)}


def test_17_tokens_that_are_missing_or_wrong(raw: tuple[int, int, str, str]) -> None:
    """Each request without its token, or with another one, is refused with the code that the original has for it."""
    master, slave = raw[:2]
    of = "PUT", "GET", "POST", "DELETE"
    put, get, post, delete = of
    cases = [
        (master, get, "/ping", (400, 401), (403, 402)),
        (master, delete, "/shutdown", (400, 401), (403, 402)),
        (master, get, "/slave/heartbeat", (400, 501), (403, 502)),
        (master, put, "/slave/task/complete", (400, 501), (403, 502)),
        (master, put, "/slave/task/fail", (400, 501), (403, 502)),
        (slave, get, "/ping", (400, 401), (403, 402)),
        (slave, delete, "/shutdown", (400, 401), (403, 402)),
        (slave, post, "/task/new", (400, 301), (403, 302)),
        (slave, delete, "/disconnect", (400, 301), (403, 302)),
    ]
    for port, method, path, missing, wrong in cases:
        for token, expected in ((None, missing), ("wrong", wrong), ("w\xf6", wrong)):
            reply = ask(port, method, path, {}, Token=token)
            assert (reply.status, reply.code) == expected, (path, token)


def test_17_paths_and_methods_that_there_are_not(raw: tuple[int, int, str, str]) -> None:
    """404 and 405 have an envelope, too; a GET where a PUT belongs is no server's error."""
    for port in raw[:2]:
        assert ask(port, "GET", "/nothing", Token="x").status == 404
        reply = ask(port, "PUT", "/ping", Token="x")
        assert reply.status == 405 and "GET" in reply.headers["Allow"]
    assert ask(raw[0], "GET", "/slave/task/complete", Token=raw[2]).status == 405
    assert ask(raw[0], "PUT", "/slave/heartbeat", Token=raw[2]).status == 405
    assert ask(raw[1], "GET", "/task/new", Token=raw[3]).status == 405


def test_17_a_body_has_a_bound(plain: Ends) -> None:
    """A body beyond `max_body` is refused with 413, before it is read."""
    end = plain.slave(max_body=1024)
    client = http.client.HTTPConnection("127.0.0.1", end.port, timeout=PATIENCE)
    client.putrequest("POST", "/connect")
    client.putheader("Content-Length", "1000000")
    client.endheaders()
    assert client.getresponse().status == 413
    client.close()
    assert end.ping()


@pytest.mark.parametrize("content", [b"<html>", b"", b"[]", b'{"success": true}', b"[" * 100_000])
def test_17_a_slave_without_envelopes_is_a_request_that_failed(plain: Ends, content: bytes) -> None:
    """What a slave answers without an envelope is a RequestException of connect, whatever its status."""
    master = plain.master()
    for status in (200, 400, 500):
        peer = plain.peer(lambda request, status=status: (status, content))
        connection = master.new_connection("one", "127.0.0.1", peer.port)
        with pytest.raises(RequestException):
            connection.connect()
        assert not connection.is_connected


@pytest.mark.parametrize("content", [b"<html>", b"[" * 100_000])
def test_17_a_task_that_is_answered_with_nonsense_has_not_started(plain: Ends, content: bytes) -> None:
    """A slave that answers a task with nonsense leaves it START_FAILED; so it does a task of the pool."""
    master = plain.master()
    peer = plain.peer(lambda request: (200, content) if request.path == "/task/new" else (200, OK))
    connection = plain.connected(master, peer)
    task = connection.new_task({})
    with pytest.raises(RequestException):
        task.start()
    assert task.status is TaskStatus.START_FAILED and connection.tasks == []
    future = master.submit({}, retry=TaskRetry(lost=0, refused=0))
    assert isinstance(future.exception(PATIENCE), RequestException)


# ---------------------------------------------------------------------- 18: time-outs and attempts


def test_18_a_peer_that_never_answers_is_given_up(plain: Ends) -> None:
    """Requests to a slave that never answers end after `request_timeout`, also if its kernel takes the connection."""
    master = plain.master(request_timeout=0.1, request_retries=1)
    connection = master.new_connection("one", "127.0.0.1", plain.silent_port())
    with pytest.raises(RequestException):
        connection.connect()
    assert not connection.is_connected


def test_18_an_attempt_that_had_no_answer_is_repeated(plain: Ends) -> None:
    """A request without an answer is repeated with the same id and token, as often as was said, and no more."""
    gone: list[None] = []

    def leave_twice(request: Request) -> Answer:
        if request.path == "/task/new" and len(gone) < 2:
            gone.append(None)
            return None
        return 200, OK

    peer = plain.peer(leave_twice)
    connection = plain.connected(plain.master(request_retries=2), peer)
    task = connection.new_task({}).start()
    assert {task_of(peer) for _ in range(3)} == {str(task.id)}
    peer.answer = lambda request: None
    with pytest.raises(RequestException):
        connection.disconnect()
    assert len([peer.next("/disconnect") for _ in range(3)]) == 3 and peer.requests.empty()


def test_18_what_comes_twice_is_done_once(plain: Ends) -> None:
    """A slave that is asked twice for one task, connection or disconnection does it once, and says yes twice."""
    slave, peer = plain.slave(), plain.peer()
    assert [connect_as(slave, peer, "t1") for _ in range(2)] == [200, 200]
    task_id = str(uuid4())
    assert [give(slave, "t1", task_id, {"a": 1}) for _ in range(2)] == [200, 200]
    assert peer.next("/slave/task/complete").body["task"]["id"] == task_id
    assert give(slave, "t1", task_id, {"a": 1}) == 200
    assert [ask(slave.port, "DELETE", "/disconnect", {}, Token="t1").status for _ in range(2)] == [200, 200]
    assert slave.begun.get(timeout=PATIENCE) and slave.begun.empty()


def test_18_requests_do_not_share_a_connection(plain: Ends) -> None:
    """Two tasks are started at the same time: the second one does not wait for the answer to the first."""
    both, count = plain.runtime.event(), []

    def answer_both(request: Request) -> Answer:
        if request.path == "/task/new":
            count.append(request)
            if len(count) == 2:
                both.set()
            assert both.wait(PATIENCE)
        return 200, OK

    connection = plain.connected(plain.master(), plain.peer(answer_both))
    starting = [Doing(plain.runtime, connection.new_task({}).start) for _ in range(2)]
    assert all(start.outcome().status is TaskStatus.STARTED for start in starting)


# ---------------------------------------------------------------------- 19: clocks and dicts


def test_19_the_clock_on_the_wall_does_not_matter(
    ends: Ends, connection: SlaveConnection, slave: DrivenSlave, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slave stays connected, and its heart beats, while the wall's clock jumps by an hour at every look."""
    wall = [time.time()]

    def jump() -> float:
        wall[0] += 3600
        return wall[0]

    monkeypatch.setattr(time, "time", jump)
    for _ in range(3):
        beaten = connection.last_heartbeat
        assert ends.wait(lambda beaten=beaten: connection.last_heartbeat > beaten)
    assert connection.is_connected and slave.is_connected and slave.lost.empty()


def test_19_slaves_come_and_go_while_others_look(ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    """Names are listed and looked up while slaves are connected and disconnected, and nothing is logged."""
    master = ends.master()
    slaves = [ends.slave() for _ in range(2)]
    over = ends.runtime.event()

    def look() -> None:
        while not over.is_set():
            assert set(master) <= {"0", "1"} and len(master) <= 2
            assert "2" not in master
            ends.runtime.sleep(0.0)

    def churn(number: int) -> None:
        for _ in range(15):
            with master.new_connection(str(number), "127.0.0.1", slaves[number].port):
                assert str(number) in master

    looking = Doing(ends.runtime, look)
    churning = [Doing(ends.runtime, churn, number) for number in range(2)]
    try:
        for one in churning:
            one.outcome()
    finally:
        over.set()
    looking.outcome()
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


# ---------------------------------------------------------------------- 20: addresses


CALLS = """
import json, sys
called = []
sys.addaudithook(lambda event, args: called.append(args[1]) if event == 'socket.connect' else None)
from syncio.interaction import Master, Slave
class Idle(Slave):
    def _process_task(self, task):
        pass
with Idle(port=0) as slave, Master(port=0) as master:
    with master.new_connection('one', '127.0.0.1', slave.port):
        pass
print(json.dumps(sorted({address[0] for address in called if isinstance(address, tuple)})))
"""


def test_20_nobody_outside_is_asked_for_our_address() -> None:
    """Ends that listen on all addresses call nobody but each other to find out what theirs is."""
    done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, timeout=PATIENCE * 3)
    assert (done.stdout, done.stderr) == ('["127.0.0.1"]\n', "")


def test_20_a_slave_is_told_where_its_master_is(plain: Ends) -> None:
    """A slave is told the address at which it reaches its master, or the one that was set."""
    peer = plain.peer()
    for host, given in (("127.0.0.1", None), ("0.0.0.0", None), ("127.0.0.1", "https://master.example:1234/x")):
        master = plain.master(host=host, my_address=given)
        plain.connected(master, peer)
        told = peer.next("/connect").body["master"]["address"]
        assert told == given or (given is None and told == f"http://127.0.0.1:{master.port}")


# ---------------------------------------------------------------------- 21: two masters at once


def test_21_of_two_masters_at_once_one_gets_the_slave(ends: Ends, slave: DrivenSlave) -> None:
    """While a slave's hook thinks about a master, another one is told that the slave has one."""

    class Waiting(Master):
        def _before_connect(self) -> dict[str, Any]:
            return {"wait": True}

    first, second = ends.master(Waiting), ends.master()
    connection = first.new_connection("one", "127.0.0.1", slave.port)
    connecting = Doing(ends.runtime, connection.connect)
    assert slave.asked.wait(PATIENCE)
    with pytest.raises(SlaveSlaveAlreadyConnected):
        second.new_connection("one", "127.0.0.1", slave.port).connect()
    slave.release.set()
    connecting.outcome()
    assert connection.is_connected and slave.is_connected and len(second) == 0
    assert connection.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}
    with pytest.raises(SlaveMasterTokenInvalid):
        connection.token = "another"
        connection.disconnect()


# ---------------------------------------------------------------------- 22: what nothing means


def test_22_zero_is_zero_and_none_is_the_default() -> None:
    """0 means 0 where that can be, None means the default, and the default is what is documented."""
    assert MasterConfig.of({"port": None, "request_retries": None}).port == DEFAULT_MASTER_PORT == 7235
    config = MasterConfig.of({"port": 0, "request_retries": 0, "request_retry_waiting": 0.0, "channel": 0})
    assert (config.port, config.request_retries, config.request_retry_waiting, config.channel) == (0, 0, 0.0, 0)
    assert SlaveConfig.of({"port": None}).port == 7236
    assert MasterConfig().request_retries == DEFAULT_REQUEST_RETRIES == 5
    assert MasterConfig().heartbeat_tolerance == DEFAULT_HEARTBEAT_TOLERANCE == 17.0
    assert "17 by default" in (Master.__doc__ or "")
    assert MasterConfig(heartbeat_tolerance=0.0).heartbeat_tolerance == 0.2
    assert SlaveConfig(heartbeat_span=0.0).heartbeat_span == 0.2


def test_22_no_attempts_beyond_the_first_are_none(plain: Ends) -> None:
    """With `request_retries=0` there is one attempt, and the port 0 is any free one."""
    peer = plain.peer(lambda request: None)
    master = plain.master(request_retries=0)
    assert master.port not in (0, 7235)
    with pytest.raises(RequestException):
        master.new_connection("one", "127.0.0.1", peer.port).connect()
    assert peer.next("/connect").body["master"]["address"] == master.my_address and peer.requests.empty()


def test_22_the_ends_have_kinder_names() -> None:
    """Coordinator and Worker are other names of Master and Slave."""
    assert Coordinator is Master
    assert issubclass(DrivenSlave, Worker)
    assert json.dumps(OPTIONS)
