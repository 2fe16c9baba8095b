"""Mailboxes: bounds, order, patience and the end, over both runtimes."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from syncio.errors import MailboxClosed, RequestTimeout
from syncio.runtime import Mailbox, Runtime

from .kinds import MOMENT, PATIENCE


def test_first_in_first_out(runtime: Runtime) -> None:
    """What goes in comes out in the same order, and is counted while it is inside."""
    mailbox: Mailbox[int] = Mailbox(runtime, 10)
    for number in range(10):
        mailbox.put(number, 0)
    assert len(mailbox) == 10
    assert [mailbox.get(0) for _ in range(10)] == list(range(10))
    assert len(mailbox) == 0


def test_limit_must_leave_room_for_one(runtime: Runtime) -> None:
    """A mailbox that can hold nothing cannot be made."""
    with pytest.raises(ValueError, match="limit=0"):
        Mailbox(runtime, 0)


@pytest.mark.parametrize("patience", [0, 0.01])
def test_full_mailbox_refuses_in_time(runtime: Runtime, patience: float) -> None:
    """`put` into a full mailbox waits as long as it may, then says what did not end, and leaves the mailbox alone."""
    mailbox: Mailbox[int] = Mailbox(runtime, 1)
    mailbox.put(1)
    with pytest.raises(RequestTimeout) as caught:
        mailbox.put(2, patience)
    assert (caught.value.operation, caught.value.timeout) == ("put()", patience)
    assert len(mailbox) == 1 and mailbox.get(0) == 1


@pytest.mark.parametrize("patience", [0, 0.01])
def test_empty_mailbox_gives_up_in_time(runtime: Runtime, patience: float) -> None:
    """`get` from an empty mailbox waits as long as it may."""
    mailbox: Mailbox[int] = Mailbox(runtime, 1)
    with pytest.raises(RequestTimeout) as caught:
        mailbox.get(patience)
    assert (caught.value.operation, caught.value.timeout) == ("get()", patience)


def test_put_wakes_who_waits(runtime: Runtime) -> None:
    """A consumer that waits without limit gets the item that comes."""
    mailbox: Mailbox[str] = Mailbox(runtime, 1)
    got: list[str] = []
    task = runtime.spawn(lambda: got.append(mailbox.get()))
    runtime.sleep(0)
    mailbox.put("item")
    task.join(PATIENCE)
    assert got == ["item"]


def test_get_makes_room(runtime: Runtime) -> None:
    """A producer that waits for room goes on when an item leaves, and never beyond the bound."""
    mailbox: Mailbox[int] = Mailbox(runtime, 2)
    sizes: list[int] = []

    def produce() -> None:
        for number in range(200):
            mailbox.put(number, PATIENCE)
            sizes.append(len(mailbox))

    task = runtime.spawn(produce)
    got = [mailbox.get(PATIENCE) for _ in range(200)]
    task.join(PATIENCE)
    assert got == list(range(200))
    assert max(sizes) <= 2


def test_several_consumers_share_without_loss(runtime: Runtime) -> None:
    """Every item reaches exactly one of many consumers, whatever they are woken for, and each sees its own in order."""
    mailbox: Mailbox[int] = Mailbox(runtime, 4)
    got: list[list[int]] = [[] for _ in range(5)]

    def consume(mine: list[int]) -> None:
        try:
            while True:
                mine.append(mailbox.get(PATIENCE))
        except MailboxClosed:
            return

    def produce(first: int) -> None:
        for number in range(first, first + 200):
            mailbox.put(number, PATIENCE)

    consumers = [runtime.spawn(consume, mine) for mine in got]
    producers = [runtime.spawn(produce, first) for first in (0, 1000, 2000)]
    for task in producers:
        task.join(PATIENCE)
    mailbox.close()
    for task in consumers:
        task.join(PATIENCE)
    assert sorted(number for mine in got for number in mine) == [
        first + n for first in (0, 1000, 2000) for n in range(200)
    ]
    for mine in got:
        for first in (0, 1000, 2000):
            own = [number for number in mine if first <= number < first + 200]
            assert own == sorted(own)


def test_closed_mailbox_takes_nothing_and_gives_what_it_has(runtime: Runtime) -> None:
    """After `close` nothing goes in; what was inside comes out; then it is over. Closing again changes nothing."""
    mailbox: Mailbox[int] = Mailbox(runtime, 3)
    mailbox.put(1)
    mailbox.put(2)
    assert not mailbox.is_closed
    mailbox.close()
    mailbox.close()
    assert mailbox.is_closed
    with pytest.raises(MailboxClosed):
        mailbox.put(3)
    assert [mailbox.get(), mailbox.get()] == [1, 2]
    with pytest.raises(MailboxClosed):
        mailbox.get()


def waiting_get(mailbox: Mailbox[int]) -> None:
    """Wait for an item."""
    mailbox.get()


def waiting_put(mailbox: Mailbox[int]) -> None:
    """Wait for room."""
    mailbox.put(1)
    mailbox.put(2)


@pytest.mark.parametrize("wait", [waiting_get, waiting_put])
def test_close_wakes_all_who_wait(runtime: Runtime, wait: Callable[[Mailbox[int]], None]) -> None:
    """Whoever waits for an item or for room when the mailbox is closed hears of it."""
    mailboxes: list[Mailbox[int]] = [Mailbox(runtime, 1) for _ in range(3)]
    ends: list[type[Exception]] = []

    def user(mailbox: Mailbox[int]) -> None:
        try:
            wait(mailbox)
        except MailboxClosed as exc:
            ends.append(type(exc))

    tasks = [runtime.spawn(user, mailbox) for mailbox in mailboxes]
    runtime.event().wait(MOMENT)
    for mailbox in mailboxes:
        mailbox.close()
    for task in tasks:
        task.join(PATIENCE)
    assert ends == [MailboxClosed] * 3


class WokenForNothing:
    """A runtime whose events wake their waiter after 0.4 s of its clock, for nothing."""

    def __init__(self) -> None:
        self.clock = 100.0
        self.waits: list[float | None] = []
        self.lock = threading.Lock
        self.set = self.clear = lambda: None

    def now(self) -> float:
        """Its clock."""
        return self.clock

    def event(self) -> WokenForNothing:
        """It is its own event."""
        return self

    def wait(self, timeout: float | None) -> bool:
        """Note how long the waiter would have waited."""
        self.waits.append(timeout)
        self.clock += 0.4
        return True


def test_patience_is_one_budget() -> None:
    """Who is woken for nothing, because others were faster, does not begin its time-out anew."""
    runtime = WokenForNothing()
    mailbox: Mailbox[int] = Mailbox(runtime, 1)
    with pytest.raises(RequestTimeout):
        mailbox.get(1.0)
    assert runtime.waits == pytest.approx([1.0, 0.6, 0.2])
