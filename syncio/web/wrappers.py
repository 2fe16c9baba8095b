"""Requests and responses: Werkzeug's, with what an app knows of them."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, cast

from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge
from werkzeug.utils import cached_property
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse
from werkzeug.wsgi import LimitedStream

from . import json
from .config import DEFAULTS
from .context import current_app, found_context

if TYPE_CHECKING:
    from werkzeug.routing import Rule

__all__ = ["Request", "Response"]


FORM = "application/x-www-form-urlencoded"


class Limit:
    """An attribute of a request that is the app's value of that name in capitals, unless it is set."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, request: Any, owner: type | None = None) -> Any:
        if request is None:
            return self
        own = request.__dict__.get(self._name)
        if own is not None:
            return own
        context = found_context()
        return (DEFAULTS if context is None else context.app.config)[self._name.upper()]

    def __set__(self, request: Any, value: int | None) -> None:
        request.__dict__[self._name] = value


class Body(LimitedStream):
    """A body whose length nobody has said. Beyond the limit it is 413, and not only its beginning."""

    def readall(self) -> bytes:
        data: bytes = super().readall()
        if self.is_exhausted and self._stream.read(1):
            self.on_exhausted()
        return data


class Request(WerkzeugRequest):
    """A request that was matched to a rule. `endpoint` and `view_args` are None until then."""

    json_module: Any = json
    url_rule: Rule | None = None
    """The rule that matches."""
    view_args: dict[str, Any] | None = None
    """What the rule found in the URL."""
    routing_exception: HTTPException | None = None
    """Why no rule matches."""
    max_content_length = Limit()
    """Bytes that a body may have; settable for one request. `MAX_CONTENT_LENGTH` is that of the app."""
    max_form_memory_size = Limit()
    """Bytes that a field may have that is no file, in a form of parts (multipart/form-data), and that a form of one
    piece may have, likewise."""
    max_form_parts = Limit()
    """Parts that such a form may have, likewise."""

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body as a file, which ends where it ends, or at a limit."""
        limit: int | None = self.max_content_length
        if self.mimetype == FORM and self.max_form_memory_size is not None:
            # Such a form is read in one piece, for which Werkzeug has no limit of its own.
            limit = min(self.max_form_memory_size, self.max_form_memory_size if limit is None else limit)
            if self.content_length is not None and self.content_length > limit:
                raise RequestEntityTooLarge
        if limit is None or self.content_length is not None or "wsgi.input_terminated" not in self.environ:
            return super().stream
        return cast("IO[bytes]", Body(self.environ["wsgi.input"], limit, is_max=True))

    @property
    def endpoint(self) -> str | None:
        """The name of the view."""
        return self.url_rule.endpoint if self.url_rule is not None else None

    @property
    def blueprint(self) -> str | None:
        """The blueprint of the view, with those that it is in, joined by dots."""
        endpoint = self.endpoint
        return endpoint.rpartition(".")[0] or None if endpoint is not None else None

    @property
    def blueprints(self) -> list[str]:
        """The blueprint of the view and those that it is in, the innermost first."""
        names = []
        name = self.blueprint
        while name:
            names.append(name)
            name = name.rpartition(".")[0]
        return names

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """What `json` does with a body that is none: 400, with the reason in debug mode."""
        try:
            return super().on_json_loading_failed(e)
        except BadRequest as exc:
            context = found_context()
            if context is not None and context.app.debug:
                raise
            raise BadRequest() from exc


class Response(WerkzeugResponse):
    """A response; text is HTML unless it says otherwise."""

    default_mimetype = "text/html"
    json_module: Any = json

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """Bytes from which on a cookie gets a warning; `MAX_COOKIE_SIZE` of the app."""
        return current_app.config["MAX_COOKIE_SIZE"] if found_context() is not None else 4093
