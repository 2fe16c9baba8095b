"""The writing half of a session, over a pair of sockets with small buffers."""

from __future__ import annotations

import _socket
import os
import socket
from array import array
from collections.abc import Callable, Iterator

import pytest

from syncio.errors import BrokenStream, ClosedStream, RequestTimeout, StreamError
from syncio.protocol.errors import OutgoingFull
from syncio.protocol.outgoing import Descriptors, Outgoing
from syncio.runtime import Runtime
from syncio.streams import BlockingStream
from tests.unit.runtime.kinds import MOMENT, eventually

from ..streams.conftest import Peer, raw_pair
from .conftest import SMALL
from .lines import Doing

LIMIT = 400_000
BLOCK = bytes(range(256)) * 400
"""100 kB: more than the kernel takes."""


class Wire:
    """The writing half, and a peer that reads when it is told to."""

    def __init__(self, runtime: Runtime, kind: str) -> None:
        here, there = raw_pair(kind)
        here.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, SMALL)
        there.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF, SMALL)
        self.runtime = runtime
        self.peer = Peer(runtime, there)
        self.stream = BlockingStream(runtime, here)
        self.failures: list[StreamError] = []
        self.outgoing = Outgoing(runtime, self.stream, LIMIT, self.failures.append, "test-writer")

    @property
    def has_writer(self) -> bool:
        """Whether there is a writer task."""
        return self.outgoing._wake is not None

    def fill(self) -> bytes:
        """Write until nothing more may wait; what was written."""
        written = b""
        while True:
            try:
                self.outgoing.write(BLOCK, 0)
            except RequestTimeout:
                return written
            written += BLOCK

    def end(self) -> None:
        """As a session ends."""
        self.outgoing.close()
        self.stream.abort()
        assert self.outgoing.join(5)
        self.stream.close()
        self.peer.close()
        if (writer := self.outgoing._writer) is not None:
            writer.join(5)


@pytest.fixture
def connect(runtime: Runtime) -> Iterator[Callable[[str], Wire]]:
    """Makes wires and ends them."""
    made: list[Wire] = []

    def make(kind: str) -> Wire:
        made.append(Wire(runtime, kind))
        return made[-1]

    yield make
    for wire in made:
        wire.end()


@pytest.fixture(params=["unix", "tcp"])
def wire(request: pytest.FixtureRequest, connect: Callable[[str], Wire]) -> Wire:
    """One over each kind of socket."""
    return connect(request.param)


@pytest.fixture
def local(connect: Callable[[str], Wire]) -> Wire:
    """One over which descriptors pass."""
    return connect("unix")


def test_small_messages_need_no_writer(wire: Wire) -> None:
    """What the kernel takes leaves at once, from the task that sends it."""
    for number in range(10):
        wire.outgoing.write(b"%03d" % number)
    assert not wire.has_writer
    assert wire.peer.read(30) == b"".join(b"%03d" % number for number in range(10))
    assert wire.outgoing.flush(0)


def test_order(wire: Wire) -> None:
    """What waits, and what comes behind it, arrives in the order of the calls."""
    sent = []
    for number in range(50):
        sent.append(b"%05d" % number * (1 + number % 7 * 300))
        wire.outgoing.write(sent[-1])
    assert wire.has_writer
    wanted = b"".join(sent)
    assert wire.peer.read(len(wanted)) == wanted


def test_messages_of_many_tasks_do_not_mix(wire: Wire, runtime: Runtime) -> None:
    """Each task's messages arrive whole and in the order in which it has sent them."""

    def send(letter: bytes) -> None:
        for number in range(40):
            wire.outgoing.write(letter * 5000 + b"%02d\n" % number, 5)

    senders = [Doing(runtime, send, letter) for letter in (b"a", b"b", b"c")]
    lines = wire.peer.read(3 * 40 * 5003).splitlines()
    for sender in senders:
        sender.result()
    for letter in (b"a", b"b", b"c"):
        assert [line for line in lines if line[:1] == letter] == [letter * 5000 + b"%02d" % n for n in range(40)]


def test_bound(wire: Wire) -> None:
    """No more than the limit waits; a single message may be longer when nothing else waits."""
    written = wire.fill()
    assert LIMIT - len(BLOCK) < len(wire.outgoing) <= LIMIT
    assert wire.peer.read(len(written)) == written
    assert wire.outgoing.flush(5)
    wire.outgoing.write(b"x" * (LIMIT * 2), 0)
    assert len(wire.outgoing) > LIMIT
    with pytest.raises(RequestTimeout):
        wire.outgoing.write(b"y", 0)
    assert wire.peer.read(LIMIT * 2) == b"x" * (LIMIT * 2)


def test_timeout_sends_nothing(wire: Wire, runtime: Runtime) -> None:
    """A message for which there was no room in its time is not sent, and the next ones are."""
    written = wire.fill()
    began = runtime.now()
    with pytest.raises(RequestTimeout, match=r"waiting for the peer to read did not end within 0\.05 s"):
        wire.outgoing.write(b"lost" * 100_000, 0.05)
    assert 0.05 <= runtime.now() - began < 2
    assert wire.peer.read(len(written)) == written
    assert wire.outgoing.flush(5)
    wire.outgoing.write(b"next")
    assert wire.peer.read(4) == b"next"


def test_reader_does_not_wait(wire: Wire) -> None:
    """Who must not wait gets an error that says how much waits; nothing is sent."""
    written = wire.fill()
    waiting = len(wire.outgoing)
    with pytest.raises(OutgoingFull) as caught:
        wire.outgoing.write(BLOCK, None, wait=False)
    assert (caught.value.waiting, caught.value.limit) == (waiting, LIMIT)
    assert wire.peer.read(len(written)) == written
    assert wire.outgoing.flush(5)
    assert wire.peer.recv() is None


def test_room_wakes_who_waits(wire: Wire, runtime: Runtime) -> None:
    """A task that waits for room goes on when the peer reads."""
    written = wire.fill()
    sending = Doing(runtime, wire.outgoing.write, BLOCK)
    assert not sending.ended.wait(MOMENT)
    assert wire.peer.read(len(written) + len(BLOCK)) == written + BLOCK
    sending.result()


def test_flush(wire: Wire, runtime: Runtime) -> None:
    """It waits until the kernel has all, and says whether it has."""
    assert wire.outgoing.flush()
    written = wire.fill()
    assert not wire.outgoing.flush(0.01)
    flushing = Doing(runtime, wire.outgoing.flush, 10)
    assert wire.peer.read(len(written)) == written
    assert flushing.result() is True


def test_end_wakes_everybody(wire: Wire, runtime: Runtime) -> None:
    """When the session ends, who waits for room gets an error, who flushes is told, and nothing leaves any more."""
    wire.fill()
    sending = Doing(runtime, wire.outgoing.write, BLOCK)
    flushing = Doing(runtime, wire.outgoing.flush)
    assert not sending.ended.wait(MOMENT)
    wire.outgoing.close()
    with pytest.raises(ClosedStream, match="the session has ended"):
        sending.result()
    assert flushing.result() is False
    with pytest.raises(ClosedStream):
        wire.outgoing.write(b"late")
    assert len(wire.outgoing) == 0
    assert wire.failures == []


def test_break_while_blocked(wire: Wire, runtime: Runtime) -> None:
    """When the peer goes while much waits, everybody is told, and the owner once, by its failure."""
    wire.fill()
    sending = [Doing(runtime, wire.outgoing.write, BLOCK) for _ in range(3)]
    assert not sending[0].ended.wait(MOMENT)
    wire.peer.close()
    for each in sending:
        with pytest.raises(BrokenStream):
            each.result()
    assert eventually(runtime, lambda: len(wire.failures) == 1)
    assert isinstance(wire.failures[0].__cause__, (BrokenPipeError, ConnectionResetError))
    assert not wire.outgoing.flush(0)


def test_break_at_once(local: Wire) -> None:
    """A peer that has gone is noticed by the one who sends, and told to the owner once."""
    local.peer.close()
    for _ in range(2):
        with pytest.raises(BrokenStream):
            local.outgoing.write(b"x")
    assert len(local.failures) == 1


def test_interrupted_write_ends_the_connection(local: Wire) -> None:
    """Ctrl-C inside a write leaves nobody waiting for its end: nothing follows a message that may be out in part."""

    class Interrupted(BlockingStream):
        """Ctrl-C comes when something is written."""

        __slots__ = ()

        def write(self, data: bytes | memoryview) -> int:
            raise KeyboardInterrupt

    here, there = raw_pair("unix")
    stream = Interrupted(local.runtime, here)
    outgoing = Outgoing(local.runtime, stream, LIMIT, local.failures.append, "test-writer")
    with pytest.raises(KeyboardInterrupt):
        outgoing.write(b"x")
    with pytest.raises(ClosedStream, match="interrupted"):
        outgoing.write(b"y")
    assert outgoing.join(0)
    assert len(local.failures) == 1
    stream.close()
    there.close()


def test_writer_lingers_and_ends(local: Wire, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer serves what comes while it lingers, ends when nothing has waited for a while, and starts anew."""
    monkeypatch.setattr("syncio.protocol.outgoing.LINGER", 0.1)
    written = local.fill()
    first = local.outgoing._writer
    assert local.peer.read(len(written)) == written
    assert local.outgoing.flush(5)
    local.outgoing.write(BLOCK)
    assert local.outgoing._writer is first
    assert local.peer.read(len(BLOCK)) == BLOCK
    assert eventually(runtime, lambda: not local.has_writer)
    local.outgoing.write(BLOCK)
    assert local.outgoing._writer is not first
    assert local.peer.read(len(BLOCK)) == BLOCK


def receive_from(local: Wire) -> tuple[bytes, list[int]]:
    """What has come, with descriptors."""
    with socket.socket(fileno=os.dup(local.peer.sock.fileno())) as sock:
        data, ancillary, _, _ = sock.recvmsg(100, 64)
    fds = array("i")
    for _, _, block in ancillary:
        fds.frombytes(block)
    return data, list(fds)


def pipe_over(local: Wire) -> tuple[int, int]:
    """Pass the writing end of a pipe, and close it here: the reading end, and how much waits."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    local.outgoing.write(b"!", None, True, Descriptors([write]))
    os.close(write)
    return read, len(local.outgoing)


def test_descriptors(local: Wire, runtime: Runtime) -> None:
    """A descriptor arrives beside its bytes; whoever sends may close his own at once."""
    read, waiting = pipe_over(local)
    assert waiting == 0
    data, fds = receive_from(local)
    assert data == b"!"
    os.write(fds[0], b"through")
    os.close(fds[0])
    assert os.read(read, 10) == b"through"
    assert eventually(runtime, lambda: ended(read)), "a duplicate is open here"
    os.close(read)


def test_descriptors_keep_their_place(local: Wire, runtime: Runtime) -> None:
    """Descriptors that wait behind other bytes arrive beside their own, though the sender has closed them."""
    before = local.fill()[: -len(BLOCK)]
    local.peer.read(len(before))
    read, waiting = pipe_over(local)
    assert waiting > 1
    local.outgoing.write(b"behind")
    rest = local.peer.read(len(BLOCK))
    assert rest == BLOCK
    assert eventually(runtime, lambda: local.peer.waiting >= 7)
    data, fds = receive_from(local)
    assert (data[:1], len(fds)) == (b"!", 1)
    os.write(fds[0], b"through")
    os.close(fds[0])
    assert os.read(read, 10) == b"through"
    os.close(read)


def test_descriptors_that_are_forgotten_are_closed(local: Wire, runtime: Runtime) -> None:
    """What waits when the session ends keeps no descriptor open."""
    local.fill()
    local.peer.read(SMALL)
    read, write = os.pipe()
    os.set_blocking(read, False)
    sending = Doing(runtime, local.outgoing.write, b"!", None, True, Descriptors([write]))
    os.close(write)
    sending.result()
    local.outgoing.close()
    assert eventually(runtime, lambda: ended(read))
    os.close(read)


def ended(fd: int) -> bool:
    """Whether nobody has the writing end of a pipe any more."""
    try:
        return os.read(fd, 1) == b""
    except BlockingIOError:
        return False


def test_descriptor_that_is_not_open(runtime: Runtime) -> None:
    """It is an error before anything is sent, and those before it are given back."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    with pytest.raises(OSError):
        Descriptors([write, 1_000_000])
    os.close(write)
    assert eventually(runtime, lambda: ended(read))
    os.close(read)
