"""``python -m tests``: the whole suite on threads, then the unit tests in a monkey-patched process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUNS = {
    "threads": [sys.executable, "-m", "pytest", "-q"],
    "gevent": [sys.executable, "-m", "gevent.monkey", "--module", "pytest", "-q", "tests/unit"],
}


def main() -> int:
    """Run both; 0 if both passed."""
    failed = []
    for name, command in RUNS.items():
        print(f"== {name}: {' '.join(command[1:])}", flush=True)
        if subprocess.run(command + sys.argv[1:], cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    print(f"== failed: {', '.join(failed)}" if failed else "== both passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
