"""The progress bar: what is drawn, where, and how often."""

from __future__ import annotations

import io

import pytest

from syncio.interaction.progress_bar import WIDTH, ProgressBar


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("done", "total", "seconds", "line"),
    [
        (0, 10, 0.0, "[" + "." * WIDTH + "] 0/10  0.0/s  0 s left"),
        (5, 10, 2.0, "[" + "#" * (WIDTH // 2) + "." * (WIDTH // 2) + "] 5/10  2.5/s  2 s left"),
        (10, 10, 4.0, "[" + "#" * WIDTH + "] 10/10  2.5/s  0 s left"),
        (12, 10, 4.0, "[" + "#" * WIDTH + "] 12/10  3.0/s  0 s left"),
        (5, None, 2.0, "5 done, 2.5/s"),
        (0, None, 0.0, "0 done, 0.0/s"),
        (0, 0, 1.0, "0 done, 0.0/s"),
    ],
)
def test_lines(done: int, total: int | None, seconds: float, line: str) -> None:
    """The line has a bar if anybody knows how many there are, the rate, and how long it will take."""
    assert ProgressBar.line(done, total, seconds) == line


def test_nothing_is_written_where_no_terminal_is() -> None:
    """A file or a pipe gets nothing, not even the last line."""
    stream = io.StringIO()
    bar = ProgressBar(stream)
    for done in range(11):
        bar.show(done, 10)
    assert stream.getvalue() == ""


def test_it_draws_now_and_then() -> None:
    """Of many calls at once the first and the last are drawn, and the last ends the line."""
    stream = Terminal()
    bar = ProgressBar(stream)
    for done in range(1, 1001):
        bar.show(done, 1000)
    lines = stream.getvalue().split("\r")
    assert lines[0] == "" and "1/1000" in lines[1] and "1000/1000" in lines[-1] and lines[-1].endswith("\n")
    assert len(lines) < 500 and "\n" not in stream.getvalue()[:-1]


def test_a_shorter_line_covers_a_longer_one() -> None:
    """Nothing of a line is left when the next one is shorter."""
    stream = Terminal()
    bar = ProgressBar(stream)
    bar.show(1, 10**12)
    bar.show(5, 5)
    first, last = stream.getvalue().split("\r")[1:]
    assert len(last.rstrip("\n")) >= len(first)
