"""Flask-SocketIO's own tests, with syncio's engine under it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

RELEASE = "flask-socketio==5.7.0"
RUN = "import sys, syncio.compat; syncio.compat.install(); import pytest; sys.exit(pytest.main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release as its authors packed it."""
    folder = tmp_path_factory.mktemp("flask-socketio")
    command = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", RELEASE]
    subprocess.run([sys.executable, *command], cwd=folder, check=True, timeout=110)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


def test_their_tests(sources: Path) -> None:
    """All of them pass."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN, "-q", "-p", "no:cacheprovider", "test_socketio.py"],
        cwd=sources,
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parents[2]}:{sources / 'src'}"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^43 passed in", ended.stdout, re.MULTILINE), ended.stdout
