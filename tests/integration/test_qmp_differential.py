"""qemu.qmp beside us: the same scripted servers for its client and for ours, and each as the other one's peer.

It runs in processes of its own, which are given scripts here: it is asyncio, and LGPL.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from syncio.protocol import ConnectError, JSONLinesProtocol, Runstate
from syncio.protocol.qmp import ExecuteError, QMPClient
from syncio.runtime import choose_runtime
from tests.unit.protocol.qmp_server import Peer, Stage, event, greeting
from tests.unit.runtime.kinds import MODES_HERE, PATIENCE, eventually

ORACLE = """
import asyncio, json, logging, sys
from qemu.qmp import ConnectError, ExecuteError, QMPClient, Runstate

logging.disable(logging.CRITICAL)

def told(exc):
    return type(exc).__name__ + (f"({type(exc.exc).__name__})" if isinstance(exc, ConnectError) else "")

async def asked(client, name):
    try:
        return await asyncio.wait_for(client.execute(name), 5)
    except Exception as exc:
        return told(exc)

async def play(path, ends):
    client = QMPClient()
    outcome = {"connect": "", "answers": [], "disconnect": ""}
    try:
        await asyncio.wait_for(client.connect(path), 5)
    except Exception as exc:
        outcome["connect"] = told(exc)
    else:
        outcome["answers"].append(await asked(client, "one"))
        while ends and client.runstate == Runstate.RUNNING:
            await asyncio.sleep(0.002)
        outcome["answers"].append(await asked(client, "two"))
    outcome["before"] = client.runstate.name
    try:
        await client.disconnect()
    except Exception as exc:
        outcome["disconnect"] = told(exc)
    outcome["after"] = client.runstate.name
    outcome["events"] = [message["event"] for message in client.events.history]
    return outcome

async def main():
    plan = json.load(sys.stdin)
    print(json.dumps({name: await play(*what) for name, what in plan.items()}))

asyncio.run(main())
"""

ID = b"%s"
"""Stands for the command's id in a scripted reply."""
OK = b'{"return": 1, "id": "%s"}\r\n'


@dataclass(frozen=True)
class Scenario:
    """What a server does, and whether that ends the session.

    :param script: plays the server.
    :param ends: whether the client finds the session at its end behind the first command.
    """

    script: Callable[[Peer], object]
    ends: bool = False


def first(*parts: object) -> Scenario:
    """A server that says this instead of a greeting, and hangs up."""
    return Scenario(lambda peer: peer.send(*parts))


def negotiating(*parts: object) -> Scenario:
    """A server that answers the negotiation with this, and goes on if that was an agreement."""

    def script(peer: Peer) -> None:
        peer.send(greeting())
        peer.command()
        peer.send(*parts)
        peer.serve()

    return Scenario(script)


def greeting_with(message: object) -> Scenario:
    """A server that begins with this message, and is as usual behind it."""

    def script(peer: Peer) -> None:
        peer.send(message)
        peer.answer(peer.command())
        peer.serve()

    return Scenario(script)


def answering(*parts: bytes, ends: bool = False) -> Scenario:
    """A server that answers the first command with this, and then hangs up, or goes on."""

    def script(peer: Peer) -> None:
        peer.greet()
        command = peer.command()
        peer.send(b"".join(parts).replace(ID, command["id"].encode()))
        if not ends:
            peer.serve()

    return Scenario(script, ends)


def swapped(peer: Peer) -> None:
    """Answer the first command with another one's id in front."""
    peer.greet()
    command = peer.command()
    peer.send({"return": "wrong", "id": "somebody"}, event("BETWEEN"))
    peer.answer(command, "right")
    peer.serve()


E1, E2 = (json.dumps(event(name)).encode() + b"\r\n" for name in ("E1", "E2"))
SCHEMA = json.dumps({"return": [{"name": f"n{number}", "meta-type": "object"} for number in range(5000)]}).encode()[:-1]
LONG = b'{"return": "' + b"x" * (11 * 1024 * 1024) + b'", "id": "%s"}\r\n'
VERSION: Any = greeting()["QMP"]["version"]
SCENARIOS = {
    # the greeting
    "usual": answering(OK),
    "oob": Scenario(lambda peer: (peer.greet("oob"), peer.serve())),
    "greeting-more": greeting_with({"QMP": {**greeting()["QMP"], "more": 1}, "else": 2}),
    "greeting-version-empty": greeting_with({"QMP": {"version": {}, "capabilities": []}}),
    "greeting-capabilities-odd": greeting_with({"QMP": {"version": VERSION, "capabilities": [1, None]}}),
    "greeting-none": first(),
    "greeting-half": first(b'{"QMP": {'),
    "greeting-nonsense": first(b"nonsense\r\n"),
    "greeting-array": first(b"[]\r\n"),
    "greeting-empty-object": first({}),
    "greeting-qmp-array": first({"QMP": []}),
    "greeting-no-version": first({"QMP": {"capabilities": []}}),
    "greeting-version-text": first({"QMP": {"version": "9", "capabilities": []}}),
    "greeting-no-capabilities": first({"QMP": {"version": VERSION}}),
    "greeting-capabilities-object": first({"QMP": {"version": VERSION, "capabilities": {}}}),
    "greeting-is-event": first(event("E1")),
    "greeting-empty-line": Scenario(lambda peer: (peer.send(b"\r\n"), peer.greet(), peer.serve())),
    # the negotiation
    "negotiation-end": Scenario(lambda peer: (peer.send(greeting()), peer.command())),
    "negotiation-half": Scenario(lambda peer: (peer.send(greeting()), peer.command(), peer.send(b'{"return"'))),
    "negotiation-error": negotiating({"error": {"class": "CommandNotFound", "desc": "no"}}),
    "negotiation-nothing": negotiating({"neither": 1}),
    "negotiation-both": negotiating({"return": {}, "error": {"class": "A", "desc": "B"}}),
    "negotiation-nonsense": negotiating(b"nonsense\r\n"),
    "negotiation-array": negotiating(b"[]\r\n"),
    "negotiation-null": negotiating({"return": None}),
    "negotiation-event": negotiating(event("E1"), {"return": {}}),
    "negotiation-then-event": negotiating({"return": {}}, event("E1")),
    # replies
    "reply-null": answering(b'{"return": null, "id": "%s"}\r\n'),
    "reply-list": answering(b'{"return": [1, "a", {}], "id": "%s"}\r\n'),
    "reply-text": answering(b'{"return": "\\u00e9\xc3\xa9", "id": "%s"}\r\n'),
    "reply-lf": answering(b'{"return": 1, "id": "%s"}\n'),
    "reply-blanks": answering(b'  {"return" : 1 , "id" : "%s"}  \r\n'),
    "reply-more-members": answering(b'{"return": 1, "id": "%s", "more": 2}\r\n'),
    "reply-long": answering(SCHEMA + b', "id": "%s"}\r\n'),
    "reply-too-long": answering(LONG, ends=True),
    "reply-error": answering(b'{"error": {"class": "A", "desc": "B"}, "id": "%s"}\r\n'),
    "reply-error-more": answering(b'{"error": {"class": "A", "desc": "B", "more": 1}, "id": "%s"}\r\n'),
    "reply-both": answering(b'{"return": 1, "error": {"class": "A", "desc": "B"}, "id": "%s"}\r\n'),
    "reply-neither": answering(b'{"neither": 1, "id": "%s"}\r\n'),
    "reply-error-text": answering(b'{"error": "words", "id": "%s"}\r\n'),
    "reply-error-empty": answering(b'{"error": {}, "id": "%s"}\r\n'),
    "reply-error-no-desc": answering(b'{"error": {"class": "A"}, "id": "%s"}\r\n'),
    "reply-error-class-number": answering(b'{"error": {"class": 1, "desc": "B"}, "id": "%s"}\r\n'),
    "reply-twice": answering(OK, OK),
    "reply-and-event-member": answering(b'{"return": 1, "event": "E1", "id": "%s"}\r\n', OK),
    # ids
    "id-unknown": answering(b'{"return": 1, "id": "nobody"}\r\n', OK),
    "id-unknown-error": answering(b'{"error": {"class": "A", "desc": "B"}, "id": "nobody"}\r\n', OK),
    "id-missing": answering(b'{"return": 1}\r\n', OK),
    "id-number": answering(b'{"return": 1, "id": 5}\r\n', OK),
    "id-null": answering(b'{"return": 1, "id": null}\r\n', OK),
    "id-swapped": Scenario(swapped),
    "error-without-id": answering(b'{"error": {"class": "A", "desc": "B"}}\r\n', ends=True),
    "error-without-id-text": answering(b'{"error": "words"}\r\n', ends=True),
    # events
    "event-before": answering(E1, E2, OK),
    "event-after": answering(OK, E1, E2),
    "event-without-data": answering(b'{"event": "E1"}\r\n', OK),
    "event-number": answering(b'{"event": 5}\r\n', OK),
    # lines
    "line-nonsense": answering(b"nonsense\r\n", ends=True),
    "line-array": answering(b"[1, 2]\r\n", ends=True),
    "line-number": answering(b"5\r\n", ends=True),
    "line-not-utf8": answering(b'{"a": "\xff"}\r\n', ends=True),
    "line-two-objects": answering(b'{"event": "E1"} {"event": "E2"}\r\n', ends=True),
    "line-empty": answering(b"\r\n", OK),
    "line-blank": answering(b"   \r\n", OK),
    # the end
    "end-at-once": answering(ends=True),
    "end-half": answering(b'{"return": 1, "id', ends=True),
    "end-half-nonsense": answering(b"nonsense", ends=True),
    "end-whole-without-newline": answering(b'{"return": 1, "id": "%s"}', ends=True),
    "end-after-reply": answering(OK, ends=True),
    "end-after-event": answering(E1, ends=True),
}


@dataclass(frozen=True)
class Difference:
    """What differs on purpose.

    :param theirs: the members of their outcome that differ.
    :param ours: the same members of ours.
    :param reason: why.
    """

    theirs: dict[str, Any]
    ours: dict[str, Any]
    reason: str


GOES_ON = {"connect": "", "answers": [{}, {}], "before": "RUNNING"}
EMPTY_LINE = Difference(
    {
        "answers": ["ExecInterruptedError", "StateError"],
        "disconnect": "DeserializationError",
        "before": "DISCONNECTING",
    },
    {"answers": [1, {}], "disconnect": "", "before": "RUNNING"},
    "nothing is said by a line of nothing, so nothing has to end",
)
DIFFERENCES = {
    "greeting-empty-line": Difference(
        {"connect": "ConnectError(GreetingError)", "answers": [], "before": "IDLE"}, GOES_ON, EMPTY_LINE.reason
    ),
    "negotiation-event": Difference(
        {"connect": "ConnectError(NegotiationError)", "answers": [], "before": "IDLE", "events": []},
        {**GOES_ON, "events": ["E1"]},
        "a server may send events at any time, and a client that does not expect them fails by chance",
    ),
    "line-not-utf8": Difference(
        {"disconnect": "UnicodeDecodeError"},
        {"disconnect": "DeserializationError"},
        "bytes that are no text are no JSON either, and all that the server does wrong is a QMPError",
    ),
    "line-empty": EMPTY_LINE,
    "line-blank": EMPTY_LINE,
}


def told(exc: BaseException) -> str:
    """An error as the oracle tells it."""
    return type(exc).__name__ + (f"({type(exc.exc).__name__})" if isinstance(exc, ConnectError) else "")


def asked(client: QMPClient, name: str) -> Any:
    """What a command returns, or the error."""
    try:
        return client.execute(name, timeout=PATIENCE)
    except Exception as exc:
        return told(exc)


def played(client: QMPClient, path: str, ends: bool) -> dict[str, Any]:
    """What comes of a scenario for our client; step by step what the oracle does."""
    outcome: dict[str, Any] = {"connect": "", "answers": [], "disconnect": ""}
    try:
        client.connect(path, timeout=PATIENCE)
    except Exception as exc:
        outcome["connect"] = told(exc)
    else:
        outcome["answers"].append(asked(client, "one"))
        if ends:
            client.wait_for(Runstate.DISCONNECTING, PATIENCE)
        outcome["answers"].append(asked(client, "two"))
    outcome["before"] = client.runstate.name
    try:
        client.disconnect()
    except Exception as exc:
        outcome["disconnect"] = told(exc)
    outcome["after"] = client.runstate.name
    outcome["events"] = [message["event"] for message in client.events.history]
    return outcome


def run_theirs(script: str, given: str, stage: Stage) -> Any:
    """What a script of qemu.qmp prints."""
    with tempfile.TemporaryFile("w+") as given_file, tempfile.TemporaryFile("w+") as output:
        given_file.write(given)
        given_file.seek(0)
        process = subprocess.Popen([sys.executable, "-c", script], stdin=given_file, stdout=output)
        try:
            # Nothing here may block the thread: the server that it talks to may be greenlets on it.
            assert eventually(stage.runtime, lambda: process.poll() is not None, 3 * PATIENCE), "it did not end"
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 0
        output.seek(0)
        return json.load(output)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What comes of every scenario for qemu.qmp."""
    with Stage(choose_runtime(MODES_HERE[0]), MODES_HERE[0], tmp_path_factory.mktemp("q")) as stage:
        plan = {name: [stage.played(scenario.script), scenario.ends] for name, scenario in SCENARIOS.items()}
        outcomes: dict[str, dict[str, Any]] = run_theirs(ORACLE, json.dumps(plan), stage)
    return outcomes


@pytest.fixture(params=MODES_HERE)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Our client, and the servers that it talks to."""
    mode: str = request.param
    with Stage(choose_runtime(mode), mode, tmp_path_factory.mktemp("q")) as stage:
        yield stage


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_outcome(name: str, stage: Stage, theirs: dict[str, dict[str, Any]]) -> None:
    """Our client does what qemu.qmp does, but for what is in the table, which is what happens."""
    scenario = SCENARIOS[name]
    address = stage.played(scenario.script)
    outcome = stage.call(played, stage.make(), address, scenario.ends).result()
    expected = theirs[name]
    if difference := DIFFERENCES.get(name):
        assert {member: expected[member] for member in difference.theirs} == difference.theirs
        expected = {**expected, **difference.ours}
    assert outcome == expected


def test_differences_are_of_scenarios() -> None:
    """Each difference belongs to a scenario, differs, and has a reason."""
    assert set(DIFFERENCES) <= set(SCENARIOS)
    for difference in DIFFERENCES.values():
        assert difference.theirs.keys() <= difference.ours.keys() and difference.reason
        assert all(difference.theirs[member] != difference.ours[member] for member in difference.theirs)


# ---------------------------------------------------------------------- each as the other one's peer


class QMPServer(JSONLinesProtocol):
    """A QMP server in a few lines. It takes a stream of JSON: qemu.qmp puts no newline behind a command."""

    def _establish_session(self) -> None:
        self._send(greeting("oob"))
        self.negotiated = self._recv()
        self._send({"return": {}})
        super()._establish_session()

    def _do_recv(self) -> Any:
        text = b""
        while True:
            text += self._read_exactly(1)
            if text.endswith(b"}"):
                try:
                    return json.loads(text)
                except ValueError:
                    continue  # one that closes something inside

    def _on_message(self, message: Any) -> None:
        name = message.get("execute") or message.get("exec-oob")
        reply = {"error": {"class": "GenericError", "desc": "no"}} if name == "fail" else {"return": message}
        self.send(event("ASKED", name=name))
        self.send({**reply, "id": message["id"]})


THEIR_CLIENT = """
import asyncio, json, sys
from qemu.qmp import ExecuteError, QMPClient

async def main():
    client = QMPClient("theirs")
    await client.connect(sys.stdin.read())
    answers = await asyncio.gather(*(client.execute("ask", {"n": [n, "\\u00e9{}"]}) for n in range(50)))
    try:
        await client.execute("fail")
    except ExecuteError as exc:
        failure = exc.error_class
    oob = await client.execute("now", oob=True)
    print(json.dumps({
        "answers": [answer["arguments"] for answer in answers],
        "failure": failure,
        "oob": oob["exec-oob"],
        "capabilities": list(client.greeting.QMP.capabilities),
        "events": [message["data"]["name"] for message in client.events.history],
    }))
    await client.disconnect()

asyncio.run(main())
"""


def test_their_client_at_our_server(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> None:
    """qemu.qmp's client is served by a server on our Protocol: greeting, commands at once, errors, events, the end."""
    path = str(tmp_path_factory.mktemp("q") / "s")
    server = stage.make(QMPServer)
    server.start_server(path)
    accepting = stage.call(server.accept, PATIENCE)
    outcome = run_theirs(THEIR_CLIENT, path, stage)
    accepting.result()
    assert server.negotiated == {"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}
    assert outcome == {
        "answers": [{"n": [number, "\u00e9{}"]} for number in range(50)],
        "failure": "GenericError",
        "oob": "now",
        "capabilities": ["oob"],
        "events": ["ask"] * 50 + ["fail", "now"],
    }
    server.wait_for(Runstate.DISCONNECTING, PATIENCE)
    with pytest.raises(EOFError):
        server.disconnect()


THEIR_SERVER = """
import asyncio, json, sys
from qemu.qmp.message import Message
from qemu.qmp.protocol import AsyncProtocol, Runstate

class Server(AsyncProtocol[Message]):
    async def _establish_session(self):
        await self._send(Message({"QMP": {"version": {}, "capabilities": ["oob"]}}))
        self.negotiated = dict(await self._recv())
        await self._send(Message({"return": {}}))
        await super()._establish_session()

    async def _do_recv(self):
        return Message(await self._readline())

    def _do_send(self, message):
        self._writer.write(bytes(message) + b"\\r\\n")

    async def _on_message(self, message):
        name = message.get("execute") or message.get("exec-oob")
        reply = {"error": {"class": "GenericError", "desc": "no"}} if name == "fail" else {"return": dict(message)}
        await self._outgoing.put(Message({"event": "ASKED", "data": {"name": name}}))
        await self._outgoing.put(Message({**reply, "id": message["id"]}))

async def main():
    server = Server("theirs")
    await server.start_server(sys.stdin.read())
    await server.accept()
    while server.runstate == Runstate.RUNNING:
        await server.runstate_changed()
    try:
        await server.disconnect()
    except EOFError:
        print(json.dumps(server.negotiated))

asyncio.run(main())
"""


def test_our_client_at_their_server(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Our client is served by a server on qemu.qmp's AsyncProtocol, which sees a clean end."""
    path = str(tmp_path_factory.mktemp("q") / "s")
    serving = stage.call(run_theirs, THEIR_SERVER, path, stage)
    client = stage.make()
    client.connect(path, timeout=PATIENCE, retry_for=PATIENCE)
    calls = [stage.call(client.execute, "ask", {"n": [number, "\u00e9{}"]}) for number in range(50)]
    assert [call.result()["arguments"] for call in calls] == [{"n": [number, "\u00e9{}"]} for number in range(50)]
    with pytest.raises(ExecuteError, match="no"):
        client.execute("fail")
    assert client.execute("now", oob=True)["exec-oob"] == "now"
    assert [message["data"]["name"] for message in client.events.clear()] == ["ask"] * 50 + ["fail", "now"]
    client.disconnect()
    assert serving.result() == {"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}
