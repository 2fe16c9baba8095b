"""A WebDriver client of the size that the tests need: W3C WebDriver over HTTP, spoken to chromedriver."""

from __future__ import annotations

import base64
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Browser", "Driver", "WebDriverError", "wait_until"]

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--hide-scrollbars",
)  # fmt: skip
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the standard gives to references of elements
SELECT_ALL = "\ue009a\ue000"  # Control and A, let go
START_TIMEOUT = 20.0
COMMAND_TIMEOUT = 60.0


class WebDriverError(AssertionError):
    """The browser refused a command."""


class Driver:
    """A chromedriver process.

    :param program: the path to chromedriver.
    :param browser: the path to Chromium.
    :param folder: where profiles and the log go.
    """

    def __init__(self, program: str, browser: str, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self._browsers: list[Browser] = []
        self._log = (folder / "chromedriver.log").open("wb")
        command = [program, "--port=0", "--allowed-ips=127.0.0.1"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        self.url = f"http://127.0.0.1:{self._port()}"

    def _port(self) -> int:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "started successfully on port" in line:
                return int(line.rstrip(". \n").rsplit(" ", 1)[1])
        raise WebDriverError("chromedriver did not start")

    def open(self, width: int = 1280, height: int = 800, dark: bool = False) -> Browser:
        """Start a browser of its own, with a fresh profile."""
        profile = self._folder / f"profile-{len(self._browsers)}"
        flags = [*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        if dark:
            flags.append("--blink-settings=preferredColorScheme=0")
        options = {"binary": self._browser, "args": flags}
        wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
        session = command(f"{self.url}/session", "POST", wanted)["sessionId"]
        browser = Browser(f"{self.url}/session/{session}")
        self._browsers.append(browser)
        return browser

    def close(self) -> None:
        """End the browsers and the process."""
        for browser in self._browsers:
            browser.quit()
        self._process.terminate()
        self._process.wait(START_TIMEOUT)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


class Browser:
    """One browser with one window.

    :param url: of its WebDriver session.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_open = True

    def go(self, url: str) -> None:
        """Load a page."""
        command(f"{self._url}/url", "POST", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return command(f"{self._url}/execute/sync", "POST", {"script": script, "args": list(arguments)})

    def run_async(self, script: str, *arguments: Any) -> Any:
        """Run the body of an async function in the page and return what it returns."""
        body = f"""
            const finish = arguments[arguments.length - 1], given = [...arguments].slice(0, -1);
            (async function () {{ {script} }}).apply(null, given).then(
                (value) => finish({{ value }}), (error) => finish({{ error: String(error) }}));"""
        result = command(f"{self._url}/execute/async", "POST", {"script": body, "args": list(arguments)})
        if "error" in result:
            raise WebDriverError(result["error"])
        return result.get("value")

    def text(self, selector: str) -> str:
        """The text of an element."""
        found: str = self.run("return document.querySelector(arguments[0]).textContent", selector)
        return found

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements that a selector finds."""
        script = "return [...document.querySelectorAll(arguments[0])].map((found) => found.textContent)"
        found: list[str] = self.run(script, selector)
        return found

    def type(self, selector: str, text: str) -> None:
        """Write into a field as a person does, over what stands there. ``\\ue007`` is the Enter key."""
        found = command(f"{self._url}/element", "POST", {"using": "css selector", "value": selector})
        element = f"{self._url}/element/{found[ELEMENT]}"
        command(f"{element}/value", "POST", {"text": SELECT_ALL + text})

    def screenshot(self, file: Path) -> None:
        """Save what the window shows as a PNG."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(command(f"{self._url}/screenshot", "GET")))

    def complaints(self) -> list[str]:
        """Errors on the browser's console since the last call."""
        entries = command(f"{self._url}/se/log", "POST", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def quit(self) -> None:
        """End the browser. A second call does nothing."""
        if self._is_open:
            self._is_open = False
            command(self._url, "DELETE")


def command(url: str, method: str, body: dict[str, Any] | None = None) -> Any:
    """One command of WebDriver (W3C WebDriver, section 6).

    :raises WebDriverError: if the browser answers with an error.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=COMMAND_TIMEOUT) as response:
            return json.load(response)["value"]
    except urllib.error.HTTPError as exc:
        with exc:
            problem = json.load(exc)["value"]
        raise WebDriverError(f"{problem['error']}: {problem['message']}") from exc


def wait_until(condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    """Ask again and again until `condition()` is true.

    :param what: what is waited for, for the message.
    :raises AssertionError: if it takes longer than `timeout` seconds.
    """
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, f"waited {timeout:g} s in vain: {what}"
        time.sleep(0.05)
