"""Answers by a call: redirects, errors, and responses that are still to be changed."""

from __future__ import annotations

from typing import Any, NoReturn

import werkzeug.exceptions
import werkzeug.utils
from werkzeug.wrappers import Response as WerkzeugResponse

from .context import current_context, found_context
from .wrappers import Response

__all__ = ["abort", "make_response", "redirect"]


def make_response(*args: Any) -> Response:
    """Make a response of what a view could return, to change its headers.

    :param args: the body, and a status and headers if there are any.
    """
    app = current_context().app
    if not args:
        return app.response_class()
    return app.make_response(args[0] if len(args) == 1 else args)


def redirect(location: str, code: int = 302) -> WerkzeugResponse:
    """Send the browser elsewhere.

    :param code: 302 and 303 become GET, 307 and 308 keep the method; 301 and 308 are remembered.
    """
    context = found_context()
    return werkzeug.utils.redirect(location, code, None if context is None else context.app.response_class)


def abort(code: int | WerkzeugResponse, *args: Any, **kwargs: Any) -> NoReturn:
    """End the request with an HTTP error, or with a response.

    :param args: those of the exception: a description first.
    :raises HTTPException: always.
    """
    werkzeug.exceptions.abort(code, *args, **kwargs)
