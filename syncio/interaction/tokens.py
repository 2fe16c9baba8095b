"""Tokens: who knows one is who it was given to."""

from __future__ import annotations

import hmac
import secrets

__all__ = ["random_token", "same_token"]

LENGTH = 64
HEX = "0123456789abcdef"


def random_token(length: int | None = None) -> str:
    """A new token of hexadecimal digits, of four bits each.

    :param length: how many; None for 64.
    """
    return "".join(secrets.choice(HEX) for _ in range(LENGTH if length is None else length))


def same_token(one: str, other: str) -> bool:
    """Whether two tokens are the same, in a time that says nothing about where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
