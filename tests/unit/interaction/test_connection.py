"""A master's connection to one slave: connecting, letting go, and what hooks have to say."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from syncio.errors import BusyError, LocalError
from syncio.interaction import (
    ConnectionRefuse,
    ConnectionState,
    DisconnectionRefuse,
    Master,
    RequestException,
    SlaveSlaveConnectionRefused,
    SlaveSlaveDisconnectionRefused,
    SlaveTaskAlreadyExist,
    TaskStatus,
)
from syncio.interaction.connection import CONNECTION_STATES

from ..runtime.kinds import PATIENCE
from ..streams.duplex import Doing
from .peers import OK, Answer, DrivenSlave, Ends, Request, ask


class Refusing(DrivenSlave):
    """Refuses connections and disconnections for as long as it says so."""

    connects = True
    disconnects = True

    def _before_connection(self, data: Any) -> None:
        if not self.connects:
            raise ConnectionRefuse({"asked with": data})

    def _before_disconnection(self, data: Any) -> None:
        if data.get("wait"):
            self.asked.set()
            assert self.release.wait(PATIENCE)
        if not self.disconnects:
            raise DisconnectionRefuse({"asked with": data})


def test_the_table() -> None:
    """A connection can be made anew when it has ended, however it has."""
    for state in (ConnectionState.NEW, ConnectionState.DISCONNECTED, ConnectionState.LOST):
        assert CONNECTION_STATES.allows(state, ConnectionState.CONNECTING)
    for state in (ConnectionState.CONNECTING, ConnectionState.CONNECTED, ConnectionState.DISCONNECTING):
        assert not CONNECTION_STATES.allows(state, ConnectionState.CONNECTING)


# ---------------------------------------------------------------------- its life


def test_a_life(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """A connection is new, connected and disconnected; its properties say so at any time."""
    connection = master.new_connection("one", "127.0.0.1", slave.port)
    assert (connection.state, connection.is_connected, connection.token) == (ConnectionState.NEW, False, "")
    assert (connection.has_wire, connection.free_slots, connection.tasks) == (False, 0, [])
    connection.start()
    assert connection.state is ConnectionState.CONNECTED and connection.is_connected and len(connection.token) == 64
    assert connection.has_wire == slave.config.wire and connection.free_slots == 1
    assert connection.url == f"http://127.0.0.1:{slave.port}" in repr(connection)
    connection.close()
    assert connection.state is ConnectionState.DISCONNECTED and not connection.is_connected
    assert connection.has_wire is False and connection.free_slots == 0
    assert not slave.is_connected and list(master) == []


def test_the_ports_and_hosts_of_urls(plain: Ends) -> None:
    """Without a port a slave is at 7236; an address of IPv6 has brackets; https is asked for."""
    master = plain.master()
    assert master.new_connection("one", "h").url == "http://h:7236"
    assert master.new_connection("one", "::1", 5).url == "http://[::1]:5"
    assert master.new_connection("one", "h", 0, https=True).url == "https://h:0"


def test_with(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """`with` connects, and disconnects also behind an error."""
    with pytest.raises(ZeroDivisionError), master.new_connection("one", "127.0.0.1", slave.port) as connection:
        assert connection.is_connected
        raise ZeroDivisionError
    assert not connection.is_connected and not slave.is_connected


def test_connecting_twice(ends: Ends, slave: DrivenSlave, connection: Any) -> None:
    """What is connected cannot be connected, and stays what it is; what is not, cannot be let go."""
    token = connection.token
    with pytest.raises(BusyError, match="connected"):
        connection.connect()
    assert connection.is_connected and slave.is_connected and connection.token == token
    connection.disconnect()
    assert connection.disconnect() is None and connection.close() is None


def test_again_after_a_refusal(ends: Ends, master: Master) -> None:
    """A connection that was refused is new, its name is free, and it may ask again."""
    slave = ends.slave(Refusing)
    slave.connects = False
    connection = master.new_connection("one", "127.0.0.1", slave.port)
    for _ in range(2):
        with pytest.raises(SlaveSlaveConnectionRefused) as caught:
            connection.connect()
        assert caught.value.data == {"asked with": {}}
        assert connection.state is ConnectionState.NEW and not slave.is_connected
    slave.connects = True
    connection.connect()
    assert master["one"] is connection
    assert connection.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}


def test_again_after_a_loss(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """A connection whose slave was lost can be made again when the slave is there again, with a new token."""
    connection = ends.connected(master, slave)
    token, port = connection.token, slave.port
    slave.close()
    assert ends.wait(lambda: connection.state is ConnectionState.LOST)
    again = ends.slave(port=port)
    connection.connect()
    assert connection.is_connected and again.is_connected and connection.token != token
    assert connection.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}


def test_again_after_its_master_was_closed(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """A connection is usable again with a master that was closed and started again; meanwhile it is not."""
    connection = ends.connected(master, slave)
    master.close()
    assert connection.state is ConnectionState.DISCONNECTED
    with pytest.raises(LocalError):
        connection.connect()
    assert not slave.is_connected
    master.start()
    connection.connect()
    assert connection.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}


def test_masters_that_end_while_they_connect(ends: Ends, slave: DrivenSlave) -> None:
    """However the end of a master and a connection meet, nothing is connected to the master then."""
    master: Master = ends.master()
    for _ in range(15):
        connection = master.new_connection("one", "127.0.0.1", slave.port)
        connecting = Doing(ends.runtime, connection.connect)
        master.close()
        with contextlib.suppress(RequestException, LocalError):
            connecting.outcome()
        assert not connection.is_connected and not connection.has_wire and list(master) == []
        assert ends.wait(lambda: not slave.is_connected)
        master.start()


def test_a_disconnection_that_is_refused(ends: Ends, master: Master) -> None:
    """A slave that does not let its master go stays connected, with its tasks, until it agrees."""
    slave = ends.slave(Refusing)
    slave.disconnects = False
    connection = ends.connected(master, slave)
    task = connection.new_task({"wait": True}).start()
    for _ in range(2):
        with pytest.raises(SlaveSlaveDisconnectionRefused) as caught:
            connection.disconnect()
        assert caught.value.data == {"asked with": {}}
        assert connection.state is ConnectionState.CONNECTED and slave.is_connected and connection.tasks == [task]
    slave.release.set()
    assert task.join(PATIENCE).status is TaskStatus.COMPLETED
    slave.disconnects = True
    connection.disconnect()
    assert not slave.is_connected


def test_a_disconnection_that_is_refused_late(ends: Ends) -> None:
    """While a slave thinks about letting go it gets no tasks; when it has refused, it gets those that wait."""

    class Asking(Master):
        def _before_disconnect(self) -> dict[str, Any]:
            return {"wait": True}

    master, slave = ends.master(Asking), ends.slave(Refusing)
    slave.disconnects = False
    connection = ends.connected(master, slave)
    leaving = Doing(ends.runtime, connection.disconnect)
    assert slave.asked.wait(PATIENCE)
    assert connection.state is ConnectionState.DISCONNECTING and connection.is_connected
    future = master.submit({"a": 1})
    assert master.pool.waiting == 1 and connection.free_slots == 0
    with pytest.raises(LocalError):
        connection.new_task({}).start()
    slave.release.set()
    with pytest.raises(SlaveSlaveDisconnectionRefused):
        leaving.outcome()
    assert future.result(PATIENCE) == {"sum": 1}
    slave.disconnects = True


def test_a_slave_that_goes_is_lost(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """A slave that says goodbye is lost at once, long before its heartbeats are missed."""
    connection = ends.connected(master, slave)
    task = connection.new_task({"wait": True}).start()
    slave.close()
    assert task.join(2.0).status is TaskStatus.LOST
    assert "closed" in str(task.error) and connection.state is ConnectionState.LOST


# ---------------------------------------------------------------------- hooks


class Hooked(Master):
    """Notes what its hooks are told; each may say something, or raise it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.told: list[Any] = []
        self.says: dict[str, Any] = {}

    def _say(self, hook: str, *told: Any, default: Any = None) -> Any:
        self.told.append((hook, *told))
        said = self.says.get(hook, default)
        if isinstance(said, BaseException):
            raise said
        return said

    def _before_connect(self) -> Any:
        return self._say("before connect")

    def _after_connect(self, *answer: Any) -> Any:
        return self._say("after connect", *answer)

    def _error_connect(self, error: RequestException) -> Any:
        return self._say("error connect", default=error)

    def _before_disconnect(self) -> Any:
        return self._say("before disconnect")

    def _after_disconnect(self, *answer: Any) -> Any:
        return self._say("after disconnect", *answer)

    def _error_disconnect(self, error: RequestException) -> Any:
        return self._say("error disconnect", default=error)

    def _before_new_task(self, data: Any = None) -> Any:
        return self._say("before new task", default=data)

    def _after_new_task(self, *answer: Any) -> Any:
        return self._say("after new task", *answer)

    def _error_new_task(self, error: RequestException) -> Any:
        return self._say("error new task", default=error)


def test_what_hooks_say(ends: Ends, slave: DrivenSlave) -> None:
    """Hooks are told the answers, and say what is sent, and what `connect` and `disconnect` return."""
    master: Hooked = ends.master(Hooked)
    master.says = {"after connect": "c", "after disconnect": "d", "before new task": {"a": 5}}
    connection = master.new_connection("one", "127.0.0.1", slave.port)
    assert connection.connect() == "c"
    task = connection.new_task({"b": 1}).start().join(PATIENCE)
    assert task.result == {"sum": 5} and task.task == {"b": 1}
    assert connection.disconnect() == "d"
    names = [hook for hook, *_ in master.told]
    assert names == [
        "before connect", "after connect", "before new task", "after new task", "before disconnect", "after disconnect",
    ]  # fmt: skip
    for hook, *answer in master.told:
        if hook.startswith("after"):
            assert answer[:3] == [200, True, 0] and isinstance(answer[3], str)


@pytest.mark.parametrize("hook", ["before connect", "after connect", "before disconnect", "after disconnect"])
def test_hooks_that_raise(ends: Ends, slave: DrivenSlave, hook: str) -> None:
    """What a hook raises comes out; behind a `before` all is as it was, behind an `after` it has been done."""
    master: Hooked = ends.master(Hooked)
    connection = master.new_connection("one", "127.0.0.1", slave.port)
    master.says[hook] = ZeroDivisionError()
    if "disconnect" in hook:
        connection.connect()
        with pytest.raises(ZeroDivisionError):
            connection.disconnect()
    else:
        with pytest.raises(ZeroDivisionError):
            connection.connect()
    is_connected = hook in ("after connect", "before disconnect")
    assert connection.is_connected == slave.is_connected == is_connected and ("one" in master) == is_connected
    master.says.clear()
    if not is_connected:
        connection.connect()
    assert connection.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}


@pytest.mark.parametrize("hook", ["before new task", "after new task"])
def test_hooks_of_tasks_that_raise(ends: Ends, slave: DrivenSlave, hook: str) -> None:
    """What a hook of a task raises comes out of `start`; a task that was not sent has not started."""
    master: Hooked = ends.master(Hooked)
    connection = ends.connected(master, slave)
    master.says[hook] = error = ZeroDivisionError()
    task = connection.new_task({"a": 1})
    with pytest.raises(ZeroDivisionError):
        task.start()
    if hook.startswith("before"):
        assert task.status is TaskStatus.START_FAILED and task.error is error and slave.begun.empty()
    else:
        assert task.join(PATIENCE).result == {"sum": 1}
    assert connection.tasks == []
    master.says.clear()
    assert connection.new_task({"a": 1}).start().join(PATIENCE).result == {"sum": 1}


def test_data_that_is_no_json(ends: Ends, connection: Any) -> None:
    """Data that cannot go into JSON is a TypeError of `start`, and the slot is free."""
    task = connection.new_task({"object": object()})
    with pytest.raises(TypeError):
        task.start()
    assert task.status is TaskStatus.START_FAILED and connection.free_slots == 1


def test_error_hooks_have_the_last_word(plain: Ends) -> None:
    """An `_error_` hook that raises nothing makes its return value that of the call; the states say what happened."""
    master: Hooked = plain.master(Hooked)
    master.says = {"error connect": "c", "error disconnect": "d", "error new task": "t"}
    peer = plain.peer(lambda request: None)
    connection = master.new_connection("one", "127.0.0.1", peer.port)
    assert connection.connect() == "c" and connection.state is ConnectionState.NEW
    peer.answer = lambda request: (200, OK) if request.path == "/connect" else None
    connection.connect()
    assert connection.new_task({}).start().status is TaskStatus.START_FAILED
    assert connection.disconnect() == "d" and connection.state is ConnectionState.CONNECTED
    assert [hook for hook, *_ in master.told if hook.startswith("error")] == [
        "error connect", "error new task", "error disconnect",
    ]  # fmt: skip


def test_a_task_without_data(connection: Any, slave: DrivenSlave) -> None:
    """No data are an empty object for the slave."""
    connection.new_task().start().join(PATIENCE)
    assert slave.begun.get(timeout=PATIENCE) == {}


# ---------------------------------------------------------------------- slots


def test_slots(ends: Ends, master: Master) -> None:
    """A slave says how many tasks it takes at the same time; one more is refused, and one that ends makes room."""
    slave = ends.slave(slots=2)
    connection = ends.connected(master, slave)
    tasks = [connection.new_task({"wait": True}).start() for _ in range(2)]
    assert (connection.slots, connection.free_slots) == (2, 0)
    with pytest.raises(SlaveTaskAlreadyExist):
        connection.new_task({}).start()
    slave.release.set()
    for task in tasks:
        task.join(PATIENCE)
    assert connection.free_slots == 2 and connection.completed == 2 and connection.failed == 0


@pytest.mark.parametrize("slots", [None, 0, -3, "7", 2.5, [], {}])
def test_slots_that_are_none(plain: Ends, slots: Any) -> None:
    """A slave that says no number of slots that can be has one."""
    peer = plain.peer(lambda request: (200, {**OK, "syncio": {"slots": slots}}))
    assert plain.connected(plain.master(), peer).slots == 1


@pytest.mark.parametrize("said", [None, 7, [], "x", {"wire": 7}, {"wire": ""}, {"wire": "a b\r\nc"}, {"wire": "//x:y"}])
def test_wires_that_are_none(ends: Ends, said: Any) -> None:
    """A slave of ours that says nonsense of its wire is connected all the same, and its tasks go over HTTP."""
    peer = ends.peer(lambda request: (200, {**OK, "syncio": said}))
    connection = ends.connected(ends.master(request_retries=0), peer)
    assert not connection.has_wire
    assert connection.new_task({}).start().status is TaskStatus.STARTED


def test_counting(ends: Ends, connection: Any) -> None:
    """A connection counts what its slave has completed, and what has failed."""
    for data in ({"a": 1}, {"fail": {}}, {"raise": "x"}, {"a": 2}, {"a": 3}):
        connection.new_task(data).start().join(PATIENCE)
    assert (connection.completed, connection.failed) == (3, 2)


# ---------------------------------------------------------------------- what a slave says


def test_every_word_is_a_sign_of_life(plain: Ends) -> None:
    """Heartbeats, results and progress, also of tasks that nobody knows, all say that the slave lives."""
    master, peer = plain.master(), plain.peer()
    connection = plain.connected(master, peer)
    token = peer.next("/connect").token
    body = {"task": {"id": "00000000-0000-4000-8000-000000000001"}, "result": 1, "progress": 1}
    for method, path in (
        ("GET", "/slave/heartbeat"),
        ("PUT", "/slave/task/complete"),
        ("PUT", "/slave/task/fail"),
        ("PUT", "/slave/task/progress"),
    ):
        before = connection.last_heartbeat
        assert ask(master.port, method, path, body, Token=token).status in (200, 404)
        assert connection.last_heartbeat > before, path


def test_progress_of_unknown_tasks(plain: Ends) -> None:
    """Progress of a task that nobody knows is refused; that of one that is under way is known."""
    master, peer = plain.master(), plain.peer()
    connection = plain.connected(master, peer)
    task, token = connection.new_task({}).start(), connection.token

    def say(task_id: str) -> int:
        body = {"task": {"id": task_id}, "progress": 0.5}
        return ask(master.port, "PUT", "/slave/task/progress", body, Token=token).status

    assert say("00000000-0000-4000-8000-000000000001") == 404
    assert say(task.id) == 200 and task.progress == 0.5


def test_a_slave_that_says_no_to_a_task(plain: Ends) -> None:
    """A refusal without a code that there is, is a RequestException; the slave is told that nobody wants the task."""

    def answer(request: Request) -> Answer:
        return (500, {**OK, "success": False, "code": 12345}) if request.path == "/task/new" else (200, OK)

    peer = plain.peer(answer)
    connection = plain.connected(plain.master(), peer)
    task = connection.new_task({})
    with pytest.raises(RequestException):
        task.start()
    assert peer.next("/task/cancel").body == {"task": {"id": task.id}}
    assert connection.tasks == []
