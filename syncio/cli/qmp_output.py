"""What ``syncio qmp`` prints: JSON, what people should know, and events."""

from __future__ import annotations

import json
import os
import re
import threading
from typing import Any, TextIO

from ..protocol.qmp import ExecuteError, Message

__all__ = ["Output", "words_of"]

TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=:))|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>\b(?:true|false|null)\b|-?\d[\d.eE+-]*)'
)
COLOURS = {"key": "\x1b[36m", "text": "\x1b[32m", "word": "\x1b[33m", "note": "\x1b[2m", "error": "\x1b[31m"}
PLAIN = "\x1b[0m"
# A guest's words must not control the terminal, and not every one of them can be printed.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Output:
    """Prints, from any thread, and line by line.

    :param out: for answers.
    :param err: for everything else.
    :param compact: whether a value takes one line.
    """

    def __init__(self, out: TextIO, err: TextIO, compact: bool = False) -> None:
        self._out = out
        self._err = err
        self._compact = compact
        self._lock = threading.Lock()

    def value(self, value: Any) -> None:
        """A value, as JSON."""
        self._print(self._out, self._json(self._out, value, None if self._compact else 2))

    def text(self, text: str) -> None:
        """What is meant for people already."""
        if text := text.replace("\r\n", "\n").rstrip("\n"):
            self._print(self._out, _printable(text))

    def note(self, words: str) -> None:
        """Something that is no answer."""
        self._print(self._err, _coloured(self._err, "note", f"* {_printable(words)}"))

    def error(self, words: str) -> None:
        """What went wrong."""
        self._print(self._err, _coloured(self._err, "error", _printable(words)))

    def sent(self, message: Message) -> None:
        """A command as it leaves."""
        self._print(self._err, _coloured(self._err, "note", "-> ") + self._json(self._err, dict(message), None))

    def event(self, event: Message) -> None:
        """An event, in one line."""
        line = _coloured(self._err, "note", f"* {_printable(str(event.get('event')))}")
        if data := event.get("data"):
            line += f" {self._json(self._err, data, None)}"
        self._print(self._err, line)

    def _json(self, where: TextIO, value: Any, indent: int | None) -> str:
        text = _printable(json.dumps(value, indent=indent, ensure_ascii=False))
        if not _has_colours(where):
            return text
        return TOKEN.sub(lambda token: f"{COLOURS[token.lastgroup or 'text']}{token[0]}{PLAIN}", text)

    def _print(self, where: TextIO, text: str) -> None:
        with self._lock:
            where.write(f"{text}\n")
            where.flush()


def words_of(error: Exception) -> str:
    """An error in words, with the server's class for it."""
    if isinstance(error, ExecuteError):
        return f"{error.error_class}: {error}"
    return str(error)


def _printable(text: str) -> str:
    return UNPRINTABLE.sub(lambda char: f"\\u{ord(char[0]):04x}", text)


def _has_colours(where: TextIO) -> bool:
    return where.isatty() and "NO_COLOR" not in os.environ


def _coloured(where: TextIO, colour: str, text: str) -> str:
    return f"{COLOURS[colour]}{text}{PLAIN}" if _has_colours(where) else text
