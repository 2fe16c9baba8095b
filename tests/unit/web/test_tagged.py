"""JSON that gives Python's values back."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import pytest

from syncio.web import Markup
from syncio.web.tagged import TaggedJSON

VALUES: list[Any] = [
    None, True, 0, -1.5, "", "text é \u2028", [], {}, [1, [2, [3]]], {"a": {"b": None}},
    (), (1, 2), ((1,), [(2,)]), {"t": (1,)},
    b"", b"\x00\xff", [b"x"],
    Markup("<b>"), {"m": Markup("&amp;")},
    UUID(int=7), [UUID(int=7)],
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
    {" t": [1]}, {" b": "no base64!"}, {" d": {" t": 1}}, {" t__": 1}, {" t____": [(1,)]}, {" x": 1},
    {" t": 1, " b": 2}, {"_flashes": [("message", Markup("<i>"))]},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_there_and_back(value: Any) -> None:
    """What goes in comes out, of the same kind, also inside of others and if it looks like a tag itself."""
    tagged = TaggedJSON()
    text = tagged.dumps(value)
    found = tagged.loads(text)
    assert (found, type(found)) == (value, type(value))
    assert text.isascii() and ", " not in tagged.dumps([1, 2])


def test_plain_values_are_plain() -> None:
    """What JSON has is plain JSON, which others can read."""
    assert TaggedJSON().dumps({"a": [1, None, "x"]}) == '{"a":[1,null,"x"]}'


def test_dates_are_seconds() -> None:
    """A date without a zone is one of UTC, and comes back with it, to the second."""
    tagged = TaggedJSON()
    found = tagged.loads(tagged.dumps(datetime(2026, 1, 2, 3, 4, 5, 6)))
    assert found == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, TaggedJSON])
def test_what_has_no_place(value: Any) -> None:
    """Anything else is refused, and not made text."""
    with pytest.raises(TypeError):
        TaggedJSON().dumps({"a": [value]})


@pytest.mark.parametrize("text", ["", "{", b"\xff", '{" b":"x"}', '{" u":"x"}'])
def test_nonsense(text: str | bytes) -> None:
    """What is no JSON, or no value of its kind, is a ValueError."""
    with pytest.raises(ValueError):
        TaggedJSON().loads(text)
