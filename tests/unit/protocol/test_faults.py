"""One test at least for each fault of the original that concerns `Protocol`, with the specification's number.

And what follows from them: everything can be aborted, nobody deadlocks, and no thread is left.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncio.errors import ClosedStream, RequestTimeout
from syncio.protocol import ConnectError, OutgoingFull, Runstate
from syncio.runtime import Runtime
from tests.unit.runtime.kinds import MODES_HERE, MOMENT, PATIENCE, eventually

from ..streams.conftest import Peer
from .lines import Doing, Lines, accepting, dial, send_all
from .test_protocol import contexts

IDLE, CONNECTING, RUNNING, DISCONNECTING = Runstate
AT_ONCE = 3.0
"""Seconds in which something has ended that waits for nobody, on a machine that is busy."""

Make = Callable[..., Lines]
Peers = Callable[..., tuple[Any, Peer]]


def hear(lines: Lines, peers: Peers, **options: Any) -> Peer:
    """Connect one with a peer in the test's hands."""
    sock, peer = peers(**options)
    lines.connect(sock, timeout=PATIENCE)
    return peer


# ---------------------------------------------------------------------- 1: two that end it


def test_twenty_disconnects_are_one(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 1: of many calls at once all return when the object is IDLE; there is one tear-down."""
    lines = make()
    peer = hear(lines, peers, small=True)
    lines.send("x" * 300_000)  # so that the first one has to wait
    with lines.watch_runstate() as watch:
        calls = [Doing(runtime, lines.disconnect) for _ in range(20)]
        assert watch.get(PATIENCE) is DISCONNECTING
        assert peer.read_to_end() == b"x" * 300_000 + b"\n"
        for call in calls:
            assert call.result() is None
        assert watch.get(0) is IDLE
        assert lines.runstate is IDLE


def test_twenty_disconnects_raise_one_error(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 1: what has ended the session comes out of exactly one of many calls."""
    lines = make()
    peer = hear(lines, peers)
    peer.close()
    lines.wait_for(DISCONNECTING, PATIENCE)
    calls = [Doing(runtime, lines.disconnect) for _ in range(20)]
    assert all(call.ended.wait(PATIENCE) for call in calls)
    assert [type(call.error) for call in calls if call.error is not None] == [EOFError]


def test_disconnect_that_waits_for_another(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 1: a call with a time-out does not wait longer for another one's tear-down."""
    lines = make()
    peer = hear(lines, peers, small=True)
    lines.send("x" * 300_000)
    first = Doing(runtime, lines.disconnect)
    lines.wait_for(DISCONNECTING, PATIENCE)
    with pytest.raises(RequestTimeout, match=r"disconnect\(\) did not end within 0\.01 s"):
        lines.disconnect(0.01)
    peer.read_to_end()
    first.result()


# ---------------------------------------------------------------------- 2 and 3: states


def test_peer_that_hangs_up_right_behind_the_negotiation(make: Make, peers: Peers) -> None:
    """Fault 2: connect() returns, the state is DISCONNECTING, and EOFError comes out of disconnect()."""
    for _ in range(20):
        lines = make()
        lines.hello = ""
        sock, peer = peers()
        peer.send(b"welcome\n")
        peer.close()
        lines.connect(sock)
        lines.wait_for(DISCONNECTING, PATIENCE)
        with pytest.raises(EOFError):
            lines.disconnect()
        assert lines.runstate is IDLE


def test_connection_that_broke_in_the_negotiation(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 2: if a write of the negotiation fails behind its back, no session begins that nobody would end."""

    class Hasty(Lines):
        """Says more than fits, and waits for nothing."""

        def _establish_session(self) -> None:
            self._send("x" * 500_000)
            peer.close()
            assert eventually(runtime, lambda: self._link is not None and self._link.error is not None)
            super()._establish_session()

    lines = Hasty(async_mode=runtime.name)
    sock, peer = peers(small=True)
    with pytest.raises(ConnectError, match="Failed to establish session"):
        lines.connect(sock)
    assert lines.runstate is IDLE


def test_fast_transitions_are_seen(make: Make, tmp_path: Path) -> None:
    """Fault 3: a watch sees a failure that takes no time, again and again."""
    lines = make()
    with lines.watch_runstate() as watch:
        for _ in range(10):
            with pytest.raises(ConnectError):
                lines.connect(str(tmp_path / "none"))
        assert [watch.get(0) for _ in range(30)] == [CONNECTING, DISCONNECTING, IDLE] * 10


# ---------------------------------------------------------------------- 4 and 5: time and room


def test_peer_that_does_not_read(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 4: disconnect() gives such a peer flush_timeout, and no more."""
    lines = make(flush_timeout=0.1)
    hear(lines, peers, small=True)
    lines.send("x" * 5_000_000)
    ending = Doing(runtime, lines.disconnect)
    assert ending.result() is None
    assert 0.1 <= ending.seconds < AT_ONCE
    assert lines.runstate is IDLE


def test_disconnect_with_a_timeout(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 4: the time-out of disconnect() is for all of it, also if a handler does not return."""
    lines = make()
    peer = hear(lines, peers, small=True)
    release, begun = runtime.event(), runtime.event()

    def handle(message: str) -> None:
        begun.set()
        release.wait(PATIENCE)

    lines.handler = handle
    peer.send(b"stay\n")
    assert begun.wait(PATIENCE)
    lines.send("x" * 1_000_000)
    ending = Doing(runtime, lines.disconnect, 0.1)
    ending.result()
    assert ending.seconds < AT_ONCE
    assert lines.runstate is IDLE
    release.set()


def test_idle_disconnect_is_quick(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 4: a session in which nothing waits ends at once."""
    lines = make()
    for _ in range(5):
        hear(lines, peers)
        ending = Doing(runtime, lines.disconnect)
        ending.result()
        assert ending.seconds < 0.5


def test_queue_is_bounded(make: Make, peers: Peers) -> None:
    """Fault 5: no more than send_limit waits; then send() waits itself, or raises after its time."""
    lines = make(send_limit=200_000)
    peer = hear(lines, peers, small=True)
    sent = 0
    with pytest.raises(RequestTimeout):
        for _ in range(1000):
            lines.send("x" * 9999, timeout=0.01)
            sent += 1
    assert 20 <= sent < 60
    assert peer.read(sent * 10_000) == (b"x" * 9999 + b"\n") * sent
    lines.send("more", timeout=PATIENCE)
    assert peer.read(5) == b"more\n"


def test_reader_that_sends_too_much(make: Make, peers: Peers) -> None:
    """Fault 5: the reader never waits; its handler gets OutgoingFull, which ends the session if it lets it pass."""
    lines = make(send_limit=200_000)
    peer = hear(lines, peers, small=True)
    lines.handler = lambda message: [lines.send("x" * 100_000) for _ in range(20)]
    peer.send(b"go\n")
    lines.wait_for(DISCONNECTING, PATIENCE)
    with pytest.raises(OutgoingFull):
        lines.disconnect()


@pytest.mark.parametrize("size", [100, 100_000])
def test_two_echoes_do_not_deadlock(make: Make, peers: Peers, runtime: Runtime, size: int) -> None:
    """Fault 5: two peers whose readers send with full buffers go on, and lose nothing."""
    one, other = make("one"), make("other", readbuflen=1 << 20)
    one._readbuflen = 1 << 20
    sock, peer = peers(small=True)

    counted, enough = [0, 0], runtime.event()

    def echo(lines: Lines, number: int) -> Callable[[str], None]:
        def handle(message: str) -> None:
            counted[number] += 1
            if counted[number] < 100:
                lines.send(message)
            elif min(counted) >= 100:
                enough.set()

        return handle

    one.handler, other.handler = echo(one, 0), echo(other, 1)
    one.connect(sock)
    other.connect(socket.socket(fileno=os.dup(peer.sock.fileno())))
    for number in range(10):
        one.send(str(number) * size)
        other.send(str(number) * size)
    assert enough.wait(PATIENCE), counted


# ---------------------------------------------------------------------- 6: the log


class Counted(str):
    """Text that counts how often it is formatted."""

    formatted = 0

    def __str__(self) -> str:
        Counted.formatted += 1
        return "formatted"


def test_messages_are_not_formatted_in_vain(make: Make, peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    """Fault 6: a message is made into text for the log only if the log wants it."""
    lines = make("quiet")
    hear(lines, peers)
    caplog.set_level(logging.INFO, lines.logger.name)
    before = Counted.formatted
    lines.send(Counted("x"))
    assert lines._cb_inbound(Counted("x")) == "x"
    assert Counted.formatted == before
    caplog.set_level(logging.DEBUG, lines.logger.name)
    lines.send(Counted("x"))
    assert Counted.formatted > before


# ---------------------------------------------------------------------- 7, 8, 9: addresses


def test_live_socket_is_not_stolen(make: Make, runtime: Runtime, tmp_path: Path) -> None:
    """Fault 7: a path at which somebody listens is refused, and its owner does not notice."""
    first, second, client, path = make(), make(), make(), str(tmp_path / "s")
    accept = accepting(runtime, first, path)
    with pytest.raises(ConnectError, match="somebody listens there already"):
        second.start_server(path)
    client.connect(path)
    accept.result()
    assert (first.runstate, second.runstate) == (RUNNING, IDLE)


def test_stale_socket_is_replaced(make: Make, runtime: Runtime, tmp_path: Path) -> None:
    """Fault 7: the file of a server that has died is replaced, another kind of file is not; ours goes with the peer."""
    path = tmp_path / "s"

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = make()
    server.start_server(str(path), mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    peer = dial(str(path))
    server.accept(PATIENCE)
    assert not path.exists()
    peer.close()
    server.close()
    server.start_server(str(path))
    server.disconnect()
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(ConnectError, match="no socket"):
        server.start_server(str(path))
    assert path.read_text() == "precious"


def test_port_that_the_system_chooses(make: Make) -> None:
    """Fault 8: with port 0 the address says which port it is, under both names."""
    server = make()
    server.start_server(("127.0.0.1", 0))
    host, port = server.address
    assert host == "127.0.0.1" and port > 0
    assert server.sockname == server.address
    peer = dial(server.address)
    server.accept(PATIENCE)
    peer.close()


def test_unix_address(make: Make, tmp_path: Path) -> None:
    """Fault 8: a path is an address too."""
    server = make()
    server.start_server(tmp_path / "s")
    assert server.address == str(tmp_path / "s")


def test_sockets_that_cannot_be_adopted(make: Make, peers: Peers) -> None:
    """Fault 9: what is no connected stream socket is a ConnectError, and the object IDLE; TLS is in test_protocol."""

    lines = make()
    with socket.socket() as lonely, socket.socket(type=socket.SOCK_DGRAM) as odd:
        for sock in (lonely, odd, "no socket"):
            with pytest.raises(ConnectError, match="Failed to establish connection"):
                lines.open_with_socket(sock)
            assert lines.runstate is IDLE


def test_adopted_socket_has_the_limit(make: Make, peers: Peers) -> None:
    """Fault 9: readbuflen holds for sockets that are taken over."""
    lines = make(readbuflen=100)
    sock, peer = peers()
    lines.open_with_socket(sock)
    lines.accept()
    peer.send(b"x" * 101)
    lines.wait_for(DISCONNECTING, PATIENCE)
    with pytest.raises(ValueError, match="readbuflen"):
        lines.disconnect()


# ---------------------------------------------------------------------- 10 and 11: ending it from anywhere


def test_disconnect_in_the_handler(make: Make, peers: Peers) -> None:
    """Fault 10: in the handler disconnect() only begins the end; what was sent leaves, the next message is not read."""
    lines = make()
    peer = hear(lines, peers)

    def handle(message: str) -> None:
        lines.send("goodbye")
        lines.disconnect()
        assert lines.runstate is DISCONNECTING

    lines.handler = handle
    peer.send(b"one\ntwo\n")
    assert peer.read_to_end() == b"goodbye\n"
    assert lines.disconnect() is None
    assert lines.next() == "one"
    assert lines.received.empty()


def test_disconnect_in_the_handler_and_outside(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 10: the end that the handler has begun sends what waits, also if somebody else calls disconnect() then."""
    lines = make()
    peer = hear(lines, peers, small=True)

    def handle(message: str) -> None:
        lines.send("x" * 300_000)
        lines.disconnect()

    lines.handler = handle
    peer.send(b"go\n")
    lines.wait_for(DISCONNECTING, PATIENCE)
    ending = Doing(runtime, lines.disconnect)
    assert peer.read_to_end() == b"x" * 300_000 + b"\n"
    assert ending.result() is None


def aborted(runtime: Runtime, lines: Lines, call: Doing) -> None:
    """End an attempt that waits, from another task; both return at once."""
    assert eventually(runtime, lambda: lines._attempt is not None and lines._attempt._target is not None)
    assert not call.ended.wait(MOMENT)
    ending = Doing(runtime, lines.disconnect)
    ending.result()
    with pytest.raises(ConnectError) as caught:
        call.result()
    assert isinstance(caught.value.exc, ClosedStream)
    assert ending.seconds < AT_ONCE
    assert lines.runstate is IDLE


def test_accept_is_aborted(make: Make, runtime: Runtime, address: Any) -> None:
    """Fault 11: disconnect() from another task ends accept(), and nobody listens any more."""
    server = make()
    accept = accepting(runtime, server, address)
    where = server.address
    aborted(runtime, server, accept)
    with pytest.raises(OSError):
        dial(where)


def test_connect_is_aborted(make: Make, runtime: Runtime, tmp_path: Path) -> None:
    """Fault 11: disconnect() from another task ends connect() while nobody listens yet."""
    client = make()
    aborted(runtime, client, Doing(runtime, client.connect, str(tmp_path / "s"), retry_for=PATIENCE))


@pytest.mark.parametrize("role", ["connect", "accept"])
def test_negotiation_is_aborted(make: Make, runtime: Runtime, peers: Peers, role: str) -> None:
    """Fault 11: disconnect() from another task ends a negotiation that the peer does not take part in."""
    lines = make()
    lines.hello = ""
    sock, peer = peers()
    if role == "accept":
        lines.open_with_socket(sock)
        aborted(runtime, lines, Doing(runtime, lines.accept))
    else:
        aborted(runtime, lines, Doing(runtime, lines.connect, sock))
    assert peer.read_to_end() == b""


@pytest.mark.parametrize("server_side", [True, False])
def test_tls_handshake_is_aborted(make: Make, runtime: Runtime, peers: Peers, server_side: bool) -> None:
    """Fault 11: disconnect() from another task ends a TLS handshake with a peer that says nothing."""
    lines = make()
    sock, _ = peers()
    context = contexts()[0 if server_side else 1]
    lines.open_with_socket(sock, context, server_side=server_side, server_hostname="localhost")
    aborted(runtime, lines, Doing(runtime, lines.accept))


def test_started_server_is_stopped(make: Make, runtime: Runtime, address: Any) -> None:
    """Fault 11: disconnect() ends a server that nobody waits in yet."""
    server = make()
    server.start_server(address)
    where = server.address
    server.disconnect()
    assert server.runstate is IDLE
    with pytest.raises(OSError):
        dial(where)


def test_disconnect_behind_a_connect_that_is_just_done(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 11: to end a session in the moment in which it has begun loses no message and gives no error."""
    for _ in range(20):
        lines = make()
        sock, peer = peers()

        def end(lines: Lines = lines) -> None:
            lines.wait_for(RUNNING, PATIENCE)
            lines.send("hello")
            lines.disconnect()

        ending = Doing(runtime, end)
        assert eventually(runtime, lambda lines=lines: lines._watches)  # type: ignore[misc]
        lines.connect(sock)
        ending.result()
        assert peer.read_to_end() == b"hello\n"
        assert lines.runstate is IDLE


def test_follow_up_is_aborted(runtime: Runtime, peers: Peers) -> None:
    """Fault 11: a session whose follow-up waits for the peer is ended, and `_bh_disconnect` tells the follow-up."""

    class Following(Lines):
        """Waits for something behind the beginning of the session."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.told = self._runtime.event()

        def _establish_session(self) -> None:
            super()._establish_session()
            assert self.told.wait(PATIENCE)
            raise LookupError("the session has ended")

        def _bh_disconnect(self) -> None:
            self.told.set()

    lines = Following(async_mode=runtime.name)
    sock, peer = peers()
    connecting = Doing(runtime, lines.connect, sock)
    lines.wait_for(RUNNING, PATIENCE)
    lines.send("hello")
    assert Doing(runtime, lines.disconnect).result() is None
    with pytest.raises(ConnectError, match="the session has ended"):
        connecting.result()
    assert lines.runstate is IDLE
    assert peer.read_to_end() == b"hello\n"


# ---------------------------------------------------------------------- 17 and 19: lines


def test_long_line(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 17: a line of 10 MiB arrives in a time that does not grow with its square."""
    size = 10 * 1024 * 1024
    lines = make(readbuflen=size)
    peer = hear(lines, peers)
    began = time.process_time()
    send_all(runtime, peer, b"x" * size + b"\n")
    assert len(lines.next()) == size
    assert time.process_time() - began < 2


def test_limit_holds_while_a_line_is_read(make: Make, peers: Peers, runtime: Runtime) -> None:
    """Fault 17: a line without an end is refused when it is too long, not when memory is."""
    lines = make(readbuflen=100_000)
    peer = hear(lines, peers)
    sent = 0

    def push() -> bool:
        nonlocal sent
        try:
            sent += peer.send(b"x" * 10_000)
        except OSError:
            return True
        return False

    assert eventually(runtime, push)
    assert sent < 5_000_000
    with pytest.raises(ValueError, match="100000 bytes"):
        lines.disconnect()


def test_rest_of_a_line(make: Make, peers: Peers) -> None:
    """Fault 19: a last line without a newline is delivered once, and then the end."""
    lines = make()
    peer = hear(lines, peers)
    peer.send(b"one\ntw")
    peer.finish()
    assert [lines.next(), lines.next()] == ["one", "tw"]
    lines.wait_for(DISCONNECTING, PATIENCE)
    with pytest.raises(EOFError):
        lines.disconnect()
    assert lines.received.empty()


def test_what_was_said_before_a_break_is_handled(make: Make, peers: Peers, runtime: Runtime) -> None:
    """A peer that says something and goes is heard, though a send to it fails first."""
    lines = make()
    begun, hold = runtime.event(), runtime.event()

    def handle(message: str) -> None:
        begun.set()
        hold.wait(PATIENCE)

    lines.handler = handle
    peer = hear(lines, peers)
    peer.send(b"one\n")
    assert begun.wait(PATIENCE)
    peer.send(b"two\nthree\n")
    peer.close()
    with pytest.raises(Exception, match=r"broke|disconnecting"):
        for _ in range(3):
            lines.send("lost")
    hold.set()
    assert [lines.next() for _ in range(3)] == ["one", "two", "three"]
    with pytest.raises(EOFError):
        lines.disconnect()


# ---------------------------------------------------------------------- threads and processes


@pytest.mark.skipif("threading" not in MODES_HERE, reason="gevent has replaced the threads of this process")
def test_threads(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle session has one thread, one that had to wait for its peer two for a moment, and none is left behind."""
    monkeypatch.setattr("syncio.protocol.outgoing.LINGER", 0.1)
    before = set(threading.enumerate())

    def names() -> list[str]:
        return sorted(thread.name for thread in set(threading.enumerate()) - before)

    lines = Lines("vm", async_mode="threading")
    runtime = lines._runtime
    for waits in (False, True):
        sock, peer = peers(small=True)
        lines.connect(sock)
        assert eventually(runtime, lambda: names() == ["vm-reader"])
        if waits:
            lines.send("x" * 300_000)
            assert names() == ["vm-reader", "vm-writer"]
            peer.read(300_001)
            assert eventually(runtime, lambda: names() == ["vm-reader"])
            lines.send("x" * 300_000)
            peer.close()
            lines.wait_for(DISCONNECTING, PATIENCE)
        lines.close()
        assert eventually(runtime, lambda: not names())


@pytest.mark.parametrize("mode", MODES_HERE)
def test_child_of_a_fork_closes_what_it_has_inherited(mode: str) -> None:
    """A child can close its inherited objects, and the parent's session and its accept() go on."""
    command = [sys.executable, "-m", "tests.unit.protocol.forking", mode]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
