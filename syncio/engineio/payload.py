"""Payloads of long polling: several packets in one HTTP body, and the JSONP dress that old browsers want. Pure.

Protocol: "Packet encoding, HTTP long-polling" of the Engine.IO protocol, version 4.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import parse_qs

from ..errors import RemoteProtocolError
from .packet import Packet, PacketType, decode_text

__all__ = ["Decoded", "decode_jsonp_body", "decode_payload", "encode_jsonp", "encode_payload"]

SEPARATOR = "\x1e"


class Decoded:
    """What a payload held: the packets up to the first one that is wrong, and what was wrong with that one."""

    __slots__ = ("error", "packets")

    def __init__(self, packets: list[tuple[PacketType, str | bytes]], error: RemoteProtocolError | None) -> None:
        self.packets = packets
        self.error = error


def encode_payload(packets: Iterable[Packet]) -> bytes:
    """Write packets as one body."""
    return b"\x1e".join([packet.polling_bytes() for packet in packets])


def decode_payload(body: bytes, max_packets: int) -> Decoded:
    """Read a body.

    :param max_packets: more than so many are refused, and none of them is read.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        return Decoded([], RemoteProtocolError(f"the body is not UTF-8: {exc.reason} at byte {exc.start}"))
    count = text.count(SEPARATOR) + 1
    if count > max_packets:
        return Decoded([], RemoteProtocolError(f"{count} packets in one body; at most {max_packets} are allowed"))
    packets = []
    for piece in text.split(SEPARATOR):
        try:
            packets.append(decode_text(piece))
        except RemoteProtocolError as exc:
            return Decoded(packets, exc)
    return Decoded(packets, None)


def encode_jsonp(body: bytes, index: int) -> bytes:
    """Dress a body as a call of the page's callback, safe inside a script.

    :param index: the callback's number (``j`` of the query).
    """
    text = json.dumps(body.decode("utf-8"))  # ASCII only, so U+2028 and U+2029 are escaped too
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f"___eio[{index}]({text});".encode("ascii")


def decode_jsonp_body(body: bytes) -> bytes:
    """Take the payload out of a JSONP form: ``d=`` and the payload, in which a backslash escapes a newline.

    :raises RemoteProtocolError: if the form has no ``d``.
    """
    try:
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError as exc:
        raise RemoteProtocolError("the body of a JSONP POST must be a form with the field 'd'") from exc
    if "d" not in fields:
        raise RemoteProtocolError("the body of a JSONP POST has no field 'd'")
    # Two backslashes and an n stand for a backslash and an n; one backslash and an n for a newline.
    text = "\\n".join(part.replace("\\n", "\n") for part in fields["d"][0].split("\\\\n"))
    return text.encode("utf-8")
