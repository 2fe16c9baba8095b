"""``syncio connect``: what it sends, prints and returns."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from syncio.cli import main

from .engineio.client.test_client import Site
from .runtime.kinds import eventually


@pytest.fixture
def site() -> Iterator[Site]:
    """An echo server."""
    made = Site()
    yield made
    made.close()


def test_send(site: Site) -> None:
    """Messages are sent in order, and the command leaves when they are there."""
    assert main(["connect", site.url, "--send", "a", "--send", "b"]) == 0
    assert eventually(site.server.runtime, lambda: site.ends == ["client disconnect"])
    assert site.received == ["a", "b"]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_send_and_listen(site: Site, capsys: pytest.CaptureFixture[str], transport: str) -> None:
    """What comes within the time is printed: text, and the values of JSON in several lines."""
    arguments = ["--send", "ä", "--send", '{"a": [1]}', "--listen", "0.5", "--transport", transport]
    assert main(["connect", site.url, *arguments]) == 0
    printed = capsys.readouterr()
    assert printed.out == '< ä\n< {\n  "a": [\n    1\n  ]\n}\n'
    assert printed.err.startswith(f"* connected by {transport} as ")
    assert printed.err.endswith("* disconnected: client disconnect\n")


def test_raw(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """With --raw the output is what came, and nothing else."""
    assert main(["connect", site.url, "--send", '{"a":[1]}', "--listen", "0.3", "--raw"]) == 0
    assert capsys.readouterr().out == '{"a":[1]}\n'


def test_bytes(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes are shown in hexadecimal, and cut."""
    site.server.on("message", lambda sid, data: site.server.send(sid, bytes(range(100))))
    assert main(["connect", site.url, "--send", "x", "--listen", "0.3"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("< 100 bytes: 00 01 02 ") and out.endswith(" 3e 3f ...\n")


def test_typed_lines(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of the input is a message, and its end is the end."""
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\n"))
    assert main(["connect", site.url]) == 0
    assert eventually(site.server.runtime, lambda: site.ends == ["client disconnect"])
    assert site.received == ["one", "two"]


def test_server_ends_it(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code says so."""
    assert main(["connect", site.url, "--send", "disconnect-me", "--listen"]) == 1
    assert capsys.readouterr().err.endswith("* disconnected: server disconnect\n")


def test_headers(site: Site) -> None:
    """They reach the server."""
    assert main(["connect", site.url, "--send", "x", "--header", "X-Token: a: b"]) == 0
    assert site.environs[0]["HTTP_X_TOKEN"] == "a: b"


@pytest.mark.parametrize(
    "arguments",
    [["http://127.0.0.1:1"], ["ftp://x"], ["http://127.0.0.1:1", "--header", "nonsense"], ["ws://127.0.0.1:1"]],
)
def test_no_connection(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without a connection the code is 2, and one line says why."""
    assert main(["connect", *arguments, "--send", "x"]) == 2
    assert capsys.readouterr().err.startswith("syncio: ")


def test_rejected(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """The server's answer is shown."""
    site.verdict = "not you"
    assert main(["connect", site.url, "--send", "x"]) == 2
    assert "401: not you" in capsys.readouterr().err
