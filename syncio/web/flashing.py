"""Messages for the user's next page, kept in the session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .context import current_context, session

__all__ = ["flash", "get_flashed_messages"]

KEY = "_flashes"


def flash(message: str, category: str = "message") -> None:
    """Show a message on the next page that asks for them.

    :param category: for instance 'error'.
    """
    session[KEY] = [*session.get(KEY, ()), (category, message)]


def get_flashed_messages(with_categories: bool = False, category_filter: Iterable[str] = ()) -> list[Any]:
    """Take the messages; in the same request the same ones again.

    :param with_categories: whether they are pairs of category and message.
    :param category_filter: the categories that are wanted; none for all.
    """
    context = current_context(request=True)
    if context.flashes is None:
        context.flashes = [tuple(item) for item in session.pop(KEY)] if KEY in session else []
    wanted = set(category_filter)
    found = [item for item in context.flashes if not wanted or item[0] in wanted]
    return found if with_categories else [message for _, message in found]
