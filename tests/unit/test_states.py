"""States move by their table and in no other way."""

from __future__ import annotations

from enum import Enum

import pytest

from syncio.errors import IllegalTransition, LocalError
from syncio.states import Transitions


class Door(Enum):
    """The states of a door."""

    OPEN = "open"
    SHUT = "shut"
    GONE = "gone"


class Nothing(Enum):
    """No states at all."""


TABLE = {Door.OPEN: [Door.SHUT, Door.GONE], Door.SHUT: [Door.OPEN], Door.GONE: []}


@pytest.fixture
def door() -> Transitions[Door]:
    """The door's table."""
    return Transitions("door", TABLE)


@pytest.mark.parametrize("state", Door)
@pytest.mark.parametrize("wanted", Door)
def test_every_pair_of_states(door: Transitions[Door], state: Door, wanted: Door) -> None:
    """A pair that the table has is a move, and any other pair an error that changes nothing."""
    if wanted in TABLE[state]:
        assert door.allows(state, wanted)
        assert door.move(state, wanted) is wanted
        return
    assert not door.allows(state, wanted)
    with pytest.raises(IllegalTransition) as caught:
        door.move(state, wanted)
    assert (caught.value.machine, caught.value.state, caught.value.wanted) == ("door", state, wanted)


def test_staying_is_a_move_only_if_the_table_says_so() -> None:
    """A state follows itself where its row names it."""
    table = Transitions("lamp", {**TABLE, Door.OPEN: [Door.OPEN]})
    assert table.move(Door.OPEN, Door.OPEN) is Door.OPEN
    assert not table.allows(Door.SHUT, Door.SHUT)


def test_an_illegal_move_is_a_local_error_in_words(door: Transitions[Door]) -> None:
    """The message names the machine and both states, and the fault is ours."""
    with pytest.raises(LocalError, match=r"door cannot move from Door.GONE to Door.OPEN"):
        door.move(Door.GONE, Door.OPEN)


def test_final_states(door: Transitions[Door]) -> None:
    """Final is what nothing follows."""
    assert [state for state in Door if door.is_final(state)] == [Door.GONE]


def test_rows_are_in_the_order_of_the_enum() -> None:
    """The rows, and the states in them, come in the enum's order, however the table was written."""
    jumbled = {Door.GONE: [], Door.SHUT: [Door.OPEN], Door.OPEN: [Door.GONE, Door.SHUT]}
    assert Transitions("door", jumbled).rows() == [
        (Door.OPEN, [Door.SHUT, Door.GONE]),
        (Door.SHUT, [Door.OPEN]),
        (Door.GONE, []),
    ]


def test_a_state_without_a_row_is_refused() -> None:
    """A table has to say something about every state."""
    with pytest.raises(ValueError, match=r"door: no row for .*GONE"):
        Transitions("door", {Door.OPEN: [Door.SHUT], Door.SHUT: []})


def test_an_empty_table_is_refused() -> None:
    """A table of nothing is a mistake."""
    with pytest.raises(ValueError, match="door: the table is empty"):
        Transitions[Nothing]("door", {})


def test_the_table_does_not_change_afterwards() -> None:
    """What is done later to the mapping that it was made from changes nothing."""
    rows = {state: list(following) for state, following in TABLE.items()}
    door = Transitions("door", rows)
    rows[Door.GONE].append(Door.OPEN)
    assert door.is_final(Door.GONE)


def test_every_machine_of_the_package_can_end() -> None:
    """From each state of each of our machines some final state can be reached."""
    from syncio.engineio import pending, session
    from syncio.websocket import connection

    tables = [t for m in (pending, session, connection) for t in vars(m).values() if isinstance(t, Transitions)]
    assert len(tables) >= 3
    for table in tables:
        following = dict(table.rows())
        ends = {state for state in following if table.is_final(state)}
        assert ends, table.machine
        while grown := {state for state, after in following.items() if ends & set(after)} - ends:
            ends |= grown
        assert ends == set(following), table.machine
