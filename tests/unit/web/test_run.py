"""The server for development: where it listens, and that it serves. Who gets a debugger is in test_security."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import werkzeug.serving

from syncio.web import App


@pytest.fixture
def run_simple(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, ...]]:
    """Runs an app with options, and gives what Werkzeug's server is asked to do."""

    def run(app: App, *args: Any, **options: Any) -> tuple[Any, ...]:
        calls: list[tuple[Any, ...]] = []
        monkeypatch.setattr(werkzeug.serving, "run_simple", lambda *args, **options: calls.append((*args, options)))
        app.run(*args, **options)
        return calls[0]

    return run


@pytest.mark.parametrize(
    ("server_name", "given", "place"),
    [
        (None, {}, ("127.0.0.1", 5000)),
        (None, {"host": "0.0.0.0", "port": 80}, ("0.0.0.0", 80)),
        (None, {"port": 0}, ("127.0.0.1", 0)),
        (None, {"port": "8000"}, ("127.0.0.1", 8000)),
        ("example.com:8000", {}, ("example.com", 8000)),
        ("example.com", {}, ("example.com", 5000)),
        ("example.com:8000", {"host": "localhost", "port": 1}, ("localhost", 1)),
    ],
)
def test_where(app: App, run_simple: Callable[..., Any], server_name: Any, given: Any, place: Any) -> None:
    """On this machine at 5000, or where `SERVER_NAME` says, or the call."""
    app.config["SERVER_NAME"] = server_name
    assert run_simple(app, **given)[:2] == place


@pytest.mark.parametrize("debug", [None, True, False])
def test_options(app: App, run_simple: Callable[..., Any], debug: bool | None) -> None:
    """It serves the app itself with threads; debug mode has a reloader, and what is given wins."""
    call = run_simple(app, debug=debug, use_debugger=False)
    assert call[2] is app
    assert (app.debug, call[3]["use_reloader"], call[3]["threaded"]) == (bool(debug), bool(debug), True)
    call = run_simple(app, debug=debug, use_debugger=False, threaded=False, use_reloader=True, extra_files=["x"])
    assert (call[3]["use_reloader"], call[3]["threaded"], call[3]["extra_files"]) == (True, False, ["x"])


def test_debug_stays(app: App, run_simple: Callable[..., Any]) -> None:
    """Without a word the app's own debug mode holds."""
    app.debug = True
    assert run_simple(app)[3]["use_reloader"] is True
    assert app.debug
