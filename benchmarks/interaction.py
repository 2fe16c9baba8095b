"""What a task costs between master and slave: syncio.interaction beside the original, in turns.

    python benchmarks/interaction.py [--rounds 7] [--tasks 300]

A master and a slave in a process each, on this machine. One task after the other is started and joined; then a pool of
ours (`map`) has slaves in a process each whose tasks take ten milliseconds of sleep, to see how the rate grows with
their number. Figures are medians of the rounds, ratios those of single rounds. The original (DI-engine 0.5.3 with Flask
2.0.3) is installed into ~/.cache/syncio-benchmarks at the first run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from syncio.interaction import Master, Slave  # noqa: E402
from tests.interaction_peers.environment import python_of_original  # noqa: E402
from tests.interaction_peers.process import Peers  # noqa: E402

CACHE = Path.home() / ".cache" / "syncio-benchmarks" / "interaction"
DATA = {"a": 2, "b": 3}
WARM_UP = 20
NAP = 0.01
SLAVES = (1, 2, 4, 8)


class Adder(Slave):
    """Adds, or sleeps."""

    def _process_task(self, task: dict[str, float]) -> dict[str, float]:
        if "sleep" in task:
            time.sleep(task["sleep"])
            return {}
        return {"sum": task["a"] + task["b"]}


def serve_slave() -> None:
    """A slave in this process, which says where it is and ends with its standard input."""
    with Adder("127.0.0.1", 0, heartbeat_span=60.0) as slave:
        print(slave.port, flush=True)
        sys.stdin.read()


@contextmanager
def slaves(count: int) -> Iterator[list[int]]:
    """Slaves in a process each; their ports."""
    command = [sys.executable, __file__, "--slave"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(count)]
    try:
        yield [int(process.stdout.readline()) for process in processes]
    finally:
        for process in processes:
            process.communicate(timeout=10)


def time_ours(wire: bool, tasks: int) -> tuple[float, float]:
    """Tasks and connections in a second."""
    with slaves(1) as (port,), Master("127.0.0.1", 0, wire=wire) as master:
        with master.new_connection("slave", "127.0.0.1", port) as connection:
            assert connection.has_wire is wire
            for _ in range(WARM_UP):
                connection.new_task(DATA).start().join(10)
            began = time.perf_counter()
            for _ in range(tasks):
                assert connection.new_task(DATA).start().join(10).result == {"sum": 5}
            rate = tasks / (time.perf_counter() - began)
        began = time.perf_counter()
        for _ in range(tasks):
            with master.new_connection("slave", "127.0.0.1", port):
                pass
        return rate, tasks / (time.perf_counter() - began)


def time_original(peers: Peers, tasks: int) -> tuple[float, float]:
    """Tasks and connections in a second."""
    master, slave = peers.master(heartbeat_check_span=1.0), peers.slave(heartbeat_span=60.0)
    master.ask("connect", name="slave", port=slave.port)
    master.ask("time_tasks", name="slave", data=DATA, count=WARM_UP)
    seconds = master.ask("time_tasks", name="slave", data=DATA, count=tasks, timeout=120)
    master.ask("disconnect", name="slave")
    again = master.ask("time_connections", port=slave.port, count=tasks, timeout=120)
    master.kill()
    slave.kill()
    return tasks / seconds, tasks / again


def time_pool(wire: bool, count: int, tasks: int) -> float:
    """Tasks in a second, of which each sleeps for a while."""
    with slaves(count) as ports, Master("127.0.0.1", 0, wire=wire) as master:
        for port in ports:
            master.new_connection(f"slave {port}", "127.0.0.1", port).connect()
        items = [{"sleep": NAP}] * tasks * count
        began = time.perf_counter()
        assert len(list(master.map(items))) == len(items)
        return len(items) / (time.perf_counter() - began)


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--pool-only", action="store_true")
    parser.add_argument("--slave", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.slave:
        serve_slave()
        return
    if not options.pool_only:
        compare(options.rounds, options.tasks)
    grow(options.rounds, max(20, options.tasks // 3))


def compare(rounds: int, tasks: int) -> None:
    """Ours beside the original."""
    figures: dict[str, list[tuple[float, float]]] = defaultdict(list)
    CACHE.mkdir(parents=True, exist_ok=True)
    python = python_of_original(CACHE)
    for _ in range(rounds):
        peers = Peers(python, Path(tempfile.mkdtemp()))
        try:
            figures["the original"].append(time_original(peers, tasks))
        finally:
            peers.kill()
        figures["syncio, HTTP"].append(time_ours(False, tasks))
        figures["syncio, WebSocket"].append(time_ours(True, tasks))
    print("| in a second | start + join | ratio | connect + disconnect | ratio |\n|---|---:|---:|---:|---:|")
    theirs = figures["the original"]
    for name, ours in figures.items():
        cells = []
        for column in range(2):
            ratio = statistics.median(a[column] / b[column] for a, b in zip(ours, theirs, strict=True))
            cells.append(f"{statistics.median(figure[column] for figure in ours):,.0f} | {ratio:.2f}")
        print(f"| {name} | {' | '.join(cells)} |")


def grow(rounds: int, tasks: int) -> None:
    """A pool of more and more slaves."""
    print(f"\n| tasks of {NAP * 1e3:g} ms in a second | {' | '.join(f'{n} slaves' for n in SLAVES)} |")
    print(f"|---|{'---:|' * len(SLAVES)}")
    for name, wire in (("HTTP", False), ("WebSocket", True)):
        rates = [statistics.median(time_pool(wire, count, tasks) for _ in range(rounds)) for count in SLAVES]
        print(f"| {name} | {' | '.join(f'{rate:,.0f}' for rate in rates)} |")


if __name__ == "__main__":
    main()
