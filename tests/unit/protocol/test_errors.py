"""What can go wrong on this side: attributes, sentences, and copies."""

from __future__ import annotations

import copy
import pickle

import pytest

from syncio.errors import SyncioError
from syncio.protocol import ConnectError, ConnectTimeout, OutgoingFull, ProtocolError, Runstate, StateError, errors

SAMPLES: list[tuple[ProtocolError, str]] = [
    (ProtocolError("no"), "no"),
    (ConnectError("Failed to establish session", ValueError("odd")), "Failed to establish session: odd"),
    (ConnectTimeout("Failed to establish session", TimeoutError("late")), "Failed to establish session: late"),
    (StateError("Lines is disconnected and idle.", Runstate.IDLE, Runstate.RUNNING), "Lines is disconnected and idle."),
    (
        OutgoingFull(20, 16),
        "20 bytes wait already for a peer that does not read them, and 16 may: let _on_message send less, have another "
        "task send, or raise send_limit",
    ),
]


def test_all_is_complete() -> None:
    """Every error of the module is public and has a sample here."""
    assert errors.__all__ == sorted(type(error).__name__ for error, _ in SAMPLES)


@pytest.mark.parametrize(("error", "sentence"), SAMPLES, ids=lambda value: type(value).__name__)
def test_the_sentence(error: ProtocolError, sentence: str) -> None:
    """An error speaks in a sentence made of its attributes, and is below the one root."""
    assert str(error) == sentence
    assert isinstance(error, SyncioError)


@pytest.mark.parametrize(("error", "sentence"), SAMPLES, ids=lambda value: type(value).__name__)
def test_copies_say_the_same(error: ProtocolError, sentence: str) -> None:
    """An error survives being copied and being pickled."""
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert str(twin) == sentence
        assert vars(twin).keys() == vars(error).keys()


def test_pickled_state_error_keeps_its_states() -> None:
    """The states of a StateError are members of the same enum in another process."""
    twin = pickle.loads(pickle.dumps(SAMPLES[3][0]))
    assert (twin.error_message, twin.state, twin.required) == (
        "Lines is disconnected and idle.",
        Runstate.IDLE,
        Runstate.RUNNING,
    )


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (EOFError(), "EOFError"),
        (errors.ProtocolError(), "syncio.protocol.errors.ProtocolError"),
        (OSError(2, "x"), "[Errno 2] x"),
    ],
)
def test_cause_without_words(cause: BaseException, words: str) -> None:
    """A cause that says nothing is named by its class, with its module if it is not one of Python's own."""
    error = ConnectError("Failed", cause)
    assert str(error) == f"Failed: {words}"
    assert (error.error_message, error.exc) == ("Failed", cause)


def test_standard_classes() -> None:
    """Who does not know syncio catches a lapse of time as a TimeoutError, and a full buffer as a BufferError."""
    assert issubclass(ConnectTimeout, TimeoutError)
    assert issubclass(OutgoingFull, BufferError)
