"""States: an enum moved by one table. An illegal move is an exception, not an ``if``.

This module must not know any protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Generic, TypeVar

from .errors import IllegalTransition

__all__ = ["Transitions"]

S = TypeVar("S", bound=Enum)


class Transitions(Generic[S]):
    """The table of one state machine.

    :param machine: the machine's name, for messages and documents.
    :param table: for every state the states that may follow it.
    :raises ValueError: if a state of the enum has no row.
    """

    __slots__ = ("_allowed", "machine")

    def __init__(self, machine: str, table: Mapping[S, Iterable[S]]) -> None:
        self.machine = machine
        self._allowed = {state: frozenset(following) for state, following in table.items()}
        if not self._allowed:
            raise ValueError(f"{machine}: the table is empty")
        missing = [state for state in type(next(iter(self._allowed))) if state not in self._allowed]
        if missing:
            raise ValueError(f"{machine}: no row for {missing}")

    def allows(self, state: S, wanted: S) -> bool:
        """Whether the table has this move."""
        return wanted in self._allowed[state]

    def move(self, state: S, wanted: S) -> S:
        """Return `wanted` if the table has the move.

        :raises IllegalTransition: otherwise.
        """
        if wanted not in self._allowed[state]:
            raise IllegalTransition(self.machine, state, wanted)
        return wanted

    def is_final(self, state: S) -> bool:
        """Whether nothing follows this state."""
        return not self._allowed[state]

    def rows(self) -> list[tuple[S, list[S]]]:
        """The table as rows, in the enum's order: what the documentation's diagrams are made from."""
        order = list(type(next(iter(self._allowed))))
        return [(state, [s for s in order if s in self._allowed[state]]) for state in order]
