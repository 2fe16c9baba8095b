"""The faults of the original 15 to 17, by their numbers in the specification: ours has none of them."""

from __future__ import annotations

import hmac
import http.client
import queue
import random
from collections.abc import Iterator
from typing import Any

import pytest

from syncio.interaction import (
    RequestException,
    TaskRetry,
    TaskStatus,
)

from ..runtime.kinds import PATIENCE
from .peers import (
    OK,
    Ends,
    ask,
    connect_as,
)

IDS = {"id": "00000000-0000-4000-8000-000000000001"}


# ---------------------------------------------------------------------- 15: who may have a slave


def test_15_a_slave_is_had_by_who_may_have_it(plain: Ends) -> None:
    """Without the secret, or at an address that is not allowed, nobody gets a slave, nor is called by it."""
    stranger = plain.peer()
    guarded = plain.slave(secret="s3cret", heartbeat_span=0.2)
    picky = plain.slave(allowed_masters=["10.0.0.1"], heartbeat_span=0.2)
    for slave, code in ((guarded, 302), (picky, 503)):
        body = {"master": {"address": stranger.url}, "data": {}}
        reply = ask(slave.port, "POST", "/connect", body, Token="t1")
        assert (reply.status, reply.code) == (403, code)
        assert not slave.is_connected
    # By now a heart that belonged to the stranger would have beaten.
    own = plain.peer()
    free = plain.slave(heartbeat_span=0.2)
    connect_as(free, own, "t1")
    for _ in range(2):
        own.next("/slave/heartbeat")
    with pytest.raises(queue.Empty):
        stranger.requests.get_nowait()


# ---------------------------------------------------------------------- 16: tokens


def test_16_tokens_cannot_be_guessed(plain: Ends) -> None:
    """Who knows the state of `random` knows no token; each digit has four bits."""
    tokens = []
    for _ in range(2):
        random.seed(7)
        master, peer = plain.master(), plain.peer()
        for _ in range(3):
            plain.connected(master, peer).disconnect()
            tokens += [peer.next("/connect").token]
    assert len(set(tokens)) == 6
    assert all(len(token) == 64 and set(token) <= set("0123456789abcdef") for token in tokens)


def test_16_tokens_are_compared_in_constant_time(plain: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own tokens, masters' tokens and secrets are compared by `hmac.compare_digest`."""
    compared: list[tuple[Any, Any]] = []
    original = hmac.compare_digest

    def compare(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return original(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    slave, peer = plain.slave(secret="s3cret"), plain.peer()
    body = {"master": {"address": peer.url}}
    asked = [
        ask(slave.port, "GET", "/ping", Token="self").status,
        ask(slave.port, "POST", "/connect", body, Token="t1", Secret="guess").status,
        ask(slave.port, "POST", "/connect", body, Token="t1", Secret="s3cret").status,
        ask(slave.port, "DELETE", "/disconnect", {}, Token="t2").status,
    ]
    assert asked == [403, 403, 200, 403]
    assert {b"self", b"guess", b"s3cret", b"t2"} <= {one for pair in compared for one in pair}


# ---------------------------------------------------------------------- 17: requests that make no sense

BAD_BODIES = [b"{", b"\xff\xfe", b"[]", b"7", b'"task"', b"null", b"[" * 100_000]


@pytest.fixture
def raw(plain: Ends) -> Iterator[tuple[int, int, str, str]]:
    """A master with a slave of raw HTTP, and a slave with a master of raw HTTP: two ports and two tokens."""
    master, slave, peer = plain.master(), plain.slave(), plain.peer()
    plain.connected(master, peer)
    connect_as(slave, peer, "t1")
    yield master.port, slave.port, peer.next("/connect").token, "t1"
    assert master.ping() and slave.ping()


@pytest.mark.parametrize("body", BAD_BODIES, ids=[str(body[:8]) for body in BAD_BODIES])
def test_17_bodies_that_are_no_objects(raw: tuple[int, int, str, str], body: bytes) -> None:
    """A body that is no JSON object is refused with 400 and an envelope."""
    master, slave, of_master, of_slave = raw
    for path in ("/slave/task/complete", "/slave/task/fail", "/slave/task/progress"):
        assert ask(master, "PUT", path, body, Token=of_master).status == 400
    for method, path in (("POST", "/connect"), ("POST", "/task/new"), ("DELETE", "/disconnect")):
        assert ask(slave, method, path, body, Token=of_slave).status == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 200),
        ({"task": None, "result": 1}, 200),
        ({"task": [], "result": 1}, 200),
        ({"task": {}, "result": 1}, 200),
        ({"task": {"id": "no uuid"}, "result": 1}, 400),
        ({"task": {"id": 7}, "result": 1}, 400),
        ({"task": {"id": None}, "result": 1}, 400),
        ({"task": {"id": ["x"]}, "result": 1}, 400),
        ({"task": IDS}, 400),
        ({"task": IDS, "result": 1}, 404),
    ],
)
def test_17_results_that_are_none(raw: tuple[int, int, str, str], body: Any, status: int) -> None:
    """A result without a task, an id or a value, or with an id that cannot be, is refused with the code 601."""
    for kind in ("complete", "fail"):
        reply = ask(raw[0], "PUT", f"/slave/task/{kind}", body, Token=raw[2])
        assert (reply.status, reply.code, reply.said["success"]) == (status, 601, False)


@pytest.mark.parametrize("task", [None, [], "x", {}, {"id": 7}, {"id": None}, {"id": "no uuid"}, {"id": ["x"]}])
def test_17_tasks_that_are_none(raw: tuple[int, int, str, str], task: Any) -> None:
    """A task without an id, or with one that cannot be, is refused with 400; so is a cancellation of it."""
    for method, path in (("POST", "/task/new"), ("DELETE", "/task/cancel")):
        assert ask(raw[1], method, path, {"task": task, "data": {}}, Token=raw[3]).status == 400


@pytest.mark.parametrize("master", [None, [], {}, {"address": 7}, {"address": "no url"}, {"address": "ftp://h/"}])
def test_17_masters_that_are_none(plain: Ends, master: Any) -> None:
    """A connection to a master without an address, or with one that is none, is refused with 400."""
    slave = plain.slave()
    assert ask(slave.port, "POST", "/connect", {"master": master, "data": {}}, Token="t1").status == 400
    assert not slave.is_connected
    assert connect_as(slave, plain.peer(), "t1") == 200


@pytest.mark.parametrize(
    ("channel", "status", "code"),
    [
        (None, 400, 201),
        ("", 400, 201),
        ("abc", 400, 202),
        ("0.0", 400, 202),
        ("0x", 400, 202),
        ("9" * 6000, 400, 202),
        ("1", 403, 202),
    ],
    ids=lambda value: str(value)[:5],
)
def test_17_channels(raw: tuple[int, int, str, str], channel: str | None, status: int, code: int) -> None:
    """A request without a channel, or with another or none that can be, is refused; each has its code."""
    master, slave, of_master, of_slave = raw
    replies = [
        ask(master, "GET", "/slave/heartbeat", Token=of_master, Channel=channel),
        ask(master, "PUT", "/slave/task/fail", Token=of_master, Channel=channel),
        ask(slave, "POST", "/connect", Token=of_slave, Channel=channel),
        ask(slave, "POST", "/task/new", Token=of_slave, Channel=channel),
        ask(slave, "DELETE", "/disconnect", Token=of_slave, Channel=channel),
    ]
    assert {(reply.status, reply.code) for reply in replies} == {(status, code)}


def test_17_tokens_that_are_missing_or_wrong(raw: tuple[int, int, str, str]) -> None:
    """Each request without its token, or with another one, is refused with the code that the original has for it."""
    master, slave = raw[:2]
    of = "PUT", "GET", "POST", "DELETE"
    put, get, post, delete = of
    cases = [
        (master, get, "/ping", (400, 401), (403, 402)),
        (master, delete, "/shutdown", (400, 401), (403, 402)),
        (master, get, "/slave/heartbeat", (400, 501), (403, 502)),
        (master, put, "/slave/task/complete", (400, 501), (403, 502)),
        (master, put, "/slave/task/fail", (400, 501), (403, 502)),
        (slave, get, "/ping", (400, 401), (403, 402)),
        (slave, delete, "/shutdown", (400, 401), (403, 402)),
        (slave, post, "/task/new", (400, 301), (403, 302)),
        (slave, delete, "/disconnect", (400, 301), (403, 302)),
    ]
    for port, method, path, missing, wrong in cases:
        for token, expected in ((None, missing), ("wrong", wrong), ("w\xf6", wrong)):
            reply = ask(port, method, path, {}, Token=token)
            assert (reply.status, reply.code) == expected, (path, token)


def test_17_paths_and_methods_that_there_are_not(raw: tuple[int, int, str, str]) -> None:
    """404 and 405 have an envelope, too; a GET where a PUT belongs is no server's error."""
    for port in raw[:2]:
        assert ask(port, "GET", "/nothing", Token="x").status == 404
        reply = ask(port, "PUT", "/ping", Token="x")
        assert reply.status == 405 and "GET" in reply.headers["Allow"]
    assert ask(raw[0], "GET", "/slave/task/complete", Token=raw[2]).status == 405
    assert ask(raw[0], "PUT", "/slave/heartbeat", Token=raw[2]).status == 405
    assert ask(raw[1], "GET", "/task/new", Token=raw[3]).status == 405


def test_17_a_body_has_a_bound(plain: Ends) -> None:
    """A body beyond `max_body` is refused with 413, before it is read."""
    end = plain.slave(max_body=1024)
    client = http.client.HTTPConnection("127.0.0.1", end.port, timeout=PATIENCE)
    client.putrequest("POST", "/connect")
    client.putheader("Content-Length", "1000000")
    client.endheaders()
    assert client.getresponse().status == 413
    client.close()
    assert end.ping()


@pytest.mark.parametrize("content", [b"<html>", b"", b"[]", b'{"success": true}', b"[" * 100_000])
def test_17_a_slave_without_envelopes_is_a_request_that_failed(plain: Ends, content: bytes) -> None:
    """What a slave answers without an envelope is a RequestException of connect, whatever its status."""
    master = plain.master()
    for status in (200, 400, 500):
        peer = plain.peer(lambda request, status=status: (status, content))
        connection = master.new_connection("one", "127.0.0.1", peer.port)
        with pytest.raises(RequestException):
            connection.connect()
        assert not connection.is_connected


@pytest.mark.parametrize("content", [b"<html>", b"[" * 100_000])
def test_17_a_task_that_is_answered_with_nonsense_has_not_started(plain: Ends, content: bytes) -> None:
    """A slave that answers a task with nonsense leaves it START_FAILED; so it does a task of the pool."""
    master = plain.master()
    peer = plain.peer(lambda request: (200, content) if request.path == "/task/new" else (200, OK))
    connection = plain.connected(master, peer)
    task = connection.new_task({})
    with pytest.raises(RequestException):
        task.start()
    assert task.status is TaskStatus.START_FAILED and connection.tasks == []
    future = master.submit({}, retry=TaskRetry(lost=0, refused=0))
    assert isinstance(future.exception(PATIENCE), RequestException)
