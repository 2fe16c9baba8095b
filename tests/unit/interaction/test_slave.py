"""The slave: whose it is, what its hooks say, and how it ends."""

from __future__ import annotations

import contextlib
import http.client
from typing import Any
from uuid import uuid4

import pytest

from syncio.errors import LocalError
from syncio.interaction import (
    ConnectionRefuse,
    DisconnectionRefuse,
    SlaveErrorCode,
    SlaveState,
    SlaveSystemShuttingDown,
    TaskStatus,
)
from syncio.interaction.slave import SLAVE_STATES

from ..runtime.kinds import PATIENCE
from ..streams.duplex import Doing
from .peers import DrivenSlave, Ends, ask, connect_as, give


def test_the_table() -> None:
    """A slave that is asked about cannot be asked about a second time."""
    assert not SLAVE_STATES.allows(SlaveState.CONNECTING, SlaveState.CONNECTING)
    assert not SLAVE_STATES.allows(SlaveState.FREE, SlaveState.CONNECTED)
    assert SLAVE_STATES.allows(SlaveState.DISCONNECTING, SlaveState.CONNECTED)


def test_the_hooks_of_a_slave(plain: Ends) -> None:
    """Hooks are given what the master says; what they refuse, or raise, leaves everything as it was."""
    said: list[Any] = []
    errors: dict[str, BaseException] = {}

    class Hooked(DrivenSlave):
        def _before_connection(self, data: Any) -> None:
            said.append(("connection", data))
            if "connection" in errors:
                raise errors["connection"]

        def _before_disconnection(self, data: Any) -> None:
            said.append(("disconnection", data))
            if "disconnection" in errors:
                raise errors["disconnection"]

    slave, peer = plain.slave(Hooked), plain.peer()

    def leave() -> int:
        return ask(slave.port, "DELETE", "/disconnect", {"data": {"b": 2}}, Token="t1").status

    for error, status in ((ConnectionRefuse({"x": 1}), 403), (ZeroDivisionError(), 500)):
        errors["connection"] = error
        assert connect_as(slave, peer, "t1", {"a": 1}) == status and not slave.is_connected
    errors.clear()
    assert connect_as(slave, peer, "t1", {"a": 1}) == 200 and slave.is_connected
    assert leave() == 200 and not slave.is_connected
    assert connect_as(slave, peer, "t1", {"a": 1}) == 200
    for error, status in ((DisconnectionRefuse(), 403), (ZeroDivisionError(), 500)):
        errors["disconnection"] = error
        assert leave() == status and slave.is_connected
    assert give(slave, "t1", str(uuid4()), {"a": 1}) == 200
    assert peer.next("/slave/task/complete").body["result"] == {"sum": 1}
    errors.clear()
    assert leave() == 200 and not slave.is_connected
    asked = [hook for hook, data in said]
    assert asked == ["connection"] * 3 + ["disconnection", "connection"] + ["disconnection"] * 3
    assert all(data == {"connection": {"a": 1}, "disconnection": {"b": 2}}[hook] for hook, data in said)


def test_a_hook_of_lost_masters_that_raises(plain: Ends, caplog: pytest.LogCaptureFixture) -> None:
    """An error of `_lost_connection` is logged; the slave is free, and its heart beats for the next master."""

    class Failing(DrivenSlave):
        def _lost_connection(self, master_address: str, err: Exception) -> None:
            super()._lost_connection(master_address, err)
            raise ZeroDivisionError

    slave = plain.slave(Failing, request_retries=0)
    first, second = plain.peer(lambda request: None), plain.peer()
    assert connect_as(slave, first, "t1") == 200
    assert slave.lost.get(timeout=PATIENCE)[0] == first.url
    assert connect_as(slave, second, "t2") == 200
    assert second.next("/slave/heartbeat").token == "t2"
    assert "_lost_connection failed" in caplog.text


def test_the_task_of_a_lost_master(plain: Ends) -> None:
    """When its master is lost a slave's task is cancelled; its result goes to nobody, not even to the next master."""
    seen = plain.runtime.queue()

    class Looking(DrivenSlave):
        def _process_task(self, task: Any) -> Any:
            result = super()._process_task(task)
            seen.put(self.is_cancelled)
            return result

    slave = plain.slave(Looking, request_retries=0)
    first, second = plain.peer(lambda request: None), plain.peer()
    assert connect_as(slave, first, "t1") == 200 and give(slave, "t1", str(uuid4()), {"wait": True}) == 200
    assert slave.lost.get(timeout=PATIENCE) and slave.begun.get(timeout=PATIENCE)
    assert connect_as(slave, second, "t2") == 200
    assert give(slave, "t2", str(uuid4()), {"a": 1}) == 400
    slave.release.set()
    assert seen.get(timeout=PATIENCE) is True
    mine = str(uuid4())
    assert plain.wait(lambda: give(slave, "t2", mine, {"a": 1}) == 200)
    assert second.next("/slave/task/complete").body["task"]["id"] == mine


def test_outside_of_a_task(plain: Ends) -> None:
    """`progress` and `is_cancelled` belong into a task."""
    slave = plain.slave()
    with pytest.raises(LocalError, match="_process_task"):
        slave.progress(1)
    with pytest.raises(LocalError, match="_process_task"):
        slave.is_cancelled  # noqa: B018


def test_cancelling_over_http(plain: Ends) -> None:
    """A master may say that it wants a task no more, with its token."""
    slave, peer = plain.slave(), plain.peer()
    connect_as(slave, peer, "t1")
    task_id = str(uuid4())
    give(slave, "t1", task_id, {"wait": True})
    slave.begun.get(timeout=PATIENCE)
    body = {"task": {"id": task_id}}
    assert ask(slave.port, "DELETE", "/task/cancel", body, Token="t2").status == 403
    assert ask(slave.port, "DELETE", "/task/cancel", body, Token="t1").status == 200
    slave.release.set()
    assert slave.drain(PATIENCE)
    assert all(peer.requests.get().path != "/slave/task/complete" for _ in range(peer.requests.qsize()))


# ---------------------------------------------------------------------- its end


def test_draining(ends: Ends, master: Any, slave: DrivenSlave) -> None:
    """A slave that drains refuses new tasks, and is done when its last result has been brought."""
    connection = ends.connected(master, slave)
    task = connection.new_task({"wait": True, "a": 3}).start()
    assert slave.drain(0.01) is False
    with pytest.raises(SlaveSystemShuttingDown):
        connection.new_task({}).start()
    draining = Doing(ends.runtime, slave.drain)
    assert draining.is_waiting() and connection.is_connected
    slave.release.set()
    assert draining.outcome() is True and task.join(PATIENCE).result == {"sum": 3}
    slave.close()
    assert slave.drain() is True
    slave.start()
    again = ends.connected(master, slave)
    assert again.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}


def test_a_slave_that_ends_while_its_hook_thinks(plain: Ends) -> None:
    """A master whose slave is closed while it is asked about is refused; started again, the slave is free."""
    slave, peer = plain.slave(), plain.peer()
    connecting = Doing(plain.runtime, connect_as, slave, peer, "t1", {"wait": True})
    assert slave.asked.wait(PATIENCE)
    closing = Doing(plain.runtime, slave.close)
    assert plain.wait(lambda: slave._bench is None)
    slave.release.set()
    with contextlib.suppress(OSError, http.client.HTTPException):  # its server may be faster
        assert connecting.outcome() == 401
    closing.outcome()
    assert not slave.is_connected and slave.link is None
    slave.start()
    assert connect_as(slave, peer, "t2") == 200 and slave.is_connected


def test_a_slave_that_says_goodbye(plain: Ends) -> None:
    """A slave tells a master of ours that it ends, and not one that would not understand it."""
    slave, peer = plain.slave(), plain.peer()
    body = {"master": {"address": peer.url}, "syncio": {}}
    assert ask(slave.port, "POST", "/connect", body, Token="t1").status == 200
    slave.close()
    assert peer.next("/slave/leave").token == "t1"
    slave.start()
    assert connect_as(slave, peer, "t2") == 200
    slave.close()
    assert all(peer.requests.get().path != "/slave/leave" for _ in range(peer.requests.qsize()))


def test_slaves_that_end_while_they_get_tasks(ends: Ends) -> None:
    """However the end of a slave meets its tasks, every one that was started is over, or another slave does it."""
    master, steady = ends.master(), ends.slave()
    ends.connected(master, steady, "steady")
    for number in range(8):
        slave = ends.slave(slots=2)
        ends.connected(master, slave, f"brief {number}")
        futures = [master.submit({"a": n}) for n in range(20)]
        slave.close()
        assert [future.result(PATIENCE)["sum"] for future in futures] == list(range(20))
        assert list(master) == ["steady"]


def test_codes_of_a_slave_that_has_no_master(plain: Ends) -> None:
    """A slave without a master takes no task and no farewell, and says why."""
    slave = plain.slave()
    for method, path in (("POST", "/task/new"), ("DELETE", "/disconnect"), ("DELETE", "/task/cancel")):
        reply = ask(slave.port, method, path, {"task": {"id": str(uuid4())}}, Token="t1")
        assert (reply.status, reply.code) == (403, SlaveErrorCode.MASTER_TOKEN_INVALID)


def test_many_slots(ends: Ends, master: Any) -> None:
    """A slave with slots works on as many tasks at the same time."""
    slave = ends.slave(slots=5)
    connection = ends.connected(master, slave)
    tasks = [connection.new_task({"wait": True, "a": number}).start() for number in range(5)]
    for _ in tasks:
        slave.begun.get(timeout=PATIENCE)
    slave.release.set()
    assert [task.join(PATIENCE).result["sum"] for task in tasks] == list(range(5))
    assert all(task.status is TaskStatus.COMPLETED for task in tasks)
