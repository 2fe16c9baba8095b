"""One tree of errors: the class says whose fault it was, the attributes say what happened, `str` makes the sentence."""

from __future__ import annotations

import copy
import inspect

import pytest

from syncio import errors

FAULTS = (errors.LocalError, errors.RemoteError, errors.StreamError, errors.RequestTimeout)
CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]
SAMPLES: list[tuple[errors.SyncioError, str]] = [
    (
        errors.ConfigurationError("ping_timeout", -1, "it is a number of seconds, greater than 0"),
        "ping_timeout=-1 is not possible: it is a number of seconds, greater than 0",
    ),
    (errors.IllegalTransition("session", "closed", "open"), "session cannot move from closed to open"),
    (errors.BusyError("one reader at a time"), "one reader at a time"),
    (errors.MailboxClosed("the mailbox is closed"), "the mailbox is closed"),
    (errors.RequestTimeout("the handshake", 2.50), "the handshake did not end within 2.5 s"),
    (errors.RemoteProtocolError("reserved bit set", 1002), "reserved bit set"),
    (errors.HandshakeError("no upgrade", 426, (("Upgrade", "websocket"),)), "no upgrade"),
    (errors.ConnectionError("status 401", "not you", 401), "status 401: not you"),
    (errors.ConnectionError("nobody listens"), "nobody listens"),
    (errors.ClosedStream("closed here"), "closed here"),
    (errors.BrokenStream("reset by the peer"), "reset by the peer"),
]


def test_all_is_complete() -> None:
    """Every class of the module is public, and in alphabetical order."""
    assert errors.__all__ == sorted(cls.__name__ for cls in CLASSES)


def test_each_error_has_one_at_fault() -> None:
    """Every error except the root is exactly one of: ours, the peer's, the connection's, or time's."""
    for cls in CLASSES:
        at_fault = [fault for fault in FAULTS if issubclass(cls, fault)]
        assert len(at_fault) == (0 if cls is errors.SyncioError else 1), cls
        assert issubclass(cls, errors.SyncioError)


def test_every_kind_has_a_sample() -> None:
    """The samples of these tests hold every class that has no class below it."""
    leaves = {cls for cls in CLASSES if not any(cls in other.__bases__ for other in CLASSES)}
    assert {type(error) for error, _ in SAMPLES} == leaves


@pytest.mark.parametrize(("error", "sentence"), SAMPLES, ids=lambda value: type(value).__name__)
def test_the_sentence(error: errors.SyncioError, sentence: str) -> None:
    """An error speaks in a sentence made of its attributes."""
    assert str(error) == sentence


@pytest.mark.parametrize(("error", "sentence"), SAMPLES, ids=lambda value: type(value).__name__)
def test_copies_say_the_same(error: errors.SyncioError, sentence: str) -> None:
    """An error survives being copied, as on its way to another process, with its attributes."""
    for twin in (copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert (str(twin), vars(twin)) == (sentence, vars(error))


def test_standard_classes() -> None:
    """Those who do not know syncio catch a bad option as a ValueError and a lapse of time as a TimeoutError."""
    assert issubclass(errors.ConfigurationError, ValueError)
    assert issubclass(errors.RequestTimeout, TimeoutError)


def test_defaults() -> None:
    """A protocol error needs no code, and a handshake that gives no status is a bad request."""
    assert errors.RemoteProtocolError("x").code is None
    assert (errors.HandshakeError("x").status, errors.HandshakeError("x").headers) == (400, ())
