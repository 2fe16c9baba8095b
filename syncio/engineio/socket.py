"""The server's side of one client: drives the session machine, its polls and its WebSocket, and its lane of handlers.

Every method decides under the lock what is to be done, and does it after the lock is released.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import RemoteProtocolError
from ..heartbeat import Watch, monitor_of
from ..runtime import Lane
from ..websocket import Event
from .answers import error
from .backpressure import make_room
from .packet import CLOSE, JSON_STARTS, MESSAGE, NOOP, PING, PONG, Packet, PacketType, decode_json, decode_text
from .payload import encode_payload
from .pending import PendingAnswer
from .reasons import reason
from .session import Farewell, PollVerdict, Session, TransportState
from .upgrade import Upgrade
from .websocket_transport import WebSocketTransport

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Socket"]

LANE_LIMIT = 256
"""Messages that may wait for one session's handler before its reading stops."""
SETTLE = 0.01
"""Seconds for which the answer to a POST of several messages waits for its handlers."""
NOOP_DELAY = 0.02
"""Seconds for which a GET in the middle of an upgrade waits for its end."""


class Socket:
    """One client.

    :param server: whose client it is.
    :param sid: its session id.
    :param websocket: whether it begins on a WebSocket.
    """

    __slots__ = (
        "_beat",
        "_doomed",
        "_gone",
        "_lock",
        "_upgrade",
        "_user_session",
        "lane",
        "machine",
        "server",
        "sid",
        "websocket",
    )

    def __init__(self, server: Server, sid: str, websocket: bool) -> None:
        config, runtime = server.config, server.runtime
        self.server = server
        self.sid = sid
        self._lock = runtime.lock()
        interval = config.interval + config.grace
        self.machine = Session(websocket, runtime.now(), interval, config.ping_timeout)
        limit = LANE_LIMIT if config.async_handlers else 0
        self.lane = Lane(runtime.relay(), self._lock, self._handle, config.handlers_per_session, limit)
        self._user_session: dict[str, Any] | None = None
        self.websocket: WebSocketTransport | None = None  # set when it carries the session
        self._upgrade: Upgrade | None = None  # set while one tries to
        self._beat: Watch | None = None
        self._doomed = False  # closed by its own connect handler
        self._gone = False  # its disconnect handler was called

    def __repr__(self) -> str:
        return f"<Socket {self.sid} {self.machine.state.value} on {self.machine.transport.value}>"

    # ------------------------------------------------------------------ what the server tells its users

    @property
    def session(self) -> dict[str, Any]:
        """The user's session: a dict that lives as long as this."""
        if self._user_session is None:
            self._user_session = {}
        return self._user_session

    @session.setter
    def session(self, value: dict[str, Any]) -> None:
        self._user_session = value

    @property
    def upgraded(self) -> bool:
        """Whether a WebSocket carries the session."""
        return self.machine.transport is TransportState.WEBSOCKET

    @property
    def closed(self) -> bool:
        """Whether no messages flow any more."""
        return self.machine.reason is not None

    @property
    def says_goodbye(self) -> bool:
        """Whether the client gets a CLOSE packet when the server ends the session."""
        return True

    @property
    def buffered(self) -> int:
        """Bytes that wait for the client."""
        websocket = self.websocket
        return websocket.buffered if websocket is not None else self.machine.outbox_size

    # ------------------------------------------------------------------ the beginning

    def accept(self) -> list[Packet]:
        """The connect handler accepted: the session is open. Returns what it has queued."""
        with self._lock:
            self.machine.accept()
            packets = self.machine.take()
        if self.server.config.monitor_clients:
            self._beat = monitor_of(self.server.runtime).watch(self.machine.next_ping, self.check)
        if self._doomed:
            self.close()
        return packets

    def reject(self) -> None:
        """The connect handler rejected."""
        with self._lock:
            self.machine.reject()

    # ------------------------------------------------------------------ out

    def send(self, packet: Packet) -> None:
        """Send a packet on whichever transport there is; never blocks, but with the policy 'block'.

        :raises UnicodeEncodeError: if its text has a lone surrogate.
        """
        websocket = self.websocket
        if websocket is not None:
            if not websocket.offer(packet) and make_room(self, packet):
                websocket.send(packet)
            return
        packet.polling_bytes()
        roomy = self.machine.outbox_size + packet.size <= self.server.config.send_buffer_limit
        if not roomy and not make_room(self, packet):
            return
        with self._lock:
            websocket = self.websocket
            queued = websocket is None and self.machine.queue(packet)
            delivery = self.machine.deliver() if queued else None
        if websocket is not None:
            websocket.send(packet)
        self._deliver(delivery)

    def _deliver(self, delivery: tuple[Any, list[Packet]] | None) -> None:
        if delivery is not None:
            poll, packets = delivery
            poll.answer(encode_payload(packets))

    def drop_oldest(self, size: int) -> None:
        """Forget the oldest messages that wait, about `size` bytes of them."""
        websocket = self.websocket
        if websocket is not None:
            websocket.drop_oldest(size)
            return
        with self._lock:
            self.machine.drop_oldest(size)

    # ------------------------------------------------------------------ in

    def websocket_received(self, websocket: WebSocketTransport, events: Sequence[Event], end: str | None) -> None:
        """A WebSocket brought messages, its end, or both: on the duty worker, whose last act this is for one read.

        :param events: messages, and events of the WebSocket that are none.
        :param end: the reason for which the session ends behind them, if it does.
        """
        if websocket is not self.websocket:
            upgrade = self._upgrade
            rest = upgrade.received(events, end) if upgrade is not None and upgrade.websocket is websocket else None
            if rest is None:
                return
            events = rest
        machine, lane = self.machine, self.lane
        if machine.reason is not None:
            return
        machine.last_seen = lane.relay.now
        items: list[Any] = []
        for event in events:
            kind = event.__class__
            if kind is str:
                if event[:1] == "4":  # type: ignore[index]
                    items.append(event[1:])  # type: ignore[index]
                elif (over := self._control_received(event)) is not None:  # type: ignore[arg-type]
                    end = over
                    break
            elif kind is bytes:
                items.append(event)
        if end is not None and self._end(end, tell=False):
            items.append(Farewell(end))
        if items and lane.put(items, lane.relay.call_inline) and not websocket.closing:
            websocket.pause()
            if not lane.when_roomy(websocket.resume):
                websocket.resume()

    def _control_received(self, message: str) -> str | None:
        """A text message that is no MESSAGE. Returns the reason for which the session ends, if it does."""
        try:
            packet_type, _ = decode_text(message)
        except RemoteProtocolError:
            return reason.TRANSPORT_ERROR
        return self._control_packet(packet_type)

    def _control_packet(self, packet_type: PacketType) -> str | None:
        if packet_type is PONG:
            self.machine.pong_received(self.machine.last_seen)
        elif packet_type is CLOSE:
            return reason.CLIENT_DISCONNECT
        elif packet_type is PING:
            return reason.TRANSPORT_ERROR  # only the server pings
        return None  # stray ones are ignored

    def payload_received(self, packets: Sequence[tuple[PacketType, str | bytes]], end: str | None) -> bool:
        """A POST brought packets.

        :param end: the reason for which the session ends behind them, if it does.
        :return: whether all of them were taken.
        """
        machine = self.machine
        if machine.reason is not None:
            return False
        machine.last_seen = self.server.runtime.now()
        items: list[Any] = []
        for packet_type, data in packets:
            if packet_type is MESSAGE:
                items.append(data)
                continue
            end = self._control_packet(packet_type) or end
            if end is not None:
                break
        if end is not None and self._end(
            end, tell=False, answer=Packet(NOOP if end == reason.CLIENT_DISCONNECT else CLOSE)
        ):
            items.append(Farewell(end))
        if items:
            self.lane.put(items)
            if len(items) > 1:
                self._settle()
        return end is None or end == reason.CLIENT_DISCONNECT

    def _handle(self, item: Any) -> None:
        """The door to the user's handlers; called by the lane."""
        server = self.server
        if item.__class__ is Farewell:
            self._gone = True
            server.fire_disconnect(self, item.reason)
        elif not self._gone and (handler := server.handlers.get("message")) is not None:
            try:
                # The first look of `decode_json` here, where most texts end it: a call less.
                if item.__class__ is str and item[:1] in JSON_STARTS and server.config.decode_json:
                    item = decode_json(item, server.config.codec)
                handler(self.sid, item)
            except BaseException:  # also sys.exit() and gevent's time-outs: they end the handler and nothing else
                server.logger.exception("the message handler failed")

    # ------------------------------------------------------------------ polling

    def open_poll(self, poll: PendingAnswer) -> tuple[PollVerdict, list[Packet]]:
        """A GET has come: what is to be done with it, and the packets if it can be answered at once."""
        self.touch()
        with self._lock:
            verdict, packets = self.machine.open_poll(poll)
        if verdict is PollVerdict.OVERLAP:
            self.close(reason.TRANSPORT_ERROR)
        elif verdict is PollVerdict.NOOP_SOON:
            relay = self.server.runtime.relay()
            relay.call_at(self.server.runtime.now() + NOOP_DELAY, lambda: self._release(poll))
        elif verdict is PollVerdict.ANSWER and self._gone:
            self.server.forget(self)
        return verdict, packets

    def _release(self, poll: PendingAnswer) -> None:
        with self._lock:
            waits = self.machine.forget_poll(poll)
        if waits:
            poll.answer(encode_payload([Packet(NOOP)]))

    def poll_gone(self, poll: PendingAnswer) -> None:
        """The client of a parked GET went away: on the relay."""
        with self._lock:
            waited = self.machine.forget_poll(poll)
        if waited:
            self.close(reason.TRANSPORT_CLOSE)

    def open_post(self) -> PollVerdict:
        """A POST has come."""
        self.touch()
        with self._lock:
            verdict = self.machine.open_post()
        if verdict is PollVerdict.OVERLAP:
            self.close(reason.TRANSPORT_ERROR)
        return verdict

    def end_post(self) -> None:
        """The POST has been read."""
        with self._lock:
            self.machine.posting = False

    def _settle(self) -> None:
        """Give the handlers a moment, so that one GET brings what they send to all that was posted."""
        if self.lane.is_busy:
            idle = self.server.runtime.event()
            if self.lane.when_idle(idle.set):
                idle.wait(SETTLE)

    def touch(self) -> None:
        """A request is a sign of life; but one that comes after the deadline is too late."""
        now = self.server.runtime.now()
        if self.machine.is_overdue(now) and self.server.config.monitor_clients:
            self.close(reason.PING_TIMEOUT)
        self.machine.last_seen = now

    # ------------------------------------------------------------------ the upgrade

    def open_probe(self) -> bool:
        """A WebSocket asks to carry the session; False if it may not."""
        self.touch()
        with self._lock:
            return self.machine.probe_opened()

    def probe(self, websocket: WebSocketTransport) -> None:
        """The WebSocket is open: its probe is awaited."""
        upgrade = Upgrade(self, websocket)
        with self._lock:
            self._upgrade = None if self.closed else upgrade
        if self._upgrade is None:
            upgrade.close("the session has ended")

    def rest_polling(self) -> None:
        """The probe was answered: what is sent from now on waits for the WebSocket."""
        with self._lock:
            delivery = self.machine.probe_received()
        self._deliver(delivery)

    def resume_polling(self, upgrade: Upgrade | None) -> bool:
        """An upgrade has failed; False if it is not the one that is under way."""
        with self._lock:
            if self.websocket is not None or self._upgrade is not upgrade:
                return False
            self._upgrade = None
            delivery = self.machine.upgrade_failed()
        self._deliver(delivery)
        return True

    def carry(self, websocket: WebSocketTransport) -> None:
        """From now on a WebSocket carries the session."""
        with self._lock:
            waiting, self.machine.poll = self.machine.poll, None
        # What waits goes first. Only when nothing is left do senders write to the WebSocket themselves.
        while packets := self._take_or_switch(websocket):
            for packet in packets:
                websocket.send(packet)
        if self.closed:
            # It ended in the meantime, when there was no WebSocket to be told.
            websocket.send(Packet(CLOSE))
            websocket.close(1000, self.machine.reason or "")
        if waiting is not None:
            # It came after the probe and did not wait for its answer: polling is over, as for every GET from now on.
            waiting.refuse(error(3, "a WebSocket carries this session").answer)

    def _take_or_switch(self, websocket: WebSocketTransport) -> list[Packet]:
        with self._lock:
            packets = self.machine.take()
            if not packets:
                if self.machine.transport is not TransportState.WEBSOCKET:
                    self.machine.upgraded()
                self.websocket, self._upgrade = websocket, None
            return packets

    # ------------------------------------------------------------------ heartbeat

    def check(self, now: float) -> float | None:
        """Asked by the monitor, on the duty worker. Returns when to be asked again, None if there is nothing to ask."""
        websocket = self.websocket
        with self._lock:
            if not self.machine.is_open:
                return None
            if self.lane.is_full or (websocket is not None and websocket.is_paused):
                self.machine.last_seen = now  # we do not read, so its silence says nothing; but it wants its pings
            packet, deadline = self.machine.beat(now)
        if packet is not None:
            self.send(packet)
        if deadline is None:
            self.server.logger.info("%s: no answer to a ping within %g s", self.sid, self.server.config.ping_timeout)
            self.close(reason.PING_TIMEOUT)
        return deadline

    # ------------------------------------------------------------------ the end

    def close(self, why: str = reason.SERVER_DISCONNECT) -> bool:
        """End the session, from any thread; never waits for the peer.

        :return: whether this call ended it: of several, the first.
        """
        if not self._end(why, tell=why == reason.SERVER_DISCONNECT):
            self._doomed = True
            return False
        self.lane.put([Farewell(why)])
        return True

    def _end(self, why: str, tell: bool, answer: Packet | None = None) -> bool:
        """Everything of the end but the disconnect event."""
        with self._lock:
            poll = self.machine.poll
            if not self.machine.close(why, tell=tell):
                return False
            answer = answer or Packet(CLOSE if self.says_goodbye else NOOP)
            packets = [] if self.machine.is_leaving else [*self.machine.take(), answer]
            self.machine.poll = None
            websocket, upgrade, self._upgrade = self.websocket, self._upgrade, None
        if self._beat is not None:
            self._beat.cancel()
        if poll is not None:
            poll.answer(encode_payload(packets))
        if upgrade is not None:
            upgrade.close(why)
        if websocket is not None:
            if why in (reason.SERVER_DISCONNECT, reason.TRANSPORT_ERROR, reason.PING_TIMEOUT) and self.says_goodbye:
                websocket.send(Packet(CLOSE))
            websocket.close(1000 if why != reason.TRANSPORT_ERROR else 1002, why)
        return True
