"""Flask's own tests, of today and of 2010, as its authors ship them, with `syncio.web` under Flask's names.

Which ones are not meant to pass is in docs/flask-tests.md, and what is put differently before they run in
tests/flask_names/changes.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from hashlib import sha256
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen
from xml.etree import ElementTree

import pytest

from tests.flask_names.changes import OF_2010, OF_TODAY, change

ROOT = Path(__file__).parents[2]
PACKAGES = "https://files.pythonhosted.org/packages"
TODAY = (
    f"{PACKAGES}/26/00/35d85dcce6c57fdc871f3867d465d780f302a175ea360f62533f12b27e2b/flask-3.1.3.tar.gz",
    "0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb",
)
IN_2010 = (
    f"{PACKAGES}/e0/d7/4de91ad9fc1854e651cf03f87eff939a92cd06716645dee86b0382674ea3/Flask-0.3.1.tar.gz",
    "7d80bc18748e4243e389cf1cac50d24b74a39b631dd5176525f10dad01ebae1d",
)
WANTED = {"tests", "examples", "pyproject.toml"}
"""What of an archive is unpacked: not Flask, which the tests shall not find."""


@pytest.fixture
def cache(pytestconfig: pytest.Config, tmp_path: Path) -> Path:
    """A folder that is there in the next run too, unless pytest has none."""
    kept: pytest.Cache | None = getattr(pytestconfig, "cache", None)
    return tmp_path if kept is None else kept.mkdir("flask")


def test_flask_3(cache: Path, tmp_path: Path) -> None:
    """The tests of Flask 3.1.3 in these files pass, but for those that the documentation lists."""
    sources = unpacked(*TODAY, cache, tmp_path)
    change(sources, OF_TODAY)
    names = ("basic", "templating", "json", "testing", "reqctx", "user_error_handler", "views")
    check("Flask 3.1.3", run(sources, *(f"tests/test_{name}.py" for name in names)))


def test_flask_0_3(cache: Path, tmp_path: Path) -> None:
    """The tests of Flask 0.3.1 and of its examples pass, but for those that the documentation lists."""
    sources = unpacked(*IN_2010, cache, tmp_path)
    change(sources, OF_2010)
    examples = (f"examples/{name}/{name}_tests.py" for name in ("minitwit", "flaskr"))
    check("Flask 0.3.1", run(sources, "tests/flask_tests.py", *examples))


def check(release: str, passed: dict[str, bool]) -> None:
    """Compare what has passed with what the documentation says of a release: which tests do not, and how many do."""
    page = (ROOT / "docs/flask-tests.md").read_text("utf-8")
    section = page.partition(f"\n## {release}\n")[2].partition("\n## ")[0]
    listed = re.findall(r"`(test_\w+)`", section.partition("\n### Not meant to pass\n")[2])
    failed = {name.partition("[")[0].rpartition(".")[2] for name, did in passed.items() if not did}
    assert failed == set(listed)
    counts = re.search(r"(\d+) of (\d+) tests pass", section)
    assert counts is not None
    assert tuple(map(int, counts.groups())) == (sum(passed.values()), len(passed))


def run(sources: Path, *files: str) -> dict[str, bool]:
    """Run tests of theirs in a process of its own; whether each one has passed, by class and name."""
    report = sources / "report.xml"
    # Without pytest's handlers nobody has configured logging, as it is when their own runner runs the tests of 2010.
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:logging", f"--junitxml={report}"]
    path = os.pathsep.join(map(str, (ROOT / "tests/flask_names", ROOT)))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONW"))}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=sources,
        env={**inherited, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    print(ended.stdout, ended.stderr)
    assert ended.returncode in (0, 1), "it did not run"
    cases = ElementTree.parse(report).iter("testcase")
    return {f"{case.get('classname')}.{case.get('name')}": len(case) == 0 for case in cases}


def unpacked(address: str, digest: str, cache: Path, folder: Path) -> Path:
    """The tests of a release; its archive is kept, and has to be the one with that SHA-256."""
    kept = cache / digest
    archive = kept.read_bytes() if kept.exists() else b""
    if sha256(archive).hexdigest() != digest:
        archive = download(address)
        assert sha256(archive).hexdigest() == digest, f"{address} is not what it was"
        kept.write_bytes(archive)
    with tarfile.open(fileobj=BytesIO(archive)) as opened:
        members = [member for member in opened if WANTED.intersection(member.name.split("/")[1:2])]
        opened.extractall(folder, members, filter="data")
    (sources,) = (path for path in folder.iterdir() if path.is_dir())
    return sources


def download(address: str, again: bool = True) -> bytes:
    """Get a file, at the second time of asking if need be."""
    try:
        with urlopen(address, timeout=30) as response:
            content: bytes = response.read()
            return content
    except (OSError, HTTPException):
        if not again:
            raise
        return download(address, again=False)
