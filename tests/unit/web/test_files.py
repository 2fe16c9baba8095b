"""Files as responses: type, name, age, and what of them a client needs."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from syncio.web import App, Response, send_file, send_from_directory

CONTENT = bytes(range(256))


@pytest.fixture
def file(app: App, tmp_path: Path) -> Path:
    """A static file of `app`."""
    path = tmp_path / "static" / "data.bin"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def got(app: App, path: str, **headers: str) -> tuple[int, bytes, Any]:
    """Status, body and headers of an answer."""
    with app.test_client().get(path, headers={name.replace("_", "-"): value for name, value in headers.items()}) as a:
        return a.status_code, a.data, a.headers


def sent(app: App, *args: Any, **options: Any) -> Response:
    """What `send_file` makes, without its body."""
    with app.test_request_context():
        response = send_file(*args, **options)
        response.close()
        return response


def test_conditions(app: App, file: Path) -> None:
    """Who has the file gets 304, by its ETag or its date; who has an older one gets it."""
    status, body, headers = got(app, "/static/data.bin")
    assert (status, body, headers["Content-Length"]) == (200, CONTENT, "256")
    assert got(app, "/static/data.bin", If_None_Match=headers["ETag"])[:2] == (304, b"")
    assert got(app, "/static/data.bin", If_Modified_Since=headers["Last-Modified"])[:2] == (304, b"")
    file.write_bytes(CONTENT + b"more")
    assert got(app, "/static/data.bin", If_None_Match=headers["ETag"])[0] == 200


@pytest.mark.parametrize(
    ("wanted", "status", "body"),
    [
        ("bytes=0-9", 206, CONTENT[:10]),
        ("bytes=250-", 206, CONTENT[250:]),
        ("bytes=-6", 206, CONTENT[250:]),
        ("bytes=250-999", 206, CONTENT[250:]),
        ("bytes=300-", 416, None),
        ("lines=1-2", 416, None),
    ],
)
def test_ranges(app: App, file: Path, wanted: str, status: int, body: bytes | None) -> None:
    """Who wants a part gets that part, or is told that there is none."""
    answer = got(app, "/static/data.bin", Range=wanted)
    assert answer[0] == status
    assert body is None or answer[1] == body


@pytest.mark.parametrize(
    ("age", "control"),
    [(None, "no-cache"), (60, "public, max-age=60"), (timedelta(minutes=2), "public, max-age=120")],
)
def test_age(app: App, file: Path, age: Any, control: str) -> None:
    """`SEND_FILE_MAX_AGE_DEFAULT` says for how long static files may be kept without asking."""
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = age
    assert got(app, "/static/data.bin")[2]["Cache-Control"] == control


def test_age_of_ones_own(app: App, file: Path) -> None:
    """It can be said for a file, and by a method of the app for names."""
    assert sent(app, file, max_age=5).headers["Cache-Control"] == "public, max-age=5"
    app.get_send_file_max_age = lambda name: 7  # type: ignore[method-assign]
    assert sent(app, file).headers["Cache-Control"] == "public, max-age=7"


def test_send_file(app: App, file: Path, tmp_path: Path) -> None:
    """A path is from the app's folder; the response is the app's, with type and name of what is sent."""
    (tmp_path / "page.html").write_text("x")
    response = sent(app, "page.html")
    assert (type(response), response.mimetype) == (app.response_class, "text/html")
    response = sent(app, file, as_attachment=True, download_name="café.txt")
    assert response.mimetype == "text/plain"
    assert response.headers["Content-Disposition"].startswith("attachment; filename=cafe.txt; filename*=UTF-8''caf%C3")
    when = datetime(2026, 1, 2, tzinfo=timezone.utc)
    response = sent(app, file, mimetype="x/y", etag="tag", last_modified=when)
    assert (response.mimetype, response.get_etag(), response.last_modified) == ("x/y", ("tag", False), when)
    assert "ETag" not in sent(app, file, etag=False).headers


def test_send_a_file_object(app: App) -> None:
    """What was never on a disk needs a name or a type; text is refused."""
    with app.test_request_context():
        response = send_file(io.BytesIO(b"abc"), mimetype="text/plain")
        response.direct_passthrough = False
        assert response.data == b"abc"
        with pytest.raises(TypeError):
            send_file(io.BytesIO(b""))
        with pytest.raises(ValueError):
            send_file(io.StringIO("x"), mimetype="text/plain")  # type: ignore[arg-type]


def test_missing_files(app: App) -> None:
    """One that is not there is an error of the view, and of `send_from_directory` 404."""
    app.add_url_rule("/file", "file", lambda: send_file("missing.txt"))
    app.add_url_rule("/folder", "folder", lambda: send_from_directory("static", "missing.txt"))
    assert [app.test_client().get(path).status_code for path in ("/file", "/folder")] == [500, 404]


def test_options_of_send_from_directory(app: App, file: Path) -> None:
    """It takes what `send_file` takes."""
    with app.test_request_context():
        response = send_from_directory("static", "data.bin", as_attachment=True, mimetype="x/y")
        response.close()
    assert response.headers["Content-Disposition"] == "attachment; filename=data.bin"
    assert response.mimetype == "x/y"
