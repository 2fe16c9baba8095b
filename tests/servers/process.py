"""A server in a process of its own: started, waited for, looked into, ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from .clients import Address, request
from .kinds import Kind

__all__ = ["ECHO", "ServerDied", "ServerProcess", "children", "free_port", "is_running", "wait_until"]

ROOT = Path(__file__).parents[2]
ECHO = "tests.servers.apps.echo:app"
START_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0
PORT_ATTEMPTS = 5
Event = dict[str, Any]


class ServerDied(AssertionError):
    """The server's process ended by itself; the message is its log."""


class ServerProcess:
    """A server of some kind, with an application in it.

    :param kind: which server.
    :param folder: where its log and its events are written.
    :param options: the engine's options, for applications that read SYNCIO_TEST_OPTIONS.
    :param app: the application, "module:name".
    :param port: where to listen; 0 for any free port.
    """

    def __init__(
        self, kind: Kind, folder: Path, options: Mapping[str, Any] | None = None, app: str = ECHO, port: int = 0
    ) -> None:
        self.kind = kind
        self.app = app
        self.port = port
        self.log_file = folder / "server.log"
        self.events_file = folder / "events.jsonl"
        self._folder = folder
        self._options = dict(options or {})
        self._process: subprocess.Popen[bytes] | None = None

    # ------------------------------------------------------------------ beginning and end

    def start(self) -> ServerProcess:
        """Start it and wait until it answers.

        :raises ServerDied: if it does not.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self.events_file.touch()
        any_port = self.port == 0
        for _ in range(PORT_ATTEMPTS):
            self.port = free_port() if any_port else self.port
            with self.log_file.open("ab") as log:
                self._process = self._spawn(log)
            if self._answers():
                return self
            self.kill()
            if "address already in use" not in self.log().lower():
                break
        raise ServerDied(f"{self.kind.name} did not start:\n{self.log()}")

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
            "SYNCIO_TEST_OPTIONS": json.dumps(self._options),
            "SYNCIO_TEST_EVENTS": str(self.events_file),
        }
        command = self.kind.command(self.port, self.app)
        return subprocess.Popen(
            command, cwd=self._folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )

    def _answers(self) -> bool:
        until = time.monotonic() + START_TIMEOUT
        while self.is_alive and time.monotonic() < until:
            try:
                return request(self.address, "GET", "/").status == 200 and self.is_alive
            except OSError:
                time.sleep(0.03)
        return False

    def terminate(self) -> None:
        """Send SIGTERM, and do not wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = STOP_TIMEOUT) -> bool:
        """Wait for its end; False if it has not come in time."""
        assert self._process is not None
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> bool:
        """End it with SIGTERM, and with SIGKILL if that does not help. Returns whether SIGTERM was enough."""
        self.terminate()
        if self._process is None or self.wait():
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """End it and its workers at once."""
        if self._process is not None and self._process.poll() is None:
            for pid in [self.pid, *children(self.pid)]:  # the master first, or it starts another worker
                _kill(pid)
            self._process.wait()

    # ------------------------------------------------------------------ looking in

    @property
    def address(self) -> Address:
        """Where it listens."""
        return ("127.0.0.1", self.port)

    @property
    def url(self) -> str:
        """Its address as a URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process; with gunicorn, the master."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """All that it has printed so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def page(self, path: str) -> Any:
        """A page of the site behind the engine, as the value of its JSON."""
        return json.loads(request(self.address, "GET", path).body)

    def events(self, sid: str | None = None, event: str | None = None) -> list[Event]:
        """The events that the application has seen, all or some."""
        lines = self.events_file.read_text().splitlines()
        found = [json.loads(line) for line in lines if line]
        return [e for e in found if sid in (None, e["sid"]) and event in (None, e["event"])]

    def wait_for(self, event: str, sid: str, timeout: float = 5.0) -> list[Event]:
        """Wait for an event of a session and return all of that name; an empty list if none came in time."""
        wait_until(lambda: self.events(sid, event), timeout)
        return self.events(sid, event)


def wait_until(condition: Callable[[], object], timeout: float = 5.0) -> bool:
    """Ask again and again until `condition()` is true; False if that takes longer than `timeout` seconds."""
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def children(pid: int) -> list[int]:
    """The processes that a process has started: gunicorn's workers."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def is_running(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
