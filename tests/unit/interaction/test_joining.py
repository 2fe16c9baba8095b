"""Joining: slaves that come of their own accord, what they are called, and whose place they take."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from syncio.interaction import HTTPError, MasterResponseException, RequestException, TaskStatus

from ..runtime.kinds import PATIENCE
from ..streams.duplex import Doing
from .peers import DrivenSlave, Ends, ask


@pytest.fixture
def open_master(ends: Ends) -> Any:
    """A master whom slaves may join."""
    return ends.master(accept_slaves=True)


def test_joining(ends: Ends, open_master: Any, slave: DrivenSlave) -> None:
    """A slave joins under a name, or under its host and port, and gets tasks."""
    name = slave.join_master(f"127.0.0.1:{open_master.port}")
    assert name == f"127.0.0.1:{slave.port}" and list(open_master) == [name]
    assert open_master.submit({"a": 1}).result(PATIENCE) == {"sum": 1}
    other = ends.slave()
    assert other.join_master(open_master.my_address, "other") == "other"
    assert set(open_master) == {name, "other"}


def test_joining_anew(ends: Ends, open_master: Any) -> None:
    """A slave that was started again takes its own place, whose tasks are lost; the pool's are done by it."""
    first = ends.slave()
    first.join_master(open_master.my_address, "one")
    connection = open_master["one"]
    task = connection.new_task({"wait": True}).start()
    future = open_master.submit({"a": 2})
    port = first.port
    first.close()
    again = ends.slave(port=port)
    assert again.join_master(open_master.my_address, "one") == "one"
    assert task.join(PATIENCE).status is TaskStatus.LOST and not connection.is_connected
    assert open_master["one"].is_connected and future.result(PATIENCE) == {"sum": 2}


def test_a_name_that_somebody_has(ends: Ends) -> None:
    """Where two slaves with wires want one name, the first keeps it, and the second is told."""
    master = ends.master(accept_slaves=True, wire=True)
    first, second = ends.slave(wire=True), ends.slave(wire=True)
    first.join_master(master.my_address, "one")
    with pytest.raises((HTTPError, MasterResponseException), match="one"):
        second.join_master(master.my_address, "one")
    assert master["one"].url.endswith(str(first.port)) and first.is_connected and not second.is_connected


def test_many_join_at_once(ends: Ends, open_master: Any) -> None:
    """Slaves that join at the same time are all there then."""
    slaves = [ends.slave() for _ in range(6)]
    joining = [
        Doing(ends.runtime, slave.join_master, open_master.my_address, str(number))
        for number, slave in enumerate(slaves)
    ]
    assert [one.outcome() for one in joining] == [str(number) for number in range(6)]
    open_master.wait_for_slaves(6, PATIENCE)
    assert set(open_master) == set("012345")


def test_one_name_at_once(ends: Ends, open_master: Any) -> None:
    """Of slaves that join under one name at the same time one is there then, and nobody waits for ever."""
    slaves = [ends.slave() for _ in range(3)]
    joining = [Doing(ends.runtime, slave.join_master, open_master.my_address, "one") for slave in slaves]
    for one in joining:
        with contextlib.suppress(RequestException, MasterResponseException):
            one.outcome()
    assert list(open_master) == ["one"]
    assert open_master["one"].new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}


def test_who_has_a_master_cannot_join_another(ends: Ends, open_master: Any, slave: DrivenSlave) -> None:
    """A slave that has a master keeps it: the second one is refused, and says so."""
    slave.join_master(open_master.my_address, "one")
    other = ends.master(accept_slaves=True)
    with pytest.raises((HTTPError, MasterResponseException, RequestException)):
        slave.join_master(other.my_address, "one")
    assert list(other) == [] and open_master["one"].is_connected


def test_nobody_is_there_to_join(ends: Ends, slave: DrivenSlave) -> None:
    """An address at which nobody listens is a RequestException."""
    peer = ends.peer()
    port = peer.port
    peer.close()
    with pytest.raises(RequestException):
        slave.join_master(f"127.0.0.1:{port}")


@pytest.mark.parametrize("channel", [None, "1"])
def test_the_channel(ends: Ends, open_master: Any, slave: DrivenSlave, channel: str | None) -> None:
    """Who joins is on the same channel."""
    reply = ask(open_master.port, "POST", "/slave/join", {"port": slave.port}, Channel=channel)
    assert reply.status in (400, 403) and list(open_master) == []
