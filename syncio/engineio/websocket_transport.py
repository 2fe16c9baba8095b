"""A session's WebSocket: from bytes to packets, and from packets to frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LocalError, StreamError
from ..runtime import Runtime
from ..streams import Kept, Stream
from ..websocket import TEXT_HEADS, CloseReceived, Connection, ProtocolFailed, encode_binary, encode_text
from .packet import Packet
from .reasons import reason

if TYPE_CHECKING:
    from .socket import Socket

__all__ = ["WebSocketTransport"]

CLOSE_LINGER = 2.0
"""Seconds for our close frame to leave and for the peer's to come."""

MESSAGE_HEADS = tuple(head + b"4" for head in TEXT_HEADS[1:])
"""What stands before the text of a message of so many bytes: the frame's head and the packet's type."""
SHORT = len(MESSAGE_HEADS)

_ENDS: dict[type, str] = {CloseReceived: reason.TRANSPORT_CLOSE, ProtocolFailed: reason.TRANSPORT_ERROR}


class WebSocketTransport:
    """The receiver of an adopted stream.

    :param socket: the session's driver.
    :param stream: the connection, whose handshake is done.
    :param connection: the WebSocket machine.
    """

    __slots__ = ("_connection", "_deflating", "_limit", "_plain", "_runtime", "_socket", "_stream", "closing")

    def __init__(self, runtime: Runtime, socket: Socket, stream: Stream, connection: Connection) -> None:
        self._runtime = runtime
        self._socket = socket
        self._stream = stream
        self._connection = connection
        self._plain = connection.deflate is None
        self._limit = socket.server.config.send_buffer_limit
        self._deflating = runtime.lock()
        self.closing = False

    @property
    def buffered(self) -> int:
        """Bytes that the client's connection has not taken yet."""
        return self._stream.buffered

    @property
    def is_paused(self) -> bool:
        """Whether we have stopped reading, so that the client's silence is our doing."""
        return self._stream.is_paused

    # ------------------------------------------------------------------ in

    def data_received(self, data: bytes) -> None:
        """Bytes came: on the relay's duty worker."""
        connection = self._connection
        events = connection.receive_data(data)
        end: str | None = None
        if connection.has_data:
            self._stream.write(connection.data_to_send())
            if self._stream.buffered > self._limit:
                end = reason.TRANSPORT_ERROR  # it pings and does not read our pongs
        # What ends the connection is always the last event; pings and pongs have been dealt with.
        if events and (kind := events[-1].__class__) is not str and kind in _ENDS:
            end = _ENDS[kind]
        if end is not None:
            self.closing = True
            self._stream.close(CLOSE_LINGER)
        self._socket.websocket_received(self, events, end)

    def stream_ended(self, error: StreamError) -> None:
        """The connection ended without a close frame, or after one."""
        self.closing = True
        self._socket.websocket_received(self, [], reason.TRANSPORT_CLOSE)

    def pause(self) -> None:
        """Read nothing until `resume`."""
        self._stream.pause()

    def resume(self) -> None:
        """Read again."""
        self._stream.resume()

    # ------------------------------------------------------------------ out

    def send(self, packet: Packet) -> None:
        """Write a packet as one message, however much waits.

        :raises UnicodeEncodeError: if its text has a lone surrogate.
        """
        if not self.closing:
            self._stream.write(self._frame(packet))

    def offer(self, packet: Packet) -> bool:
        """Write a packet as one message, unless more would wait than may.

        :return: False if it was not written for that.
        :raises UnicodeEncodeError: if its text has a lone surrogate.
        """
        if self.closing:
            return True
        frame = packet.frame
        if frame is None or not self._plain:
            # Only what is written may be deflated: the peer's window has to see the same bytes.
            if not self._plain and self.buffered + packet.size > self._limit:
                return False
            frame = self._frame(packet)
        return self._stream.write(frame, self._limit if packet.is_message else None)

    def send_text(self, data: str) -> bool:
        """Write a message of text at once, without a packet, if it is to leave as it is and there is room for it.

        :return: False if it takes `send`, or more than that.
        :raises UnicodeEncodeError: if it has a lone surrogate.
        """
        if not self._plain or self.closing:
            return False
        payload = data.encode()
        size = len(payload)
        # What `encode_text` does, without the call: 30 ns.
        frame = MESSAGE_HEADS[size] + payload if size < SHORT else encode_text("4" + data)
        return self._stream.write(frame, self._limit)

    def send_binary(self, data: bytes) -> bool:
        """The same for a message of bytes."""
        return self._plain and not self.closing and self._stream.write(encode_binary(data), self._limit)

    def _frame(self, packet: Packet) -> bytes:
        frame = packet.frame if self._plain else self._deflated(packet)
        if frame is None:
            message = packet.websocket_message()
            frame = packet.frame = encode_text(message) if isinstance(message, str) else encode_binary(message)
        return frame if packet.is_message else Kept(frame)

    def _deflated(self, packet: Packet) -> bytes:
        message = packet.websocket_message()
        connection = self._connection
        with self._deflating:
            try:
                return connection.text(message) if isinstance(message, str) else connection.binary(message)
            except LocalError:
                return b""  # it has closed in the meantime

    def drop_oldest(self, size: int) -> int:
        """Forget the oldest messages that wait; returns how many bytes."""
        return self._stream.drop_oldest(size)

    def wait_for_room(self, limit: int, timeout: float) -> bool:
        """Block until fewer than `limit` bytes wait; False after `timeout` seconds or the end."""
        return self._stream.wait_for_room(limit, self._runtime.event(), timeout)

    def close(self, code: int = 1000, words: str = "") -> None:
        """Say goodbye and let the connection end; never waits."""
        if self.closing:
            return
        self.closing = True
        self._stream.write(self._connection.close(code, words))
        self._stream.close(CLOSE_LINGER)
