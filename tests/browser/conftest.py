"""The browser, and the server in a process of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .process import SyncioProcess
from .webdriver import Driver

ROOT = Path(__file__).parents[2]


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


@pytest.fixture(params=["threads", "gevent"])
def demo(request: pytest.FixtureRequest) -> Iterator[SyncioProcess]:
    """The demo on a free port, on threads and on greenlets."""
    process = SyncioProcess("demo", "--port", "0", "--worker", request.param)
    try:
        yield process
    finally:
        process.kill()
