"""Tokens: how they look, that no two are alike, and when two are the same."""

from __future__ import annotations

import string

import pytest

from syncio.interaction import random_token
from syncio.interaction.tokens import same_token


@pytest.mark.parametrize(("length", "digits"), [(None, 64), (64, 64), (1, 1), (0, 0), (1000, 1000)])
def test_length(length: int | None, digits: int) -> None:
    """A token has as many hexadecimal digits as were asked for, or 64."""
    token = random_token(length)
    assert len(token) == digits and set(token) <= set("0123456789abcdef")


def test_every_digit_is_as_likely() -> None:
    """All sixteen digits come, about equally often: none of them stands for two."""
    token = random_token(16_000)
    assert all(700 < token.count(digit) < 1300 for digit in "0123456789abcdef")
    assert not set(token) & set(string.ascii_uppercase)


def test_tokens_differ() -> None:
    """No token comes twice."""
    assert len({random_token() for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("", "", True),
        ("abc", "abc", True),
        ("abc", "abd", False),
        ("abc", "ABC", False),
        ("abc", "abc ", False),
        ("abc", "", False),
        ("\xe9", "\xe9", True),
        ("\xe9", "e\u0301", False),
        ("\U0001f600", "\U0001f600", True),
        ("?", "\ud800", False),
        ("\ud800", "\udfff", False),
        ("\ud800", "\ud800", True),
    ],
)
def test_same_token(one: str, other: str, same: bool) -> None:
    """Two tokens are the same if all their characters are, whatever these are."""
    assert same_token(one, other) is same and same_token(other, one) is same
