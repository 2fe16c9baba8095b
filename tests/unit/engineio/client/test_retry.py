"""When a client tries again."""

from __future__ import annotations

from itertools import islice

import pytest

from syncio.engineio.client import Retry
from syncio.errors import ConfigurationError


def test_waits_double_up_to_the_longest() -> None:
    """Without jitter they are exact."""
    assert list(Retry(5, delay=1, max_delay=6, jitter=0).waits()) == [1, 2, 4, 6, 6]


def test_jitter_stays_within_its_bounds() -> None:
    """Half of each wait, up or down; and it is never the same twice in a row for long."""
    waits = list(Retry(500, delay=2, max_delay=2, jitter=0.5).waits())
    assert all(1 <= wait <= 3 for wait in waits)
    assert len(set(waits)) > 400


def test_without_end() -> None:
    """The thousandth wait is as long as the longest: nothing overflows."""
    assert list(islice(Retry(jitter=0).waits(), 2000))[-1] == 30


@pytest.mark.parametrize(
    ("wanted", "attempts"), [(None, 0), (False, 0), (True, None), (3, 3), (0, 0), (Retry(7), 7), (Retry(), None)]
)
def test_what_retry_means(wanted: Retry | int | bool | None, attempts: int | None) -> None:
    """A number, a boolean or a whole `Retry`."""
    assert Retry.of(wanted).attempts == attempts


@pytest.mark.parametrize(
    "options", [{"attempts": -1}, {"delay": -1}, {"delay": 9, "max_delay": 8}, {"jitter": 1.1}, {"jitter": -0.1}]
)
def test_what_cannot_be(options: dict[str, float]) -> None:
    """Wrong values are refused at once."""
    with pytest.raises(ConfigurationError):
        Retry(**options)  # type: ignore[arg-type]
