"""What a WebSocket connection tells the one who drives it. A message is not here: text is a `str`, binary is `bytes`.

This module must not import anything but dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CloseReceived", "Event", "PingReceived", "PongReceived", "ProtocolFailed"]


@dataclass(frozen=True, slots=True)
class PingReceived:
    """The peer sent a ping; its pong is queued already.

    :param payload: at most 125 bytes.
    """

    payload: bytes


@dataclass(frozen=True, slots=True)
class PongReceived:
    """The peer sent a pong, asked for or not.

    :param payload: at most 125 bytes.
    """

    payload: bytes


@dataclass(frozen=True, slots=True)
class CloseReceived:
    """The peer sent its close frame, or went away without one (code 1006). Nothing more comes from it.

    :param code: the peer's close code; None when its frame had none.
    :param reason: the peer's words; at most 123 bytes of UTF-8.
    """

    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class ProtocolFailed:
    """The peer broke the protocol or a limit; the connection is closed, and its close frame is queued.

    :param code: the close code that the peer is told.
    :param reason: what was wrong.
    """

    code: int
    reason: str


Event = str | bytes | PingReceived | PongReceived | CloseReceived | ProtocolFailed
