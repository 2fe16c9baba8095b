"""The slave's end of the wire: who may speak, what is understood, and what comes twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from syncio.engineio.client import Client

from ..runtime.kinds import PATIENCE
from .peers import DrivenSlave, Ends, Peer, ask, connect_as


class RawMaster:
    """A master that speaks raw HTTP, and raw messages on the wire.

    :param token: its token.
    """

    def __init__(self, ends: Ends, slave: DrivenSlave, token: str = "t1") -> None:
        self.peer: Peer = ends.peer()
        self.heard = ends.runtime.queue()
        body = {"master": {"address": self.peer.url}, "syncio": {"wire": True}}
        self.answer = ask(slave.port, "POST", "/connect", body, Token=token)
        self.client = Client()
        self.client.on("message", self.heard.put)
        ends.add(self)
        self.client.connect(f"http://127.0.0.1:{slave.port}", {"Channel": "0", "Token": token}, "websocket", "wire")

    def say(self, *message: Any) -> None:
        """Say something by the wire."""
        self.client.send(json.dumps(message))

    def next(self, kind: str) -> list[Any]:
        """The next message of a kind."""
        while True:
            message: list[Any] = self.heard.get(timeout=PATIENCE)
            if message[0] == kind:
                return message

    def close(self) -> None:
        """End the wire."""
        self.client.disconnect()


@pytest.fixture
def slave(plain: Ends) -> DrivenSlave:
    """A slave that has a wire, and whose heart hardly beats."""
    made: DrivenSlave = plain.slave(wire=True, slots=2, heartbeat_span=60.0)
    return made


@pytest.fixture
def master(plain: Ends, slave: DrivenSlave) -> Iterator[RawMaster]:
    """Its master."""
    yield RawMaster(plain, slave)


def test_a_task(master: RawMaster, slave: DrivenSlave) -> None:
    """A task is brought when it is done; what is confirmed, by itself or with the next task, comes no more."""
    assert master.answer.said["syncio"] == {"slots": 2, "wire": "wire"}
    first, second = str(uuid4()), str(uuid4())
    master.say("task", first, {"a": 1})
    assert master.next("done") == ["done", first, "complete", {"sum": 1}]
    master.say("got", first)
    master.say("task", second, {"a": 2})
    assert master.next("done") == ["done", second, "complete", {"sum": 2}]
    master.say("task", str(uuid4()), {"fail": {"why": "x"}}, second)
    assert master.next("done")[2:] == ["fail", {"why": "x"}]
    master.close()
    assert master.peer.next("/slave/task/fail").body["result"] == {"why": "x"}


def test_a_task_that_takes_its_time(master: RawMaster, slave: DrivenSlave) -> None:
    """That a task was taken is said before its result, if that is not there soon."""
    master.say("task", "x", {"wait": True, "a": 1})
    took = master.next("took")
    assert took[1:3] == ["x", 200] and took[3]["success"] is True
    slave.release.set()
    assert master.next("done") == ["done", "x", "complete", {"sum": 1}]


def test_refusals(master: RawMaster, slave: DrivenSlave) -> None:
    """What the slave does not take is answered with the status, the code and the data that HTTP would have."""
    cases = [({"refuse": {"why": "x"}}, 403, 602, {"why": "x"}), ({"break": "x"}, 500, 1, {})]
    for data, status, code, more in cases:
        master.say("task", "x", data)
        _, task_id, said_status, said = master.next("took")
        assert (task_id, said_status, said["success"], said["code"]) == ("x", status, False, code)
        assert said["data"] == more
    for name in "abc":
        master.say("task", name, {"wait": True})
    took = {message[1]: message for message in (master.next("took") for _ in range(3))}
    assert [took[name][2] for name in "ab"].count(200) + (took["c"][2] == 200) == 2
    assert [message[3]["code"] for message in took.values() if message[2] != 200] == [601]


def test_a_task_that_comes_twice(master: RawMaster, slave: DrivenSlave) -> None:
    """A task that comes again, by the wire or over HTTP, is answered again, and done once."""
    task_id = str(uuid4())
    for _ in range(2):
        master.say("task", task_id, {"wait": True})
        assert master.next("took")[1:3] == [task_id, 200]
    slave.release.set()
    assert master.next("done")[1] == task_id
    assert ask(slave.port, "POST", "/task/new", {"task": {"id": task_id}, "data": {}}, Token="t1").status == 200
    assert slave.begun.get(timeout=PATIENCE) and slave.begun.empty()


def test_a_task_that_nobody_wants(master: RawMaster, slave: DrivenSlave) -> None:
    """A task that was cancelled by the wire brings no result; its slot is free."""
    master.say("task", "x", {"wait": True})
    assert slave.begun.get(timeout=PATIENCE)
    master.say("cancel", "x")
    master.say("cancel", "nobody's")
    master.say("task", "y", {"a": 1})
    assert master.next("done")[1] == "y"
    slave.release.set()
    master.say("task", "z", {"a": 1})
    assert master.next("done")[1] == "z"


NONSENSE = [
    "7", "null", '"x"', "[]", "{}", "[7]", '["task"]', '["task","x"]', '["task",7,{}]', '["task","x",{},{}]',
    '["task",null,{}]', f'["task","{"x" * 65}",{{}}]', '["cancel"]', '["cancel",[]]', '["got",{}]', '["got"]',
    '["nothing","x"]', '[["task"],"x",{}]', "not json", "[" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE, ids=[text[:30] for text in NONSENSE])
def test_messages_that_mean_nothing(master: RawMaster, slave: DrivenSlave, text: str) -> None:
    """A message that means nothing is not answered, and the next one is understood."""
    master.client.send(text)
    master.say("task", "good", {"a": 1})
    assert master.next("done")[1] == "good"
    assert slave.begun.qsize() == 1


def test_a_master_that_has_let_go(plain: Ends, slave: DrivenSlave) -> None:
    """The wire of a master that has let the slave go gives it no tasks, also when another master has it."""
    first = RawMaster(plain, slave)
    assert ask(slave.port, "DELETE", "/disconnect", {}, Token="t1").status == 200
    first.say("task", "x", {"a": 1})
    second = plain.peer()
    assert connect_as(slave, second, "t2") == 200
    first.say("task", "y", {"a": 2})
    assert (
        ask(slave.port, "POST", "/task/new", {"task": {"id": str(uuid4())}, "data": {"a": 3}}, Token="t2").status == 200
    )
    assert second.next("/slave/task/complete").body["result"] == {"sum": 3}
    first.say("got", "x")
    assert slave.begun.get(timeout=PATIENCE) == {"a": 3} and slave.begun.empty()


def test_a_second_wire_takes_over(plain: Ends, master: RawMaster, slave: DrivenSlave) -> None:
    """When the master dials again, what it has not confirmed comes over HTTP, and new results by the new wire."""
    master.say("task", "x", {"a": 1})
    assert master.next("done")[1] == "x"
    again = RawMaster(plain, slave)
    assert again.answer.status == 200
    assert master.peer.next("/slave/task/complete").body == {"task": {"id": "x"}, "result": {"sum": 1}}
    again.say("task", "y", {"a": 2})
    assert again.next("done")[1] == "y"
    master.close()
    again.say("task", "z", {"a": 3})
    assert again.next("done")[1] == "z" and slave.is_connected


def test_progress_goes_by_the_wire(plain: Ends) -> None:
    """Progress and results of one task go by the wire in their order."""

    class Telling(DrivenSlave):
        def _process_task(self, task: Any) -> Any:
            self.progress(0.5)
            return super()._process_task(task)

    master = RawMaster(plain, plain.slave(Telling, wire=True, heartbeat_span=60.0))
    master.say("task", "x", {"a": 1})
    heard = [master.heard.get(timeout=PATIENCE)[0]]
    while heard[-1] != "done":
        heard.append(master.heard.get(timeout=PATIENCE)[0])
    assert [kind for kind in heard if kind != "took"] == ["progress", "done"]


def test_a_slave_that_ends_says_so(master: RawMaster, slave: DrivenSlave) -> None:
    """A slave that is closed says goodbye by the wire."""
    slave.close()
    assert master.next("bye") == ["bye"]
