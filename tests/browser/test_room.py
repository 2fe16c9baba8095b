"""The chat room behind the demo: what it keeps, and what it does with what clients send."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from syncio.demo.room import Limits, Room, clean


@pytest.fixture
def room() -> Room:
    """A room with small limits."""
    return Room("e", nullcontext(), Limits(name=8, text=20, history=3))


def test_names_are_unique(room: Room) -> None:
    """Nobody takes a name that somebody else has, also in other letters, and the number fits into the length."""
    assert [room.join("a", "Ada"), room.join("b", "ADA"), room.join("c", "ada")] == ["Ada", "ADA 2", "ada 3"]
    assert [room.join("d", "Margarethe"), room.join("e", "Margarethe")] == ["Margaret", "Margar 2"]


def test_a_name_can_be_kept_and_changed(room: Room) -> None:
    """One's own name is not taken by oneself; after a change or an end it is free again."""
    assert [room.join("a", "Ada"), room.join("a", "Ada"), room.join("a", "Eve")] == ["Ada", "Ada", "Eve"]
    assert room.join("b", "Ada") == "Ada"
    assert room.leave("a") == "Eve"
    assert room.leave("a") is None
    assert (room.join("c", "Eve"), room.online) == ("Eve", 2)


@pytest.mark.parametrize("wanted", [None, 7, [], {}, "", "  ", "\x00\u202e", "\u200d"])
def test_who_has_no_name_is_a_guest(room: Room, wanted: object) -> None:
    """What is no visible text gives a guest."""
    assert room.join("a", wanted) == "Guest 1"


def test_messages_have_different_ids(room: Room) -> None:
    """A message has its author, its time and an id of its own."""
    room.join("a", "Ada")
    first, second = room.say("a", "one", 1.0), room.say("a", "two", 2.0)
    assert first is not None and second is not None
    assert (first.name, first.text, first.at) == ("Ada", "one", 1.0)
    assert first.id != second.id


def test_history_is_bounded(room: Room) -> None:
    """Only the last messages are kept, oldest first."""
    room.join("a", "Ada")
    for number in range(5):
        room.say("a", f"message {number}", float(number))
    assert [message["text"] for message in room.history] == ["message 2", "message 3", "message 4"]


@pytest.mark.parametrize(("sid", "text"), [("stranger", "hello"), ("a", ""), ("a", " \n "), ("a", None), ("a", 5)])
def test_nothing_is_said(room: Room, sid: str, text: object) -> None:
    """Who has not joined cannot speak, and what is no visible text is no message."""
    room.join("a", "Ada")
    assert room.say(sid, text, 1.0) is None
    assert room.history == []


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("  a \t b  ", "a b"),
        ("a\nb", "a b"),
        ("x" * 30, "x" * 20),
        ("a\u202eb\u2066c", "a b c"),
        ("a\ud800b", "a b"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("<b>", "<b>"),
    ],
)
def test_text_is_cleaned(sent: str, kept: str) -> None:
    """Space is collapsed, length is cut, what could turn or break the text is gone; joined emoji and markup stay."""
    assert clean(sent, 20) == kept


def test_lines_can_stay() -> None:
    """A message may have several lines."""
    assert clean(" one \n\n two\n", 20, keep="\n") == "one\n\ntwo"
