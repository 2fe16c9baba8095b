"""Sections 1 to 7 and 10, in memory with three ways of cutting, and over TCP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from .cases import CASES, Case
from .peer import Cut, EchoServer, MemoryPeer, Received, SocketPeer, by_frame, by_octet, close_frame, whole

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.number)


@pytest.fixture(scope="module")
def echo_server() -> Iterator[EchoServer]:
    """One echo server for all cases that go over TCP."""
    server = EchoServer()
    yield server
    server.close()


def judge(case: Case, received: Received, *, one_read: bool) -> None:
    """Compare what came back with what the case allows."""
    allowed = [list(case.items)]
    if one_read and case.lenient is not None:
        allowed.append(list(case.lenient))
    assert received.items in allowed
    assert received.closed
    assert received.close_code in case.close


@every_case
@pytest.mark.parametrize("cut", [whole, by_frame, by_octet])
def test_in_memory(case: Case, cut: Cut) -> None:
    """The strict outcome when frames or octets come one by one, and a failure in exactly the step that calls for it."""
    peer = MemoryPeer(cut)
    for index, step in enumerate(case.steps):
        assert not peer.received.closed or case.fails_at is not None
        peer.send(step)
        if case.fails_at is not None:
            assert peer.received.closed is (index >= case.fails_at)
    peer.send([close_frame()])
    peer.finish()
    judge(case, peer.received, one_read=cut is whole)


@every_case
def test_over_tcp(case: Case, echo_server: EchoServer) -> None:
    """The same behind a real handshake and a real stream, which ends after the server's close frame."""
    peer = SocketPeer(echo_server.address)
    for step in case.steps:
        peer.send(step)
    peer.wait_for(len(case.items))
    peer.send([close_frame()])
    peer.finish()
    judge(case, peer.received, one_read=True)


def test_the_table_is_complete() -> None:
    """As many cases as the original has in these sections, and no number twice."""
    numbers = [case.number for case in CASES]
    assert len(numbers) == len(set(numbers))
    sections = Counter(number.split(".")[0] for number in numbers)
    assert sections == {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "10": 1}
