"""The original's Master and Slave, peers of ours in other tests, do with each other what they are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.interaction_peers.environment import cache_of, python_of_original
from tests.interaction_peers.process import Event, Peer, PeerError, Peers, PeerSilent

TASK = {"a": 2, "b": 3}


@pytest.fixture
def peers(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Peers]:
    """Starts programs of the original, and kills them."""
    started = Peers(python_of_original(cache_of(pytestconfig, tmp_path)), tmp_path)
    yield started
    started.kill()


def test_original_with_original(peers: Peers) -> None:
    """Connections, tasks and refusals arrive as they were meant, and both programs end, told to or killed."""
    master, slave = peers.master(), peers.slave(heartbeat_span=1.5)
    refuses = {"refuse": {"why": "busy"}}
    assert refused(master, "connect", name="one", port=slave.port, data=refuses) == ("SlaveSlaveConnectionRefused", 503)
    assert master.ask("connect", name="one", port=slave.port, data={"who": "me"})["message"] == "Connect success."
    assert [slave.take("connection")["data"] for _ in range(2)] == [refuses, {"who": "me"}]
    assert master.ask("is_connected", name="one") == {"connection": True, "master": True}

    assert ended(master, TASK) == {"status": "COMPLETED", "result": {"sum": 5}, "joined": True}
    assert master.take("complete") == {"event": "complete", "task": 0, "data": TASK, "result": {"sum": 5}}
    assert ended(master, {"a": 2}) == {"status": "FAILED", "result": {"message": "ab not found"}, "joined": True}
    assert refused(master, "start", task=master.ask("new_task", name="one", data=refuses)) == ("SlaveTaskRefused", 602)
    assert ended(master, {"sleep": 0.5, **TASK}, within=0.1) == {"status": "STARTED", "result": None, "joined": False}
    assert master.take("complete")["task"] == 3

    assert refused(master, "disconnect", name="one", data=refuses) == ("SlaveSlaveDisconnectionRefused", 504)
    assert master.ask("disconnect", name="one")["success"]
    assert master.ask("is_connected", name="one") == {"connection": False, "master": False}
    assert slave.stop()
    other = peers.slave(heartbeat_span=1.5)
    assert master.ask("connect", name="two", port=other.port)["success"]
    master.kill()
    assert other.take("lost_connection")["master"] == master.address
    assert not slave.is_alive and not master.is_alive and other.is_alive
    with pytest.raises(PeerSilent):
        master.ask("ping")


def refused(master: Peer, do: str, **arguments: Any) -> tuple[str, int | None]:
    """The exception that a command ends with, and its code."""
    with pytest.raises(PeerError) as error:
        master.ask(do, **arguments)
    assert error.value.answer["data"] == {"why": "busy"}
    return error.value.error, error.value.code


def ended(master: Peer, data: Mapping[str, object], within: float = 10.0) -> Event:
    """What has become of a new task when it has been waited for so many seconds."""
    task = master.ask("new_task", name="one", data=data)
    assert master.ask("start", task=task)["status"] in ("STARTED", "COMPLETED", "FAILED")
    return master.join(task, within)
