"""``syncio new NAME``: a folder with a small app of `syncio.web` to start from, and its tests."""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
from pathlib import Path

from .problem import OK, Problem

__all__ = ["add_parser"]

STARTER = Path(__file__).parent / "starter"
PLACEHOLDER = "PROJECT"
RENAMED = {"gitignore": ".gitignore"}  # packages do not carry files that begin with a dot
SECRET = "secret.json"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("new", help="write a small app to start from", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="the folder: letters, digits, '-' and '_', a letter first")
    parser.set_defaults(command=new)


def new(options: argparse.Namespace) -> int:
    """Write the folder.

    :raises Problem: if the name cannot be one, if there is something in the folder, or if it cannot be written.
    """
    name: str = options.name
    if not _NAME.fullmatch(name):
        raise Problem(f"{name!r} is no name for a folder", "it has letters, digits, '-' and '_', and a letter first")
    folder = Path(name)
    try:
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()):
            raise Problem(f"the folder {name!r} is not empty", "choose another name: nothing is ever overwritten")
        _copy(folder, name)
        _write_secret(folder / SECRET)
    except OSError as exc:
        raise Problem(f"cannot write the folder {name!r}: {exc.strerror}") from exc
    print(f"{name} has an app and its tests. Serve it, and test it:\n\n  cd {name}\n  syncio run --reload app:app")
    print("  python -m pytest")
    return OK


def _copy(folder: Path, name: str) -> None:
    for source in sorted(STARTER.rglob("*")):
        if source.is_dir() or "__pycache__" in source.parts:
            continue
        target = folder / source.relative_to(STARTER)
        target = target.with_name(RENAMED.get(target.name, target.name))
        target.parent.mkdir(exist_ok=True)
        target.write_text(source.read_text("utf-8").replace(PLACEHOLDER, name), "utf-8")


def _write_secret(file: Path) -> None:
    """A key of its own, which only its owner can read."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        json.dump({"SECRET_KEY": secrets.token_hex()}, opened)
        opened.write("\n")
