"""The demo in Chromium: two windows chat, both upgrade, the plot moves, a restart is survived."""

from __future__ import annotations

from pathlib import Path

import pytest

from .process import SyncioProcess
from .webdriver import Browser, Driver, wait_until

ENTER = "\ue007"


def enter(browser: Browser, url: str, name: str) -> None:
    """Open the page, wait for the welcome, and choose a name."""
    browser.go(url)
    wait_until(lambda: browser.run("return document.querySelector('#name').value"), "a name from the server")
    browser.type("#name", name + ENTER)
    wait_until(lambda: said_to_be(browser) == name, "the new name")


def said_to_be(browser: Browser) -> object:
    """The name that the server has given."""
    return browser.run("return sessionStorage.getItem('name')")


def say(browser: Browser, text: str) -> None:
    """Send a message as a person does."""
    browser.type("#text", text + ENTER)


def shows(browser: Browser, *texts: str) -> bool:
    """Whether the messages are on the page, in this order."""
    return [text for text in browser.texts("#messages .said") if text in texts] == list(texts)


def points(browser: Browser, kind: str = ".point") -> int:
    """How many points the plot has."""
    return len(browser.texts(f"#plot {kind}"))


def is_upgraded(browser: Browser) -> bool:
    """Whether the page shows that it talks over a WebSocket."""
    return browser.text("#status-text") == "WebSocket" and browser.text("#transport") == "WebSocket"


@pytest.fixture
def windows(driver: Driver, demo: SyncioProcess) -> list[Browser]:
    """Two windows, the second one dark, with people in them."""
    opened = [driver.open(1280, 800), driver.open(1280, 800, dark=True)]
    for browser, name in zip(opened, ("Ada", "Grace"), strict=True):
        enter(browser, demo.url, name)
    return opened


def test_two_windows_chat(windows: list[Browser], demo: SyncioProcess, artifacts: Path) -> None:
    """Both upgrade and are counted; each message appears in both windows, in order; the plots move."""
    ada, grace = windows
    for browser in windows:
        assert browser.text("#status-text") == "polling"
    wait_until(lambda: all(points(browser, ".point.polling") >= 2 for browser in windows), "polling in the plot")
    wait_until(lambda: all(map(is_upgraded, windows)), "the upgrade")
    wait_until(lambda: all(browser.text("#online") == "2" for browser in windows), "two people")
    before = [points(browser) for browser in windows]
    talk = [
        (ada, "Hello Grace, can you read this?"),
        (grace, "Yes, and <b>quickly</b> &amp; plainly, Größe und λόγος too."),
        (ada, "Over a WebSocket that holds no thread while nobody speaks."),
        (grace, "Then it works."),
    ]
    for count, (browser, text) in enumerate(talk, 1):
        say(browser, text)
        expected = [said for _, said in talk[:count]]
        wait_until(lambda e=expected: all(shows(window, *e) for window in windows), repr(text))  # type: ignore[misc]
    for browser, seen in zip(windows, before, strict=True):
        wait_until(lambda b=browser, n=seen: points(b) >= n + 5, "the plot moves")  # type: ignore[misc]
        assert points(browser, ".point.websocket") >= 2
        assert points(browser, ".message-mark") == 2
        assert browser.texts("#plot .marker text") == ["upgrade"]
        assert any(line.endswith("upgraded to WebSocket") for line in browser.texts("#log li"))
        assert browser.text("#last").endswith(" ms") and browser.text("#median").endswith(" ms")
        assert browser.text("#count") == "4"
    for number, browser in enumerate(windows, 1):
        browser.screenshot(artifacts / f"demo-{number}.png")
    for browser in windows:
        assert browser.complaints() == []
        browser.quit()
    assert demo.stop() == (0, "")


def test_a_restart_is_survived(driver: Driver, artifacts: Path) -> None:
    """The page says that the server is gone, waits, connects to the next one, and goes on."""
    first = SyncioProcess("demo", "--port", "0")
    browser = driver.open(390, 844)
    try:
        enter(browser, first.url, "Ada")
        say(browser, "before")
        wait_until(lambda: shows(browser, "before"), "the first message")
        assert first.stop() == (0, "")
        wait_until(lambda: "Attempt" in browser.text("#notice"), "the page notices")
        assert browser.text("#status-text") == "offline"
        assert browser.run("return document.querySelector('#send').disabled")
        browser.screenshot(artifacts / "demo-offline.png")
        second = SyncioProcess("demo", "--port", str(first.port))
        try:
            wait_until(lambda: browser.run("return document.querySelector('#notice').hidden"), "a new connection")
            say(browser, "after 你好 👩‍👩‍👧 مرحبا")
            wait_until(lambda: shows(browser, "before", "after 你好 👩‍👩‍👧 مرحبا"), "both messages")
            assert "Connected again." in browser.texts("#messages .happened")
            assert said_to_be(browser) == "Ada"
        finally:
            second.kill()
    finally:
        first.kill()
        browser.quit()


@pytest.mark.parametrize(("transport", "label"), [("polling", "polling"), ("websocket", "WebSocket")])
def test_one_transport(driver: Driver, demo: SyncioProcess, transport: str, label: str) -> None:
    """The page can be told to use one transport only, and stays with it."""
    browser = driver.open()
    try:
        enter(browser, f"{demo.url}/?transport={transport}", "Ada")
        for number in range(5):
            say(browser, f"message {number}")
        wait_until(lambda: shows(browser, *(f"message {number}" for number in range(5))), "all messages")
        wait_until(lambda: points(browser) >= 10, "echoes beyond the time of an upgrade")
        assert browser.text("#status-text") == label
        assert not any("upgraded" in line for line in browser.texts("#log li"))
        assert browser.complaints() == []
    finally:
        browser.quit()
