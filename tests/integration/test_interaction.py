"""Masters and slaves of ours in processes of their own are killed, stopped and cut off, with the wire and without.

Where a slave is a process, the master is in that of the tests, and the other way round.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from syncio.interaction import (
    Master,
    MasterSlaveTokenInvalid,
    RequestException,
    SlaveConnection,
    SlaveMasterTokenInvalid,
    SlaveSystemShuttingDown,
    SlaveTaskAlreadyExist,
    TaskCancelled,
    TaskLost,
    TaskStatus,
    TaskTimeout,
)
from tests.conftest import require_tool
from tests.interaction_peers.cable import Cable
from tests.interaction_peers.certificates import Authority, with_contexts
from tests.interaction_peers.our_slave import OurSlave
from tests.interaction_peers.ours import Ear, OurPeer, OurPeers
from tests.interaction_peers.process import LOCALHOST
from tests.servers.process import wait_until

TASK = {"a": 2, "b": 3}
TOLERANCE = 1.0
PATIENCE = 15.0
WIRE = pytest.mark.parametrize("wire", [True, False], ids=["wire", "http"])
END = pytest.mark.parametrize("end", ["kill", "suspend"])


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[OurPeers]:
    """Starts programs of ours, and kills them."""
    started = OurPeers(tmp_path)
    yield started
    started.kill()


@pytest.fixture(autouse=True)
def no_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is logged as an error in this process."""
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


class OurMaster(Master):
    """Does not wait long for anything, and tells which slaves it has lost."""

    def __init__(self, **options: Any) -> None:
        self.ear = Ear()
        given = {"host": LOCALHOST, "port": 0, "heartbeat_tolerance": TOLERANCE, "heartbeat_check_span": 0.1}
        retries = {"request_retries": 1, "request_retry_waiting": 0.05, "request_timeout": 1.0}
        super().__init__(**{**given, **retries, **options})

    def _lost_slave(self, name: str, reason: str) -> None:
        self.ear("lost", name=name, reason=reason)

    def connected(self, port: int, name: str = "one", **options: Any) -> SlaveConnection:
        """A new connection that is connected, with its wire if it has one."""
        connection = self.new_connection(name, LOCALHOST, port, **options)
        connection.connect()
        return connection


def slave_here(ear: Ear, **options: Any) -> OurSlave:
    """A slave in this process."""
    given = {"host": LOCALHOST, "port": 0, "heartbeat_span": 0.2, "request_timeout": 0.5, "request_retries": 1}
    return OurSlave(ear, **{**given, **options}, request_retry_waiting=0.05)


# ---------------------------------------------------------------------- a slave that dies


@WIRE
@END
def test_task_of_slave_that_dies(peers: OurPeers, wire: bool, end: str) -> None:
    """A slave that is killed or stopped in the middle of a task is lost within the tolerance, and so is the task."""
    slave = peers.slave(wire=wire)
    heard: list[Any] = []
    with OurMaster() as master:
        connection = master.connected(slave.port)
        assert connection.has_wire is wire
        task = connection.new_task({"hang": [slave.port]}).on_fail(lambda *said: heard.append(said)).start()
        slave.take("work")
        getattr(slave, end)()
        assert isinstance(task.exception(5 * TOLERANCE), TaskLost) and task.status is TaskStatus.LOST
        assert heard == [(task.task, task.result)] and task.result["error"]["type"] == "TaskLost"
        assert master.ear.take("lost")["name"] == "one" and "one" not in master and connection.tasks == []
        if end == "suspend":
            slave.resume()
            assert slave.take("lost_connection")["master"] == master.my_address
            assert slave.take("cancelled")
            connection.connect()
            assert wait_until(lambda: _does(connection), PATIENCE)
            assert connection.has_wire is wire


def _does(connection: SlaveConnection) -> bool:
    """Whether a slave does a task; it may be about to end one that nobody wants."""
    try:
        return bool(connection.new_task(TASK).start().join(PATIENCE).result == {"sum": 5})
    except SlaveTaskAlreadyExist:
        return False


@WIRE
@END
def test_retry_on_another_slave(peers: OurPeers, wire: bool, end: str) -> None:
    """A task of the pool whose slave is killed or stopped is done by another one, within the tolerance."""
    first, second = peers.slaves(2, wire=wire)
    with OurMaster() as master:
        master.connected(first.port, "first")
        future = master.submit({"hang": [first.port], **TASK})
        first.take("work")
        master.connected(second.port, "second")
        getattr(first, end)()
        assert future.result(5 * TOLERANCE) == {"sum": 5}
        assert second.take("work")["data"] == {"hang": [first.port], **TASK}
        assert master.ear.take("lost")["name"] == "first" and list(master) == ["second"]


@WIRE
def test_map_while_a_slave_dies(peers: OurPeers, wire: bool) -> None:
    """All results of a map come, in order, while one of three slaves is killed in the middle."""
    slaves = peers.slaves(3, wire=wire, slots=2)
    with OurMaster() as master:
        for slave in slaves:
            master.connected(slave.port, str(slave.port))
        items = [{"a": number, "b": number, "sleep": 0.02} for number in range(120)]
        results = master.map(items)
        found = [next(results) for _ in range(20)]
        slaves[1].kill()
        assert found + list(results) == [{"sum": 2 * number} for number in range(120)]
        assert master.ear.take("lost")["name"] == str(slaves[1].port) and len(master) == 2
        assert all(slave.saw("work") for slave in slaves)
        assert (master.pool.waiting, master.pool.under_way) == (0, 0)


# ---------------------------------------------------------------------- a master that dies


@WIRE
@END
def test_master_that_dies(peers: OurPeers, wire: bool, end: str) -> None:
    """A slave whose master is killed or stopped notices, ends that one's task, and another master may have it."""
    ear = Ear()
    with slave_here(ear, wire=wire) as slave:
        first = peers.master()
        first.tell(port=slave.port, tasks=[{"hang": [slave.port]}])
        assert first.take("given")["wire"] is wire
        ear.take("work")
        getattr(first, end)()
        assert ear.take("lost_connection", PATIENCE)["master"] == first.address
        assert ear.take("cancelled") and not slave.is_connected
        with OurMaster() as master:
            connection = master.connected(slave.port)
            assert wait_until(lambda: _does(connection), PATIENCE)
            assert connection.has_wire is wire


def test_goodbyes(peers: OurPeers) -> None:
    """An end that is closed says so: the other one has not to wait until it misses it."""
    with OurMaster(heartbeat_tolerance=60.0) as master:
        for wire in (True, False):
            slave = peers.slave(wire=wire, heartbeat_span=30.0)
            connection = master.connected(slave.port)
            task = connection.new_task({"sleep": 30}).start()
            slave.take("work")
            assert slave.stop()
            assert isinstance(task.exception(PATIENCE), TaskLost)
            assert master.ear.take("lost")["reason"] == "the slave was closed"
        slave = peers.slave(heartbeat_span=30.0)
        master.connected(slave.port)
    assert slave.take("disconnection")["data"] == {} and not slave.saw("lost_connection")
    with OurMaster() as other:
        assert _does(other.connected(slave.port))


# ---------------------------------------------------------------------- a wire that breaks


@pytest.fixture
def cabled(peers: OurPeers) -> Iterator[tuple[OurPeer, Cable]]:
    """A slave, and the cable through which a master reaches it."""
    slave = peers.slave(slots=4)
    cable = Cable(slave.port)
    yield slave, cable
    cable.close()


def test_wire_that_is_cut(cabled: tuple[OurPeer, Cable]) -> None:
    """Under a wire that is cut again and again every task is done once and has its result, and the wire comes back."""
    slave, cable = cabled
    with OurMaster(heartbeat_tolerance=10.0) as master:
        connection = master.connected(cable.port)
        heard: list[int] = []
        over = threading.Event()
        cutting = threading.Thread(target=_cut_now_and_then, args=(cable, connection, over))
        cutting.start()
        try:
            for rounds in range(1, 4):
                items = [{"a": number, "b": rounds, "sleep": 0.002} for number in range(150)]
                futures = [master.submit(item) for item in items]
                for number, future in enumerate(futures):
                    future.add_done_callback(lambda _, number=number: heard.append(number))  # type: ignore[misc]
                assert [future.result(PATIENCE)["sum"] for future in futures] == [item["a"] + rounds for item in items]
        finally:
            over.set()
            cutting.join()
        assert wait_until(lambda: len(heard) == 450, PATIENCE) and sorted(set(heard)) == list(range(150))
        done = [(said["data"]["a"], said["data"]["b"]) for said in slave.saw("work")]
        assert len(done) == len(set(done)) == 450
        assert wait_until(lambda: connection.has_wire, PATIENCE)
        assert connection.completed == 450 and connection.tasks == [] and not master.ear.saw("lost")
        assert _does(connection)


def _cut_now_and_then(cable: Cable, connection: SlaveConnection, over: threading.Event) -> None:
    while not over.wait(0.05):
        if connection.has_wire:
            cable.cut()


def test_wire_that_breaks_under_a_long_task(cabled: tuple[OurPeer, Cable]) -> None:
    """What is under way when the wire is cut goes on, and its result and its progress come by HTTP, or a new wire."""
    _, cable = cabled
    with OurMaster(heartbeat_tolerance=10.0) as master:
        connection = master.connected(cable.port)
        progress: list[Any] = []
        task = connection.new_task({"steps": 12, **TASK}).on_progress(lambda _, said: progress.append(said["step"]))
        task.start()
        assert wait_until(lambda: progress, PATIENCE)
        assert cable.cut() and not task.done()
        assert task.join(PATIENCE).result == {"sum": 5} and task.status is TaskStatus.COMPLETED
        assert progress == sorted(set(progress)) and progress[-1] >= 6


@pytest.mark.parametrize("side", ["master", "slave"])
def test_wire_that_falls_silent(cabled: tuple[OurPeer, Cable], side: str) -> None:
    """When only one end learns that the wire is gone, both have another one before long, and no result is lost."""
    slave, cable = cabled
    with OurMaster(heartbeat_tolerance=30.0) as master:
        connection = master.connected(cable.port)
        task = connection.new_task({"sleep": 0.5, **TASK}).start()
        cable.freeze(heard_by=side)
        assert task.join(PATIENCE).result == {"sum": 5}
        assert wait_until(lambda: connection.has_wire and _does(connection), PATIENCE)
        assert len(slave.saw("work")) == 2 and not master.ear.saw("lost")


# ---------------------------------------------------------------------- tasks


@WIRE
def test_slots(peers: OurPeers, wire: bool) -> None:
    """A slave works on as many tasks at the same time as it has slots, and is busy for the next one."""
    slave = peers.slave(wire=wire, slots=3)
    with OurMaster() as master:
        connection = master.connected(slave.port)
        assert (connection.slots, connection.free_slots) == (3, 3)
        tasks = [connection.new_task({"hang": [slave.port], "number": number}).start() for number in range(3)]
        assert sorted(slave.take("work")["data"]["number"] for _ in tasks) == [0, 1, 2]
        with pytest.raises(SlaveTaskAlreadyExist):
            connection.new_task(TASK).start()
        queued = master.submit(TASK)
        assert connection.free_slots == 0 and master.pool.waiting == 1
        assert tasks[1].cancel() and slave.take("cancelled")["data"]["number"] == 1
        assert queued.result(PATIENCE) == {"sum": 5}


@WIRE
def test_progress(peers: OurPeers, wire: bool) -> None:
    """A master hears in order how far a task is, and the last of it stays to be seen."""
    slave = peers.slave(wire=wire)
    heard: list[Any] = []
    with OurMaster() as master:
        connection = master.connected(slave.port)
        data = {"steps": 4, **TASK}
        task = connection.new_task(data).on_progress(lambda *said: heard.append(said))
        assert task.start().join(PATIENCE).result == {"sum": 5}
        assert heard == [(data, {"step": number}) for number in range(4)] and task.progress == {"step": 3}


@WIRE
def test_end_that_master_wants(peers: OurPeers, wire: bool) -> None:
    """A slave is told that a task was cancelled or took too long, and that nobody wants it after a disconnection."""
    slave = peers.slave(wire=wire)
    with OurMaster() as master:
        connection = master.connected(slave.port)
        ends: list[tuple[str, float | None, Callable[[Any], object], type[Exception]]] = [
            ("cancel", None, lambda task: task.cancel(), TaskCancelled),
            ("time-out", 0.6, lambda task: None, TaskTimeout),
            ("disconnect", None, lambda task: connection.disconnect(), TaskLost),
        ]
        for name, timeout, end, error in ends:
            assert wait_until(lambda: _does(connection), PATIENCE)
            task = connection.new_task({"hang": [slave.port], "name": name}, timeout=timeout).start()
            while slave.take("work")["data"].get("name") != name:
                pass  # one that is cancelled earlier is not even begun
            end(task)
            assert isinstance(task.exception(PATIENCE), error)
            assert slave.take("cancelled")["data"]["name"] == name
        assert connection.completed == 3 and not master.ear.saw("lost")
    assert not slave.saw("lost_connection")


@WIRE
def test_drain(peers: OurPeers, wire: bool) -> None:
    """A slave or a master that is drained takes no more tasks, and ends those that it has."""
    slave, other = peers.slaves(2, wire=wire)
    with OurMaster() as master:
        connection = master.connected(slave.port)
        long = connection.new_task({"sleep": 0.4, **TASK}).start()
        slave.take("work")
        slave.tell(do="drain")
        assert wait_until(lambda: _refuses(connection), PATIENCE)
        assert long.join(PATIENCE).result == {"sum": 5} and slave.take("drained")["all"] is True
        master.connected(other.port, "two")
        futures = [master.submit({"sleep": 0.1, **TASK}) for _ in range(4)]
        assert master.drain(0.05) is False
        assert master.drain(PATIENCE) is True
        assert [future.result(0) for future in futures] == [{"sum": 5}] * 4
        with pytest.raises(Exception, match="drain"):
            master.submit(TASK)
        assert slave.stop() and master.ear.take("lost")["name"] == "one"


def _refuses(connection: SlaveConnection) -> bool:
    try:
        connection.new_task(TASK).start()
    except SlaveSystemShuttingDown:
        return True
    except SlaveTaskAlreadyExist:
        return False
    raise AssertionError("it has taken a second task")


# ---------------------------------------------------------------------- who may


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Authority]:
    """Ours, and another one that nobody here knows."""
    openssl, folder = require_tool("openssl"), tmp_path_factory.mktemp("tls")
    return {name: Authority(openssl, folder, name) for name in ("ours", "others")}


def tls(authority: Authority, name: str | None = None, asks: bool = False) -> dict[str, Any]:
    """Options of an end that trusts an authority, and has a certificate of it if it has a name."""
    certificate = None if name is None else str(authority.certificate(name))
    return {"authority": str(authority.file), "certificate": certificate, "asks": asks}


@pytest.mark.parametrize(("wire", "asks"), [(True, False), (True, True), (False, True)])
def test_tls(peers: OurPeers, authorities: dict[str, Authority], wire: bool, asks: bool) -> None:
    """With certificates of a private authority everything is as usual, in both directions; others are refused."""
    ours, others = authorities["ours"], authorities["others"]
    slave = peers.slave(wire=wire, **tls(ours, "slave", asks))
    with OurMaster(**with_contexts(tls(ours, "master", asks))) as master:
        assert master.my_address.startswith("https:")
        connection = master.connected(slave.port, https=True)
        assert connection.has_wire is wire and connection.url.startswith("https:")
        assert connection.new_task({"steps": 2, **TASK}).start().join(PATIENCE).result == {"sum": 5}
        seen = connection.last_heartbeat
        assert wait_until(lambda: connection.last_heartbeat > seen, PATIENCE) and master.ping()
        strangers = [tls(others, "stranger")]
        if asks:
            strangers.append(tls(ours))  # it knows them, but has nothing to show
        for stranger in strangers:
            with OurMaster(**with_contexts(stranger)) as wrong, pytest.raises(RequestException):
                wrong.connected(slave.port, https=True)
        connection.disconnect()
    assert not slave.saw("lost_connection") and len(slave.saw("connection")) == 1


def test_secret(peers: OurPeers) -> None:
    """A slave with a secret is nobody's who does not know it."""
    slave = peers.slave(secret="swordfish")
    for secret in (None, "sword"):
        with OurMaster(secret=secret) as stranger, pytest.raises(SlaveMasterTokenInvalid):
            stranger.connected(slave.port)
    with OurMaster(secret="swordfish") as master:
        connection = master.connected(slave.port)
        assert _does(connection) and connection.has_wire
    assert len(slave.saw("connection")) == 1


def test_slaves_that_join(peers: OurPeers) -> None:
    """Slaves come of their own accord if they know the secret, again after they were killed, and get tasks."""
    with OurMaster(accept_slaves=True, secret="swordfish") as master:
        future = master.submit(TASK)
        stranger = peers.slave(secret="trout")
        stranger.tell(do="join", address=master.my_address, name="stranger")
        assert stranger.take("joined")["error"] == MasterSlaveTokenInvalid.__name__
        one, two, again = peers.slaves(3, secret="swordfish")
        for name, slave in (("one", one), ("two", two)):
            slave.tell(do="join", address=master.my_address, name=name)
            assert slave.take("joined")["name"] == name
        master.wait_for_slaves(2, PATIENCE)
        assert sorted(master) == ["one", "two"] and future.result(PATIENCE) == {"sum": 5}
        two.kill()
        again.tell(do="join", address=master.my_address, name="two")
        assert again.take("joined")["name"] == "two" and _does(master["two"]) and again.take("work")


def test_status_page(peers: OurPeers) -> None:
    """The page shows slaves and tasks, and with a secret only to those who know it."""
    slave = peers.slave(slots=2, secret="swordfish")
    with OurMaster(status_page=True, secret="swordfish") as master:
        connection = master.connected(slave.port)
        task = connection.new_task({"hang": [slave.port]}).start()
        waiting = [master.submit({"hang": [slave.port]}) for _ in range(3)]
        for path in ("/", "/status.json", "/engine.io/?EIO=4&transport=polling"):
            for password in (None, "trout"):
                status, headers, _ = page(master.my_address + path, password)
                assert status == 401 and headers["WWW-Authenticate"].startswith("Basic ")
        status, headers, text = page(master.my_address + "/", "swordfish")
        assert status == 200 and headers["Content-Type"].startswith("text/html") and "</html>" in text
        shown = json.loads(page(master.my_address + "/status.json", "swordfish")[2])
        assert (shown["address"], shown["waiting"], shown["under_way"]) == (master.my_address, 2, 1)
        (one,) = shown["slaves"]
        assert (one["name"], one["url"], one["slots"], one["wire"]) == ("one", slave.address, 2, True)
        assert {"id": str(task.id), "status": "STARTED", "progress": None} in one["tasks"] and len(one["tasks"]) == 2
        for future in waiting:
            future.cancel()
    with OurMaster(status_page=True) as master:
        assert page(master.my_address + "/status.json", None)[0] == 200
    with OurMaster() as master:
        assert page(master.my_address + "/", None)[0] == 404


def page(url: str, password: str | None) -> tuple[int, Any, str]:
    """The status, the headers and the text of a page."""
    asked = urllib.request.Request(url)
    if password is not None:
        asked.add_header("Authorization", "Basic " + base64.b64encode(f"me:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()
