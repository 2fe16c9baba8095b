"""The session machine: its two tables, its outbox, its polls, its upgrade, its heartbeat. No clock and no thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncio.engineio.packet import MESSAGE, NOOP, PING, Packet
from syncio.engineio.session import (
    SESSION_TABLE,
    TRANSPORT_TABLE,
    PollVerdict,
    Session,
    SessionState,
    TransportState,
)
from syncio.errors import IllegalTransition

OPENING, OPEN, LEAVING, CLOSED = SessionState
POLLING, PROBING, UPGRADING, WEBSOCKET = TransportState
ANSWER, WAIT, NOOP_SOON, OVERLAP, WRONG_TRANSPORT, GONE = PollVerdict
NOW = 1000.0
INTERVAL, TIMEOUT = 25.0, 20.0

Step = Callable[[Session], Any]


def begun(websocket: bool = False, interval: float = INTERVAL, timeout: float = TIMEOUT) -> Session:
    """A session whose connect handler runs."""
    return Session(websocket, NOW, interval, timeout)


def opened(websocket: bool = False, interval: float = INTERVAL, timeout: float = TIMEOUT) -> Session:
    """A session that was accepted."""
    session = begun(websocket, interval, timeout)
    session.accept()
    return session


def probing() -> Session:
    """A WebSocket is open beside polling."""
    session = opened()
    assert session.probe_opened()
    return session


def upgrading() -> Session:
    """The probe was answered."""
    session = probing()
    session.probe_received()
    return session


def leaving() -> Session:
    """Disconnected while no poll was there."""
    session = opened()
    assert session.close("server disconnect", tell=True)
    return session


def closed() -> Session:
    """Ended."""
    session = opened()
    assert session.close("transport close", tell=False)
    return session


def message(text: str = "x") -> Packet:
    """A message."""
    return Packet(MESSAGE, text)


def texts(packets: list[Packet]) -> list[str | bytes]:
    """The packets as they are written."""
    return [packet.websocket_message() for packet in packets]


# ---------------------------------------------------------------------- the tables


@pytest.mark.parametrize(
    ("state", "following"),
    [(OPENING, {OPEN, CLOSED}), (OPEN, {LEAVING, CLOSED}), (LEAVING, {CLOSED}), (CLOSED, set())],
)
def test_session_table(state: SessionState, following: set[SessionState]) -> None:
    """Every row: the moves that there are, and that every other one raises."""
    for wanted in SessionState:
        if wanted in following:
            assert SESSION_TABLE.move(state, wanted) is wanted
        else:
            with pytest.raises(IllegalTransition):
                SESSION_TABLE.move(state, wanted)


@pytest.mark.parametrize(
    ("state", "following"),
    [(POLLING, {PROBING}), (PROBING, {UPGRADING, POLLING}), (UPGRADING, {WEBSOCKET, POLLING}), (WEBSOCKET, set())],
)
def test_transport_table(state: TransportState, following: set[TransportState]) -> None:
    """Every row: a WebSocket is never given back, and nothing is skipped."""
    for wanted in TransportState:
        if wanted in following:
            assert TRANSPORT_TABLE.move(state, wanted) is wanted
        else:
            with pytest.raises(IllegalTransition):
                TRANSPORT_TABLE.move(state, wanted)


ILLEGAL: list[tuple[Callable[[], Session], Step]] = [
    (opened, Session.accept),
    (leaving, Session.accept),
    (closed, Session.accept),
    (leaving, Session.reject),
    (closed, Session.reject),
    (opened, Session.probe_received),
    (upgrading, Session.probe_received),
    (lambda: opened(True), Session.probe_received),
    (opened, Session.upgraded),
    (probing, Session.upgraded),
    (lambda: opened(True), Session.upgraded),
]


@pytest.mark.parametrize(("make", "step"), ILLEGAL)
def test_illegal_moves_raise(make: Callable[[], Session], step: Step) -> None:
    """A step that the state does not have is an exception, and leaves everything as it was."""
    session = make()
    before = session.state, session.transport
    with pytest.raises(IllegalTransition):
        step(session)
    assert (session.state, session.transport) == before


def test_a_session_begins() -> None:
    """It is opening, on the transport that it came by."""
    session = begun()
    assert (session.state, session.transport, session.reason) == (OPENING, POLLING, None)
    assert not session.is_open
    assert begun(websocket=True).transport is WEBSOCKET


def test_accept_and_reject() -> None:
    """The connect handler decides; what it has sent before it said no goes nowhere."""
    session = begun()
    assert session.queue(message())
    session.reject()
    assert session.state is CLOSED
    assert session.take() == []
    assert opened().is_open


# ---------------------------------------------------------------------- the end


def test_the_first_close_wins() -> None:
    """Of several reasons the first one counts, and only its caller hears that it ended the session."""
    session = opened()
    assert session.close("ping timeout", tell=False)
    assert not session.close("transport close", tell=True)
    assert session.reason == "ping timeout"


def test_a_session_that_opens_cannot_be_closed() -> None:
    """Only what the connect handler has accepted can end."""
    session = begun()
    assert not session.close("server disconnect", tell=True)
    assert session.reason is None


@pytest.mark.parametrize(
    ("make", "tell", "polled", "state"),
    [
        (opened, True, False, LEAVING),
        (opened, True, True, CLOSED),
        (opened, False, False, CLOSED),
        (probing, True, False, LEAVING),
        (upgrading, True, False, LEAVING),
        (lambda: opened(True), True, False, CLOSED),
    ],
)
def test_who_has_still_to_be_told(make: Callable[[], Session], tell: bool, polled: bool, state: SessionState) -> None:
    """Only a client on polling that is not listening right now stays reachable."""
    session = make()
    if polled:
        session.open_poll(object())
    assert session.close("server disconnect", tell)
    assert session.state is state
    assert session.is_leaving is (state is LEAVING)
    assert not session.is_open


def test_a_leaving_session_is_told_once() -> None:
    """The next GET brings what was queued and then the close packet; the one after it finds nobody."""
    session = opened()
    session.queue(message("last words"))
    session.close("server disconnect", tell=True)
    assert not session.queue(message("too late"))
    verdict, packets = session.open_poll(object())
    assert (verdict, texts(packets)) == (ANSWER, ["4last words", "1"])
    assert session.state is CLOSED
    assert session.open_poll(object()) == (GONE, [])


def test_a_leaving_session_is_given_up() -> None:
    """If no GET comes, its packets go with it; giving up what has ended is no mistake."""
    session = leaving()
    session.finish()
    assert session.state is CLOSED
    assert session.open_poll(object()) == (GONE, [])
    session.finish()
    assert session.state is CLOSED


# ---------------------------------------------------------------------- the outbox


def test_a_poll_brings_sixteen_packets_at_most() -> None:
    """What is more waits for the next poll, in order; a goodbye brings all that is left."""
    session = opened()
    for number in range(40):
        assert session.queue(message(f"{number:02}"))
    verdict, first = session.open_poll("a")
    assert verdict is ANSWER
    assert session.outbox_size == sum(packet.size for packet in [message("00")] * 24)
    session.poll = "b"
    delivery = session.deliver()
    assert delivery is not None
    assert texts([*first, *delivery[1]]) == [f"4{number:02}" for number in range(32)]
    assert session.close("server disconnect", tell=True)
    verdict, last = session.open_poll("c")
    assert texts(last)[:8] == [f"4{number}" for number in range(32, 40)]
    assert session.outbox_size == 0


@pytest.mark.parametrize(
    ("make", "takes"), [(begun, True), (opened, True), (upgrading, True), (leaving, False), (closed, False)]
)
def test_queue(make: Callable[[], Session], takes: bool) -> None:
    """Packets are kept as long as the session has not ended."""
    session = make()
    session.take()
    assert session.queue(message()) is takes
    assert len(session.take()) == takes


def test_the_outbox_counts_its_bytes() -> None:
    """Its size is that of what waits in it, and taking empties it."""
    session = opened()
    for size in (10, 20):
        session.queue(Packet(MESSAGE, b"x" * size))
    assert session.outbox_size == 30
    assert [packet.size for packet in session.take()] == [10, 20]
    assert session.outbox_size == 0


def test_drop_oldest() -> None:
    """The oldest messages go, whole; the protocol's own packets and the order of the rest stay."""
    session = opened()
    session.queue(message("first"))
    session.queue(Packet(PING))
    session.queue(message("second"))
    session.queue(message("third"))
    assert session.drop_oldest(7) == len("4first") + len("4second")
    assert session.outbox_size == len("2") + len("4third")
    assert texts(session.take()) == ["2", "4third"]


def test_drop_oldest_of_too_little() -> None:
    """When less waits than is asked for, all messages go and it says how much that was."""
    session = opened()
    session.queue(message("x"))
    assert session.drop_oldest(1000) == 2
    assert session.outbox_size == 0


# ---------------------------------------------------------------------- polling


def test_a_poll_waits_and_is_answered() -> None:
    """A GET that finds nothing waits; the next packet goes to it, and it is then gone."""
    session, poll = opened(), object()
    assert session.open_poll(poll) == (WAIT, [])
    assert session.deliver() is None
    session.queue(message())
    delivery = session.deliver()
    assert delivery is not None
    assert (delivery[0], texts(delivery[1])) == (poll, ["4x"])
    assert session.deliver() is None
    assert session.open_poll(object()) == (WAIT, [])


def test_a_poll_takes_what_waits() -> None:
    """A GET that finds packets gets them all, in order."""
    session = opened()
    for text in "abc":
        session.queue(message(text))
    verdict, packets = session.open_poll(object())
    assert (verdict, texts(packets)) == (ANSWER, ["4a", "4b", "4c"])
    assert session.poll is None


def test_packets_wait_without_a_poll() -> None:
    """Nothing is delivered while no GET is there."""
    session = opened()
    session.queue(message())
    assert session.deliver() is None
    assert session.outbox_size == 2


@pytest.mark.parametrize(
    ("make", "verdict"),
    [
        (begun, GONE),
        (opened, WAIT),
        (probing, WAIT),
        (upgrading, NOOP_SOON),
        (lambda: opened(True), WRONG_TRANSPORT),
        (leaving, ANSWER),
        (closed, GONE),
    ],
)
def test_open_poll(make: Callable[[], Session], verdict: PollVerdict) -> None:
    """What becomes of a GET in every state."""
    assert make().open_poll(object())[0] is verdict


@pytest.mark.parametrize("make", [opened, probing, upgrading])
def test_a_second_poll_overlaps(make: Callable[[], Session]) -> None:
    """Two GETs at a time are one too many, also during an upgrade; the first one still waits."""
    session, first = make(), object()
    session.open_poll(first)
    assert session.open_poll(object()) == (OVERLAP, [])
    assert session.poll is first


def test_forget_poll() -> None:
    """Only the GET that waits can be forgotten, and only once."""
    session, poll = opened(), object()
    session.open_poll(poll)
    assert not session.forget_poll(object())
    assert session.forget_poll(poll)
    assert not session.forget_poll(poll)
    assert session.open_poll(object()) == (WAIT, [])


@pytest.mark.parametrize(
    ("make", "verdict"),
    [
        (begun, GONE),
        (opened, ANSWER),
        (probing, ANSWER),
        (upgrading, ANSWER),
        (lambda: opened(True), WRONG_TRANSPORT),
        (leaving, GONE),
        (closed, GONE),
    ],
)
def test_open_post(make: Callable[[], Session], verdict: PollVerdict) -> None:
    """What becomes of a POST in every state: it is read until the WebSocket carries the session."""
    assert make().open_post() is verdict


def test_posts_overlap() -> None:
    """A second POST is one too many until the first is done; a GET beside it is not."""
    session = opened()
    assert session.open_post() is ANSWER
    assert session.open_post() is OVERLAP
    assert session.open_poll(object()) == (WAIT, [])
    session.posting = False
    assert session.open_post() is ANSWER


# ---------------------------------------------------------------------- the upgrade


@pytest.mark.parametrize(
    ("make", "may"),
    [
        (begun, False),
        (opened, True),
        (probing, False),
        (upgrading, False),
        (lambda: opened(True), False),
        (leaving, False),
        (closed, False),
    ],
)
def test_one_websocket_at_a_time(make: Callable[[], Session], may: bool) -> None:
    """A WebSocket may try when the session is open, on polling, and no other one is trying."""
    session = make()
    before = session.transport
    assert session.probe_opened() is may
    assert session.transport is (PROBING if may else before)


def test_an_upgrade() -> None:
    """Before the probe polling goes on; the probe lets the poll go with NOOP; then packets wait for the WebSocket."""
    session, poll = probing(), object()
    session.open_poll(poll)
    session.queue(message("before"))
    assert session.deliver() is not None
    session.open_poll(poll)
    released = session.probe_received()
    assert released is not None
    assert (released[0], texts(released[1])) == (poll, ["6"])
    session.queue(message("between"))
    late = object()
    assert session.open_poll(late) == (NOOP_SOON, [])
    assert session.deliver() is None
    let_go = session.release_poll(Packet(NOOP))
    assert let_go is not None
    assert (let_go[0], texts(let_go[1])) == (late, ["6"])
    assert texts(session.take()) == ["4between"]
    session.upgraded()
    assert session.transport is WEBSOCKET


def test_a_probe_without_a_poll() -> None:
    """There may be no GET to let go."""
    assert probing().probe_received() is None
    assert opened().release_poll(Packet(NOOP)) is None


@pytest.mark.parametrize("make", [probing, upgrading])
def test_a_failed_upgrade_harms_nothing(make: Callable[[], Session]) -> None:
    """Polling goes on with what was queued meanwhile, and another attempt may be made."""
    session, poll = make(), object()
    session.open_poll(poll)
    session.queue(message("kept"))
    delivery = session.upgrade_failed()
    assert delivery is not None
    assert (delivery[0], texts(delivery[1])) == (poll, ["4kept"])
    assert session.transport is POLLING
    assert session.probe_opened()


def test_a_failed_upgrade_after_the_fact() -> None:
    """What is said of a session on polling, or on its WebSocket, moves nothing."""
    session = opened()
    assert session.upgrade_failed() is None
    assert session.transport is POLLING
    carried = opened(websocket=True)
    assert carried.upgrade_failed() is None
    assert carried.transport is WEBSOCKET


# ---------------------------------------------------------------------- heartbeat


def test_the_first_ping_comes_after_one_interval() -> None:
    """Too early it is told when to come again; then there is a ping, and a time to look for its answer."""
    session = opened()
    assert session.next_ping == NOW + INTERVAL
    assert session.beat(NOW + 1) == (None, NOW + INTERVAL)
    packet, again = session.beat(NOW + INTERVAL)
    assert packet is not None
    assert packet.packet_type == PING
    assert again == NOW + INTERVAL + TIMEOUT


def test_silence_until_the_deadline() -> None:
    """The client has until ping_timeout after the ping, to the moment."""
    session = opened()
    session.beat(sent := NOW + INTERVAL)
    assert session.beat(sent + 1) == (None, sent + TIMEOUT)
    assert not session.is_overdue(sent + TIMEOUT - 0.001)
    assert session.is_overdue(sent + TIMEOUT)
    assert session.beat(sent + TIMEOUT) == (None, None)


def test_a_pong_moves_the_next_ping() -> None:
    """The next ping is due one interval after the answer, not after the question."""
    session = opened()
    session.beat(sent := NOW + INTERVAL)
    session.last_seen = sent + 3
    session.pong_received(sent + 3)
    assert session.beat(sent + TIMEOUT) == (None, sent + 3 + INTERVAL)
    packet, again = session.beat(sent + 3 + INTERVAL)
    assert packet is not None
    assert again == sent + 3 + INTERVAL + TIMEOUT


def test_any_byte_is_life() -> None:
    """A client that sends messages and no pong is alive, and is asked again after one interval."""
    session = opened()
    session.beat(sent := NOW + INTERVAL)
    session.last_seen = sent + TIMEOUT - 1
    assert not session.is_overdue(sent + TIMEOUT)
    assert session.beat(sent + TIMEOUT) == (None, sent + INTERVAL)


def test_bytes_before_the_ping_prove_nothing() -> None:
    """Only what came after the ping answers it."""
    session = opened()
    session.last_seen = NOW + INTERVAL
    session.beat(NOW + INTERVAL)
    assert session.is_overdue(NOW + INTERVAL + TIMEOUT)


def test_a_stray_pong_moves_nothing() -> None:
    """A pong to no ping does not put off the first one, however many there are."""
    session = opened()
    for _ in range(100):
        session.pong_received(NOW + 20)
    assert session.next_ping == NOW + INTERVAL


def test_nothing_is_overdue_without_a_ping() -> None:
    """A session that was never asked cannot be late."""
    assert not opened().is_overdue(NOW + 1_000_000)


def test_pings_keep_their_rhythm_when_the_timeout_is_long() -> None:
    """With a time-out beyond the interval, an answer that takes longer than an interval delays one ping at most."""
    session = opened(interval=1.0, timeout=10.0)
    _, again = session.beat(sent := NOW + 1.0)
    assert again == sent + 1.0
    _, again = session.beat(sent + 1.0)
    session.last_seen = sent + 1.5
    session.pong_received(sent + 1.5)
    assert again is not None
    assert again <= sent + 1.5 + 1.0


@pytest.mark.parametrize(("interval", "timeout"), [(25.0, 20.0), (0.3, 0.2), (5.0, 60.0), (20.0, 25.0)])
def test_a_client_that_answers_lives_and_hears_pings_in_time(interval: float, timeout: float) -> None:
    """Asked whenever it wants to be, it pings within interval and time-out, which is what a client counts on."""
    session, now, last_ping = opened(interval=interval, timeout=timeout), NOW, NOW
    for _ in range(200):
        packet, again = session.beat(now)
        if packet is not None:
            assert now - last_ping <= interval + timeout
            last_ping = now
            session.last_seen = now + interval / 10
            session.pong_received(session.last_seen)
        assert again is not None
        assert again > now
        now = again
    assert now - NOW > 20 * interval


def test_a_client_that_answers_nothing_is_found_in_time() -> None:
    """From the ping to the verdict it takes ping_timeout, however often it asks in between."""
    session, now, sent = opened(interval=5.0, timeout=60.0), NOW, 0.0
    while True:
        packet, again = session.beat(now)
        sent = now if packet is not None else sent
        if again is None:
            break
        now = again
    assert (sent, now) == (NOW + 5.0, NOW + 65.0)


def test_a_ping_survives_the_upgrade() -> None:
    """A ping that was sent on polling keeps its deadline while the session moves to a WebSocket."""
    session = opened()
    session.beat(sent := NOW + INTERVAL)
    session.probe_opened()
    session.probe_received()
    session.upgraded()
    assert session.is_overdue(sent + TIMEOUT)
    assert session.beat(sent + TIMEOUT) == (None, None)
