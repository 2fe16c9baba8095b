"""The names of the original's first weeks, for code from then. Nothing here does anything by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from .context import request

if TYPE_CHECKING:
    from .sessions import Session
    from .testing import AppClient
    from .wrappers import Response

__all__ = ["FirstWeeks"]

F = TypeVar("F", bound=Callable[..., Any])


class FirstWeeks:
    """What an app has under an older name too. The names of today are in brackets."""

    @property
    def package_name(self: Any) -> str:
        """The module (`import_name`)."""
        return self.import_name  # type: ignore[no-any-return]

    @property
    def static_path(self: Any) -> str | None:
        """Where static files are served (`static_url_path`)."""
        return self.static_url_path  # type: ignore[no-any-return]

    @property
    def session_cookie_name(self: Any) -> str:
        """What the session's cookie is called (`config["SESSION_COOKIE_NAME"]`)."""
        return self.config["SESSION_COOKIE_NAME"]  # type: ignore[no-any-return]

    @session_cookie_name.setter
    def session_cookie_name(self: Any, name: str) -> None:
        self.config["SESSION_COOKIE_NAME"] = name

    @property
    def request_init_funcs(self: Any) -> list[Callable[[], Any]]:
        """The functions before each view (`before_request_funcs[None]`)."""
        return self.before_request_funcs[None]  # type: ignore[no-any-return]

    @property
    def request_shutdown_funcs(self: Any) -> list[Callable[[Response], Any]]:
        """The functions behind each view (`after_request_funcs[None]`); today the last one is called first."""
        return self.after_request_funcs[None]  # type: ignore[no-any-return]

    def request_init(self: Any, function: F) -> F:
        """Call a function before each view (`before_request`)."""
        return self.before_request(function)  # type: ignore[no-any-return]

    def request_shutdown(self: Any, function: F) -> F:
        """Call a function with each response (`after_request`); today the last one is called first."""
        return self.after_request(function)  # type: ignore[no-any-return]

    def match_request(self: Any) -> tuple[str, dict[str, Any]]:
        """The endpoint and the values of the current request (`request.endpoint`, `request.view_args`).

        :raises HTTPException: if no rule matches.
        """
        if request.routing_exception is not None:
            raise request.routing_exception
        assert request.endpoint is not None, "it matches, or there is an exception"
        return request.endpoint, request.view_args or {}

    def save_session(self: Any, session: Session, response: Response) -> None:
        """Add the cookie to a response, if it has to be sent (`session_interface.save_session`)."""
        self.session_interface.save_session(self, session, response)

    @cached_property
    def test(self: Any) -> AppClient:
        """A client for tests, always the same one, with the cookies of what was done before (`test_client()`)."""
        return self.test_client()  # type: ignore[no-any-return]
