"""The ``syncio`` command: applications that are found and not found, engines in them, advice, signals, the doctor."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import websocket

import syncio
from syncio.cli import main
from syncio.cli.advice import advise, worker_processes
from syncio.cli.engines import Mount, find_engines
from syncio.cli.hosts import HOSTS, host_named
from syncio.cli.problem import Problem
from syncio.cli.serving import bind, url_of
from syncio.cli.target import Target, load
from tests.browser.process import SyncioProcess

ROOT = Path(__file__).parents[2]
SITE = """
import syncio

server = syncio.Server({options})
{handlers}
def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{text}"]

app = syncio.WSGIApp(server, page)
def create_app(): return app
class holder: inner = app
number = 5
def nothing(): pass
"""
SAY = "server.on('message', lambda sid, data: None)"


def site(folder: Path, name: str, options: str = "", handlers: str = SAY, text: str = "hello") -> str:
    """Write a module with a site in it, and return its name."""
    (folder / f"{name}.py").write_text(SITE.format(options=options, handlers=handlers, text=text))
    return name


def command(folder: Path, *arguments: str, prelude: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, behind some lines of Python."""
    lines = f"import sys\n{prelude}\nfrom syncio.cli import main\nsys.exit(main(sys.argv[1:]))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name in ("WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"):
        env.pop(name, None)
    call = [sys.executable, "-c", lines, *arguments]
    return subprocess.run(call, cwd=folder, env=env, capture_output=True, text=True, timeout=30, check=False)


def diagnose(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the doctor; its diagnosis, which agrees with its exit code."""
    done = command(folder, "doctor", "--json", *arguments)
    assert done.stdout, done.stderr
    diagnosis: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if diagnosis["ok"] else 1)
    return diagnosis


def fetch(url: str) -> str:
    """The text at a URL."""
    with urllib.request.urlopen(url, timeout=5) as response:
        text: str = response.read().decode()
        return text


def free_port() -> int:
    """A port that nobody has."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, out of which modules are imported and forgotten again."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


# ---------------------------------------------------------------- module:app


@pytest.mark.parametrize("name", ["", ":app", ":create_app()", ":holder.inner", ":page"])
def test_applications_are_found(folder: Path, name: str) -> None:
    """A name, a usual name, a factory, and an attribute of something are found in the working directory."""
    target = load(site(folder, "found_site") + name)
    assert target.spec == "found_site" + (name or ":app")
    assert callable(target.app)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("site_of:ap", "did you mean found_site:app"),
        ("site_of:aplication", "found_site has no 'aplication'"),
        ("site_of:number", "is a int, and cannot be called"),
        ("site_of:number()", "is a int, and cannot be called"),
        ("site_of:server", "app = syncio.WSGIApp(server)"),
        ("site_of:create_app", "a factory is named found_site:create_app()"),
        ("site_of:nothing()", "is a NoneType"),
        ("no_such_site:app", "there is no module 'no_such_site'"),
        ("site_of.inner:app", "there is no module 'found_site.inner'"),
        ("not a name", "is not of the form module:name"),
        ("json", "json has none of app, application"),
    ],
)
def test_what_is_not_found_is_explained(
    folder: Path, capsys: pytest.CaptureFixture[str], spec: str, message: str
) -> None:
    """Each way to name an application wrongly has its own sentence, and ends with code 2."""
    spec = spec.replace("site_of", site(folder, "found_site"))
    assert main(["run", spec, "--port", "0"]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import there_is_none_of_this", "No module named 'there_is_none_of_this'"),
        ("raise RuntimeError('out of tea')", "RuntimeError: out of tea"),
        ("def broken(:", "SyntaxError"),
        ("def app(): pass\ndef create_app(): 1 / 0", None),
    ],
)
def test_a_module_that_fails_shows_its_own_lines(folder: Path, source: str, message: str | None) -> None:
    """The traceback of a module that cannot be imported, or of a factory, is the user's, without our frames."""
    (folder / "broken_site.py").write_text(source)
    with pytest.raises(Problem) as caught:
        load("broken_site:app" if message else "broken_site:create_app()")
    text = str(caught.value)
    assert (message or "ZeroDivisionError") in text
    assert "broken_site.py" in text
    assert "target.py" not in text and "importlib" not in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of the package."""
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"syncio {syncio.__version__} ")


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that does not exist ends with code 2 and names those that do."""
    with pytest.raises(SystemExit) as caught:
        main(["rnu"])
    assert caught.value.code == 2
    assert "doctor" in capsys.readouterr().err


# ---------------------------------------------------------------- engines in applications


def target_of(app: Any, **names: Any) -> Target:
    """An application in a module with names in it."""
    module = ModuleType("some_site")
    vars(module).update(names)
    return Target("some_site:app", module, app)


def test_an_engine_in_layers() -> None:
    """An engine is found behind middleware and bound methods, with its path."""
    server = syncio.Server()

    class Framework:
        def __init__(self) -> None:
            self.wsgi_app: Any = self.answer

        def answer(self, environ: Any, start_response: Any) -> Any:
            return []

    framework = Framework()
    framework.wsgi_app = syncio.WSGIApp(server, framework.wsgi_app, engineio_path="live")
    for app in (framework, framework.answer, SimpleNamespace(app=SimpleNamespace(application=framework))):
        (mount,) = find_engines(target_of(app))
        assert (mount.server, mount.path) == (server, "/live/")


def test_an_engine_among_names() -> None:
    """An engine that the application hides is found by its name; one that is mounted comes first."""
    hidden, mounted = syncio.Server(), syncio.Server()
    target = target_of(lambda environ, start_response: [], hidden=hidden, site=syncio.WSGIApp(mounted))
    assert [(m.server, m.path) for m in find_engines(target)] == [(mounted, "/engine.io/"), (hidden, None)]


def test_an_engine_is_found_once() -> None:
    """An engine in the application and among the names is one."""
    server = syncio.Server()
    twice = syncio.WSGIApp(server, syncio.WSGIApp(server))
    assert len(find_engines(target_of(twice, server=server, site=twice))) == 1
    assert find_engines(target_of(lambda environ, start_response: [])) == []


# ---------------------------------------------------------------- advice


def advice(server: str = "gunicorn-gthread", workers: int = 1, patched: bool = False, **options: Any) -> str:
    """All warnings for an engine with options, in one text."""
    engine = syncio.Server(**{"async_mode": "threading", **options})
    engine.on("message", lambda sid, data: None)
    return "\n".join(advise([Mount(engine, "/engine.io/", "site:app")], host_named(server), workers, patched))


@pytest.mark.parametrize(
    ("situation", "words"),
    [
        ({"workers": 2}, "sticky sessions"),
        ({"server": "waitress"}, "long polling only"),
        ({"server": "cheroot"}, "long polling only"),
        ({"server": "gunicorn-sync"}, "gthread"),
        ({"server": "gunicorn-gevent"}, "async_mode='threading' under gunicorn-gevent"),
        ({"async_mode": "gevent"}, "async_mode='gevent' under gunicorn-gthread"),
        ({"patched": True}, "monkey-patches the process"),
        ({"cors_allowed_origins": "*"}, "every site can act"),
        ({"cors_allowed_origins": []}, "checks no origin"),
        ({"ping_interval": 90}, "cut silent connections"),
        ({"monitor_clients": False}, "never noticed"),
    ],
)
def test_warnings(situation: dict[str, Any], words: str) -> None:
    """Each doubtful situation has one warning of its own, which is absent without it."""
    text = advice(**situation)
    assert words in text and "\n" not in text
    assert advice() == ""


def test_engines_that_do_nothing_are_warned_of() -> None:
    """An engine without a handler, and one that is not mounted, are pointed out."""
    text = "\n".join(advise([Mount(syncio.Server(), None, "site:server")], host_named("gunicorn-gthread"), 1, False))
    assert "no handler for 'message'" in text or "async_mode" in text
    assert "site:server was found" in text


@pytest.mark.parametrize(
    ("environ", "workers"),
    [
        ({}, 1),
        ({"WEB_CONCURRENCY": "3"}, 3),
        ({"WEB_CONCURRENCY": "many"}, 1),
        ({"GUNICORN_CMD_ARGS": "--bind=:80 --workers=4"}, 4),
        ({"WEB_CONCURRENCY": "3", "GUNICORN_CMD_ARGS": "-w 5 --threads 8"}, 5),
    ],
)
def test_worker_processes(environ: dict[str, str], workers: int) -> None:
    """The number of processes is read where gunicorn reads it, and gunicorn's own variable wins."""
    assert worker_processes(environ) == workers


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_command_lines(host: Any) -> None:
    """Every server has a command line with the application in it, quoted where a shell needs it."""
    plain = Target("my.site:app", ModuleType("my.site"), lambda e, s: [])
    factory = Target("my.site:create_app()", ModuleType("my.site"), lambda e, s: [])
    assert "my.site:app" in host.command(plain) or "from my.site import app;" in host.command(plain)
    assert "'my.site:create_app()'" in host.command(factory) or ", create_app())" in host.command(factory)


# ---------------------------------------------------------------- serving


@pytest.fixture(params=["threads", "gevent"])
def worker(request: pytest.FixtureRequest) -> str:
    """Each kind of worker."""
    name: str = request.param
    return name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_within_a_second(folder: Path, worker: str, number: signal.Signals) -> None:
    """With a WebSocket open and a poll waiting, the sessions are told, and the process ends with 0 and in silence."""
    ended = "import os\nserver.on('disconnect', lambda sid, reason: os.write(1, f'ended: {reason}\\n'.encode()))"
    spec = site(folder, "signal_site", handlers=ended)
    process = SyncioProcess("run", spec, "--port", "0", "--worker", worker, folder=folder)
    try:
        assert fetch(process.url) == "hello"
        client = websocket.create_connection(
            f"{process.url.replace('http', 'ws')}/engine.io/?EIO=4&transport=websocket"
        )
        opened = json.loads(fetch(f"{process.url}/engine.io/?EIO=4&transport=polling")[1:])
        poll = socket.create_connection(("127.0.0.1", process.port))
        with closing(client), poll:
            path = f"/engine.io/?EIO=4&transport=polling&sid={opened['sid']}"
            poll.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert str(client.recv()).startswith("0")
            began = time.monotonic()
            process.signal(number)
            code, printed = process.wait()
            assert time.monotonic() - began < 1.0
            assert (code, printed) == (0, "ended: server disconnect\n" * 2)
    finally:
        process.kill()


def test_a_port_in_use(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that somebody has is said to be in use, with code 2."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        assert main(["run", site(folder, "port_site"), "--port", str(port)]) == 2
        assert main(["demo", "--port", str(port)]) == 2
    assert capsys.readouterr().err.count(f"port {port} of 127.0.0.1 is in use") == 2


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("no.such.host.invalid", 0)])
def test_an_address_that_is_not_ours(host: str, port: int) -> None:
    """An address that cannot be listened on is a problem, not a traceback."""
    with pytest.raises(Problem, match="cannot listen"):
        bind(host, port)


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_port_that_is_none(capsys: pytest.CaptureFixture[str], port: str) -> None:
    """What is no port is refused with code 2."""
    with pytest.raises(SystemExit) as caught:
        main(["demo", f"--port={port}"])
    assert caught.value.code == 2
    assert "--port" in capsys.readouterr().err


def test_urls() -> None:
    """Addresses that mean all interfaces are shown as one that can be opened."""
    for host, shown in (("0.0.0.0", "http://127.0.0.1"), ("127.0.0.1", "http://127.0.0.1")):
        with closing(bind(host, 0)) as listener:
            assert url_of(listener) == f"{shown}:{listener.getsockname()[1]}"


def test_gevent_that_is_missing(folder: Path) -> None:
    """Without gevent its worker is refused, with the line that installs it."""
    done = command(
        folder, "run", site(folder, "plain_site"), "--worker", "gevent", prelude="sys.modules['gevent'] = None"
    )
    assert done.returncode == 2
    assert "pip install gevent" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(("option", "count"), [([], 0), (["--access-log"], 2)])
def test_access_log(folder: Path, worker: str, option: list[str], count: int) -> None:
    """Requests leave a line each if that is asked for, and else none."""
    process = SyncioProcess("run", site(folder, "log_site"), "--port", "0", "--worker", worker, *option, folder=folder)
    try:
        for _ in range(2):
            fetch(process.url)
        code, printed = process.stop()
        assert (code, printed.count("GET / HTTP/1.1")) == (0, count)
        assert option or printed == ""
    finally:
        process.kill()


def test_reload(folder: Path, worker: str) -> None:
    """A changed file starts the application again on the same port; one that is broken is waited for."""
    port = free_port()
    spec = site(folder, "reload_site", text="first")
    process = SyncioProcess("run", spec, "--port", str(port), "--worker", worker, "--reload", folder=folder)
    try:
        assert fetched(process.url, "first")
        (folder / "reload_site.py").write_text("def broken(:")
        assert process.prints("waiting for a change")
        site(folder, "reload_site", text="second")
        assert fetched(process.url, "second")
        assert process.stop()[0] == 0  # and with it the process that it has started
        with pytest.raises(OSError, match="refused"):
            fetch(process.url)
    finally:
        process.kill()


def fetched(url: str, text: str) -> bool:
    """Whether the page becomes what is wanted in time."""
    until = time.monotonic() + 15
    while time.monotonic() < until:
        try:
            if fetch(url) == text:
                return True
        except OSError:
            pass  # between two starts nobody listens
        time.sleep(0.05)
    return False


# ---------------------------------------------------------------- the doctor


def test_the_doctor_on_a_sound_site(folder: Path) -> None:
    """Everything is found and tried, and nothing is to be warned of."""
    diagnosis = diagnose(folder, site(folder, "sound_site"))
    assert [check["ok"] for check in diagnosis["checks"]] == [True] * 4
    assert diagnosis["warnings"] == []
    assert diagnosis["engines"][0]["path"] == "/engine.io/"
    versions = {host["name"]: host["version"] for host in diagnosis["servers"]}
    assert versions["syncio-threads"] is not None
    assert diagnosis["monkey_patched"] is False


def test_the_doctor_under_gevent(folder: Path) -> None:
    """For a gevent server the process is patched before the application comes, as that server does it."""
    diagnosis = diagnose(folder, site(folder, "sound_site"), "--server", "gunicorn-gevent")
    assert diagnosis["ok"] and diagnosis["monkey_patched"]
    assert diagnosis["engines"][0]["async_mode"] == "gevent"


def test_the_doctor_writes_for_people(folder: Path) -> None:
    """The report has the engine, the servers with their command lines, and a line for each step."""
    done = command(folder, "doctor", site(folder, "sound_site"), "--workers", "2")
    assert done.returncode == 0
    for words in (
        "sound_site:app (WSGIApp)",
        "syncio run sound_site:app",
        "  OK    WebSocket: 101",
        "  WARN  2 worker",
    ):
        assert words in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("transports='polling'", ["handshake over polling", "polling round"]),
        ("transports='websocket'", ["WebSocket"]),
    ],
)
def test_the_doctor_tries_what_there_is(folder: Path, options: str, names: list[str]) -> None:
    """Only the transports that a server offers are tried."""
    diagnosis = diagnose(folder, site(folder, "some_site", options))
    assert diagnosis["ok"]
    assert [check["name"] for check in diagnosis["checks"]] == ["engine", *names]


def test_the_doctor_is_rejected(folder: Path) -> None:
    """A connect handler that rejects the doctor is reported; a header lets it in."""
    connect = "server.on('connect', lambda sid, environ: environ.get('HTTP_X_KEY') == 'tea')\n" + SAY
    spec = site(folder, "guarded_site", handlers=connect)
    details = [check["detail"] for check in diagnose(folder, spec)["checks"] if not check["ok"]]
    assert len(details) == 3 and all("--header" in detail for detail in details)
    assert diagnose(folder, spec, "--header", "X-Key: tea")["ok"]
    assert command(folder, "doctor", spec, "--header", "tea").returncode == 2


def test_the_doctor_needs_the_path(folder: Path) -> None:
    """An engine that is mounted out of sight is found with --path only."""
    (folder / "prefix_site.py").write_text(
        "import syncio\nfrom werkzeug.middleware.dispatcher import DispatcherMiddleware\n"
        "server = syncio.Server()\nserver.on('message', print)\n"
        "def page(environ, start_response):\n    start_response('404 Not Found', [])\n    return [b'']\n"
        "app = DispatcherMiddleware(page, {'/live': syncio.WSGIApp(server)})\n"
    )
    details = [check["detail"] for check in diagnose(folder, "prefix_site")["checks"] if not check["ok"]]
    assert details and all("--path" in detail for detail in details)
    assert diagnose(folder, "prefix_site", "--path", "/live/engine.io/")["ok"]


def test_the_doctor_without_an_engine(folder: Path) -> None:
    """A site without an engine fails at once, and is not served."""
    (folder / "bare_site.py").write_text("def app(environ, start_response): raise SystemExit")
    checks = diagnose(folder, "bare_site")["checks"]
    assert [(check["name"], check["ok"]) for check in checks] == [("engine", False)]


def test_demo_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the packages of its framework are missing the demo names the command that installs them."""
    monkeypatch.setattr("syncio.cli.demo.find_spec", lambda name: None)
    assert main(["demo"]) == 2
    assert "pip install 'syncio[web]'" in capsys.readouterr().err
