"""The upgrade of one session from polling to a WebSocket: open, probe, "5", within its time.

Protocol: "Upgrade" of the Engine.IO protocol, version 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..websocket import Event
from .packet import PONG, UPGRADE, Packet
from .session import TransportState
from .websocket_transport import WebSocketTransport

if TYPE_CHECKING:
    from ..runtime import Timer
    from .socket import Socket

__all__ = ["Upgrade"]

PROBE = "2probe"
LAST_STEP = f"{UPGRADE:d}"


class Upgrade:
    """One attempt. It ends by carrying the session over, or by `abandon`, after which another may be made.

    :param socket: whose session wants to move.
    :param websocket: what it wants to move to.
    """

    __slots__ = ("_socket", "_timer", "websocket")

    def __init__(self, socket: Socket, websocket: WebSocketTransport) -> None:
        self._socket = socket
        self.websocket = websocket
        runtime = socket.server.runtime
        until = runtime.now() + socket.server.config.upgrade_timeout
        self._timer: Timer = runtime.relay().call_at(until, self.abandon)

    def received(self, messages: Sequence[Event], end: str | None) -> Sequence[Event] | None:
        """Go the steps that messages ask for.

        :param end: why the WebSocket ended behind them, if it did.
        :return: what came behind the last step; None while the session is still on polling.
        """
        for index, message in enumerate(messages):
            if not isinstance(message, (str, bytes)):
                continue  # a ping, a pong, or the end that is told separately
            state = self._socket.machine.transport
            if message == PROBE and state is TransportState.PROBING:
                self.websocket.send(Packet(PONG, "probe"))
                self._socket.rest_polling()
            elif message == LAST_STEP and state is TransportState.UPGRADING:
                self._timer.cancel()
                self._socket.carry(self.websocket)
                return messages[index + 1 :]
            else:
                self.abandon()
                return None
        if end is not None:
            self.abandon()
        return None

    def abandon(self) -> None:
        """It came to nothing: the WebSocket closes, polling goes on."""
        self._timer.cancel()
        if self._socket.resume_polling(self):
            self.websocket.close(1002, "the upgrade failed")

    def close(self, words: str) -> None:
        """The session ends."""
        self._timer.cancel()
        self.websocket.close(1001, words)
