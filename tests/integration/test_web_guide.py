"""The guide of `syncio.web`: its code is that of the example, which works, and its other pieces are code that runs."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import syncio
import syncio.web
from syncio.testing.web import WebClient
from syncio.web import App
from tests.servers.clients import WebSocketClient, request
from tests.servers.process import free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "web.md"
EXAMPLE = ROOT / "examples" / "live_counter"
MOST_LINES = 60
GUIDE, *SECTIONS = PAGE.read_text("utf-8").split("\n## ")[1:]


def blocks(text: str, language: str) -> list[str]:
    """The code in a part of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def lines_of(code: str) -> list[str]:
    """Its lines without the empty ones, of which the page has fewer."""
    return [line for line in code.splitlines() if line.strip()]


@pytest.fixture
def app() -> Iterator[App]:
    """The example, made anew."""
    made: App = runpy.run_path(str(EXAMPLE / "app.py"))["app"]
    yield made
    made.realtime.shutdown()


def test_the_guide_is_the_example() -> None:
    """What the guide shows is the example's code, all of it and in its order, and no other page or script."""
    shown = [line for block in blocks(GUIDE, "python") for line in lines_of(block)]
    assert shown == lines_of((EXAMPLE / "app.py").read_text("utf-8"))
    assert blocks(GUIDE, "js") == [(EXAMPLE / "static" / "counter.js").read_text("utf-8")]
    templates = [(EXAMPLE / "templates" / name).read_text("utf-8") for name in ("counter.html", "login.html")]
    assert blocks(GUIDE, "html") == templates


def test_it_is_short() -> None:
    """The whole site has fewer than 60 lines of Python."""
    assert len((EXAMPLE / "app.py").read_text("utf-8").splitlines()) < MOST_LINES


def test_a_login_and_a_page(app: App) -> None:
    """Who has no name is asked for one, who has one sees the counter, and who logs out is asked again."""
    client = WebClient(app)
    assert client.get("/").location == "/login"
    assert "Say who you are." in client.post("/login", data={"name": " "}).text
    page = client.post("/login", data={"name": "<Ada>"}, follow_redirects=True)
    assert (page.request.path, page.status_code) == ("/", 200)
    assert "&lt;Ada&gt;" in page.text and "Nobody has clicked yet" in page.text
    with client.get("/static/counter.js") as script:
        assert "new Socket" in script.text
    assert client.post("/logout", follow_redirects=True).request.path == "/login"
    assert client.post("/login", data={}).status_code == 400


@pytest.mark.parametrize("transports", ["polling", "websocket"])
def test_all_see_a_click(app: App, transports: str) -> None:
    """Each click is told to all, with the name of the login; the page of a newcomer has it too."""
    ada, ben = WebClient(app), WebClient(app)
    ada.post("/login", data={"name": "Ada"})
    ben.post("/login", data={"name": "Ben"})
    first, second = ada.connect(transports), ben.connect(transports)
    assert first.receive() == second.receive() == {"count": 0, "by": None}
    for count, (client, name) in enumerate([(first, "Ada"), (second, "Ben"), (second, "Ben")], 1):
        client.send("click")
        assert first.receive() == second.receive() == {"count": count, "by": name}
    first.disconnect()
    second.disconnect()
    assert "Ben clicked last" in ada.get("/").text
    with pytest.raises(syncio.ConnectionError, match="log in first"):
        WebClient(app).connect(transports)


def test_the_other_pieces_run(tmp_path: Path) -> None:
    """All other Python on the page runs in one app, and the views and handlers in it do what the page says."""
    app = App("guide", root_path=str(tmp_path))
    app.secret_key = "secret"
    names: dict[str, Any] = {**vars(syncio.web), "app": app, "__name__": "guide"}
    for section in SECTIONS:
        for code in blocks(section, "python"):
            exec(compile(code, f"{PAGE.name}: {section.splitlines()[0]}", "exec"), names)
    client = app.test_client()
    assert client.get("/user/<Ada>").text == "Hello &lt;Ada&gt;"
    assert client.get("/post/7").json == {"number": 7, "text": None}
    assert client.put("/post/7", json={"text": "tea"}).json == {"number": 7, "text": "tea"}
    assert client.post("/post/7").status_code == 405
    assert client.get("/shop/5").text == "/shop/5 has the name shop.article"
    missing = client.get("/nowhere")
    assert (missing.status_code, missing.text) == (404, "<h1>There is no /nowhere</h1>")
    with app.test_request_context():
        assert syncio.web.render_template_string("{{ site|shout }}") == "COUNTERS"
    app.realtime.shutdown()


def test_the_rooms_of_the_page(tmp_path: Path) -> None:
    """The handler with rooms lets in, tells those who are inside, and nobody else; rubbish is answered."""
    app = App("guide", root_path=str(tmp_path))
    app.secret_key = "secret"
    (section,) = (section for section in SECTIONS if section.startswith("Realtime\n"))
    exec(blocks(section, "python")[0], {**vars(syncio.web), "app": app})
    clients = []
    for name in ("Ada", "Ben", "Eve"):
        browser = WebClient(app)
        with browser.session_transaction() as session:
            session["name"] = name
        clients.append(browser.connect())
    ada, ben, eve = clients
    ada.send({"room": "tea", "text": "too early"})
    assert ada.receive() == {"problem": "what is that?"}
    ben.send({"enter": "tea"})
    ben.send("rubbish")
    assert ben.receive() == {"problem": "what is that?"}  # so he is inside
    ada.send({"enter": "tea"})
    assert ben.receive() == {"entered": "Ada"}
    ada.send({"room": "tea", "text": "hello"})
    assert ada.receive() == ben.receive() == {"from": "Ada", "text": "hello"}
    eve.send("rubbish")
    assert eve.receive() == {"problem": "what is that?"}  # and nothing before it
    for client in clients:
        client.disconnect()
    app.realtime.shutdown()


def test_the_table_is_the_configuration() -> None:
    """The page names every value of the configuration, and no other, with its default."""
    (section,) = (section for section in SECTIONS if section.startswith("Configuration\n"))
    found: dict[str, str] = {}
    for cells, default in re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|", section, re.MULTILINE):
        first, *more = re.findall(r"`(\w+)`", cells)
        found |= {name if name[0] != "_" else first.rpartition("_")[0] + name: default for name in (first, *more)}
    defaults = dict(App("guide").config)
    assert sorted(found) == sorted(defaults)
    told = {name: eval(text.strip("`")) for name, text in found.items() if text.startswith("`")}
    assert told == {name: value for name, value in defaults.items() if name in told}
    assert set(defaults) - set(told) == {"PERMANENT_SESSION_LIFETIME"}


def test_development_is_quiet() -> None:
    """`app.run(debug=True)` serves pages and WebSockets; to its debugger an error is one, and a connection is none."""
    port = free_port()
    lines = (
        "from app import app; app.add_url_rule('/boom', 'boom', lambda: 1 / 0); "
        f"app.run(port={port}, debug=True, use_reloader=False)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", lines], cwd=EXAMPLE, env=env, stdout=pipe, stderr=subprocess.STDOUT, text=True
    )
    address = ("127.0.0.1", port)
    printed = ""
    try:
        cookie = {"Cookie": wait_for_login(process, address)}
        client = WebSocketClient(address, "EIO=4&transport=websocket", headers=cookie)
        assert str(client.receive()).startswith("0")
        assert client.receive() == '4{"count":0,"by":null}'
        client.close()
        assert "ZeroDivisionError" in request(address, "GET", "/boom").text
        assert process.stdout is not None
        for line in process.stdout:
            printed += line
            if line.startswith("ZeroDivisionError"):  # the debugger prints it when its page has been sent
                break
    finally:
        process.terminate()
        printed += process.communicate(timeout=10)[0]
    assert printed.count("Traceback") == 1 and "taken over" not in printed, printed


def wait_for_login(process: subprocess.Popen[str], address: tuple[str, int]) -> str:
    """Log in as soon as the site answers; the cookie."""
    until = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until:
        try:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = request(address, "POST", "/login", b"name=Ada", form)
        except OSError:
            time.sleep(0.05)
            continue
        return answer.headers["set-cookie"].partition(";")[0]
    raise AssertionError("it does not answer")
