"""The chat room: who is here, under which name, and what was said last. Pure; everything in it is bounded.

The room is used from many threads at once. Nothing in it needs a lock but the choice of a name, which `Room` is given
a lock for; the others are single operations on a dict or a deque.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

__all__ = ["Limits", "Message", "Room", "clean"]


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
    """The people and the last messages.

    :param epoch: a word that is different after each start of the server.
    :param lock: held while a name is chosen, and never around anything that waits.
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
        return [asdict(message) for message in self._history.copy()]

    def name_of(self, sid: str) -> str | None:
        """A session's name, or None if it has not joined or has left."""
        return self._names.get(sid)

    def join(self, sid: str, wanted: object) -> str:
        """Let a session in, or give it another name.

        :param wanted: the name that the client asks for; anything may stand there.
        :return: the name that it has now: cleaned, cut to its length, and nobody else's.
        """
        name = clean(wanted, self.limits.name) or f"Guest {next(self._guests)}"
        with self.lock:
            taken = {other.casefold() for key, other in self._names.items() if key != sid}
            self._names[sid] = name = _free(name, taken, self.limits.name)
        return name

    def leave(self, sid: str) -> str | None:
        """Let a session out. Returns its name, or None if it had not joined."""
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
        message = Message(f"{self.epoch}-{next(self._numbers)}", name, said, at)
        self._history.append(message)
        return message


def clean(value: object, length: int, keep: str = "") -> str:
    """The text in what a client sent: one line of visible characters, cut to a length; empty if it is no text.

    :param length: how many characters may remain.
    :param keep: control characters that may stay.
    """
    if not isinstance(value, str):
        return ""
    # Control and format characters could turn the direction of the text around them; lone surrogates are not UTF-8.
    shown = (c if c in keep or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else " " for c in value)
    lines = "".join(shown).split("\n")
    return "\n".join(" ".join(line.split()) for line in lines).strip()[:length].rstrip()


def _free(name: str, taken: set[str], length: int) -> str:
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        suffix = f" {number}"
        candidate = name[: length - len(suffix)].rstrip() + suffix
    return candidate
