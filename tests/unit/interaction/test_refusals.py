"""What hooks and tasks raise to say no: each has its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncio.interaction import ConnectionRefuse, DisconnectionRefuse, ResponsibleException, TaskFail, TaskRefuse
from syncio.interaction.codes import SlaveErrorCode

REFUSALS = [
    (ConnectionRefuse, SlaveErrorCode.SLAVE_CONNECTION_REFUSED, "Connection refused!"),
    (DisconnectionRefuse, SlaveErrorCode.SLAVE_DISCONNECTION_REFUSED, "Disconnection refused!"),
    (TaskRefuse, SlaveErrorCode.TASK_REFUSED, "Task refused!"),
]


@pytest.mark.parametrize(("kind", "code", "message"), REFUSALS)
@pytest.mark.parametrize("data", [None, {}, {"why": ["full"]}])
def test_a_refusal_has_an_answer(
    kind: type[Any], code: SlaveErrorCode, message: str, data: dict[str, Any] | None
) -> None:
    """A refusal is answered with 403, its own code, and the data that were given."""
    refusal = kind(data)
    assert isinstance(refusal, ResponsibleException) and str(refusal) == message
    response, status = refusal.get_response()
    said = {"success": False, "code": int(code), "message": message, "data": data or {}}
    assert (status, json.loads(response.data)) == (403, said)


def test_data_of_a_refusal_are_its_own() -> None:
    """What happens to the dict thereafter does not change the answer."""
    data = {"a": 1}
    refusal = TaskRefuse(data)
    data["a"] = 2
    assert refusal.data == {"a": 1}


@pytest.mark.parametrize(
    ("given", "result", "message", "words"),
    [
        ((), {}, None, "Task process failed."),
        ((None, None), {}, None, "Task process failed."),
        (({}, ""), {}, "", "Task process failed."),
        (({"a": 1},), {"a": 1}, None, "Task process failed."),
        (({"a": 1}, "no memory"), {"a": 1}, "no memory", "Task process failed - no memory."),
    ],
)
def test_a_task_fails(given: tuple[Any, ...], result: Any, message: str | None, words: str) -> None:
    """A failure has a result for the master and words for the log; both may be left out."""
    failure = TaskFail(*given)
    assert (failure.result, failure.message, str(failure)) == (result, message, words)
    assert not isinstance(failure, ResponsibleException)
