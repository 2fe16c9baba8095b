"""The logger of an app: its own, by its name; nobody else's is touched."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from .context import found_context

if TYPE_CHECKING:
    from .app import App

__all__ = ["make_logger"]


class ErrorStream:
    """Where errors of the current request go: the server's log, or the standard error outside of one."""

    def _stream(self) -> Any:
        context = found_context()
        if context is not None and context.request is not None:
            return context.request.environ.get("wsgi.errors", sys.stderr)
        return sys.stderr

    def write(self, text: str) -> Any:
        """Write."""
        return self._stream().write(text)

    def flush(self) -> None:
        """Flush."""
        self._stream().flush()


def _is_heard(logger: logging.Logger) -> bool:
    """Whether somebody has configured logging so that the logger's records get anywhere."""
    level = logger.getEffectiveLevel()
    current: logging.Logger | None = logger
    while current is not None:
        if any(handler.level <= level for handler in current.handlers):
            return True
        if not current.propagate:
            return False
        current = current.parent
    return False


def make_logger(app: App) -> logging.Logger:
    """The app's logger. In debug mode it hears everything; if nobody has configured logging it has a handler."""
    logger = logging.getLogger(app.name)
    if app.debug and not logger.level:
        logger.setLevel(logging.DEBUG)
    if not _is_heard(logger):
        handler = logging.StreamHandler(ErrorStream())
        handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s in %(module)s: %(message)s"))
        logger.addHandler(handler)
    return logger
