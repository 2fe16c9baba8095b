"""Flask-SocketIO with syncio's engine under it: a chat that many use at once."""

from __future__ import annotations

import time
from typing import Any

import websocket

from tests.conftest import Starter
from tests.servers.clients import request
from tests.servers.kinds import KINDS

from .test_hosting import ADDED_THREADS, AT_ONCE, COMPLAINT

BROWSERS = 200
PATIENCE = 10


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
