"""Where a module is, and what an app is called."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from syncio.web.place import name_of, root_of


def test_folders() -> None:
    """A module's folder, one that is imported or can be; a package's own; and the current one for what is nowhere."""
    assert root_of(__name__) == str(Path(__file__).parent)
    assert root_of("syncio.web") == str(Path(sys.modules["syncio.web"].__file__ or "").parent)
    assert Path(root_of("this")) == Path(os.__file__).parent
    assert root_of("no_such_module") == os.getcwd()


def test_a_namespace_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package in several places has no folder, and one has to be given."""
    (tmp_path / "namespace_of_a_test").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match="give root_path="):
        root_of("namespace_of_a_test")


def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app is called like its module; a program like its file."""
    assert name_of("a.b") == "a.b"
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert name_of("__main__") == "__main__"
    main.__file__ = "/somewhere/shop.py"
    assert name_of("__main__") == "shop"
