"""What a command cannot go on with. This module must not import anything but the error tree."""

from __future__ import annotations

from ..errors import SyncioError

__all__ = ["CANNOT_START", "FAILED", "OK", "Problem"]

OK = 0
FAILED = 1
CANNOT_START = 2


class Problem(SyncioError):
    """The command cannot do what it was asked for.

    :param message: what is wrong, in one sentence.
    :param hint: what would help; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message
