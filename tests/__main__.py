"""``python -m tests``: the whole suite on threads, then the unit tests in a monkey-patched process of their own.

What stands behind the command goes to pytest: ``python -m tests -k relay -x``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOTHING_COLLECTED = 5
# The servers that the other tests start choose their mode themselves, so those tests have nothing to gain from a patch.
RUNS = {
    "threads": ("-m", "pytest"),
    "gevent": ("-m", "gevent.monkey", "--module", "pytest", "tests/unit"),
}


def run(name: str, arguments: tuple[str, ...]) -> tuple[int, str]:
    """Run pytest, show what it prints, and return its exit code and its closing line."""
    colour = "yes" if sys.stdout.isatty() else "no"
    command = [sys.executable, *arguments, "--no-header", f"--color={colour}", *sys.argv[1:]]
    print(f"== {name}: python {' '.join(command[1:])}", flush=True)
    last = ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip("= \n") or last
    return process.returncode, last


def main() -> int:
    """Run both, also when the first one fails; 0 if both passed."""
    results = {name: run(name, arguments) for name, arguments in RUNS.items()}
    for name, (code, last) in results.items():
        print(f"== {name}: {last} (exit code {code})")
    codes = {code for code, _ in results.values()}
    # A selection on the command line may leave one of the two without a test, but never both.
    return 0 if 0 in codes and codes <= {0, NOTHING_COLLECTED if sys.argv[1:] else 0} else 1


if __name__ == "__main__":
    raise SystemExit(main())
