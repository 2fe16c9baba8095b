"""The envelope of answers: written by views, read by whoever asked."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from syncio.interaction import (
    MasterErrorCode,
    ResponsibleException,
    TaskRefuse,
    failure_response,
    get_values_from_response,
    responsible,
    success_response,
)
from syncio.interaction.http_engine import HttpRequest, HttpResponse
from syncio.web import App


class Answer(NamedTuple):
    """An answer as `requests` has it."""

    status_code: int
    content: bytes


def ours(status: int, content: bytes) -> HttpResponse:
    """An answer as our engine has it."""
    return HttpResponse(status, {}, content, HttpRequest("GET", "/", {}, b""))


def said(response: Any) -> Any:
    """What is in a response."""
    return json.loads(response.data)


# ---------------------------------------------------------------------- written


def test_success() -> None:
    """What went well has the code 0, and words unless others are given; it is JSON."""
    response = success_response()
    assert said(response) == {"success": True, "code": 0, "message": "Success.", "data": None}
    assert (response.status_code, response.mimetype) == (200, "application/json")
    response = success_response({"a": [1]}, "well done", syncio={"slots": 2})
    assert said(response) == {
        "success": True,
        "code": 0,
        "message": "well done",
        "data": {"a": [1]},
        "syncio": {"slots": 2},
    }


def test_failure() -> None:
    """What did not go well has the code 1 unless another is given, and the status 200 until somebody says another."""
    response = failure_response()
    assert said(response) == {"success": False, "code": 1, "message": "Failed.", "data": None}
    assert (response.status_code, response.mimetype) == (200, "application/json")
    response = failure_response(MasterErrorCode.TASK_DATA_INVALID, "no id", {"a": 1})
    assert said(response) == {"success": False, "code": 601, "message": "no id", "data": {"a": 1}}


def test_nothing_is_something() -> None:
    """0 is a code, an empty text a message and an empty dict data: only None means the default."""
    assert said(failure_response(0, "", {})) == {"success": False, "code": 0, "message": "", "data": {}}
    assert said(success_response({}, "")) == {"success": True, "code": 0, "message": "", "data": {}}


def test_data_that_are_no_json() -> None:
    """Data that JSON does not have are the caller's mistake."""
    with pytest.raises(TypeError):
        success_response({"a": object()})


# ---------------------------------------------------------------------- read


@pytest.mark.parametrize("kind", [Answer, ours])
@pytest.mark.parametrize(
    ("content", "values"),
    [
        ('{"success": true, "code": 0, "message": "m", "data": {"a": 1}}', (True, 0, "m", {"a": 1})),
        ('{"success": false, "code": 601, "message": null, "data": null}', (False, 601, None, None)),
        ('{"success": 1, "code": "5"}', (True, 5, "", {})),
        ('{"code": 0, "success": true, "data": [1], "more": 1}', (True, 0, "", [1])),
    ],
)
def test_envelopes(kind: Any, content: str, values: tuple[Any, ...]) -> None:
    """An envelope has the status and four members, of which the last two may be missing, and any others."""
    assert get_values_from_response(kind(403, content.encode())) == (403, *values)


def test_what_is_written_can_be_read() -> None:
    """Responses of our own are read as well as those that came over a wire."""
    response = failure_response(MasterErrorCode.CHANNEL_INVALID, "\xe9", {"a": None})
    assert get_values_from_response(response) == (200, False, 202, "\xe9", {"a": None})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"\xff\xfe\xfd",
        b"null",
        b"5",
        b'"success code"',
        b"[]",
        b'["success", "code"]',
        b"{}",
        b'{"success": true}',
        b'{"code": 0}',
        b'{"success": true, "code": null}',
        b'{"success": true, "code": "x"}',
        b'{"success": true, "code": []}',
        b'{"success": true, "code": NaN}',
        b'{"success": true, "code": Infinity}',
        b'{"success": true, "code": 1e999}',
        b'{"success": true, "code": 0',
        b"[" * 100_000,
        b'{"success": ' + b"[" * 100_000,
        b'{"success": true, "code": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda content: ascii(content[:40]),
)
def test_what_is_no_envelope(content: bytes) -> None:
    """Whatever else comes is one ValueError, which names the status and the beginning of what came."""
    with pytest.raises(ValueError, match="the answer of status 502 has no envelope") as caught:
        get_values_from_response(Answer(502, content))
    assert len(str(caught.value)) < 400 and repr(content[:40])[2:-1] in str(caught.value)


# ---------------------------------------------------------------------- errors with an answer


class Odd(ResponsibleException):
    """An error of a class of its own."""


def test_an_error_has_an_answer() -> None:
    """The answer of an error has its code, its message, its data and its status."""
    response, status = Odd(MasterErrorCode.CHANNEL_INVALID, "no", {"a": 1}, 418).get_response()
    assert (status, said(response)) == (418, {"success": False, "code": 202, "message": "no", "data": {"a": 1}})
    response, status = Odd().get_response()
    assert (status, said(response)) == (400, {"success": False, "code": 1, "message": "Failed.", "data": {}})


@pytest.mark.parametrize(
    ("classes", "error", "caught"),
    [
        (None, ResponsibleException(), True),
        (None, Odd(), True),
        (None, TaskRefuse(), True),
        (None, KeyError(), False),
        ([Odd], Odd(), True),
        ([Odd], TaskRefuse(), False),
        (iter([TaskRefuse, Odd]), Odd(), True),
        ((), Odd(), False),
    ],
)
def test_responsible(classes: Any, error: Exception, caught: bool) -> None:
    """A view answers errors of the named classes, or of all that have an answer; others leave it."""

    @responsible(classes)
    def view(a: int, *, b: int) -> Any:
        """What it does."""
        assert (a, b) == (1, 2)
        raise error

    if not caught:
        with pytest.raises(type(error)):
            view(1, b=2)
        return
    response, status = view(1, b=2)
    assert (said(response)["success"], status) == (False, error.status_code)  # type: ignore[attr-defined]
    assert (view.__name__, view.__doc__) == ("view", "What it does.")


def test_responsible_in_an_app() -> None:
    """A view that is decorated is one of an app: what it returns is untouched, what it raises is the answer."""
    app = App("x", static_folder=None, template_folder=None)

    @app.route("/<name>")
    @responsible()
    def view(name: str) -> Any:
        if name == "no":
            raise TaskRefuse({"why": "full"})
        return success_response({"name": name})

    client = app.test_client()
    assert get_values_from_response(client.get("/x"))[:3] == (200, True, 0)
    assert get_values_from_response(client.get("/no")) == (403, False, 602, "Task refused!", {"why": "full"})
