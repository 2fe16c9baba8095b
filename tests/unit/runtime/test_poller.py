"""Pollers: epoll and the selector for systems without it, by one contract; and the waker."""

from __future__ import annotations

import os
import select
import selectors
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from syncio.runtime.poller import (
    READ,
    READ_SPIN,
    WRITE,
    EpollPoller,
    SelectorPoller,
    Spinner,
    Waker,
    find_epoll,
    make_poller,
)

from .kinds import PATIENCE, in_native_thread

MAKERS: dict[str, Callable[[], EpollPoller | SelectorPoller]] = {
    "epoll": EpollPoller,
    "poll": lambda: SelectorPoller(selectors.PollSelector() if hasattr(select, "poll") else None),
    "select": lambda: SelectorPoller(selectors.SelectSelector()),
    "default": make_poller,
}
if find_epoll() is None:
    del MAKERS["epoll"]


@pytest.fixture(params=list(MAKERS))
def poller(request: pytest.FixtureRequest) -> Iterator[EpollPoller | SelectorPoller]:
    """Each kind of poller."""
    poller = MAKERS[request.param]()
    yield poller
    poller.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    here, there = socket.socketpair()
    yield here, there
    here.close()
    there.close()


Pair = tuple[socket.socket, socket.socket]
AnyPoller = EpollPoller | SelectorPoller


def ignore(found: int) -> None:
    """A callback that is never called here: pollers only keep it."""


def test_nothing_ready_is_an_empty_list(poller: AnyPoller, pair: Pair) -> None:
    """A quiet descriptor is not reported, and a poll without time returns at once."""
    poller.watch(pair[0].fileno(), READ, ignore)
    assert poller.poll(0) == []
    assert poller.poll(0.001) == []


def test_readable_is_reported_until_it_is_read(poller: AnyPoller, pair: Pair) -> None:
    """Readiness is a level: it is reported by every poll until it is dealt with."""
    here, there = pair
    poller.watch(here.fileno(), READ, ignore)
    there.send(b"x")
    assert poller.poll(PATIENCE) == [(here.fileno(), READ)]
    assert poller.poll(0) == [(here.fileno(), READ)]
    here.recv(1)
    assert poller.poll(0) == []


def test_what_is_found_is_what_is_wanted(poller: AnyPoller, pair: Pair) -> None:
    """Reading, writing or both are reported if they are wanted; with 0 neither is."""
    here, there = pair
    there.send(b"x")
    fd = here.fileno()
    poller.watch(fd, WRITE, ignore)
    assert poller.poll(0) == [(fd, WRITE)]
    poller.change(fd, READ | WRITE)
    assert poller.poll(0) == [(fd, READ | WRITE)]
    poller.change(fd, READ)
    assert poller.poll(0) == [(fd, READ)]
    poller.change(fd, 0)
    assert poller.poll(0) == []
    poller.change(fd, READ)
    assert poller.poll(0) == [(fd, READ)]


def test_callback_is_kept_with_its_descriptor(poller: AnyPoller, pair: Pair) -> None:
    """Who polls finds the callback by the descriptor, and none after `forget`."""
    fd = pair[0].fileno()
    poller.watch(fd, READ, ignore)
    assert poller.ready[fd] is ignore
    poller.forget(fd)
    assert fd not in poller.ready
    poller.forget(fd)


def test_forgotten_is_not_reported(poller: AnyPoller, pair: Pair) -> None:
    """After `forget` nothing is found, and the descriptor can be watched anew."""
    here, there = pair
    there.send(b"x")
    poller.watch(here.fileno(), READ, ignore)
    poller.forget(here.fileno())
    assert poller.poll(0) == []
    poller.watch(here.fileno(), READ, ignore)
    assert poller.poll(0) == [(here.fileno(), READ)]


def test_change_of_what_is_not_watched_raises(poller: AnyPoller, pair: Pair) -> None:
    """A descriptor cannot get watched by a change: nobody would answer for it."""
    here, there = pair
    there.send(b"x")
    with pytest.raises((OSError, KeyError)):
        poller.change(here.fileno(), READ)
    assert poller.poll(0) == []


def test_failed_watch_keeps_nothing(poller: AnyPoller, pair: Pair) -> None:
    """A descriptor that cannot be watched leaves no callback behind."""
    here, _ = pair
    fd = here.fileno()
    here.close()
    if isinstance(poller, EpollPoller):
        with pytest.raises(OSError):
            poller.watch(fd, READ, ignore)
        assert fd not in poller.ready
    with pytest.raises((OSError, ValueError)):
        poller.watch(-1, READ, ignore)
    assert -1 not in poller.ready


def test_second_watch_is_refused_and_keeps_the_first(poller: AnyPoller, pair: Pair) -> None:
    """A descriptor has one callback: another one is an error, and the first goes on to be found."""
    here, there = pair
    fd = here.fileno()
    poller.watch(fd, READ, ignore)
    with pytest.raises((OSError, KeyError)):
        poller.watch(fd, READ, lambda found: None)
    assert poller.ready.get(fd) is ignore
    there.send(b"x")
    assert poller.poll(PATIENCE) == [(fd, READ)]


def test_end_of_the_peer_is_readable(poller: AnyPoller, pair: Pair) -> None:
    """A peer that closed is reported to who wants to read."""
    here, there = pair
    poller.watch(here.fileno(), READ, ignore)
    there.close()
    ((fd, found),) = poller.poll(PATIENCE)
    assert fd == here.fileno() and found & READ


def test_watch_during_a_poll_is_seen(poller: AnyPoller, pair: Pair) -> None:
    """A descriptor that another thread adds while one waits in `poll` ends that wait."""
    here, there = pair
    there.send(b"x")
    in_native_thread(lambda: poller.watch(here.fileno(), READ, ignore))
    found: list[tuple[int, int]] = []
    for _ in range(100):
        found = poller.poll(PATIENCE)
        if found:
            break
    assert found == [(here.fileno(), READ)]


def test_waker_is_readable_until_it_is_cleared() -> None:
    """Any number of wakes are one, and one clear ends them."""
    waker = Waker()
    poller = make_poller()
    poller.watch(waker.fileno(), READ, ignore)
    assert poller.poll(0) == []
    for _ in range(100):
        waker.wake()
    assert poller.poll(0) == [(waker.fileno(), READ)]
    waker.clear()
    assert poller.poll(0) == []
    poller.close()
    waker.close()


def test_full_waker_neither_blocks_nor_raises() -> None:
    """A waker that nobody clears takes any number of wakes."""
    waker = Waker()
    for _ in range(100_000):
        waker.wake()
    waker.clear()
    waker.close()


def test_closed_waker_touches_no_other_descriptor() -> None:
    """After `close` a wake writes nothing, also if its numbers belong to somebody else by then."""
    waker = Waker()
    waker.close()
    read, write = os.pipe()
    os.set_blocking(read, False)
    waker.wake()
    waker.clear()
    waker.close()
    os.write(write, b"mine")
    assert os.read(read, 100) == b"mine"
    os.close(read)
    os.close(write)


def test_forgotten_waker_gives_its_descriptors_back() -> None:
    """A waker that nobody refers to any more closes its pipe."""
    waker = Waker()
    fd = waker.fileno()
    os.fstat(fd)
    del waker
    time.sleep(0.001)  # gevent's close() takes effect when its loop turns
    with pytest.raises(OSError):
        os.fstat(fd)


class Looks:
    """In the place of a poll: finds something at the times that are said."""

    def __init__(self, *finds: bool) -> None:
        self._finds = list(finds)
        self.count = 0

    def __call__(self, timeout: int | None) -> list[tuple[int, int]]:
        self.count += 1
        return [(0, READ)] if self._finds and self._finds.pop(0) else []


def test_spinner_finds_what_comes_soon() -> None:
    """It looks again and again, and returns as soon as something is there."""
    looks = Looks(False, False, True)
    assert Spinner(looks, READ_SPIN).look()
    assert looks.count == 3


def test_spinner_looks_less_often_in_vain() -> None:
    """After one, two, three looks in vain it sleeps two, four, eight times without looking; a success ends that."""
    looks = Looks()
    spinner = Spinner(looks, READ_SPIN)
    looked = []
    for turn in range(20):
        before = looks.count
        assert not spinner.look()
        if looks.count > before:
            looked.append(turn)
    assert looked == [0, 3, 8, 17]


def test_spinner_starts_anew_after_a_success() -> None:
    """What was in vain before is forgotten when something comes."""
    spinner = Spinner(poll := Looks(), READ_SPIN)
    assert not spinner.look()
    assert not spinner.look() and not spinner.look()
    poll._finds = [True, True]
    assert spinner.look() and spinner.look()
