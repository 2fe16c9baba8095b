"""Sections 1 to 7 and 10 as a table: what the client sends, what it must get, and how the connection must end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .peer import close_frame, frame
from .utf8 import GROUPS, KOSME

__all__ = ["CASES", "Case"]

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
NORMAL: tuple[int | None, ...] = (1000, None)
PROTOCOL: tuple[int | None, ...] = (1002,)
INVALID: tuple[int | None, ...] = (1007,)

Item = tuple[int, bytes]


@dataclass(frozen=True)
class Case:
    """One case.

    :param number: Autobahn's number.
    :param steps: what is sent: steps with a look at the connection between them, of frames (or chops of frames).
    :param items: messages and pongs that must come back, in order.
    :param close: the close codes that the server may send; None stands for a close frame without a code.
    :param fails_at: the step in which the server must fail the connection, counted from 0; None when it must not.
    :param lenient: what may come back instead when a step arrives in one read: the original's NON-STRICT outcome.
    """

    number: str
    steps: tuple[tuple[bytes, ...], ...]
    items: tuple[Item, ...] = ()
    close: tuple[int | None, ...] = NORMAL
    fails_at: int | None = None
    lenient: tuple[Item, ...] | None = None


def _failed(
    number: str, *frames: bytes, items: tuple[Item, ...] = (), close: tuple[int | None, ...] = PROTOCOL
) -> Case:
    """A case of one step that the server must fail. What was answered before may be lost when all comes in one read."""
    return Case(number, (frames,), items, close, 0, lenient=() if items else None)


def _echoed(number: str, *frames: bytes, items: tuple[Item, ...]) -> Case:
    return Case(number, (frames,), items)


def _chop(data: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(data[start : start + size] for start in range(0, len(data), size))


def _framing() -> Iterator[Case]:
    for section, opcode, octet in (("1.1", TEXT, b"*"), ("1.2", BINARY, b"\xfe")):
        for index, size in enumerate((0, 125, 126, 127, 128, 65_535, 65_536), 1):
            payload = octet * size
            yield _echoed(f"{section}.{index}", frame(opcode, payload), items=((opcode, payload),))
        payload = octet * 65_536
        yield _echoed(f"{section}.8", *_chop(frame(opcode, payload), 997), items=((opcode, payload),))


def _pings() -> Iterator[Case]:
    for index, payload in enumerate((b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125), 1):
        yield _echoed(f"2.{index}", frame(PING, payload), items=((PONG, payload),))
    yield _failed("2.5", frame(PING, b"\xfe" * 126))
    yield _echoed("2.6", *_chop(frame(PING, b"\xfe" * 125), 1), items=((PONG, b"\xfe" * 125),))
    yield _echoed("2.7", frame(PONG), items=())
    yield _echoed("2.8", frame(PONG, b"nobody asked"), items=())
    yield _echoed("2.9", frame(PONG, b"nobody asked"), frame(PING, b"asked"), items=((PONG, b"asked"),))
    pings = [b"ping %d" % index for index in range(10)]
    pongs = tuple((PONG, payload) for payload in pings)
    yield _echoed("2.10", *(frame(PING, payload) for payload in pings), items=pongs)
    yield _echoed("2.11", *_chop(b"".join(frame(PING, payload) for payload in pings), 1), items=pongs)


HELLO = b"Hello, world!"
HELLO_ITEM: Item = (TEXT, HELLO)


def _reserved_bits() -> Iterator[Case]:
    yield _failed("3.1", frame(TEXT, HELLO, rsv=1))
    for rsv in (2, 3, 4):
        frames = (frame(TEXT, HELLO), frame(TEXT, HELLO, rsv=rsv), frame(PING))
        yield _failed(f"3.{rsv}", *frames, items=(HELLO_ITEM,))
    yield _failed("3.5", frame(BINARY, b"\x00\xff\xfe", rsv=5))
    yield _failed("3.6", frame(PING, HELLO, rsv=6))
    yield _failed("3.7", frame(CLOSE, rsv=7))


def _reserved_opcodes() -> Iterator[Case]:
    for section, first in (("4.1", 3), ("4.2", 11)):
        for index in range(5):
            reserved = frame(first + index, b"reserved" if index in (1, 3, 4) else b"")
            if index < 2:
                yield _failed(f"{section}.{index + 1}", reserved)
            else:
                frames = (frame(TEXT, HELLO), reserved, frame(PING))
                yield _failed(f"{section}.{index + 1}", *frames, items=(HELLO_ITEM,))


def _fragmentation() -> Iterator[Case]:
    one, two = b"fragment1", b"fragment2"
    both: Item = (TEXT, one + two)
    start, end = frame(TEXT, one, fin=False), frame(CONTINUATION, two)
    for index, opcode in ((1, PING), (2, PONG)):
        yield _failed(f"5.{index}", frame(opcode, one, fin=False), end)
    for index in (3, 4, 5):  # the original differs only in how the octets are cut
        yield _echoed(f"5.{index}", start, end, items=(both,))
    for index in (6, 7, 8):
        yield _echoed(f"5.{index}", start, frame(PING, b"between"), end, items=((PONG, b"between"), both))
    for index in (9, 10, 11, 12, 13, 14):
        stray = frame(CONTINUATION, b"continues nothing", fin=index < 12)
        yield _failed(f"5.{index}", stray, frame(TEXT, HELLO))
    stray = frame(CONTINUATION, b"fragment3", fin=False)
    yield _failed("5.15", start, end, stray, frame(TEXT, b"fragment4"), items=(both,))
    for index, fin in ((16, False), (17, True)):
        yield _failed(f"5.{index}", *(frame(CONTINUATION, b"stray", fin=fin), start, end) * 2)
    yield _failed("5.18", start, frame(TEXT, two))
    parts = [b"fragment%d" % index for index in range(1, 6)]
    steps = (
        (start, frame(CONTINUATION, parts[1], fin=False), frame(PING, b"first")),
        (
            frame(CONTINUATION, parts[2], fin=False), frame(CONTINUATION, parts[3], fin=False), frame(PING, b"second"),
            frame(CONTINUATION, parts[4]),
        ),
    )  # fmt: skip
    for index in (19, 20):
        yield Case(f"5.{index}", steps, ((PONG, b"first"), (PONG, b"second"), (TEXT, b"".join(parts))))


def _fragments_of(payload: bytes, size: int = 1) -> tuple[bytes, ...]:
    pieces = _chop(payload, size)
    last = len(pieces) - 1
    return tuple(frame(CONTINUATION if index else TEXT, piece, fin=index == last) for index, piece in enumerate(pieces))


def _utf8() -> Iterator[Case]:
    yield _echoed("6.1.1", frame(TEXT), items=((TEXT, b""),))
    for index, middle in ((2, b""), (3, b"in the middle")):
        frames = (frame(TEXT, fin=False), frame(CONTINUATION, middle, fin=False), frame(CONTINUATION))
        yield _echoed(f"6.1.{index}", *frames, items=((TEXT, middle),))
    left, right = "Hello-\xb5@\xdf\xf6\xe4".encode(), "\xfc\xe0\xe1-UTF-8!!".encode()
    yield _echoed("6.2.1", frame(TEXT, left + right), items=((TEXT, left + right),))
    halves = (frame(TEXT, left, fin=False), frame(CONTINUATION, right))
    yield _echoed("6.2.2", *halves, items=((TEXT, left + right),))
    yield _echoed("6.2.3", *_fragments_of(left + right), items=((TEXT, left + right),))
    yield _echoed("6.2.4", *_fragments_of(KOSME), items=((TEXT, KOSME),))
    surrogate = KOSME + b"\xed\xa0\x80edited"
    yield _failed("6.3.1", frame(TEXT, surrogate), close=INVALID)
    yield _failed("6.3.2", *_fragments_of(surrogate), close=INVALID)
    yield from _fail_fast(KOSME + b"\xf4\x90\x80\x80edited")
    for group, sequences in GROUPS.items():
        for index, (valid, octets) in enumerate(sequences, 1):
            if valid:
                yield _echoed(f"{group}.{index}", frame(TEXT, octets), items=((TEXT, octets),))
            else:
                yield _failed(f"{group}.{index}", frame(TEXT, octets), close=INVALID)


def _fail_fast(payload: bytes) -> Iterator[Case]:
    """Octet 12 makes the text impossible. The second step has it, and is where a strict server fails."""
    for index, (first, second) in enumerate(((11, 15), (12, 13)), 1):
        fragments = (
            (frame(TEXT, payload[:first], fin=False),),
            (frame(CONTINUATION, payload[first:second], fin=False),),
            (frame(CONTINUATION, payload[second:]),),
        )
        yield Case(f"6.4.{index}", fragments, close=INVALID, fails_at=1)
    whole = frame(TEXT, payload)
    head = len(whole) - len(payload)
    for index, (first, second) in enumerate(((11, 15), (12, 13)), 3):
        chops = ((whole[: head + first],), (whole[head + first : head + second],), (whole[head + second :],))
        yield Case(f"6.4.{index}", chops, close=INVALID, fails_at=1)


def _closing() -> Iterator[Case]:
    bye = close_frame()
    yield _echoed("7.1.1", frame(TEXT, HELLO), items=(HELLO_ITEM,))
    yield _echoed("7.1.2", bye, frame(CLOSE), items=())
    yield _echoed("7.1.3", bye, frame(PING), items=())
    yield _echoed("7.1.4", bye, frame(TEXT, HELLO), items=())
    yield _echoed("7.1.5", frame(TEXT, HELLO, fin=False), bye, frame(CONTINUATION, HELLO), items=())
    big = b"BAsd7&jh23" * 26_214
    # Informational in the original: messages in front of a close frame may be answered or not.
    items: tuple[Item, ...] = ((TEXT, big), HELLO_ITEM)
    yield Case("7.1.6", ((frame(TEXT, big), frame(TEXT, HELLO), bye, frame(PING)),), items, lenient=())
    yield _echoed("7.3.1", close_frame(None), items=())
    yield _failed("7.3.2", frame(CLOSE, b"a"))
    yield _echoed("7.3.3", bye, items=())
    yield _echoed("7.3.4", close_frame(1000, b"Hello World!"), items=())
    yield _echoed("7.3.5", close_frame(1000, b"*" * 123), items=())
    yield _failed("7.3.6", close_frame(1000, b"*" * 124))
    yield _failed("7.5.1", close_frame(1000, KOSME + b"\xed\xa0\x80edited"), close=(1002, 1007))
    valid = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    for index, code in enumerate(valid, 1):
        yield Case(f"7.7.{index}", ((close_frame(code),),), close=(1000, code))
    for index, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
        yield _failed(f"7.9.{index}", close_frame(code))
    # Informational in the original: the RFC does not say what becomes of these codes. We refuse them.
    for index, code in enumerate((5000, 65_535), 1):
        yield _failed(f"7.13.{index}", close_frame(code))


def _automatic_fragmentation() -> Iterator[Case]:
    payload = b"*" * 65_536
    yield _echoed("10.1.1", *_fragments_of(payload, 1300), items=((TEXT, payload),))


CASES: tuple[Case, ...] = (
    *_framing(), *_pings(), *_reserved_bits(), *_reserved_opcodes(), *_fragmentation(), *_utf8(), *_closing(),
    *_automatic_fragmentation(),
)  # fmt: skip
