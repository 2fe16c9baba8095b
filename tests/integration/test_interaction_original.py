"""Our Master with Slaves of the original, and our Slave with its Master, over the real wire.

Ours lives in the process of the tests, the original in one of its own, and no thread of it dies of what ours does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncio.errors import RequestTimeout
from syncio.interaction import (
    Master,
    SlaveChannelInvalid,
    SlaveSlaveAlreadyConnected,
    SlaveSlaveConnectionRefused,
    SlaveSlaveDisconnectionRefused,
    SlaveTaskAlreadyExist,
    SlaveTaskRefused,
    TaskFailed,
    TaskLost,
    TaskStatus,
    TaskTimeout,
)
from tests.interaction_peers.environment import cache_of, python_of_original
from tests.interaction_peers.our_slave import OurSlave
from tests.interaction_peers.ours import Ear
from tests.interaction_peers.process import LOCALHOST, Event, Peer, PeerError, Peers
from tests.servers.process import wait_until

TASK = {"a": 2, "b": 3}
REFUSES = {"refuse": {"why": "busy"}}
SLOW = 30.0
"""Seconds between two heartbeats of the original that never meet a disconnection: one that does ends its heartbeats."""
TOLERANCE = 0.6
PATIENCE = 15.0
END = pytest.mark.parametrize("end", ["kill", "suspend"])


@pytest.fixture
def peers(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Peers]:
    """Starts programs of the original, and kills them."""
    started = Peers(python_of_original(cache_of(pytestconfig, tmp_path)), tmp_path)
    yield started
    started.kill()


@pytest.fixture(scope="module")
def steady(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, Peer]]:
    """A slave and a master that serve several tests: each leaves them as it has found them."""
    folder = tmp_path_factory.mktemp("steady")
    started = Peers(python_of_original(cache_of(pytestconfig, folder)), folder)
    yield started.slave(heartbeat_span=SLOW), started.master()
    started.kill()


@pytest.fixture
def their_slave(steady: tuple[Peer, Peer]) -> Iterator[Peer]:
    """A slave of the original that meets disconnections, which no test may harm."""
    yield steady[0]
    assert unharmed(steady[0])


@pytest.fixture
def their_master(steady: tuple[Peer, Peer]) -> Iterator[Peer]:
    """A master of the original, which no test may harm."""
    yield steady[1]
    assert unharmed(steady[1])


@pytest.fixture(autouse=True)
def no_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing of ours is logged as an error, unless a test clears the log."""
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def our_master(**options: Any) -> Master:
    """A master of ours that does not wait long for anything."""
    given = {"host": LOCALHOST, "port": 0, "heartbeat_check_span": 0.1, "request_retries": 1, **options}
    return Master(**given, request_retry_waiting=0.05)


def our_slave(ear: Ear, **options: Any) -> OurSlave:
    """A slave of ours that does not wait long for anything."""
    given = {"host": LOCALHOST, "port": 0, "heartbeat_span": 0.2, "request_timeout": 0.5, "request_retries": 1}
    return OurSlave(ear, **{**given, **options}, request_retry_waiting=0.05)


# ---------------------------------------------------------------------- our Master, their Slave


def test_connections_to_original(their_slave: Peer) -> None:
    """An original Slave agrees to a connection and to its end, or refuses; then somebody else may have it."""

    class Asking(Master):
        data: Any = None

        def _before_connect(self) -> Any:
            return self.data

        def _after_connect(self, status_code: int, success: bool, code: int, message: str | None, data: Any) -> Any:
            return status_code, success, code, message, data

        _before_disconnect, _after_disconnect = _before_connect, _after_connect

    with Asking(LOCALHOST, 0) as master:
        master.data = REFUSES
        connection = master.new_connection("one", LOCALHOST, their_slave.port)
        with pytest.raises(SlaveSlaveConnectionRefused) as refused:
            connection.connect()
        assert (refused.value.status_code, refused.value.code, refused.value.data) == (403, 503, {"why": "busy"})
        assert "one" not in master
        master.data = {"who": "me"}
        assert connection.connect() == (200, True, 0, "Connect success.", None)
        assert [their_slave.take("connection")["data"] for _ in range(2)] == [REFUSES, {"who": "me"}]
        assert master["one"] is connection and connection.slots == 1 and not connection.has_wire
        with our_master() as other, pytest.raises(SlaveSlaveAlreadyConnected):
            other.new_connection("mine", LOCALHOST, their_slave.port).connect()

        master.data = REFUSES
        with pytest.raises(SlaveSlaveDisconnectionRefused) as kept:
            connection.disconnect()
        assert kept.value.data == {"why": "busy"} and connection.is_connected
        master.data = None
        assert connection.disconnect() == (200, True, 0, "Disconnect success.", None)
        assert "one" not in master and not connection.is_connected
    with our_master() as other, other.new_connection("mine", LOCALHOST, their_slave.port) as mine:
        assert mine.new_task(TASK).start().join(PATIENCE).result == {"sum": 5}


def test_tasks_for_original(their_slave: Peer) -> None:
    """Tasks of an original Slave are completed, fail or are refused, and callbacks hear of it before join returns."""
    heard: list[Any] = []
    with our_master() as master, master.new_connection("one", LOCALHOST, their_slave.port) as connection:
        task = connection.new_task(TASK).on_complete(lambda *said: heard.append(said)).start().join(PATIENCE)
        assert (task.status, task.result, task.future.result(0)) == (TaskStatus.COMPLETED, {"sum": 5}, {"sum": 5})
        task = connection.new_task({"a": 2}).on_fail(lambda *said: heard.append(said)).start().join(PATIENCE)
        assert (task.status, task.result) == (TaskStatus.FAILED, {"message": "ab not found"})
        assert heard == [(TASK, {"sum": 5}), ({"a": 2}, {"message": "ab not found"})]
        with pytest.raises(TaskFailed):
            task.future.result(0)

        task = connection.new_task(REFUSES)
        with pytest.raises(SlaveTaskRefused) as refused:
            task.start()
        assert refused.value.data == {"why": "busy"} and task.status is TaskStatus.START_FAILED
        long = connection.new_task({"sleep": 0.3, **TASK}).start()
        with pytest.raises(SlaveTaskAlreadyExist):
            connection.new_task(TASK).start()
        with pytest.raises(RequestTimeout):
            long.join(0.05)
        assert long.join(PATIENCE).result == {"sum": 5}
        for number in range(40):
            assert connection.new_task({"a": number, "b": 1}).start().join(PATIENCE).result == {"sum": number + 1}
        tasks = [{"a": number, "b": 1} for number in range(40)]
        assert list(master.map(tasks)) == [{"sum": number + 1} for number in range(40)]
        assert connection.tasks == []


def test_task_that_original_never_reports(their_slave: Peer) -> None:
    """What an original Slave raises it keeps for itself: a time-out ends that task; a cancelled one ends, too."""
    with our_master() as master, master.new_connection("one", LOCALHOST, their_slave.port) as connection:
        task = connection.new_task({"raise": "never mind"}, timeout=0.3).start()
        assert isinstance(task.exception(PATIENCE), TaskTimeout) and task.status is TaskStatus.FAILED
        assert connection.new_task(TASK).start().join(PATIENCE).result == {"sum": 5}
        # It does not know what a cancellation is, works on, and its result comes when nobody wants it any more.
        task = connection.new_task({"sleep": 1.2, **TASK}).start()
        assert task.cancel() and task.join(PATIENCE).status is TaskStatus.CANCELLED
        # A task of the pool waits as long as the slave is busy with that one, and is not charged for it.
        assert master.submit({"a": 1, "b": 1}).result(PATIENCE) == {"sum": 2}
        assert (task.status, task.result, connection.completed) == (TaskStatus.CANCELLED, None, 2)


@END
def test_original_slave_lost(peers: Peers, end: str) -> None:
    """An original Slave that lives is kept; one that falls silent is lost, and everybody who waits for it hears so."""
    slave = peers.slave()
    heard: list[Any] = []
    with our_master(heartbeat_tolerance=TOLERANCE) as master:
        connection = master.new_connection("one", LOCALHOST, slave.port)
        connection.connect()
        assert connection.new_task({"sleep": 2 * TOLERANCE, **TASK}).start().join(PATIENCE).result == {"sum": 5}
        task = connection.new_task({"sleep": 30}).on_fail(lambda *said: heard.append(said)).start()
        getattr(slave, end)()
        assert isinstance(task.exception(5 * TOLERANCE), TaskLost) and task.status is TaskStatus.LOST
        assert heard == [({"sleep": 30}, task.result)] and task.result["error"]["type"] == "TaskLost"
        assert "one" not in master and not connection.is_connected
        slave.kill()


def test_retry_of_original(peers: Peers) -> None:
    """A task of the pool whose original Slave dies is done by another one."""
    slave, other = peers.slave(), peers.slave()
    with our_master(heartbeat_tolerance=TOLERANCE) as master:
        master.new_connection("one", LOCALHOST, slave.port).connect()
        future = master.submit({"sleep": 1.0, **TASK})
        slave.take("task")
        master.new_connection("two", LOCALHOST, other.port).connect()
        slave.kill()
        assert future.result(PATIENCE) == {"sum": 5}
        assert other.take("task")["data"] == {"sleep": 1.0, **TASK}
        assert unharmed(other)
        other.kill()


def test_original_slave_stops(peers: Peers) -> None:
    """An original Slave that is closed can end, and is lost."""
    slave = peers.slave()
    with our_master(heartbeat_tolerance=TOLERANCE) as master:
        master.new_connection("one", LOCALHOST, slave.port).connect()
        assert slave.stop()
        assert wait_until(lambda: "one" not in master, PATIENCE)
        assert not slave.saw("thread_died")


def test_our_master_stops(peers: Peers) -> None:
    """A Master of ours that is closed lets an original Slave go, so that another one may have it."""
    slave = peers.slave(heartbeat_span=SLOW)
    master = our_master()
    master.start()
    master.new_connection("one", LOCALHOST, slave.port).connect()
    master.close()
    assert slave.take("disconnection")["data"] == {}
    with our_master() as other, other.new_connection("one", LOCALHOST, slave.port) as connection:
        assert connection.new_task(TASK).start().join(PATIENCE).result == {"sum": 5}
    assert unharmed(slave)


def test_our_master_dies(peers: Peers) -> None:
    """An original Slave whose Master is gone without a goodbye notices, and another one may have it."""
    slave = peers.slave()
    # It tries six times, with 0.1 s between them.
    master = our_master()
    master.start()
    master.new_connection("one", LOCALHOST, slave.port).connect()
    master._server.stop(0.0)
    assert slave.take("lost_connection")["master"] == master.my_address
    with our_master(heartbeat_tolerance=TOLERANCE) as other:
        connection = other.new_connection("one", LOCALHOST, slave.port)
        assert wait_until(lambda: _connects(connection), PATIENCE)
        assert connection.new_task(TASK).start().join(PATIENCE).result == {"sum": 5}
        assert unharmed(slave)
        slave.kill()
    master.close()


def _connects(connection: Any) -> bool:
    try:
        connection.connect()
    except SlaveSlaveAlreadyConnected:  # it tells of its loss before it forgets its master
        return False
    return True


def test_original_slave_on_another_channel(peers: Peers) -> None:
    """An original Slave on another channel is none of our Master's."""
    slave = peers.slave(heartbeat_span=SLOW, channel=5)
    with our_master(channel=6) as master, pytest.raises(SlaveChannelInvalid):
        master.new_connection("one", LOCALHOST, slave.port).connect()
    with our_master(channel=5) as master, master.new_connection("one", LOCALHOST, slave.port) as connection:
        assert connection.new_task(TASK).start().join(PATIENCE).result == {"sum": 5}
    assert unharmed(slave)


# ---------------------------------------------------------------------- our Slave, their Master


def test_connections_of_original(their_master: Peer) -> None:
    """Our Slave agrees to what an original Master wants, or refuses, in words that it understands."""
    master, ear = their_master, Ear()
    with our_slave(ear) as slave:
        assert refused(master, "connect", name="one", port=slave.port, data=REFUSES) == (
            "SlaveSlaveConnectionRefused",
            503,
        )
        assert connect(master, slave, data={"who": "me"})["message"] == "Connect success."
        assert [ear.take("connection")["data"] for _ in range(2)] == [REFUSES, {"who": "me"}]
        assert slave.is_connected and slave.link is not None and slave.link.address == master.address
        with pytest.raises(PeerError) as error:
            connect(master, slave, "two")
        assert (error.value.error, error.value.code) == ("SlaveSlaveAlreadyConnected", 501)
        assert refused(master, "disconnect", name="one", data=REFUSES) == ("SlaveSlaveDisconnectionRefused", 504)
        assert slave.is_connected
        assert master.ask("disconnect", name="one")["message"] == "Disconnect success."
        assert not slave.is_connected and not ear.saw("lost_connection")
        assert connect(master, slave)["success"]
        assert ended(master, TASK) == {"status": "COMPLETED", "result": {"sum": 5}, "joined": True}
        assert master.ask("disconnect", name="one")["success"]


def test_tasks_of_original(their_master: Peer, caplog: pytest.LogCaptureFixture) -> None:
    """Our Slave completes tasks of an original Master, fails, raises and refuses, and every end arrives there."""
    master, ear = their_master, Ear()
    with our_slave(ear) as slave:
        connect(master, slave)
        assert ended(master, TASK) == {"status": "COMPLETED", "result": {"sum": 5}, "joined": True}
        assert heard(master, "complete", TASK) == {"sum": 5}
        assert ended(master, {"a": 2}) == {"status": "FAILED", "result": {"message": "ab not found"}, "joined": True}
        assert heard(master, "fail", {"a": 2}) == {"message": "ab not found"}
        raised = ended(master, {"raise": "out of paper"})
        assert raised["status"] == "FAILED" and raised["joined"]
        said = raised["result"]["error"]
        assert (said["type"], said["message"]) == ("RuntimeError", "out of paper") and "Traceback" in said["traceback"]
        assert "RuntimeError: out of paper" in caplog.text
        caplog.clear()

        number = master.ask("new_task", name="one", data=REFUSES)
        assert refused(master, "start", task=number) == ("SlaveTaskRefused", 602)
        long = master.ask("new_task", name="one", data={"sleep": 0.3, **TASK})
        master.ask("start", task=long)
        with pytest.raises(PeerError) as error:
            master.ask("start", task=master.ask("new_task", name="one", data=TASK))
        assert (error.value.error, error.value.code) == ("SlaveTaskAlreadyExist", 601)
        assert master.join(long) == {"status": "COMPLETED", "result": {"sum": 5}, "joined": True}
        # It does not know what is told of progress.
        assert ended(master, {"steps": 2, **TASK})["result"] == {"sum": 5}
        assert master.ask("time_tasks", name="one", data=TASK, count=40) > 0
        assert master.ask("disconnect", name="one")["success"]


def test_disconnected_in_the_middle_of_a_task(their_master: Peer) -> None:
    """An original Master that lets our Slave go while it works gets no result, and the task is told that."""
    master, ear = their_master, Ear()
    with our_slave(ear) as slave:
        connect(master, slave)
        master.ask("start", task=master.ask("new_task", name="one", data={"hang": [slave.port]}))
        assert ear.take("work")
        assert master.ask("disconnect", name="one")["success"]
        assert ear.take("cancelled") and not ear.saw("lost_connection")
        connect(master, slave)
        assert wait_until(lambda: _takes(master), PATIENCE)
        assert master.ask("disconnect", name="one")["success"]


def _takes(master: Peer) -> bool:
    """Whether our Slave takes a task; it may be about to end one that nobody wants."""
    try:
        return bool(ended(master, TASK)["result"] == {"sum": 5})
    except PeerError as error:
        assert error.error == "SlaveTaskAlreadyExist"
        return False


@END
def test_original_master_lost(peers: Peers, end: str) -> None:
    """Our Slave is kept by an original Master while it lives; when that falls silent it is free for another one."""
    master, ear = peers.master(heartbeat_tolerance=TOLERANCE), Ear()
    with our_slave(ear) as slave:
        connect(master, slave)
        task = master.ask("new_task", name="one", data={"sleep": 2 * TOLERANCE, **TASK})
        master.ask("start", task=task)
        assert master.join(task)["result"] == {"sum": 5}
        assert master.ask("is_connected", name="one") == {"connection": True, "master": True}
        master.ask("start", task=master.ask("new_task", name="one", data={"hang": [slave.port]}))
        getattr(master, end)()
        assert ear.take("lost_connection", PATIENCE) == {
            "event": "lost_connection",
            "master": master.address,
            "error": "RequestException",
        }
        assert ear.take("cancelled") and not slave.is_connected
        with our_master() as ours, ours.new_connection("one", LOCALHOST, slave.port) as connection:
            assert connection.new_task(TASK).start().join(PATIENCE).result == {"sum": 5}
        assert not master.saw("thread_died")


def test_original_master_forgets_slave(peers: Peers) -> None:
    """Our Slave that was silent for too long learns that from the original Master, and can be connected anew."""
    master, ear = peers.master(heartbeat_tolerance=0.2), Ear()
    with our_slave(ear, heartbeat_span=0.6) as slave:
        connect(master, slave)
        # The first answer of that kind could mean that it does not know its slave yet.
        assert ear.take("lost_connection", PATIENCE)["error"] == "MasterSlaveTokenInvalid"
        assert not slave.is_connected and connect(master, slave)["success"]
    assert unharmed(master)


def test_our_slave_stops(peers: Peers) -> None:
    """Our Slave that is closed while an original Master has it ends at once, and is lost there."""
    master, ear = peers.master(heartbeat_tolerance=TOLERANCE), Ear()
    with our_slave(ear) as slave:
        connect(master, slave)
    assert wait_until(lambda: master.ask("is_connected", name="one")["master"] is False, PATIENCE)
    with our_slave(ear) as slave:
        assert connect(master, slave)["success"]
        assert ended(master, TASK)["result"] == {"sum": 5}
    assert unharmed(master)


def test_original_master_stops(peers: Peers) -> None:
    """An original Master that is closed says no goodbye: our Slave loses it, and is free for another one."""
    master, ear = peers.master(), Ear()
    with our_slave(ear) as slave:
        connect(master, slave)
        assert master.stop() and not master.saw("thread_died")
        assert ear.take("lost_connection")["master"] == master.address
        with our_master() as ours, ours.new_connection("one", LOCALHOST, slave.port) as connection:
            assert connection.new_task(TASK).start().join(PATIENCE).result == {"sum": 5}


def test_original_master_on_another_channel(peers: Peers) -> None:
    """Our Slave on another channel is none of an original Master's."""
    master, ear = peers.master(channel=5), Ear()
    with our_slave(ear, channel=6) as slave, pytest.raises(PeerError) as error:
        connect(master, slave)
    assert (error.value.error, error.value.code) == ("SlaveChannelInvalid", 202)
    with our_slave(ear, channel=5) as slave:
        connect(master, slave)
        assert ended(master, TASK)["result"] == {"sum": 5}
    assert unharmed(master)


# ---------------------------------------------------------------------- what both need


def unharmed(peer: Peer) -> bool:
    """Whether the program runs, and no thread of it has died."""
    assert peer.saw("thread_died") == [], peer.log()
    return peer.is_alive


def connect(master: Peer, slave: OurSlave, name: str = "one", data: Any = None) -> Event:
    """Have an original Master connect; what it was answered."""
    answer: Event = master.ask("connect", name=name, port=slave.port, data=data)
    return answer


def refused(master: Peer, do: str, **arguments: Any) -> tuple[str, int | None]:
    """The exception that a command ends with, and its code."""
    with pytest.raises(PeerError) as error:
        master.ask(do, **arguments)
    assert error.value.answer["data"] == {"why": "busy"}
    return error.value.error, error.value.code


def heard(master: Peer, event: str, data: Event) -> Any:
    """What a callback of an original Master's task was called with."""
    while True:
        said = master.take(event)
        if said["data"] == data:
            return said["result"]


def ended(master: Peer, data: Event) -> Event:
    """What has become of a new task of an original Master at its end."""
    task = master.ask("new_task", name="one", data=data)
    master.ask("start", task=task)
    return master.join(task)
