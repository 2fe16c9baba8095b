"""The debugger: its page for errors, and that it leaves events alone. Who gets it is in test_security."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from werkzeug.test import Client

from syncio.web import App
from syncio.web.debugger import Debugger


def test_an_error_is_a_page(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    """In debug mode an error of a view is shown, and written to the server's log."""
    app.debug = True
    app.add_url_rule("/", "view", lambda: 1 / 0)
    answer = Client(Debugger(app, "127.0.0.1", evalex=False)).get("/")
    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.text
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/engine.io", "/engine.io/"])
def test_events_are_left_alone(app: App, path: str) -> None:
    """What an event's request raises is the server's: so it hands over its connection."""

    def fails(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise ConnectionResetError

    app.wsgi_app = fails  # type: ignore[method-assign]
    with pytest.raises(ConnectionResetError):
        Client(Debugger(app, "127.0.0.1", evalex=False)).get(path)
