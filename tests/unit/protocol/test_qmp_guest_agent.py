"""The guest agent's client against an agent that the test plays: synchronisation, and answers without ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncio.errors import RequestTimeout
from syncio.protocol import Runstate
from syncio.protocol.qmp import (
    ConnectError,
    ConnectTimeout,
    DeserializationError,
    ExecuteError,
    GuestAgentClient,
    StateError,
)
from syncio.runtime import Runtime
from tests.unit.runtime.kinds import MOMENT, PATIENCE

from .qmp_server import Job, Peer, Stage

COMPLAINT = {"error": {"class": "GenericError", "desc": "Invalid JSON syntax"}}
"""What the agent says of the byte that resets it."""


@pytest.fixture
def stage(runtime: Runtime, mode: str, tmp_path: Path) -> Iterator[Stage]:
    """Clients and the agents that they talk to."""
    with Stage(runtime, mode, tmp_path) as stage:
        yield stage


def synchronise(peer: Peer, command: Any = None) -> None:
    """Do what the agent does with 'guest-sync-delimited'."""
    command = peer.command() if command is None else command
    assert command["execute"] == "guest-sync-delimited"
    peer.send(b"\xff", {"return": command["arguments"]["id"]})


def connected(stage: Stage) -> tuple[Any, Peer]:
    """A client that is connected, and its agent."""
    client = stage.make(GuestAgentClient)
    job, peer = stage.dial(client)
    synchronise(peer)
    job.result()
    return client, peer


def timed_out(client: GuestAgentClient, peer: Peer, name: str) -> Any:
    """Have a command time out; what the agent got."""
    with pytest.raises(RequestTimeout):
        client.execute(name, timeout=MOMENT)
    return peer.command()


def asked(stage: Stage, client: GuestAgentClient, peer: Peer, value: object) -> Any:
    """What a command returns that the agent answers with this."""
    call = stage.call(client.execute, "guest-info")
    peer.answer(peer.command(), value)
    return call.result()


def test_beginning_on_the_wire(stage: Stage) -> None:
    """The client resets the agent's parser with 0xFF, and then asks for its token."""
    client = stage.make(GuestAgentClient)
    job, peer = stage.dial(client)
    data = peer.sock.recv(4096)
    assert data.startswith(b'\xff{"execute":"guest-sync-delimited","arguments":{"id":') and data.endswith(b"}}\n")
    peer._text = data[1:].decode()
    synchronise(peer)
    job.result()
    assert client.runstate is Runstate.RUNNING and client.greeting is None


def test_commands_have_no_ids(stage: Stage) -> None:
    """Commands are sent without an id, and answers need none."""
    client, peer = connected(stage)
    call = stage.call(client.execute, "guest-ping")
    command = peer.command()
    assert command == {"execute": "guest-ping"}
    peer.answer(command)
    assert call.result() == {}


def test_errors_have_no_ids(stage: Stage) -> None:
    """An error without an id answers the command that is under way."""
    client, peer = connected(stage)
    call = stage.call(client.execute, "guest-nonsense")
    peer.fail(peer.command(), "CommandNotFound", "no such")
    with pytest.raises(ExecuteError, match="no such"):
        call.result()
    assert asked(stage, client, peer, 1) == 1


def test_several_tasks_take_turns(stage: Stage) -> None:
    """Tasks that share an agent get their own answers, one after the other."""
    client, peer = connected(stage)
    serving = stage.call(peer.serve)
    calls = [stage.call(client.execute, "guest-exec", {"n": number}) for number in range(20)]
    assert [call.result()["n"] for call in calls] == list(range(20))
    client.disconnect()
    serving.result()


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\n\r\n",
        b'{"return": {}}\n{"return": 5}\n',
        b'{"error": {"class": "GenericError", "desc": "Invalid JSON syntax"}}\n',
        b'half of what an earlier client got {"return": [1, 2',
        b'\xff{"return": 1}\n',
        b'\xff{"return": 1}\n{"return": [',
        b"\x00\x80\xfe\n" * 100,
        b"x" * 100_000 + b"\n",
    ],
)
def test_what_an_earlier_client_left(stage: Stage, garbage: bytes) -> None:
    """What comes before the answer to our token is forgotten."""
    client = stage.make(GuestAgentClient)
    job, peer = stage.dial(client)
    command = peer.command()
    peer.send(garbage)
    synchronise(peer, command)
    job.result()
    assert asked(stage, client, peer, 1) == 1


def test_complaint_in_front(stage: Stage) -> None:
    """The agent's error about the byte that resets it is no end of the session."""
    client = stage.make(GuestAgentClient)
    job, peer = stage.dial(client)
    command = peer.command()
    peer.send(COMPLAINT)
    synchronise(peer, command)
    job.result()
    assert asked(stage, client, peer, 1) == 1


def test_agent_that_never_answers(stage: Stage) -> None:
    """Behind a serial port nobody may be: that is a time-out, and the client is IDLE."""
    client = stage.make(GuestAgentClient)
    listening, address = stage.listen()
    job = stage.call(client.connect, address, timeout=2 * MOMENT)
    peer = stage.accept(listening)
    peer.send(b'{"return": {}}\n')
    with pytest.raises(ConnectTimeout):
        job.result()
    assert client.runstate is Runstate.IDLE


def test_agent_that_goes_at_once(stage: Stage) -> None:
    """An agent that hangs up before its answer is ConnectError with EOFError in it."""
    job, peer = stage.dial(stage.make(GuestAgentClient))
    peer.command()
    peer.hang_up()
    with pytest.raises(ConnectError) as caught:
        job.result()
    assert isinstance(caught.value.exc, EOFError)


def test_synchronisation_is_optional(stage: Stage) -> None:
    """Without it nothing is sent at the beginning."""
    client = stage.make(GuestAgentClient)
    client.sync_on_connect = False
    job, peer = stage.dial(client)
    job.result()
    assert asked(stage, client, peer, 1) == 1


def test_late_answer_is_dropped(stage: Stage) -> None:
    """The answer to a command that has timed out is not taken for that to the next one."""
    client, peer = connected(stage)
    timed_out(client, peer, "guest-exec")
    call = stage.call(client.execute, "guest-info")
    command = peer.command()
    peer.answer({}, "late")
    peer.answer(command, "mine")
    assert call.result() == "mine"


@pytest.mark.parametrize("late", [0, 1, 2])
def test_sync_after_time_outs(stage: Stage, late: int) -> None:
    """sync() forgets commands that timed out, whether the agent answers some of them before, or never does."""
    client, peer = connected(stage)
    for _ in range(2):
        timed_out(client, peer, "guest-suspend-ram")
    job = stage.call(client.sync, PATIENCE)
    command = peer.command()
    for number in range(late):
        peer.answer({}, number)
    synchronise(peer, command)
    job.result()
    for value in ("one", "two", "three"):
        assert asked(stage, client, peer, value) == value


def test_sync_when_all_is_well(stage: Stage) -> None:
    """sync() does no harm when nothing was late."""
    client, peer = connected(stage)
    job: Job = stage.call(client.sync, PATIENCE)
    synchronise(peer)
    job.result()
    assert asked(stage, client, peer, 1) == 1


def test_sync_gives_up(stage: Stage) -> None:
    """sync() keeps to its time, and can be tried again; what answers the first try late is no answer to the second."""
    client, peer = connected(stage)
    timed_out(client, peer, "guest-suspend-ram")
    with pytest.raises(RequestTimeout):
        client.sync(MOMENT)
    first = peer.command()
    job = stage.call(client.sync, PATIENCE)
    second = peer.command()
    synchronise(peer, first)
    peer.answer({}, "late")
    assert not job.done.wait(MOMENT)
    synchronise(peer, second)
    job.result()
    assert asked(stage, client, peer, 1) == 1


def test_late_answers_after_a_sync_that_gave_up(stage: Stage) -> None:
    """After a sync() that has timed out each answer that still comes is known to be late."""
    client, peer = connected(stage)
    timed_out(client, peer, "guest-exec")
    with pytest.raises(RequestTimeout):
        client.sync(MOMENT)
    first = peer.command()
    call = stage.call(client.execute, "guest-info")
    peer.command()
    peer.answer({}, "late")
    synchronise(peer, first)
    peer.answer({}, "mine")
    assert call.result() == "mine"


def test_sync_needs_a_session(stage: Stage) -> None:
    """Without a session there is nothing to synchronise."""
    with pytest.raises(StateError):
        stage.make(GuestAgentClient).sync()


def test_nonsense_ends_the_session(stage: Stage) -> None:
    """What is no JSON ends a session that stands."""
    client, peer = connected(stage)
    peer.send(b"nonsense\n")
    client.wait_for(Runstate.DISCONNECTING, PATIENCE)
    with pytest.raises(DeserializationError):
        client.disconnect()
