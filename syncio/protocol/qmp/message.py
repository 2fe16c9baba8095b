"""A QMP message: a JSON object, as bytes and as a mapping."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from ..errors import ProtocolError

__all__ = ["DeserializationError", "Message", "UnexpectedTypeError"]


class DeserializationError(ProtocolError):
    """A line is no JSON.

    :param error_message: what is wrong with it.
    :param raw: the line.
    """

    def __init__(self, error_message: str, raw: bytes) -> None:
        super().__init__(error_message, raw)
        self.error_message = error_message
        self.raw = raw

    def __str__(self) -> str:
        return self.error_message


class UnexpectedTypeError(ProtocolError):
    """A line is JSON, and no object.

    :param error_message: what is wrong with it.
    :param value: what it is.
    """

    def __init__(self, error_message: str, value: object) -> None:
        super().__init__(error_message, value)
        self.error_message = error_message
        self.value = value

    def __str__(self) -> str:
        return self.error_message


class Message(MutableMapping[str, Any]):
    """A JSON object of the wire (QEMU's docs/interop/qmp-spec).

    ``bytes(message)`` is compact JSON, or the bytes that it was made from until it is changed; ``str(message)`` is for
    people.

    :param value: JSON as bytes, or a mapping.
    :param eager: False decodes bytes when they are looked into for the first time.
    :raises DeserializationError: if the bytes are no JSON.
    :raises UnexpectedTypeError: if they are no JSON object.
    """

    __slots__ = ("_data", "_object")

    def __init__(self, value: bytes | Mapping[str, Any] = b"{}", *, eager: bool = True) -> None:
        self._data: bytes | None = None
        self._object: dict[str, Any] | None = None
        if isinstance(value, bytes):
            self._data = value
            if eager:
                self._object = _decode(value)
        else:
            self._object = dict(value.members if isinstance(value, Message) else value)

    @property
    def members(self) -> dict[str, Any]:
        """All of it as a dict, to be read: a lookup costs a tenth of the mapping's."""
        if self._object is None:
            assert self._data is not None, "it has one or the other"
            self._object = _decode(self._data)
        return self._object

    def __getitem__(self, key: str) -> Any:
        return self.members[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.members[key] = value
        self._data = None

    def __delitem__(self, key: str) -> None:
        del self.members[key]
        self._data = None

    def __contains__(self, key: object) -> bool:
        return key in self.members

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __bytes__(self) -> bytes:
        if self._data is None:
            self._data = _encode(self._object).encode()
        return self._data

    def __str__(self) -> str:
        return json.dumps(self.members, indent=2)

    def __repr__(self) -> str:
        return f"Message({self._data!r})" if self._object is None else f"Message({self._object!r})"

    def copy(self) -> Message:
        """One of its own, whose changes this does not see."""
        return Message(json.loads(bytes(self)))


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _decode(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as exc:
        cut = "" if data.endswith(b"\n") else ", and the connection may have ended in it"
        raise DeserializationError(f"the peer sent a line that is no JSON{cut}: {_shown(data)} ({exc})", data) from exc
    except RecursionError as exc:
        raise DeserializationError("the peer sent JSON that is nested too deeply", data) from exc
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise UnexpectedTypeError(f"the peer sent JSON that is no object but {kind}: {_shown(data)}", value)
    return value


def _shown(data: bytes) -> str:
    return repr(data[:80].decode(errors="replace").rstrip()) + ("..." if len(data) > 80 else "")
