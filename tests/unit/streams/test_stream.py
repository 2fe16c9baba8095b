"""What a stream promises, over threads and over greenlets alike: reading, writing, waiting for room, and its end."""

from __future__ import annotations

import errno
import logging
import random

import pytest

from syncio.errors import BrokenStream, StreamError
from syncio.runtime import Runtime
from syncio.streams import Kept, Stream
from syncio.streams.raw import RawSocket, raw_socket
from syncio.streams.socket_ import CORK_LIMIT, READ_SIZE

from ..runtime.kinds import PATIENCE, Work, eventually
from .conftest import PIECE, Connect, Recorder, Wire, raw_pair

MEGABYTE = 1_000_000
KINDS = ("unix", "tcp")
BRIEF = 0.1
"""Seconds after which a stream that lingers, or who waits for room, gives up in these tests."""

# ---------------------------------------------------------------------- reading


@pytest.mark.parametrize("kind", KINDS)
def test_receiver_is_told_what_comes(connect: Connect, kind: str) -> None:
    """All bytes come, in order, also those that waited before the stream was started."""
    wire = connect(kind)
    wire.peer.send(b"early ")
    wire.start()
    assert wire.receiver.has(b"early ")
    wire.peer.send(b"and ")
    wire.peer.send(b"late")
    assert wire.receiver.has(b"early and late")
    assert wire.receiver.errors == []


def test_one_read_is_bounded(connect: Connect) -> None:
    """However much waits, the receiver is given it in pieces of a known size."""
    wire = connect(small=False)
    sent = wire.peer.send(PIECE * 3)
    wire.start()
    assert wire.receiver.has((PIECE * 3)[:sent])
    assert max(map(len, wire.receiver.pieces)) <= READ_SIZE


def test_nothing_is_read_during_a_pause(wire: Wire) -> None:
    """A paused stream leaves everything to the kernel; `resume` brings it, in order."""
    wire.stream.pause()
    assert wire.stream.is_paused
    wire.peer.send(b"one")
    wire.turn()
    wire.peer.send(b"two")
    wire.turn()
    assert wire.receiver.pieces == []
    wire.stream.resume()
    assert not wire.stream.is_paused
    assert wire.receiver.has(b"onetwo")


def test_pause_before_the_start_ends_with_it(connect: Connect) -> None:
    """Pausing and resuming may come before there is a receiver."""
    wire = connect()
    wire.stream.pause()
    wire.stream.resume()
    wire.peer.send(b"x")
    wire.start()
    assert wire.receiver.has(b"x")


def test_pauses_do_not_add_up(wire: Wire) -> None:
    """Several pauses are one, and so are several resumes."""
    for _ in range(3):
        wire.stream.pause()
    wire.stream.resume()
    wire.stream.resume()
    wire.peer.send(b"x")
    assert wire.receiver.has(b"x")


def test_pause_from_inside_takes_effect_at_once(connect: Connect) -> None:
    """A receiver that pauses its stream is given nothing more, although more waits."""
    wire = connect(small=False)
    sent = wire.peer.send(PIECE * 2)
    wire.start(lambda data: wire.stream.pause())
    assert eventually(wire.runtime, lambda: wire.receiver.pieces)
    wire.turn()
    assert len(wire.receiver.pieces) == 1
    while len(wire.receiver.data) < sent:
        count = len(wire.receiver.pieces)
        wire.stream.resume()
        assert eventually(wire.runtime, lambda: len(wire.receiver.pieces) > count)  # noqa: B023
        wire.turn()
        assert len(wire.receiver.pieces) == count + 1
    assert wire.receiver.data == (PIECE * 2)[:sent]


def test_pause_pushes_back_on_the_peer(wire: Wire) -> None:
    """While nothing is read the peer can send only what the kernel keeps; afterwards it can go on."""
    wire.stream.pause()
    sent = 0
    while more := wire.peer.send(PIECE):
        sent += more
    wire.turn()
    assert wire.peer.send(PIECE) == 0
    assert wire.receiver.pieces == []
    wire.stream.resume()
    assert eventually(wire.runtime, lambda: len(wire.receiver.data) == sent)
    assert wire.peer.send(PIECE) > 0


def test_writing_goes_on_during_a_pause(wire: Wire) -> None:
    """What waits leaves although nothing is read."""
    wire.stream.pause()
    written = wire.fill()
    assert wire.peer.read(len(written)) == written
    assert eventually(wire.runtime, lambda: wire.stream.buffered == 0)
    assert wire.stream.is_paused


def test_receiver_can_be_changed(wire: Wire) -> None:
    """After `hand_over` another one is told everything, and the first nothing."""
    second = Recorder(wire.runtime)
    wire.peer.send(b"one")
    assert wire.receiver.has(b"one")
    wire.stream.hand_over(second)
    wire.peer.send(b"two")
    assert second.has(b"two")
    wire.peer.close()
    assert second.has_ended()
    assert wire.receiver.data == b"one" and wire.receiver.errors == []


def test_receiver_that_raises_costs_nothing_but_a_line(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """An error of the receiver is logged; its stream, and every other one, goes on."""

    def act(data: bytes) -> None:
        if data == b"bad":
            raise RuntimeError("no thanks")

    one, other = connect().start(act), connect().start()
    with caplog.at_level(logging.ERROR, "syncio"):
        one.peer.send(b"bad")
        assert one.receiver.has(b"bad")
        one.peer.send(b"good")
        assert one.receiver.has(b"badgood")
    assert "no thanks" in caplog.text
    other.peer.send(b"x")
    assert other.receiver.has(b"x")
    one.stream.write(b"still here")
    assert one.peer.read(10) == b"still here"


def test_corked_bytes_survive_an_error(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """What a receiver has written before it raised leaves all the same."""
    wire = connect()

    def act(data: bytes) -> None:
        wire.stream.write(b"answer")
        raise RuntimeError("afterwards")

    wire.start(act)
    with caplog.at_level(logging.CRITICAL, "syncio"):
        wire.peer.send(b"x")
        assert wire.peer.read(6) == b"answer"


# ---------------------------------------------------------------------- writing


def test_write_leaves_at_once(connect: Connect) -> None:
    """What the kernel takes is with it when `write` returns, one send for each; also before the stream is started."""
    wire = connect("packets")
    wire.stream.write(b"one")
    wire.stream.write(b"two")
    assert wire.peer.recv() == b"one"
    assert wire.peer.recv() == b"two"
    assert wire.stream.buffered == 0
    wire.start()
    wire.stream.write(b"three")
    assert wire.peer.recv() == b"three"


def test_empty_write_is_no_end(wire: Wire) -> None:
    """No bytes are no bytes: neither an error nor the end of the stream."""
    wire.stream.write(b"")
    wire.stream.write(b"x")
    assert wire.peer.read(1) == b"x"
    assert wire.stream.buffered == 0


def test_write_never_waits(connect: Connect) -> None:
    """Megabytes for a peer that does not read are kept, and counted to the byte."""
    wire = connect().start()
    total = 0
    for _ in range(40):
        wire.stream.write(PIECE)
        total += len(PIECE)
    assert eventually(wire.runtime, lambda: wire.peer.waiting + wire.stream.buffered == total)
    assert wire.stream.buffered > total // 2


def test_account_is_exact_while_a_slow_peer_reads(wire: Wire) -> None:
    """At rest, what was written is what was read, what the kernel holds, and what `buffered` says: to the byte."""
    source = random.Random(7)
    written = b"".join(source.randbytes(source.choice((1, 7, 1000, 30_000))) for _ in range(40))
    at = 0
    while at < len(written):
        size = source.choice((1, 1000, 50_000))
        wire.stream.write(written[at : at + size])
        at += size
    read = b""
    while len(read) < len(written):
        rest = len(written) - len(read)
        assert eventually(wire.runtime, lambda: wire.stream.buffered + wire.peer.waiting == rest)  # noqa: B023
        read += wire.peer.next(source.choice((1, 100, 20_000)))
    assert read == written
    assert wire.stream.buffered == 0


@pytest.mark.parametrize("kind", KINDS)
def test_eight_megabytes_from_several_threads(connect: Connect, kind: str) -> None:
    """Four writers and a peer that reads in small steps: each writer's pieces come whole, in order, and all of them."""
    wire = connect(kind, small=False).start()
    writers, length, count = 4, 16384, 128

    def write(writer: int) -> None:
        for number in range(count):
            wire.stream.write(piece_of(writer, number, length))
            if number % 16 == 0:
                wire.runtime.sleep(0)

    tasks = [wire.runtime.spawn(write, writer) for writer in range(writers)]
    source = random.Random(3)
    read = bytearray()
    while len(read) < writers * length * count:
        read += wire.peer.next(source.choice((1000, 4096, 65536)))
    for task in tasks:
        task.join(PATIENCE)
    expected = [0] * writers
    for at in range(0, len(read), length):
        writer = read[at]
        assert read[at : at + length] == piece_of(writer, expected[writer], length)
        expected[writer] += 1
    assert expected == [count] * writers
    assert eventually(wire.runtime, lambda: wire.stream.buffered == 0)


def piece_of(writer: int, number: int, length: int) -> bytes:
    """A piece that says whose it is, which, and where its bytes stand."""
    return (bytes([writer, number]) + PIECE)[:length]


def test_writes_during_one_read_leave_together(connect: Connect) -> None:
    """All that is written while a read is handled is one send, in order."""
    wire = connect("packets")

    def act(data: bytes) -> None:
        for letter in (b"a", b"b", b"c"):
            wire.stream.write(letter)
        assert wire.peer.recv() is None
        assert wire.stream.buffered == 3

    wire.start(act)
    wire.peer.send(b"x")
    assert wire.peer.next() == b"abc"
    assert wire.receiver.pieces == [b"x"]


def test_held_bytes_leave_together(connect: Connect) -> None:
    """What is written after `hold` is one send at `flush`, and from then on writes leave at once."""
    wire = connect("packets")
    wire.stream.hold()
    wire.stream.write(b"a")
    wire.stream.write(b"b")
    assert wire.peer.recv() is None
    wire.stream.flush()
    assert wire.peer.next() == b"ab"
    wire.stream.write(b"c")
    assert wire.peer.next() == b"c"


def test_holding_nothing_holds_nothing_back(connect: Connect) -> None:
    """A stream that was held and flushed without a word between is as it was."""
    wire = connect("packets")
    wire.stream.hold()
    wire.stream.flush()
    wire.stream.write(b"a")
    assert wire.peer.next() == b"a"


def test_held_bytes_leave_before_a_close_that_lingers(connect: Connect) -> None:
    """A close between `hold` and `flush` waits for the bytes."""
    wire = connect("packets").start()
    wire.stream.hold()
    wire.stream.write(b"a")
    wire.stream.close(PATIENCE)
    wire.stream.flush()
    assert wire.peer.next() == b"a"
    assert wire.peer.next() == b""


def test_corks_have_a_limit(connect: Connect) -> None:
    """So much at once does not wait for the end of a read's handling."""
    wire = connect("packets", small=False)
    half = b"x" * (CORK_LIMIT // 2)
    found: list[int | None] = []

    def look() -> None:
        piece = wire.peer.recv(2 * CORK_LIMIT)
        found.append(None if piece is None else len(piece))

    def act(data: bytes) -> None:
        wire.stream.write(half)
        look()
        wire.stream.write(half)
        look()
        wire.stream.write(b"rest")

    wire.start(act)
    wire.peer.send(b"x")
    assert wire.peer.next() == b"rest"
    assert found == [None, CORK_LIMIT]


def test_other_streams_are_corked_too(connect: Connect) -> None:
    """What one stream's receiver writes to others waits in the same way, and leaves."""
    ins, outs = connect().start(), [connect("packets").start() for _ in range(3)]

    def act(data: bytes) -> None:
        for out in outs:
            out.stream.write(b"1")
            out.stream.write(b"2")

    ins.stream.hand_over(Recorder(ins.runtime, act))
    ins.peer.send(b"x")
    assert [out.peer.next() for out in outs] == [b"12"] * 3


def test_write_from_elsewhere_joins_corked_bytes(connect: Connect) -> None:
    """Another writer's bytes go behind those that wait for the end of a read's handling."""
    wire = connect("packets")

    def write() -> None:
        wire.stream.write(b"second")
        written.set()

    def act(data: bytes) -> None:
        wire.stream.write(b"first")
        wire.runtime.spawn(write)
        if wire.runtime.name == "threading":
            assert written.wait(PATIENCE)

    written = wire.runtime.event()
    wire.start(act)
    wire.peer.send(b"x")
    read = wire.peer.next()
    assert written.wait(PATIENCE)
    if wire.runtime.name == "threading":
        assert read == b"firstsecond"
    else:
        assert (read, wire.peer.next()) == (b"first", b"second")


def test_blocked_handler_does_not_hold_its_answers(connect: Connect) -> None:
    """What a handler has written leaves when it blocks, not when it ends."""
    wire = connect()
    work = Work(wire.runtime, lambda: wire.stream.write(b"at once"))
    wire.start(lambda data: wire.runtime.relay().call_inline(work))
    wire.peer.send(b"x")
    assert wire.peer.read(7) == b"at once"
    assert work.begun.is_set() and not work.ended.is_set()
    work.release.set()
    assert work.ended.wait(PATIENCE)


def test_write_with_a_limit(wire: Wire) -> None:
    """Up to the limit bytes may wait, these included; what would go beyond it is refused whole, and nothing is done."""
    written = wire.fill()
    waiting = wire.stream.buffered
    assert wire.stream.write(b"abc", waiting + 3)
    assert wire.stream.buffered == waiting + 3
    assert not wire.stream.write(b"d", waiting + 3)
    assert not wire.stream.write(b"d", 0)
    assert wire.stream.buffered == waiting + 3
    assert wire.stream.write(b"efg")
    expected = written + b"abcefg"
    assert wire.peer.read(len(expected)) == expected


def test_limit_counts_what_waits_for_the_kernel_only(wire: Wire) -> None:
    """What the peer has not read is not ours any more; and a limit binds also a stream on which nothing waits."""
    assert wire.stream.write(b"abc", 3)
    assert wire.stream.write(b"def", 3)
    assert not wire.stream.write(b"ghij", 3)
    assert wire.peer.read(6) == b"abcdef"
    assert wire.peer.recv() is None


def test_limit_counts_corked_bytes(connect: Connect) -> None:
    """What waits for the end of a read's handling waits."""
    wire = connect("packets")
    found: list[bool] = []

    def act(data: bytes) -> None:
        found.extend(wire.stream.write(letter, 3) for letter in (b"ab", b"cd", b"e", b"f"))

    wire.start(act)
    wire.peer.send(b"x")
    assert wire.peer.next() == b"abe"
    assert found == [True, False, True, False]


def test_drop_oldest_forgets_whole_pieces(wire: Wire) -> None:
    """What has begun to leave, and what must be kept, stays; the peer sees a gap of whole pieces and nothing else."""
    written = wire.fill()
    first, later = written[: -len(PIECE)], [bytes([letter]) * 1000 for letter in b"abcd"]
    wire.stream.drop_oldest(len(PIECE))  # the piece that waits behind the begun one
    before = wire.stream.buffered
    for piece in later[:2]:
        wire.stream.write(piece)
    wire.stream.write(Kept(b"kept"))
    for piece in later[2:]:
        wire.stream.write(piece)
    assert wire.stream.buffered == before + 4004
    assert wire.stream.drop_oldest(2001) == 3000
    assert wire.stream.buffered == before + 1004
    expected = first + b"kept" + later[3]
    assert wire.peer.read(len(expected)) == expected
    assert eventually(wire.runtime, lambda: wire.stream.buffered == 0)
    wire.turn()
    assert wire.peer.recv() is None


def test_nothing_to_drop(wire: Wire) -> None:
    """A stream for which nothing waits forgets nothing, before its first write and after."""
    assert wire.stream.drop_oldest(1000) == 0
    wire.stream.write(b"x")
    assert wire.stream.drop_oldest(1000) == 0
    assert wire.peer.read(1) == b"x"


# ---------------------------------------------------------------------- waiting for room


class Waiter:
    """Somebody who waits for room in a task of his own."""

    def __init__(self, wire: Wire, limit: int, timeout: float | None = None) -> None:
        self.answers: list[bool] = []
        self.buffered = -1
        """What waited when he was let go."""
        self._wire = wire
        self._returned = wire.runtime.event()
        wire.runtime.spawn(self._run, limit, timeout)

    def _run(self, limit: int, timeout: float | None) -> None:
        answer = self._wire.stream.wait_for_room(limit, self._wire.runtime.event(), timeout)
        self.buffered = self._wire.stream.buffered
        self.answers.append(answer)
        self._returned.set()

    def waits(self) -> bool:
        """Whether he is in there."""
        room = self._wire.stream
        return eventually(self._wire.runtime, lambda: room._room) and not self._returned.is_set()

    def answer(self) -> bool:
        """Wait for it."""
        assert self._returned.wait(PATIENCE), "still waits"
        return self.answers[0]


def test_room_is_there(wire: Wire) -> None:
    """Fewer than the limit is room, at once; as many as the limit is none."""
    event = wire.runtime.event()
    assert wire.stream.wait_for_room(1, event, 0.0)
    assert not wire.stream.wait_for_room(0, event, 0.0)
    wire.fill()
    buffered = wire.stream.buffered
    assert wire.stream.wait_for_room(buffered + 1, event, 0.0)
    assert not wire.stream.wait_for_room(buffered, event, 0.0)


def test_room_comes_when_the_peer_reads(wire: Wire) -> None:
    """Whoever waits is let go when fewer bytes wait than he asked for, and not before."""
    written = wire.fill()
    waiters = [Waiter(wire, limit) for limit in (1, len(PIECE))]
    assert all(waiter.waits() for waiter in waiters)
    assert wire.peer.read(len(written)) == written
    assert [waiter.answer() for waiter in waiters] == [True, True]
    assert waiters[0].buffered == 0
    assert waiters[1].buffered < len(PIECE)


def test_no_room_in_time(wire: Wire) -> None:
    """A peer that reads nothing makes no room, and the time-out ends the waiting."""
    wire.fill()
    began = wire.runtime.now()
    assert not wire.stream.wait_for_room(1, wire.runtime.event(), BRIEF)
    assert wire.runtime.now() - began >= BRIEF * 0.9


def test_time_for_room_is_the_time_of_the_whole(wire: Wire) -> None:
    """The time-out is over when it is over, also if the peer reads a little now and then."""
    wire.stream.write(PIECE * 40)
    waiter, pace = Waiter(wire, 1, 3 * BRIEF), wire.runtime.event()
    assert waiter.waits()
    for _ in range(10):
        wire.peer.read(len(PIECE))
        pace.wait(BRIEF)
    assert waiter.answers == [False]


def test_dropping_makes_room(wire: Wire) -> None:
    """Room is room: whoever waits for it is let go when what waited was forgotten."""
    wire.fill()
    waiter = Waiter(wire, wire.stream.buffered, 3 * BRIEF)
    assert waiter.waits()
    assert wire.stream.drop_oldest(1) == len(PIECE)
    assert waiter.answer() is True


def test_waiting_for_the_end_outlasts_the_lingering(wire: Wire) -> None:
    """No limit can be met by less than nothing: so is the end waited for, which a lingering stream has before it."""
    wire.stream.write(PIECE * 40)
    waiter = Waiter(wire, -1)
    assert waiter.waits()
    wire.stream.close(PATIENCE)
    wire.peer.read(len(PIECE) * 20)
    wire.turn()
    early = list(waiter.answers)
    wire.peer.read_to_end()
    wire.peer.close()
    assert waiter.answer() is False
    assert early == [] and waiter.buffered == 0


@pytest.mark.parametrize("end", ["close", "fin"])
def test_end_lets_go_who_waits_for_room(wire: Wire, end: str) -> None:
    """There will never be room again, and nobody is kept waiting for it."""
    wire.fill()
    waiter = Waiter(wire, 1)
    assert waiter.waits()
    if end == "close":
        wire.stream.close()
    else:
        wire.peer.close()
    assert waiter.answer() is False
    assert wire.stream.wait_for_room(1, wire.runtime.event(), None) is False


# ---------------------------------------------------------------------- the peer ends it


@pytest.mark.parametrize("kind", KINDS)
def test_peer_closes(connect: Connect, kind: str) -> None:
    """Its last bytes come before its end, the end comes once, and the descriptor is given back before that is told."""
    wire = connect(kind)
    closed: list[int] = []

    class Late(Recorder):
        def stream_ended(self, error: StreamError) -> None:
            closed.append(wire.sock.fileno())
            super().stream_ended(error)

    receiver = Late(wire.runtime)
    wire.stream.start(receiver)
    wire.peer.send(b"last words")
    wire.peer.close()
    assert receiver.has_ended()
    assert receiver.data == b"last words"
    assert str(receiver.errors[0]) == "the peer closed the connection"
    assert closed == [-1]
    assert wire.stream.is_closed
    wire.stream.close()
    wire.turn()
    assert len(receiver.errors) == 1
    assert wire.is_gone()


def test_peer_that_only_reads_on_has_ended_too(connect: Connect) -> None:
    """Half a close is a close: who sends no more cannot answer a ping."""
    wire = connect("tcp").start()
    wire.peer.finish()
    assert wire.receiver.has_ended()
    assert wire.is_gone()
    assert wire.peer.read_to_end() == b""


def test_peer_resets(connect: Connect) -> None:
    """A reset is a broken stream; the system's error is its cause."""
    wire = connect("tcp").start()
    wire.peer.reset()
    assert wire.receiver.has_ended()
    (error,) = wire.receiver.errors
    assert isinstance(error, BrokenStream)
    assert isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ECONNRESET
    assert "reset" in str(error)
    assert wire.is_gone()


@pytest.mark.parametrize("kind", KINDS)
def test_write_to_who_is_gone(connect: Connect, kind: str) -> None:
    """Writing to a peer that left never raises: its receiver hears of it, once, on the relay."""
    wire = connect(kind).start()
    wire.fill()
    wire.peer.close()
    for _ in range(100):
        wire.stream.write(PIECE)
    assert wire.receiver.has_ended()
    wire.turn()
    assert len(wire.receiver.errors) == 1
    assert wire.is_gone()
    assert wire.stream.buffered == 0


def test_failed_write_before_the_start(connect: Connect) -> None:
    """A stream that broke before it was read cannot be started, and says so; its descriptor is given back."""
    wire = connect()
    wire.peer.close()
    wire.stream.write(b"x")
    assert wire.is_gone()
    assert wire.stream.is_closed
    with pytest.raises(BrokenStream):
        wire.start()
    assert wire.receiver.errors == []


def test_unwatchable_socket_cannot_be_started(runtime: Runtime) -> None:
    """A descriptor that was closed behind the stream's back is an error of ours, not of the system's."""
    here, there = raw_pair("unix")
    stream = Stream(runtime, here)
    there.close()
    here.close()
    with pytest.raises(BrokenStream) as caught:
        stream.start(Recorder(runtime))
    assert isinstance(caught.value.__cause__, OSError)
    stream.close()


def test_peers_end_waits_for_the_end_of_a_pause(connect: Connect) -> None:
    """An orderly end stands behind the bytes that a paused stream has not read, and is told after them."""
    wire = connect("tcp").start()
    wire.stream.pause()
    wire.peer.send(b"unread")
    wire.peer.close()
    wire.turn()
    assert wire.receiver.pieces == [] and wire.receiver.errors == []
    wire.stream.resume()
    assert wire.receiver.has_ended()
    assert wire.receiver.data == b"unread"


def test_reset_ends_a_pause(connect: Connect) -> None:
    """There is nothing left to wait for."""
    wire = connect("tcp").start()
    wire.stream.pause()
    wire.peer.reset()
    assert wire.receiver.has_ended()
    assert isinstance(wire.receiver.errors[0], BrokenStream)
    assert wire.is_gone()


def test_receiver_that_raises_at_the_end(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """The descriptor is given back all the same, and the relay serves the others."""

    class Sulking(Recorder):
        def stream_ended(self, error: StreamError) -> None:
            super().stream_ended(error)
            raise RuntimeError("not like this")

    wire, other = connect(), connect().start()
    receiver = Sulking(wire.runtime)
    wire.stream.start(receiver)
    with caplog.at_level(logging.ERROR, "syncio"):
        wire.peer.close()
        assert receiver.has_ended()
        assert wire.is_gone()
        other.peer.send(b"x")
        assert other.receiver.has(b"x")
    assert "not like this" in caplog.text
    assert len(receiver.errors) == 1


# ---------------------------------------------------------------------- we end it


def test_close_is_silent_and_final(wire: Wire) -> None:
    """The peer sees the end, the descriptor is given back, and the receiver is told nothing any more."""
    wire.stream.close()
    assert wire.stream.is_closed
    assert wire.peer.read_to_end() == b""
    assert wire.is_gone()
    wire.stream.write(b"too late")
    assert wire.stream.buffered == 0
    wire.turn()
    assert wire.receiver.pieces == [] and wire.receiver.errors == []
    assert "closed" in repr(wire.stream)


def test_close_forgets_what_waits(wire: Wire) -> None:
    """Without time to linger the peer gets what the kernel had, and then the end."""
    written = wire.fill()
    waiting = wire.stream.buffered
    wire.stream.close()
    assert wire.is_gone()
    assert wire.peer.read_to_end() == written[:-waiting]
    assert wire.stream.buffered == 0


def test_close_before_the_start(connect: Connect) -> None:
    """A stream that was never read gives its descriptor back too, and cannot be started any more."""
    wire = connect()
    wire.stream.write(b"bye")
    wire.stream.close()
    with pytest.raises(BrokenStream):
        wire.start()
    assert wire.is_gone()
    assert wire.peer.read_to_end() == b"bye"


def test_linger_before_the_start(connect: Connect) -> None:
    """A stream that is closed before it is read lingers too: everything leaves, and its receiver is told nothing."""
    wire = connect()
    written = wire.fill()
    wire.stream.close(PATIENCE)
    wire.start()
    wire.peer.send(b"x")
    assert wire.peer.read_to_end() == written
    wire.peer.close()
    assert wire.is_gone()
    assert wire.receiver.pieces == [] and wire.receiver.errors == []


def test_linger_begins_with_the_close(wire: Wire) -> None:
    """However long the relay has had nothing to do before."""
    written = wire.fill()
    wire.turn()
    wire.runtime.relay().now -= 1000
    wire.stream.close(PATIENCE)
    assert wire.peer.read_to_end() == written


def test_close_from_everywhere_is_one_close(connect: Connect) -> None:
    """Any number of closes, of ours and of the peer, give the descriptor back once: it may be another's by then."""
    for _ in range(20):
        wire = connect().start()
        tasks = [wire.runtime.spawn(wire.stream.close, linger) for linger in (0.0, 5.0, 0.0)]
        wire.peer.close()
        wire.stream.close()
        for task in tasks:
            task.join(PATIENCE)
        assert wire.is_gone()
        assert len(wire.receiver.errors) <= 1


def test_close_from_inside(connect: Connect) -> None:
    """A receiver may answer and close: the answer leaves, and the receiver hears no more."""
    wire = connect()

    def act(data: bytes) -> None:
        wire.stream.write(b"bye")
        wire.stream.close()

    wire.start(act)
    wire.peer.send(b"x")
    assert wire.peer.read_to_end() == b"bye"
    assert wire.is_gone()
    assert wire.receiver.data == b"x" and wire.receiver.errors == []


def test_writers_outlive_a_close(connect: Connect) -> None:
    """Closing under several writers neither raises nor closes the descriptor under a send."""
    for _ in range(10):
        wire = connect(small=False).start()
        failures: list[BaseException] = []

        def write(wire: Wire = wire, failures: list[BaseException] = failures) -> None:
            try:
                while not wire.stream.is_closed:
                    wire.stream.write(PIECE)
                    wire.runtime.sleep(0)
                    if wire.stream.buffered > MEGABYTE:
                        wire.stream.close()
            except BaseException as exc:
                failures.append(exc)

        tasks = [wire.runtime.spawn(write) for _ in range(3)]
        for task in tasks:
            task.join(PATIENCE)
        assert failures == []
        assert wire.is_gone()


@pytest.mark.parametrize("kind", KINDS)
def test_linger_delivers_what_waits(connect: Connect, kind: str) -> None:
    """Every byte that was written before the close comes, then the end; then the descriptor is given back."""
    wire = connect(kind).start()
    written = wire.fill() + PIECE * 10
    wire.stream.write(PIECE * 10)
    wire.stream.close(PATIENCE)
    wire.stream.write(b"too late")
    assert wire.stream.is_closed
    assert wire.peer.read_to_end() == written
    assert wire.sock.fileno() >= 0
    wire.peer.close()
    assert wire.is_gone()
    assert wire.receiver.errors == []


def test_linger_with_nothing_to_say(wire: Wire) -> None:
    """The peer sees the end at once, and has time to close its own side."""
    wire.stream.close(PATIENCE)
    assert wire.peer.read_to_end() == b""
    wire.turn()
    assert wire.sock.fileno() >= 0
    wire.peer.close()
    assert wire.is_gone()


def test_linger_runs_out_for_a_peer_that_does_not_read(wire: Wire) -> None:
    """After that time without progress what waits is forgotten, and not before."""
    written = wire.fill()
    waiting = wire.stream.buffered
    began = wire.runtime.now()
    wire.stream.close(BRIEF)
    assert wire.stream.is_closed
    assert wire.is_gone()
    assert wire.runtime.now() - began >= BRIEF * 0.9
    assert wire.peer.read_to_end() == written[:-waiting]


def test_linger_runs_out_for_a_peer_that_does_not_close(wire: Wire) -> None:
    """A peer that has everything and stays is left."""
    wire.stream.write(b"bye")
    began = wire.runtime.now()
    wire.stream.close(BRIEF)
    assert wire.peer.read_to_end() == b"bye"
    assert wire.is_gone()
    assert wire.runtime.now() - began >= BRIEF * 0.9


def test_linger_lasts_as_long_as_bytes_leave(wire: Wire) -> None:
    """A slow peer gets everything although it takes longer than the time to linger: only standing still counts."""
    wire.stream.write(PIECE * 16)
    linger = 0.4
    wire.stream.close(linger)
    began, read = wire.runtime.now(), b""
    pace = wire.runtime.event()
    while piece := wire.peer.next(len(PIECE)):
        read += piece
        pace.wait(linger / 8)
    assert read == PIECE * 16
    assert wire.runtime.now() - began > linger * 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_linger_goes_on_for_a_peer_that_only_reads(connect: Connect, kind: str) -> None:
    """Our last words wait for a peer that has closed its own direction and reads on."""
    wire = connect(kind).start()
    written = wire.fill()
    wire.stream.close(PATIENCE)
    wire.peer.finish()
    wire.turn()
    assert wire.peer.read_to_end() == written


def test_nobody_takes_over_a_closed_stream(wire: Wire) -> None:
    """After a close nobody is told anything, also who is given the stream then."""
    second = Recorder(wire.runtime)
    wire.stream.close(PATIENCE)
    wire.stream.hand_over(second)
    wire.peer.send(b"x")
    wire.peer.close()
    assert wire.is_gone()
    assert second.pieces == [] and second.errors == []


def test_lingering_stream_reads_and_forgets(connect: Connect) -> None:
    """What still comes is taken, so that no reset destroys our last words, and nobody is told."""
    wire = connect("tcp").start()
    wire.stream.pause()
    wire.peer.send(b"unread")
    wire.stream.write(b"last words")
    wire.stream.close(PATIENCE)
    for _ in range(50):
        wire.peer.send(PIECE)
    assert wire.peer.read_to_end() == b"last words"
    wire.peer.close()
    assert wire.is_gone()
    assert wire.receiver.pieces == [] and wire.receiver.errors == []


def test_reset_ends_the_lingering(connect: Connect) -> None:
    """Nobody is there to linger for, and nobody is told."""
    wire = connect("tcp").start()
    wire.fill()
    wire.stream.close(PATIENCE)
    wire.peer.reset()
    assert wire.is_gone()
    assert wire.stream.buffered == 0
    assert wire.receiver.errors == []


def test_corked_bytes_leave_before_a_close_that_lingers(connect: Connect) -> None:
    """An answer and the close behind it, both from inside a read's handling."""
    wire = connect("packets")

    def act(data: bytes) -> None:
        wire.stream.write(b"one")
        wire.stream.write(b"two")
        wire.stream.close(PATIENCE)

    wire.start(act)
    wire.peer.send(b"x")
    assert wire.peer.next() == b"onetwo"
    assert wire.peer.next() == b""
    assert wire.sock.fileno() >= 0


def test_raw_socket_owns_its_descriptor(runtime: Runtime) -> None:
    """A socket over a number: non-blocking, of the interpreter's own type, and closed with its owner."""
    here, there = raw_pair("unix")
    sock = raw_socket(here.detach())
    assert type(sock) is RawSocket
    with pytest.raises(BlockingIOError):
        sock.recv(1)
    sock.close()
    assert there.recv(1) == b""
    there.close()


def test_streams_come_and_go(connect: Connect, runtime: Runtime) -> None:
    """A hundred connections that end in every way leave nothing watched, and no timer."""
    watched = runtime.relay().stats()["watched"]
    wires = [connect(KINDS[number % 2]).start() for number in range(100)]
    assert runtime.relay().stats()["watched"] == watched + 100
    for number, wire in enumerate(wires):
        if number % 5 == 0:
            wire.peer.close()
        elif number % 5 == 1:
            wire.peer.reset()
        elif number % 5 == 2:
            wire.stream.close()
        elif number % 5 == 3:
            wire.fill()
            wire.stream.close(BRIEF)
        else:
            wire.stream.close(BRIEF)
    assert all(wire.is_gone() for wire in wires)
    assert runtime.relay().stats()["watched"] == watched
    assert runtime.relay().stats()["timers"] == 0
