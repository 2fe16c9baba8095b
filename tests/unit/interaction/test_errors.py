"""Errors of masters and slaves: each number has its class, and each error a sentence."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from syncio import interaction
from syncio.errors import RemoteError, SyncioError
from syncio.interaction import (
    HTTPError,
    MasterErrorCode,
    MasterResponseException,
    RequestException,
    ResponseException,
    SlaveErrorCode,
    SlaveResponseException,
    TaskCancelled,
    TaskError,
    TaskFailed,
    TaskLost,
    TaskTimeout,
    get_master_exception_by_error,
    get_master_exception_class_by_error_code,
    get_slave_exception_by_error,
    get_slave_exception_class_by_error_code,
)

MASTER_CODES = {0, 101, 201, 202, 301, 302, 401, 402, 501, 502, 601}
SLAVE_CODES = {0, 101, 201, 202, 301, 302, 401, 402, 501, 502, 503, 504, 601, 602}


class Answer(NamedTuple):
    """An answer as `requests` has it."""

    status_code: int
    content: bytes


def error(code: Any, status: int = 403) -> HTTPError:
    """The error of an answer with a code."""
    content = {"success": False, "code": code, "message": "no", "data": {"a": 1}}
    return HTTPError(Answer(status, json.dumps(content).encode()))


def name_of(end: str, code: MasterErrorCode | SlaveErrorCode) -> str:
    """The name that the class of a code has."""
    return end + "".join(word.capitalize() for word in code.name.split("_"))


# ---------------------------------------------------------------------- answers that say no


def test_codes() -> None:
    """The numbers are the original's, each of them once."""
    assert {int(code) for code in MasterErrorCode} == MASTER_CODES and len(MasterErrorCode) == 11
    assert {int(code) for code in SlaveErrorCode} == SLAVE_CODES and len(SlaveErrorCode) == 14


@pytest.mark.parametrize("code", MasterErrorCode, ids=lambda code: code.name)
def test_what_a_master_says(code: MasterErrorCode) -> None:
    """Each of a master's codes has a class, named after it, which is exported and has all that was answered."""
    raised = get_master_exception_by_error(given := error(code))
    kind = type(raised)
    assert kind is get_master_exception_class_by_error_code(code) is getattr(interaction, name_of("Master", code))
    assert kind.error_code is code and issubclass(kind, MasterResponseException)
    assert (raised.status_code, raised.success, raised.code, raised.message, raised.data) == (
        403,
        False,
        code,
        "no",
        {"a": 1},
    )
    assert raised.error is given and str(raised) == "no" and kind.__doc__


@pytest.mark.parametrize("code", SlaveErrorCode, ids=lambda code: code.name)
def test_what_a_slave_says(code: SlaveErrorCode) -> None:
    """The same holds for those of a slave."""
    raised = get_slave_exception_by_error(given := error(code, 400))
    kind = type(raised)
    assert kind is get_slave_exception_class_by_error_code(code) is getattr(interaction, name_of("Slave", code))
    assert kind.error_code is code and issubclass(kind, SlaveResponseException)
    assert (raised.status_code, raised.success, raised.code, raised.message, raised.data) == (
        400,
        False,
        code,
        "no",
        {"a": 1},
    )
    assert raised.error is given and str(raised) == "no" and kind.__doc__


@pytest.mark.parametrize("find", [get_master_exception_by_error, get_slave_exception_by_error])
@pytest.mark.parametrize("code", [1, -1, 999, "x", None])
def test_codes_that_nobody_has(find: Callable[[Any], Exception], code: Any) -> None:
    """An answer with another code is a ValueError: it has no class."""
    with pytest.raises(ValueError):
        find(error(code))


@pytest.mark.parametrize("find", [get_master_exception_by_error, get_slave_exception_by_error, ResponseException])
def test_answers_without_an_envelope(find: Callable[[Any], Exception]) -> None:
    """An answer of somebody else is a ValueError."""
    with pytest.raises(ValueError, match="no envelope"):
        find(HTTPError(Answer(502, b"<html>")))


def test_a_code_belongs_to_one_end() -> None:
    """A code that only slaves have is none of a master's."""
    with pytest.raises(ValueError):
        get_master_exception_by_error(error(SlaveErrorCode.TASK_REFUSED))


# ---------------------------------------------------------------------- requests


def test_a_status_in_words() -> None:
    """The error of a status says what the answer says, if that has an envelope."""
    assert str(error(601, 418)) == "the answer has the status 418: no"
    assert str(HTTPError(Answer(502, b"<html>"))) == "the answer has the status 502"


def test_families() -> None:
    """Requests that fail are the other end's fault; a status is one way for them to fail, a refusal is another."""
    assert issubclass(HTTPError, RequestException) and issubclass(RequestException, RemoteError)
    assert issubclass(ResponseException, RemoteError) and not issubclass(ResponseException, RequestException)
    assert not issubclass(MasterResponseException, SlaveResponseException)


# ---------------------------------------------------------------------- tasks


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"error": {"type": "ValueError", "message": "x"}}, "the task failed with ValueError: x"),
        ({"error": {"type": "ValueError"}}, "the task failed with ValueError: "),
        ({"error": {"message": "x"}}, "the task failed: {'error': {'message': 'x'}}"),
        ({"error": "x"}, "the task failed: {'error': 'x'}"),
        ({"a": 1}, "the task failed: {'a': 1}"),
        (None, "the task failed: None"),
        ([1], "the task failed: [1]"),
    ],
)
def test_a_failure_in_words(result: Any, words: str) -> None:
    """A failure says which error it was, or what the slave says of it."""
    failure = TaskFailed(result)
    assert (failure.result, str(failure)) == (result, words)


def test_ends_of_tasks_are_known_elsewhere() -> None:
    """Who waits as for any future finds the errors that he knows."""
    assert issubclass(TaskTimeout, TimeoutError)
    assert issubclass(TaskCancelled, concurrent.futures.CancelledError)
    assert not issubclass(TaskLost, TimeoutError)
    for kind in (TaskFailed, TaskLost, TaskTimeout, TaskCancelled):
        assert issubclass(kind, TaskError) and issubclass(kind, SyncioError)
