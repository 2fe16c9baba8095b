"""When a client tries again: exponential back-off with jitter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from ...errors import ConfigurationError

__all__ = ["Retry"]


@dataclass(frozen=True)
class Retry:
    """How often and how soon `Client.connect` tries again.

    :param attempts: how often, after the first time; None without end.
    :param delay: seconds before the second attempt; each further wait is twice as long.
    :param max_delay: the longest wait, in seconds.
    :param jitter: by which part of itself a wait is made longer or shorter, so that clients that lost one server do not
        all come back at once.
    :raises ConfigurationError: for a value that cannot work.
    """

    attempts: int | None = None
    delay: float = 1.0
    max_delay: float = 30.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if self.attempts is not None and self.attempts < 0:
            raise ConfigurationError("attempts", self.attempts, "a number of attempts, or None without end")
        if self.delay < 0 or self.max_delay < self.delay:
            raise ConfigurationError("delay", self.delay, "seconds, of 0 to max_delay")
        if not 0 <= self.jitter <= 1:
            raise ConfigurationError("jitter", self.jitter, "0 to 1")

    @classmethod
    def of(cls, wanted: Retry | int | bool | None) -> Retry:
        """What `retry` means: a `Retry`, a number of attempts, True without end, or None and False for one attempt."""
        if isinstance(wanted, Retry):
            return wanted
        if wanted is None or isinstance(wanted, bool):
            return cls(attempts=None if wanted else 0)
        return cls(attempts=wanted)

    def waits(self) -> Iterator[float]:
        """The waits, in seconds, one before each further attempt."""
        for number in count() if self.attempts is None else range(self.attempts):
            wait = min(self.max_delay, self.delay * 2.0 ** min(number, 60))
            yield wait * (1 + self.jitter * random.uniform(-1, 1))
