"""The connection machine: every input whole, byte by byte and in random pieces."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest

from syncio.errors import ConfigurationError, IllegalTransition, LocalError
from syncio.websocket import (
    STATES,
    CloseReceived,
    Connection,
    DeflateParameters,
    Event,
    Opcode,
    PingReceived,
    PongReceived,
    ProtocolFailed,
    Role,
    State,
    encode_frame,
    encode_text,
)

from .feeding import CUTS, Cut, feed, masked, random_pieces

every_cut = pytest.mark.parametrize("cut", CUTS)

MESSAGES: list[str | bytes] = [
    "", b"", "Hello", b"Hello", "gr\xfc\xdfe \u20ac \U0001f600", bytes(range(256)), "x" * 125, "x" * 126, b"y" * 65_535,
    "z" * 65_536, "end",
]  # fmt: skip


def server(**options: object) -> Connection:
    """A server's end of a connection."""
    return Connection(Role.SERVER, **options)  # type: ignore[arg-type]


def failure(events: list[Event]) -> ProtocolFailed:
    """The one event that must have come out."""
    assert len(events) == 1
    assert isinstance(events[0], ProtocolFailed)
    return events[0]


def encoded(sender: Connection, message: str | bytes) -> bytes:
    """A message as its sender writes it."""
    return sender.text(message) if isinstance(message, str) else sender.binary(message)


@every_cut
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("deflate", [None, DeflateParameters(), DeflateParameters(False, False, 10, 11)])
def test_messages_arrive_as_they_were_sent(role: Role, deflate: DeflateParameters | None, cut: Cut) -> None:
    """Text and binary of every length class, from either end, with and without compression."""
    receiver = Connection(role, deflate=deflate)
    sender = Connection(Role.SERVER if role is Role.CLIENT else Role.CLIENT, deflate=deflate)
    data = b"".join(encoded(sender, message) for message in MESSAGES)
    assert feed(receiver, data, cut) == MESSAGES
    assert receiver.is_open
    assert not receiver.has_data
    assert receiver.data_to_send() == b""


def random_message(source: random.Random, events: list[Event], pongs: bytearray) -> bytes:
    """The frames of one message in random fragments with control frames between; notes what must come out."""
    text = "".join(source.choices("a\xe4\u20ac\U0001f600", k=source.choice((0, 1, 5, 40, 300))))
    payload, is_text = text.encode(), source.random() < 0.5
    opcode, start, frames = Opcode.TEXT if is_text else Opcode.BINARY, 0, bytearray()
    while source.random() < 0.7:
        stop = source.randint(start, len(payload))
        frames += masked(opcode, payload[start:stop], fin=False)
        opcode, start = Opcode.CONTINUATION, stop
        control = source.randbytes(source.choice((0, 3, 125)))
        frames += masked(Opcode.PING, control) + masked(Opcode.PONG, control)
        events += [PingReceived(control), PongReceived(control)]
        pongs += encode_frame(Opcode.PONG, control)
    events.append(text if is_text else payload)
    return bytes(frames + masked(opcode, payload[start:]))


@every_cut
@pytest.mark.parametrize("seed", range(5))
def test_random_fragments_with_control_frames_between(seed: int, cut: Cut) -> None:
    """Fragments cut anywhere, also within characters, pings and pongs in between: all come out, pings are answered."""
    source = random.Random(seed)
    expected: list[Event] = []
    pongs = bytearray()
    data = b"".join(random_message(source, expected, pongs) for _ in range(30))
    connection = server()
    assert feed(connection, data, cut) == expected
    assert connection.has_data
    assert connection.data_to_send() == pongs
    assert not connection.has_data


@every_cut
@pytest.mark.parametrize(
    ("frames", "code", "words"),
    [
        (masked(3, b""), 1002, "opcode 3"),
        (masked(7, b"x"), 1002, "opcode 7"),
        (masked(11, b""), 1002, "opcode 11"),
        (masked(15, b"x"), 1002, "opcode 15"),
        (masked(Opcode.TEXT, b"x", rsv1=True), 1002, "reserved bit"),
        (masked(Opcode.TEXT | 0x20, b"x"), 1002, "reserved bit"),
        (masked(Opcode.PING | 0x10, b"x"), 1002, "reserved bit"),
        (encode_frame(Opcode.TEXT, b"x"), 1002, "not masked"),
        (encode_frame(Opcode.PING, b""), 1002, "not masked"),
        (masked(Opcode.PING, b"x", fin=False), 1002, "fragmented"),
        (masked(Opcode.CLOSE, b"", fin=False), 1002, "fragmented"),
        (masked(Opcode.PING, bytes(126)), 1002, "125 bytes"),
        (masked(Opcode.CONTINUATION, b"x"), 1002, "continuation"),
        (masked(Opcode.CONTINUATION, b"x", fin=False), 1002, "continuation"),
        (masked(Opcode.TEXT, b"x", fin=False) + masked(Opcode.TEXT, b"y"), 1002, "new message"),
        (masked(Opcode.TEXT, b"x", fin=False) + masked(Opcode.BINARY, b""), 1002, "new message"),
        (b"\x82\xff\x80" + bytes(11), 1002, "highest bit"),
        (masked(Opcode.CLOSE, b"x"), 1002, "valid code"),
        (masked(Opcode.CLOSE, b"\x03\xed"), 1002, "valid code"),
        (masked(Opcode.CLOSE, b"\x03\xe8\xff"), 1007, "close reason"),
        (masked(Opcode.TEXT, b"\xff"), 1007, "UTF-8"),
        (masked(Opcode.TEXT, b"\xe2\x82"), 1007, "UTF-8"),
        (masked(Opcode.TEXT, b"\xff" * 200), 1007, "UTF-8"),
        (masked(Opcode.TEXT, b"\xe2", fin=False) + masked(Opcode.CONTINUATION, b"x"), 1007, "UTF-8"),
        (masked(Opcode.TEXT, b"\xe2", fin=False) + masked(Opcode.CONTINUATION, b""), 1007, "UTF-8"),
    ],
)
def test_a_peer_that_breaks_the_protocol_is_failed_once(frames: bytes, code: int, words: str, cut: Cut) -> None:
    """One ProtocolFailed, one close frame with its code, and nothing after that, whatever else was sent."""
    connection = server()
    good = masked(Opcode.TEXT, b"before")
    events = feed(connection, good + frames + masked(Opcode.TEXT, b"after") + masked(Opcode.PING, b""), cut)
    assert events[0] == "before"
    failed = failure(events[1:])
    assert failed.code == code
    assert words in failed.reason
    assert connection.is_closed
    assert connection.data_to_send() == encode_frame(Opcode.CLOSE, code.to_bytes(2, "big") + failed.reason.encode())
    assert connection.receive_data(good) == connection.receive_eof() == []
    with pytest.raises(LocalError, match="closed"):
        connection.text("late")


@every_cut
def test_a_client_refuses_masked_frames(cut: Cut) -> None:
    """A server must not mask (section 5.1), and the client's own close frame is masked."""
    client = Connection(Role.CLIENT)
    assert failure(feed(client, masked(Opcode.TEXT, b"x"), cut)) == ProtocolFailed(1002, "frame is masked")
    assert feed(server(), client.data_to_send(), cut) == [CloseReceived(1002, "frame is masked")]


@every_cut
@pytest.mark.parametrize("limit", [1, 5, 125, 126, 1000, 70_000])
@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
def test_the_limit_is_exact(limit: int, fragments: int, opcode: Opcode, cut: Cut) -> None:
    """A message of exactly the limit is accepted; one byte more is 1009, and the reason names both sizes."""
    for size in (limit, limit + 1):
        payload, step = b"x" * size, -(-size // fragments)
        pieces = [payload[start : start + step] for start in range(0, size, step)]
        data = b"".join(
            masked(Opcode.CONTINUATION if index else opcode, piece, fin=index == len(pieces) - 1)
            for index, piece in enumerate(pieces)
        )
        events = feed(server(max_message_size=limit), data, cut)
        if size == limit:
            assert events == [payload.decode() if opcode is Opcode.TEXT else payload]
        else:
            words = f"message of {limit + 1} bytes is over the limit of {limit}"
            assert failure(events) == ProtocolFailed(1009, words)


@every_cut
def test_the_limit_counts_inflated_bytes(cut: Cut) -> None:
    """A small compressed message that inflates over the limit is 1009; noise of exactly the limit passes."""
    deflate = DeflateParameters()
    client = Connection(Role.CLIENT, deflate=deflate)
    failed = failure(feed(server(deflate=deflate, max_message_size=5000), client.text("x" * 5001), cut))
    assert failed == ProtocolFailed(1009, "message of 5001 bytes or more is over the limit of 5000")
    noise = random.Random(1).randbytes(5000)
    assert feed(server(deflate=deflate, max_message_size=5000), client.binary(noise), cut) == [noise]


@every_cut
def test_fragments_inflate_within_one_limit(cut: Cut) -> None:
    """Two fragments that inflate to 3,000 bytes each fail in the second, before the message ends."""
    deflate = DeflateParameters()
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    first, second = (compressor.compress(bytes(3000)) + compressor.flush(zlib.Z_SYNC_FLUSH) for _ in range(2))
    connection = server(deflate=deflate, max_message_size=5000)
    assert feed(connection, masked(Opcode.BINARY, first, fin=False, rsv1=True), cut) == []
    assert failure(feed(connection, masked(Opcode.CONTINUATION, second, fin=False), cut)).code == 1009


@every_cut
def test_broken_compression_is_invalid_data(cut: Cut) -> None:
    """Bytes that do not inflate are 1007; RSV1 on a continuation or a control frame is 1002."""
    deflate = DeflateParameters()
    assert failure(feed(server(deflate=deflate), masked(1, b"\xff\xff", rsv1=True), cut)).code == 1007
    assert failure(feed(server(deflate=deflate), masked(9, b"", rsv1=True), cut)).code == 1002
    started = masked(1, b"", fin=False)
    assert failure(feed(server(deflate=deflate), started + masked(0, b"", rsv1=True), cut)).code == 1002


@every_cut
def test_compressed_text_is_checked_as_text(cut: Cut) -> None:
    """UTF-8 is checked after inflating."""
    deflate = DeflateParameters()
    bad = Connection(Role.CLIENT, deflate=deflate, deflate_threshold=1).binary(b"ok \xff")
    assert bad[0] == 0xC2
    data = b"\xc1" + bad[1:]
    assert failure(feed(server(deflate=deflate), data, cut)).code == 1007


@pytest.mark.parametrize("role", Role)
def test_the_threshold_decides_about_compression(role: Role) -> None:
    """Messages below the threshold go as they are, those from it on go compressed, and shared frames may mix in."""
    deflate = DeflateParameters()
    sender = Connection(role, deflate=deflate, deflate_threshold=100)
    assert sender.text("x" * 99)[0] == 0x81
    assert sender.binary(b"x" * 99)[0] == 0x82
    assert sender.text("x" * 100)[0] == 0xC1
    assert len(sender.binary(b"x" * 1000)) < 50
    client = Connection(Role.CLIENT, deflate=deflate)
    assert client.receive_data(encode_text("y" * 5000)) == ["y" * 5000]


@every_cut
def test_text_fails_fast(cut: Cut) -> None:
    """Within a frame that has not ended, the octet that makes its text impossible ends the connection."""
    connection = server()
    frame = masked(Opcode.TEXT, b"\xce\xba\xf4\x90\x80\x80" + b"x" * 50)
    bad = len(frame) - 56 + 3
    assert feed(connection, frame[:bad], cut) == []
    assert failure(connection.receive_data(frame[bad : bad + 1])).code == 1007


@every_cut
@pytest.mark.parametrize(
    ("payload", "event", "echo"),
    [
        (b"", CloseReceived(None, ""), b""),
        (b"\x03\xe8", CloseReceived(1000, ""), b"\x03\xe8"),
        (b"\x13\x87gr\xc3\xbc\xc3\x9fe", CloseReceived(4999, "gr\xfc\xdfe"), b"\x13\x87"),
        (b"\x03\xe9" + b"x" * 123, CloseReceived(1001, "x" * 123), b"\x03\xe9"),
    ],
)
def test_a_close_frame_is_answered(payload: bytes, event: CloseReceived, echo: bytes, cut: Cut) -> None:
    """The code is echoed, the machine is closed, and what comes after the close frame is ignored."""
    connection = server()
    data = masked(Opcode.TEXT, b"x", fin=False) + masked(Opcode.CLOSE, payload)
    assert feed(connection, data + masked(Opcode.PING, b"") + masked(Opcode.CLOSE, b""), cut) == [event]
    assert connection.is_closed
    assert connection.data_to_send() == encode_frame(Opcode.CLOSE, echo)
    assert connection.close() == b""


@every_cut
def test_our_close_waits_for_the_answer(cut: Cut) -> None:
    """After close() messages still come in, pings are still answered, and the peer's close ends it without echo."""
    connection = server()
    assert connection.close(1001, "bye") == encode_frame(Opcode.CLOSE, b"\x03\xe9bye")
    assert (connection.is_open, connection.is_closed) == (False, False)
    assert connection.close() == b""
    with pytest.raises(LocalError, match="closing"):
        connection.text("x")
    with pytest.raises(LocalError, match="closing"):
        connection.binary(b"x")
    with pytest.raises(LocalError, match="closing"):
        connection.ping(b"x")
    data = masked(Opcode.TEXT, b"late") + masked(Opcode.PING, b"p") + masked(Opcode.CLOSE, b"\x03\xe9")
    assert feed(connection, data, cut) == ["late", PingReceived(b"p"), CloseReceived(1001, "")]
    assert connection.data_to_send() == encode_frame(Opcode.PONG, b"p")
    assert connection.is_closed


@every_cut
def test_a_failure_after_our_close_sends_no_second_close_frame(cut: Cut) -> None:
    """One close frame per connection, also when the peer then breaks the protocol."""
    connection = server()
    connection.close()
    assert failure(feed(connection, masked(3, b""), cut)).code == 1002
    assert not connection.has_data


@pytest.mark.parametrize("closing", [False, True])
def test_an_end_without_a_close_frame_is_abnormal(closing: bool) -> None:
    """receive_eof tells 1006 once, also in the middle of a message."""
    connection = server()
    connection.receive_data(masked(Opcode.TEXT, b"half")[:-1])
    if closing:
        connection.close()
    assert connection.receive_eof() == [CloseReceived(1006, "")]
    assert connection.receive_eof() == connection.receive_data(masked(Opcode.TEXT, b"x")) == []
    assert connection.is_closed


def test_a_reason_is_cut_between_characters() -> None:
    """123 bytes of reason at most, and no half character at their end."""
    frame = server().close(1000, "x" * 122 + "\u20ac")
    assert frame == encode_frame(Opcode.CLOSE, b"\x03\xe8" + b"x" * 122)
    assert len(server().close(1000, "\xe4" * 100)) == 2 + 2 + 122


def test_codes_that_may_not_be_sent_are_refused() -> None:
    """1005, 1006, 1015 and numbers outside the ranges are our own fault, and change nothing."""
    connection = server()
    for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000):
        with pytest.raises(LocalError, match=str(code)):
            connection.close(code)
    assert connection.is_open


@pytest.mark.parametrize("seen", [1, 2, 5, 6])
@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.BINARY])
def test_a_payload_that_looks_like_a_frame_is_payload(opcode: Opcode, seen: int) -> None:
    """Once a frame has begun, a read that has the shape of a whole frame is still a part of the first one."""
    inner = masked(Opcode.TEXT, b"x" * 50)
    outer = encode_frame(opcode, inner, mask_key=bytes(4))
    connection = server()
    assert connection.receive_data(outer[:seen]) == []
    events = connection.receive_data(outer[seen:6]) + connection.receive_data(outer[6:])
    assert events == [PingReceived(inner) if opcode is Opcode.PING else inner]


def test_pings_are_sent_with_at_most_125_bytes() -> None:
    """A ping carries its payload; a longer one is our own fault."""
    connection = server()
    assert connection.ping(b"x" * 125) == encode_frame(Opcode.PING, b"x" * 125)
    assert connection.ping() == b"\x89\x00"
    with pytest.raises(LocalError, match="126"):
        connection.ping(b"x" * 126)


def test_a_client_draws_a_key_for_each_frame() -> None:
    """Two equal messages look different on the wire (section 5.3), and read the same."""
    client = Connection(Role.CLIENT)
    frames = {client.text("the same text") for _ in range(5)}
    assert len(frames) == 5
    assert [server().receive_data(frame) for frame in frames] == [["the same text"]] * 5


def test_a_lone_surrogate_is_our_own_fault() -> None:
    """Text that has no UTF-8 raises for the caller and leaves the connection open."""
    connection = server()
    with pytest.raises(UnicodeEncodeError):
        connection.text("\ud800")
    assert connection.is_open


def test_the_state_table_has_no_way_back() -> None:
    """OPEN to CLOSING to CLOSED, and from OPEN straight to CLOSED: nothing else."""
    assert STATES.rows() == [
        (State.OPEN, [State.CLOSING, State.CLOSED]),
        (State.CLOSING, [State.CLOSED]),
        (State.CLOSED, []),
    ]
    with pytest.raises(IllegalTransition):
        STATES.move(State.CLOSED, State.OPEN)


def test_a_limit_of_nothing_is_refused() -> None:
    """max_message_size is at least one byte."""
    with pytest.raises(ConfigurationError, match="max_message_size"):
        server(max_message_size=0)


def test_a_connection_is_small() -> None:
    """A new connection takes less than 200 bytes, also with compression agreed on."""
    deflate = DeflateParameters()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    connections = [server(deflate=deflate) for _ in range(1000)]
    made = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(connections) * 200 > made


@pytest.mark.parametrize("deflate", [None, DeflateParameters()])
def test_an_idle_connection_keeps_nothing(deflate: DeflateParameters | None) -> None:
    """After messages of every kind and their pongs a connection is as small as it was."""
    connection, client = server(deflate=deflate), Connection(Role.CLIENT, deflate=deflate)
    data = b"".join(encoded(client, message) + client.ping(b"p" * 100) for message in MESSAGES)
    tracemalloc.start()
    feed(connection, data, random_pieces(3))
    connection.data_to_send()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 2000


@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
@pytest.mark.parametrize("compressed", [False, True])
def test_nothing_of_a_message_over_the_limit_is_kept(opcode: Opcode, compressed: bool) -> None:
    """The header alone of a frame of 2 GiB fails the connection, and the payload behind it is not stored."""
    connection = server(deflate=DeflateParameters() if compressed else None)
    header = bytes((0x80 | opcode | (0x40 if compressed else 0), 0xFF)) + (2**31).to_bytes(8, "big") + b"keyy"
    assert connection.receive_data(header[:-1]) == []
    assert failure(connection.receive_data(header[-1:])).code == 1009
    chunk = bytes(65_536)
    tracemalloc.start()
    for _ in range(100):
        assert connection.receive_data(chunk) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000


def test_empty_fragments_do_not_grow_memory() -> None:
    """10,000 fragments of nothing cost nothing that stays."""
    connection = server()
    connection.receive_data(masked(Opcode.TEXT, b"start", fin=False))
    empty = masked(Opcode.CONTINUATION, b"", fin=False) * 500
    connection.receive_data(empty)
    ours = [tracemalloc.Filter(True, "*/syncio/websocket/*")]  # threads of other tests allocate too
    tracemalloc.start()
    for _ in range(20):
        assert connection.receive_data(empty) == []
    held = tracemalloc.take_snapshot().filter_traces(ours)
    tracemalloc.stop()
    assert sum(trace.size for trace in held.traces) < 2000
    assert connection.receive_data(masked(Opcode.CONTINUATION, b"")) == ["start"]


def test_a_message_in_many_reads_takes_little_more_than_twice_its_size() -> None:
    """A million bytes that come a kilobyte at a time are held once while they come, and twice at the very end."""
    connection = server()
    data = masked(Opcode.BINARY, bytes(1_000_000))
    pieces = [data[start : start + 1000] for start in range(0, len(data), 1000)]
    tracemalloc.start()
    events = [event for piece in pieces for event in connection.receive_data(piece)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert events == [bytes(1_000_000)]
    assert peak < 2_500_000


@pytest.mark.parametrize("seed", range(20))
def test_noise_never_raises(seed: int) -> None:
    """Whatever bytes come, what comes out is messages and events, and a failure is the last of them."""
    source = random.Random(seed)
    connection = Connection(
        source.choice(list(Role)), deflate=source.choice((None, DeflateParameters())), max_message_size=1000
    )
    good = [masked(Opcode.TEXT, b"x"), encode_text("y"), masked(2, b"z", rsv1=True), masked(0, b"", fin=False)]
    events: list[Event] = []
    for _ in range(200):
        events += connection.receive_data(source.choice([*good, source.randbytes(source.randint(0, 20))]))
    failures = [index for index, event in enumerate(events) if isinstance(event, ProtocolFailed)]
    assert failures in ([], [len(events) - 1])
    assert connection.is_closed is bool(failures or any(isinstance(event, CloseReceived) for event in events))
