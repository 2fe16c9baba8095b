"""``syncio new``: the folder, what it refuses, and that what it writes passes its own tests and is served."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from syncio.cli import main
from tests.browser.process import SyncioProcess
from tests.servers.clients import request

ROOT = Path(__file__).parents[2]
FILES = {
    ".gitignore", "README.md", "app.py", "secret.json", "static/page.js", "static/style.css", "templates/index.html",
    "templates/layout.html", "templates/login.html", "test_app.py",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def key_of(project: Path) -> str:
    """The key that signs its sessions."""
    key: str = json.loads((project / "secret.json").read_text())["SECRET_KEY"]
    return key


def run(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a project, with this syncio."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_everything_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder has the app, its tests and its files under its name, and the command says how to go on."""
    assert main(["new", "my-shop"]) == 0
    project = folder / "my-shop"
    assert {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()} == FILES
    assert (project / "README.md").read_text().startswith("# my-shop\n")
    assert "<title>my-shop</title>" in (project / "templates" / "layout.html").read_text()
    assert not any("PROJECT" in path.read_text() for path in project.rglob("*") if path.is_file())
    printed = capsys.readouterr().out
    for words in ("cd my-shop", "syncio run --reload app:app", "python -m pytest"):
        assert f"\n  {words}\n" in printed


def test_the_key_is_a_secret(folder: Path) -> None:
    """Each project has a long key of its own, that only its owner reads and that git leaves alone."""
    for name in ("one", "two"):
        assert main(["new", name]) == 0
    assert key_of(folder / "one") != key_of(folder / "two")
    assert len(key_of(folder / "one")) == 64
    assert stat.S_IMODE((folder / "one" / "secret.json").stat().st_mode) == 0o600
    assert "/secret.json" in (folder / "one" / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/tmp/shop", "a/b", "../shop", "1shop", "_shop", "sh op", "shop\n", "shöp", "a.b"]
)
def test_a_bad_name_is_refused(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """What is no plain name of a folder here ends with code 2, and nothing is written."""
    assert main(["new", name]) == 2
    assert "is no name for a folder" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with something in it is left as it is, a file too; an empty folder is taken."""
    (folder / "shop").mkdir()
    assert main(["new", "shop"]) == 0
    before = key_of(folder / "shop")
    assert main(["new", "shop"]) == 2
    assert "'shop' is not empty" in capsys.readouterr().err
    assert key_of(folder / "shop") == before
    (folder / "hidden").mkdir()
    (folder / "hidden" / ".git").mkdir()
    assert main(["new", "hidden"]) == 2
    assert [path.name for path in (folder / "hidden").iterdir()] == [".git"]
    (folder / "file").write_text("precious")
    assert main(["new", "file"]) == 2
    assert "cannot write the folder 'file': File exists" in capsys.readouterr().err
    assert (folder / "file").read_text() == "precious"


@pytest.mark.parametrize("has_key", [True, False], ids=["as written", "as cloned"])
def test_its_tests_pass(folder: Path, has_key: bool) -> None:
    """Its own tests pass, warnings being errors, also where git has left out the key."""
    assert main(["new", "shop"]) == 0
    if not has_key:
        (folder / "shop" / "secret.json").unlink()
    done = run(folder / "shop", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_it_can_fail(folder: Path) -> None:
    """Its tests notice an app that is broken."""
    assert main(["new", "shop"]) == 0
    app = folder / "shop" / "app.py"
    app.write_text(app.read_text().replace('abort(401, "log in first")', "pass"))
    done = run(folder / "shop", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 1
    assert "1 failed, 2 passed" in done.stdout


def test_the_key_can_come_from_the_environment(folder: Path) -> None:
    """Without the file the key is that of the environment, which is stronger than the file too."""
    assert main(["new", "shop"]) == 0
    show = ("-c", "import app; print(app.app.secret_key)")
    assert run(folder / "shop", *show).stdout == key_of(folder / "shop") + "\n"
    assert run(folder / "shop", *show, SYNCIO_SECRET_KEY="tea").stdout == "tea\n"
    (folder / "shop" / "secret.json").unlink()
    assert run(folder / "shop", *show, SYNCIO_SECRET_KEY="tea").stdout == "tea\n"
    assert run(folder / "shop", *show).stdout == "None\n"


def test_it_is_served(folder: Path) -> None:
    """`syncio run app:app` serves its page, its files and the script for browsers, and finds its events."""
    assert main(["new", "shop"]) == 0
    process = SyncioProcess("run", "app:app", "--port", "0", folder=folder / "shop")
    try:
        for path, status, words in (
            ("/", 302, 'href="/login"'),
            ("/login", 200, "<title>shop</title>"),
            ("/static/page.js", 200, "new Socket"),
            ("/engine.io/syncio-client.js", 200, "export class Socket"),
            ("/engine.io/?EIO=4&transport=polling", 401, "log in first"),
        ):
            answer = request(("127.0.0.1", process.port), "GET", path)
            assert (answer.status, words in answer.text) == (status, True), f"{path}: {answer.text}"
        assert process.stop() == (0, "")
    finally:
        process.kill()


def test_realtime_alone_needs_no_templates() -> None:
    """Who imports syncio, its command or its tests' fixtures loads neither Jinja nor itsdangerous."""
    show = "print({'jinja2', 'itsdangerous'} & set(sys.modules))"
    done = run(ROOT, "-c", f"import sys, syncio, syncio.cli, syncio.testing.plugin; {show}")
    assert (done.stdout, done.stderr) == ("set()\n", "")
