"""Header field values: lists, tokens, extensions."""

from __future__ import annotations

import pytest

from syncio.errors import HandshakeError
from syncio.websocket.headers import Extension, has_token, is_field_value, is_token, parse_extensions, split_list


def test_lists_lose_white_space_and_empty_elements() -> None:
    """Commas separate, blanks and nothing do not count."""
    assert split_list(" a ,\tb,, c d ,") == ["a", "b", "c d"]
    assert split_list("") == []


def test_quoted_separators_do_not_separate() -> None:
    """A comma within quotes belongs to its element, also behind an escaped quote."""
    assert split_list('a="1,2", b="\\",", c') == ['a="1,2"', 'b="\\","', "c"]


def test_tokens_are_found_in_any_case() -> None:
    """Connection: keep-alive, Upgrade has upgrade; a part of a word is not it."""
    assert has_token("keep-alive, UpGrade", "upgrade")
    assert not has_token("upgraded", "upgrade")
    assert not has_token("", "upgrade")


def test_tokens_and_field_values() -> None:
    """Separators and control characters are no part of a token; line ends are no part of a value."""
    assert is_token("Sec-WebSocket-Key!")
    assert not any(map(is_token, ("", "a b", "a:b", "a\r", "\xe4", "(x)")))
    assert is_field_value("a\tb \xe4 ~")
    assert not any(map(is_field_value, ("a\rb", "a\nb", "a\0b", "\x7f", "\x85", "\u20ac")))


def test_extensions_with_parameters() -> None:
    """Names fall to lower case; values may be quoted; a parameter may have none."""
    assert parse_extensions('Permessage-Deflate; A; b=10; c="11", other') == (
        Extension("permessage-deflate", (("a", None), ("b", "10"), ("c", "11"))),
        Extension("other", ()),
    )
    assert parse_extensions("") == ()


@pytest.mark.parametrize(
    "value", [";", "; a", "a;;b", "a b", "a; b=", 'a; b="', 'a; b="x y"', 'a; b=""', "a; =1", '"a"']
)
def test_bad_extensions_are_refused(value: str) -> None:
    """What the grammar of section 9.1 does not have is a handshake error, not a guess."""
    with pytest.raises(HandshakeError, match="Extensions"):
        parse_extensions(value)


@pytest.mark.parametrize("value", ['"' * 100_000, "," * 100_000, ";" * 100_000, 'a="\\' * 25_000])
def test_long_nonsense_is_read_in_linear_time(value: str) -> None:
    """100,000 separators or quotes end in a list or in an error, without a pause."""
    assert len(split_list(value)) <= 100_000
    with pytest.raises(HandshakeError):
        parse_extensions(value + "x=")
