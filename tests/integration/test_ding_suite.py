"""DI-engine's own tests of `ding.interaction`, as its authors ship them, with `syncio.interaction` under its names.

All of them pass. What is put differently before they run is in tests/ding_names/changes.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.ding_names.changes import CHANGES
from tests.flask_names.changes import change
from tests.interaction_peers.environment import cache_of, unpack_original

ROOT = Path(__file__).parents[2]
NAMES = ROOT / "tests/ding_names"
TESTS = "ding/interaction/tests"
NOT_FOR_THEM = ("PYTEST_", "PYTHONW")


def test_ding_interaction(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """The 26 tests of DI-engine 0.5.3 pass."""
    sources = tmp_path / "sources"
    shutil.copytree(NAMES / "ding", sources / "ding")
    unpack_original(cache_of(pytestconfig, tmp_path), sources, f"{TESTS}/")
    change(sources / TESTS, CHANGES)
    passed = run(sources)
    assert [name for name, did in passed.items() if not did] == []
    assert len(passed) == 26


def run(sources: Path, *options: str, python: str = sys.executable) -> dict[str, bool]:
    """Run tests of theirs in a process of its own; whether each one has passed, by class and name."""
    report = sources / "report.xml"
    command = ["-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", "-p", "limits", f"--junitxml={report}", TESTS]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(NOT_FOR_THEM)}
    ended = subprocess.run(
        [python, "-m", "pytest", *command, *options],
        cwd=sources,
        env={
            **environ,
            "PYTHONPATH": os.pathsep.join(map(str, (sources, NAMES, ROOT))),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "NO_PROXY": "*",  # they speak with this machine only
        },
        capture_output=True,
        text=True,
        timeout=110,
    )
    print(ended.stdout, ended.stderr)
    assert ended.returncode in (0, 1), "it did not run"
    cases = ElementTree.parse(report).iter("testcase")
    return {f"{case.get('classname')}.{case.get('name')}": len(case) == 0 for case in cases}
