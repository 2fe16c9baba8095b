"""JSON that gives back what Python has beyond it: tuples, bytes, dates, UUIDs and markup. Pure."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from markupsafe import Markup
from werkzeug.http import http_date, parse_date

__all__ = ["TaggedJSON"]


class Tag(NamedTuple):
    """How one kind of value is written.

    :param key: the only key of the object that stands for it; it begins with a space, which marks a tag.
    :param check: whether a value is of the kind.
    :param write: makes JSON of it.
    :param read: makes it of JSON.
    """

    key: str
    check: Callable[[Any], bool]
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class TaggedJSON:
    """Encodes and decodes. Every value but those of JSON is an object with one key, which names its kind."""

    def __init__(self) -> None:
        self._tags = [
            # An object of the user's that looks like a tag is marked itself.
            Tag(" d", self._looks_tagged, lambda v: {f"{k}__": self._tag(v[k]) for k in v}, _unmark),
            Tag(" t", lambda v: isinstance(v, tuple), lambda v: [self._tag(item) for item in v], tuple),
            Tag(" b", lambda v: isinstance(v, bytes), lambda v: b64encode(v).decode("ascii"), b64decode),
            Tag(" m", lambda v: hasattr(v, "__html__"), lambda v: str(v.__html__()), Markup),
            Tag(" u", lambda v: isinstance(v, UUID), lambda v: v.hex, UUID),
            Tag(" D", lambda v: isinstance(v, datetime), http_date, parse_date),
        ]
        self._by_key = {tag.key: tag for tag in self._tags}

    def _looks_tagged(self, value: Any) -> bool:
        if not isinstance(value, dict) or len(value) != 1:
            return False
        key = next(iter(value))
        return isinstance(key, str) and key.removesuffix("__") in self._by_key

    def _tag(self, value: Any) -> Any:
        if value is None or value.__class__ in (str, int, float, bool):
            return value
        for tag in self._tags:
            if tag.check(value):
                return {tag.key: tag.write(value)}
        if isinstance(value, dict):
            return {key: self._tag(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._tag(item) for item in value]
        return value

    def _untag(self, value: dict[str, Any]) -> Any:
        if len(value) != 1:
            return value
        key, content = next(iter(value.items()))
        tag = self._by_key.get(key)
        return value if tag is None else tag.read(content)

    def dumps(self, value: Any) -> str:
        """Encode, compactly.

        :raises TypeError: if something has no place in it.
        """
        return json.dumps(self._tag(value), separators=(",", ":"))

    def loads(self, text: str | bytes) -> Any:
        """Decode.

        :raises ValueError: if it is no JSON.
        """
        return json.loads(text, object_hook=self._untag)


def _unmark(value: dict[str, Any]) -> dict[str, Any]:
    return {key.removesuffix("__"): item for key, item in value.items()}
