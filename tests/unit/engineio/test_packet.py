"""Packets: how they are written on either transport, and what comes out of what a client writes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from syncio.engineio.packet import (
    CLOSE,
    MESSAGE,
    NOOP,
    OPEN,
    PING,
    PONG,
    UPGRADE,
    Packet,
    PacketType,
    decode_json,
    decode_text,
)
from syncio.errors import RemoteProtocolError


class Upper:
    """A JSON module that leaves its mark."""

    def dumps(self, value: Any, **options: Any) -> str:
        """Upper case."""
        return json.dumps(value, **options).upper()

    def loads(self, text: str) -> Any:
        """What came, in a tuple."""
        return ("loaded", text)


def test_the_seven_types() -> None:
    """The digits are those of the protocol."""
    assert [int(t) for t in (OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP)] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("packet_type", "data", "text"),
    [
        (OPEN, '{"sid":"x"}', '0{"sid":"x"}'),
        (CLOSE, None, "1"),
        (PING, "probe", "2probe"),
        (PONG, "probe", "3probe"),
        (MESSAGE, "", "4"),
        (MESSAGE, "hello", "4hello"),
        (MESSAGE, "€", "4€"),
        (MESSAGE, {"a": [1, None]}, '4{"a":[1,null]}'),
        (MESSAGE, [1, 2], "4[1,2]"),
        (MESSAGE, 7, "47"),
        (UPGRADE, None, "5"),
        (NOOP, None, "6"),
    ],
)
def test_text_is_the_same_on_both_transports(packet_type: PacketType, data: Any, text: str) -> None:
    """A packet without bytes is a digit and text; JSON is written without blanks."""
    packet = Packet(packet_type, data)
    assert not packet.binary
    assert packet.websocket_message() == text
    assert packet.polling_bytes() == text.encode()
    assert packet.size == len(text)


@pytest.mark.parametrize("data", [b"\x00\xff\x10", bytearray(b"\x00\xff\x10"), memoryview(b"\x00\xff\x10")])
def test_bytes_go_raw_or_as_base64(data: Any) -> None:
    """Bytes have no digit on a WebSocket and are `b` and base64 in a payload, whatever kind of bytes they are."""
    packet = Packet(MESSAGE, data)
    assert packet.binary
    assert packet.websocket_message() == b"\x00\xff\x10"
    assert packet.polling_bytes() == b"bAP8Q"
    assert packet.size == 3


def test_bytes_are_taken_as_they_are_now() -> None:
    """What is done to a bytearray after the send does not reach the client."""
    data = bytearray(b"before")
    packet = Packet(MESSAGE, data)
    data[:] = b"after!"
    assert packet.websocket_message() == b"before"


@pytest.mark.parametrize("packet_type", [t for t in PacketType if t is not MESSAGE])
def test_only_messages_carry_bytes(packet_type: PacketType) -> None:
    """Version 4 has no other binary packet."""
    with pytest.raises(ValueError, match=packet_type.name):
        Packet(packet_type, b"x")


def test_what_is_written_is_remembered() -> None:
    """The polling form is made once, however many sessions it goes to."""
    packet = Packet(MESSAGE, b"x" * 100)
    assert packet.polling_bytes() is packet.polling_bytes()


def test_the_json_module_is_used() -> None:
    """Values go through the module that the server was given; strings do not."""
    assert Packet(MESSAGE, ["a"], Upper()).websocket_message() == '4["A"]'
    assert Packet(MESSAGE, "a", Upper()).websocket_message() == "4a"


def test_what_is_no_json_is_the_callers_error() -> None:
    """A value that JSON does not know is refused before anything is sent."""
    with pytest.raises(TypeError):
        Packet(MESSAGE, object())


def test_lone_surrogates_are_refused() -> None:
    """Text that UTF-8 cannot write fails when it is encoded, not in somebody else's poll."""
    with pytest.raises(UnicodeEncodeError):
        Packet(MESSAGE, "\ud800").polling_bytes()


def test_repr_shows_no_payload() -> None:
    """A packet in a log tells its type and size, and not what people say to each other."""
    shown = repr(Packet(MESSAGE, "secret"))
    assert "MESSAGE" in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("text", "packet_type", "data"),
    [
        ("4", MESSAGE, ""),
        ("4hello", MESSAGE, "hello"),
        ("4€\x00", MESSAGE, "€\x00"),
        ("44", MESSAGE, "4"),
        ("0", OPEN, ""),
        ("1", CLOSE, ""),
        ("2probe", PING, "probe"),
        ("3", PONG, ""),
        ("5", UPGRADE, ""),
        ("6", NOOP, ""),
        ("bAP8Q", MESSAGE, b"\x00\xff\x10"),
        ("b", MESSAGE, b""),
    ],
)
def test_decode(text: str, packet_type: PacketType, data: str | bytes) -> None:
    """Every type, and bytes behind a `b`."""
    assert decode_text(text) == (packet_type, data)


@pytest.mark.parametrize(
    "text", ["", "7", "9x", "a", "-1", " 4x", "\x1e", "€", "٤x", "²", "bA", "b!!!!", "bAP8Q\n", "b€"]
)
def test_decode_refuses(text: str) -> None:
    """What does not begin with one of seven ASCII digits or `b` and base64 is no packet; nothing else is raised."""
    with pytest.raises(RemoteProtocolError):
        decode_text(text)


def test_decode_undoes_encode() -> None:
    """All byte values survive the way through a payload."""
    data = bytes(range(256))
    assert decode_text(Packet(MESSAGE, data).polling_bytes().decode()) == (MESSAGE, data)
    assert base64.b64decode(Packet(MESSAGE, data).polling_bytes()[1:]) == data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("hello", "hello"),
        ("true story", "true story"),
        ('{"a":1}', {"a": 1}),
        ("[1,2]", [1, 2]),
        ('"text"', "text"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("-5", -5),
        (" 7", 7),
        ("7", "7"),
        ("007", "007"),
        ("1e3", "1e3"),
        ("12 monkeys", "12 monkeys"),
        ("٣", "٣"),
        ("{broken", "{broken"),
        ("[1,2", "[1,2"),
        ("-", "-"),
        ("t", "t"),
    ],
)
def test_decode_json(text: str, value: Any) -> None:
    """JSON becomes its value; what begins with a digit, and what only looks like JSON, stays text."""
    decoded = decode_json(text)
    assert decoded == value
    assert type(decoded) is type(value)


def test_decode_json_survives_depth() -> None:
    """A hundred thousand brackets are a text like any other."""
    text = "[" * 100_000
    assert decode_json(text) == text


def test_decode_json_uses_the_module() -> None:
    """Reading goes through the server's module too."""
    assert decode_json("{}", Upper()) == ("loaded", "{}")
