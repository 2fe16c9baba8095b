"""The one error tree of syncio.

Whose fault it is decides the class: what this side did wrong is a `LocalError`, what the peer did wrong is a
`RemoteError`, what the connection did is a `StreamError`. Nothing else leaves the library.
This module must not import anything of syncio.
"""

from __future__ import annotations

__all__ = [
    "BrokenStream",
    "BusyError",
    "ClosedStream",
    "ConfigurationError",
    "ConnectionError",
    "HandshakeError",
    "IllegalTransition",
    "LocalError",
    "MailboxClosed",
    "RemoteError",
    "RemoteProtocolError",
    "RequestTimeout",
    "StreamError",
    "SyncioError",
]


class SyncioError(Exception):
    """The root of every error that syncio raises on purpose."""


class LocalError(SyncioError):
    """This side asked for something that is not allowed now or ever."""


class ConfigurationError(LocalError, ValueError):
    """An option has a value that cannot work.

    :param option: the option's name.
    :param value: the value that was given.
    :param allowed: what is allowed, in words.
    """

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(option, value, allowed)
        self.option = option
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.option}={self.value!r} is not possible: {self.allowed}"


class IllegalTransition(LocalError):
    """A state machine was asked for a move that its table does not have.

    :param machine: the machine's name.
    :param state: the state it is in.
    :param wanted: the state it was asked to move to.
    """

    def __init__(self, machine: str, state: object, wanted: object) -> None:
        super().__init__(machine, state, wanted)
        self.machine = machine
        self.state = state
        self.wanted = wanted

    def __str__(self) -> str:
        return f"{self.machine} cannot move from {self.state} to {self.wanted}"


class BusyError(LocalError):
    """Another thread or greenlet is already doing this."""


class MailboxClosed(LocalError):
    """A mailbox was closed while, or before, somebody used it."""


class RequestTimeout(SyncioError, TimeoutError):
    """A blocking call used up the time it was given.

    :param operation: what was being waited for.
    :param timeout: the time it was given, in seconds.
    """

    def __init__(self, operation: str, timeout: float) -> None:
        super().__init__(operation, timeout)
        self.operation = operation
        self.timeout = timeout

    def __str__(self) -> str:
        return f"{self.operation} did not end within {self.timeout:g} s"


class RemoteError(SyncioError):
    """The peer did something wrong, or refused."""


class ConnectionError(RemoteError):
    """A client could not connect.

    :param message: what went wrong.
    :param answer: what the server said: its JSON as a value, or its text; None if it said nothing.
    :param status: the HTTP status of its answer, or None.
    """

    def __init__(self, message: str, answer: object = None, status: int | None = None) -> None:
        super().__init__(message, answer)
        self.message = message
        self.answer = answer
        self.status = status

    def __str__(self) -> str:
        return self.message if self.answer in (None, "") else f"{self.message}: {self.answer}"


class RemoteProtocolError(RemoteError):
    """The peer sent bytes that its protocol does not allow; the machine that raises this is closed.

    :param message: what was wrong with the bytes.
    :param code: the protocol's own number for it (a WebSocket close code, an Engine.IO error code), if it has one.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message, code)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return self.message


class HandshakeError(RemoteError):
    """An opening handshake cannot succeed.

    :param message: what was wrong.
    :param status: the HTTP status that answers it (server), or that answered it (client).
    :param headers: header fields that the answer must carry.
    """

    def __init__(self, message: str, status: int = 400, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, status, headers)
        self.message = message
        self.status = status
        self.headers = headers

    def __str__(self) -> str:
        return self.message


class StreamError(SyncioError):
    """A byte stream ended. `ClosedStream`: we ended it. `BrokenStream`: the peer or the network did."""


class ClosedStream(StreamError):
    """The stream was closed on this side."""


class BrokenStream(StreamError):
    """The peer or the network ended the stream; the operating system's error is the cause."""
