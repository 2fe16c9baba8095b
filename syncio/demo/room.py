"""The chat room: who is here, under which name, and what was said last. Everything in it is bounded.

This module must not do I/O or ask for the time.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

__all__ = ["Limits", "Message", "Room", "clean"]

_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_JOINERS = "\u200c\u200d"  # of Persian words, and of emoji that are made of several


@dataclass(frozen=True)
class Limits:
    """How much of everything there may be.

    :param name: characters in a name.
    :param text: characters in a message.
    :param history: messages that a newcomer is shown.
    :param people: sessions at a time.
    """

    name: int = 24
    text: int = 1000
    history: int = 50
    people: int = 500


@dataclass(frozen=True)
class Message:
    """Something that was said.

    :param id: unique, also across restarts of the server, so that a page can tell what it has shown already.
    :param name: who said it.
    :param text: what was said.
    :param at: when, in seconds since the epoch.
    """

    id: str
    name: str
    text: str
    at: float


@dataclass
class Room:
    """The people and the last messages, for any number of threads.

    :param epoch: a word that is different after each start of the server.
    :param lock: guards both; never held around anything that waits.
    :param limits: how much of everything there may be.
    """

    epoch: str
    lock: AbstractContextManager[Any]
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._names: dict[str, str] = {}
        self._history: deque[Message] = deque(maxlen=self.limits.history)
        self._numbers = count(1)
        self._guests = count(1)

    @property
    def online(self) -> int:
        """The number of people."""
        return len(self._names)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The last messages, oldest first, ready for JSON."""
        with self.lock:
            messages = list(self._history)
        return [asdict(message) for message in messages]

    def name_of(self, sid: str) -> str | None:
        """A session's name, or None if it has not joined or has left."""
        return self._names.get(sid)

    def join(self, sid: str, wanted: object) -> str:
        """Let a session in, or give it another name.

        :param wanted: the name that the client asks for; anything may stand there.
        :return: the name that it has now: cleaned, cut to its length, and nobody else's.
        """
        with self.lock:
            name = clean(wanted, self.limits.name) or f"Guest {next(self._guests)}"
            taken = {other.casefold() for key, other in self._names.items() if key != sid}
            self._names[sid] = name = _free(name, taken, self.limits.name)
        return name

    def leave(self, sid: str) -> str | None:
        """Let a session out. Returns its name, or None if it had not joined."""
        with self.lock:
            return self._names.pop(sid, None)

    def say(self, sid: str, text: object, at: float) -> Message | None:
        """Keep a message of a session.

        :param text: what the client sent; anything may stand there.
        :param at: when, in seconds since the epoch.
        :return: the message, or None if the session has not joined or there is nothing in the text.
        """
        name = self.name_of(sid)
        said = clean(text, self.limits.text, keep="\n")
        if name is None or not said:
            return None
        with self.lock:
            message = Message(f"{self.epoch}-{next(self._numbers)}", name, said, at)
            self._history.append(message)
        return message


def clean(value: object, length: int, keep: str = "") -> str:
    """The text in what a client sent: one line of visible characters, cut to a length; empty if there is none.

    :param length: how many characters may remain.
    :param keep: control characters that may stay.
    """
    if not isinstance(value, str):
        return ""
    may_stay = _JOINERS + keep
    # Control and format characters could turn the direction of the text around them; lone surrogates are not UTF-8.
    shown = (c if c in may_stay or unicodedata.category(c) not in _HIDDEN else " " for c in value)
    lines = (" ".join(line.split()) for line in "".join(shown).split("\n"))
    text = "\n".join(lines).strip()[:length].rstrip()
    return text if any(c.isprintable() for c in text) else ""


def _free(name: str, taken: set[str], length: int) -> str:
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        suffix = f" {number}"
        candidate = name[: length - len(suffix)].rstrip() + suffix
    return candidate
