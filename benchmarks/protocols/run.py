"""syncio.protocol beside qemu.qmp, in turns: round trips, messages and mebibytes a second, and commands of QMP.

    python benchmarks/protocols/run.py [--rounds 5] [--seconds 2] [--one-core]

Lines go over a UNIX socket to an echo server of the same library in another process; commands go to a real
qemu-storage-daemon. qemu.qmp is installed into `~/.cache/syncio-benchmarks` if it is not here. Figures are medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PEER = "qemu.qmp==0.0.6"
CONTESTANTS = {
    "syncio, threads": ("ours.py", "threading"),
    "syncio, gevent": ("ours.py", "gevent"),
    "qemu.qmp": ("theirs.py", "-"),
}
BARE = "a bare socket"
MEASURES = {
    "sequential": "round trips/s, 64 bytes",
    "pipelined": "messages/s, 1,000 at a time",
    "large": "MiB/s there and back, lines of 10 MiB",
    "commands": "query-version/s, qemu-storage-daemon",
    "together": "query-version/s, 16 at a time",
}
QMP = ("commands", "together")
"""What a real daemon is asked."""


def interpreter() -> str:
    """A Python that has qemu.qmp and gevent: this one, or one that is made."""
    if subprocess.run([sys.executable, "-c", "import qemu.qmp, gevent"], capture_output=True).returncode == 0:
        return sys.executable
    folder = Path.home() / ".cache" / "syncio-benchmarks" / "protocols"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", PEER, "gevent", "werkzeug"], check=True)
    return str(python)


@contextmanager
def server(command: list[str], path: str) -> Iterator[None]:
    """A server in its own process, until its socket is gone or it is killed."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 10
            while not os.path.exists(path) and time.monotonic() < until:
                time.sleep(0.02)
            yield
        finally:
            process.kill()


def measure(python: str, what: str, script: str, mode: str, seconds: float, pin: list[str]) -> tuple[float, int, float]:
    """The rate, the threads of the client, and the seconds of its disconnect()."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/s"
        command = [*pin, python, str(HERE / script), "serve", mode, path]
        if what in QMP:
            chardev = f"socket,path={path},server=on,wait=off,id=c"
            command = [*pin, "qemu-storage-daemon", "--chardev", chardev, "--monitor", "chardev=c"]
        with server(command, path):
            client = [*pin, python, str(HERE / script), what, mode, path, str(seconds)]
            done = subprocess.run(client, capture_output=True, text=True, check=True, timeout=60 + 5 * seconds)
    rate, threads, ending = done.stdout.split()
    return float(rate), int(threads), float(ending)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--only", nargs="+", default=list(MEASURES), choices=MEASURES, metavar="MEASURE")
    parser.add_argument("--one-core", action="store_true", help="both processes on one core: no wake-ups across cores")
    options = parser.parse_args()
    python = interpreter()
    pin = ["taskset", "-c", "1"] if options.one_core else []
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    endings: dict[str, list[float]] = defaultdict(list)
    threads: dict[str, int] = {}
    for _ in range(options.rounds):
        for what in options.only:
            for name, (script, mode) in CONTESTANTS.items():
                rate, threads[name], ending = measure(python, what, script, mode, options.seconds, pin)
                rates[what, name].append(rate)
                endings[name].append(ending)
            if what in QMP:
                rates[what, BARE].append(measure(python, what, "bare.py", "-", options.seconds, pin)[0])
    print(f"| | {' | '.join(CONTESTANTS)} | threads / theirs | gevent / theirs |\n|---|{'---:|' * 5}")
    for what in options.only:
        ours, greenlets, theirs = (rates[what, name] for name in CONTESTANTS)
        figures = [f"{statistics.median(values):,.0f}" for values in (ours, greenlets, theirs)]
        for values in (ours, greenlets):
            ratio = statistics.median(a / b for a, b in zip(values, theirs, strict=True))
            figures.append(f"{ratio:.2f}")
        print(f"| {MEASURES[what]} | {' | '.join(figures)} |")
    for what in [what for what in options.only if what in QMP]:
        bare = [a / b for a, b in zip(rates[what, BARE], rates[what, "qemu.qmp"], strict=True)]
        print(f"\n{MEASURES[what]} over {BARE}: {statistics.median(bare):.2f} x qemu.qmp")
    for name in CONTESTANTS:
        ending = statistics.median(endings[name]) * 1000
        print(f"{name}: {threads[name]} threads at the end of the last measurement, disconnect() {ending:.1f} ms")


if __name__ == "__main__":
    main()
