"""The tasks of one connection: who is under way, and who was."""

from __future__ import annotations

import pytest

from syncio.interaction import Master, SlaveConnection
from syncio.interaction.task_book import REMEMBERED, TaskBook
from syncio.runtime import choose_runtime


@pytest.fixture
def here() -> SlaveConnection:
    """A connection that is not connected, to make tasks of."""
    return Master(host="127.0.0.1", port=0).new_connection("one", "127.0.0.1", 1)


@pytest.fixture
def book() -> TaskBook:
    """An empty book."""
    return TaskBook(choose_runtime())


def test_a_task_is_in_it_until_it_is_closed(book: TaskBook, here: SlaveConnection) -> None:
    """A task is found until somebody closes it, who alone gets it; then it is known to be over."""
    one, two = here.new_task(1), here.new_task(2)
    book.add(one)
    book.add(two)
    book.add(two)  # a second time changes nothing
    assert (len(book), book.all(), book.find(one.id), book.is_over(one.id)) == (2, [one, two], one, False)
    assert [book.close(one.id) for _ in range(2)] == [one, None]
    assert (len(book), book.all(), book.find(one.id), book.is_over(one.id)) == (1, [two], None, True)


def test_what_was_never_there_is_not_over(book: TaskBook) -> None:
    """An id that nobody has added is neither under way nor over."""
    assert book.find("x") is None and not book.is_over("x")


def test_the_end_of_all(book: TaskBook, here: SlaveConnection) -> None:
    """`clear` returns what is under way, once, and forgets what was."""
    one, two = here.new_task(1), here.new_task(2)
    book.add(one)
    book.add(two)
    book.close(one.id)
    assert [book.clear(), book.clear()] == [[two], []]
    assert len(book) == 0 and not book.is_over(one.id) and not book.is_over(two.id)


def test_it_does_not_grow(book: TaskBook, here: SlaveConnection) -> None:
    """Of tasks that are over the last ones are known, and no more."""
    ids = [here.new_task(number).id for number in range(REMEMBERED + 2)]
    for task_id in ids:
        book.close(task_id)
    assert [book.is_over(task_id) for task_id in ids[:3]] == [False, False, True]
    assert book.is_over(ids[-1])
