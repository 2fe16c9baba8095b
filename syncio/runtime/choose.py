"""Which runtime: what was asked for, or gevent where the process is monkey-patched, else threads."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .base import Runtime
from .threads import ThreadRuntime

if TYPE_CHECKING:
    from .gevent_ import GeventRuntime

__all__ = ["MODES", "choose_runtime", "installed_modes"]

MODES = ("threading", "gevent")

_runtimes: dict[str, ThreadRuntime | GeventRuntime] = {}


def choose_runtime(async_mode: str | None = None) -> Runtime:
    """The process's runtime for a mode.

    :param async_mode: 'threading', 'gevent', or None: gevent if the process is monkey-patched, else threading. What is
        installed plays no part.
    :raises ConfigurationError: for another mode, or if gevent is wanted and not installed.
    """
    mode = async_mode or ("gevent" if is_monkey_patched() else "threading")
    if mode in _runtimes:
        return _runtimes[mode]
    if mode == "threading":
        return _runtimes.setdefault(mode, ThreadRuntime())
    if mode != "gevent":
        raise ConfigurationError("async_mode", async_mode, "it is 'threading', 'gevent' or None")
    try:
        from .gevent_ import GeventRuntime
    except ImportError as exc:
        raise ConfigurationError("async_mode", async_mode, "gevent is not installed: pip install gevent") from exc
    return _runtimes.setdefault(mode, GeventRuntime())


def is_monkey_patched() -> bool:
    """Whether gevent has patched sockets in this process."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


def installed_modes() -> list[str]:
    """The modes that this environment can offer, threads first."""
    from importlib.util import find_spec

    return [mode for mode in MODES if mode == "threading" or find_spec("gevent") is not None]


def _after_fork() -> None:
    for runtime in _runtimes.values():
        runtime.forget_relay()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
