"""The JavaScript client in Chromium, against an echo on the embedded server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from .process import SyncioProcess
from .webdriver import Browser, Driver

TRANSPORTS = {"polling": ["polling"], "upgrade": ["polling", "websocket"], "websocket": ["websocket"]}
# What every script begins with: a socket whose events are kept, and two ways to wait.
PRELUDE = """
    const { Socket } = await import(location.origin + "/syncio-client.js");
    const open = (options) => {
        const socket = new Socket(options);
        const seen = [];
        for (const name of ["open", "message", "upgrading", "upgrade", "upgradeError", "close", "reconnecting"]) {
            socket.on(name, (value) => seen.push([name, value]));
        }
        return { socket, seen };
    };
    const until = async (condition) => {
        const deadline = performance.now() + 10000;
        while (!condition()) {
            if (performance.now() > deadline) throw new Error(`waited in vain: ${condition}`);
            await new Promise((resolve) => setTimeout(resolve, 10));
        }
    };
    const names = (seen) => seen.map(([name]) => name);
    const messages = (seen) => seen.filter(([name]) => name === "message").map(([, value]) => value);
"""


@pytest.fixture(scope="module")
def page(driver: Driver, echo: SyncioProcess) -> Iterator[Browser]:
    """A window on the origin of the echo that has not loaded the demo's own script."""
    browser = driver.open()
    browser.go(f"{echo.url}/icon.svg")
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def echo() -> Iterator[SyncioProcess]:
    """The echo on a free port."""
    process = SyncioProcess("run", "tests.browser.echo:app", "--port", "0")
    yield process
    process.kill()


def run(page: Browser, script: str, *arguments: Any) -> Any:
    """Run a script behind the prelude."""
    return page.run_async(PRELUDE + script, *arguments)


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
def test_everything_comes_back_in_order(page: Browser, transports: list[str]) -> None:
    """Text and binary messages, more than one POST takes, come back whole and in order, also across an upgrade."""
    script = """
        const [transports] = arguments;
        const { socket, seen } = open({ transports });
        await until(() => socket.state === "open");
        const sent = [];
        for (let i = 0; i < 200; i += 1) {
            const bytes = Uint8Array.from({ length: 256 }, (_, index) => (index + i) % 256);
            sent.push(i % 3 ? `${i} é 你好 👋🏽 ${"x".repeat(i * 4)}` : bytes.buffer);
            socket.send(sent[i]);
            if (i % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 20));
        }
        await until(() => messages(seen).length === sent.length);
        await until(() => socket.transport === transports.at(-1));
        const plain = (value) => (typeof value === "string" ? value : [...new Uint8Array(value)].join());
        const same = messages(seen).every((value, index) => plain(value) === plain(sent[index]));
        socket.close();
        await until(() => socket.state === "closed");
        return { same, names: names(seen).filter((name) => name !== "message"), reason: seen.at(-1)[1].reason };
    """
    result = run(page, script, transports)
    upgrade = ["upgrading", "upgrade"] if len(transports) == 2 else []
    assert result == {"same": True, "names": ["open", *upgrade, "close"], "reason": "closed by the page"}


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_heartbeats_are_answered(page: Browser, transport: str) -> None:
    """A session lives longer than a ping's interval and its timeout together."""
    script = """
        const { socket, seen } = open({ transports: arguments[0] });
        await new Promise((resolve) => setTimeout(resolve, 2500));
        const { state } = socket;
        socket.close();
        return { state, names: names(seen) };
    """
    assert run(page, script, [transport])["state"] == "open"


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
def test_a_disconnect_is_seen(page: Browser, transports: list[str]) -> None:
    """A session that the server ends is closed, and without the option nothing connects again."""
    script = """
        const { socket, seen } = open({ transports: arguments[0] });
        await until(() => socket.state === "open" && socket.transport === arguments[0].at(-1));
        socket.send("disconnect me");
        await until(() => socket.state === "closed");
        return [names(seen).at(-1), seen.at(-1)[1].willReconnect];
    """
    assert run(page, script, transports) == ["close", False]


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
def test_it_connects_again(page: Browser, transports: list[str]) -> None:
    """With the option a lost session is followed by another, after a wait within its bounds."""
    script = """
        const { socket, seen } = open({ transports: arguments[0], reconnect: { first: 200, jitter: 0.5 } });
        await until(() => socket.state === "open" && socket.transport === arguments[0].at(-1));
        const before = socket.sid;
        socket.send("disconnect me");
        await until(() => names(seen).filter((name) => name === "open").length === 2);
        const [, { attempt, delay }] = seen.find(([name]) => name === "reconnecting");
        const result = { attempt, waits: delay >= 100 && delay <= 200, isOther: socket.sid !== before };
        socket.close();
        return result;
    """
    assert run(page, script, transports) == {"attempt": 1, "waits": True, "isOther": True}


def test_waits_grow_up_to_a_limit(page: Browser) -> None:
    """Attempts that fail are further and further apart, but never further than the longest wait."""
    script = """
        const nowhere = "http://127.0.0.1:9"; // a port that browsers refuse without asking
        const { socket, seen } = open({ url: nowhere, reconnect: { first: 20, most: 70, jitter: 0 } });
        await until(() => names(seen).filter((name) => name === "reconnecting").length === 4);
        socket.close();
        return seen.filter(([name]) => name === "reconnecting").map(([, { delay }]) => delay).slice(0, 4);
    """
    assert run(page, script) == [20, 40, 70, 70]


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
def test_silence_is_noticed(page: Browser, echo: SyncioProcess, transports: list[str]) -> None:
    """A server that stops talking without closing anything is given up after its ping interval and its timeout."""
    script = """
        const { socket, seen } = open({ transports: arguments[0] });
        await until(() => socket.state === "open" && socket.transport === arguments[0].at(-1));
        globalThis.silent = { socket, seen };
    """
    run(page, script, transports)
    echo.signal(signal.SIGSTOP)
    try:
        wait = "await until(() => silent.socket.state === 'closed'); return silent.seen.at(-1)[1].reason;"
        assert run(page, wait) == "the server is silent"
    finally:
        echo.signal(signal.SIGCONT)
