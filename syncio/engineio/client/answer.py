"""What a server said with its refusal, for people and programs."""

from __future__ import annotations

import json

__all__ = ["read_answer"]


def read_answer(body: bytes) -> object:
    """The body of a refusal: the value of its JSON, or its text; None if there is none."""
    text = body.decode("utf-8", "replace")
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
