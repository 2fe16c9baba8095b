"""Engine.IO v4 packets: one type digit and a payload, as text or as bytes. Pure.

Protocol: "Packet encoding" and "Protocol" of the Engine.IO protocol, version 4.
"""

from __future__ import annotations

import base64
import binascii
import json as standard_json
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol

from ..errors import RemoteProtocolError

__all__ = [
    "CLOSE",
    "MESSAGE",
    "NOOP",
    "OPEN",
    "PING",
    "PONG",
    "UPGRADE",
    "Json",
    "Packet",
    "PacketType",
    "decode_json",
    "decode_text",
]


class PacketType(IntEnum):
    """The type digit."""

    OPEN = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6


OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = PacketType

JSON_STARTS = frozenset('{["-tfnNI \t\n\r')
"""What JSON can start with, but for digits, which stay text (a bare number is a message like "42")."""


class Json(Protocol):
    """A module in the manner of `json`."""

    @property
    def dumps(self) -> Callable[..., str]: ...
    @property
    def loads(self) -> Callable[..., Any]: ...


class Packet:
    """A packet on its way out. It remembers how it is written, so that a broadcast is encoded once per transport.

    :param packet_type: its type.
    :param data: str, bytes, or anything that goes into JSON; None for nothing.
    :param json: what writes JSON.
    """

    __slots__ = ("_binary", "_polling", "_text", "data", "frame", "is_message", "packet_type", "size")

    def __init__(self, packet_type: int = NOOP, data: Any = None, json: Json = standard_json) -> None:
        self.packet_type = packet_type
        self.is_message = packet_type == MESSAGE
        """Whether it is the application's."""
        self.data = data
        self.frame: bytes | None = None
        """As a WebSocket frame of a server, once somebody has needed that."""
        self._polling: bytes | None = None
        self._binary = bytes(data) if isinstance(data, (bytes, bytearray, memoryview)) else None
        self._text = "" if self._binary is not None else f"{packet_type:d}{_as_text(data, json)}"
        self.size = len(self._text if self._binary is None else self._binary)
        """About how much memory it takes while it waits."""
        if self._binary is not None and not self.is_message:
            raise ValueError(f"a {PacketType(packet_type).name} packet cannot carry bytes, only a MESSAGE can")

    def __repr__(self) -> str:
        return f"<Packet {PacketType(self.packet_type).name} {self.size} bytes>"

    @property
    def binary(self) -> bool:
        """Whether it carries bytes."""
        return self._binary is not None

    def websocket_message(self) -> str | bytes:
        """What one WebSocket message carries: bytes as they are, the rest as text."""
        return self._text if self._binary is None else self._binary

    def polling_bytes(self) -> bytes:
        """How it stands in a payload of long polling: bytes as ``b`` and base64, text as UTF-8.

        :raises UnicodeEncodeError: if the text has a lone surrogate; so encode before the packet is queued.
        """
        if self._polling is None:
            if self._binary is not None:
                self._polling = b"b" + base64.b64encode(self._binary)
            else:
                self._polling = self._text.encode("utf-8")
        return self._polling


def _as_text(data: Any, json: Json) -> str:
    if data is None:
        return ""
    if isinstance(data, str):
        return data
    return json.dumps(data, separators=(",", ":"))


def decode_text(text: str) -> tuple[PacketType, str | bytes]:
    """Take a packet from its text form, as long polling and text messages carry it.

    :return: its type and payload; the payload is bytes after ``b``.
    :raises RemoteProtocolError: for anything that is not a packet.
    """
    first = text[:1]
    if first == "4":
        return MESSAGE, text[1:]
    if first == "b":
        try:
            return MESSAGE, base64.b64decode(text[1:], validate=True)
        except (binascii.Error, ValueError) as exc:
            raise RemoteProtocolError("a packet that begins with 'b' is not followed by base64") from exc
    if first and first in "012356":
        return PacketType(int(first)), text[1:]
    if not first:
        raise RemoteProtocolError("an empty packet; a packet begins with a digit from 0 to 6, or with 'b'")
    raise RemoteProtocolError(f"a packet begins with {first!r}; it must begin with a digit from 0 to 6, or with 'b'")


def decode_json(text: str, json: Json = standard_json) -> Any:
    """What a text message means to a handler: JSON becomes its value, everything else stays text.

    Text that begins with a digit stays text. So does what only looks like JSON.
    """
    if text[:1] not in JSON_STARTS or not text:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
