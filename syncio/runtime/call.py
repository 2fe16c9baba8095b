"""A function call as work for the relay's pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Call"]


class Call:
    """Work: a function with its arguments. What it raises is logged by the relay, as a fault of ours.

    :param function: may block.
    """

    __slots__ = ("_arguments", "_function")

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._function = function
        self._arguments = arguments

    def run(self) -> None:
        """Call it."""
        self._function(*self._arguments)
