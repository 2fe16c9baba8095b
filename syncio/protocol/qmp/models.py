"""The messages of QMP that have a shape of their own, and what is wrong with those that have not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ErrorInfo", "ErrorResponse", "Greeting", "QMPGreeting"]


def _member(mapping: Mapping[str, Any], name: str, kind: type, words: str, place: str) -> Any:
    """A member of a mapping, of a type.

    :raises KeyError: if it has none of that name.
    :raises TypeError: if it is of another type.
    """
    if name not in mapping:
        raise KeyError(f"{place} has no member {name!r}")
    value = mapping[name]
    if not isinstance(value, kind):
        raise TypeError(f"{place}: {name!r} is {words}, not {type(value).__name__}")
    return value


@dataclass(frozen=True)
class QMPGreeting:
    """What a server says of itself.

    :param version: its version.
    :param capabilities: what it offers; 'oob' is out-of-band execution.
    """

    version: Mapping[str, Any]
    capabilities: Sequence[Any]


@dataclass(frozen=True)
class Greeting:
    """The server's first message (qmp-spec, "Server Greeting").

    :param QMP: what it says.
    """

    QMP: QMPGreeting

    @classmethod
    def parse(cls, message: Mapping[str, Any]) -> Greeting:
        """Read it.

        :raises KeyError: if something is missing.
        :raises TypeError: if something is of the wrong type. Members that are not known are ignored.
        """
        body = _member(message, "QMP", Mapping, "an object", "the greeting")
        version = _member(body, "version", Mapping, "an object", "the greeting's QMP")
        return cls(QMPGreeting(version, _member(body, "capabilities", list, "an array", "the greeting's QMP")))

    def _asdict(self) -> dict[str, Any]:
        return {"QMP": {"version": self.QMP.version, "capabilities": self.QMP.capabilities}}


@dataclass(frozen=True)
class ErrorInfo:
    """What went wrong in a command.

    :param class_: the class of the error, for programs.
    :param desc: for people.
    """

    class_: str
    desc: str


@dataclass(frozen=True)
class ErrorResponse:
    """A reply that is an error (qmp-spec, "Error").

    :param error: what went wrong.
    :param id: the id of the command, if it had one.
    """

    error: ErrorInfo
    id: object = None

    @classmethod
    def parse(cls, message: Mapping[str, Any]) -> ErrorResponse:
        """Read it.

        :raises KeyError: if something is missing.
        :raises TypeError: if something is of the wrong type.
        """
        body = _member(message, "error", Mapping, "an object", "the reply")
        info = ErrorInfo(
            _member(body, "class", str, "a string", "the reply's error"),
            _member(body, "desc", str, "a string", "the reply's error"),
        )
        return cls(info, message.get("id"))
