"""Bodies that are made while they are sent, with the request still current."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from .context import Context, current_context

__all__ = ["stream_with_context"]


END = object()


def _next(pieces: Iterator[Any], context: Context) -> Any:
    with context:
        return next(pieces, END)


def _nothing() -> None:
    """What has no `close` needs none."""


def stream_with_context(source: Iterable[Any] | Callable[..., Iterable[Any]]) -> Any:
    """Keep the request current in a generator that a response sends, or decorate a function that makes one.

    :raises RuntimeError: outside of a request.
    """
    if callable(source) and not hasattr(source, "__next__"):
        make = source

        def decorated(*args: Any, **kwargs: Any) -> Any:
            return stream_with_context(make(*args, **kwargs))

        return decorated
    pieces = iter(source)  # type: ignore[arg-type]

    context = current_context(request=True)

    def generate() -> Generator[Any, None, None]:
        error: BaseException | None = None
        context.hold()
        try:
            yield None  # begun now, so that it has an end also if nobody wants its pieces
            # Current only while a piece is made: who sends them may be another thread, or have two bodies at a time.
            while (piece := _next(pieces, context)) is not END:
                yield piece
        except BaseException as exc:
            error = exc
            raise
        finally:
            try:
                with context:
                    getattr(pieces, "close", _nothing)()
            finally:
                context.release(error)
                error = None

    generator: Iterator[Any] = generate()
    next(generator)
    return generator
