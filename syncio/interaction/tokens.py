"""Tokens: who knows one is who it was given to."""

from __future__ import annotations

import hmac
import os
import secrets

__all__ = ["new_id", "random_token", "same_token"]

LENGTH = 64
HEX = "0123456789abcdef"


def random_token(length: int | None = None) -> str:
    """A new token of hexadecimal digits, of four bits each.

    :param length: how many; None for 64.
    """
    return "".join(secrets.choice(HEX) for _ in range(LENGTH if length is None else length))


def new_id() -> str:
    """A random UUID as text (RFC 9562, section 5.4): a third of what the module `uuid` takes for it."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def same_token(one: str, other: str) -> bool:
    """Whether two tokens are the same, in a time that says nothing about where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
