"""Greetings and errors: what is required of them, and how it is said what is wrong. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from syncio.protocol.qmp import ErrorInfo, ErrorResponse, ExecuteError, Greeting, Message, QMPGreeting

from .qmp_server import VERSION, greeting


def test_greeting() -> None:
    """A greeting has a version and capabilities."""
    parsed = Greeting.parse(Message(greeting("oob")))
    assert parsed == Greeting(QMPGreeting(VERSION, ["oob"]))
    assert parsed._asdict() == greeting("oob")


def test_greeting_may_have_more() -> None:
    """Members that nobody knows are ignored."""
    body = {**greeting()["QMP"], "more": 1}
    assert Greeting.parse({"QMP": body, "else": 2}).QMP.capabilities == []


@pytest.mark.parametrize(
    ("message", "kind", "words"),
    [
        ({}, KeyError, "the greeting has no member 'QMP'"),
        ({"QMP": []}, TypeError, "the greeting: 'QMP' is an object, not list"),
        ({"QMP": {}}, KeyError, "the greeting's QMP has no member 'version'"),
        ({"QMP": {"version": "9"}}, TypeError, "'version' is an object, not str"),
        ({"QMP": {"version": {}}}, KeyError, "no member 'capabilities'"),
        ({"QMP": {"version": {}, "capabilities": {}}}, TypeError, "'capabilities' is an array, not dict"),
    ],
)
def test_what_is_no_greeting(message: dict[str, Any], kind: type[Exception], words: str) -> None:
    """It is said which member is missing, or of the wrong type."""
    with pytest.raises(kind) as caught:
        Greeting.parse(message)
    assert words in caught.value.args[0]


def test_error_response() -> None:
    """An error has a class, words, and the id of its command."""
    error = {"error": {"class": "CommandNotFound", "desc": "no", "more": 1}, "id": "x"}
    assert ErrorResponse.parse(error) == ErrorResponse(ErrorInfo("CommandNotFound", "no"), "x")
    assert ErrorResponse.parse({"error": {"class": "A", "desc": "B"}}).id is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("words", TypeError),
        ({}, KeyError),
        ({"class": "A"}, KeyError),
        ({"desc": "B"}, KeyError),
        ({"class": 1, "desc": "B"}, TypeError),
        ({"class": "A", "desc": None}, TypeError),
    ],
)
def test_what_is_no_error_response(error: object, kind: type[Exception]) -> None:
    """An error that lacks something, or has something of the wrong type, is refused."""
    with pytest.raises(kind):
        ErrorResponse.parse({"error": error})


def test_execute_error_has_everything() -> None:
    """The error of a command gives what was sent, what came, its class, and its words."""
    received = Message({"error": {"class": "GenericError", "desc": "no such thing"}, "id": "x"})
    sent = Message({"execute": "a", "id": "x"})
    error = ExecuteError(ErrorResponse.parse(received), sent, received)
    assert (error.error_class, str(error), error.sent, error.received) == (
        "GenericError",
        "no such thing",
        sent,
        received,
    )
    assert error.error.error.desc == "no such thing" and error.args == (error.error, sent, received)
