"""What was read and not used yet, fed all at once and byte by byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncio.protocol.inbound import COMPACT, Inbound

from ..websocket.feeding import CUTS, Cut

LIMIT = 200_000
TEXT = b"one\n\ntwo\n" + b"x" * (COMPACT + 10) + b"\nthree\n" + bytes(range(256)) * 600 + b"\nend"


def drain(inbound: Inbound, take: Callable[[], bytes | None]) -> list[bytes]:
    """All there is."""
    found = []
    while (piece := take()) is not None:
        found.append(piece)
    return found


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.__name__)
def test_lines(cut: Cut) -> None:
    """Lines come out with their newlines and in order, however they came in; a last one without stays."""
    inbound, lines = Inbound(LIMIT), []
    for piece in cut(TEXT):
        inbound.feed(piece)
        lines += drain(inbound, inbound.take_line)
    assert lines == [line + b"\n" for line in TEXT.split(b"\n")[:-1]]
    assert (len(inbound), inbound.take_all(), len(inbound)) == (3, b"end", 0)


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.__name__)
@pytest.mark.parametrize("size", [1, 7, 4096, COMPACT])
def test_sizes(cut: Cut, size: int) -> None:
    """So many bytes at a time come out in order, and not before there are so many."""
    inbound, pieces = Inbound(LIMIT), []
    data = TEXT[: size * 40]
    for piece in cut(data):
        inbound.feed(piece)
        pieces += drain(inbound, lambda: inbound.take_exactly(size))
    assert all(len(piece) == size for piece in pieces)
    assert b"".join(pieces) + inbound.take_all() == data


def test_lines_and_sizes_in_turns() -> None:
    """A head of known length before a line does not hide the line's newline."""
    inbound = Inbound(LIMIT)
    inbound.feed(b"abc")
    assert inbound.take_line() is None
    assert inbound.take_exactly(2) == b"ab"
    inbound.feed(b"de\nf")
    assert (inbound.take_line(), inbound.take_line(), inbound.take_exactly(2)) == (b"cde\n", None, None)
    assert (inbound.take_exactly(1), len(inbound)) == (b"f", 0)


def test_nothing() -> None:
    """No bytes can be taken from nothing, and no line."""
    inbound = Inbound(LIMIT)
    assert (inbound.take_exactly(0), inbound.take_all(), inbound.take_line(), len(inbound)) == (b"", b"", None, 0)


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.__name__)
def test_longest_line(cut: Cut) -> None:
    """A line may have as many bytes as the limit says, its newline not counted."""
    inbound = Inbound(10)
    for piece in cut(b"0123456789\n"):
        inbound.feed(piece)
    assert inbound.take_line() == b"0123456789\n"


def test_too_long_line_is_refused_before_its_end() -> None:
    """One byte more than the limit is refused though no newline has come, takes nothing, and is refused again."""
    inbound = Inbound(10)
    inbound.feed(b"ok\n0123456789")
    assert (inbound.take_line(), inbound.take_line()) == (b"ok\n", None)
    inbound.feed(b"x")
    for _ in range(2):
        with pytest.raises(ValueError, match="a line of more than 10 bytes: raise readbuflen"):
            inbound.take_line()
    assert len(inbound) == 11


def test_too_long_line_that_is_whole() -> None:
    """A line that is too long is refused also if its newline is there."""
    inbound = Inbound(10)
    inbound.feed(b"0123456789x\n")
    with pytest.raises(ValueError, match="10 bytes"):
        inbound.take_line()


def test_what_was_used_is_let_go() -> None:
    """After many small lines the buffer holds no more than was not used, and a few pages."""
    inbound = Inbound(LIMIT)
    inbound.feed(b"0123456\n" * 100_000)
    for _ in range(90_000):
        assert inbound.take_line() == b"0123456\n"
    assert len(inbound) == 80_000
    assert len(inbound._data) <= 80_000 + COMPACT
