"""The folders of an app or a blueprint: its static files and its templates."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jinja2 import BaseLoader, FileSystemLoader

from .files import send_from_directory
from .place import root_of

if TYPE_CHECKING:
    from .wrappers import Response

__all__ = ["Folders"]


class Folders:
    """Where files are.

    :param import_name: the module beside which the folders are.
    :param static_folder: of the static files; None for none.
    :param static_url_path: where they are served; None for '/' and the folder's name.
    :param template_folder: of the templates; None for none.
    :param root_path: where the folders are; None for where the module is.
    """

    def __init__(
        self,
        import_name: str,
        static_folder: str | os.PathLike[str] | None = None,
        static_url_path: str | None = None,
        template_folder: str | os.PathLike[str] | None = None,
        root_path: str | None = None,
    ) -> None:
        self.import_name = import_name
        self.root_path = root_path or root_of(import_name)
        self.static_folder = None if static_folder is None else os.path.join(self.root_path, os.fspath(static_folder))
        if static_url_path is None and static_folder is not None:
            static_url_path = "/" + os.path.basename(os.fspath(static_folder).rstrip("/"))
        self.static_url_path = static_url_path
        self.template_folder = template_folder

    @property
    def has_static_folder(self) -> bool:
        """Whether there are static files."""
        return self.static_folder is not None

    @property
    def jinja_loader(self) -> BaseLoader | None:
        """Where the templates are."""
        if self.template_folder is None:
            return None
        return FileSystemLoader(os.path.join(self.root_path, os.fspath(self.template_folder)))

    def send_static_file(self, filename: str) -> Response:
        """The view of the static files.

        :raises RuntimeError: if there are none.
        """
        if self.static_folder is None:
            raise RuntimeError(f"{self!r} has no static_folder")
        return send_from_directory(self.static_folder, filename)
