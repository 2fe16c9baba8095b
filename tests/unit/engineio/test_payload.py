"""Payloads of long polling, and their JSONP dress."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from syncio.engineio.packet import CLOSE, MESSAGE, NOOP, PONG, Packet
from syncio.engineio.payload import decode_jsonp_body, decode_payload, encode_jsonp, encode_payload
from syncio.errors import RemoteProtocolError


def test_encode() -> None:
    """Packets are separated by 0x1E; nothing stands before the first and behind the last."""
    packets = [Packet(MESSAGE, "hello"), Packet(MESSAGE, b"\x01\x02"), Packet(MESSAGE, "€"), Packet(NOOP)]
    assert encode_payload(packets) == b"4hello\x1ebAQI=\x1e4\xe2\x82\xac\x1e6"
    assert encode_payload([]) == b""


def test_decode() -> None:
    """Text, bytes and the protocol's own packets come out in order."""
    decoded = decode_payload("4hello\x1ebAQI=\x1e3\x1e4€\x1e1".encode(), 10)
    assert decoded.packets == [(MESSAGE, "hello"), (MESSAGE, b"\x01\x02"), (PONG, ""), (MESSAGE, "€"), (CLOSE, "")]
    assert decoded.error is None


@pytest.mark.parametrize("bad", ["", "x", "7", "b!", "2\x1e\x1e"])
def test_what_stands_before_the_bad_packet_is_kept(bad: str) -> None:
    """The first packet that is wrong ends the reading; those in front of it are there."""
    decoded = decode_payload(f"4one\x1e4two\x1e{bad}\x1e4three".encode(), 10)
    assert decoded.packets[:2] == [(MESSAGE, "one"), (MESSAGE, "two")]
    assert (MESSAGE, "three") not in decoded.packets
    assert isinstance(decoded.error, RemoteProtocolError)


@pytest.mark.parametrize("body", [b"", b"\x1e", b"4a\x1e", b"\x1e4a"])
def test_empty_packets_are_wrong(body: bytes) -> None:
    """An empty body and a separator too many hold an empty packet."""
    assert decode_payload(body, 10).error is not None


@pytest.mark.parametrize("body", [b"\xff", b"4\xc3", b"4\xed\xa0\x80", b"4\xc0\x80"])
def test_not_utf8(body: bytes) -> None:
    """Bytes that are no UTF-8 are an error, and no packet of them is believed."""
    decoded = decode_payload(body, 10)
    assert decoded.packets == []
    assert "UTF-8" in str(decoded.error)


def test_the_number_of_packets_is_bounded() -> None:
    """As many as allowed are read, one more and none is; the error names both numbers."""
    body = b"\x1e".join([b"4x"] * 1024)
    assert len(decode_payload(body, 1024).packets) == 1024
    decoded = decode_payload(body + b"\x1e4x", 1024)
    assert decoded.packets == []
    assert "1025" in str(decoded.error)
    assert "1024" in str(decoded.error)


def test_separators_alone_cost_nothing() -> None:
    """A megabyte of separators is refused by their number, before it becomes a million objects."""
    assert decode_payload(b"\x1e" * 1_000_000, 1024).packets == []


# ---------------------------------------------------------------------- JSONP


@pytest.mark.parametrize(
    "text", ["4hello", "4</script><script>alert(1)//", "4<!--", "4&amp;", "4\u2028\u2029", "4\x00'\"\\"]
)
def test_jsonp_is_safe_in_a_script(text: str) -> None:
    """Nothing in the body ends a script or a string, and a JavaScript engine reads back the same text."""
    dressed = encode_jsonp(text.encode(), 7).decode("ascii")
    call = re.fullmatch(r"___eio\[7\]\((.*)\);", dressed)
    assert call is not None
    assert json.loads(call[1]) == text
    assert not set(call[1]) & set("<>&\u2028\u2029")


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("4hello", "4hello"),
        ("4a\\nb", "4a\nb"),  # a newline, which forms would change
        ("4a\\\\nb", "4a\\nb"),  # a backslash and an n, as in JSON
        ("4\\n\\\\n\\n", "4\n\\n\n"),
        ("4a+b c%&=;€", "4a+b c%&=;€"),
        ("4tab\\t", "4tab\\t"),
        ("4nul\x00", "4nul\x00"),
        ("4a\x1e4b", "4a\x1e4b"),
    ],
)
def test_jsonp_body(escaped: str, text: str) -> None:
    """The payload is the field `d`, in which a backslash protects newlines."""
    assert decode_jsonp_body(f"d={quote(escaped, safe='')}".encode()) == text.encode()


@pytest.mark.parametrize("body", [b"", b"4hello", b"e=4hello", b"&&", b"\xff", b"&".join([b"d=4a"] * 100)])
def test_jsonp_body_refused(body: bytes) -> None:
    """What is no form with the field `d` is the client's error."""
    with pytest.raises(RemoteProtocolError):
        decode_jsonp_body(body)


def test_jsonp_body_without_a_value() -> None:
    """An empty field is an empty payload, which is refused where payloads are read."""
    assert decode_jsonp_body(b"d=") == b""
