"""Message protocols over sockets, on threads or greenlets, and a QMP client."""

from .errors import ConnectError, ConnectTimeout, OutgoingFull, ProtocolError, StateError
from .framed import FramedProtocol
from .json_lines import JSONLinesProtocol
from .protocol import Protocol
from .runstate import Runstate, RunstateWatch, require

__all__ = [
    "ConnectError",
    "ConnectTimeout",
    "FramedProtocol",
    "JSONLinesProtocol",
    "OutgoingFull",
    "Protocol",
    "ProtocolError",
    "Runstate",
    "RunstateWatch",
    "StateError",
    "require",
]
