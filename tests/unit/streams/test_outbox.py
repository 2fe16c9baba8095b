"""What waits to be written: order, joining, and an account that is exact to the byte; and who may be dropped."""

from __future__ import annotations

import random

import pytest

from syncio.streams.outbox import CHUNK_SIZE, Kept, Outbox


def add(outbox: Outbox, piece: bytes) -> None:
    """Have one more piece wait, behind all others."""
    outbox.pieces.append(piece)
    outbox.size += len(piece)


def filled(*pieces: bytes) -> Outbox:
    """An outbox in which these wait."""
    outbox = Outbox()
    for piece in pieces:
        add(outbox, piece)
    return outbox


def taken(outbox: Outbox) -> bytes:
    """All that waits, written chunk by chunk."""
    chunks = []
    while (chunk := outbox.take_chunk()) is not None:
        chunks.append(chunk)
        outbox.size -= len(chunk)
    return b"".join(chunks)


def test_new_outbox_is_empty() -> None:
    """Nothing waits, nothing can be taken or dropped."""
    outbox = Outbox()
    assert outbox.size == 0
    assert outbox.take_chunk() is None
    assert outbox.drop_oldest(100) == 0
    assert outbox.size == 0


def test_small_pieces_are_one_chunk() -> None:
    """Pieces that are worth one write together leave together, in order."""
    outbox = filled(b"one", b"two", b"", b"three")
    assert outbox.size == 11
    assert outbox.take_chunk() == b"onetwothree"
    assert outbox.take_chunk() is None


def test_size_counts_a_chunk_until_it_has_left() -> None:
    """What was taken still waits, until who writes it counts it off; what is put back was never counted off."""
    outbox = filled(b"12345", b"678")
    outbox.take_chunk()
    assert outbox.size == 8
    outbox.size -= 3
    assert outbox.size == 5
    outbox.put_back(b"45678")
    assert outbox.size == 5
    assert outbox.take_chunk() == b"45678"
    outbox.size -= 5
    assert outbox.size == 0


def test_single_piece_is_not_copied() -> None:
    """One piece that waits alone leaves as it is, however big."""
    piece = b"x" * (CHUNK_SIZE * 3)
    assert filled(piece).take_chunk() is piece


def test_pieces_up_to_a_chunk_are_joined() -> None:
    """Exactly a chunk is one write; with one byte more, a chunk leaves and the rest stays."""
    half = b"x" * (CHUNK_SIZE // 2)
    outbox = filled(half, half)
    assert outbox.take_chunk() == half + half
    assert outbox.take_chunk() is None
    outbox = filled(half, half, b"y")
    assert outbox.take_chunk() == half + half
    assert outbox.take_chunk() == b"y"


def test_chunk_ends_with_the_piece_that_fills_it() -> None:
    """No piece is cut: a chunk is as long as its last piece makes it, and the next one begins behind that."""
    pieces = [bytes([letter]) * (CHUNK_SIZE - 1) for letter in b"abcd"]
    outbox = filled(*pieces)
    assert outbox.take_chunk() == pieces[0] + pieces[1]
    assert outbox.take_chunk() == pieces[2] + pieces[3]
    assert outbox.take_chunk() is None


def test_what_is_put_back_leaves_first() -> None:
    """The rest of a chunk goes before what was added while it was written."""
    outbox = filled(b"abc")
    outbox.take_chunk()
    add(outbox, b"def")
    outbox.size -= 1
    outbox.put_back(b"bc")
    assert outbox.size == 5
    assert taken(outbox) == b"bcdef"


def test_drop_forgets_the_oldest() -> None:
    """Whole pieces go, from the oldest on, until as many bytes are gone as asked."""
    outbox = filled(b"aaaa", b"bbbb", b"cccc")
    assert outbox.drop_oldest(4) == 4
    assert outbox.size == 8
    assert taken(outbox) == b"bbbbcccc"


@pytest.mark.parametrize(("wanted", "dropped"), [(0, 0), (1, 4), (4, 4), (5, 8), (12, 12), (1000, 12)])
def test_drop_takes_whole_pieces(wanted: int, dropped: int) -> None:
    """A piece is forgotten entirely or not at all, and the answer says how many bytes that makes."""
    outbox = filled(b"aaaa", b"bbbb", b"cccc")
    assert outbox.drop_oldest(wanted) == dropped
    assert outbox.size == 12 - dropped
    assert taken(outbox) == b"aaaabbbbcccc"[dropped:]
    assert outbox.size == 0


def test_kept_pieces_are_never_dropped() -> None:
    """They stay where they are in the order, whatever goes around them."""
    outbox = filled(Kept(b"1"), b"aa", Kept(b"2"), b"bb", Kept(b"3"), b"cc", Kept(b"4"))
    assert outbox.drop_oldest(4) == 4
    assert outbox.size == 6
    assert taken(outbox) == b"123cc4"


def test_only_kept_pieces() -> None:
    """Nothing is dropped, and nothing is turned round."""
    outbox = filled(Kept(b"1"), Kept(b"2"), Kept(b"3"))
    assert outbox.drop_oldest(100) == 0
    assert outbox.size == 3
    assert taken(outbox) == b"123"


def test_begun_piece_is_never_dropped() -> None:
    """The rest of what was written in part must follow, or the peer could not read what comes after it."""
    outbox = filled(b"begun")
    outbox.take_chunk()
    add(outbox, b"waits")
    outbox.size -= 2
    outbox.put_back(b"gun")
    assert outbox.drop_oldest(1000) == 5
    assert outbox.size == 3
    assert taken(outbox) == b"gun"


def test_drop_during_a_write_leaves_the_chunk_alone() -> None:
    """What is being written counts, and cannot be dropped."""
    outbox = filled(b"leaving")
    chunk = outbox.take_chunk()
    add(outbox, b"waits")
    assert outbox.size == 12
    assert outbox.drop_oldest(1000) == 5
    assert outbox.size == 7
    assert chunk == b"leaving" and outbox.take_chunk() is None
    outbox.size -= 7
    assert outbox.size == 0


@pytest.mark.parametrize("seed", range(20))
def test_account_is_exact(seed: int) -> None:
    """Whatever is added, written in parts and dropped: bytes in are bytes out, dropped or waiting, in order."""
    source = random.Random(seed)
    outbox, added, left, dropped = Outbox(), 0, 0, 0
    numbers: list[int] = []
    for number in range(400):
        act = source.random()
        if act < 0.6:
            piece = number.to_bytes(4, "big") * source.choice((1, 2, 10, 5000))
            add(outbox, Kept(piece) if source.random() < 0.2 else piece)
            added += len(piece)
        elif act < 0.9:
            chunk = outbox.take_chunk()
            if chunk is not None:
                sent = source.choice((len(chunk), len(chunk), source.randrange(0, len(chunk) + 4, 4)))
                sent = min(sent, len(chunk))
                outbox.size -= sent
                numbers += words(chunk[:sent])
                left += sent
                if sent < len(chunk):
                    outbox.put_back(chunk[sent:])
        else:
            dropped += outbox.drop_oldest(source.choice((1, 100, 100_000)))
        assert added == left + dropped + outbox.size
    rest = taken(outbox)
    assert added == left + dropped + len(rest)
    numbers += words(rest)
    assert numbers == sorted(numbers)


def words(data: bytes) -> list[int]:
    """The numbers that pieces are made of."""
    return [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)]
