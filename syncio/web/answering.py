"""What a view returns becomes a response, and so does what it raises."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest, BadRequestKeyError, HTTPException
from werkzeug.routing import RoutingException
from werkzeug.wrappers import Response as WerkzeugResponse

from .config import Config
from .context import Context, found_context
from .json import JSONProvider
from .scaffold import Scaffold
from .wrappers import Response

__all__ = ["Answering"]


class Answering(Scaffold):
    """The part of an app that answers."""

    config: Config
    json: JSONProvider
    response_class: type[Response]
    testing: Any

    @property
    def logger(self) -> logging.Logger:
        """See `App`."""
        raise NotImplementedError

    @property
    def debug(self) -> bool:
        """See `App`."""
        raise NotImplementedError

    def make_response(self, value: Any) -> Response:
        """Make a response of what a view has returned.

        :param value: a response, text, bytes, a dict or list for JSON, a generator, a WSGI application; or a tuple of
            one of these with a status, with headers, or with both.
        :raises TypeError: if it is nothing of that, for instance None.
        """
        status: Any = None
        headers: Any = None
        if value.__class__ is tuple:
            if len(value) == 3:
                value, status, headers = value
            elif len(value) == 2:
                if isinstance(value[1], (Headers, dict, tuple, list)):
                    value, headers = value
                else:
                    value, status = value
            else:
                raise TypeError(
                    "the tuple must have the form (body, status, headers), (body, status), or (body, headers); "
                    f"it is that of the view {self._view_name()}"
                )
        if value is None:
            raise TypeError(
                f"the view {self._view_name()} did not return a valid response: it returned None or ended without a "
                "return statement"
            )
        if not isinstance(value, self.response_class):
            value, status, headers = self._respond(value, status, headers)
        if status is not None:
            if isinstance(status, (str, bytes, bytearray)):
                value.status = status
            else:
                value.status_code = status
        if headers:
            value.headers.update(headers)
        return value  # type: ignore[no-any-return]

    def _respond(self, value: Any, status: Any, headers: Any) -> tuple[Any, Any, Any]:
        if isinstance(value, (str, bytes, bytearray, Iterator)):
            return self.response_class(value, status=status, headers=headers), None, None  # type: ignore[arg-type]
        if isinstance(value, (dict, list)):
            return self.json.response(value), status, headers
        if isinstance(value, WerkzeugResponse) or callable(value):
            context = found_context()
            assert context is not None and context.request is not None
            try:
                return self.response_class.force_type(value, context.request.environ), status, headers
            except TypeError as exc:
                raise TypeError(f"{exc}\n{self._wrong(value)}").with_traceback(sys.exc_info()[2]) from None
        raise TypeError(self._wrong(value))

    def _wrong(self, value: Any) -> str:
        return (
            f"the view {self._view_name()} did not return a valid response: it must be a string, dict, list, tuple "
            f"with headers or status, Response instance, or WSGI callable, but it was a {type(value).__name__}."
        )

    @staticmethod
    def _view_name() -> str:
        context = found_context()
        return repr(context.request.endpoint) if context is not None and context.request is not None else "function"

    # ------------------------------------------------------------------ errors

    def _find_error_handler(self, error: BaseException, blueprints: list[str]) -> Callable[..., Any] | None:
        code = error.code if isinstance(error, HTTPException) else None
        kinds = type(error).__mro__
        names: list[str | None] = [*blueprints, None]
        for looked in (code, None) if code is not None else (None,):
            for name in names:
                handlers = self.error_handlers[name][looked] if name in self.error_handlers else None
                if handlers:
                    for kind in kinds:
                        handler = handlers.get(kind)
                        if handler is not None:
                            return handler
        return None

    def handle_http_exception(self, error: HTTPException, context: Context) -> Any:
        """The answer to an HTTP error: its handler's, or its own."""
        if error.code is None or isinstance(error, RoutingException):
            return error  # a redirect
        assert context.request is not None
        handler = self._find_error_handler(error, context.request.blueprints)
        return error if handler is None else handler(error)

    def trap_http_exception(self, error: Exception) -> bool:
        """Whether an HTTP error is to be treated as any other, to be seen in the debugger."""
        if self.config["TRAP_HTTP_EXCEPTIONS"]:
            return True
        trap = self.config["TRAP_BAD_REQUEST_ERRORS"]
        if trap is None and self.debug and isinstance(error, BadRequestKeyError):
            return True
        return bool(trap) and isinstance(error, BadRequest)

    def handle_user_exception(self, error: Exception, context: Context) -> Any:
        """The answer to what a view has raised; without a handler it is raised again."""
        if isinstance(error, BadRequestKeyError) and (self.debug or self.config["TRAP_BAD_REQUEST_ERRORS"]):
            error.show_exception = True
        if isinstance(error, HTTPException) and not self.trap_http_exception(error):
            return self.handle_http_exception(error, context)
        request = context.request
        assert request is not None
        handler = self._find_error_handler(error, request.blueprints)
        if handler is None:
            raise error
        return handler(error)
