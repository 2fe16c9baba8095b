"""The QMP client against a server that the test plays: sessions, commands from many tasks, answers of all kinds."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncio.errors import BrokenStream, RequestTimeout
from syncio.protocol import Runstate
from syncio.protocol.qmp import (
    BadReplyError,
    ConnectError,
    ConnectTimeout,
    DeserializationError,
    ExecInterruptedError,
    ExecuteError,
    GreetingError,
    Message,
    NegotiationError,
    QMPClient,
    QMPError,
    ServerParseError,
    StateError,
    UnexpectedTypeError,
)
from syncio.runtime import Runtime
from tests.unit.runtime.kinds import MOMENT, PATIENCE, eventually

from .qmp_server import VERSION, Peer, Stage, event, greeting


@pytest.fixture
def stage(runtime: Runtime, mode: str, tmp_path: Path) -> Iterator[Stage]:
    """Clients and the servers that they talk to."""
    with Stage(runtime, mode, tmp_path) as stage:
        yield stage


def executed(stage: Stage, client: QMPClient, peer: Peer, reply: bytes, **options: Any) -> Any:
    """What becomes of a command that is answered with this; %s in it is the command's id."""
    call = stage.call(client.execute, "a", **options)
    command = peer.command()
    peer.send(reply.replace(b"%s", command.get("id", "").encode()) + b"\n")
    return call.result()


# ---------------------------------------------------------------------- the beginning


def test_session_begins(stage: Stage) -> None:
    """The client waits for the greeting, negotiates, and is RUNNING with the greeting in hand."""
    client = stage.make()
    assert client.greeting is None
    job, peer = stage.dial(client)
    assert peer.greet() == {"execute": "qmp_capabilities", "arguments": {}}
    job.result()
    assert client.runstate is Runstate.RUNNING and client.greeting.QMP.version == VERSION


def test_oob_is_enabled_if_it_is_offered(stage: Stage) -> None:
    """The client enables out-of-band execution, and nothing that it does not know."""
    job, peer = stage.dial(stage.make())
    assert peer.greet("other", "oob") == {"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}
    job.result()


def test_greeting_is_kept_until_the_next_session(stage: Stage) -> None:
    """The greeting stays after disconnect(), and goes when the next session begins."""
    client, _peer = stage.session()
    client.disconnect()
    assert client.greeting is not None
    job, peer = stage.dial(client)
    assert eventually(stage.runtime, lambda: client.greeting is None)
    peer.greet()
    job.result()
    assert client.greeting is not None


def test_negotiation_is_optional(stage: Stage) -> None:
    """Without negotiation only the greeting is read; without both, nothing is."""
    client = stage.make()
    client.negotiate = False
    job, peer = stage.dial(client)
    peer.send(greeting())
    job.result()
    assert client.greeting is not None
    client.disconnect()
    client.await_greeting = False
    job, peer = stage.dial(client)
    job.result()
    assert client.greeting is None
    call = stage.call(client.execute, "a")
    peer.answer(peer.command(), 1)
    assert call.result() == 1


def test_greeting_that_nobody_wanted(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Who does not await the greeting is not told of it, and commands work."""
    client = stage.make()
    client.negotiate = client.await_greeting = False
    job, peer = stage.dial(client)
    job.result()
    peer.send(greeting())
    command = stage.call(client.execute, "query-version", timeout=PATIENCE)
    peer.answer(peer.command(), {})
    assert command.result() == {}
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_negotiation_needs_the_greeting(stage: Stage) -> None:
    """negotiate=True reads the greeting, whatever await_greeting says."""
    client = stage.make()
    client.await_greeting = False
    stage.session(client)
    assert client.greeting is not None


@pytest.mark.parametrize(
    "first",
    [
        {"return": {}},
        {"QMP": {}},
        {"QMP": {"version": {}, "capabilities": "oob"}},
        event("STOP"),
        b"nonsense\n",
        b"[]\n",
    ],
)
def test_what_is_no_greeting(stage: Stage, first: object) -> None:
    """A first message that is no greeting is a GreetingError inside of ConnectError, and the client is IDLE."""
    client = stage.make()
    job, peer = stage.dial(client)
    peer.send(first)
    with pytest.raises(ConnectError, match=r"^Failed to establish session: the first message") as caught:
        job.result()
    assert isinstance(caught.value.exc, GreetingError) and caught.value.exc is caught.value.__cause__
    assert isinstance(caught.value.exc, QMPError)
    assert client.runstate is Runstate.IDLE


@pytest.mark.parametrize(
    "reply", [{"error": {"class": "A", "desc": "B"}}, {"neither": 1}, b"nonsense\n", b'"text"\n', b'{"return": {\n']
)
def test_failed_negotiation(stage: Stage, reply: object) -> None:
    """A reply that does not agree is a NegotiationError inside of ConnectError, and the client is IDLE."""
    client = stage.make()
    job, peer = stage.dial(client)
    peer.send(greeting())
    peer.command()
    peer.send(reply)
    with pytest.raises(ConnectError, match=r"^Failed to establish session: the negotiation") as caught:
        job.result()
    assert isinstance(caught.value.exc, NegotiationError)
    assert client.runstate is Runstate.IDLE and client.greeting is not None


@pytest.mark.parametrize("greeted", [False, True])
def test_server_that_goes_at_once(stage: Stage, greeted: bool) -> None:
    """A server that hangs up before the session stands is ConnectError with EOFError in it."""
    client = stage.make()
    job, peer = stage.dial(client)
    if greeted:
        peer.send(greeting())
        peer.command()
    peer.hang_up()
    with pytest.raises(ConnectError) as caught:
        job.result()
    assert isinstance(caught.value.exc, EOFError)
    assert client.runstate is Runstate.IDLE


@pytest.mark.parametrize("greeted", [False, True])
def test_server_that_stays_silent(stage: Stage, greeted: bool) -> None:
    """A server that does not greet, or does not answer the negotiation, runs into the time-out."""
    client = stage.make()
    listening, address = stage.listen()
    job = stage.call(client.connect, address, timeout=2 * MOMENT)
    peer = stage.accept(listening)
    if greeted:
        peer.send(greeting())
    with pytest.raises(ConnectTimeout):
        job.result()
    assert client.runstate is Runstate.IDLE


def test_failed_beginning_can_be_repeated(stage: Stage) -> None:
    """After a failure the same object can connect."""
    client = stage.make()
    job, peer = stage.dial(client)
    peer.send(b"nonsense\n")
    assert isinstance(job.error(), ConnectError)
    stage.session(client)
    assert client.runstate is Runstate.RUNNING


def test_events_before_the_session_are_kept(stage: Stage) -> None:
    """Events that come before the reply of the negotiation are events, and no reply."""
    client = stage.make()
    job, peer = stage.dial(client)
    peer.send(greeting())
    command = peer.command()
    peer.send(event("A"), event("B"))
    peer.answer(command)
    peer.send(event("C"))
    job.result()
    assert [client.events.get(PATIENCE)["event"] for _ in range(3)] == ["A", "B", "C"]


def test_server_may_dial_us(stage: Stage, tmp_path: Path) -> None:
    """The client may be the one that listens."""
    client = stage.make()
    client.start_server(str(tmp_path / "here"))
    job = stage.call(client.accept, PATIENCE)
    sock = stage._sockets.socket(socket.AF_UNIX)
    sock.connect(str(tmp_path / "here"))
    with sock:
        peer = Peer(sock)
        peer.greet()
        job.result()
        call = stage.call(client.execute, "a")
        peer.answer(peer.command(), "b")
        assert call.result() == "b"
        client.disconnect()


# ---------------------------------------------------------------------- commands


def test_command_on_the_wire(stage: Stage) -> None:
    """A command has its name, an id and the arguments that there are; a newline ends it."""
    client, peer = stage.session()
    calls = stage.call(client.execute, "a")
    assert peer.sock.recv(4096) == b'{"execute":"a","id":"__qmp#00000"}\n'
    peer.send({"return": 0, "id": "__qmp#00000"})
    calls.result()
    calls = stage.call(client.execute, "b", {"x": [1]}, oob=True)
    assert peer.sock.recv(4096) == b'{"exec-oob":"b","arguments":{"x":[1]},"id":"__qmp#00001"}\n'
    peer.send({"return": 0, "id": "__qmp#00001"})
    calls.result()


def test_numbers_go_on_in_the_next_session(stage: Stage) -> None:
    """Ids are never used twice, also not in another session."""
    client, peer = stage.session()
    call = stage.call(client.execute, "a")
    first = peer.command()
    peer.answer(first)
    call.result()
    client.disconnect()
    _client, peer = stage.session(client)
    call = stage.call(client.execute, "a")
    second = peer.command()
    peer.answer(second)
    call.result()
    assert (first["id"], second["id"]) == ("__qmp#00000", "__qmp#00001")


def test_make_execute_msg() -> None:
    """Arguments of None are left out, and {} is kept."""
    make = QMPClient.make_execute_msg
    assert make("a") == {"execute": "a"}
    assert make("a", {}) == {"execute": "a", "arguments": {}}
    assert make("a", {"b": 1}, oob=True) == {"exec-oob": "a", "arguments": {"b": 1}}


@pytest.mark.parametrize("value", [{}, {"a": [1]}, [], [{}], "", "text", 0, 42, 2.5, True, False, None])
def test_answers_of_all_kinds(stage: Stage, value: object) -> None:
    """What a command returns may be any JSON."""
    client, peer = stage.session()
    result = executed(stage, client, peer, b'{"return": ' + json.dumps(value).encode() + b', "id": "%s"}')
    assert result == value and type(result) is type(value)


def test_error_answers(stage: Stage) -> None:
    """A command that fails raises the server's class and words, with both messages."""
    client, peer = stage.session()
    call = stage.call(client.execute, "a")
    peer.fail(peer.command(), "CommandNotFound", "The command a has not been found")
    with pytest.raises(ExecuteError, match=r"^The command a has not been found$") as caught:
        call.result()
    error = caught.value
    assert error.error_class == "CommandNotFound" and error.sent["execute"] == "a"
    assert error.received["id"] == error.error.id
    assert client.runstate is Runstate.RUNNING


@pytest.mark.parametrize(
    "members", [b'"other": 1', b'"error": "words"', b'"error": {}', b'"error": {"class": "A"}', b'"error": null']
)
def test_bad_replies(stage: Stage, members: bytes) -> None:
    """A reply that is neither a result nor an error is BadReplyError, and the session goes on."""
    client, peer = stage.session()
    with pytest.raises(BadReplyError) as caught:
        executed(stage, client, peer, b"{" + members + b', "id": "%s"}')
    assert caught.value.sent["execute"] == "a" and "id" in caught.value.received
    assert executed(stage, client, peer, b'{"return": 1, "id": "%s"}') == 1


def test_message_of_the_caller_stays_as_it_is(stage: Stage) -> None:
    """The id goes into a copy of the caller's message."""
    client, peer = stage.session()
    message = Message({"execute": "a", "arguments": {"b": 1}})
    call = stage.call(client.execute_msg, message)
    peer.answer(peer.command(), 1)
    assert call.result() == 1
    assert message == {"execute": "a", "arguments": {"b": 1}}


def test_message_without_a_command_is_refused(stage: Stage) -> None:
    """What names no command is not sent."""
    client, _peer = stage.session()
    with pytest.raises(ValueError, match="execute"):
        client.execute_msg(Message({"arguments": {}}))


def test_user_ids(stage: Stage) -> None:
    """An id of one's own is kept, if it is a string, not like ours, and not in use."""
    client, peer = stage.session()
    for wrong in (1, None, ["a"]):
        with pytest.raises(TypeError):
            client.execute_msg(Message({"execute": "a", "id": wrong}))
    with pytest.raises(ValueError, match="__qmp#"):
        client.execute_msg(Message({"execute": "a", "id": "__qmp#00001"}))
    call = stage.call(client.execute_msg, Message({"execute": "a", "id": "mine"}))
    command = peer.command()
    assert command["id"] == "mine"
    with pytest.raises(ValueError, match="in use"):
        client.execute_msg(Message({"execute": "a", "id": "mine"}))
    peer.answer(command, 1)
    assert call.result() == 1
    call = stage.call(client.execute_msg, Message({"execute": "a", "id": "mine"}))
    peer.answer(peer.command(), 2)
    assert call.result() == 2


@pytest.mark.parametrize("form", [dict, Message, lambda value: json.dumps(value).encode()])
def test_raw_takes_all_forms(stage: Stage, form: Callable[[Any], Any]) -> None:
    """_raw() takes a mapping, bytes or a message, and returns the whole answer, also an error."""
    client, peer = stage.session()
    call = stage.call(client._raw, form({"execute": "a"}))
    peer.answer(peer.command(), 5)
    assert call.result()["return"] == 5
    call = stage.call(client._raw, form({"execute": "a"}), False)
    peer.fail(peer.command())
    assert call.result() == {"error": {"class": "GenericError", "desc": "no"}}


def test_command_that_does_not_go_into_json(stage: Stage) -> None:
    """A command that cannot be encoded is the caller's error: nothing is sent, and nothing is awaited later."""
    client, peer = stage.session()
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TypeError):
        client.execute("a", {"b": object()}, assign_id=False)
    with pytest.raises(RecursionError):
        client.execute("a", {"b": deep}, assign_id=False)
    assert executed(stage, client, peer, b'{"return": 1}', assign_id=False) == 1
    while deep:
        deep = deep.pop()


def test_commands_need_a_session(stage: Stage) -> None:
    """Without a session commands, descriptors and messages are refused."""
    client = stage.make()
    with pytest.raises(StateError):
        client.execute("a")
    with pytest.raises(StateError):
        client.send_fd_scm(0)
    assert client.runstate is Runstate.IDLE


# ---------------------------------------------------------------------- several at once


def test_many_tasks_get_their_own_answers(stage: Stage) -> None:
    """Tasks that share a connection get what they asked for, in whatever order it is answered."""
    client, peer = stage.session()
    calls = [stage.call(client.execute, "a", {"n": number}) for number in range(40)]
    commands = [peer.command() for _ in calls]
    for command in reversed(commands):
        peer.answer(command, command["arguments"]["n"])
    assert [call.result() for call in calls] == list(range(40))


def test_tasks_in_long_talks(stage: Stage) -> None:
    """Tasks that go on asking never get each other's answers."""
    client, peer = stage.session()

    def talk(number: int) -> bool:
        return all(client.execute("a", {"n": [number, turn]}) == {"n": [number, turn]} for turn in range(50))

    serving = stage.call(peer.serve)
    calls = [stage.call(talk, number) for number in range(8)]
    assert all(call.result() for call in calls)
    client.disconnect()
    serving.result()


def test_commands_without_ids_go_one_after_the_other(stage: Stage) -> None:
    """Where answers have no ids, the next command is sent when the one before is answered."""
    client, peer = stage.session()
    calls = [stage.call(client.execute, "a", {"n": number}, assign_id=False) for number in range(5)]
    seen = []
    for _ in calls:
        command = peer.command()
        assert "id" not in command
        assert not peer._text.strip()
        seen.append(command["arguments"]["n"])
        peer.answer(command, command["arguments"]["n"])
    assert [call.result() for call in calls] == list(range(5)) and sorted(seen) == list(range(5))


def test_commands_with_and_without_ids_mix(stage: Stage) -> None:
    """A command without an id and others with one do not disturb each other."""
    client, peer = stage.session()
    plain = stage.call(client.execute, "plain", assign_id=False)
    first = peer.command()
    other = stage.call(client.execute, "other")
    second = peer.command()
    peer.answer(second, 2)
    peer.answer(first, 1)
    assert (plain.result(), other.result()) == (1, 2)


# ---------------------------------------------------------------------- time-outs


def test_time_out_concerns_one_command(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A command that times out leaves the others alone, and its late answer is dropped without a word."""
    client, peer = stage.session()
    other = stage.call(client.execute, "other")
    second = peer.command()
    with pytest.raises(RequestTimeout, match="'slow'") as caught:
        client.execute("slow", timeout=MOMENT)
    assert caught.value.timeout == MOMENT
    first = peer.command()
    peer.answer(first, "late")
    peer.answer(second, "in time")
    assert other.result() == "in time"
    assert executed(stage, client, peer, b'{"return": "next", "id": "%s"}') == "next"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_late_answer_without_an_id_is_not_the_next_one(stage: Stage) -> None:
    """Without ids the answer to a command that has timed out is not taken for that to the next one."""
    client, peer = stage.session()
    for name in ("slow", "slower"):
        with pytest.raises(RequestTimeout):
            client.execute(name, timeout=MOMENT, assign_id=False)
    call = stage.call(client.execute, "next", assign_id=False)
    for value in ("first", "second", "third"):
        peer.answer(peer.command(), value)
    assert call.result() == "third"


def test_id_of_a_late_answer_stays_in_use(stage: Stage) -> None:
    """An id of one's own cannot be used again before the late answer has come."""
    client, peer = stage.session()
    message = Message({"execute": "slow", "id": "mine"})
    with pytest.raises(RequestTimeout):
        client.execute_msg(message, timeout=MOMENT)
    with pytest.raises(ValueError, match="in use"):
        client.execute_msg(message)
    peer.answer(peer.command(), "late")
    assert executed(stage, client, peer, b'{"return": 1, "id": "%s"}') == 1
    call = stage.call(client.execute_msg, message)
    peer.answer(peer.command(), "now")
    assert call.result() == "now"


def test_waiting_for_ones_turn_times_out(stage: Stage) -> None:
    """A command without an id that waits for another one keeps to its time, and is not sent."""
    client, peer = stage.session()
    call = stage.call(client.execute, "slow", assign_id=False)
    command = peer.command()
    with pytest.raises(RequestTimeout, match="another command"):
        client.execute("impatient", timeout=MOMENT, assign_id=False)
    peer.answer(command, 1)
    assert call.result() == 1
    call = stage.call(client.execute, "next", assign_id=False)
    command = peer.command()
    assert command["execute"] == "next"
    peer.answer(command)
    call.result()


# ---------------------------------------------------------------------- what the server may do wrong


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (b'{"return": 1, "id": "nobody"}', logging.WARNING),
        (b'{"return": 1}', logging.WARNING),
        (b'{"return": 1, "id": 7}', logging.WARNING),
        (b'{"return": 1, "id": ["a"]}', logging.WARNING),
        (b'{"error": {"class": "A", "desc": "B"}, "id": "nobody"}', logging.ERROR),
    ],
)
def test_unknown_ids_are_dropped(stage: Stage, caplog: pytest.LogCaptureFixture, line: bytes, level: int) -> None:
    """A reply to nothing is dropped with a warning, an error to nothing with an error, and the session goes on."""
    client, peer = stage.session()
    peer.send(line + b"\n")
    assert executed(stage, client, peer, b'{"return": 1, "id": "%s"}') == 1
    assert [record.levelno for record in caplog.records if record.levelno > logging.INFO] == [level]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"error": {"class": "GenericError", "desc": "JSON parse error"}}\n', ServerParseError),
        (b'{"error": "words"}\n', ServerParseError),
        (b"nonsense\n", DeserializationError),
        (b'{"a": "\xff"}\n', DeserializationError),
        (b"[1]\n", UnexpectedTypeError),
        (b"null\n", UnexpectedTypeError),
    ],
)
def test_what_ends_a_session(stage: Stage, line: bytes, kind: type[Exception]) -> None:
    """What cannot be understood ends the session: commands are interrupted, and disconnect() says why, once."""
    client, peer = stage.session()
    call = stage.call(client.execute, "a")
    peer.command()
    peer.send(line)
    with pytest.raises(ExecInterruptedError, match=r"^Disconnected$"):
        call.result()
    assert client.runstate is Runstate.DISCONNECTING
    with pytest.raises(kind):
        client.disconnect()
    assert client.runstate is Runstate.IDLE
    client.disconnect()


def test_error_without_an_id_answers_a_command_without(stage: Stage) -> None:
    """With a command under way that has no id, an error without one is its answer, and the session goes on."""
    client, peer = stage.session()
    with pytest.raises(ExecuteError, match="B"):
        executed(stage, client, peer, b'{"error": {"class": "A", "desc": "B"}}', assign_id=False)
    assert client.runstate is Runstate.RUNNING


def test_end_in_the_middle_of_a_line(stage: Stage) -> None:
    """A message that the end of the connection has cut is an error that says so."""
    client, peer = stage.session()
    call = stage.call(client.execute, "a")
    peer.command()
    peer.send(b'{"return": {"status": "runn')
    peer.hang_up()
    assert isinstance(call.error(), ExecInterruptedError)
    with pytest.raises(DeserializationError, match="connection may have ended in it"):
        client.disconnect()


def test_last_message_without_a_newline(stage: Stage) -> None:
    """A whole message is taken, also if the server hangs up before its newline."""
    client, peer = stage.session()
    call = stage.call(client.execute, "a")
    command = peer.command()
    peer.send(json.dumps({"return": 5, "id": command["id"]}).encode())
    peer.hang_up()
    assert call.result() == 5


def test_empty_lines_are_passed_over(stage: Stage) -> None:
    """Lines of nothing are nothing, and both ends of lines are taken."""
    client, peer = stage.session()
    assert executed(stage, client, peer, b'\r\n\n  \n{"return": 1, "id": "%s"}\r\n\n') == 1
    assert executed(stage, client, peer, b'{"return": 2, "id": "%s"}') == 2


@pytest.mark.parametrize("size", [200_000, 9_900_000])
def test_long_lines(stage: Stage, size: int) -> None:
    """A line of 200 kB is read, like one of nearly 10 MiB."""
    client, peer = stage.session()
    text = b"x" * size
    call = stage.call(executed, stage, client, peer, b'{"return": "' + text + b'", "id": "%s"}')
    assert call.result().encode() == text


def test_lines_that_are_too_long(stage: Stage) -> None:
    """A line of more than readbuflen bytes ends the session with ValueError."""
    client, peer = stage.session(stage.make(readbuflen=1000))
    assert executed(stage, client, peer, b'{"return": "' + b"x" * 900 + b'", "id": "%s"}') == "x" * 900
    with pytest.raises(ExecInterruptedError):
        executed(stage, client, peer, b'{"return": "' + b"x" * 1000 + b'", "id": "%s"}')
    with pytest.raises(ValueError, match="readbuflen"):
        client.disconnect()


def test_ten_mebibytes_are_the_default(stage: Stage) -> None:
    """A line of more than 10 MiB ends the session."""
    client, peer = stage.session()
    sending = stage.call(peer.send, b"x" * (10 * 1024 * 1024 + 65536))
    client.wait_for(Runstate.DISCONNECTING, PATIENCE)
    with pytest.raises(ValueError, match="readbuflen"):
        client.disconnect()
    sending.error()


# ---------------------------------------------------------------------- the end


def test_end_interrupts_everybody(stage: Stage) -> None:
    """When the server goes, each command that waits is interrupted, with and without ids; the cause comes once."""
    client, peer = stage.session()
    calls = [stage.call(client.execute, "a") for _ in range(10)]
    calls += [stage.call(client.execute, "a", assign_id=False) for _ in range(3)]
    for _ in range(11):
        peer.command()
    peer.hang_up()
    for call in calls:
        assert isinstance(call.error(), (ExecInterruptedError, StateError))
    assert client.runstate is Runstate.DISCONNECTING
    with pytest.raises(EOFError):
        client.disconnect()
    client.disconnect()


def test_reset_is_a_hang_up(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A server that goes with something unread, be it a newline, has hung up: EOFError, and nothing above INFO."""
    client, peer = stage.session()
    call = stage.call(client.execute, "a")
    peer.command()
    client.send(Message({"execute": "unread"}))
    assert client._link.outgoing.flush(PATIENCE)  # it may wait behind the command, whose sender has not returned yet
    peer.hang_up()
    with pytest.raises(ExecInterruptedError):
        call.result()
    with pytest.raises(EOFError) as caught:
        client.disconnect()
    assert isinstance(caught.value.__cause__, BrokenStream)
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


def test_disconnect_interrupts_everybody(stage: Stage) -> None:
    """When this side disconnects, each command that waits is interrupted, and there is no error beyond that."""
    client, peer = stage.session()
    calls = [stage.call(client.execute, "a", timeout=PATIENCE) for _ in range(5)]
    for _ in calls:
        peer.command()
    client.disconnect()
    for call in calls:
        with pytest.raises(ExecInterruptedError, match=r"^Disconnected$"):
            call.result()


def test_command_in_line_does_not_leak_into_the_next_session(stage: Stage) -> None:
    """A command without an id that waited for its turn is not sent to the server of a later session."""
    client, peer = stage.session()
    calls = [stage.call(client.execute, "old", assign_id=False) for _ in range(3)]
    peer.command()
    client.disconnect()
    _client, peer = stage.session(client)
    for call in calls:
        assert isinstance(call.error(), (ExecInterruptedError, StateError))
    call = stage.call(client.execute, "new", assign_id=False)
    command = peer.command()
    assert command["execute"] == "new"
    peer.answer(command, 1)
    assert call.result() == 1


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("assign_id", [True, False])
def test_end_after_quit_is_no_error(stage: Stage, answered: bool, assign_id: bool) -> None:
    """A server that goes after 'quit' has executed it, with or without a reply, and disconnect() is quiet."""
    client, peer = stage.session()
    call = stage.call(client.execute, "quit", assign_id=assign_id)
    command = peer.command()
    if answered:
        peer.answer(command)
    peer.hang_up()
    assert call.result() == {}
    client.disconnect()
    assert client.runstate is Runstate.IDLE


def test_reset_after_quit_is_no_error(stage: Stage) -> None:
    """A server that leaves something unread when it quits has executed it nevertheless."""
    client, peer = stage.session()
    call = stage.call(client.execute, "quit")
    peer.command()
    client.send(Message({"execute": "unread"}))
    peer.hang_up()
    assert call.result() == {}
    client.disconnect()


def test_quit_that_was_refused(stage: Stage) -> None:
    """A server that has refused to quit, and goes later, has hung up like any other."""
    client, peer = stage.session()
    call = stage.call(client.execute, "quit")
    peer.fail(peer.command())
    assert isinstance(call.error(), ExecuteError)
    peer.hang_up()
    client.wait_for(Runstate.DISCONNECTING, PATIENCE)
    with pytest.raises(EOFError):
        client.disconnect()


@pytest.mark.parametrize("how", ["nonsense", "disconnect"])
def test_quit_that_the_end_interrupts(stage: Stage, how: str) -> None:
    """Only a server that goes has executed 'quit': nonsense, and our own disconnect(), say nothing of it."""
    client, peer = stage.session()
    call = stage.call(client.execute, "quit")
    peer.command()
    if how == "nonsense":
        peer.send(b"nonsense\n")
    else:
        client.disconnect()
    assert isinstance(call.error(), ExecInterruptedError)
    client.close()


def test_quit_counts_for_one_session(stage: Stage) -> None:
    """That a session ended with 'quit' does not hide the end of the next one."""
    client, peer = stage.session()
    call = stage.call(client.execute, "quit")
    peer.command()
    peer.hang_up()
    call.result()
    client.disconnect()
    _client, peer = stage.session(client)
    peer.hang_up()
    client.wait_for(Runstate.DISCONNECTING, PATIENCE)
    with pytest.raises((EOFError, QMPError, OSError)):
        client.disconnect()


def test_broken_send_is_an_interruption(stage: Stage) -> None:
    """A command that cannot leave because the server has gone is interrupted like one that waits, or refused."""
    client, peer = stage.session()
    peer.hang_up()

    def execute_until_it_fails() -> None:
        while True:
            client.execute("a", {"b": "x" * 1000}, timeout=PATIENCE)

    assert isinstance(stage.call(execute_until_it_fails).error(), (ExecInterruptedError, StateError))
    client.close()


def test_sessions_in_a_row(stage: Stage) -> None:
    """One object goes through many sessions."""
    client = stage.make(QMPClient, "again")
    for number in range(20):
        _client, peer = stage.session(client)
        call = stage.call(client.execute, "a")
        peer.answer(peer.command(), number)
        assert call.result() == number
        client.disconnect()
        assert client.runstate is Runstate.IDLE


# ---------------------------------------------------------------------- descriptors


def test_descriptors_pass(stage: Stage) -> None:
    """A descriptor goes beside one blank, and stays open here."""
    client, peer = stage.session()
    reading, writing = os.pipe()
    try:
        client.send_fd_scm(writing)
        data, ancillary, _flags, _address = peer.sock.recvmsg(10, socket.CMSG_SPACE(4))
        assert data == b" " and len(ancillary) == 1
        passed = int.from_bytes(ancillary[0][2], "little")
        os.write(passed, b"through")
        os.close(passed)
        assert os.read(reading, 100) == b"through"
        os.write(writing, b"still open")
    finally:
        os.close(reading)
        os.close(writing)
    assert executed(stage, client, peer, b'{"return": 1, "id": "%s"}') == 1


def test_descriptors_pass_over_unix_only(stage: Stage) -> None:
    """Over TCP no descriptor can be passed, and the session goes on."""
    client, peer = stage.session(tcp=True)
    with pytest.raises(ValueError, match="UNIX"):
        client.send_fd_scm(0)
    assert executed(stage, client, peer, b'{"return": 1, "id": "%s"}') == 1


def test_descriptor_that_is_not_open(stage: Stage) -> None:
    """A descriptor that is not open is refused, and the session goes on."""
    client, peer = stage.session()
    with pytest.raises(OSError, match="Bad file descriptor"):
        client.send_fd_scm(1_000_000)
    assert executed(stage, client, peer, b'{"return": 1, "id": "%s"}') == 1


# ---------------------------------------------------------------------- the log


class Watched(Message):
    """A message that counts how often it was made text."""

    texts = 0

    def __str__(self) -> str:
        Watched.texts += 1
        return super().__str__()


class WatchedClient(QMPClient):
    """A client whose messages, both ways, are watched."""

    def _do_recv(self) -> Message:
        return Watched(bytes(super()._do_recv()))

    def _cb_outbound(self, message: Message) -> Message:
        return super()._cb_outbound(Watched(message))


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_messages_become_text_for_the_log_only(stage: Stage, caplog: pytest.LogCaptureFixture, level: int) -> None:
    """While nobody logs them, messages are not formatted; with DEBUG each is logged once, both ways."""
    caplog.set_level(level, logger=QMPClient.logger.name)
    Watched.texts = 0
    client, peer = stage.session(stage.make(WatchedClient, "watched"))
    assert executed(stage, client, peer, b'{"return": 1, "id": "%s"}') == 1
    client.disconnect()
    if level == logging.INFO:
        assert Watched.texts == 0 and not caplog.records
        return
    seen = [record.getMessage() for record in caplog.records if record.name == f"{QMPClient.logger.name}.watched"]
    assert [text[:4] for text in seen] == ["<-- ", "--> ", "<-- ", "--> ", "<-- "]
    assert '"execute": "a"' in seen[3]


def test_sessions_leave_no_noise(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Good sessions log nothing from INFO on, and that a server has gone is one line of INFO."""
    caplog.set_level(logging.INFO)
    client, peer = stage.session()
    calls = [stage.call(client.execute, "a") for _ in range(3)]
    for _ in calls:
        peer.answer(peer.command())
    for call in calls:
        call.result()
    client.disconnect()
    assert not caplog.records
    _client, peer = stage.session(client)
    peer.hang_up()
    client.wait_for(Runstate.DISCONNECTING, PATIENCE)
    with pytest.raises(EOFError):
        client.disconnect()
    assert [record.levelno for record in caplog.records] == [logging.INFO]
