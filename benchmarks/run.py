"""syncio beside python-engineio, Node's engine.io and two ceilings: one command, a table and a plot.

    python benchmarks/run.py [--rounds 3] [--seconds 3] [--only NAME...] [--scenarios NAME...]
                             [--json FILE] [--plot PREFIX]

Installs the peers outside the tree the first time (a C compiler, Node and npm must be there). The servers run in turns,
so that a slow moment of the machine hits all of them; each is started anew for each figure and has core 0 to itself,
the load generator has core 1. Each figure is the median of the rounds. See README.md beside this file. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contestants
import report
import scenarios
from contestants import Contestant
from peers import DEFAULT_FOLDER, HERE, SERVERS, TREE, Peers
from processes import RunningServer, TrialFailed, free_port, kill, raise_open_files, start
from scenarios import Scenario

SERVER_CORE, LOAD_CORE = 0, 1
WARMUP = 1.0
OPENS_WITHIN = 130.0
"""Seconds: the load generator itself gives up after 120."""

LET_IN = 0.99
"""The share of connections without which there is nothing to measure."""

Figures = dict[str, Any]


def server_of(contestant: Contestant, peers: Peers) -> RunningServer:
    """The server of a row, on a port of its own."""
    port = free_port()
    places = {"python": peers.python, "port": port, "module": contestant.module, "peers": peers.folder, "tree": TREE}
    command = [word.format(**places) for word in contestant.command.split()]
    environment = {name: value.format(**places) for name, value in contestant.environment.items()}
    return RunningServer(command, port, SERVER_CORE, SERVERS, environment)


class Load:
    """The load generator at work: `with Load(...) as load`, then `result`."""

    def __init__(self, peers: Peers, server: RunningServer, words: str, seconds: float, warmup: float = WARMUP):
        times = ["--seconds", str(seconds), "--warmup", str(warmup)]
        self._command = [str(peers.load), *words.split(), "--port", str(server.port), *times]
        self._server = server
        self._seconds = seconds + warmup

    def __enter__(self) -> Load:
        self._process = start(self._command, LOAD_CORE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return self

    def __exit__(self, *_: object) -> None:
        kill(self._process)

    def line(self) -> Figures:
        """The next line that it prints.

        Raises:
            TrialFailed: there is none, or not in time.
        """
        assert self._process.stdout is not None and self._process.stderr is not None
        if not select.select([self._process.stdout], [], [], self._seconds + OPENS_WITHIN)[0]:
            raise TrialFailed("the load generator did not come to an end")
        text = self._process.stdout.readline()
        if text:
            return dict(json.loads(text))
        if self._server.has_ended:
            raise TrialFailed(f"the server ended: {self._server.last_words()}")
        raise TrialFailed(
            self._process.stderr.read().strip() or f"the load generator ended with {self._process.wait()}"
        )


def measure_rate(peers: Peers, server: RunningServer, scenario: Scenario, seconds: float) -> Figures:
    """The load generator's result."""
    with Load(peers, server, scenario.load, seconds) as load:
        result = load.line()
    if not result["operations"]:
        raise TrialFailed(f"nothing came back, {result['errors']:,} errors")
    return result


def measure_holding(peers: Peers, server: RunningServer, scenario: Scenario, seconds: float) -> Figures:
    """What connections cost while nothing is said but heartbeats.

    One client comes and goes before, so that what is loaded and started once is no connection's. The figures are taken
    after the time of holding, when each client has had its heartbeat.
    """
    with Load(peers, server, "echo --connections 1", 0.05, 0) as load:
        load.line()
    before = server.memory()
    with Load(peers, server, scenario.load, seconds + 10) as load:
        opened = load.line()
        connections = opened["connections"]
        if connections < scenario.connections * LET_IN:
            raise TrialFailed(f"only {connections:,} of {scenario.connections:,} connections were let in")
        time.sleep(WARMUP)
        began, spent = time.monotonic(), server.cpu_seconds()
        time.sleep(seconds)
        share = (server.cpu_seconds() - spent) / (time.monotonic() - began)
        return {
            "connect_rate": opened["connect_rate"],
            "kib_per_connection": (server.memory() - before) / connections,
            "threads": server.threads(),
            "cpu_percent": share * 100,
            "errors": scenario.connections - connections,
        }


def trial(peers: Peers, scenario: Scenario, contestant: Contestant, options: argparse.Namespace) -> Figures:
    """The figures of one server in one scenario, or why there are none."""
    try:
        with server_of(contestant, peers) as server:
            if scenario.holds:
                return measure_holding(peers, server, scenario, options.hold)
            return measure_rate(peers, server, scenario, options.seconds)
    except TrialFailed as failure:
        return {"failure": str(failure)}


def trials(peers: Peers, options: argparse.Namespace) -> Iterator[Figures]:
    """All figures, each with its scenario, server and round."""
    for number in range(1, options.rounds + 1):
        for scenario in scenarios.named(options.scenarios):
            for contestant in contestants.named(options.only):
                if not scenario.takes(contestant):
                    continue
                figures = trial(peers, scenario, contestant, options)
                told = figures.get("failure") or report.brief(scenario, figures)
                print(f"{number} {scenario.name:15} {contestant.name:18} {told}", file=sys.stderr, flush=True)
                yield {**figures, "scenario": scenario.name, "server": contestant.name, "round": number}


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=Path, default=DEFAULT_FOLDER, help="where the peers are installed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="how long each figure is measured")
    parser.add_argument("--hold", type=float, default=25, help="seconds for idle connections; a heartbeat is 25")
    parser.add_argument("--only", nargs="+", default=[], metavar="SERVER", help="names or patterns, such as 'syncio-*'")
    parser.add_argument(
        "--scenarios", nargs="+", default=[], metavar="NAME", help="names or patterns, such as 'echo-*'"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures of all rounds")
    parser.add_argument("--plot", metavar="PREFIX", help="write PREFIX.png and PREFIX.svg")
    options = parser.parse_args()
    for table, patterns in ((contestants, options.only), (scenarios, options.scenarios)):
        if not table.named(patterns):
            parser.error(
                f"nothing is named {' '.join(patterns)}; there are {' '.join(row.name for row in table.named([]))}"
            )
    return options


def main() -> None:
    """Install, measure, print."""
    options = read_options()
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two cores are needed: one for the server, one for the load generator")
    peers = Peers(options.peers)
    peers.install()
    raise_open_files()
    os.sched_setaffinity(0, {LOAD_CORE})
    figures: list[Figures] = []
    results = {
        "versions": peers.versions(),
        "options": {"rounds": options.rounds, "seconds": options.seconds, "hold": options.hold},
        "figures": figures,
    }
    with contextlib.suppress(KeyboardInterrupt):  # what was measured until then is shown
        for each in trials(peers, options):
            figures.append(each)
    print(report.markdown(results))
    with tempfile.TemporaryDirectory() as folder:
        file = options.json or Path(folder) / "figures.json"
        file.write_text(json.dumps(results, indent=1) + "\n")
        if options.plot:  # matplotlib is a peer as well
            subprocess.run([peers.python, HERE / "report.py", file, "--plot", options.plot], check=True)


if __name__ == "__main__":
    main()
