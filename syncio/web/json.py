"""JSON in and out: what an app can send beyond plain JSON, and how it looks."""

from __future__ import annotations

import dataclasses
import decimal
import json
import uuid
import weakref
from datetime import date, datetime
from typing import IO, TYPE_CHECKING, Any

from werkzeug.http import http_date

from .context import current_app, found_context

if TYPE_CHECKING:
    from .app import App
    from .wrappers import Response

__all__ = ["JSONProvider", "dump", "dumps", "jsonify", "load", "loads"]


def _default(value: Any) -> Any:
    """A value of JSON for one that is none.

    :raises TypeError: if there is none.
    """
    if isinstance(value, (datetime, date)):
        return http_date(value)
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if hasattr(value, "__html__"):
        return str(value.__html__())
    raise TypeError(f"a {type(value).__name__} does not go into JSON: {value!r}")


class JSONProvider:
    """Encodes and decodes for one app; a subclass as `App.json_provider_class` does it in another way.

    Dates are HTTP dates; numbers of `decimal`, UUIDs and what has `__html__` are text; dataclasses are objects.

    :param app: whose it is.
    """

    ensure_ascii = True
    sort_keys = True
    compact: bool | None = None
    """Whether bodies have no spaces; None for no spaces but in debug mode."""
    mimetype = "application/json"

    def __init__(self, app: App) -> None:
        self._app = weakref.proxy(app)

    default = staticmethod(_default)
    """What makes a value of JSON of one that is none, or raises TypeError."""

    def dumps(self, value: Any, **options: Any) -> str:
        """Encode.

        :param options: those of `json.dumps`.
        """
        options.setdefault("default", self.default)
        options.setdefault("ensure_ascii", self.ensure_ascii)
        options.setdefault("sort_keys", self.sort_keys)
        return json.dumps(value, **options)

    def loads(self, text: str | bytes, **options: Any) -> Any:
        """Decode.

        :raises ValueError: if it is no JSON, or nested beyond what Python can read.
        """
        try:
            return json.loads(text, **options)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """A response: of one value, of several as an array, or of names as an object."""
        if args and kwargs:
            raise TypeError("jsonify takes args or kwargs, not both: jsonify(value) or jsonify(name=value)")
        value = kwargs if not args and kwargs else args[0] if len(args) == 1 else list(args) or None
        spacious = self._app.debug if self.compact is None else not self.compact
        options: dict[str, Any] = {"indent": 2} if spacious else {"separators": (",", ":")}
        response: Response = self._app.response_class(f"{self.dumps(value, **options)}\n", mimetype=self.mimetype)
        return response


def jsonify(*args: Any, **kwargs: Any) -> Response:
    """A response of the current app that is JSON: `jsonify(value)` or `jsonify(name=value, ...)`."""
    return current_app.json.response(*args, **kwargs)


def dumps(value: Any, **options: Any) -> str:
    """Encode as the current app does; where there is none, with the same kinds of values."""
    context = found_context()
    if context is not None:
        return context.app.json.dumps(value, **options)
    options.setdefault("default", _default)
    return json.dumps(value, **options)


def dump(value: Any, file: IO[str], **options: Any) -> None:
    """Encode into a file of text."""
    file.write(dumps(value, **options))


def loads(text: str | bytes, **options: Any) -> Any:
    """Decode as the current app does, or plainly where there is none."""
    context = found_context()
    return (json if context is None else context.app.json).loads(text, **options)


def load(file: IO[Any], **options: Any) -> Any:
    """Decode a file."""
    return loads(file.read(), **options)
