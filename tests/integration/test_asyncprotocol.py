"""The AsyncProtocol of qemu.qmp as our peer, and beside us: the same scripted peers must lead both to the same end.

It runs on an event loop in a thread of this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from qemu.qmp.protocol import AsyncProtocol

from syncio.protocol import Protocol
from syncio.protocol import Runstate as OurRunstate

PATIENCE = 10.0
"""Seconds after which something that should have happened has not."""
LIMIT = 1000
"""Bytes that a line may have here."""
PROMPT = "go"
"""What we say first, so that the peer does not speak before theirs has begun: it is an AssertionError then."""


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any], patience: float = PATIENCE) -> Any:
        """What a coroutine returns, or raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(patience)

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class TheirLines(AsyncProtocol[str]):
    """Lines with qemu.qmp, called as ours are.

    :param hello: whether the peer's first line is awaited before the session.
    """

    def __init__(self, loop: Loop, hello: bool = False) -> None:
        super().__init__(readbuflen=LIMIT)
        self.loop = loop
        self.hello = hello
        self.received: list[str] = []
        self.states: list[str] = []

    def _set_state(self, state: Any) -> None:
        if state != self._runstate:
            self.states.append(state.name)
        super()._set_state(state)

    async def _establish_session(self) -> None:
        if self.hello:
            await self._send(PROMPT)
            self.received.append(await self._recv())
        await super()._establish_session()

    async def _do_recv(self) -> str:
        return (await self._readline()).decode().rstrip("\n")

    def _do_send(self, msg: str) -> None:
        assert self._writer is not None
        self._writer.write(msg.encode() + b"\n")

    async def _on_message(self, msg: str) -> None:
        self.received.append(msg)
        if msg == "boom":
            raise LookupError(msg)
        if msg.startswith("echo "):
            await self._outgoing.put(msg[5:])

    def call(self, name: str, *args: Any) -> None:
        """Call one of its coroutine methods, and wait."""
        self.loop.run(self._call(name, *args))

    async def _call(self, name: str, *args: Any) -> None:
        await getattr(self, name)(*args)

    def call_twice(self, name: str) -> list[str]:
        """The outcomes of two calls at once."""

        async def both() -> list[Any]:
            return await asyncio.gather(self._call(name), self._call(name), return_exceptions=True)

        return [show(outcome) for outcome in self.loop.run(both())]

    def send(self, message: str) -> None:
        """Send a message."""
        self.loop.run(self._outgoing.put(message))

    def wait_until(self, condition: Callable[[], bool]) -> bool:
        """Whether something comes true."""

        async def look() -> bool:
            for _ in range(int(PATIENCE / 0.005)):
                if condition():
                    return True
                await asyncio.sleep(0.005)
            return False

        return bool(self.loop.run(look(), PATIENCE * 2))


class OurLines(Protocol[str]):
    """The same with ours."""

    def __init__(self, hello: bool = False) -> None:
        super().__init__(readbuflen=LIMIT, async_mode="threading")
        self.hello = hello
        self.received: list[str] = []
        self._watch = self.watch_runstate()
        self._seen: list[str] = []

    @property
    def states(self) -> list[str]:
        """The transitions so far."""
        while True:
            try:
                self._seen.append(self._watch.get(0).name)
            except TimeoutError:
                return self._seen

    def _establish_session(self) -> None:
        if self.hello:
            self._send(PROMPT)
            self.received.append(self._recv())
        super()._establish_session()

    def _do_recv(self) -> str:
        return self._readline().decode().rstrip("\n")

    def _do_send(self, message: str, timeout: float | None = None) -> None:
        self._write(message.encode() + b"\n", timeout)

    def _on_message(self, message: str) -> None:
        self.received.append(message)
        if message == "boom":
            raise LookupError(message)
        if message.startswith("echo "):
            self.send(message[5:])

    def call(self, name: str, *args: Any) -> None:
        """Call one of its methods."""
        getattr(self, name)(*args)

    def call_twice(self, name: str) -> list[str]:
        """The outcomes of two calls at once."""
        outcomes: list[str] = []
        threads = [threading.Thread(target=lambda: outcomes.append(outcome(self.call, name))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        return outcomes

    def wait_until(self, condition: Callable[[], bool]) -> bool:
        """Whether something comes true."""
        never = threading.Event()
        return any(condition() or never.wait(0.005) for _ in range(int(PATIENCE / 0.005)))


Lines = Any
"""Theirs or ours."""


def show(found: Any) -> str:
    """The classes of an exception and of what is inside; 'ok' for anything else."""
    if not isinstance(found, BaseException):
        return "ok"
    inner = getattr(found, "exc", None)
    return type(found).__name__ + (f"({type(inner).__name__})" if inner is not None else "")


def outcome(call: Callable[..., Any], *args: Any) -> str:
    """How a call ends."""
    try:
        return show(call(*args))
    except Exception as exc:
        return show(exc)


@pytest.fixture
def loop() -> Iterator[Loop]:
    """An event loop."""
    loop = Loop()
    yield loop
    loop.close()


# ---------------------------------------------------------------------- as our peer


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Where nobody listens."""
    if request.param == "unix":
        return str(tmp_path / "s")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()


@pytest.mark.parametrize("role", ["our server", "their server"])
def test_sessions(loop: Loop, address: Any, role: str) -> None:
    """Sessions with qemu.qmp work in both roles, again and again, and end on whichever side wants it."""
    ours, theirs = OurLines(), TheirLines(loop)
    server, client = (ours, theirs) if role == "our server" else (theirs, ours)
    for ender, other in ((ours, theirs), (theirs, ours)):
        server.call("start_server", address)
        accept = threading.Thread(target=server.call, args=("accept",))
        accept.start()
        client.call("connect", address)
        accept.join(PATIENCE)
        assert (ours.runstate, theirs.runstate.name) == (OurRunstate.RUNNING, "RUNNING")
        wanted = [f"message {number}" * 20 for number in range(200)]
        for text in wanted:
            ours.send(f"echo {text}")
            theirs.send(f"echo {text}")
        for lines in (ours, theirs):
            assert lines.wait_until(lambda lines=lines: len(lines.received) == 400)  # type: ignore[misc]
            assert [text for text in lines.received if text[:5] != "echo "] == wanted
            assert [text for text in lines.received if text[:5] == "echo "] == [f"echo {text}" for text in wanted]
            lines.received.clear()
        assert outcome(ender.call, "disconnect") == "ok"
        assert other.wait_until(lambda other=other: other.runstate.name == "DISCONNECTING")  # type: ignore[misc]
        assert outcome(other.call, "disconnect") == "EOFError"
    assert ours.states == theirs.states == ["CONNECTING", "RUNNING", "DISCONNECTING", "IDLE"] * 2


# ---------------------------------------------------------------------- beside us


class Outcome(NamedTuple):
    """What a scripted peer has led to."""

    begin: str = "ok"
    messages: tuple[str, ...] = ()
    end: str = "ok"
    again: str = "ok"
    states: str = "CONNECTING RUNNING DISCONNECTING IDLE"
    sent: bytes = b""


class Scenario(NamedTuple):
    """What the peer does, and the protocol meanwhile.

    :param pieces: what the peer sends, each in a write of its own.
    :param leaves: how it ends: 'close', 'reset', 'half', or '' if it waits for our end.
    :param hello: whether its first line is a negotiation.
    :param sends: what we send when the session has begun.
    :param over: 'unix' or 'tcp'; or 'pair' for a socket to whose end the peer has said everything before we begin.
    :param awaits: how many messages must have come before we end it.
    """

    pieces: tuple[bytes, ...] = ()
    leaves: str = "close"
    hello: bool = False
    sends: tuple[str, ...] = ()
    over: str = "unix"
    awaits: int = 0


SCENARIOS = {
    "nothing": Scenario(),
    "lines": Scenario((b"a\nb\n", b"c\n")),
    "odd pieces": Scenario(tuple(bytes([byte]) for byte in b"one\ntwo\n\nthree\n")),
    "over TCP": Scenario((b"a\nb", b"\n"), over="tcp"),
    "longest line": Scenario((b"x" * LIMIT + b"\n",)),
    "over-long line": Scenario((b"ok\n", b"x" * (LIMIT + 1) + b"\nnot seen\n"), leaves=""),
    "over-long line without an end": Scenario((b"ok\n", b"x" * (LIMIT * 3)), leaves=""),
    "half a line": Scenario((b"one\nha", b"lf")),
    "no UTF-8": Scenario((b"one\n", b"\xff\xfe\ntwo\n"), leaves=""),
    "failing handler": Scenario((b"one\nboom\ntwo\n",), leaves=""),
    "half-closed": Scenario((b"one\n",), leaves="half"),
    "we end it": Scenario((b"one\n",), leaves="", sends=("x", "y", "z"), awaits=1),
    "we end it at once": Scenario(leaves="", sends=tuple("abc")),
    "echo": Scenario((b"echo a\necho b\n",), leaves="", sends=(), awaits=2),
    "negotiation": Scenario((b"wel", b"come\nfirst\n"), leaves="", hello=True, awaits=2),
    "hangs up in the negotiation": Scenario(hello=True),
    "hangs up in the greeting": Scenario((b"wel",), "half", hello=True, over="pair"),
    "over-long greeting": Scenario((b"x" * (LIMIT + 1),), leaves="", hello=True),
    "odd greeting": Scenario((b"\xff\n",), leaves="", hello=True),
    "hangs up right behind the negotiation": Scenario((b"welcome\n",), "half", hello=True, over="pair"),
    "says much and hangs up": Scenario((b"welcome\nfirst\nsecond\n",), "half", hello=True, over="pair"),
    "reset": Scenario((b"one\n",), leaves="reset", over="tcp", awaits=1),
    "reset in the negotiation": Scenario(leaves="reset", over="tcp", hello=True),
}

BROKEN = "an error of the connection is one of syncio's, and the system's is its cause"
ASSERTED = "theirs asserts that it is RUNNING, and is left in DISCONNECTING: fault 2 of the specification"
ENDED = "CONNECTING RUNNING DISCONNECTING IDLE DISCONNECTING IDLE"
FAILED = "CONNECTING DISCONNECTING IDLE DISCONNECTING IDLE DISCONNECTING IDLE"
DIFFERENCES: dict[str, tuple[object, object, str]] = {
    "hangs up in the greeting": (
        Outcome("AssertionError", ("wel",), "EOFError", states=ENDED),
        Outcome("ok", ("wel",), "EOFError", states=ENDED),
        ASSERTED,
    ),
    "hangs up right behind the negotiation": (
        Outcome("AssertionError", ("welcome",), "EOFError", states=ENDED),
        Outcome("ok", ("welcome",), "EOFError", states=ENDED),
        ASSERTED,
    ),
    "says much and hangs up": (
        Outcome("AssertionError", ("welcome", "first", "second"), "EOFError", states=ENDED),
        Outcome("ok", ("welcome", "first", "second"), "EOFError", states=ENDED),
        ASSERTED,
    ),
    "reset": (
        Outcome("ok", ("one",), "ConnectionResetError", states=ENDED),
        Outcome("ok", ("one",), "BrokenStream", states=ENDED),
        BROKEN,
    ),
    "reset in the negotiation": (
        Outcome("ConnectError(ConnectionResetError)", states=FAILED),
        Outcome("ConnectError(BrokenStream)", states=FAILED),
        BROKEN,
    ),
    "two disconnects at once": (
        ["AssertionError", "ok"],
        ["ok", "ok"],
        "theirs counts on one caller: fault 1 of the specification",
    ),
    "two servers at one path": (
        "ok",
        "ConnectError(OSError)",
        "theirs takes the path of a live server away: fault 7 of the specification",
    ),
}


class ScriptedPeer:
    """Accepts one connection, and plays a scenario.

    :param heard: whether so many messages were handled.
    """

    def __init__(self, scenario: Scenario, folder: Path, handled: Callable[[], bool]) -> None:
        self.scenario = scenario
        self.sent = b""
        self.address: Any = None
        self._handled = handled
        self._listener: socket.socket | None = None
        self._sock: socket.socket | None = None
        if scenario.over == "pair":
            self.address, self._sock = socket.socketpair()
            self._speak(self._sock)
        else:
            self._listener = socket.socket(socket.AF_INET if scenario.over == "tcp" else socket.AF_UNIX)
            self._listener.bind(("127.0.0.1", 0) if scenario.over == "tcp" else str(folder / "peer"))
            self._listener.listen(1)
            self.address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def _speak(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        for piece in self.scenario.pieces:
            sock.sendall(piece)
        if self.scenario.leaves == "half":
            sock.shutdown(socket.SHUT_WR)

    def _play(self) -> None:
        sock = self._sock
        if sock is None:
            assert self._listener is not None
            sock, _ = self._listener.accept()
            self._listener.close()
        # A protocol that has had enough leaves with what it has not read, which is a reset.
        with sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if self.scenario.over != "pair":
                self._receive(sock, len(PROMPT) + 1)
                self._speak(sock)
            if self.scenario.leaves == "reset":
                assert self._handled()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif self.scenario.leaves != "close":
                self._receive(sock)

    def _receive(self, sock: socket.socket, size: int = 1 << 20) -> None:
        while len(self.sent) < size and (data := sock.recv(min(65536, size - len(self.sent)))):
            self.sent += data

    def join(self) -> None:
        """Wait until it is done."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def play(scenario: Scenario, lines: Lines, folder: Path) -> Outcome:
    """Connect with the peer, and note what happens."""

    def handled() -> bool:
        return bool(lines.wait_until(lambda: len(lines.received) >= scenario.awaits))

    peer = ScriptedPeer(scenario, folder, handled)
    begin = outcome(lines.call, "connect", peer.address)
    if begin == "ok":
        if not scenario.hello:
            lines.send(PROMPT)
        for text in scenario.sends:
            lines.send(text)
        assert handled()
        if scenario.leaves or not (scenario.awaits or scenario.sends):
            assert lines.wait_until(lambda: lines.runstate.name == "DISCONNECTING")
    end = outcome(lines.call, "disconnect")
    again = outcome(lines.call, "disconnect")
    peer.join()
    states = " ".join(lines.states)
    return Outcome(begin, tuple(lines.received), end, again, states, peer.sent.removeprefix(f"{PROMPT}\n".encode()))


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Theirs complain to the log of exceptions that nobody has asked for."""
    caplog.set_level(logging.CRITICAL, "asyncio")


def both(loop: Loop, hello: bool = False) -> tuple[TheirLines, OurLines]:
    """One of each."""
    return TheirLines(loop, hello), OurLines(hello)


def compare(name: str, theirs: object, ours: object) -> None:
    """Both have come to the same, or to a difference that has a reason."""
    if name in DIFFERENCES:
        assert (theirs, ours) == DIFFERENCES[name][:2]
        assert theirs != ours
    else:
        assert ours == theirs


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(loop: Loop, tmp_path: Path, name: str) -> None:
    """A scripted peer leads both to the same messages, exceptions and states."""
    found = []
    for lines in both(loop, SCENARIOS[name].hello):
        folder = tmp_path / type(lines).__name__
        folder.mkdir()
        found.append(play(SCENARIOS[name], lines, folder))
    compare(name, *found)


def test_two_disconnects(loop: Loop, tmp_path: Path) -> None:
    """Two calls of disconnect() at once end well with ours."""
    found = []
    for lines in both(loop):
        here, there = socket.socketpair()
        lines.call("connect", here)
        found.append(sorted(lines.call_twice("disconnect")))
        there.close()
    compare("two disconnects at once", *found)


def test_two_servers(loop: Loop, tmp_path: Path) -> None:
    """A path at which somebody listens is not taken away by ours."""
    found = []
    for first, second in zip(both(loop), both(loop), strict=True):
        path = str(tmp_path / type(first).__name__)
        first.call("start_server", path)
        found.append(outcome(second.call, "start_server", path))
        for lines in (first, second):
            lines.call("disconnect")
    compare("two servers at one path", *found)


@pytest.mark.parametrize("where", ["missing", "nobody", "folder"])
def test_nobody_listens(loop: Loop, tmp_path: Path, where: str) -> None:
    """Where nobody listens, or one cannot listen, both fail in the same way and go through the same states."""
    found = []
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = {"missing": str(tmp_path / "s"), "nobody": sock.getsockname(), "folder": str(tmp_path / "no" / "s")}
        for lines in both(loop):
            call = "start_server" if where == "folder" else "connect"
            found.append((outcome(lines.call, call, address[where]), str(lines.runstate.name), lines.states))
    assert found[0] == found[1] == (found[0][0], "IDLE", ["CONNECTING", "DISCONNECTING", "IDLE"])
    assert found[0][0].startswith("ConnectError(")


@pytest.mark.parametrize("state", ["IDLE", "CONNECTING", "RUNNING", "DISCONNECTING"])
def test_wrong_states(loop: Loop, tmp_path: Path, state: str) -> None:
    """In a wrong state both say the same words, and stay as they are."""
    found = []
    for lines in both(loop):
        path = str(tmp_path / type(lines).__name__)
        here, there = socket.socketpair()
        if state == "CONNECTING":
            lines.call("start_server", path)
        elif state != "IDLE":
            lines.call("connect", here)
        if state == "DISCONNECTING":
            there.close()
            assert lines.wait_until(lambda lines=lines: lines.runstate.name == "DISCONNECTING")
        words = []
        for name, *args in (("connect", path), ("start_server", path), ("accept",)):
            if (state == "IDLE") == (name != "accept") or (state, name) == ("CONNECTING", "accept"):
                continue
            with pytest.raises(Exception, match=r"currently|already|disconnect") as caught:
                lines.call(name, *args)
            error = caught.value
            assert type(error).__name__ == "StateError"
            state_name, required = error.state.name, error.required.name  # type: ignore[attr-defined]
            words.append((str(error).replace(type(lines).__name__, "Lines"), state_name, required))
        found.append((words, lines.runstate.name))
        outcome(lines.call, "disconnect")
        for sock in (here, there):
            sock.close()
    assert found[0] == found[1]
    assert found[0][1] == state


def test_every_difference_is_looked_at() -> None:
    """The table has no entry that nothing checks, and a reason for each."""
    assert DIFFERENCES.keys() <= SCENARIOS.keys() | {"two disconnects at once", "two servers at one path"}
    assert all(reason for _, _, reason in DIFFERENCES.values())
