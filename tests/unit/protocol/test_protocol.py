"""A session's life: its states, what establishes and ends it, its messages, its log."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncio.errors import BusyError, ConfigurationError, RequestTimeout
from syncio.protocol import ConnectError, ConnectTimeout, Protocol, ProtocolError, Runstate, RunstateWatch, StateError
from syncio.protocol import protocol as module
from syncio.runtime import Runtime
from tests.unit.runtime.kinds import MOMENT, PATIENCE, eventually

from ..streams.conftest import Peer
from .lines import Doing, Lines, Pair, accepting, dial

IDLE, CONNECTING, RUNNING, DISCONNECTING = Runstate
GOOD = [CONNECTING, RUNNING, DISCONNECTING, IDLE]
BAD = [CONNECTING, DISCONNECTING, IDLE]
CERTIFICATE = str(Path(__file__).parents[1] / "engineio" / "client" / "localhost.pem")
"""Of 127.0.0.1 and localhost, signed by itself, with its key."""

Make = Callable[..., Lines]
Peers = Callable[..., tuple[Any, Peer]]


def states(watch: RunstateWatch) -> list[Runstate]:
    """What a watch has seen; it is closed."""
    watch.close()
    return list(watch)


def hear(lines: Lines, peers: Peers, **options: Any) -> Peer:
    """Connect one with a peer in the test's hands."""
    sock, peer = peers(**options)
    lines.connect(sock, timeout=PATIENCE)
    return peer


# ---------------------------------------------------------------------- beginning


def test_session(make: Make, runtime: Runtime, address: Any) -> None:
    """A session over TCP and UNIX goes through all states on both sides, and carries messages both ways."""
    server, client = make(), make()
    with server.watch_runstate() as ours, client.watch_runstate() as theirs:
        accept = accepting(runtime, server, address)
        client.connect(server.address, timeout=PATIENCE)
        accept.result()
        assert (server.runstate, client.runstate) == (RUNNING, RUNNING)
        client.send("question")
        assert server.next() == "question"
        server.send("answer")
        assert client.next() == "answer"
        client.disconnect()
        server.wait_for(DISCONNECTING, PATIENCE)
        with pytest.raises(EOFError):
            server.disconnect()
        assert (states(ours), states(theirs)) == (GOOD, GOOD)


def test_start_server_and_accept(make: Make, runtime: Runtime, tmp_path: Path) -> None:
    """It is the two calls, and its time-out is the second one's."""
    server, client = make(), make()
    serving = Doing(runtime, server.start_server_and_accept, str(tmp_path / "s"), timeout=PATIENCE)
    client.connect(str(tmp_path / "s"), retry_for=PATIENCE, timeout=PATIENCE)
    serving.result()
    assert server.runstate is RUNNING
    server.disconnect()
    with pytest.raises(ConnectTimeout):
        server.start_server_and_accept(str(tmp_path / "s"), timeout=0.01)
    assert server.runstate is IDLE


def test_reuse(make: Make, runtime: Runtime, address: Any) -> None:
    """One object goes through any number of sessions, in both roles."""
    one, other = make("one"), make("other")
    for number in range(4):
        Pair(runtime, one, other, address)
        other.send(f"message {number}")
        assert one.next() == f"message {number}"
        one.disconnect()
        other.close()
        one, other = other, one
    assert (one.runstate, other.runstate) == (IDLE, IDLE)


def test_failed_connection_can_be_tried_again(make: Make, runtime: Runtime, tmp_path: Path) -> None:
    """After a failure the same object connects."""
    server, client, path = make(), make(), str(tmp_path / "s")
    with pytest.raises(ConnectError):
        client.connect(path)
    Pair(runtime, server, client, path)
    assert client.runstate is RUNNING


def test_retry(make: Make, runtime: Runtime, tmp_path: Path) -> None:
    """With retry_for a peer that does not listen yet is tried until it does, or until the time is over."""
    server, client, path = make(), make(), str(tmp_path / "s")
    with pytest.raises(ConnectError, match="No such file"):
        client.connect(path, retry_for=0.05)
    connecting = Doing(runtime, client.connect, path, retry_for=PATIENCE)
    assert not connecting.ended.wait(MOMENT)
    accept = accepting(runtime, server, path)
    connecting.result()
    accept.result()


def test_nobody_listens(make: Make, tmp_path: Path) -> None:
    """A connection that cannot be made is a ConnectError with the system's error, by way of DISCONNECTING to IDLE."""
    client = make()
    with client.watch_runstate() as watch:
        with pytest.raises(ConnectError) as caught:
            client.connect(str(tmp_path / "none"))
        assert states(watch) == BAD
    error = caught.value
    assert error.error_message == "Failed to establish connection"
    assert isinstance(error.exc, FileNotFoundError)
    assert error.__cause__ is error.exc
    assert str(error) == f"Failed to establish connection: {error.exc}"
    assert client.runstate is IDLE


def test_no_place_to_listen(make: Make, tmp_path: Path) -> None:
    """Where one cannot listen, watches see the attempt, and the system's error is in the ConnectError."""
    server = make()
    with server.watch_runstate() as watch:
        with pytest.raises(ConnectError, match=r"^Failed to establish connection: ") as caught:
            server.start_server(str(tmp_path / "folder" / "s"))
        assert states(watch) == BAD
    assert isinstance(caught.value.exc, OSError)


@pytest.mark.parametrize("address", [("127.0.0.1",), ("127.0.0.1", 70000), "", 17, None], ids=repr)
def test_odd_addresses(make: Make, address: Any) -> None:
    """What is no address is a ConnectError that says so, in both roles; the object is IDLE."""
    for call in (make().connect, make().start_server):
        with pytest.raises(ConnectError) as caught:
            call(address)
        assert isinstance(caught.value.exc, ConfigurationError)
        assert call.__self__.runstate is IDLE  # type: ignore[attr-defined]


def test_peer_that_hangs_up_in_the_negotiation(make: Make, peers: Peers) -> None:
    """A failed negotiation is a ConnectError of the other phase; the object is IDLE."""
    client = make()
    client.hello = ""
    sock, peer = peers()
    peer.close()
    with client.watch_runstate() as watch:
        with pytest.raises(ConnectError) as caught:
            client.connect(sock)
        assert states(watch) == BAD
    assert (caught.value.error_message, str(caught.value)) == (
        "Failed to establish session",
        "Failed to establish session: the peer closed the connection",
    )
    assert isinstance(caught.value.exc, EOFError)


def test_negotiation(make: Make, runtime: Runtime, address: Any) -> None:
    """What is said during the negotiation does not reach the handler."""
    server, client = make(), make()
    server.hello, client.hello = "welcome", "thanks"
    Pair(runtime, server, client, address)
    assert (server.greeted, client.greeted) == ("thanks", "welcome")
    client.send("first")
    assert server.next() == "first"


def test_negotiation_has_no_other_time(make: Make, peers: Peers) -> None:
    """The negotiation's own calls are errors when there is a session, and when there is none."""
    client = make()
    hear(client, peers)
    for call in (client._recv, lambda: client._send("x")):
        with pytest.raises(StateError, match=r"Lines is already connected and running\."):
            call()
    client.disconnect()
    with pytest.raises(StateError, match="idle"):
        client._recv()


@pytest.mark.parametrize("role", ["connect", "accept"])
def test_negotiation_that_takes_too_long(make: Make, runtime: Runtime, address: Any, role: str) -> None:
    """The time-out is for the connection and the negotiation together; it is a ConnectTimeout, and a TimeoutError."""
    server, client = make(), make()
    late = client if role == "connect" else server
    late.hello = ""
    server.start_server(address)
    other = Doing(runtime, client.connect if late is server else server.accept, *[server.address][: late is server])
    with pytest.raises(ConnectTimeout, match="did not end within") as caught:
        if late is client:
            client.connect(server.address, timeout=0.05)
        else:
            server.accept(0.05)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value.exc, RequestTimeout)
    assert late.runstate is IDLE
    other.result()


def test_accept_that_takes_too_long(make: Make, address: Any) -> None:
    """Nobody comes: the object is IDLE after the time, and the place is free."""
    server = make()
    server.start_server(address)
    where = server.address
    with server.watch_runstate() as watch:
        with pytest.raises(ConnectTimeout, match="Failed to establish connection: waiting for a peer"):
            server.accept(0.02)
        assert states(watch) == [DISCONNECTING, IDLE]
    with pytest.raises(OSError):
        dial(where)


class Interrupted(Lines):
    """Ctrl-C is pressed somewhere in the beginning."""

    where = ""

    def _do_start_server(self, *args: Any) -> None:
        self._pass("start_server")
        super()._do_start_server(*args)

    def _do_accept(self, *args: Any) -> Any:
        self._pass("accept")
        return super()._do_accept(*args)

    def _do_connect(self, *args: Any) -> Any:
        self._pass("connect")
        return super()._do_connect(*args)

    def _establish_session(self) -> None:
        self._pass("before")
        super()._establish_session()
        self._pass("after")

    def _pass(self, where: str) -> None:
        if where == self.where:
            raise KeyboardInterrupt


@pytest.mark.parametrize("where", ["start_server", "accept", "connect", "before", "after"])
def test_interrupt(mode: str, runtime: Runtime, tmp_path: Path, where: str) -> None:
    """Ctrl-C comes out as it is, wherever it comes, and the object is IDLE and usable."""
    broken, other = Interrupted(async_mode=mode), Lines(async_mode=mode)
    broken.where = where
    path = str(tmp_path / "s")
    if where not in ("start_server", "accept"):
        accepting(runtime, other, path)
    with broken.watch_runstate() as watch:
        with pytest.raises(KeyboardInterrupt):
            if where in ("start_server", "accept"):
                broken.start_server(path)
                broken.accept()
            else:
                broken.connect(path)
        assert states(watch) == (GOOD if where == "after" else BAD)
    assert repr(broken) == "<Interrupted runstate=IDLE>"
    other.close()
    broken.where = ""
    Pair(runtime, broken, other, path)
    broken.close()
    other.close()


def test_failing_follow_up(mode: str, peers: Peers) -> None:
    """An error behind the beginning of the session ends it: a ConnectError of that phase."""

    class Follower(Lines):
        """Follows up in vain."""

        def _establish_session(self) -> None:
            super()._establish_session()
            raise LookupError("not here")

    client = Follower(async_mode=mode)
    sock, peer = peers()
    with client.watch_runstate() as watch:
        with pytest.raises(ConnectError, match="Failed to establish session: not here"):
            client.connect(sock)
        assert states(watch) == GOOD
    assert peer.read_to_end() == b""


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_open_with_socket(make: Make, peers: Peers, kind: str) -> None:
    """A connected socket is taken over; the session begins with accept, and the socket object is empty."""
    lines = make()
    sock, peer = peers(kind)
    lines.open_with_socket(sock)
    assert lines.runstate is CONNECTING
    assert sock.fileno() == -1
    lines.accept()
    assert lines.runstate is RUNNING
    peer.send(b"hello\n")
    assert lines.next() == "hello"
    lines.disconnect()
    assert peer.read_to_end() == b""


def test_socket_that_is_not_accepted_is_closed(make: Make, peers: Peers) -> None:
    """disconnect() closes a socket that was taken over."""
    lines = make()
    sock, peer = peers()
    lines.open_with_socket(sock)
    lines.disconnect()
    assert peer.read_to_end() == b""
    assert lines.runstate is IDLE


def test_connect_takes_a_socket(make: Make, peers: Peers) -> None:
    """A connected socket in the place of the address is the session's connection."""
    lines = make()
    peer = hear(lines, peers)
    lines.send("hello")
    assert peer.read(6) == b"hello\n"


def test_accept_without_a_server(make: Make, peers: Peers) -> None:
    """accept() has nothing to do before start_server()."""
    lines = make()
    with pytest.raises(StateError, match=r"Lines is disconnected and idle\."):
        lines.accept()
    lines._move(CONNECTING)
    with pytest.raises(ProtocolError, match=r"^Cannot call accept\(\) before start_server\(\)\.$"):
        lines.accept()
    lines.disconnect()


def test_two_accepts(make: Make, runtime: Runtime, address: Any) -> None:
    """A second accept() is refused while one waits, which is not disturbed."""
    server, client = make(), make()
    accept = accepting(runtime, server, address)
    assert eventually(runtime, lambda: server._attempt is not None)
    with pytest.raises(BusyError):
        server.accept()
    client.connect(server.address)
    accept.result()


def test_states_that_are_required(make: Make, runtime: Runtime, peers: Peers, address: Any) -> None:
    """What needs IDLE or CONNECTING raises in other states, before it looks at its arguments, and changes nothing."""
    server = make()
    begin = (server.connect, server.start_server, server.open_with_socket, server.start_server_and_accept)
    server.start_server(address)
    for call in begin:
        with pytest.raises(StateError, match=r"Lines is currently connecting\."):
            call(object())
    dial(server.address).close()
    server.accept()
    server.wait_for(DISCONNECTING, PATIENCE)
    for call in (*begin, server.accept):
        with pytest.raises(StateError, match=r"Lines is disconnecting\. Call disconnect\(\) to return to IDLE state\."):
            call(object())
    server.close()
    hear(server, peers)
    for call in (*begin, server.accept):
        with pytest.raises(StateError, match=r"Lines is already connected and running\."):
            call(object())
    assert server.runstate is RUNNING


def test_surplus_peers(make: Make, runtime: Runtime, address: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Of several peers the first one gets the session, others are closed with a warning, and nobody listens then."""
    server = make("busy")
    server.start_server(address)
    first, second = (Peer(runtime, dial(server.address)) for _ in range(2))
    server.accept(PATIENCE)
    assert second.read_to_end() == b""
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        f"a second peer came to {server.address}; its connection is closed"
    ]
    with pytest.raises(OSError):
        dial(server.address)
    first.send(b"hello\n")
    assert server.next() == "hello"
    server.disconnect()
    assert first.read_to_end() == b""
    first.close()
    second.close()


def contexts(trusting: bool = True) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The settings of a server and of a client."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(CERTIFICATE)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trusting:
        client.load_verify_locations(CERTIFICATE)
    return server, client


def test_tls(make: Make, runtime: Runtime, address: Any) -> None:
    """Sessions over TLS work over TCP and UNIX sockets, with large messages both ways, and end in order."""
    ours, theirs = contexts()
    server, client = make(readbuflen=1 << 20), make(readbuflen=1 << 20)
    for _ in range(2):
        accept = accepting(runtime, server, address, ssl=ours)
        client.connect(server.address, theirs, server_hostname="localhost", timeout=PATIENCE)
        accept.result()
        for text in ("hello", "x" * 700_000, "end"):
            client.send(text)
            server.send(text)
            assert server.next() == client.next() == text
        client.disconnect()
        server.wait_for(DISCONNECTING, PATIENCE)
        with pytest.raises(EOFError):
            server.disconnect()


def test_tls_with_sockets(make: Make, runtime: Runtime) -> None:
    """Sockets that are there already can speak TLS, with either side as the server."""
    ours, theirs = contexts()
    server, client = make(), make()
    here, there = socket.socketpair()
    server.open_with_socket(here, ours)
    client.open_with_socket(there, theirs, server_side=False, server_hostname="localhost")
    accept = Doing(runtime, server.accept, PATIENCE)
    client.accept(PATIENCE)
    accept.result()
    client.send("hello")
    assert server.next() == "hello"


@pytest.mark.parametrize("reason", ["untrusted", "other name"])
def test_tls_that_fails(make: Make, runtime: Runtime, tmp_path: Path, reason: str) -> None:
    """A certificate that is not right is a ConnectError on both sides."""
    ours, theirs = contexts(trusting=reason != "untrusted")
    server, client = make(), make()
    accept = accepting(runtime, server, str(tmp_path / "s"), ssl=ours)
    hostname = "localhost" if reason == "untrusted" else "example.org"
    with pytest.raises(ConnectError, match="Failed to establish connection"):
        client.connect(server.address, theirs, server_hostname=hostname, timeout=PATIENCE)
    assert client.runstate is IDLE
    with pytest.raises(ConnectError):
        accept.result()
    assert server.runstate is IDLE


def test_tls_without_a_name(make: Make, peers: Peers, tmp_path: Path) -> None:
    """A context that compares names is refused where there is none, instead of believing a certificate of any name."""
    client, context = make(), contexts()[1]
    sock, peer = peers()
    for address in (str(tmp_path / "s"), sock):
        with pytest.raises(ConnectError, match="server_hostname=None is not possible"):
            client.connect(address, context)
        assert client.runstate is IDLE
    with pytest.raises(ConnectError, match="server_hostname=None is not possible"):
        client.open_with_socket(sock, context, server_side=False)
    assert peer.recv() is None
    sock.close()


# ---------------------------------------------------------------------- messages


def test_order(pair: Pair) -> None:
    """Messages arrive in the order in which they were sent, in both directions at once."""
    wanted = [f"{number}" * (number % 50 + 1) for number in range(500)]
    for text in wanted:
        pair.client.send(text)
        pair.server.send(text)
    for lines in (pair.client, pair.server):
        assert [lines.next() for _ in wanted] == wanted


def test_one_message_at_a_time(make: Make, peers: Peers, runtime: Runtime) -> None:
    """The next message is not read until the last one is handled."""
    lines = make()
    begun, release = runtime.queue(), runtime.event()
    read: list[str] = []

    def handle(message: str) -> None:
        begun.put(message)
        assert release.wait(PATIENCE)

    class Noting(logging.Filter):
        """Notes when a message was read."""

        def filter(self, record: logging.LogRecord) -> bool:
            """Note it."""
            read.append(record.getMessage())
            return False

    lines.handler = handle
    lines.name = "one"
    lines.logger.setLevel(logging.DEBUG)
    noting = Noting()
    lines.logger.addFilter(noting)
    try:
        peer = hear(lines, peers)
        peer.send(b"a\nb\nc\n")
        assert begun.get(timeout=PATIENCE) == "a"
        assert not runtime.event().wait(MOMENT)
        assert read == ["<-- a"]
        release.set()
        assert [begun.get(timeout=PATIENCE) for _ in range(2)] == ["b", "c"]
    finally:
        lines.logger.removeFilter(noting)


class Filtering(Lines):
    """Changes what passes."""

    def _cb_inbound(self, message: str) -> str:
        return f"in({message})"

    def _cb_outbound(self, message: str) -> str:
        return f"out({message})"


def test_filters(mode: str, peers: Peers) -> None:
    """What the callbacks return is what is handled and sent, in the negotiation too."""
    lines = Filtering(async_mode=mode)
    lines.hello = "hello"
    sock, peer = peers()
    peer.send(b"welcome\n")
    lines.connect(sock)
    assert lines.greeted == "in(welcome)"
    peer.send(b"one\n")
    assert lines.next() == "in(one)"
    lines.send("two")
    assert peer.read(20) == b"out(hello)\nout(two)\n"
    lines.close()


def test_a_session_over_two_reads(make: Make, peers: Peers) -> None:
    """Messages do not depend on the reads in which they come: what came with the greeting is handled."""
    lines = make()
    lines.hello = ""
    sock, peer = peers()
    peer.send(b"welcome\nfirst\nsec")
    lines.connect(sock)
    assert lines.next() == "first"
    peer.send(b"ond\n")
    assert lines.next() == "second"


def test_sending_without_a_session(make: Make, peers: Peers) -> None:
    """A message that cannot be sent is an error at once, in every state but one."""
    lines = make()
    with pytest.raises(StateError, match="idle"):
        lines.send("x")
    peer = hear(lines, peers)
    peer.close()
    lines.wait_for(DISCONNECTING, PATIENCE)
    with pytest.raises(StateError, match="disconnecting") as caught:
        lines.send("x")
    assert (caught.value.state, caught.value.required) == (DISCONNECTING, RUNNING)


def test_base_class_says_what_to_override(mode: str, peers: Peers) -> None:
    """Who forgets to override is told when it matters."""
    bare: Protocol[bytes] = Protocol(async_mode=mode)
    sock, _ = peers()
    bare.connect(sock)
    with pytest.raises(NotImplementedError):
        bare._do_send(b"")
    with pytest.raises(NotImplementedError):
        bare._on_message(b"")
    bare.wait_for(DISCONNECTING, PATIENCE)
    with pytest.raises(NotImplementedError):
        bare.disconnect()


def test_descriptors_need_a_local_socket(make: Make, peers: Peers) -> None:
    """Over TCP no descriptor passes, and to try it does no harm."""
    lines = make()
    peer = hear(lines, peers, kind="tcp")
    with pytest.raises(ProtocolError, match="UNIX"):
        lines._write(b"!", fds=(0,))
    lines.send("x")
    assert peer.read(2) == b"x\n"


# ---------------------------------------------------------------------- the end


def test_idle_disconnect(make: Make) -> None:
    """Without a session it walks through DISCONNECTING all the same, any number of times."""
    lines = make()
    with lines.watch_runstate() as watch:
        assert lines.disconnect() is None
        assert lines.disconnect() is None
        assert states(watch) == [DISCONNECTING, IDLE] * 2


def test_disconnect_sends_what_waits(make: Make, peers: Peers, runtime: Runtime) -> None:
    """What was sent before the end arrives."""
    lines = make()
    peer = hear(lines, peers, small=True)
    for number in range(20):
        lines.send(f"{number:02d}" * 10_000)
    ending = Doing(runtime, lines.disconnect)
    got = peer.read_to_end()
    ending.result()
    assert got == b"".join(b"%02d" % number * 10_000 + b"\n" for number in range(20))


def test_forced_close_forgets_what_waits(make: Make, peers: Peers, runtime: Runtime) -> None:
    """close(force=True) does not wait for a peer that does not read."""
    lines = make()
    hear(lines, peers, small=True)
    lines.send("x" * 1_000_000)
    began = runtime.now()
    lines.close(force=True)
    assert runtime.now() - began < 2
    assert lines.runstate is IDLE


def test_peer_that_hangs_up(make: Make, peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    """The session ends by itself in DISCONNECTING; EOFError comes out once, from an IDLE object; INFO in the log."""
    caplog.set_level(logging.DEBUG)
    lines = make()
    peer = hear(lines, peers)
    with lines.watch_runstate() as watch:
        peer.close()
        assert watch.get(PATIENCE) is DISCONNECTING
        with pytest.raises(RequestTimeout):
            watch.get(MOMENT)
        with pytest.raises(EOFError, match="the peer closed the connection"):
            lines.disconnect()
        assert watch.get(0) is IDLE
    assert lines.disconnect() is None
    ends = [(r.levelname, r.getMessage()) for r in caplog.records if "has ended" in r.getMessage()]
    assert ends == [("INFO", "the session has ended: the peer closed the connection")]


def test_handler_that_raises(make: Make, peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    """Its exception ends the session and comes out of disconnect(): ERROR in the log, and the traceback at DEBUG."""
    caplog.set_level(logging.DEBUG)
    lines = make()
    problem = ValueError("odd")

    def handle(message: str) -> None:
        raise problem

    lines.handler = handle
    peer = hear(lines, peers)
    peer.send(b"one\ntwo\n")
    lines.wait_for(DISCONNECTING, PATIENCE)
    with pytest.raises(ValueError) as caught:
        lines.disconnect()
    assert caught.value is problem
    assert lines.runstate is IDLE
    assert lines.disconnect() is None
    ends = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert [r.getMessage() for r in ends] == ["the session has ended: ValueError: odd"]
    traces = [r for r in caplog.records if r.exc_info]
    assert [(r.levelname, r.exc_info[1]) for r in traces if r.exc_info] == [("DEBUG", problem)]
    assert peer.read_to_end() == b""


def test_line_that_is_too_long(make: Make, peers: Peers) -> None:
    """A line over readbuflen ends the session with a ValueError before it is whole."""
    lines = make(readbuflen=1000)
    peer = hear(lines, peers)
    peer.send(b"x" * 1000 + b"\n")
    assert lines.next() == "x" * 1000
    peer.send(b"x" * 1001)
    lines.wait_for(DISCONNECTING, PATIENCE)
    with pytest.raises(ValueError, match="1000 bytes"):
        lines.disconnect()


def test_close_keeps_quiet(make: Make, peers: Peers) -> None:
    """close() ends a session that has failed without its error."""
    lines = make()
    peer = hear(lines, peers)
    peer.close()
    lines.wait_for(DISCONNECTING, PATIENCE)
    lines.close()
    assert lines.runstate is IDLE
    assert lines.disconnect() is None


def test_with(make: Make, peers: Peers) -> None:
    """Leaving a with-statement disconnects, with the session's error, which does not cover another one."""
    with make() as lines:
        hear(lines, peers)
    assert lines.runstate is IDLE

    def fail(inside: bool) -> None:
        with lines:
            peer = hear(lines, peers)
            peer.close()
            lines.wait_for(DISCONNECTING, PATIENCE)
            if inside:
                raise LookupError

    with pytest.raises(EOFError):
        fail(inside=False)
    with pytest.raises(LookupError):
        fail(inside=True)
    assert lines.runstate is IDLE


class Telling(Lines):
    """Tells of its hooks."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.told: list[str] = []

    def _bh_disconnect(self) -> None:
        self.told.append(f"ended {self.runstate.name}")

    def _cleanup(self) -> None:
        super()._cleanup()
        self.told.append(f"cleaned {self.runstate.name}")


@pytest.mark.parametrize("who", ["we", "the peer"])
def test_hooks(mode: str, peers: Peers, runtime: Runtime, who: str) -> None:
    """A subclass is told once of a session's end, whoever ends it, and then may let go of what it has."""
    lines = Telling(async_mode=mode)
    sock, peer = peers()
    lines.connect(sock)
    if who == "the peer":
        peer.close()
        assert eventually(runtime, lambda: lines.told)
    lines.close()
    assert lines.told == ["ended DISCONNECTING", "cleaned DISCONNECTING"]


def test_schedule_disconnect(make: Make, peers: Peers) -> None:
    """A subclass can end the session from inside, with an error that disconnect() raises."""
    lines = make()
    hear(lines, peers)
    lines._schedule_disconnect(LookupError("lost"))
    lines._schedule_disconnect(LookupError("later"))
    assert lines.runstate is DISCONNECTING
    with pytest.raises(LookupError, match="lost"):
        lines.disconnect()


# ---------------------------------------------------------------------- names


def test_name(make: Make) -> None:
    """A name is settable, and stands in the repr and in the logger's name."""
    lines = make()
    assert (lines.name, lines.logger.name, repr(lines)) == (None, module.__name__, "<Lines runstate=IDLE>")
    lines.name = "vm"
    assert (lines.name, lines.logger.name) == ("vm", f"{module.__name__}.vm")
    assert repr(lines) == "<Lines name='vm' runstate=IDLE>"
    lines.name = None
    assert (lines.logger.name, repr(lines)) == (module.__name__, "<Lines runstate=IDLE>")
    assert make("vm").logger is logging.getLogger(f"{module.__name__}.vm")


def test_messages_in_the_log(make: Make, peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    """Each message is in the log of its protocol's name, at DEBUG, with an arrow for its direction."""
    lines = make("vm")
    caplog.set_level(logging.DEBUG, lines.logger.name)
    peer = hear(lines, peers)
    lines.send("out")
    peer.send(b"in\n")
    lines.next()
    arrows = [(r.levelname, r.name, r.getMessage()) for r in caplog.records if r.getMessage()[:3] in ("<--", "-->")]
    assert arrows == [
        ("DEBUG", f"{module.__name__}.vm", "--> out"),
        ("DEBUG", f"{module.__name__}.vm", "<-- in"),
    ]


def test_tasks_have_names(mode: str, make: Make, peers: Peers) -> None:
    """A session's thread is found by the protocol's name."""
    if mode != "threading":
        pytest.skip("greenlets are not listed anywhere")
    hear(make("vm"), peers)
    assert "vm-reader" in [thread.name for thread in threading.enumerate()]
