"""Static files: what is inside is served well, and nothing outside is served at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from syncio.engineio.static_files import StaticFiles

PAGE = b"<!doctype html><p>index</p>"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory to be served, beside a secret that is not."""
    served = tmp_path / "public"
    (served / "sub").mkdir(parents=True)
    (served / "empty").mkdir()
    (served / "index.html").write_bytes(PAGE)
    (served / "app.js").write_bytes(b"const answer = 42;" * 100)
    (served / "sub" / "index.html").write_bytes(b"sub")
    (served / "sub" / "data.json").write_bytes(b'{"a":1}')
    (served / "sub" / "naïve file.txt").write_bytes(b"naive")
    (served / "noextension").write_bytes(b"\x00\x01")
    (tmp_path / "secret.txt").write_bytes(b"SECRET")
    (tmp_path / "public-not").mkdir()
    (tmp_path / "public-not" / "secret.txt").write_bytes(b"SECRET")
    os.symlink(tmp_path / "secret.txt", served / "link.txt")
    os.symlink(tmp_path, served / "up")
    os.symlink(served / "sub", served / "inside")
    os.symlink("loop", served / "loop")
    return served


class Site:
    """Static files with nothing behind them.

    :param table: as for `StaticFiles`.
    """

    def __init__(self, table: dict[str, Any]) -> None:
        self._files = StaticFiles(table)
        self._client = Client(self._app)

    def _app(self, environ: dict[str, Any], start_response: Any) -> Any:
        response = self._files.find(environ)
        if response is None:
            start_response("404 Not Found", [])
            return [b""]
        return response(environ, start_response)

    def get(self, path: str, method: str = "GET", **headers: str) -> TestResponse:
        """Ask for a path, which stands in the environment as it is given here."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.open(path, method=method, headers=names, buffered=True)

    def raw(self, path: str) -> TestResponse:
        """Ask with a PATH_INFO that no tool has touched."""
        return self._client.open("/", environ_overrides={"PATH_INFO": path.encode().decode("latin-1")}, buffered=True)


@pytest.fixture
def site(root: Path) -> Site:
    """The directory at /static, and the page at /."""
    return Site({"/static": str(root), "/": str(root / "index.html")})


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/", PAGE, "text/html"),
        ("/static/", PAGE, "text/html"),
        ("/static", PAGE, "text/html"),
        ("/static/index.html", PAGE, "text/html"),
        ("/static/sub/", b"sub", "text/html"),
        ("/static/sub/data.json", b'{"a":1}', "application/json"),
        ("/static/sub/naïve file.txt", b"naive", "text/plain"),
        ("/static/noextension", b"\x00\x01", "application/octet-stream"),
        ("/static/inside/data.json", b'{"a":1}', "application/json"),
    ],
)
def test_served(site: Site, path: str, body: bytes, kind: str) -> None:
    """Files, the index of a directory, names that are not ASCII, links that stay inside."""
    answer = site.raw(path)
    assert (answer.status_code, answer.data, answer.mimetype) == (200, body, kind)
    assert answer.content_length == len(body)


def test_javascript_is_javascript(site: Site) -> None:
    """Browsers run a module only with the right type."""
    assert site.get("/static/app.js").mimetype in ("text/javascript", "application/javascript")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../secret.txt",
        "/static/sub/../../secret.txt",
        "/static/./../secret.txt",
        "/static//../secret.txt",
        "/static/..",
        "/static/../",
        "/static/..\\secret.txt",
        "/static/sub\\..\\..\\secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/%2e%2e%2fsecret.txt",
        "/static/..%2fsecret.txt",
        "/static/..;/secret.txt",
        "/static/link.txt",
        "/static/up/secret.txt",
        "/static/up/",
        "/static/loop",
        "/static-not/secret.txt",
        "/static/../public-not/secret.txt",
        "/static/\x00",
        "/static/app.js\x00.txt",
        "/static/empty/",
        "/static/missing",
        "/static/" + "a" * 5000,
        "/static/" + "a/" * 3000,
        "/staticindex.html",
        "/index.html",
        "//",
        "",
    ],
)
def test_not_served(site: Site, root: Path, path: str) -> None:
    """Nothing outside, whatever the path says, and nothing that is not there."""
    answer = site.raw(path)
    assert b"SECRET" not in answer.data
    if path != "":
        assert answer.status_code == 404


@pytest.mark.parametrize("escape", ["%2e%2e/secret.txt", "..%2fsecret.txt", "%2e%2e%5csecret.txt", "link.txt", "..%00"])
def test_not_served_through_a_url(site: Site, escape: str) -> None:
    """The same, decoded by the server as from the wire."""
    answer = site.get(f"/static/{escape}")
    assert answer.status_code == 404
    assert b"SECRET" not in answer.data


def test_an_absolute_path_is_not_served(site: Site, root: Path) -> None:
    """A second slash does not start at the root of the file system."""
    assert site.raw(f"/static/{root.parent}/secret.txt").status_code == 404


def test_bytes_that_are_no_text(site: Site) -> None:
    """A path that is no UTF-8 names no file."""
    assert site.get("/static/%ff%fe").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_for_the_site(site: Site, method: str) -> None:
    """Only GET and HEAD are answered; the rest goes on to the wrapped application."""
    assert site.get("/static/app.js", method).status_code == 404


def test_head(site: Site) -> None:
    """HEAD has the headers of GET, and no body."""
    answer = site.get("/static/app.js", "HEAD")
    assert (answer.status_code, answer.data, answer.content_length) == (200, b"", 1800)


def test_etag(site: Site) -> None:
    """A client that has the file is told so with 304, until the file changes."""
    first = site.get("/static/app.js")
    tag = first.headers["ETag"]
    again = site.get("/static/app.js", If_None_Match=tag)
    assert (again.status_code, again.data) == (304, b"")
    assert site.get("/static/app.js", If_None_Match='"other"').status_code == 200
    since = site.get("/static/app.js", If_Modified_Since=first.headers["Last-Modified"])
    assert since.status_code == 304


def test_etag_changes_with_the_file(site: Site, root: Path) -> None:
    """Other content, another tag."""
    before = site.get("/static/app.js").headers["ETag"]
    (root / "app.js").write_bytes(b"changed")
    assert site.get("/static/app.js").headers["ETag"] != before


@pytest.mark.parametrize(
    ("wanted", "status", "body"),
    [
        ("bytes=0-4", 206, b"const"),
        ("bytes=-3", 206, b"42;"),
        ("bytes=1797-", 206, b"42;"),
        ("bytes=1797-9999", 206, b"42;"),
        ("bytes=5000-", 416, None),
        ("lines=1-2", 200, None),
    ],
)
def test_range(site: Site, wanted: str, status: int, body: bytes | None) -> None:
    """Parts of a file (RFC 9110, section 14); what is beyond it is 416."""
    answer = site.get("/static/app.js", Range=wanted)
    assert answer.status_code == status
    if body is not None:
        assert answer.data == body
        assert answer.headers["Content-Range"].endswith("/1800")


def test_entries(root: Path) -> None:
    """A file with a content type of its own, and a table in which the longest path wins."""
    files = Site(
        {
            "/": str(root),
            "/data": {"filename": str(root / "sub" / "data.json"), "content_type": "application/x-own"},
            "/sub": str(root / "empty"),
        }
    )
    answer = files.get("/data")
    assert (json.loads(answer.data), answer.content_type) == ({"a": 1}, "application/x-own")
    assert files.get("/").data == PAGE
    assert files.get("/app.js").status_code == 200
    assert files.get("/data/more").status_code == 404


def test_a_file_has_nothing_below_it(site: Site, root: Path) -> None:
    """A path below the entry of a file is not the file."""
    files = Site({"/page": str(root / "index.html")})
    assert files.get("/page").status_code == 200
    assert files.get("/page/").status_code == 404
    assert files.get("/page/app.js").status_code == 404


def test_a_link_as_the_root(root: Path, tmp_path: Path) -> None:
    """What the site's owner has linked is meant to be served."""
    os.symlink(root, tmp_path / "linked")
    files = Site({"/s": str(tmp_path / "linked")})
    assert files.get("/s/app.js").status_code == 200
    assert files.get("/s/up/secret.txt").status_code == 404


def test_entries_that_are_not_there(tmp_path: Path) -> None:
    """A file that is missing is missing for its clients, and nobody else."""
    files = Site({"/gone": str(tmp_path / "gone"), "/gone.txt": {"filename": str(tmp_path / "gone.txt")}})
    for path in ("/gone", "/gone/", "/gone/a", "/gone.txt"):
        assert files.get(path).status_code == 404
