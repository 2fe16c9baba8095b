"""A client's WebSocket: its opening, packets out of messages, and messages out of packets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...errors import ConnectionError, HandshakeError, LocalError, RemoteProtocolError, StreamError
from ...streams import Stream
from ...websocket import ClientHandshake, CloseReceived, Connection, Event, ProtocolFailed, Role
from ..packet import CLOSE, MESSAGE, Packet, PacketType, decode_text
from ..reasons import reason
from .answer import read_answer
from .session import Sent

if TYPE_CHECKING:
    from ...runtime import Runtime
    from ...streams import SocketLike

__all__ = ["ClientWebSocket", "Packets"]

LINGER = 2.0
"""Seconds for our close frame to leave and for the server's to come."""
SEND_LIMIT = 1024 * 1024
"""Bytes that may wait to be sent before `send` waits."""
MAX_ANSWER = 65536
"""Bytes of a refusal's body that are kept."""

Packets = list[tuple[PacketType, "str | bytes"]]
Deliver = Callable[[Packets, "str | None"], None]


class ClientWebSocket:
    """The receiver of a connection that is opened as a WebSocket. Until `hand_over` it keeps the first packets.

    :param sock: the connection; it belongs to this from now on.
    :param handshake: our half of the opening handshake.
    :param max_message_size: the biggest message that is taken, in bytes.
    """

    name = "websocket"

    def __init__(self, runtime: Runtime, sock: SocketLike, handshake: ClientHandshake, max_message_size: int) -> None:
        self._runtime = runtime
        self._stream = Stream(runtime, sock)
        self._handshake = handshake
        self._connection = Connection(Role.CLIENT, max_message_size=max_message_size)
        self._deliver: Deliver = self._keep
        self._kept: list[tuple[Packets, str | None]] = []
        self._answered = runtime.event()
        self._heard = runtime.event()
        self._is_open = False
        self._body = bytearray()  # what a refusal says
        self._failure: HandshakeError | StreamError | None = None
        self._closing = False

    # ------------------------------------------------------------------ the opening

    def open(self, timeout: float) -> None:
        """Ask for the WebSocket and wait for the server's answer.

        :param timeout: in seconds.
        :raises ConnectionError: if it is not to be had; the connection is closed then.
        """
        self._stream.write(self._handshake.request())
        try:
            self._stream.start(self)
        except StreamError as exc:
            self._failure = exc
            self._answered.set()
        if not self._answered.wait(timeout):
            self.abandon()
            raise ConnectionError(f"the server did not answer the WebSocket handshake within {timeout:g} s")
        failure = self._failure
        if failure is None:
            return
        self.abandon()
        if isinstance(failure, HandshakeError):
            raise ConnectionError(
                f"the WebSocket was refused: {failure}", read_answer(bytes(self._body)), failure.status
            ) from failure
        raise ConnectionError(f"the connection broke in the WebSocket handshake: {failure}") from failure

    def _opening(self, data: bytes) -> bytes | None:
        """Take what was read of the answer; what follows it, or None."""
        if self._failure is None:
            try:
                upgraded = self._handshake.receive_data(data)
            except HandshakeError as exc:
                self._failure = exc
                self._body += self._handshake.received.partition(b"\r\n\r\n")[2][:MAX_ANSWER]
            else:
                if upgraded is None:
                    return None
                self._is_open = True
                self._answered.set()
                return upgraded.trailing
        else:
            self._body += data[: MAX_ANSWER - len(self._body)]
        # A refusal has words for people, as long as it says.
        if len(self._body) >= _content_length(self._failure):
            self._answered.set()
        return None

    # ------------------------------------------------------------------ the relay's side

    def data_received(self, data: bytes) -> None:
        """Bytes came: on the relay's duty worker."""
        if not self._is_open:
            rest = self._opening(data)
            if not rest:
                return
            data = rest
        connection = self._connection
        events = connection.receive_data(data)
        if connection.has_data:
            self._stream.write(connection.data_to_send())
        packets, end = _packets(events)
        if end is not None:
            self._closing = True
            self._stream.close(LINGER)
        if packets or end is not None:
            self._deliver(packets, end)

    def stream_ended(self, error: StreamError) -> None:
        """The connection ended without a close frame."""
        self._closing = True
        if not self._is_open:
            self._failure = self._failure or error
            self._answered.set()
        else:
            self._deliver([], reason.TRANSPORT_CLOSE)

    def _keep(self, packets: Packets, end: str | None) -> None:
        # Nothing more is read until somebody has understood this.
        self._kept.append((packets, end))
        self.pause()
        self._heard.set()

    def first_packets(self, timeout: float) -> Packets:
        """Wait for the first packets; they are still delivered to whom this is handed over.

        :param timeout: in seconds.
        :return: none if none came in that time.
        """
        self._heard.wait(timeout)
        return self._kept[0][0] if self._kept else []

    def hand_over(self, deliver: Deliver) -> None:
        """Deliver from now on.

        :param deliver: called on the relay, and here, with the packets of one read, and the reason of the end if they
            are the last.
        """
        self._deliver = deliver
        kept, self._kept = self._kept, []
        for packets, end in kept:
            deliver(packets, end)
        self.resume()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        self._stream.pause()

    def resume(self) -> None:
        """Read again."""
        self._stream.resume()

    # ------------------------------------------------------------------ out

    def send(self, packet: Packet, timeout: float | None = None) -> Sent:
        """Send a packet; waits while much waits already.

        :param timeout: in seconds; None for as long as the connection lasts.
        :return: what became of it.
        :raises UnicodeEncodeError: if its text has a lone surrogate.
        """
        message = packet.websocket_message()
        try:
            frame = self._connection.text(message) if isinstance(message, str) else self._connection.binary(message)
        except LocalError:
            return Sent.GONE  # it has closed in the meantime
        if not self._stream.write(frame, SEND_LIMIT):
            if packet.is_message and not self._stream.wait_for_room(SEND_LIMIT, self._runtime.event(), timeout):
                return Sent.GONE if self._stream.is_closed else Sent.FULL
            self._stream.write(frame)
        return Sent.TAKEN

    def close(self, tell: bool) -> None:
        """Let the connection end; never waits.

        :param tell: whether the server gets a CLOSE packet.
        """
        if self._closing:
            return
        if tell:
            self.send(Packet(CLOSE))
        self._closing = True
        self._deliver = _forget
        self._stream.write(self._connection.close(1000))
        self._stream.close(LINGER)

    def abandon(self) -> None:
        """Close at once, without a word."""
        self._closing = True
        self._deliver = _forget
        self._stream.close()


def _forget(packets: Packets, end: str | None) -> None:
    """The deliverer of a WebSocket that nobody wants any more."""


def _packets(events: list[Event]) -> tuple[Packets, str | None]:
    packets: Packets = []
    for event in events:
        if isinstance(event, bytes):
            packets.append((MESSAGE, event))
        elif isinstance(event, str):
            try:
                packets.append(decode_text(event))
            except RemoteProtocolError:
                return packets, reason.TRANSPORT_ERROR
        elif isinstance(event, CloseReceived):
            return packets, reason.TRANSPORT_CLOSE
        elif isinstance(event, ProtocolFailed):
            return packets, reason.TRANSPORT_ERROR
    return packets, None


def _content_length(failure: HandshakeError | StreamError | None) -> int:
    for name, value in getattr(failure, "headers", ()):
        if name.lower() == "content-length" and value.isascii() and value.isdigit():
            return min(int(value), MAX_ANSWER)
    return 0
