"""Static files: the files and directories that `WSGIApp` serves, and nothing outside them."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.security import safe_join
from werkzeug.utils import send_file
from werkzeug.wrappers import Response

__all__ = ["StaticFiles"]

Environ = dict[str, Any]
Entry = str | Mapping[str, str]


class StaticFiles:
    """A table of URL paths.

    :param table: from a URL path to a file, a directory, or ``{'filename': ..., 'content_type': ...}``. The longest
        path wins; ``/`` and directories give their index.html.
    """

    def __init__(self, table: Mapping[str, Entry]) -> None:
        self._table = sorted(table.items(), key=lambda item: len(item[0]), reverse=True)

    def find(self, environ: Environ) -> Response | None:
        """The answer for a request's path, or None if the table has nothing for it."""
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return None
        path = str(environ.get("PATH_INFO", "/")) or "/"
        for prefix, entry in self._table:
            found = _locate(path, prefix, entry)
            if found is not None:
                return _respond(environ, *found)
        return None


def _locate(path: str, prefix: str, entry: Entry) -> tuple[Path, str | None] | None:
    target, content_type = (entry, None) if isinstance(entry, str) else (entry["filename"], entry.get("content_type"))
    root = Path(target)
    if path == prefix and not root.is_dir():
        return (root, content_type) if root.is_file() else None
    if not root.is_dir():
        return None
    base = prefix if prefix.endswith("/") else prefix + "/"
    if path != prefix and not path.startswith(base):
        return None
    try:
        relative = path[len(base) :].encode("latin-1").decode("utf-8")
    except UnicodeError:
        return None
    file = _inside(root, relative)
    return None if file is None else (file, content_type)


def _inside(root: Path, relative: str) -> Path | None:
    """The file below a directory, or None: also for what a symbolic link would lead outside."""
    if "\0" in relative or "\\" in relative:
        return None
    joined = safe_join(os.fspath(root), relative) if relative else os.fspath(root)
    if joined is None:
        return None
    try:
        file = Path(joined).resolve(strict=True)
        if file.is_dir():
            file = (file / "index.html").resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return file if file.is_file() and file.is_relative_to(root.resolve()) else None


def _respond(environ: Environ, file: Path, content_type: str | None) -> Response:
    mimetype = content_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if not environ.get("HTTP_RANGE", "bytes=").strip().startswith("bytes="):
        # A unit that we do not know is to be ignored (RFC 9110, section 14.2).
        environ = {name: value for name, value in environ.items() if name != "HTTP_RANGE"}
    try:
        return send_file(file, environ, mimetype=mimetype, conditional=True, max_age=0)
    except HTTPException as exc:
        answer = exc.get_response(environ)
        assert isinstance(answer, Response)
        return answer
