"""The examples, each under the embedded server and under gunicorn: a message reaches both kinds of clients."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.clients import Clients, PollingClient, WebSocketClient, request
from tests.servers.kinds import KINDS, Kind
from tests.servers.process import ServerProcess

ROOT = Path(__file__).parents[2]
DJANGO_ROOT = ROOT / "examples" / "django_chat"
SYNCIO_RUN = ("-m", "syncio.cli", "run", "--port", "{port}", "--worker")
HOSTS = (
    Kind("syncio-run", (*SYNCIO_RUN, "threads", "{app}"), ("werkzeug",)),
    Kind("syncio-run-gevent", (*SYNCIO_RUN, "gevent", "{app}"), ("gevent",), greenlets=True),
    next(kind for kind in KINDS if kind.name == "gunicorn-gthread"),
)


def _text(data: Any) -> Any:
    return json.loads(data)["text"]


@dataclass(frozen=True)
class Example:
    """One of the examples.

    :param app: as it is named on the command line.
    :param page: what its site answers at ``/`` while nobody is connected.
    :param told: what of a message that arrives was said by somebody.
    :param greets: whether newcomers are sent a message.
    """

    app: str
    page: str
    told: Callable[[Any], Any]
    greets: bool = False


EXAMPLES = {
    "plain": Example("examples.plain_wsgi:app", "0 connected\n", str),
    "flask": Example("examples.flask_chat:app", '{"here":[]}\n', _text, greets=True),
    "django": Example("chat.wsgi", '{"connected": 0}', _text),
}


@pytest.fixture(params=HOSTS, ids=lambda kind: kind.name)
def host(request: pytest.FixtureRequest) -> Kind:
    """The server that runs an example."""
    kind: Kind = request.param
    assert not kind.missing, f"pip install {' '.join(kind.missing)}"
    return kind


@pytest.fixture(params=list(EXAMPLES.values()), ids=list(EXAMPLES))
def example(request: pytest.FixtureRequest) -> Example:
    """The example."""
    found: Example = request.param
    return found


@pytest.fixture
def server(host: Kind, example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    """The example, being served."""
    monkeypatch.setenv("PYTHONPATH", str(DJANGO_ROOT), prepend=os.pathsep)
    process = ServerProcess(host, tmp_path, app=example.app)
    try:
        yield process.start()
    finally:
        process.kill()


@pytest.fixture
def clients(server: ServerProcess) -> Iterator[Clients]:
    """Clients of the example, closed at the end."""
    with contextlib.closing(Clients(server.address)) as clients:
        yield clients


def receive(client: PollingClient | WebSocketClient) -> str:
    """The next message of a client, without its packet type. Other packets are passed over."""
    while True:
        packets = client.poll().packets if isinstance(client, PollingClient) else [client.receive()]
        messages = [str(packet)[1:] for packet in packets if str(packet).startswith("4")]
        if messages:
            assert len(messages) == 1, "each test waits for one message at a time"
            return messages[0]


def test_a_message_reaches_both(server: ServerProcess, clients: Clients, example: Example) -> None:
    """What one client says over polling, and another over a WebSocket, is heard by both; the site answers as well."""
    assert request(server.address, "GET", "/").text == example.page
    polling = clients.polling("&name=Ada")
    websocket = clients.raw_websocket("EIO=4&transport=websocket&name=Grace")
    both: tuple[PollingClient | WebSocketClient, ...] = (polling, websocket)
    if example.greets:
        assert example.told(polling.opened.packets[1][1:]) == "Welcome, Ada."  # right behind the open packet
        assert example.told(receive(websocket)) == "Welcome, Grace."
    else:
        assert str(websocket.receive()).startswith("0")
    assert polling.post("4over polling").text == "ok"
    assert [example.told(receive(client)) for client in both] == ["over polling"] * 2
    websocket.send("4over a WebSocket")
    assert [example.told(receive(client)) for client in both] == ["over a WebSocket"] * 2
    assert request(server.address, "GET", "/").text != example.page
    assert server.stop()
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("example", [EXAMPLES["flask"]], ids=["flask"])
def test_a_route_reaches_everybody(server: ServerProcess, clients: Clients) -> None:
    """A Flask route broadcasts, from a thread or greenlet that belongs to the WSGI server."""
    client = clients.websocket()
    receive(client)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert request(server.address, "POST", "/announce", b"text=Tea+is+ready", form).status == 204
    assert json.loads(receive(client)) == {"name": "the site", "text": "Tea is ready"}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
@pytest.mark.parametrize("name", ["syncio-threads", "gunicorn-gevent"])
def test_the_doctor_finds_nothing_wrong(example: Example, name: str, tmp_path: Path) -> None:
    """The doctor finds the engine of each example, tries it, and has nothing to warn of."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(DJANGO_ROOT)])}
    env.pop("WEB_CONCURRENCY", None)
    command = [sys.executable, "-m", "syncio.cli", "doctor", "--json", "--server", name, example.app]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    diagnosis = json.loads(done.stdout)
    assert [check["ok"] for check in diagnosis["checks"]] == [True] * 4
    assert diagnosis["warnings"] == []
    assert diagnosis["engines"][0]["async_mode"] == ("gevent" if name == "gunicorn-gevent" else "threading")


@pytest.mark.parametrize("name", ["django_chat", "django_socketio"])
def test_the_django_project_is_sound(tmp_path: Path, name: str) -> None:
    """Django's own check of the project passes, warnings included."""
    manage = ROOT / "examples" / name / "manage.py"
    command = [sys.executable, str(manage), "check", "--fail-level", "WARNING"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_of_a_test(tmp_path: Path) -> None:
    """It passes as its first lines say; the fixtures come with syncio."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "syncio.testing.plugin", "-p", "no:cacheprovider"]
    example = ROOT / "examples" / "test_plain_wsgi.py"
    command += ["--rootdir", str(tmp_path), "-c", os.devnull, "--import-mode", "prepend", str(example)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ended = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout
