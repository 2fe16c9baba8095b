"""The faults of the original 18 to 22, by their numbers in the specification: ours has none of them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from typing import Any
from uuid import uuid4

import pytest

from syncio.interaction import (
    Coordinator,
    Master,
    RequestException,
    SlaveConnection,
    SlaveMasterTokenInvalid,
    SlaveSlaveAlreadyConnected,
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
from .peers import (
    OK,
    OPTIONS,
    Answer,
    DrivenSlave,
    Ends,
    Request,
    ask,
    connect_as,
    give,
    task_of,
)

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
