"""Files as responses: with a type, a date, an ETag and ranges, and never from outside of their folder."""

from __future__ import annotations

import os
from typing import IO, Any

import werkzeug.utils

from .context import current_app, request
from .wrappers import Response

__all__ = ["send_file", "send_from_directory"]


def _defaults(options: dict[str, Any]) -> dict[str, Any]:
    if options.get("max_age") is None:
        options["max_age"] = current_app.get_send_file_max_age
    return {
        **options,
        "environ": request.environ,
        "use_x_sendfile": current_app.use_x_sendfile,
        "response_class": current_app.response_class,
        "_root_path": current_app.root_path,
    }


def send_file(
    path_or_file: str | os.PathLike[str] | IO[bytes],
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: Any = None,
    max_age: Any = None,
) -> Response:
    """Send a file. Its path must not come from a user: `send_from_directory` is for that.

    :param path_or_file: a path, from the app's folder if it is relative; or a binary file.
    :param mimetype: None for what the name says.
    :param as_attachment: whether the browser is to save it.
    :param download_name: the name that it is saved under.
    :param conditional: whether a client that has it gets 304, and one that wants a part gets that.
    :param etag: whether to make one; or the ETag.
    :param last_modified: a date; None for the file's.
    :param max_age: seconds for which it may be kept, or a function of the name; None for the configuration's.
    """
    options: dict[str, Any] = {
        "mimetype": mimetype, "as_attachment": as_attachment, "download_name": download_name,
        "conditional": conditional, "etag": etag, "last_modified": last_modified, "max_age": max_age,
    }  # fmt: skip
    return werkzeug.utils.send_file(path_or_file, **_defaults(options))  # type: ignore[return-value]


def send_from_directory(directory: str | os.PathLike[str], path: str | os.PathLike[str], **options: Any) -> Response:
    """Send a file from within a folder.

    :param directory: from the app's folder if it is relative.
    :param path: may come from a user.
    :param options: those of `send_file`.
    :raises NotFound: if there is none, or it is outside.
    """
    return werkzeug.utils.send_from_directory(directory, path, **_defaults(options))  # type: ignore[return-value]
