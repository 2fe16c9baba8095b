"""What is asked of an end, and what it says to that: a WSGI request and answer with no more than they need.

A task is two requests. By way of `App`, with its contexts, its routing and its response objects, each costs 54 us where
it is all that runs, and 230 us where caches are cold, as they are between master and slave; this way a third of it
(benchmarks/interaction.py). The app still has every route: for other methods, for what there is not, and for pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from .envelope import ResponsibleException

__all__ = ["Asked", "Reply"]


class Asked:
    """One request.

    :param environ: its WSGI environment.
    """

    __slots__ = ("_environ",)

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ

    @property
    def channel(self) -> str:
        """The header Channel; '' if there is none."""
        return str(self._environ.get("HTTP_CHANNEL", ""))

    @property
    def token(self) -> str:
        """The header Token; '' if there is none."""
        return str(self._environ.get("HTTP_TOKEN", ""))

    @property
    def secret(self) -> str:
        """The header Secret; '' if there is none."""
        return str(self._environ.get("HTTP_SECRET", ""))

    @property
    def peer(self) -> str:
        """The address that it comes from."""
        return str(self._environ.get("REMOTE_ADDR") or "127.0.0.1")

    def body(self, code: int = 1) -> dict[str, Any]:
        """The body, which our own server has whole and within its limit.

        :param code: of the refusal of one that is no JSON object.
        :raises ResponsibleException: if it is none.
        """
        try:
            body = json.loads(self._environ["wsgi.input"].read() or b"{}")
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise ResponsibleException(code, "The body is no JSON object.")
        return body


class Reply:
    """What is said to it, an envelope.

    :param message: for people.
    :param data: of the envelope.
    :param more: members beside those that everybody knows.
    :param then: what is done when the answer has left.
    """

    __slots__ = ("_then", "body", "status")

    def __init__(
        self,
        message: str,
        data: Any = None,
        more: dict[str, Any] | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        self.status = "200 OK"
        self.body = _said(message) if data is None and more is None else _written(True, 0, message, data, more)
        self._then = then

    @classmethod
    def refusal(cls, why: ResponsibleException) -> Reply:
        """The answer that an error has."""
        reply = cls.__new__(cls)
        reply.status = f"{why.status_code} {HTTPStatus(why.status_code).phrase}"
        reply.body = _written(False, int(why.code), why.message or "Failed.", why.data, None)
        reply._then = None
        return reply

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header fields."""
        return [("Content-Type", "application/json"), ("Content-Length", str(len(self.body)))]

    def __iter__(self) -> Iterator[bytes]:
        return iter((self.body,))

    def close(self) -> None:
        """The answer has left; WSGI servers call this."""
        if self._then is not None:
            self._then()


def _written(success: bool, code: int, message: str, data: Any, more: dict[str, Any] | None) -> bytes:
    envelope = {"success": success, "code": code, "message": message, "data": data, **(more or {})}
    return json.dumps(envelope).encode()


@lru_cache(maxsize=64)
def _said(message: str) -> bytes:
    return _written(True, 0, message, None, None)
