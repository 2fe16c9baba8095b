"""The old synchronous names, as scripts for QEMU's old qmp.py use them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncio.errors import RequestTimeout
from syncio.protocol.qmp import ConnectTimeout, ExecuteError, QEMUMonitorProtocol, QMPBadPortError, StateError
from syncio.runtime import Runtime
from tests.unit.runtime.kinds import MOMENT, PATIENCE, eventually

from .qmp_server import Peer, Stage, event, greeting


@pytest.fixture
def stage(runtime: Runtime, mode: str, tmp_path: Path) -> Iterator[Stage]:
    """Clients and the servers that they talk to."""
    with Stage(runtime, mode, tmp_path) as stage:
        yield stage


def connected(stage: Stage) -> tuple[Any, Peer]:
    """A connection in the old manner, and its server."""
    listening, address = stage.listen()
    qmp = stage.make(QEMUMonitorProtocol, address)
    job = stage.call(qmp.connect)
    peer = stage.accept(listening)
    peer.greet()
    job.result()
    return qmp, peer


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:4444", ("localhost", 4444)),
        (":4444", ("", 4444)),
        ("/var/run/qmp.sock", "/var/run/qmp.sock"),
        ("qmp.sock", "qmp.sock"),
        ("/tmp/a:b", "/tmp/a:b"),
        ("::1:4444", ("::1", 4444)),
        ("[::1]:4444", ("::1", 4444)),
    ],
)
def test_addresses(text: str, address: object) -> None:
    """host:port is an address of TCP, and everything else is a path."""
    assert QEMUMonitorProtocol.parse_address(text) == address


@pytest.mark.parametrize("text", ["localhost:http", "localhost:", "localhost:1.5"])
def test_bad_ports(text: str) -> None:
    """A port that is no number is refused."""
    with pytest.raises(QMPBadPortError):
        QEMUMonitorProtocol.parse_address(text)


def test_connect_gives_the_greeting(stage: Stage) -> None:
    """connect() negotiates, and returns the greeting as a dict."""
    listening, address = stage.listen()
    qmp = stage.make(QEMUMonitorProtocol, address)
    job = stage.call(qmp.connect)
    stage.accept(listening).greet("oob")
    assert job.result() == greeting("oob") and qmp.is_connected


def test_connect_without_negotiation(stage: Stage) -> None:
    """connect(False) reads no greeting, for the guest agent."""
    listening, address = stage.listen()
    qmp = stage.make(QEMUMonitorProtocol, address)
    assert qmp.connect(False) is None
    peer = stage.accept(listening)
    call = stage.call(qmp.cmd, "guest-ping")
    peer.answer(peer.command())
    assert call.result() == {}


def test_connect_keeps_to_its_time(stage: Stage) -> None:
    """After settimeout() a silent server is a time-out."""
    _listening, address = stage.listen()
    qmp = stage.make(QEMUMonitorProtocol, address)
    qmp.settimeout(MOMENT)
    with pytest.raises(ConnectTimeout):
        qmp.connect()
    assert not qmp.is_connected


def test_server_side(stage: Stage, tmp_path: Path) -> None:
    """server=True listens at once, and accept() returns the greeting."""
    path = str(tmp_path / "here")
    qmp = stage.make(QEMUMonitorProtocol, path, server=True)
    job = stage.call(qmp.accept)
    with stage._sockets.socket(stage.listen()[0].family) as sock:
        sock.connect(path)
        Peer(sock).greet()
        assert job.result() == greeting()
        qmp.close()


def test_accept_keeps_to_its_time(stage: Stage, tmp_path: Path) -> None:
    """Nobody who comes is a time-out."""
    qmp = stage.make(QEMUMonitorProtocol, str(tmp_path / "here"), server=True)
    with pytest.raises(TimeoutError):
        qmp.accept(MOMENT)


def test_commands(stage: Stage) -> None:
    """cmd() and command() return the result, and raise an error."""
    qmp, peer = connected(stage)
    for function in (qmp.cmd, qmp.command):
        call = stage.call(function, "a", x=1, y="z")
        command = peer.command()
        assert command["execute"] == "a" and command["arguments"] == {"x": 1, "y": "z"}
        peer.answer(command, [1])
        assert call.result() == [1]
        call = stage.call(function, "a")
        command = peer.command()
        assert "arguments" not in command
        peer.fail(command, words="not now")
        with pytest.raises(ExecuteError, match="not now"):
            call.result()


def test_raw_commands(stage: Stage) -> None:
    """cmd_raw() and cmd_obj() send no id of their own, and return the whole answer, also an error."""
    qmp, peer = connected(stage)
    call = stage.call(qmp.cmd_raw, "a", {"x": 1})
    command = peer.command()
    assert command == {"execute": "a", "arguments": {"x": 1}}
    peer.answer(command, [1])
    assert call.result() == {"return": [1]}
    call = stage.call(qmp.cmd_obj, {"execute": "a", "id": "mine"})
    peer.fail(peer.command())
    assert call.result() == {"error": {"class": "GenericError", "desc": "no"}, "id": "mine"}


def test_four_threads_at_once(stage: Stage) -> None:
    """Several tasks may use one connection, with all kinds of commands."""
    qmp, peer = connected(stage)
    serving = stage.call(peer.serve)

    def talk(number: int) -> bool:
        return all(
            qmp.cmd("a", n=[number, turn]) == {"n": [number, turn]}
            and qmp.cmd_raw("a", {"n": [number, turn]})["return"] == {"n": [number, turn]}
            for turn in range(20)
        )

    assert all(call.result() for call in [stage.call(talk, number) for number in range(4)])
    qmp.close()
    serving.result()


def test_commands_keep_to_their_time(stage: Stage) -> None:
    """After settimeout() a command that is not answered is a time-out; 0 is refused."""
    qmp, peer = connected(stage)
    qmp.settimeout(MOMENT)
    with pytest.raises(TimeoutError):
        qmp.cmd("slow")
    peer.answer(peer.command())
    with pytest.raises(ValueError, match="time-out"):
        qmp.settimeout(0)
    qmp.settimeout(None)
    call = stage.call(qmp.cmd, "a")
    peer.answer(peer.command(), 1)
    assert call.result() == 1


def test_pull_event_waits_that_long(stage: Stage, runtime: Runtime) -> None:
    """pull_event() waits as many seconds as it is told, and False and 0 not at all."""
    qmp, _peer = connected(stage)
    assert qmp.pull_event() is None and qmp.pull_event(False) is None and qmp.pull_event(0) is None
    began = runtime.now()
    with pytest.raises(RequestTimeout):
        qmp.pull_event(wait=MOMENT)
    assert MOMENT * 0.9 <= runtime.now() - began < PATIENCE


def test_pull_event_with_a_number_of_seconds(stage: Stage, runtime: Runtime) -> None:
    """wait=1 is one second, not for ever, though 1 == True."""
    qmp, _peer = connected(stage)
    began = runtime.now()
    with pytest.raises(RequestTimeout):
        qmp.pull_event(wait=1)
    assert 0.9 <= runtime.now() - began < PATIENCE


def test_pull_event_waits_for_one(stage: Stage) -> None:
    """wait=True waits for the next event, and for the end of the session."""
    qmp, peer = connected(stage)
    call = stage.call(qmp.pull_event, True)
    peer.send(event("A"))
    assert call.result() == event("A")
    call = stage.call(qmp.pull_event, True)
    peer.hang_up()
    assert call.result() is None


def test_events_are_read_between_calls(stage: Stage) -> None:
    """Events are there without anybody calling for them."""
    qmp, peer = connected(stage)
    peer.send(event("A"), event("B"))
    assert eventually(stage.runtime, lambda: len(qmp._client.events.history) == 2)
    assert qmp.pull_event() == event("A")
    assert qmp.get_events() == [event("B")] and qmp.get_events() == []
    peer.send(event("C"))
    assert qmp.get_events(wait=PATIENCE) == [event("C")]
    peer.send(event("D"))
    assert eventually(stage.runtime, lambda: not qmp._client.events.empty())
    qmp.clear_events()
    assert qmp.get_events() == []


def test_closing(stage: Stage) -> None:
    """A `with` closes the connection, closing again is nothing, and that the server hung up before is no error."""
    qmp, peer = connected(stage)
    with qmp:
        peer.hang_up()
    qmp.close()
    assert not qmp.is_connected
    with pytest.raises(StateError):
        qmp.cmd("a")


def test_end_after_quit(stage: Stage) -> None:
    """All ways to say 'quit' succeed if the server goes instead of answering."""
    for name in ("cmd", "command", "cmd_raw"):
        qmp, peer = connected(stage)
        call = stage.call(getattr(qmp, name), "quit")
        peer.command()
        peer.hang_up()
        assert call.result() == ({"return": {}} if name == "cmd_raw" else {})
        qmp.close()


def test_reconnect(stage: Stage) -> None:
    """One object can connect again."""
    listening, address = stage.listen()
    qmp = stage.make(QEMUMonitorProtocol, address)
    for number in range(3):
        job = stage.call(qmp.connect)
        peer = stage.accept(listening)
        peer.greet()
        job.result()
        call = stage.call(qmp.cmd, "a")
        peer.answer(peer.command(), number)
        assert call.result() == number
        qmp.close()
