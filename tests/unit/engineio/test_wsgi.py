"""The WSGI application: engine, static files, the wrapped application, 404; in this order."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from syncio import Server, WSGIApp
from syncio.errors import ConfigurationError


class Engine:
    """Says what it was asked for."""

    def handle_request(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer."""
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"engine " + environ["PATH_INFO"].encode()]


def site(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The wrapped application."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"site " + environ["PATH_INFO"].encode()]


def get(app: WSGIApp, path: str, method: str = "GET") -> TestResponse:
    """Ask for a path."""
    return Client(app).open(path, method=method, buffered=True)


@pytest.mark.parametrize("path", ["engine.io", "/engine.io", "engine.io/", "/engine.io/"])
def test_the_engine_is_asked_first(path: str, tmp_path: Path) -> None:
    """Below its path, and at it without the last slash, however the path is written."""
    (tmp_path / "index.html").write_text("static")
    app = WSGIApp(Engine(), site, {"/engine.io": str(tmp_path)}, engineio_path=path)
    for below in ("/engine.io/", "/engine.io", "/engine.io/index.html"):
        assert get(app, below).text == f"engine {below}"
        assert get(app, below, "POST").text == f"engine {below}"


@pytest.mark.parametrize("path", ["/", "/engine.iox", "/engine.io.js", "/x/engine.io/", "/ENGINE.IO/"])
def test_other_paths_are_the_sites(path: str) -> None:
    """Only whole path segments count."""
    assert get(WSGIApp(Engine(), site), path).text == f"site {path}"


def test_another_path() -> None:
    """The engine can stand anywhere."""
    app = WSGIApp(Engine(), site, engineio_path="/deep/down/")
    assert get(app, "/deep/down/x").text == "engine /deep/down/x"
    assert get(app, "/deep/").text == "site /deep/"
    assert get(app, "/engine.io/").text == "site /engine.io/"


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_the_root_is_no_path(path: str) -> None:
    """Then nothing would be left for the site."""
    with pytest.raises(ConfigurationError, match="engineio_path"):
        WSGIApp(Engine(), engineio_path=path)


def test_files_come_before_the_site(tmp_path: Path) -> None:
    """What the table has is served, the rest goes on."""
    (tmp_path / "app.js").write_text("static")
    app = WSGIApp(Engine(), site, {"/static": str(tmp_path)})
    assert get(app, "/static/app.js").text == "static"
    assert get(app, "/static/other.js").text == "site /static/other.js"
    assert get(app, "/static/app.js", "POST").text == "site /static/app.js"


def test_nothing_there() -> None:
    """Without a site the rest is 404."""
    answer = get(WSGIApp(Engine()), "/missing")
    assert (answer.status_code, answer.text, answer.content_length) == (404, "not found", 9)


def test_an_empty_path() -> None:
    """A mounted application may be asked for nothing at all."""
    answer = Client(WSGIApp(Engine(), site)).open("/", environ_overrides={"PATH_INFO": ""})
    assert answer.text == "site "


def test_the_site_gets_its_request_untouched() -> None:
    """Method, query, headers and body are as they came."""

    def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("201 Created", [("X-Query", environ["QUERY_STRING"]), ("X-Own", environ["HTTP_X_OWN"])])
        return [environ["REQUEST_METHOD"].encode(), environ["wsgi.input"].read()]

    answer = Client(WSGIApp(Server(), echo)).put("/a?b=c", data=b"body", headers={"X-Own": "own"})
    assert (answer.status_code, answer.data) == (201, b"PUTbody")
    assert (answer.headers["X-Query"], answer.headers["X-Own"]) == ("b=c", "own")


def test_the_site_may_raise() -> None:
    """Its errors are for its server."""

    def broken(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise LookupError("the site's own")

    with pytest.raises(LookupError, match="own"):
        get(WSGIApp(Engine(), broken), "/")


def test_what_it_is_made_of() -> None:
    """The server and the site can be found again."""
    engine = Engine()
    app = WSGIApp(engine, site)
    assert app.engineio_app is engine
    assert app.wsgi_app is site
