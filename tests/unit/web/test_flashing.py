"""Messages for the next page."""

from __future__ import annotations

from typing import Any

from syncio.web import App, Markup, flash, get_flashed_messages, render_template_string, session
from syncio.web.testing import AppClient


def test_the_next_page(app: App, client: AppClient) -> None:
    """A message is there on the next page that asks, as often as that asks, and then no more."""
    app.add_url_rule("/flash/<word>", "flash", lambda word: flash(word) or "x")
    app.add_url_rule("/other", "other", lambda: "x")
    app.add_url_rule("/", "show", lambda: [get_flashed_messages(), get_flashed_messages(), list(session)])
    for path in ("/flash/a", "/other", "/flash/b"):
        client.get(path)
    assert client.get("/").json == [["a", "b"], ["a", "b"], []]
    assert client.get("/").json == [[], [], []]


def test_the_same_request(app: App) -> None:
    """A message can be shown by the request that flashes it."""
    with app.test_request_context():
        flash("a")
        assert get_flashed_messages() == ["a"]
        assert not session


def test_categories(app: App) -> None:
    """Messages have categories, by which they can be chosen; those that were not chosen are gone too."""
    with app.test_request_context():
        flash("a")
        flash("b", "error")
        flash("c", "info")
        assert get_flashed_messages(category_filter=["error"]) == ["b"]
        assert get_flashed_messages(with_categories=True, category_filter=("error", "info")) == [
            ("error", "b"),
            ("info", "c"),
        ]
        assert get_flashed_messages(with_categories=True)[0] == ("message", "a")


def test_in_templates(app: App) -> None:
    """Templates have them; text is escaped, markup stays markup, also by way of the cookie."""
    app.add_url_rule("/flash", "flash", lambda: (flash("<b>"), flash(Markup("<i>")), "x")[2])
    app.add_url_rule("/", "show", lambda: render_template_string("{{ get_flashed_messages()|join(' ') }}"))
    client = app.test_client()
    client.get("/flash")
    assert client.get("/").text == "&lt;b&gt; <i>"


def test_values_of_messages(app: App, client: AppClient) -> None:
    """A message is whatever a session can keep, with its category."""
    values: list[Any] = [(1, "a"), {"a": [1]}, None]
    app.add_url_rule("/flash", "flash", lambda: [flash(value, "c") for value in values] and "x")
    found: list[Any] = []
    app.add_url_rule("/", "show", lambda: found.extend(get_flashed_messages(with_categories=True)) or "x")
    client.get("/flash")
    client.get("/")
    assert found == [("c", value) for value in values]
