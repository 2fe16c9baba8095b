"""A client's long polling: one task that asks for news, and POSTs that the relay's pool makes.

Protocol: "HTTP long-polling" of the Engine.IO protocol, version 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ...errors import ConnectionError, LocalError, RemoteProtocolError
from ..packet import CLOSE, Packet, PacketType
from ..payload import decode_payload, encode_payload
from ..reasons import reason
from .session import ClientSession, Sent
from .web import EngineUrl, Web

if TYPE_CHECKING:
    from ...runtime import Event, Runtime
    from .websocket import ClientWebSocket

__all__ = ["ClientPolling"]

MAX_PACKETS = 65536
"""The most packets that one answer may bring."""
BATCH = 16
"""The most packets in one POST: what every server takes."""
SEND_LIMIT = 1024 * 1024
"""Bytes that may wait to be sent before `send` waits."""
GRACE = 5.0
"""Seconds that an answer may be later than the server's own heartbeat allows."""

Packets = list[tuple[PacketType, "str | bytes"]]
Deliver = Callable[[Packets, "str | None"], None]


class ClientPolling:
    """One session over long polling. Nothing is sent or asked before `start`.

    :param web: makes the requests.
    :param headers: for every request.
    :param stamp: whether each URL gets a parameter of its own, against caches.
    """

    name = "polling"

    def __init__(self, runtime: Runtime, web: Web, url: EngineUrl, headers: Mapping[str, str], stamp: bool) -> None:
        self._runtime = runtime
        self._web = web
        self._url = url
        self._headers = headers
        self._stamp = stamp
        self._lock = runtime.lock()
        self._queue: list[Packet] = []
        self._size = 0
        self._room: list[Event] = []
        self._posting = True  # until `start`: nothing is posted while an upgrade may still come
        self._has_begun = False
        self._polling = False
        self._stopped = False
        self._sid = ""
        self._patience = 0.0
        self._max_payload = 0
        self._deliver: Deliver | None = None

    def open(self) -> tuple[ClientSession, Packets]:
        """Begin a session.

        :return: it, and the packets that came with its handshake.
        :raises ConnectionError: if the server refuses, or says something else.
        """
        body = self._web.request("GET", self._address(), self._headers)
        try:
            packets = _decode(body)
            session = ClientSession.of(packets, self._runtime.now())
        except RemoteProtocolError as exc:
            raise ConnectionError(f"this is no Engine.IO server: {exc}") from exc
        self._sid = session.sid
        self._patience = session.patience + GRACE
        self._max_payload = session.max_payload
        return session, packets

    def start(self, deliver: Deliver) -> None:
        """Ask for news, and post what waits.

        :param deliver: called with the packets of an answer, and with the reason for which polling ended.
        """
        self._deliver = deliver
        self._polling = True
        self._runtime.spawn(self._poll)
        self._begin_posting()

    def _begin_posting(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._runtime.relay().submit(self)

    def _address(self) -> str:
        query = {"sid": self._sid} if self._sid else {}
        if self._stamp:
            query["t"] = f"{self._runtime.now():.6f}"
        return self._url.full("polling", **query)

    # ------------------------------------------------------------------ in

    @property
    def is_polling(self) -> bool:
        """Whether a GET is under way, or another one will be."""
        return self._polling

    @property
    def is_posting(self) -> bool:
        """Whether a POST is under way, or another one will be."""
        return self._posting

    def _poll(self) -> None:
        try:
            while not self._stopped:
                packets = _decode(self._web.request("GET", self._address(), self._headers, patience=self._patience))
                if self._deliver is not None and not self._stopped:
                    self._deliver(packets, None)
        except (ConnectionError, RemoteProtocolError):
            self._end(reason.TRANSPORT_ERROR)
        finally:
            self._polling = False

    def _end(self, why: str) -> None:
        if not self._stopped:
            self.stop()
            if self._deliver is not None:
                self._deliver([], why)

    def stop(self) -> None:
        """Ask and send no more. A request that is under way ends when the server answers it."""
        with self._lock:
            self._stopped = True
            self._queue.clear()
            self._size = 0
        self._wake()

    # ------------------------------------------------------------------ out

    def send(self, packet: Packet, timeout: float | None = None) -> Sent:
        """Send a packet; waits while much waits already.

        :param timeout: in seconds; None for as long as the session lasts.
        :return: what became of it.
        :raises LocalError: for a packet that is bigger than the server takes.
        :raises UnicodeEncodeError: if its text has a lone surrogate.
        """
        size = len(packet.polling_bytes())
        if self._max_payload and size > self._max_payload:
            raise LocalError(
                f"the message has {size} bytes as long polling sends it, and the server takes {self._max_payload} at "
                "most: send it in parts, or raise the server's max_http_buffer_size"
            )
        until = None if timeout is None else self._runtime.now() + timeout
        while True:
            with self._lock:
                if self._stopped:
                    return Sent.GONE
                # Before `start` nobody makes room: what the connect handler sends waits for that, all of it.
                if self._size < SEND_LIMIT or not packet.is_message or not self._has_begun:
                    self._queue.append(packet)
                    self._size += size
                    begins, self._posting = not self._posting, True
                    break
                event = self._runtime.event()
                self._room.append(event)
            if not event.wait(None if until is None else max(0.0, until - self._runtime.now())):
                return Sent.FULL
        if begins:
            self._runtime.relay().submit(self)
        return Sent.TAKEN

    def run(self) -> None:
        """Post what waits; called by the relay's pool, one at a time."""
        while batch := self._take():
            try:
                self._web.request("POST", self._address(), self._headers, encode_payload(batch))
            except ConnectionError:
                self._end(reason.TRANSPORT_ERROR)

    def _take(self) -> list[Packet]:
        with self._lock:
            batch, size = 0, 0
            for packet in self._queue[:BATCH]:
                more = len(packet.polling_bytes()) + 1
                if batch and self._max_payload and size + more - 1 > self._max_payload:
                    break
                batch += 1
                size += more
            taken, self._queue = self._queue[:batch], self._queue[batch:]
            self._size -= size - batch
            if not taken:
                self._posting = False
        self._wake()
        return taken

    def _wake(self) -> None:
        with self._lock:
            waiting, self._room = self._room, []
        for event in waiting:
            event.set()

    def close(self, tell: bool, timeout: float) -> None:
        """End polling.

        :param tell: whether the server gets a CLOSE packet, behind all that waits.
        :param timeout: seconds that this may take.
        """
        if tell:
            until = self._runtime.now() + timeout
            self.send(Packet(CLOSE), 0.0)
            self._begin_posting()
            while self._posting and not self._stopped and self._runtime.now() < until:
                event = self._runtime.event()
                with self._lock:
                    self._room.append(event)
                event.wait(min(0.05, timeout))
        self.stop()

    def move(self, websocket: ClientWebSocket, switch: Callable[[], None]) -> None:
        """Send what waits over a WebSocket instead; possible until `start`.

        :param switch: called in the moment in which nothing waits any more: new packets go elsewhere from then on.
        """
        while True:
            with self._lock:
                packets, self._queue, self._size = self._queue, [], 0
                if not packets:
                    self._stopped = True
                    switch()
                    break
            for packet in packets:
                websocket.send(packet)
        self._wake()


def _decode(body: bytes) -> Packets:
    decoded = decode_payload(body, MAX_PACKETS)
    if decoded.error is not None:
        raise decoded.error
    return decoded.packets
