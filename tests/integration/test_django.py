"""A Django project with python-socketio on syncio: the site's session and user, where a client connects."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import socketio as original
from socketio.exceptions import ConnectionError

from syncio.compat import socketio
from tests.servers.clients import request
from tests.servers.kinds import KINDS, Kind
from tests.servers.process import ServerProcess

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "examples" / "django_socketio"
HOSTS = [kind for kind in KINDS if kind.name in ("gunicorn-gthread", "gunicorn-gevent", "werkzeug")]
PATIENCE = 10
CLIENTS: list[Any] = [original.SimpleClient, socketio.SimpleClient]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The project's database, with one user in it, and its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE", str(tmp_path_factory.mktemp("django") / "shop.sqlite3"))
        patch.setenv("SECRET_KEY", "the same for every process of the test")
        patch.setenv("DJANGO_SUPERUSER_PASSWORD", "tea-time")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(PROJECT)]))
        for command in (["migrate"], ["createsuperuser", "--no-input", "--username", "ada", "--email", "a@b.example"]):
            subprocess.run([sys.executable, str(PROJECT / "manage.py"), *command], check=True, timeout=60)
        yield


@pytest.fixture(scope="module", params=HOSTS, ids=lambda kind: kind.name)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, database: None) -> Any:
    """The project, being served."""
    kind: Kind = request.param
    process = ServerProcess(kind, tmp_path_factory.mktemp(kind.name), app="shop.wsgi:application")
    try:
        yield process.start()
    finally:
        process.kill()


def log_in(shop: ServerProcess, password: str) -> Any:
    """What the site answers to somebody who logs in."""
    form = urlencode({"name": "ada", "password": password}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return request(shop.address, "POST", "/login", body=form, headers=headers)


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], None], ids=str)
@pytest.mark.parametrize("make", CLIENTS, ids=["python-engineio's engine", "syncio's engine"])
def test_session_and_user(shop: ServerProcess, make: Any, transports: list[str] | None) -> None:
    """Who has logged in on the site is known in connect, with the session; the others come in no further."""
    answer = log_in(shop, "tea-time")
    assert answer.status == 200
    cookie = answer.headers["set-cookie"].partition(";")[0]
    with make() as client, make() as other:
        client.connect(shop.url, headers={"Cookie": cookie}, transports=transports)
        assert client.call("basket", timeout=PATIENCE) == ["tea"]
        other.connect(shop.url, headers={"Cookie": cookie}, transports=transports)
        assert client.receive(timeout=PATIENCE) == ["came", "ada"]


def test_strangers(shop: ServerProcess) -> None:
    """Without a login, or with a wrong one, there is no connection, and the site goes on."""
    assert log_in(shop, "coffee").status == 403
    for headers in ({}, {"Cookie": "sessionid=forged"}):
        with socketio.SimpleClient() as client, pytest.raises(ConnectionError):
            client.connect(shop.url, headers=headers)
    assert request(shop.address, "GET", "/").text == '{"user": ""}'
    assert "Traceback" not in shop.log()
