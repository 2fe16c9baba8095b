"""The master: its slaves by name, the addresses it is reached at, and what slaves may ask of it."""

from __future__ import annotations

from typing import Any

import pytest

from syncio.errors import LocalError
from syncio.interaction import HttpEngine, Master, MasterErrorCode, RequestException, TaskStatus

from ..runtime.kinds import PATIENCE
from .peers import DrivenSlave, Ends, Peer, Reply, ask

TASK = "00000000-0000-4000-8000-000000000001"


# ---------------------------------------------------------------------- slaves by name


def test_a_mapping(ends: Ends, master: Master) -> None:
    """A master is a mapping of the names of its live connections."""
    assert (len(master), list(master), "one" in master) == (0, [], False)
    slaves = {name: ends.slave() for name in ("one", "two")}
    connections = {name: ends.connected(master, slave, name) for name, slave in slaves.items()}
    assert (len(master), set(master)) == (2, {"one", "two"})
    assert all(master[name] is connection for name, connection in connections.items())
    assert set(master.connections()) == set(connections.values())
    del master["one"]
    assert not connections["one"].is_connected and not slaves["one"].is_connected
    assert (len(master), list(master), "one" in master, "two" in master) == (1, ["two"], False, True)
    for use in (lambda: master["one"], lambda: master.__delitem__("one")):
        with pytest.raises(KeyError, match="'one' not found"):
            use()


def test_connections_that_are_not_connected(plain: Ends) -> None:
    """A connection that was made, or that has failed, has no name yet: another may be made."""
    master, peer = plain.master(request_retries=0), plain.peer(lambda request: None)
    first, second = (master.new_connection("one", "127.0.0.1", peer.port) for _ in range(2))
    for connection in (first, second):
        with pytest.raises(RequestException):
            connection.connect()
        assert (len(master), list(master), master.connections()) == (0, [], [])


def test_a_master_that_does_not_run(slave: DrivenSlave) -> None:
    """A master that was not started connects to nobody, and takes no tasks."""
    master = Master(host="127.0.0.1", port=0)
    with pytest.raises(LocalError, match="start"):
        master.new_connection("one", "127.0.0.1", slave.port).connect()
    with pytest.raises(LocalError, match="not running"):
        master.submit({})
    with pytest.raises(LocalError, match="not running"):
        master.wait_for_slaves()
    assert not slave.is_connected and list(master) == [] and master.drain(0.0)


# ---------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({}, "http://127.0.0.1:{port}"),
        ({"host": "0.0.0.0"}, "http://127.0.0.1:{port}"),
        ({"my_address": "https://m.example:1/x"}, "https://m.example:1/x"),
        ({"my_address": "http://m.example", "host": "0.0.0.0"}, "http://m.example"),
    ],
)
def test_addresses(plain: Ends, options: dict[str, Any], address: str) -> None:
    """Slaves are told the address that was set, or else the one at which they reach the master."""
    master, peer = plain.master(**options), plain.peer()
    engine = HttpEngine("127.0.0.1", peer.port)
    assert master.address_for(engine) == address.format(port=master.port)
    if options:
        assert "my_address" not in options or master.my_address == options["my_address"]
    else:
        assert master.my_address == address.format(port=master.port)
    engine.close()


def test_an_address_that_depends_on_the_slave(plain: Ends) -> None:
    """If its own address depends on the slave, a slave that cannot be reached is a RequestException."""
    peer = plain.peer()
    port = peer.port
    master = plain.master(host="0.0.0.0", request_retries=0)
    peer.close()
    engine = HttpEngine("127.0.0.1", port)
    with pytest.raises(RequestException):
        master.address_for(engine)
    engine.close()


# ---------------------------------------------------------------------- requests of slaves


@pytest.fixture
def peer(plain: Ends) -> Peer:
    """A slave of raw HTTP."""
    return plain.peer()


def say(master: Master, token: str, what: str, body: Any) -> Reply:
    """Say something of a task, as a slave does."""
    return ask(master.port, "PUT", f"/slave/task/{what}", body, Token=token)


def test_results(plain: Ends, peer: Peer) -> None:
    """A slave completes and fails its tasks; any JSON is a result, also null."""
    master = plain.master()
    connection = plain.connected(master, peer)
    for result in ({"a": 1}, [], "x", 0, None, False):
        for what, status in (("complete", TaskStatus.COMPLETED), ("fail", TaskStatus.FAILED)):
            task = connection.new_task({}).start()
            assert say(master, connection.token, what, {"task": {"id": task.id}, "result": result}).said["success"]
            assert task.join(PATIENCE).status is status and task.result == result
    assert (connection.completed, connection.failed) == (6, 6)


def test_ids_in_other_spellings(plain: Ends, peer: Peer) -> None:
    """A task is the same one however its UUID is written."""
    master = plain.master()
    connection = plain.connected(master, peer)
    for spell in (str.upper, lambda text: text.replace("-", ""), lambda text: "{" + text + "}"):
        task = connection.new_task({}).start()
        assert say(master, connection.token, "complete", {"task": {"id": spell(task.id)}, "result": 1}).status == 200
        assert task.join(PATIENCE).result == 1


def test_what_comes_twice(plain: Ends, peer: Peer) -> None:
    """The first result counts; every further one is answered as if it did, whatever it says."""
    master = plain.master()
    connection = plain.connected(master, peer)
    heard: list[Any] = []
    task = connection.new_task({}).on_complete(lambda data, result: heard.append(result))
    task.on_fail(lambda data, result: heard.append(result)).start()
    for number, what in enumerate(("complete", "fail", "complete")):
        assert say(master, connection.token, what, {"task": {"id": task.id}, "result": number}).status == 200
    assert say(master, connection.token, "progress", {"task": {"id": task.id}, "progress": 1}).status == 404
    assert task.join(PATIENCE).result == 0 and heard == [0]
    assert (connection.completed, connection.failed) == (1, 0)


def test_a_result_of_what_nobody_wants(plain: Ends, peer: Peer) -> None:
    """The result of a task that was cancelled, or not done in time, is taken and changes nothing."""
    master = plain.master()
    connection = plain.connected(master, peer)
    cancelled = connection.new_task({}).start()
    cancelled.cancel()
    late = connection.new_task({}, 0.01).start().join(PATIENCE)
    for task, status in ((cancelled, TaskStatus.CANCELLED), (late, TaskStatus.FAILED)):
        assert say(master, connection.token, "complete", {"task": {"id": task.id}, "result": 1}).status == 200
        assert task.status is status and task.result != 1
    assert (connection.completed, connection.failed) == (0, 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"task": {}}, 400), ({"task": {"id": TASK}}, 400), ({"task": {"id": TASK}, "progress": 1}, 404)],
)
def test_progress_that_is_none(plain: Ends, peer: Peer, body: Any, status: int) -> None:
    """Progress without a task, an id or a value is refused."""
    master = plain.master()
    connection = plain.connected(master, peer)
    reply = say(master, connection.token, "progress", body)
    assert (reply.status, reply.code) == (status, MasterErrorCode.TASK_DATA_INVALID)


def test_a_slave_that_leaves(plain: Ends, peer: Peer) -> None:
    """A slave that says goodbye is lost, its tasks are, and its token is worth nothing any more."""
    lost = plain.runtime.queue()

    class Hearing(Master):
        def _lost_slave(self, name: str, reason: str) -> None:
            lost.put((name, reason))

    master = plain.master(Hearing)
    connection = plain.connected(master, peer)
    task = connection.new_task({}).start()
    assert ask(master.port, "DELETE", "/slave/leave", Token=connection.token).status == 200
    assert task.join(PATIENCE).status is TaskStatus.LOST and list(master) == []
    assert lost.get(timeout=PATIENCE) == ("one", "the slave was closed")
    assert ask(master.port, "DELETE", "/slave/leave", Token=connection.token).status == 403


def test_a_hook_of_lost_slaves_that_raises(plain: Ends, peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    """An error of `_lost_slave` is logged; the tasks are lost all the same, and the next slave is welcome."""

    class Failing(Master):
        def _lost_slave(self, name: str, reason: str) -> None:
            raise ZeroDivisionError

    master = plain.master(Failing)
    for _ in range(2):
        connection = plain.connected(master, peer)
        task = connection.new_task({}).start()
        ask(master.port, "DELETE", "/slave/leave", Token=connection.token)
        assert task.join(PATIENCE).status is TaskStatus.LOST
    assert plain.wait(lambda: caplog.text.count("_lost_slave failed") == 2)


def test_the_master_ends(plain: Ends, peer: Peer) -> None:
    """A master that is closed lets its slaves go, once; the tasks of each are lost."""
    master = plain.master()
    connections = [plain.connected(master, peer, str(number)) for number in range(3)]
    tasks = [connection.new_task({}).start() for connection in connections]
    master.close()
    assert [task.join(PATIENCE).status for task in tasks] == [TaskStatus.LOST] * 3
    told = [peer.next("/disconnect").token for _ in range(3)]
    assert sorted(told) == sorted(connection.token for connection in connections) and peer.requests.empty()
