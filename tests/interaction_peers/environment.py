"""The original's environment: its code as it was published, with the web framework of that time.

Nothing of it comes into the process of the tests: they start programs with the Python that is made here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

__all__ = ["cache_of", "python_of_original", "unpack_original"]

ORIGINAL = "DI-engine==0.5.3"
DIGEST = "1284ab6af1b0ad70fe8c159c65a71ea932b18e7573d7f07892b563df9a0d25e3"
"""The SHA-256 of its wheel."""
PINNED = """
flask==2.0.3
werkzeug==2.0.3
jinja2==3.1.6
markupsafe==3.0.3
itsdangerous==2.2.0
click==8.1.8
requests==2.32.5
urllib3==2.6.3
idna==3.11
certifi==2026.1.4
charset-normalizer==3.4.4
urlobject==3.0.0
"""
"""With Werkzeug 2.1 its services do not stop any more."""
STUBS = {
    # Theirs loads all of DI-engine, with torch.
    "ding/__init__.py": "",
    # All that is wanted of enum-tools is a decorator that puts comments into the documentation.
    "enum_tools.py": "class documentation:\n    document_enum = staticmethod(lambda enum: enum)\n",
}
TIMEOUT = 100.0


def cache_of(config: pytest.Config, otherwise: Path) -> Path:
    """A folder that is there in the next run too, unless pytest has none.

    :param otherwise: the one that is taken then.
    """
    kept: pytest.Cache | None = getattr(config, "cache", None)
    return otherwise if kept is None else kept.mkdir("interaction")


def python_of_original(cache: Path) -> Path:
    """The Python that can import the original; its environment is made when there is none yet.

    :param cache: a folder that is there in the next run too.
    """
    stamp = "\n".join([sys.version, sys.base_prefix, PINNED, DIGEST, *STUBS.values()])
    folder = cache / f"original-{sha256(stamp.encode()).hexdigest()[:12]}"
    marker = folder / "pinned.txt"
    if not marker.exists() or marker.read_text("utf-8") != stamp:
        fresh = cache / f"{folder.name}.{os.getpid()}"
        _make(fresh, cache)
        (fresh / marker.name).write_text(stamp, "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            fresh.rename(folder)
        except OSError:
            shutil.rmtree(fresh)  # somebody else was faster
    return folder / "bin" / "python"


def unpack_original(cache: Path, folder: Path, within: str = "ding/interaction/") -> None:
    """Put files of the original into a folder.

    :param cache: where its wheel is kept.
    :param within: what their names begin with.
    """
    with ZipFile(_wheel(cache)) as opened:
        opened.extractall(folder, [name for name in opened.namelist() if name.startswith(within)])


def _make(folder: Path, cache: Path) -> None:
    venv.create(folder, symlinks=True, clear=True)  # without a pip of its own, which would take seconds
    (packages,) = folder.glob("lib/python*/site-packages")
    _pip("install", "--no-deps", "--no-compile", "--only-binary", ":all:", "--target", str(packages), *PINNED.split())
    unpack_original(cache, packages)
    for name, text in STUBS.items():
        (packages / name).write_text(text, "utf-8")


def _wheel(cache: Path) -> Path:
    """The original's wheel, which is kept, and has to be the one with that SHA-256."""
    kept = cache / "DI_engine-0.5.3-py3-none-any.whl"
    if not _is_original(kept):
        _pip("download", "--no-deps", "--only-binary", ":all:", "--dest", str(cache), ORIGINAL)
        assert _is_original(kept), f"{ORIGINAL} is not what it was"
    return kept


def _is_original(path: Path) -> bool:
    return path.exists() and sha256(path.read_bytes()).hexdigest() == DIGEST


def _pip(command: str, *arguments: str) -> None:
    options = ["-qq", "--disable-pip-version-check", "--no-input"]
    subprocess.run([sys.executable, "-m", "pip", command, *options, *arguments], check=True, timeout=TIMEOUT)
