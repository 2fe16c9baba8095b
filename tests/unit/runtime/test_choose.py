"""Which runtime a process gets, and that a fork gives the child one that is its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from syncio.errors import ConfigurationError
from syncio.runtime import MODES, choose_runtime, installed_modes
from syncio.runtime.choose import is_monkey_patched

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> str:
    """Run Python in a process of its own; what it printed."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_asked_for_runtime_is_given_and_is_the_processs_own() -> None:
    """Each mode has one runtime in a process, made when it is first asked for."""
    for mode in MODES:
        runtime = choose_runtime(mode)
        assert runtime.name == mode
        assert choose_runtime(mode) is runtime


def test_default_is_threads_unless_patched() -> None:
    """gevent is chosen where the process is monkey-patched, and not because it is installed."""
    assert choose_runtime().name == ("gevent" if is_monkey_patched() else "threading")


CHOOSE = "from syncio.runtime import choose_runtime; print(choose_runtime().name)"


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("", "threading"),
        ("import gevent, gevent.monkey; ", "threading"),
        ("import gevent.monkey; gevent.monkey.patch_all(); ", "gevent"),
    ],
    ids=["plain", "imported", "patched"],
)
def test_default_in_a_fresh_process(before: str, name: str) -> None:
    """That gevent is imported does not matter; that it has patched sockets does."""
    assert run("-c", before + CHOOSE) == name


def test_threads_do_not_need_gevent() -> None:
    """A process of threads never imports gevent."""
    assert run("-c", "import sys, syncio; print('gevent' in sys.modules)") == "False"


def test_gevent_that_is_missing_is_said_so() -> None:
    """Asking for gevent where it is not installed names the remedy."""
    code = (
        "import sys; sys.modules['gevent'] = None\n"
        "from syncio.errors import ConfigurationError\n"
        "from syncio.runtime import choose_runtime\n"
        "try:\n    choose_runtime('gevent')\n"
        "except ConfigurationError as exc:\n    print(exc)"
    )
    assert "pip install gevent" in run("-c", code)


def test_unknown_mode_is_refused() -> None:
    """A mode that does not exist is a configuration error, which names those that do."""
    with pytest.raises(ConfigurationError, match="'threading', 'gevent'"):
        choose_runtime("eventlet")


def test_installed_modes() -> None:
    """Threads are always there; gevent is, because the tests need it."""
    assert installed_modes() == ["threading", "gevent"]


@pytest.mark.parametrize("mode", MODES)
def test_child_of_a_fork_gets_its_own_relay(mode: str) -> None:
    """The child serves with a relay of its own, and neither reads from the parent's sockets nor unwatches them."""
    run("-m", "tests.unit.runtime.forking", mode)


def test_nothing_starts_at_import() -> None:
    """Importing syncio starts no thread and opens no descriptor."""
    code = (
        "import os, threading; before = len(os.listdir('/proc/self/fd')) if os.path.isdir('/proc/self/fd') else 0\n"
        "import syncio, syncio.heartbeat, syncio.streams\n"
        "after = len(os.listdir('/proc/self/fd')) if os.path.isdir('/proc/self/fd') else 0\n"
        "print(threading.active_count(), after - before)"
    )
    assert run("-c", code) == "1 0"
