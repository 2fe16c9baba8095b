"""Where a module is, whose folders an app uses."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

__all__ = ["name_of", "root_of"]


def root_of(import_name: str) -> str:
    """The folder of a module or package; the current one for what has no file.

    :raises RuntimeError: if it is a namespace package, which has none.
    """
    module = sys.modules.get(import_name)
    file = getattr(module, "__file__", None)
    if file is None:
        try:
            spec = find_spec(import_name)
        except (ImportError, ValueError):
            spec = None
        if spec is not None and spec.submodule_search_locations is not None and not spec.has_location:
            raise RuntimeError(f"{import_name!r} is a namespace package and has no folder: give root_path=...")
        file = spec.origin if spec is not None and spec.has_location else None
    return os.path.dirname(os.path.abspath(file)) if file is not None else os.getcwd()


def name_of(import_name: str) -> str:
    """What an app is called: the module, or the file of a program."""
    if import_name != "__main__":
        return import_name
    file = getattr(sys.modules["__main__"], "__file__", None)
    return "__main__" if file is None else os.path.splitext(os.path.basename(file))[0]
