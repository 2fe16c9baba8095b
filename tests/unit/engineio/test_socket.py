"""One client, driven: heartbeats, handlers in order, what waits for slow clients; in this process and on polling."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from syncio.engineio.packet import PING
from tests.unit.engineio.driving import PATIENCE, Site, wait_until

KILO = b"x" * 1000
SLACK = 2.0
"""Seconds by which a loaded machine may be late."""


# ---------------------------------------------------------------------- heartbeats


def test_a_ping_comes_and_its_answer_counts() -> None:
    """Ping after ping reaches a client that answers, and it stays; then it falls silent and is found."""
    site = Site(ping_interval=0.05, ping_timeout=1.0)
    session = site.connect()
    for _ in range(5):
        assert session.get().text == "2"
        assert session.post("3").status_code == 200
    assert site.ends == []


def test_a_silent_client_is_found() -> None:
    """After interval and time-out it is closed, and its requests are refused."""
    site = Site(ping_interval=0.05, ping_timeout=0.05)
    began = time.monotonic()
    session = site.connect()
    assert site.has_ended(session, "ping timeout")
    assert 0.1 <= time.monotonic() - began < 0.1 + SLACK
    assert session.get().status_code == 400


def test_a_get_that_waits_is_told_of_the_end() -> None:
    """A client that polls and never answers a ping gets its close packet."""
    site = Site(ping_interval=0.05, ping_timeout=0.2)
    session = site.connect()
    assert session.get().text == "2"
    parked = session.park()
    assert wait_until(lambda: parked.is_answered)
    assert site.has_ended(session, "ping timeout")


def test_no_monitor_no_pings() -> None:
    """With monitor_clients=False nobody is asked, and nobody is found."""
    site = Site(ping_interval=0.01, ping_timeout=0.01, monitor_clients=False)
    session = site.connect()
    another = Site(ping_interval=0.05, ping_timeout=0.05)
    assert another.has_ended(another.connect(), "ping timeout")
    assert session.post("4hello").status_code == 200
    assert site.ends == []


@pytest.mark.parametrize("async_handlers", [True, False])
def test_pings_go_on_while_a_handler_blocks(async_handlers: bool) -> None:
    """A client whose handler takes its time hears of the server, and is not blamed for the server's silence."""
    site = Site(ping_interval=0.05, ping_timeout=0.3, async_handlers=async_handlers)
    going_on = threading.Event()
    site.server.on("message", lambda sid, data: going_on.wait(PATIENCE))
    session = site.connect()
    posted = session.later_post("4block")
    assert wait_until(lambda: site.server.sockets[session.sid].lane.is_busy)
    if async_handlers:
        for _ in range(3):
            assert session.get().text == "2"
            assert session.post("3").status_code == 200
    else:
        assert session.get().text == "2"
    going_on.set()
    assert posted.answer().status_code == 200


def test_ten_thousand_pongs_leave_nothing_behind() -> None:
    """Timers and what the heartbeat watches do not grow with the traffic."""
    site = Site()
    session = site.connect()
    session.post("3")
    before = site.server.stats()["relay"]["timers"]
    for _ in range(10):
        assert session.post("\x1e".join(["3"] * 1000)).status_code == 200
    assert site.server.stats()["relay"]["timers"] <= before + 1


# ---------------------------------------------------------------------- handlers


def test_messages_are_handled_in_order() -> None:
    """One at a time, over several payloads."""
    site = Site()
    inside: list[int] = []
    overlaps: list[int] = []
    seen: list[Any] = []

    def message(sid: str, data: Any) -> None:
        inside.append(1)
        overlaps.append(len(inside))
        seen.append(data)
        if len(seen) % 50 == 0:
            site.server.sleep(0)
        inside.pop()

    site.server.on("message", message)
    session = site.connect()
    for start in range(0, 500, 100):
        session.post("\x1e".join(f"4n{number}" for number in range(start, start + 100)))
    assert wait_until(lambda: len(seen) == 500)
    assert seen == [f"n{number}" for number in range(500)]
    assert set(overlaps) == {1}


def test_some_handlers_may_overlap() -> None:
    """With handlers_per_session=2 one message's handler may wait for the next one, and a third has to wait."""
    site = Site(handlers_per_session=2)
    second = threading.Event()
    seen: list[Any] = []

    def message(sid: str, data: Any) -> None:
        if data == "first":
            seen.append(second.wait(PATIENCE))
        else:
            second.set()

    site.server.on("message", message)
    session = site.connect()
    session.post("4first\x1e4second")
    assert wait_until(lambda: seen == [True])


def test_one_session_does_not_wait_for_another() -> None:
    """A handler that blocks holds up its own client alone."""
    site = Site()
    going_on = threading.Event()
    seen: list[Any] = []

    def message(sid: str, data: Any) -> None:
        if data == "block":
            going_on.wait(PATIENCE)
        seen.append(data)

    site.server.on("message", message)
    slow, fast = site.connect(), site.connect()
    slow.post("4block\x1e4behind")
    fast.post("4fast")
    assert wait_until(lambda: seen == ["fast"])
    going_on.set()
    assert wait_until(lambda: seen == ["fast", "block", "behind"])


def test_without_async_handlers_a_post_waits_for_its_handler() -> None:
    """Nothing more is read from a client until its handler has returned."""
    site = Site(async_handlers=False)
    going_on = threading.Event()
    site.server.on("message", lambda sid, data: going_on.wait(PATIENCE))
    session = site.connect()
    posted = session.later_post("4block")
    assert wait_until(lambda: site.server.sockets[session.sid].lane.is_full)
    assert not posted.is_answered
    going_on.set()
    assert (posted.answer().status_code, posted.answer().text) == (200, "ok")


def test_a_full_lane_holds_the_client_back() -> None:
    """A client that posts more than its handler manages gets its answer when there is room again."""
    site = Site()
    going_on = threading.Event()
    count: list[int] = []

    def message(sid: str, data: Any) -> None:
        going_on.wait(PATIENCE)
        count.append(1)

    site.server.on("message", message)
    session = site.connect()
    posted = session.later_post("\x1e".join(["4x"] * 600))
    assert wait_until(lambda: site.server.sockets[session.sid].lane.is_full)
    assert not posted.is_answered
    going_on.set()
    assert (posted.answer().status_code, posted.answer().text) == (200, "ok")
    assert wait_until(lambda: len(count) == 600)


def test_disconnect_comes_last() -> None:
    """Its handler runs behind the messages that were there before, however long they take."""
    site = Site()
    going_on = threading.Event()
    events: list[Any] = []

    def message(sid: str, data: Any) -> None:
        going_on.wait(PATIENCE)
        events.append(data)

    site.server.on("message", message)
    site.server.on("disconnect", lambda sid, reason: events.append(reason))
    session = site.connect()
    session.post("4one\x1e4two")
    site.server.disconnect(session.sid)
    going_on.set()
    assert wait_until(lambda: session.is_forgotten)
    assert events == ["one", "two", "server disconnect"]


# ---------------------------------------------------------------------- what waits for a slow client


def test_close_is_the_policy() -> None:
    """A client for which more waits than it may is closed; up to the limit it is not."""
    site = Site(send_buffer_limit=10_000)
    session = site.connect()
    for _ in range(10):
        site.server.send(session.sid, KILO)
    assert site.ends == []
    site.server.send(session.sid, KILO)
    assert site.has_ended(session, "transport error")


def test_drop_new() -> None:
    """What came first stays."""
    site = Site(send_buffer_limit=3000, send_buffer_policy="drop_new")
    session = site.connect()
    for letter in b"abcdef":
        site.server.send(session.sid, bytes([letter]) * 1000)
    assert site.server.buffered_amount(session.sid) == 3000
    assert [packet[1:4] for packet in session.get().text.split("\x1e")] == ["YWF", "YmJ", "Y2N"]
    assert site.ends == []


def test_drop_oldest() -> None:
    """What came last stays."""
    site = Site(send_buffer_limit=3000, send_buffer_policy="drop_oldest")
    session = site.connect()
    for letter in b"abcdef":
        site.server.send(session.sid, bytes([letter]) * 1000)
    assert site.server.buffered_amount(session.sid) == 3000
    assert [packet[1:4] for packet in session.get().text.split("\x1e")] == ["ZGR", "ZWV", "ZmZ"]


@pytest.mark.parametrize("policy", ["drop_new", "drop_oldest"])
def test_the_protocols_own_packets_are_never_dropped(policy: str) -> None:
    """A ping goes into a full outbox, and stays in it."""
    site = Site(send_buffer_limit=2000, send_buffer_policy=policy, ping_interval=0.05)
    session = site.connect()
    for _ in range(3):
        site.server.send(session.sid, KILO)
    assert wait_until(lambda: site.server.sockets[session.sid].machine.ping_sent is not None)
    for _ in range(3):
        site.server.send(session.sid, KILO)
    assert session.get().text.split("\x1e").count(str(int(PING))) == 1


def test_block() -> None:
    """The sender waits until a GET has made room, and nothing is lost."""
    site = Site(send_buffer_limit=3000, send_buffer_policy="block")
    session = site.connect()
    sent: list[int] = []

    def sender() -> None:
        for number in range(20):
            site.server.send(session.sid, bytes([number]) * 1000)
            sent.append(number)

    task = site.server.start_background_task(sender)
    assert wait_until(lambda: len(sent) == 3)
    received: list[str] = []
    while len(received) < 20:
        assert site.server.buffered_amount(session.sid) <= 3000
        received += session.get().text.split("\x1e")
    task.join(PATIENCE)
    assert sent == list(range(20))
    assert [len(packet) for packet in received] == [len(received[0])] * 20
    assert len(set(received)) == 20


def test_block_does_not_outlive_the_session() -> None:
    """A sender that waits is let go when its client is."""
    site = Site(send_buffer_limit=1000, send_buffer_policy="block")
    session = site.connect()

    def sender() -> None:
        for _ in range(3):
            site.server.send(session.sid, KILO)

    task = site.server.start_background_task(sender)
    assert wait_until(lambda: site.server.buffered_amount(session.sid) == 1000)
    session.post("1")
    task.join(PATIENCE)
    assert site.has_ended(session, "client disconnect")


def test_block_loses_nothing_in_silence() -> None:
    """When there was no room for as long as a ping may take, the session ends: a hole would be worse."""
    site = Site(
        send_buffer_limit=1000, send_buffer_policy="block", ping_interval=0.1, ping_timeout=0.1, monitor_clients=False
    )
    session = site.connect()
    for _ in range(2):
        site.server.send(session.sid, KILO)
    assert site.has_ended(session, "transport error")


@pytest.mark.parametrize("policy", ["close", "block", "drop_oldest", "drop_new"])
def test_a_message_beyond_the_limit(policy: str) -> None:
    """What can never fit is not sent, and nobody waits for it."""
    site = Site(send_buffer_limit=500, send_buffer_policy=policy)
    session = site.connect()
    began = time.monotonic()
    site.server.send(session.sid, KILO)
    assert time.monotonic() - began < SLACK
    if policy.startswith("drop"):
        assert site.server.buffered_amount(session.sid) == 0
    else:
        assert site.has_ended(session, "transport error")
