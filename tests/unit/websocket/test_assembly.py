"""A message that arrives in pieces."""

from __future__ import annotations

import random

import pytest

from syncio.errors import RemoteProtocolError
from syncio.websocket.assembly import Assembly, check_size
from syncio.websocket.deflate import DeflateParameters, PerMessageDeflate
from syncio.websocket.frames import Opcode, apply_mask


def test_frames_and_pieces_become_one_message() -> None:
    """Two frames with keys of their own, in pieces that turn the keys, make one text."""
    assembly = Assembly(Opcode.TEXT, 100, None)
    first, second = "gr\xfc\xdfe ".encode(), "\u20ac\U0001f600".encode()
    for payload, fin, key in ((first, False, b"abcd"), (b"", False, b"xxxx"), (second, True, b"1234")):
        assembly.open_frame(len(payload), fin, key)
        wire = apply_mask(payload, key)
        for start in range(0, len(wire), 3):
            assert not assembly.is_complete
            assembly.feed(wire[start : start + 3])
    assert assembly.is_complete
    assert assembly.finish() == "gr\xfc\xdfe \u20ac\U0001f600"


def test_binary_without_a_key_is_kept_as_it_is() -> None:
    """A server's frames are not masked, and binary is not decoded."""
    assembly = Assembly(Opcode.BINARY, 100, None)
    assembly.open_frame(3, True, b"")
    assembly.feed(b"\xff\xfe")
    assert assembly.remaining == 1
    assembly.feed(b"\xfd")
    assert assembly.finish() == b"\xff\xfe\xfd"


def test_text_fails_at_its_first_bad_octet() -> None:
    """An octet that cannot go on raises when it comes, not when the message ends."""
    assembly = Assembly(Opcode.TEXT, 100, None)
    assembly.open_frame(50, True, b"")
    assembly.feed(b"ok \xf4")
    with pytest.raises(UnicodeDecodeError):
        assembly.feed(b"\x90")


def test_text_that_ends_within_a_character_fails() -> None:
    """A prefix of a character is good until the message ends."""
    assembly = Assembly(Opcode.TEXT, 100, None)
    assembly.open_frame(1, True, b"")
    assembly.feed(b"\xe2")
    with pytest.raises(UnicodeDecodeError):
        assembly.finish()


def test_the_limit_counts_all_frames() -> None:
    """The frame that crosses the limit is refused when it begins; what stays within it is not."""
    assembly = Assembly(Opcode.BINARY, 10, None)
    assembly.open_frame(6, False, b"")
    assembly.feed(b"123456")
    assembly.open_frame(4, False, b"")
    assembly.feed(b"7890")
    with pytest.raises(RemoteProtocolError, match="message of 11 bytes is over the limit of 10") as caught:
        assembly.open_frame(1, True, b"")
    assert caught.value.code == 1009
    check_size(10, 10)


def test_a_compressed_message_has_room_for_what_cannot_shrink() -> None:
    """Noise at the limit is longer on the wire than the limit, and is accepted; endless wire bytes are not."""
    agreed = DeflateParameters(memory_level=1)
    noise = random.Random(3).randbytes(5000)
    wire = PerMessageDeflate(agreed, is_server=False).compress(noise)
    assert len(wire) > 5000
    assembly = Assembly(Opcode.BINARY, 5000, PerMessageDeflate(agreed, is_server=True))
    assembly.open_frame(len(wire), True, b"")
    assembly.feed(wire)
    assert assembly.finish() == noise
    assembly = Assembly(Opcode.BINARY, 5000, PerMessageDeflate(agreed, is_server=True))
    with pytest.raises(RemoteProtocolError, match="limit of 5000"):
        assembly.open_frame(6000, True, b"")
