"""Flask-SocketIO with syncio's engine under it: its own tests, and a chat that many use at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.conftest import Starter
from tests.servers.clients import request
from tests.servers.kinds import KINDS

from .test_hosting import ADDED_THREADS, AT_ONCE, COMPLAINT

RELEASE = "flask-socketio==5.7.0"
BROWSERS = 200
PATIENCE = 10
RUN = "import sys, syncio.compat; syncio.compat.install(); import pytest; sys.exit(pytest.main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release as its authors packed it."""
    folder = tmp_path_factory.mktemp("flask-socketio")
    command = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", RELEASE]
    subprocess.run([sys.executable, *command], cwd=folder, check=True, timeout=110)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


def test_their_tests(sources: Path) -> None:
    """All of them pass."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN, "-q", "-p", "no:cacheprovider", "test_socketio.py"],
        cwd=sources,
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parents[2]}:{sources / 'src'}"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^43 passed\b", ended.stdout, re.MULTILINE), ended.stdout


def test_two_hundred_browsers(start_server: Starter) -> None:
    """A chat on gunicorn with four threads: all hear everything, the site answers at once, and no thread is added."""
    kind = next(kind for kind in KINDS if kind.name == "gunicorn-gthread")
    server = start_server(kind, app="tests.servers.apps.flask_rooms:app")
    login = request(server.address, "GET", "/?name=ada")
    cookie = login.headers["set-cookie"].partition(";")[0]
    before = server.page("/threads")["threads"]
    browsers: list[Any] = []
    try:
        for _ in range(BROWSERS):
            browser = websocket.create_connection(
                f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket", timeout=PATIENCE, cookie=cookie
            )
            browsers.append(browser)
            assert browser.recv().startswith("0")
            browser.send("40/chat,")
            assert browser.recv().startswith("40/chat,")
            browser.send('42/chat,["joined",{"room":"kitchen"}]')
            while "ada has entered" not in browser.recv():
                pass
        began = time.monotonic()
        assert request(server.address, "GET", "/").status == 200
        assert time.monotonic() - began < AT_ONCE
        browsers[0].send('42/chat,["text",{"room":"kitchen","text":"dinner"}]')
        for browser in browsers:
            while (heard := browser.recv()) != '42/chat,["message","dinner"]':
                assert "has entered" in heard
        assert server.page("/threads")["threads"] <= before + ADDED_THREADS
    finally:
        for browser in browsers:
            browser.close()
    assert not [line for line in server.log().splitlines() if COMPLAINT.search(line)]
