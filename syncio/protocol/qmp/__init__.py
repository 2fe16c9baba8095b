"""QMP, the QEMU Machine Protocol: a client for QEMU, its storage daemon and its guest agent."""

from .client import QMPClient
from .errors import (
    BadReplyError,
    ConnectError,
    ConnectTimeout,
    DeserializationError,
    ExecInterruptedError,
    ExecuteError,
    GreetingError,
    ListenerClosed,
    ListenerError,
    NegotiationError,
    QMPBadPortError,
    QMPError,
    ServerParseError,
    StateError,
    UnexpectedTypeError,
)
from .events import EventListener
from .guest_agent import GuestAgentClient
from .legacy import QEMUMonitorProtocol
from .message import Message
from .models import ErrorInfo, ErrorResponse, Greeting, QMPGreeting

__all__ = [
    "BadReplyError",
    "ConnectError",
    "ConnectTimeout",
    "DeserializationError",
    "ErrorInfo",
    "ErrorResponse",
    "EventListener",
    "ExecInterruptedError",
    "ExecuteError",
    "Greeting",
    "GreetingError",
    "GuestAgentClient",
    "ListenerClosed",
    "ListenerError",
    "Message",
    "NegotiationError",
    "QEMUMonitorProtocol",
    "QMPBadPortError",
    "QMPClient",
    "QMPError",
    "QMPGreeting",
    "ServerParseError",
    "StateError",
    "UnexpectedTypeError",
]
