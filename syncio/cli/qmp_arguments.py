"""The shorthand for commands of QMP: ``node-name=disk0 size=1048576 file.filename=/tmp/x``. Text in, values out."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterable
from typing import Any

from .problem import Problem

__all__ = ["read_arguments", "read_value", "split_line"]

ALLOWED = 'an argument is KEY=VALUE: node-name=disk0, read-only=true, size=512, file.filename=/tmp/x, list=[1,"a"]'
CONSTANTS = {"True": True, "False": False, "None": None}
CLOSING = {"[": "]", "{": "}", "'": "'", '"': '"'}
QUOTES = "'\""


class Nest(dict[str, Any]):
    """An object that dotted keys have made, to which more of them may add."""


def split_line(line: str) -> list[str]:
    """Split a line at its spaces, but for those inside quotes and brackets that open where a value begins.

    :raises Problem: if one of these is not closed.
    """
    words, position = [], 0
    while position < len(line):
        if line[position].isspace():
            position += 1
            continue
        end = _end_of_word(line, position)
        words.append(line[position:end])
        position = end
    return words


def _end_of_word(line: str, start: int) -> int:
    closing: list[str] = []  # what would close what is open, the innermost last
    position = start
    while position < len(line):
        char = line[position]
        if closing and char == closing[-1]:
            closing.pop()
        elif closing and closing[-1] in QUOTES:
            position += char == "\\"
        elif char in CLOSING and (closing or line[position - 1 : position] == "="):
            closing.append(CLOSING[char])
        elif char.isspace() and not closing:
            break
        position += 1
    if closing:
        raise Problem(f"{line[start:]} does not end: {closing[-1]} is missing")
    return position


def read_arguments(words: Iterable[str]) -> dict[str, Any]:
    """The arguments of a command.

    :param words: each KEY=VALUE; a dot in a key nests.
    :raises Problem: if a word is nothing of that kind, or a key is given twice.
    """
    arguments = Nest()
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not all(key.split(".")):
            raise Problem(f"{word!r} is not possible: {ALLOWED}")
        _put(arguments, key, read_value(text))
    return arguments


def _put(arguments: Nest, key: str, value: Any) -> None:
    *outer, last = key.split(".")
    place = arguments
    for depth, part in enumerate(outer, 1):
        inner = place.setdefault(part, Nest())
        if not isinstance(inner, Nest):
            raise Problem(f"{key!r} is not possible: {'.'.join(outer[:depth])!r} is given as a value")
        place = inner
    if last in place:
        how = "with keys inside" if isinstance(place[last], Nest) else "twice"
        raise Problem(f"{key!r} is not possible: {key!r} is given {how}")
    place[last] = value


def read_value(text: str) -> Any:
    """A value: JSON, True, False or None, a list, an object or a string of Python; and any other text is itself.

    :raises Problem: if it begins like a list or an object and is neither.
    """
    if text in CONSTANTS:
        return CONSTANTS[text]
    try:
        return _sent(json.loads(text))
    except (ValueError, RecursionError):
        pass
    if not text.startswith(("[", "{", "'")):
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in strings that mean nothing
            return _sent(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        if text.startswith("'"):
            return text
        raise Problem(f"{text} is neither JSON nor a literal of Python", "as text it needs quotes") from None


def _sent(value: Any) -> Any:
    """A value that JSON has; `json.loads` reads more than that, and Python has more.

    :raises ValueError: if it is none.
    :raises TypeError: if it is none.
    """
    json.dumps(value, allow_nan=False)
    return value
