"""Packets and payloads with the methods that they have in python-engineio."""

from __future__ import annotations

import json as standard_json
from typing import Any

from ..engineio import Packet as OwnPacket
from ..engineio import PacketType
from ..engineio.packet import MESSAGE, NOOP, decode_json, decode_text
from ..engineio.payload import SEPARATOR, decode_jsonp_body, encode_jsonp, encode_payload
from ..errors import RemoteProtocolError

__all__ = ["Packet", "Payload"]


class Packet(OwnPacket):
    """A packet that can also be read.

    :param packet_type: its type.
    :param data: str, bytes, or anything that goes into JSON; None for nothing.
    :param encoded_packet: what a packet is to be read from; type and data are ignored then.
    """

    __slots__ = ("__dict__",)
    json: Any = standard_json

    def __init__(self, packet_type: int = NOOP, data: Any = None, encoded_packet: str | bytes | None = None) -> None:
        if encoded_packet is not None:
            packet_type, data = self.read(encoded_packet)
        super().__init__(PacketType(packet_type), data, self.json)

    @classmethod
    def read(cls, encoded_packet: str | bytes) -> tuple[PacketType, Any]:
        """Type and data of an encoded packet.

        :raises ValueError: if it is none.
        """
        if isinstance(encoded_packet, (bytes, bytearray)):
            return MESSAGE, bytes(encoded_packet)
        try:
            packet_type, data = decode_text(encoded_packet)
        except RemoteProtocolError as exc:
            raise ValueError(str(exc)) from exc
        return packet_type, decode_json(data, cls.json) if isinstance(data, str) else data

    def encode(self, b64: bool = False) -> str | bytes:
        """What travels.

        :param b64: whether bytes become base64, as in long polling.
        """
        return self.polling_bytes().decode() if b64 else self.websocket_message()

    def decode(self, encoded_packet: str | bytes) -> None:
        """Become what an encoded packet says.

        :raises ValueError: if it is none.
        """
        packet_type, data = self.read(encoded_packet)
        super().__init__(packet_type, data, self.json)


class Payload:
    """Several packets in one body.

    :param packets: the packets.
    :param encoded_payload: what they are to be read from; the others are ignored then.
    """

    max_decode_packets = 16

    def __init__(self, packets: list[Any] | None = None, encoded_payload: str | None = None) -> None:
        self.packets = list(packets or ())
        if encoded_payload is not None:
            self.decode(encoded_payload)

    def encode(self, jsonp_index: int | None = None) -> str:
        """The body, as a script if there is an index."""
        body = encode_payload(self.packets)
        return (body if jsonp_index is None else encode_jsonp(body, jsonp_index)).decode()

    def decode(self, encoded_payload: str) -> None:
        """Read a body, also one that a form brings for JSONP.

        :raises ValueError: if it is none, or has too many packets.
        """
        if encoded_payload.startswith("d="):
            encoded_payload = decode_jsonp_body(encoded_payload.encode()).decode()
        encoded_packets = encoded_payload.split(SEPARATOR, self.max_decode_packets) if encoded_payload else []
        if len(encoded_packets) > self.max_decode_packets:
            raise ValueError(f"a body has more than {self.max_decode_packets} packets")
        self.packets = [Packet(encoded_packet=each) for each in encoded_packets]
