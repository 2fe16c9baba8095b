"""The tests of the libraries that stand on the engine, as their authors ship them, with syncio under them.

Which ones are not meant to pass, and what is put differently before they run, is in docs/engineio-tests.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = "import sys, syncio.compat; syncio.compat.install(); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
SERVER_TESTS = [f"tests/common/test_{name}.py" for name in ("server", "middleware", "packet", "payload")]
IS_ORIGIN = re.compile(r"(?m)^.*(?:cors_allowed_origins|HTTP_ORIGIN|Allow-Origin|return origin ==).*$")
PHRASES = {
    "400 BAD REQUEST": "400 Bad Request",
    "401 UNAUTHORIZED": "401 Unauthorized",
    "405 METHOD NOT FOUND": "405 Method Not Allowed",
}

Unpack = Callable[[str], Path]


@pytest.fixture
def unpack(tmp_path: Path) -> Unpack:
    """Gives the folder of a release's sources."""

    def get(release: str) -> Path:
        command = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", release]
        subprocess.run([sys.executable, *command], cwd=tmp_path, check=True, timeout=110)
        (archive,) = tmp_path.glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(tmp_path, filter="data")
        return next(path for path in tmp_path.iterdir() if path.is_dir())

    return get


def run(sources: Path, passed: int, *arguments: str) -> None:
    """Run tests of theirs: so many pass, and none fails."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN, "-q", "-p", "no:cacheprovider", *arguments],
        cwd=sources,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{sources / 'src'}"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(rf"^{passed} passed\b", ended.stdout, re.MULTILINE), ended.stdout


def test_flask_socketio(unpack: Unpack) -> None:
    """All."""
    run(unpack("flask-socketio==5.7.0"), 43, "test_socketio.py")


def test_python_socketio(unpack: Unpack) -> None:
    """Those with a live server, which are the admin UI's."""
    sources = unpack("python-socketio==5.18.1")
    rewrite(sources / "tests/common/test_admin.py", lambda text: text.replace("thread_count ==", "thread_count + 8 >="))
    run(sources, 9, "tests/common/test_admin.py")


def test_python_engineio(unpack: Unpack) -> None:
    """Those of the server, but for the ones that the documentation lists."""
    listed = (ROOT / "docs/engineio-tests.md").read_text().partition("## Not meant to pass")[2]
    left_out = set(re.findall(r"`(test_\w+)`", listed))
    sources = unpack("python-engineio==4.15.1")
    rewrite(sources / SERVER_TESTS[0], as_strict)
    names = [name for path in SERVER_TESTS for name in re.findall(r"    def (test_\w+)", (sources / path).read_text())]
    assert left_out <= set(names)
    wanted = [name for name in names if name not in left_out]
    assert len(names) == 142 and len(wanted) == 83
    run(sources, len(wanted), *SERVER_TESTS, "-k", " or ".join(f"({name} and not {name}_)" for name in wanted))


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Put a file of theirs differently."""
    before = path.read_text()
    after = change(before)
    assert after != before
    path.write_text(after)


def as_strict(text: str) -> str:
    """Requests name their transport, phrases are the RFC's, and origins are origins."""
    text = re.sub(r"'(EIO=\d[^']*)'", lambda found: f"'{with_transport(found[1])}'", text)
    for theirs, standard in PHRASES.items():
        text = text.replace(theirs, standard)
    return IS_ORIGIN.sub(lambda line: re.sub(r"'(a|b|c|foo|bar|baz)'", r"'http://\1'", line[0]), text)


def with_transport(query: str) -> str:
    """A query that names one."""
    return query if "transport=" in query else f"{query}&transport=polling"
