"""Says on which kinds of servers a test runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from tests.servers.kinds import Kind

__all__ = ["on_kinds"]

F = TypeVar("F", bound=Callable[..., Any])


def on_kinds(kinds: Iterable[Kind]) -> Callable[[F], F]:
    """Run a test on these kinds of servers only."""

    def select(function: F) -> F:
        function.kinds = tuple(kinds)  # type: ignore[attr-defined]
        return function

    return select
