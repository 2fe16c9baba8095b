"""The session machine: what one client's session does, on whichever transport. Pure: no lock, clock, thread or socket.

Two machines that do not mix: the session's life, and its transport. The driver (`socket`) holds a lock around every
call, and afterwards does what the call said: answers polls, writes to WebSockets, fires events.
Protocol: "Protocol" and "Upgrade" of the Engine.IO protocol, version 4.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from ..errors import IllegalTransition
from ..states import Transitions
from .packet import CLOSE, NOOP, PING, Packet

__all__ = ["SESSION_TABLE", "TRANSPORT_TABLE", "Farewell", "PollVerdict", "Session", "SessionState", "TransportState"]

POLL_PACKETS = 16
"""The most packets in the answer to one poll: python-engineio's client takes no more."""


class SessionState(Enum):
    """The life of a session."""

    OPENING = "opening"  # the connect handler runs
    OPEN = "open"
    LEAVING = "leaving"  # closed by the server while no poll was there to be told; the next one is
    CLOSED = "closed"


class TransportState(Enum):
    """What carries the session."""

    POLLING = "polling"
    PROBING = "probing"  # a WebSocket is open beside polling and has said nothing yet
    UPGRADING = "upgrading"  # its probe was answered; its "5" is awaited
    WEBSOCKET = "websocket"


class PollVerdict(Enum):
    """What becomes of a GET."""

    ANSWER = "answer"  # at once, with the packets
    WAIT = "wait"  # until there is something
    NOOP_SOON = "noop soon"  # an upgrade is under way: wait a moment, then NOOP
    OVERLAP = "overlap"  # another GET waits already: both end, and the session
    WRONG_TRANSPORT = "wrong transport"
    GONE = "gone"


SESSION_TABLE = Transitions(
    "session",
    {
        SessionState.OPENING: (SessionState.OPEN, SessionState.CLOSED),
        SessionState.OPEN: (SessionState.LEAVING, SessionState.CLOSED),
        SessionState.LEAVING: (SessionState.CLOSED,),
        SessionState.CLOSED: (),
    },
)
TRANSPORT_TABLE = Transitions(
    "transport",
    {
        TransportState.POLLING: (TransportState.PROBING,),
        TransportState.PROBING: (TransportState.UPGRADING, TransportState.POLLING),
        TransportState.UPGRADING: (TransportState.WEBSOCKET, TransportState.POLLING),
        TransportState.WEBSOCKET: (),
    },
)

OPENING, OPEN, LEAVING, CLOSED = SessionState
POLLING, PROBING, UPGRADING, WEBSOCKET = TransportState
ANSWER, WAIT, NOOP_SOON, OVERLAP, WRONG_TRANSPORT, GONE = PollVerdict


class Farewell:
    """The last item of a session's lane.

    :param reason: what the disconnect handler is told.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Session:
    """One client's session.

    :param websocket: whether it begins on a WebSocket instead of polling.
    :param now: the monotonic time.
    :param interval: seconds from an answered ping to the next one.
    :param timeout: seconds that a ping may stay unanswered.
    """

    __slots__ = (
        "_interval",
        "_outbox",
        "_timeout",
        "last_seen",
        "next_ping",
        "outbox_size",
        "ping_sent",
        "poll",
        "posting",
        "reason",
        "state",
        "transport",
    )

    def __init__(self, websocket: bool, now: float, interval: float, timeout: float) -> None:
        self.state = OPENING
        self.transport = WEBSOCKET if websocket else POLLING
        self._interval = interval
        self._timeout = timeout
        self.last_seen = now
        self.next_ping = now + interval
        self.ping_sent: float | None = None
        self._outbox: list[Packet] = []
        self.outbox_size = 0
        self.poll: Any = None
        self.posting = False
        self.reason: str | None = None

    # ------------------------------------------------------------------ life

    @property
    def is_open(self) -> bool:
        """Whether messages flow."""
        return self.state is OPEN

    @property
    def is_leaving(self) -> bool:
        """Whether its client has still to be told of its end."""
        return self.state is LEAVING

    def accept(self) -> None:
        """The connect handler has accepted the client."""
        self.state = SESSION_TABLE.move(self.state, OPEN)

    def reject(self) -> None:
        """The connect handler has rejected the client."""
        if self.state is not OPENING:
            raise IllegalTransition(SESSION_TABLE.machine, self.state, CLOSED)
        self.state = SESSION_TABLE.move(self.state, CLOSED)
        self.take()

    def close(self, reason: str, tell: bool) -> bool:
        """End the session.

        :param tell: whether a polling client that is not listening right now shall hear of it with its next GET.
        :return: whether this call ended it. The first one wins, and gives the reason.
        """
        if self.state is not OPEN:
            return False
        self.reason = reason
        polled = self.transport is not WEBSOCKET
        if polled and tell and self.poll is None:
            self._outbox.append(Packet(CLOSE))
            self.state = SESSION_TABLE.move(self.state, LEAVING)
        else:
            self.state = SESSION_TABLE.move(self.state, CLOSED)
        return True

    def finish(self) -> None:
        """A leaving session was told, or was given up."""
        if self.state is LEAVING:
            self.state = SESSION_TABLE.move(self.state, CLOSED)
        self.take()

    # ------------------------------------------------------------------ the outbox

    def queue(self, packet: Packet) -> bool:
        """Keep a packet for the client; False if the session takes none any more."""
        if self.state is not OPEN and self.state is not OPENING:
            return False
        self._outbox.append(packet)
        self.outbox_size += packet.size
        return True

    def take(self) -> list[Packet]:
        """Take all that waits."""
        packets, self._outbox = self._outbox, []
        self.outbox_size = 0
        return packets

    def _take_for_poll(self) -> list[Packet]:
        """Take as much as one poll brings."""
        if len(self._outbox) <= POLL_PACKETS:
            return self.take()
        packets, self._outbox = self._outbox[:POLL_PACKETS], self._outbox[POLL_PACKETS:]
        self.outbox_size -= sum(packet.size for packet in packets)
        return packets

    def drop_oldest(self, size: int) -> int:
        """Forget the oldest messages, about `size` bytes of them, and no packet of the protocol's own."""
        dropped, kept = 0, []
        for packet in self._outbox:
            if dropped < size and packet.is_message:
                dropped += packet.size
            else:
                kept.append(packet)
        self._outbox = kept
        self.outbox_size -= dropped
        return dropped

    def deliver(self) -> tuple[Any, list[Packet]] | None:
        """Match what waits with the poll that waits.

        :return: the poll and what it is to be answered with; None if either is missing.
        """
        # Between probe and "5" what is queued waits for the WebSocket; before the probe polling goes on as ever.
        if self.poll is None or not self._outbox or self.transport is UPGRADING:
            return None
        poll, self.poll = self.poll, None
        return poll, self._take_for_poll()

    def release_poll(self, packet: Packet) -> tuple[Any, list[Packet]] | None:
        """Let the poll that waits go with one packet; None if there is none."""
        if self.poll is None:
            return None
        poll, self.poll = self.poll, None
        return poll, [packet]

    # ------------------------------------------------------------------ polling

    def open_poll(self, poll: Any) -> tuple[PollVerdict, list[Packet]]:
        """A GET has come.

        :param poll: what stands for it while it waits.
        """
        if self.state is LEAVING:
            packets = self.take()
            self.state = SESSION_TABLE.move(self.state, CLOSED)
            return ANSWER, packets
        if self.state is not OPEN:
            return GONE, []
        if self.transport is WEBSOCKET:
            return WRONG_TRANSPORT, []
        if self.poll is not None:
            return OVERLAP, []
        if self.transport is UPGRADING:
            self.poll = poll
            return NOOP_SOON, []
        if self._outbox:
            return ANSWER, self._take_for_poll()
        self.poll = poll
        return WAIT, []

    def forget_poll(self, poll: Any) -> bool:
        """The poll is gone unanswered; False if it was not the one that waits."""
        if self.poll is not poll:
            return False
        self.poll = None
        return True

    def open_post(self) -> PollVerdict:
        """A POST has come. `ANSWER` means: read it; `posting` stays True until it is done."""
        if self.state is not OPEN:
            return GONE
        if self.transport is WEBSOCKET:
            return WRONG_TRANSPORT
        if self.posting:
            return OVERLAP
        self.posting = True
        return ANSWER

    # ------------------------------------------------------------------ the upgrade

    def probe_opened(self) -> bool:
        """A WebSocket was opened for this session; False if there is one already."""
        if self.state is not OPEN or self.transport is not POLLING:
            return False
        self.transport = TRANSPORT_TABLE.move(self.transport, PROBING)
        return True

    def probe_received(self) -> tuple[Any, list[Packet]] | None:
        """The probe has come: from here on what is queued waits. Returns the poll to let go, if one waits."""
        self.transport = TRANSPORT_TABLE.move(self.transport, UPGRADING)
        return self.release_poll(Packet(NOOP))

    def upgraded(self) -> None:
        """The outbox is empty and the "5" is here: the WebSocket carries the session."""
        self.transport = TRANSPORT_TABLE.move(self.transport, WEBSOCKET)

    def upgrade_failed(self) -> tuple[Any, list[Packet]] | None:
        """The WebSocket went before it carried the session; polling goes on. Returns the poll to answer, if any."""
        if self.transport in (PROBING, UPGRADING):
            self.transport = TRANSPORT_TABLE.move(self.transport, POLLING)
        return self.deliver()

    # ------------------------------------------------------------------ heartbeat

    def pong_received(self, now: float) -> None:
        """The answer to a ping: the next ping is due one interval later."""
        if self.ping_sent is not None:
            self.next_ping = now + self._interval

    def beat(self, now: float) -> tuple[Packet | None, float | None]:
        """What the heartbeat wants now.

        :return: a ping to send or None, and when to ask again; None for that means that the client has gone silent.
        """
        if self.ping_sent is not None:
            if self.awaits_answer:
                deadline = self.deadline
                # Looking again after an interval finds an answer that came late, when the next ping is due.
                return None, min(deadline, now + self._interval) if now < deadline else None
            # Any byte is life, also without a pong.
            self.ping_sent = None
        if now < self.next_ping:
            return None, self.next_ping
        self.ping_sent = now
        self.next_ping = now + self._interval
        return Packet(PING), now + min(self._interval, self._timeout)

    def is_overdue(self, now: float) -> bool:
        """Whether the deadline of a ping has passed without a sign of life."""
        return self.awaits_answer and now >= self.deadline

    @property
    def awaits_answer(self) -> bool:
        """Whether there was no sign of life since the last ping."""
        return self.ping_sent is not None and self.last_seen <= self.ping_sent

    @property
    def deadline(self) -> float:
        """When the ping is too old, or, if none is unanswered, when the next one is due."""
        sent = self.ping_sent
        return self.next_ping if sent is None or not self.awaits_answer else sent + self._timeout

    def age(self, seconds: float) -> None:
        """Let everything have happened so much earlier: the fake clock of `syncio.testing`."""
        self.last_seen -= seconds
        self.next_ping -= seconds
        if self.ping_sent is not None:
            self.ping_sent -= seconds
