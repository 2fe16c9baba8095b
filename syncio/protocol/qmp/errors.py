"""What can go wrong in a QMP session; the root of it is QMPError."""

from __future__ import annotations

from ..errors import ConnectError, ConnectTimeout, ProtocolError, StateError
from .message import DeserializationError, Message, UnexpectedTypeError
from .models import ErrorResponse

__all__ = [
    "BadReplyError",
    "ConnectError",
    "ConnectTimeout",
    "DeserializationError",
    "ExecInterruptedError",
    "ExecuteError",
    "GreetingError",
    "ListenerClosed",
    "ListenerError",
    "NegotiationError",
    "QMPBadPortError",
    "QMPError",
    "ServerParseError",
    "StateError",
    "UnexpectedTypeError",
]

QMPError = ProtocolError


class ExecuteError(QMPError):
    """The server answered a command with an error.

    :param error_response: its answer.
    :param sent: the command.
    :param received: the answer as it came.
    """

    def __init__(self, error_response: ErrorResponse, sent: Message, received: Message) -> None:
        super().__init__(error_response, sent, received)
        self.error = error_response
        self.sent = sent
        self.received = received

    @property
    def error_class(self) -> str:
        """For programs, for instance 'CommandNotFound'."""
        return self.error.error.class_

    def __str__(self) -> str:
        return self.error.error.desc


class ExecInterruptedError(QMPError):
    """The session ended before the answer came; `disconnect()` says why."""


class _MessageError(QMPError):
    """A message of the server is wrong.

    :param error_message: what is wrong.
    :param received: the message.
    """

    def __init__(self, error_message: str, received: Message) -> None:
        super().__init__(error_message, received)
        self.error_message = error_message
        self.received = received

    def __str__(self) -> str:
        return self.error_message


class BadReplyError(_MessageError):
    """A reply is neither a result nor an error.

    :param error_message: what is wrong.
    :param received: the reply.
    :param sent: the command.
    """

    def __init__(self, error_message: str, received: Message, sent: Message) -> None:
        super().__init__(error_message, received)
        self.args = (error_message, received, sent)
        self.sent = sent


class ServerParseError(_MessageError):
    """The server could not read what we sent, and cannot say which command that was. The session ends."""


class _BeginningError(QMPError):
    """The beginning of a session went wrong.

    :param error_message: the phase.
    :param exc: why.
    """

    def __init__(self, error_message: str, exc: Exception) -> None:
        super().__init__(error_message, exc)
        self.error_message = error_message
        self.exc = exc

    def __str__(self) -> str:
        return f"{self.error_message}: {self.exc.args[0] if isinstance(self.exc, KeyError) else self.exc}"


class GreetingError(_BeginningError):
    """The first message was no greeting."""


class NegotiationError(_BeginningError):
    """The server did not agree on capabilities."""


class ListenerError(QMPError):
    """A listener is registered twice, or is not registered."""


class ListenerClosed(ListenerError):
    """The session has ended, and all its events were taken."""


class QMPBadPortError(QMPError):
    """An address looks like host:port, and the port is none."""
