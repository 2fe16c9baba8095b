"""The faults of the original 9 to 14, by their numbers in the specification: ours has none of them."""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from syncio.errors import BusyError, LocalError, RequestTimeout
from syncio.interaction import (
    Master,
    RequestException,
    SlaveConnection,
    SlaveSlaveConnectionRefused,
    SlaveTaskAlreadyExist,
    SlaveTaskRefused,
    TaskFail,
    TaskStatus,
)

from ..runtime.kinds import PATIENCE
from ..streams.duplex import Doing
from .peers import (
    OK,
    Answer,
    DrivenSlave,
    Ends,
    Request,
    ask,
    connect_as,
    give,
    tasks_of_ours,
    wire_of,
)

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
