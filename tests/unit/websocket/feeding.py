"""Ways to cut one input into reads. What comes out of a machine must not depend on the way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from syncio.websocket import Connection, Event, encode_frame

Cut = Callable[[bytes], Iterator[bytes]]

KEY = b"\x37\xfa\x21\x3d"


def whole(data: bytes) -> Iterator[bytes]:
    """Everything in one read."""
    yield data


def single_bytes(data: bytes) -> Iterator[bytes]:
    """Each byte in a read of its own."""
    for position in range(len(data)):
        yield data[position : position + 1]


def random_pieces(seed: int) -> Cut:
    """Pieces of random lengths, many of them short, some of them empty."""

    def cut(data: bytes) -> Iterator[bytes]:
        source = random.Random(seed)
        position = 0
        while position < len(data):
            size = source.choice((0, 1, 2, 3, 5, 7, 30, 126, 1000, 70_000))
            yield data[position : position + size]
            position += size

    cut.__name__ = f"random_pieces_{seed}"
    return cut


CUTS: tuple[Cut, ...] = (whole, single_bytes, random_pieces(1), random_pieces(2))


def feed(connection: Connection, data: bytes, cut: Cut) -> list[Event]:
    """All events that come out when `data` goes in, cut this way."""
    return [event for piece in cut(data) for event in connection.receive_data(piece)]


def masked(opcode: int, payload: bytes, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """One frame of a client."""
    return encode_frame(opcode, payload, fin=fin, rsv1=rsv1, mask_key=KEY)
