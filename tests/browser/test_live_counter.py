"""The guide's live counter in Chromium, under gunicorn with threads: two people log in, and see each other click."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.process import children, is_running

from .webdriver import Browser, Driver, wait_until

ROOT = Path(__file__).parents[2]
COMMAND = ("-m", "gunicorn", "-k", "gthread", "--threads", "8", "-b", "127.0.0.1:0", "--no-control-socket", "app:app")
ENTER = "\ue007"
AT_ONCE = 1.0
"""Seconds in which a click is seen in the other window; it takes milliseconds, and CI may be slow."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The URL of the counter, which the guide's own command serves, and which leaves no trace of trouble."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    log_file = tmp_path / "gunicorn.log"
    folder = ROOT / "examples" / "live_counter"
    with log_file.open("wb") as log:
        process = subprocess.Popen([sys.executable, *COMMAND], cwd=folder, env=env, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or "Booting worker" in log_file.read_text(), "gunicorn")
        found = re.search(r"http://[\d.]+:\d+", log_file.read_text())
        assert found, log_file.read_text()
        yield found[0]
        workers = children(process.pid)
        process.terminate()
        assert process.wait(10) == 0, log_file.read_text()
        assert not any(map(is_running, workers)), "a worker stays"
        assert "Traceback" not in log_file.read_text()
    finally:
        process.kill()
        process.wait()


def log_in(browser: Browser, url: str, name: str) -> None:
    """Open the page, which asks who it is, answer, and wait for the connection."""
    browser.go(url)
    assert browser.run("return location.pathname") == "/login"
    browser.type("#name", name + ENTER)
    wait_until(lambda: browser.run("return document.querySelector('#click')?.disabled === false"), "the counter")


def click(browser: Browser) -> None:
    """Click the button."""
    browser.run("document.querySelector('#click').click()")


def shows(browser: Browser, count: int, by: str) -> bool:
    """Whether the window shows this number, and who clicked."""
    return (browser.text("#count"), browser.text("#by")) == (str(count), f"{by} clicked last")


def test_two_people_share_the_counter(driver: Driver, site: str, artifacts: Path) -> None:
    """One clicks, and both see at once that it rises and who it was; then the other one; and a newcomer sees it too."""
    windows = ada, grace = driver.open(640, 560), driver.open(640, 560, dark=True)
    log_in(ada, site, "Ada")
    log_in(grace, site, "Grace")
    for count, (browser, name) in enumerate([(ada, "Ada"), (grace, "Grace"), (grace, "Grace"), (ada, "Ada")], 1):
        click(browser)
        for window in windows:
            wait_until(lambda w=window, c=count, n=name: shows(w, c, n), f"{name}'s click", AT_ONCE)  # type: ignore[misc]
    for number, window in enumerate(windows, 1):
        window.screenshot(artifacts / f"live-counter-{number}.png")
    late = driver.open(390, 844)
    log_in(late, site, "<b>Eve</b>")
    assert shows(late, 4, "Ada")
    click(late)
    for window in (*windows, late):
        wait_until(lambda w=window: shows(w, 5, "<b>Eve</b>"), "the newcomer's click", AT_ONCE)  # type: ignore[misc]
        assert window.complaints() == []
        window.quit()


def test_nobody_is_served_without_a_name(driver: Driver, site: str) -> None:
    """Without a name there is a message; who leaves is asked again, and a reload does not bring the counter back."""
    browser = driver.open()
    browser.go(site)
    browser.type("#name", "  " + ENTER)
    wait_until(lambda: browser.texts(".flash") == ["Say who you are."], "the message")
    log_in(browser, site, "Ada")
    browser.run("document.querySelector('form button').click()")
    wait_until(lambda: browser.run("return location.pathname") == "/login", "the login")
    browser.go(site)
    assert browser.run("return location.pathname") == "/login"
    assert browser.texts(".flash") == []
    assert browser.complaints() == []
    browser.quit()
