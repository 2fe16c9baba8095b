"""What a site may rely on while its handlers block: order, other sessions' pace, and a bounded number of threads."""

from __future__ import annotations

import random
import time

from tests.conftest import Starter
from tests.integration.selection import on_kinds
from tests.servers.clients import Clients, WebSocketClient
from tests.servers.kinds import KINDS, Kind
from tests.servers.process import ServerProcess, wait_until

BUSY_KINDS = tuple(kind for kind in KINDS if kind.name in ("gunicorn-gthread", "gunicorn-gevent", "werkzeug"))
POOL = 128
"""Handlers that may block at once in a process of threads (`syncio.runtime.relay.DEFAULT_WORKERS`)."""
AT_ONCE = 0.5
"""Seconds in which a message must come back that nothing holds up."""


def threads(server: ServerProcess) -> int:
    """The threads that the worker process has."""
    counted: int = server.page("/threads")["system"]
    return counted


def receive_message(client: WebSocketClient) -> str | bytes:
    """The next packet that is no ping."""
    while True:
        packet = client.receive()
        if packet != "2":
            return packet
        client.send("3")


@on_kinds(BUSY_KINDS)
def test_a_slow_handler_delays_nobody_else(start_server: Starter, kind: Kind) -> None:
    """While one handler sleeps 3 s, others get their echoes and their pings, on both transports."""
    server = start_server(kind, ping_interval=0.25, ping_timeout=10)
    clients = Clients(server.address)
    slow, quick, polling = clients.websocket(), clients.websocket(), clients.polling()
    began = time.monotonic()
    slow.send("4sleep 3")
    pings = 0
    while time.monotonic() - began < 2:
        asked = time.monotonic()
        quick.send("4quick")
        while (packet := quick.receive()) != "4quick":
            assert packet == "2"
            pings += 1
            quick.send("3")
        assert time.monotonic() - asked < AT_ONCE
        asked = time.monotonic()
        assert polling.post("4hello").text == "ok"
        answered = polling.poll()
        assert "4hello" in answered.packets or polling.poll().text == "4hello"
        assert polling.post("3").status == 200
        assert time.monotonic() - asked < AT_ONCE * 2
        time.sleep(0.1)
    assert pings >= 4
    assert slow.receive() == "2", "the session whose handler sleeps gets its pings too"
    slow.send("3")
    assert receive_message(slow) == "4sleep 3"
    clients.close()


@on_kinds(BUSY_KINDS)
def test_order_with_handlers_that_block_at_random(server: ServerProcess, clients: Clients) -> None:
    """A thousand messages of one session, whose handlers sleep up to 3 ms, come back in the order they were sent."""
    rng = random.Random(20261121)
    client = clients.websocket()
    sent = [f"4sleep {rng.random() * 0.003:.6f} {number}" for number in range(1000)]
    for message in sent:
        client.send(message)
    assert [receive_message(client) for _ in sent] == sent


@on_kinds(BUSY_KINDS)
def test_slow_handlers_add_no_thread_beyond_the_pool(start_server: Starter, kind: Kind) -> None:
    """Two thousand messages to handlers that sleep are all answered, by no more threads than the pool has."""
    server = start_server(kind)
    clients = Clients(server.address)
    sessions = [clients.websocket() for _ in range(100)]
    before = threads(server)
    for number in range(20):
        for session in sessions:
            session.send(f"4sleep 0.02 {number}")
    most = 0
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        most = max(most, threads(server))
    for session in sessions:
        for number in range(20):
            assert receive_message(session) == f"4sleep 0.02 {number}"
    # The pool, the worker on duty, and those of gunicorn's own threads that had nothing to do before.
    assert most <= before + (0 if kind.greenlets else POOL + 1 + 4)
    assert wait_until(lambda: server.page("/stats")["relay"]["busy"] == 0)
    clients.close()


@on_kinds(BUSY_KINDS)
def test_an_exhausted_pool_still_serves_heartbeats(start_server: Starter, kind: Kind) -> None:
    """With every worker asleep in a handler, pings go out, polls end and disconnects are seen."""
    server = start_server(kind, ping_interval=0.3, ping_timeout=5)
    clients = Clients(server.address)
    for session in [clients.websocket() for _ in range(POOL + 20)]:
        session.send("4sleep 2")
    idle = clients.websocket()
    for _ in range(3):
        asked = time.monotonic()
        assert idle.receive() == "2"
        idle.send("3")
        assert time.monotonic() - asked < 0.3 + AT_ONCE
    assert server.page("/stats")["websocket"] == POOL + 21
    clients.close()
