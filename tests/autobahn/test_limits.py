"""Section 9: long messages, many fragments, small chops, many round trips.

The round trips of 9.7 and 9.8 are 50 each, where the original makes 1,000 to measure time. 9.9 is switched off there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from .peer import EchoServer, MemoryPeer, SocketPeer, close_frame, frame, whole

TEXT, BINARY, CONTINUATION = 1, 2, 0
KIB, MIB = 2**10, 2**20
ROUND_TRIPS = 50
READ = 64 * KIB

by_opcode = pytest.mark.parametrize("opcode", [TEXT, BINARY])


def payload_of(size: int) -> bytes:
    """ASCII, so that it is good as text too; no period that a masking key could hide behind."""
    return (b"BAsd7&jh23-" * (size // 11 + 1))[:size]


def by_read(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Cut as a socket would: 64 KiB at a time, whatever the frames are."""
    data = b"".join(frames)
    for start in range(0, len(data), READ):
        yield data[start : start + READ]


@by_opcode
@pytest.mark.parametrize("size", [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB])
def test_long_messages(opcode: int, size: int) -> None:
    """9.1 and 9.2: one frame of up to 16 MiB, which is also exactly the server's limit."""
    peer = MemoryPeer(by_read)
    peer.send([frame(opcode, payload_of(size))])
    assert peer.received.items == [(opcode, payload_of(size))]


@by_opcode
@pytest.mark.parametrize("size", [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB])
def test_many_fragments(opcode: int, size: int) -> None:
    """9.3 and 9.4: 4 MiB in fragments of 64 bytes to 4 MiB."""
    payload = payload_of(4 * MIB)
    starts = range(0, len(payload), size)
    frames = [
        frame(CONTINUATION if start else opcode, payload[start : start + size], fin=start == starts[-1])
        for start in starts
    ]
    peer = MemoryPeer(by_read)
    peer.send(frames)
    assert peer.received.items == [(opcode, payload)]


@by_opcode
@pytest.mark.parametrize("size", [64, 128, 256, 512, 1024, 2048])
def test_small_chops(opcode: int, size: int) -> None:
    """9.5 and 9.6: 1 MiB in one frame that comes in reads of 64 to 2,048 bytes."""
    data = frame(opcode, payload_of(MIB))
    peer = MemoryPeer(lambda frames: iter(frames))
    peer.send([data[start : start + size] for start in range(0, len(data), size)])
    assert peer.received.items == [(opcode, payload_of(MIB))]


@by_opcode
@pytest.mark.parametrize("size", [0, 16, 64, 256, 1024, 4096])
def test_round_trips(opcode: int, size: int) -> None:
    """9.7 and 9.8: each message is sent when the one before has come back."""
    peer = MemoryPeer(whole)
    for count in range(1, ROUND_TRIPS + 1):
        peer.send([frame(opcode, payload_of(size))])
        assert peer.received.items == [(opcode, payload_of(size))] * count
    peer.send([close_frame()])
    peer.finish()
    assert peer.received.close_code == 1000


@by_opcode
@pytest.mark.parametrize("size", [0, 4096, MIB])
def test_round_trips_over_tcp(opcode: int, size: int) -> None:
    """9.1, 9.2, 9.7 and 9.8 once more over a real stream."""
    server = EchoServer()
    try:
        peer = SocketPeer(server.address)
        for count in range(1, 6):
            peer.send([frame(opcode, payload_of(size))])
            peer.wait_for(count)
        peer.send([close_frame()])
        peer.finish()
    finally:
        server.close()
    assert peer.received.items == [(opcode, payload_of(size))] * 5
    assert peer.received.close_code == 1000


def test_one_byte_over_the_limit() -> None:
    """Beside the original: 16 MiB and one byte is refused with 1009 while its payload has not come."""
    peer = MemoryPeer(whole)
    peer.send([frame(BINARY, bytes(16 * MIB + 1))[:14]])
    peer.finish()
    assert (peer.received.items, peer.received.close_code) == ([], 1009)
