"""A plugin of pytest: the seconds that they give a test hold, by pytest-timeout, which is not the plugin they use."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks that they set."""
    for mark in ("unittest", "execution_timeout(seconds, method)"):
        config.addinivalue_line("markers", f"{mark}: theirs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have one that takes too long fail, and the next ones still run."""
    for item in items:
        for mark in item.iter_markers("execution_timeout"):
            item.add_marker(pytest.mark.timeout(mark.args[0], method="signal"))
