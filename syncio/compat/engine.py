"""syncio's server and client as python-socketio wants them: a few names more, and one state told otherwise."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..engineio import Client, Retry, Server
from ..engineio.config import ServerConfig
from ..engineio.packet import MESSAGE, PING, Packet
from ..engineio.payload import encode_payload
from ..engineio.pending import PendingAnswer
from ..engineio.reasons import reason
from ..engineio.session import PollVerdict
from ..engineio.socket import Socket
from ..engineio.websocket_transport import WebSocketTransport
from ..errors import ConnectionError
from ..websocket import Event

__all__ = ["EngineClient", "EngineServer", "EngineSocket"]

LOST = (reason.SERVER_DISCONNECT, reason.TRANSPORT_CLOSE, reason.TRANSPORT_ERROR, reason.PING_TIMEOUT)
"""Reasons for which a connection is lost. A server that means it disconnects in Socket.IO's words; one that only ends
its connections is about to be restarted."""
FOREIGN = ("message_queue", "channel", "path", "resource", "manage_session")
"""Options of Flask-SocketIO, which arrive here as well."""


class Spied:
    """What the instrumentation takes for a WebSocket: it replaces these methods, and counts what is shown to them."""

    def __init__(self) -> None:
        self._came: str | bytes = ""

    def send(self, data: str | bytes) -> None:
        """A message leaves."""

    def wait(self) -> str | bytes:
        """The message that came."""
        return self._came

    def show(self, data: str | bytes) -> None:
        """A message has come."""
        self._came = data
        self.wait()


class EngineSocket(Socket):
    """A session that python-socketio's admin instrumentation can look into: it replaces these methods."""

    # Methods are replaced on the class, so no instance needs a dict.
    __slots__ = ("_spied",)

    def __init__(self, server: Server, sid: str, websocket: bool) -> None:
        super().__init__(server, sid, websocket)
        self._spied: Spied | None = None

    @property
    def says_goodbye(self) -> bool:
        """Not when the process ends: python-socketio's client comes back only to a server that said nothing."""
        return not self.server.is_shut

    @property
    def is_spied(self) -> bool:
        """Whether the messages of its WebSocket are shown to the instrumentation."""
        return self._spied is not None

    # ------------------------------------------------------------------ packets

    def send(self, packet: Packet) -> None:
        """Send a packet; a ping goes through `_send_ping`."""
        if packet.packet_type == PING:
            self._send_ping()
        else:
            self._send(packet)

    def _send(self, packet: Packet) -> None:
        if self._spied is not None:
            self._spied.send(packet.websocket_message())
        super().send(packet)

    def _send_ping(self) -> None:
        self._send(Packet(PING))

    def schedule_ping(self) -> None:
        """Pings need no appointment here: the heartbeat monitor sees to all of them."""

    # ------------------------------------------------------------------ polling

    def payload_received(self, packets: Sequence[Any], end: str | None) -> bool:
        """A POST brought packets; it goes through `handle_post_request`."""
        taken = super().payload_received(packets, end)
        if EngineSocket.handle_post_request is not _UNSEEN_POST:
            size = sum(len(data) + 1 for _, data in packets) + max(0, len(packets) - 1)
            self.handle_post_request({"CONTENT_LENGTH": size})
        return taken

    def handle_post_request(self, environ: Mapping[str, Any]) -> None:
        """The packets of a POST have been taken.

        :param environ: with its CONTENT_LENGTH.
        """

    def open_poll(self, poll: PendingAnswer) -> tuple[PollVerdict, list[Packet]]:
        """A GET has come; packets that wait for it go through the server's `_ok`."""
        verdict, packets = super().open_poll(poll)
        if packets:
            self._show_answer(packets)
        return verdict, packets

    def _deliver(self, delivery: tuple[Any, list[Packet]] | None) -> None:
        if delivery is not None:
            self._show_answer(delivery[1])
        super()._deliver(delivery)

    def _show_answer(self, packets: list[Packet]) -> None:
        if "_ok" in self.server.__dict__:
            self.server.__dict__["_ok"](packets)

    # ------------------------------------------------------------------ WebSocket

    def carry(self, websocket: WebSocketTransport) -> None:
        """From now on a WebSocket carries the session; it goes through `_websocket_handler`."""
        if EngineSocket._websocket_handler is not _UNSEEN_WEBSOCKET:
            self._websocket_handler(Spied())
        super().carry(websocket)

    def _websocket_handler(self, ws: Spied) -> None:
        self._spied = ws

    def websocket_received(self, websocket: WebSocketTransport, events: Sequence[Event], end: str | None) -> None:
        """A WebSocket brought messages."""
        if self._spied is not None:
            for event in events:
                if isinstance(event, (str, bytes)):
                    self._spied.show(event)
        super().websocket_received(websocket, events, end)


# What these are while nobody looks in.
_UNSEEN_POST = EngineSocket.handle_post_request
_UNSEEN_WEBSOCKET = EngineSocket._websocket_handler


class EngineServer(Server):
    """A `syncio.Server` with the names that python-socketio and its admin instrumentation touch."""

    socket_class = EngineSocket

    def __init__(self, **options: Any) -> None:
        known = {each.name for each in fields(ServerConfig) if each.init}
        super().__init__(**{name: value for name, value in options.items() if name in known})
        ignored = [name for name in options if name not in known and name not in FOREIGN]
        if ignored:
            # python-socketio hands on whatever it does not know itself.
            self.logger.warning("there are no options %s; they are ignored", ", ".join(ignored))

    @property
    def ping_interval_grace_period(self) -> float:
        """Seconds that come to the interval without the client being told."""
        return self.config.grace

    def send(self, sid: str, data: Any) -> None:
        """Send a message to a client; what is shown to the instrumentation has to be a packet."""
        socket = self.sockets.get(sid)
        if isinstance(socket, EngineSocket) and socket.is_spied:
            socket.send(Packet(MESSAGE, data, self.config.codec))
        else:
            super().send(sid, data)

    def _get_socket(self, sid: str) -> Socket:
        return self._socket(sid)

    def _ok(self, packets: Any = None, headers: Any = None, jsonp_index: int | None = None) -> dict[str, Any]:
        """The answer to a poll."""
        return {"status": "200 OK", "headers": list(headers or ()), "response": encode_payload(packets or ())}


class EngineClient(Client):
    """A `syncio.Client` that says 'connected' while it tells of a lost connection: that is the sign to reconnect."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._tells_of: str | None = None

    @property
    def state(self) -> str:
        """'disconnected', 'connected' or 'disconnecting'."""
        if self._tells_of is not None:
            return "connected" if self._tells_of in LOST else "disconnecting"
        return super().state

    def _fire(self, event: str, *arguments: Any) -> None:
        if event == "disconnect":
            self._tells_of = arguments[0] if arguments else ""
        try:
            super()._fire(event, *arguments)
        finally:
            if event == "disconnect":
                self._tells_of = None

    def connect(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        transports: str | Sequence[str] | None = None,
        engineio_path: str = "engine.io",
        retry: Retry | int | bool | None = None,
    ) -> None:
        """Connect, as `syncio.Client` does.

        :raises engineio.exceptions.ConnectionError: if it fails, with the server's answer as second argument.
        """
        try:
            super().connect(url, headers, transports, engineio_path, retry)
        except ConnectionError as exc:
            # Whichever engineio is imported: the caller compares with that one's.
            theirs: Callable[..., Exception] = importlib.import_module("engineio.exceptions").ConnectionError
            if isinstance(theirs, type) and isinstance(exc, theirs):
                raise
            raise theirs(exc.message, exc.answer) from exc
