"""The browser, and the server in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .webdriver import Driver

ROOT = Path(__file__).parents[2]
STOP_TIMEOUT = 5.0


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """A chromedriver; where it is missing the tests are skipped, but never in CI."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    program = shutil.which("chromedriver")
    if browser is None or program is None:
        reason = "chromium or chromedriver is not installed: apt-get install chromium chromium-driver"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    driver = Driver(program, browser, tmp_path_factory.mktemp("browser"))
    try:
        yield driver
    finally:
        driver.close()


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots are kept."""
    return Path(os.environ.get("CI_ARTIFACTS") or ROOT / "artifacts")


class SyncioProcess:
    """A ``syncio`` command that serves something.

    :param arguments: of the command.
    """

    def __init__(self, *arguments: str) -> None:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "syncio.cli", *arguments]
        self._process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        greeting = self._process.stdout.readline()
        found = re.search(r"http://[\d.]+:(\d+)", greeting)
        assert found is not None, greeting + self._process.stdout.read()
        self.url, self.port = found[0], int(found[1])

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self) -> tuple[int, str]:
        """End it with SIGTERM; its exit code, and what it has printed after its greeting."""
        self.signal(signal.SIGTERM)
        printed, _ = self._process.communicate(timeout=STOP_TIMEOUT)
        return self._process.returncode, printed

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture(params=["threads", "gevent"])
def demo(request: pytest.FixtureRequest) -> Iterator[SyncioProcess]:
    """The demo on a free port, on threads and on greenlets."""
    process = SyncioProcess("demo", "--port", "0", "--worker", request.param)
    try:
        yield process
    finally:
        process.kill()
