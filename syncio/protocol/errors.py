"""What can go wrong with a protocol's session on this side."""

from __future__ import annotations

from enum import Enum
from typing import Any

from ..errors import SyncioError

__all__ = ["ConnectError", "ConnectTimeout", "OutgoingFull", "ProtocolError", "StateError"]


class ProtocolError(SyncioError):
    """The root of what `syncio.protocol` raises on purpose. `syncio.protocol.qmp` calls it QMPError."""


class ConnectError(ProtocolError):
    """A session could not be established; the object is IDLE again.

    :param error_message: the phase that failed.
    :param exc: why; also the `__cause__`.
    """

    def __init__(self, error_message: str, exc: BaseException) -> None:
        super().__init__(error_message, exc)
        self.error_message = error_message
        self.exc = exc

    def __str__(self) -> str:
        cause = str(self.exc)
        if not cause:
            kind = type(self.exc)
            cause = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        return f"{self.error_message}: {cause}"


class ConnectTimeout(ConnectError, TimeoutError):
    """It took longer than it was given."""


class StateError(ProtocolError):
    """This cannot be done in the state in which the object is; nothing was changed.

    :param error_message: the state in words.
    :param state: the state.
    :param required: the one that is needed.
    """

    def __init__(self, error_message: str, state: Enum, required: Enum) -> None:
        super().__init__(error_message, state, required)
        self.error_message = error_message
        self.state: Any = state
        self.required: Any = required

    def __str__(self) -> str:
        return self.error_message


class OutgoingFull(ProtocolError, BufferError):
    """The reader wanted to send more than may wait for a peer that does not read.

    :param waiting: bytes that wait already.
    :param limit: how many may.
    """

    def __init__(self, waiting: int, limit: int) -> None:
        super().__init__(waiting, limit)
        self.waiting = waiting
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"{self.waiting} bytes wait already for a peer that does not read them, and {self.limit} may: "
            "let _on_message send less, have another task send, or raise send_limit"
        )
