"""Frames: headers read and written, payloads masked."""

from __future__ import annotations

import random

import pytest

from syncio.errors import RemoteProtocolError
from syncio.websocket import frames
from syncio.websocket.frames import Opcode, encode_binary, encode_frame, encode_text, read_header

LENGTHS = (0, 1, 2, 3, 4, 5, 31, 32, 33, 125, 126, 127, 1023, 1024, 1025, 65_535, 65_536, 65_537)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("mask", [frames.apply_mask, frames.pure_apply_mask])
def test_masking_is_xor_with_the_repeated_key(length: int, mask: object) -> None:
    """Both masking functions do what section 5.3 says, at every length around a threshold."""
    source = random.Random(length)
    data, key = source.randbytes(length), source.randbytes(4)
    expected = bytes(octet ^ key[index % 4] for index, octet in enumerate(data))
    assert callable(mask)
    assert mask(data, key) == expected
    assert mask(expected, key) == data


def test_the_frames_of_the_rfc() -> None:
    """The example frames of section 5.7 come out octet by octet."""
    assert encode_frame(Opcode.TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")
    key = bytes.fromhex("37fa213d")
    assert encode_frame(Opcode.TEXT, b"Hello", mask_key=key) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert encode_frame(Opcode.TEXT, b"Hel", fin=False) == bytes.fromhex("010348656c")
    assert encode_frame(Opcode.CONTINUATION, b"lo") == bytes.fromhex("80026c6f")
    assert encode_frame(Opcode.PING, b"Hello") == bytes.fromhex("890548656c6c6f")
    assert encode_frame(Opcode.BINARY, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert encode_frame(Opcode.BINARY, bytes(65_536))[:10] == bytes.fromhex("827f0000000000010000")


def test_rsv1_marks_a_compressed_message() -> None:
    """RSV1 is the bit of RFC 7692."""
    assert encode_frame(Opcode.TEXT, b"", rsv1=True) == b"\xc1\x00"


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("key", [b"", b"abcd"])
def test_a_header_reads_back(length: int, key: bytes) -> None:
    """What encode_frame writes, read_header reads, and it asks for more on every shorter input."""
    frame = b"??" + encode_frame(Opcode.BINARY, bytes(length), fin=False, rsv1=True, mask_key=key or None)
    header = read_header(frame, 2)
    assert header is not None
    assert header == (Opcode.BINARY, False, 0x40, key, len(frame) - length, length)
    for size in range(len(frame) - length):
        assert read_header(frame[:size], 2) is None


@pytest.mark.parametrize("frame", [b"\x82\x7e\x00\x05", b"\x82\x7f" + bytes(7) + b"\x05"])
def test_a_length_in_too_many_octets_is_read(frame: bytes) -> None:
    """A length that would fit in fewer octets counts as what it says."""
    header = read_header(frame, 0)
    assert header is not None
    assert header.length == 5


def test_a_length_with_its_highest_bit_is_refused() -> None:
    """A 64-bit length of 2**63 and more breaks section 5.2; one below is only big."""
    with pytest.raises(RemoteProtocolError, match="highest bit") as caught:
        read_header(b"\x82\x7f\x80" + bytes(7), 0)
    assert caught.value.code == 1002
    header = read_header(b"\x82\x7f\x7f" + b"\xff" * 7, 0)
    assert header is not None
    assert header.length == 2**63 - 1


@pytest.mark.parametrize("opcode", [8, 9, 10, 11, 15])
@pytest.mark.parametrize("length", [126, 127])
def test_a_control_frame_with_an_extended_length_is_refused(opcode: int, length: int) -> None:
    """Two octets are enough to see that a control frame is too long."""
    with pytest.raises(RemoteProtocolError, match="125 bytes"):
        read_header(bytes((0x80 | opcode, length)), 0)


@pytest.mark.parametrize("length", LENGTHS)
def test_shared_frames_are_those_of_encode_frame(length: int) -> None:
    """encode_text and encode_binary write what encode_frame writes."""
    assert encode_text("x" * length) == encode_frame(Opcode.TEXT, b"x" * length)
    assert encode_binary(b"x" * length) == encode_frame(Opcode.BINARY, b"x" * length)


def test_text_is_encoded_as_utf8() -> None:
    """The length is that of the UTF-8, and a lone surrogate is an error of ours."""
    assert encode_text("\u20ac") == b"\x81\x03\xe2\x82\xac"
    with pytest.raises(UnicodeEncodeError):
        encode_text("\ud800")


def test_close_codes_that_may_be_sent() -> None:
    """Section 7.4: registered codes except the three that never are on the wire, and 3000 to 4999."""
    allowed = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
    assert {code for code in range(65_536) if frames.is_valid_close_code(code)} == allowed
