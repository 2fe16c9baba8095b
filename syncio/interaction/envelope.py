"""The envelope of every answer: success, code, message and data, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, TypeVar

from ..web import Response
from .codes import CommonErrorCode

__all__ = [
    "TAKEN",
    "Envelope",
    "ResponsibleException",
    "failure_response",
    "get_values_from_response",
    "responsible",
    "success_response",
]

F = TypeVar("F", bound=Callable[..., Any])
Envelope = tuple[int, bool, int, "str | None", Any]
"""HTTP status, success, code, message, data."""
TAKEN: Envelope = 200, True, 0, "Task received!", None
"""What a slave says that takes a task."""


def success_response(data: Mapping[str, Any] | None = None, message: str | None = None, **more: Any) -> Response:
    """The answer to what went well.

    :param more: members of the envelope beside those that everybody knows.
    """
    return _response(True, CommonErrorCode.SUCCESS, "Success." if message is None else message, data, more)


def failure_response(
    code: int | None = None, message: str | None = None, data: Mapping[str, Any] | None = None
) -> Response:
    """The answer to what did not. Its status is 200 until somebody says another one.

    :param code: a number of `codes`; None for 1.
    """
    number = CommonErrorCode.COMMON_FAILURE if code is None else code
    return _response(False, number, "Failed." if message is None else message, data, {})


def _response(success: bool, code: int, message: str, data: Any, more: dict[str, Any]) -> Response:
    body = json.dumps({"success": success, "code": int(code), "message": message, "data": data, **more})
    return Response(body, mimetype="application/json")


def get_values_from_response(response: Any) -> Envelope:
    """What is in the envelope of a response.

    :param response: anything with `status_code`, and `content` or `data`: ours, Werkzeug's, that of requests.
    :raises ValueError: if it has no envelope.
    """
    content = response.content if hasattr(response, "content") else response.data
    try:
        said = json.loads(content)
        return (
            response.status_code,
            bool(said["success"]),
            int(said["code"]),
            said.get("message", ""),
            said.get("data", {}),
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as exc:
        raise ValueError(f"the answer of status {response.status_code} has no envelope: {content[:80]!r}") from exc


class ResponsibleException(Exception):
    """An error that has an answer of its own.

    :param code: a number of `codes`.
    :param message: for people.
    :param data: goes along.
    :param status_code: the HTTP status.
    """

    def __init__(
        self,
        code: int = CommonErrorCode.COMMON_FAILURE,
        message: str | None = None,
        data: Mapping[str, Any] | None = None,
        status_code: int = 400,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = dict(data or {})
        self.status_code = status_code

    def get_response(self) -> tuple[Response, int]:
        """The answer, as a view returns it."""
        return failure_response(self.code, self.message, self.data), self.status_code


def responsible(classes: Iterable[type[ResponsibleException]] | None = None) -> Callable[[F], F]:
    """A decorator of views: errors of these classes are answered.

    :param classes: None for all that have an answer.
    """
    caught = tuple(classes) if classes is not None else (ResponsibleException,)

    def decorate(view: F) -> F:
        @wraps(view)
        def answered(*args: Any, **kwargs: Any) -> Any:
            try:
                return view(*args, **kwargs)
            except caught as exc:
                return exc.get_response()

        return answered  # type: ignore[return-value]

    return decorate
