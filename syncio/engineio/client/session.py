"""The client's session machine: packets in, messages and answers out, and the deadline of the next ping. Pure.

Protocol: "Engine.IO protocol", version 4: handshake, heartbeat, packets that a server may send.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from ...errors import RemoteProtocolError
from ...states import Transitions
from ..packet import CLOSE, MESSAGE, NOOP, OPEN, PING, PONG, Packet, PacketType
from ..reasons import reason

__all__ = ["CLIENT_STATES", "ClientSession", "ClientState", "Received", "Sent"]


class ClientState(Enum):
    """Where a client is."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTING = "disconnecting"


DISCONNECTED, CONNECTING, CONNECTED, DISCONNECTING = ClientState

CLIENT_STATES = Transitions(
    "client",
    {
        DISCONNECTED: (CONNECTING,),
        CONNECTING: (CONNECTED, DISCONNECTED),
        CONNECTED: (DISCONNECTING, DISCONNECTED),
        DISCONNECTING: (DISCONNECTED,),
    },
)


class Sent(Enum):
    """What became of a packet."""

    TAKEN = "taken"
    FULL = "full"  # there was no room in time
    GONE = "gone"  # this transport carries the session no more


LEAST_PING = 0.001
"""Seconds."""


class Received(NamedTuple):
    """What packets mean.

    :param messages: for the application.
    :param answers: packets to be sent back.
    :param end: the reason for which the session ends behind them, if it does.
    """

    messages: list[str | bytes]
    answers: list[Packet]
    end: str | None


class ClientSession:
    """One session, from its OPEN packet to its end."""

    __slots__ = ("deadline", "max_payload", "ping_interval", "ping_timeout", "sid", "upgrades")

    def __init__(self, handshake: str, now: float) -> None:
        """Begin with what the server's OPEN packet says.

        :param handshake: its JSON.
        :param now: the monotonic time.
        :raises RemoteProtocolError: if something is missing or cannot be.
        """
        try:
            said = json.loads(handshake)
            self.sid = str(said["sid"])
            self.upgrades = [str(name) for name in said.get("upgrades", ())]
            self.ping_interval = float(said["pingInterval"]) / 1000
            self.ping_timeout = float(said["pingTimeout"]) / 1000
            self.max_payload = int(said.get("maxPayload") or 0)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as exc:
            raise RemoteProtocolError(f"the server's OPEN packet cannot be understood: {exc!r}") from exc
        if not self.sid or not self.ping_interval >= LEAST_PING or not self.ping_timeout >= 0:
            raise RemoteProtocolError("the server's OPEN packet has no sid, or times that cannot be")
        self.deadline = 0.0
        self.alive(now)

    @classmethod
    def of(cls, packets: list[tuple[PacketType, str | bytes]], now: float) -> ClientSession:
        """Begin with the first packet that came; it is taken out of the list.

        :raises RemoteProtocolError: if it is no OPEN packet.
        """
        if not packets or packets[0][0] is not OPEN:
            raise RemoteProtocolError("the server did not begin with an OPEN packet")
        return cls(str(packets.pop(0)[1]), now)

    @property
    def patience(self) -> float:
        """How long the server may be silent, in seconds."""
        return self.ping_interval + self.ping_timeout

    def alive(self, now: float) -> None:
        """The server has said something."""
        self.deadline = now + self.patience

    def received(self, packets: Iterable[tuple[PacketType, str | bytes]], now: float) -> Received:
        """Take packets in their order. What comes after the end is not looked at."""
        self.alive(now)
        messages: list[str | bytes] = []
        answers: list[Packet] = []
        for packet_type, data in packets:
            if packet_type is MESSAGE:
                messages.append(data)
            elif packet_type is PING:
                answers.append(Packet(PONG, data))
            elif packet_type is CLOSE:
                return Received(messages, answers, reason.SERVER_DISCONNECT)
            elif packet_type is not NOOP and packet_type is not PONG:
                return Received(messages, answers, reason.TRANSPORT_ERROR)
        return Received(messages, answers, None)
