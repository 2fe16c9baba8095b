"""``python -m tests``: the whole suite on threads, and the unit tests also in a monkey-patched process of their own.

What stands behind the command goes to pytest: ``python -m tests -k relay -x``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parent.parent
NOTHING_COLLECTED = 5
AT_ONCE = 2
"""Runs that go on side by side: tests of servers wait for more than half of their time."""
# The longest first; the last is what has no run of its own. Only tests/unit runs twice: servers that other tests start
# choose their mode themselves, so those tests have nothing to gain from a patch.
RUNS = {
    "integration, a to m": ("-m", "pytest", "tests/integration", "--ignore-glob=tests/integration/test_[!a-m]*"),
    "integration, the rest": ("-m", "pytest", "tests/integration", "--ignore-glob=tests/integration/test_[a-m]*"),
    "gevent": ("-m", "gevent.monkey", "--module", "pytest", "tests/unit"),
    "unit": ("-m", "pytest", "tests/unit"),
    "all else": ("-m", "pytest", "--ignore=tests/integration", "--ignore=tests/unit"),
}


def run(name: str, arguments: tuple[str, ...], say: Callable[[str | None], None]) -> tuple[int, str]:
    """Run pytest, and return its exit code and its closing line.

    :param say: is told each line that it prints, and None at the end.
    """
    colour = "yes" if sys.stdout.isatty() else "no"
    command = [sys.executable, *arguments, "--no-header", f"--color={colour}", *sys.argv[1:]]
    say(f"== {name}: python {' '.join(command[1:])}\n")
    last = ""
    try:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as process:
            assert process.stdout is not None
            for line in process.stdout:
                say(line)
                last = line.strip("= \n") or last
    finally:
        say(None)
    return process.returncode, last


def main() -> int:
    """Do all the runs, also when one fails; 0 if all passed. One after the other shows what it prints."""
    said: dict[str, SimpleQueue[str | None]] = {name: SimpleQueue() for name in RUNS}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {name: pool.submit(run, name, arguments, said[name].put) for name, arguments in RUNS.items()}
        for name in RUNS:
            for line in iter(said[name].get, None):
                print(line, end="", flush=True)
    results = {name: done.result() for name, done in runs.items()}
    for name, (code, last) in results.items():
        print(f"== {name}: {last} (exit code {code})")
    codes = {code for code, _ in results.values()}
    # A selection on the command line may leave some of them without a test, but never all.
    return 0 if 0 in codes and codes <= {0, NOTHING_COLLECTED if sys.argv[1:] else 0} else 1


if __name__ == "__main__":
    raise SystemExit(main())
