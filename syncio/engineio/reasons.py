"""Why a session ended: what the disconnect handler is told."""

from __future__ import annotations

__all__ = ["reason"]


class reason:
    """The reasons, as the field spells them."""

    SERVER_DISCONNECT = "server disconnect"
    CLIENT_DISCONNECT = "client disconnect"
    PING_TIMEOUT = "ping timeout"
    TRANSPORT_CLOSE = "transport close"
    TRANSPORT_ERROR = "transport error"
