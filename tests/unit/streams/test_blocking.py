"""What a `Duplex` promises, over every kind of socket, with TLS and without, on threads and greenlets alike."""

from __future__ import annotations

import _socket
import contextlib
import os
import socket
import ssl
import struct
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncio.errors import BrokenStream, ClosedStream, ConfigurationError, RequestTimeout
from syncio.runtime import Runtime
from syncio.streams import BlockingStream, adopt_socket, is_socket

from ..runtime.kinds import MOMENT, PATIENCE, eventually
from .conftest import PIECE, raw_pair
from .duplex import PLAIN, TLS, Doing, Ends, client_settings, read_exactly, write_all

MUCH = 5_000_000
"""Bytes that no kernel keeps for a reader who takes his time."""
SOME = 200_000
"""A send buffer, in bytes."""


@pytest.fixture(params=[*PLAIN, *TLS])
def kind(request: pytest.FixtureRequest) -> str:
    """What the connection is made of."""
    name: str = request.param
    return name


@pytest.fixture
def connect(runtime: Runtime, tmp_path: Path) -> Iterator[Callable[[str], Ends]]:
    """Makes connections that are closed when the test ends."""
    made: list[Ends] = []

    def make(kind: str) -> Ends:
        made.append(Ends(runtime, kind, tmp_path))
        return made[-1]

    yield make
    for ends in made:
        ends.close()


@pytest.fixture
def ends(connect: Callable[[str], Ends], kind: str) -> Ends:
    """A connection of each kind."""
    return connect(kind)


# ---------------------------------------------------------------------- reading and writing


def test_read_returns_what_was_written(ends: Ends) -> None:
    """Bytes arrive in both directions, in order."""
    for one, other in ((ends.here, ends.there), (ends.there, ends.here)):
        assert one.write(b"first ") == 6
        assert one.write(memoryview(b"second")) == 6
        assert read_exactly(other, 12) == b"first second"


def test_read_waits_for_bytes(ends: Ends) -> None:
    """Who reads before there is anything is woken by it."""
    reading = Doing(ends.runtime, ends.here.read, 100)
    assert reading.is_waiting()
    ends.there.write(b"at last")
    assert reading.outcome() == b"at last"


def test_one_read_is_bounded(ends: Ends) -> None:
    """A read gives no more than it was asked for; the rest waits for the next."""
    ends.there.write(b"0123456789")
    assert ends.here.read(4, PATIENCE) == b"0123"
    assert ends.here.read(100, PATIENCE) == b"456789"


def test_what_is_there_needs_no_patience(ends: Ends) -> None:
    """A read without any time takes what has come, and raises if nothing has."""
    with pytest.raises(RequestTimeout):
        ends.here.read(100, 0)
    ends.there.write(b"x")

    def look() -> bytes:
        with contextlib.suppress(RequestTimeout):
            return ends.here.read(100, 0)
        return b""

    assert eventually(ends.runtime, look)


def test_read_gives_up_in_time(ends: Ends) -> None:
    """A read that nothing comes for raises after its time, and says what it was given."""
    began = ends.runtime.now()
    with pytest.raises(RequestTimeout) as caught:
        ends.here.read(100, MOMENT)
    assert MOMENT * 0.9 <= ends.runtime.now() - began < PATIENCE
    assert caught.value.timeout == MOMENT and caught.value.operation == "reading"


def test_time_out_loses_nothing(ends: Ends) -> None:
    """Bytes that come after a read has given up are given to the next one."""
    for number in range(3):
        with pytest.raises(RequestTimeout):
            ends.here.read(100, 0.005)
        ends.there.write(b"%d" % number)
        assert ends.here.read(100, PATIENCE) == b"%d" % number


def test_infinite_patience_is_allowed(ends: Ends) -> None:
    """A time that no clock can count is as good as none."""
    ends.there.write(b"x")
    assert ends.here.read(100, float("inf")) == b"x"
    assert ends.here.wait_writable(float("inf"))


def test_writing_nothing_is_harmless(ends: Ends) -> None:
    """`write` of no bytes takes none, and leaves nothing unsent."""
    assert ends.here.write(b"") == 0
    assert ends.here.unsent == 0


def test_write_never_waits(ends: Ends) -> None:
    """What there is no room for is not taken; when the peer has read, writing goes on."""
    taken = ends.fill()
    assert taken > 0
    began = ends.runtime.now()
    assert not ends.here.wait_writable(MOMENT)
    assert MOMENT * 0.9 <= ends.runtime.now() - began < PATIENCE
    waiting = Doing(ends.runtime, ends.here.wait_writable, PATIENCE)
    reading = Doing(ends.runtime, read_exactly, ends.there, taken + 5)
    assert waiting.outcome()
    write_all(ends.here, b"after")
    assert reading.outcome() == b"x" * taken + b"after"


def test_much_arrives_whole_both_ways(ends: Ends) -> None:
    """Five megabytes in each direction at once, read in small pieces, are what was written."""
    for sock in ends.raw:
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, SOME)
    data = (PIECE * (MUCH // len(PIECE) + 1))[:MUCH]
    other = data[::-1]
    tasks = [
        Doing(ends.runtime, write_all, ends.here, data),
        Doing(ends.runtime, write_all, ends.there, other),
    ]
    readers = [
        Doing(ends.runtime, read_exactly, ends.there, MUCH, 10_007),
        Doing(ends.runtime, read_exactly, ends.here, MUCH, 65_536),
    ]
    assert readers[0].outcome() == data
    assert readers[1].outcome() == other
    for task in tasks:
        task.outcome()


# ---------------------------------------------------------------------- the end


def test_end_is_no_bytes(ends: Ends) -> None:
    """When the peer has finished, what it wrote still comes, and then nothing, again and again."""
    ends.there.write(b"last words")
    ends.there.finish()
    assert ends.here.read(100, PATIENCE) == b"last words"
    assert ends.here.read(100, PATIENCE) == b""
    assert ends.here.read(100, PATIENCE) == b""


def test_finish_ends_one_direction(ends: Ends) -> None:
    """Who has finished can still read, what had come before and what comes after."""
    ends.there.write(b"before ")
    ends.there.write(b"and ")
    assert ends.here.read(7, PATIENCE) == b"before "
    ends.here.finish()
    assert ends.there.read(100, PATIENCE) == b""
    ends.there.write(b"after")
    assert read_exactly(ends.here, 9) == b"and after"


def test_peer_that_leaves_is_the_end(ends: Ends) -> None:
    """A peer that closes without a word ends the reading like one that finished."""
    reading = Doing(ends.runtime, ends.here.read, 100)
    assert reading.is_waiting()
    ends.there.close()
    assert reading.outcome() == b""


def test_writing_to_nobody_breaks(ends: Ends) -> None:
    """Some time after the peer has left, writing raises with the system's error as the cause."""
    ends.there.close()
    with pytest.raises(BrokenStream) as caught:
        while ends.here.wait_writable(PATIENCE):
            ends.here.write(b"x" * 1000)
    assert isinstance(caught.value.__cause__, (BrokenPipeError, ConnectionResetError))


def test_reset_breaks_reader_and_writer(ends: Ends) -> None:
    """A connection that breaks wakes who reads, with the system's error as the cause, and nothing can be written."""
    reading = Doing(ends.runtime, ends.here.read, 100)
    assert reading.is_waiting()
    break_off(ends)
    with pytest.raises(BrokenStream, match="reset by peer") as caught:
        reading.outcome()
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    assert ends.here.wait_writable(PATIENCE)
    with pytest.raises(BrokenStream):
        ends.here.write(b"x")


def test_reset_wakes_who_waits_for_room(ends: Ends) -> None:
    """A connection that breaks wakes who waits for room, and his next write raises."""
    ends.fill()
    waiting = Doing(ends.runtime, ends.here.wait_writable)
    assert waiting.is_waiting()
    break_off(ends)
    assert waiting.outcome()
    with pytest.raises(BrokenStream):
        ends.here.write(b"x")


def break_off(ends: Ends) -> None:
    """Close the other end so that this one is told of an error: unread bytes do that, and TCP's way of lingering."""
    if ends.kind.endswith("tcp"):
        ends.raw[1].setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, struct.pack("ii", 1, 0))
    ends.here.write(b"unread")
    ends.there.close()


# ---------------------------------------------------------------------- abort and close


def test_abort_wakes_the_reader(ends: Ends) -> None:
    """Who reads is told at once that this side has ended it."""
    reading = Doing(ends.runtime, ends.here.read, 100)
    assert reading.is_waiting()
    ends.here.abort()
    with pytest.raises(ClosedStream):
        reading.outcome()


def test_abort_wakes_a_reader_with_a_time(ends: Ends) -> None:
    """It is not the time that ends a read then."""
    reading = Doing(ends.runtime, ends.here.read, 100, PATIENCE * 2)
    assert reading.is_waiting()
    ends.here.abort()
    with pytest.raises(ClosedStream):
        reading.outcome()


@pytest.mark.parametrize("patience", [None, PATIENCE * 2])
def test_abort_wakes_who_waits_for_room(ends: Ends, patience: float | None) -> None:
    """Who waits for room is woken at once, and his next write raises."""
    ends.fill()
    waiting = Doing(ends.runtime, ends.here.wait_writable, patience)
    assert waiting.is_waiting()
    ends.here.abort()
    assert waiting.outcome()
    with pytest.raises(ClosedStream):
        ends.here.write(b"x")


def test_aborted_stream_takes_and_gives_nothing(ends: Ends) -> None:
    """After an abort, reading and writing raise, also if something has come before; more aborts change nothing."""
    ends.there.write(b"too late")
    assert ends.here.read(3, PATIENCE) == b"too"
    for _ in range(3):
        ends.here.abort()
        with pytest.raises(ClosedStream):
            ends.here.read(100)
        with pytest.raises(ClosedStream):
            ends.here.write(b"x")
        assert ends.here.wait_writable()
        ends.here.finish()


def test_abort_ends_the_peers_reading(ends: Ends) -> None:
    """The peer sees the end at once, before the descriptor is given back."""
    reading = Doing(ends.runtime, ends.there.read, 100)
    assert reading.is_waiting()
    ends.here.abort()
    assert reading.outcome() == b""


def test_closed_stream_is_closed(ends: Ends) -> None:
    """After `close` nothing waits or passes, and closing again does nothing."""
    ends.here.close()
    ends.here.close()
    with pytest.raises(ClosedStream):
        ends.here.read(100)
    with pytest.raises(ClosedStream):
        ends.here.write(b"x")
    assert ends.here.wait_writable()
    ends.here.finish()


def test_closed_stream_touches_no_other_descriptor(ends: Ends) -> None:
    """What is done with a closed stream does not reach whoever has its descriptor's number now."""
    one, other = raw_pair("pair")
    number = ends.raw[0].fileno()
    ends.here.close()
    os.dup2(one.fileno(), number)
    with pytest.raises(ClosedStream):
        ends.here.read(100)
    assert ends.here.wait_writable(0)
    ends.here.abort()
    ends.here.finish()
    ends.here.close()
    os.write(number, b"mine")
    assert other.recv(100) == b"mine"
    os.close(number)
    one.close()
    other.close()


# ---------------------------------------------------------------------- descriptors


def test_descriptors_pass_over_local_sockets(ends: Ends) -> None:
    """A descriptor arrives beside its bytes over a UNIX socket; TLS refuses, and both say so beforehand."""
    if ends.kind not in ("pair", "unix"):
        assert not ends.here.is_local
        return
    assert ends.here.is_local
    read, write = os.pipe()
    assert ends.here.send_descriptors(b"two", [read, write]) == 3
    data, ancillary, _, _ = ends.raw[1].recvmsg(100, _socket.CMSG_SPACE(8))
    os.close(read)
    os.close(write)
    assert data == b"two"
    ((level, sort, passed),) = ancillary
    assert (level, sort) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS)
    fds = array("i", passed)
    os.write(fds[1], b"through the pipe")
    assert os.read(fds[0], 100) == b"through the pipe"
    for fd in fds:
        os.close(fd)


def test_tls_passes_no_descriptors(connect: Callable[[str], Ends]) -> None:
    """Descriptors would pass beside the encryption, so they do not pass at all."""
    with pytest.raises(NotImplementedError):
        connect("tls unix").here.send_descriptors(b"x", [0])


def test_descriptors_wait_for_room(connect: Callable[[str], Ends]) -> None:
    """If there is no room for a descriptor's byte nothing is sent."""
    ends = connect("unix")
    ends.fill()
    with pytest.raises(BlockingIOError):
        ends.here.send_descriptors(b"x", [0])


def test_descriptors_to_nobody_break(connect: Callable[[str], Ends]) -> None:
    """Passing a descriptor on a connection that has ended raises like writing."""
    ends = connect("unix")
    ends.there.close()
    with pytest.raises(BrokenStream):
        ends.here.send_descriptors(b"x", [0])
    ends.here.abort()
    with pytest.raises(ClosedStream):
        ends.here.send_descriptors(b"x", [0])


# ---------------------------------------------------------------------- adopting


def test_adopted_socket_is_taken_over(runtime: Runtime) -> None:
    """The connection of a socket object goes on as a stream, and the object is left without it."""
    one, other = socket.socketpair()
    one.settimeout(5)
    stream, peer = adopt_socket(runtime, one), adopt_socket(runtime, other)
    assert one.fileno() == other.fileno() == -1
    assert isinstance(stream, BlockingStream) and f"fd={stream.fileno()}" in repr(stream)
    peer.write(b"x")
    assert stream.read(100, PATIENCE) == b"x"
    stream.close()
    peer.close()


@pytest.mark.parametrize("value", [None, "socket", 3, object(), b""])
def test_only_sockets_are_adopted(runtime: Runtime, value: object) -> None:
    """What is no socket is refused in words."""
    assert not is_socket(value)
    with pytest.raises(ConfigurationError, match="stream socket"):
        adopt_socket(runtime, value)


def test_only_streams_are_adopted(runtime: Runtime) -> None:
    """A socket of datagrams, or one that has TLS already, is refused and stays its owner's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with pytest.raises(ConfigurationError):
            adopt_socket(runtime, sock)
        assert sock.fileno() >= 0
    one, other = socket.socketpair()
    with other, one, wrapped(one) as encrypted:
        assert is_socket(encrypted)
        with pytest.raises(ConfigurationError, match="ssl="):
            adopt_socket(runtime, encrypted)
        assert encrypted.fileno() >= 0


def wrapped(sock: socket.socket) -> ssl.SSLSocket:
    """A socket with TLS, before its handshake."""
    return client_settings().wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False)


def test_only_connected_sockets_are_adopted(runtime: Runtime) -> None:
    """A socket without a peer raises the system's error and stays its owner's."""
    with socket.socket() as sock:
        with pytest.raises(OSError, match="not connected"):
            adopt_socket(runtime, sock)
        assert sock.fileno() >= 0


def test_local_address(runtime: Runtime) -> None:
    """A stream says which address it has on this side, which is its peer's other one, until it is closed."""
    here, there = raw_pair("tcp")
    other = there.getpeername()
    stream = BlockingStream(runtime, here)
    there.close()
    assert stream.local_address == other and other[0] == "127.0.0.1"
    stream.abort()
    assert stream.local_address == other
    stream.close()
    with pytest.raises(OSError):
        _ = stream.local_address
