"""WebSocket (RFC 6455) and permessage-deflate (RFC 7692) without I/O, for both ends.

A handshake, then a `Connection`: octets go in, messages and events come out, octets to be written come out.
Nothing here may import threading, gevent, socket, selectors or time.
"""

from .connection import STATES, Connection, Role, State
from .deflate import DeflateParameters
from .events import CloseReceived, Event, PingReceived, PongReceived, ProtocolFailed
from .frames import TEXT_HEADS, CloseCode, Opcode, apply_mask, encode_binary, encode_frame, encode_text
from .handshake import ClientHandshake, ServerHandshake, Upgraded, is_upgrade

__all__ = [
    "STATES",
    "TEXT_HEADS",
    "ClientHandshake",
    "CloseCode",
    "CloseReceived",
    "Connection",
    "DeflateParameters",
    "Event",
    "Opcode",
    "PingReceived",
    "PongReceived",
    "ProtocolFailed",
    "Role",
    "ServerHandshake",
    "State",
    "Upgraded",
    "apply_mask",
    "encode_binary",
    "encode_frame",
    "encode_text",
    "is_upgrade",
]
