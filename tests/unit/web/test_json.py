"""JSON in and out."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from syncio.web import App, Markup, json, jsonify, request
from syncio.web.json import JSONProvider
from syncio.web.testing import AppClient


@dataclass
class Point:
    """Something with fields."""

    x: int
    y: int


class Own:
    """What has no place in JSON."""


VALUES: list[tuple[Any, str]] = [
    (datetime(2026, 1, 2, 3, 4, 5), '"Fri, 02 Jan 2026 03:04:05 GMT"'),
    (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))), '"Fri, 02 Jan 2026 01:00:00 GMT"'),
    (date(2026, 1, 2), '"Fri, 02 Jan 2026 00:00:00 GMT"'),
    (Decimal("1.10"), '"1.10"'),
    (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    (Point(1, 2), '{"x":1,"y":2}'),
    (Markup("<b>"), '"<b>"'),
    ({"b": 1, "a": (1, None)}, '{"a":[1,null],"b":1}'),
    ("é", '"\\u00e9"'),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_out(app: App, value: Any, text: str) -> None:
    """What JSON does not have is what is documented, in a response and by `dumps`, with an app and without."""
    with app.app_context():
        assert jsonify(value).get_data(as_text=True) == text + "\n"
        assert json.dumps(value, separators=(",", ":")) == text
    assert json.dumps(value, separators=(",", ":"), sort_keys=True) == text


@pytest.mark.parametrize("value", [Own(), Own, Point, {1, 2}, b"x"])
def test_what_has_no_place(app: App, value: Any) -> None:
    """The error names the kind of value."""
    for dumps in (json.dumps, app.json.dumps):
        with pytest.raises(TypeError, match=f"a {type(value).__name__} does not go into JSON"):
            dumps({"a": value})


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, "null"),
        ((1,), {}, "1"),
        ((1, 2), {}, "[1,2]"),
        ((), {"b": 1, "a": 2}, '{"a":2,"b":1}'),
        (({},), {}, "{}"),
    ],
)
def test_jsonify(app: App, args: Any, kwargs: Any, text: str) -> None:
    """One value, several as an array, names as an object."""
    with app.app_context():
        response = jsonify(*args, **kwargs)
    assert (response.get_data(as_text=True), response.mimetype) == (text + "\n", "application/json")


def test_jsonify_of_both(app: App) -> None:
    """Values and names together mean nothing."""
    with app.app_context(), pytest.raises(TypeError, match="args or kwargs"):
        jsonify(1, a=2)


def test_spaces(app: App) -> None:
    """In debug mode JSON is for people, if nobody has decided that."""
    assert app.json.response([1]).data == b"[1]\n"
    app.debug = True
    assert app.json.response([1]).data == b"[\n  1\n]\n"
    app.json.compact = True
    assert app.json.response([1]).data == b"[1]\n"


def test_a_provider_of_ones_own(app: App, client: AppClient) -> None:
    """An app's provider is used for responses, requests, `dumps`, templates and its test client."""

    class OwnJSON(JSONProvider):
        mimetype = "application/x-own"
        sort_keys = False
        default = staticmethod(lambda value: "own")

        def loads(self, text: str | bytes, **options: Any) -> Any:
            return ["loaded", super().loads(text, **options)]

    app.json = OwnJSON(app)
    app.add_url_rule("/", "view", lambda: {"b": Own(), "a": request.get_json()}, methods=["POST"])
    answer = client.post("/", json=Own())
    assert answer.mimetype == "application/x-own"
    assert answer.text == '{"b":"own","a":["loaded","own"]}\n'
    with app.app_context():
        assert json.dumps(Own()) == '"own"'
        assert json.loads("1") == ["loaded", 1]
        assert app.jinja_env.from_string("{{ v|tojson }}").render(v=Own()) == '"own"'


def test_files(app: App) -> None:
    """`dump` and `load` use files."""
    file = io.StringIO()
    json.dump({"a": Decimal(1)}, file)
    file.seek(0)
    assert json.load(file) == {"a": "1"}
    assert json.load(io.BytesIO(b"[1]")) == [1]


def test_in(app: App, client: AppClient) -> None:
    """A request has its JSON, once decoded; `silent` gives None for what is none, `force` looks at no type."""
    app.add_url_rule("/", "view", lambda: [request.json, request.get_json() is request.json], methods=["POST"])
    app.add_url_rule("/silent", "silent", lambda: [request.get_json(silent=True)], methods=["POST"])
    app.add_url_rule("/force", "force", lambda: [request.get_json(force=True)], methods=["POST"])
    assert client.post("/", json={"a": 1}).json == [{"a": 1}, True]
    assert client.post("/", data="[1]", content_type="application/vnd.api+json").json == [[1], True]
    assert client.post("/silent", data="{", content_type="application/json").json == [None]
    assert client.post("/force", data="1").json == [1]


def test_what_is_wrong_with_it(app: App, client: AppClient) -> None:
    """In debug mode the 400 says what is wrong."""
    app.add_url_rule("/", "view", lambda: request.get_json(), methods=["POST"])
    app.debug = True
    answer = client.post("/", data="{", content_type="application/json")
    assert answer.status_code == 400
    assert "line 1 column 2" in answer.text


def test_nested_too_deeply(app: App) -> None:
    """What Python cannot read is no JSON, with an app and without."""
    text = "[" * 100_000 + "]" * 100_000
    with app.app_context(), pytest.raises(ValueError, match="nested too deeply"):
        json.loads(text)
