"""Tables and a plot from the figures of run.py.

    python report.py FILE.json [--plot PREFIX]

FILE.json is what `run.py --json` has written; the plot needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contestants
import scenarios
from contestants import NODE, Contestant, Role
from scenarios import Scenario

Figures = dict[str, Any]
Medians = dict[tuple[str, str], dict[str, float]]
"""By scenario and server."""

DASH = "-"
LOAD_AT_ITS_LIMIT = 0.05
"""Below this share of idle time the load generator, and not the server, may be what was measured."""


@dataclass(frozen=True)
class Column:
    """A column of absolute figures."""

    heading: str
    key: str
    form: str

    def cell(self, figures: dict[str, float]) -> str:
        """A figure as text."""
        return self.form.format(figures[self.key]) if self.key in figures else DASH


HOLDING = (
    Column("KiB each", "kib_per_connection", "{:,.1f}"),
    Column("threads", "threads", "{:,.0f}"),
    Column("CPU, % of a core", "cpu_percent", "{:.2f}"),
    Column("connects/s", "connect_rate", "{:,.0f}"),
)
RATES = (
    Column("p50, ms", "p50_ms", "{:,.2f}"),
    Column("p99, ms", "p99_ms", "{:,.2f}"),
    Column("load generator idle", "idle", "{:.0%}"),
)


def columns(scenario: Scenario) -> tuple[Column, ...]:
    """What a scenario's table shows; the first column is the one that ratios are made of."""
    return HOLDING if scenario.holds else (Column(scenario.unit, "rate", "{:,.0f}"), *RATES)


def brief(scenario: Scenario, figures: Figures) -> str:
    """One line about one trial."""
    return ", ".join(f"{column.heading} {column.cell(figures)}" for column in columns(scenario))


def medians(results: Figures) -> Medians:
    """The median over the rounds of each number; what failed in a round is not counted in."""
    rounds: dict[tuple[str, str], list[Figures]] = {}
    for each in results["figures"]:
        if "failure" not in each:
            rounds.setdefault((each["scenario"], each["server"]), []).append(each)
    return {
        key: {name: statistics.median(one[name] for one in found) for name in found[0] if is_number(found[0][name])}
        for key, found in rounds.items()
    }


def is_number(value: object) -> bool:
    """Whether a value of a trial is a figure."""
    return isinstance(value, int | float)


# ---------------------------------------------------------------------------------------------------- ratios

Baseline = Callable[[Medians, Scenario, Contestant], float | None]


def main_figure(found: Medians, scenario: Scenario, server: Contestant | None) -> float | None:
    """The figure that ratios are made of."""
    figures = found.get((scenario.name, server.name)) if server else None
    return figures.get(columns(scenario)[0].key) if figures else None


def of_node(found: Medians, scenario: Scenario, contestant: Contestant) -> float | None:
    """Node's figure."""
    node = next(row for row in contestants.CONTESTANTS if row.engine == NODE)
    return main_figure(found, scenario, node)


def of_engineio(found: Medians, scenario: Scenario, contestant: Contestant) -> float | None:
    """The figure of python-engineio on the same WSGI server."""
    return main_figure(found, scenario, beside(contestant, Role.PEER))


def of_fixed(found: Medians, scenario: Scenario, contestant: Contestant) -> float | None:
    """The same WSGI server's figure with an application of two bytes, in operations of as many requests as ours."""
    return of_two_bytes(found, scenario, contestant, "fixed", scenario.requests)


def of_same_requests(found: Medians, scenario: Scenario, contestant: Contestant) -> float | None:
    """The same, for the very requests that ours answers."""
    return of_two_bytes(found, scenario, contestant, "pair", 1)


def of_two_bytes(found: Medians, scenario: Scenario, contestant: Contestant, kind: str, requests: int) -> float | None:
    """The figure of two bytes in a scenario of some kind, in operations of so many of its operations."""
    fixed = next(row for row in scenarios.SCENARIOS if row.kind == kind)
    figure = main_figure(found, fixed, beside(contestant, Role.FIXED)) if scenario.requests else None
    return figure and figure / requests


def beside(contestant: Contestant, role: Role) -> Contestant | None:
    """The contestant of a role on the same WSGI server."""
    rows = (row for row in contestants.CONTESTANTS if row.role is role and row.host == contestant.host)
    return next(rows, None) if contestant.host else None


RATIOS: dict[str, Baseline] = {
    "x Node": of_node,
    "x python-engineio, same host": of_engineio,
    "x two bytes, same host": of_fixed,
    "x two bytes, same requests": of_same_requests,
}


def ratio(found: Medians, scenario: Scenario, contestant: Contestant, baseline: Baseline) -> str:
    """A figure in terms of another, as text."""
    figure, other = main_figure(found, scenario, contestant), baseline(found, scenario, contestant)
    if figure is None or not other:
        return DASH
    return f"{figure / other:.2f}" if figure < 100 * other else f"{figure / other:,.0f}"


# ---------------------------------------------------------------------------------------------------- tables


def table(heading: list[str], rows: list[list[str]]) -> str:
    """A table in markdown that can be read as it is."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    sides = "<" + ">" * len(widths[1:])
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]

    def line(cells: list[str]) -> str:
        padded = (f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    return "\n".join(map(line, [heading, rule, *rows]))


def taking_part(results: Figures, scenario: Scenario) -> list[Contestant]:
    """The servers that were tried in a scenario."""
    names = {each["server"] for each in results["figures"] if each["scenario"] == scenario.name}
    return [row for row in contestants.CONTESTANTS if row.name in names]


def section(results: Figures, found: Medians, scenario: Scenario) -> str:
    """The table of one scenario and what there is to say about it."""
    servers = taking_part(results, scenario)
    shown = columns(scenario)
    ratios = {
        name: baseline for name, baseline in RATIOS.items() if any(baseline(found, scenario, each) for each in servers)
    }
    rows = [
        [server.title]
        + [column.cell(found.get((scenario.name, server.name), {})) for column in shown]
        + [ratio(found, scenario, server, baseline) for baseline in ratios.values()]
        for server in servers
    ]
    heading = ["server", *(column.heading for column in shown), *ratios]
    return f"## {scenario.title}\n\n{table(heading, rows)}\n" + notes(results, found, scenario, servers)


def notes(results: Figures, found: Medians, scenario: Scenario, servers: list[Contestant]) -> str:
    """What failed, and where the load generator was at its limit."""
    said = []
    for server in servers:
        tried = [
            each for each in results["figures"] if (each["scenario"], each["server"]) == (scenario.name, server.name)
        ]
        failures = [each["failure"] for each in tried if "failure" in each]
        errors = sum(each.get("errors", 0) for each in tried)
        if failures:
            said.append(f"{server.title}: failed in {len(failures)} of {len(tried)} rounds: {failures[-1]}")
        if errors:
            said.append(f"{server.title}: {errors:,} errors")
        if found.get((scenario.name, server.name), {}).get("idle", 1) < LOAD_AT_ITS_LIMIT:
            said.append(f"{server.title}: the load generator was at its limit; the server can do more")
    return "".join(f"\n- {each}" for each in said) + ("\n" if said else "")


def summary(results: Figures, found: Medians, tried: list[Scenario]) -> str:
    """Our ratios at a glance."""
    ours = [row for row in contestants.CONTESTANTS if row.role is Role.OURS]
    baselines = {"Node": of_node, "python-engineio": of_engineio, "two bytes": of_fixed}
    rows = [
        [scenario.title, *(ratio(found, scenario, server, each) for server in ours for each in baselines.values())]
        for scenario in tried
        if not scenario.is_fixed
    ]
    heading = ["scenario", *(f"{server.host} x {name}" for server in ours for name in baselines)]
    text = "Rates: more is better. Idle connections: memory, less is better. python-engineio and two bytes: same host."
    return f"## Ratios of syncio\n\n{text}\n\n{table(heading, rows)}\n" if rows else ""


def markdown(results: Figures) -> str:
    """All tables."""
    found = medians(results)
    tried = [row for row in scenarios.SCENARIOS if taking_part(results, row)]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items() if version)
    options = results["options"]
    head = f"{versions}\n\nMedians of {options['rounds']} rounds of {options['seconds']:g} s, one core for the server."
    return "\n".join([head, "", *(section(results, found, each) for each in tried), summary(results, found, tried)])


# ---------------------------------------------------------------------------------------------------- plot

COLOURS = {Role.OURS: "#1f6f5c", Role.PEER: "#b9b3a6", Role.CEILING: "#e3dfd6", Role.FIXED: "#cfd8e3"}
PANELS_IN_A_ROW = 2


def plot(results: Figures, prefix: str) -> None:
    """Write PREFIX.png and PREFIX.svg: a panel for each scenario, a bar for each server."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "syncio", "svg.fonttype": "none", "font.size": 8})
    from matplotlib import pyplot

    found = medians(results)
    tried = [row for row in scenarios.SCENARIOS if taking_part(results, row)]
    rows = -(-len(tried) // PANELS_IN_A_ROW)
    figure, grid = pyplot.subplots(rows, PANELS_IN_A_ROW, figsize=(13, 2.7 * rows), squeeze=False, layout="constrained")
    for axes in grid.flat[len(tried) :]:
        axes.set_axis_off()
    for axes, scenario in zip(grid.flat, tried, strict=False):
        panel(axes, found, scenario, taking_part(results, scenario))
    for ending in ("png", "svg"):
        figure.savefig(f"{prefix}.{ending}", dpi=120, metadata={"Date": None} if ending == "svg" else None)


def panel(axes: Any, found: Medians, scenario: Scenario, servers: list[Contestant]) -> None:
    """The bars of one scenario."""
    column = columns(scenario)[0]
    values = [main_figure(found, scenario, server) for server in servers]
    widest = limit_of(found, scenario, servers)
    axes.barh(range(len(servers)), [value or 0 for value in values], color=[COLOURS[each.role] for each in servers])
    for place, value in enumerate(values):
        text = DASH if value is None else column.form.format(value)
        axes.text(min(value or 0, widest * 1.02) + widest * 0.01, place, text, va="center")
    axes.set_yticks(range(len(servers)), [server.title for server in servers])
    axes.invert_yaxis()
    axes.set_xlim(0, widest * 1.15)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    aim = "less is better" if scenario.holds else "more is better"
    axes.set_title(f"{scenario.title}\n{column.heading}, {aim}", loc="left", fontsize=9)


def limit_of(found: Medians, scenario: Scenario, servers: list[Contestant]) -> float:
    """Where a panel ends. A ceiling that is far off goes on outside of it, so that the others can be compared."""
    figures = [(server.role, main_figure(found, scenario, server) or 0) for server in servers]
    widest = max(value for _, value in figures)
    below = max((value for role, value in figures if role is not Role.CEILING), default=0)
    return min(widest, below * 2 or widest) or 1


def main() -> None:
    """Print the tables, or write the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--plot", metavar="PREFIX")
    options = parser.parse_args()
    results = json.loads(options.file.read_text())
    if options.plot:
        plot(results, options.plot)
    else:
        print(markdown(results))


if __name__ == "__main__":
    main()
