"""Bodies that are made while they are sent. When they end, and for whom they are current, is in test_context."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncio.web import App, Response, g, request, session, stream_with_context
from syncio.web.testing import AppClient


def test_a_function(app: App, client: AppClient) -> None:
    """It decorates a function that makes a body, with arguments."""

    @stream_with_context
    def pieces(count: int, *, sep: str) -> Iterator[str]:
        for number in range(count):
            yield f"{number}{request.args['x']}{sep}"

    app.add_url_rule("/", "view", lambda: Response(pieces(3, sep="-")))
    assert client.get("/?x=y").text == "0y-1y-2y-"


@pytest.mark.parametrize("source", [["a", "b"], ("a", "b"), iter("ab"), "ab"])
def test_any_iterable(app: App, client: AppClient, source: object) -> None:
    """It takes whatever gives pieces, also what has no `close`."""
    app.add_url_rule("/", "view", lambda: stream_with_context(source))  # type: ignore[arg-type]
    assert client.get("/").text == "ab"


def test_nothing_begins_early(app: App) -> None:
    """The source is not asked before its first piece is wanted, and for one at a time."""
    asked: list[int] = []

    def pieces() -> Iterator[str]:
        for number in range(3):
            asked.append(number)
            yield str(number)

    with app.test_request_context():
        body = stream_with_context(pieces())
        assert asked == []
        assert (next(body), asked) == ("0", [0])
        assert (list(body), asked) == (["1", "2"], [0, 1, 2])


def test_the_session_is_that_of_the_view(app: App, client: AppClient) -> None:
    """What the view has put into `session` and `g` is there."""

    def pieces() -> Iterator[str]:
        yield f"{session['a']} {g.b}"

    @app.get("/")
    def view() -> Response:
        session["a"] = g.b = 1
        return Response(stream_with_context(pieces()))

    assert client.get("/").text == "1 1"


def test_two_in_one_request(app: App, client: AppClient) -> None:
    """A body can be made of two streams, and the request ends once, behind the last."""
    ends: list[str] = []
    app.teardown_request(lambda exc: ends.append("end"))

    def pieces(name: str) -> Iterator[str]:
        yield f"{name}{len(ends)}"

    @app.get("/")
    def view() -> Response:
        first, second = stream_with_context(pieces("a")), stream_with_context(pieces("b"))
        return Response(piece for body in (first, second) for piece in body)

    assert client.get("/").text == "a0b0"
    assert ends == ["end"]
