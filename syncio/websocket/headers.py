"""Header field values as RFC 6455 uses them: lists of tokens and lists of extensions with their parameters.

Every function here takes time proportional to its input. This module must not know what any extension means.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import HandshakeError

__all__ = ["Extension", "has_token", "is_field_value", "is_token", "parse_extensions", "split_list"]

_TOKEN_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension that is offered or accepted (RFC 6455, section 9.1).

    :param name: its name, in lower case.
    :param parameters: names (in lower case) and values in their order; None where there is no value.
    """

    name: str
    parameters: tuple[tuple[str, str | None], ...]


def is_token(text: str) -> bool:
    """Whether the text is a `token` (RFC 7230, section 3.2.6)."""
    return bool(text) and _TOKEN_CHARACTERS.issuperset(text)


def is_field_value(text: str) -> bool:
    """Whether the text can stand in one header line: Latin-1 without control characters, tabs allowed."""
    return all(character == "\t" or " " <= character <= "~" or "\xa0" <= character <= "\xff" for character in text)


def split_list(value: str, separator: str = ",") -> list[str]:
    """The elements of a list, without the white space around them; empty elements are left out.

    A separator within a quoted string does not separate (RFC 7230, section 7).
    """
    return [element for element in _split(value, separator) if element]


def _split(value: str, separator: str) -> list[str]:
    pieces = value.split(separator) if '"' not in value else _split_quoted(value, separator)
    return [piece.strip(" \t") for piece in pieces]


def _split_quoted(value: str, separator: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    quoted = escaped = False
    for position, character in enumerate(value):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            pieces.append(value[start:position])
            start = position + 1
    pieces.append(value[start:])
    return pieces


def has_token(value: str, token: str) -> bool:
    """Whether a list like that of `Connection` has the token, in any case of its letters.

    :param token: in lower case.
    """
    return any(element.lower() == token for element in split_list(value))


def parse_extensions(value: str) -> tuple[Extension, ...]:
    """The value of `Sec-WebSocket-Extensions` (RFC 6455, section 9.1).

    :raises HandshakeError: it does not follow the grammar.
    """
    return tuple(_parse_extension(element) for element in split_list(value))


def _parse_extension(element: str) -> Extension:
    name, *parameters = _split(element, ";")
    if not is_token(name):
        raise HandshakeError("Sec-WebSocket-Extensions cannot be read")
    return Extension(name.lower(), tuple(_parse_parameter(parameter) for parameter in parameters))


def _parse_parameter(text: str) -> tuple[str, str | None]:
    name, equals, value = (part.strip(" \t") for part in text.partition("="))
    if value[:1] == '"':
        value = value[1:-1].replace("\\", "") if len(value) > 1 and value[-1] == '"' else ""
    if not is_token(name) or (equals and not is_token(value)):
        raise HandshakeError("Sec-WebSocket-Extensions cannot be read")
    return name.lower(), value if equals else None
