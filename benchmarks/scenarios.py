"""What is measured: one row for each scenario."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

from contestants import Contestant, Role


@dataclass(frozen=True)
class Scenario:
    """A way to load a server.

    `load` are the words for the load generator. `unit` says what its operations are. `requests` is how many HTTP
    requests an operation takes where that is to be compared with an application that answers two bytes.
    """

    name: str
    title: str
    load: str
    unit: str = "messages/s"
    requests: int = 0

    @property
    def kind(self) -> str:
        """The load generator's word for it."""
        return self.load.split()[0]

    @property
    def holds(self) -> bool:
        """Connections are opened and held: memory is what matters, and not a rate."""
        return self.kind == "idle"

    @property
    def is_fixed(self) -> bool:
        """What is asked is answered by two bytes: figures of the WSGI server, not of an engine."""
        return self.kind in ("fixed", "pair", "once")

    @property
    def connections(self) -> int:
        """How many connections are opened."""
        words = self.load.split()
        return int(words[words.index("--connections") + 1])

    def takes(self, contestant: Contestant) -> bool:
        """Whether the server knows what the scenario asks for."""
        if contestant.role is Role.FIXED:
            return self.is_fixed
        if contestant.role is Role.CEILING:
            return self.kind in ("echo", "idle", "churn")
        return not self.is_fixed


SCENARIOS = (
    Scenario("echo-1", "echo, 1 connection", "echo --connections 1"),
    Scenario("echo-100", "echo, 100 connections", "echo --connections 100"),
    Scenario("echo-100x16", "echo, 100 connections x 16 in flight", "echo --connections 100 --inflight 16"),
    Scenario("echo-16k", "echo, 16 KiB binary, 100 connections", "echo --connections 100 --size 16384 --binary"),
    Scenario("echo-1000", "echo, 1,000 connections", "echo --connections 1000"),
    Scenario("broadcast-500", "broadcast to 500", "broadcast --connections 500", "deliveries/s"),
    Scenario("idle-2000", "2,000 idle connections", "idle --connections 2000", "connects/s"),
    Scenario("idle-10000", "10,000 idle connections", "idle --connections 10000", "connects/s"),
    Scenario("churn-10", "connect, echo, close, 10 at a time", "churn --connections 10", "cycles/s"),
    Scenario("upgrade-10", "poll, upgrade, echo, close, 10 at a time", "upgrade --connections 10", "cycles/s"),
    Scenario("poll-50", "polling echo, 50 clients", "poll --connections 50", requests=2),
    Scenario(
        "poll-50-parked", "polling echo, 50 clients beside 200 parked", "poll --connections 50 --parked 200", requests=2
    ),
    Scenario("fixed-50", "two bytes over HTTP, 50 connections", "fixed --connections 50", "requests/s"),
    Scenario(
        "fixed-poll-50", "the requests of a polling echo answered by two bytes, 50 clients", "pair --connections 50"
    ),
    Scenario(
        "fixed-once-10", "two bytes, each on a new connection, 10 at a time", "once --connections 10", "requests/s"
    ),
    Scenario("block-100", "1 in 10 handlers blocks 50 ms, 100 connections", "block --connections 100"),
)


def named(patterns: list[str]) -> list[Scenario]:
    """Those whose names match one of the patterns; all of them without a pattern."""
    return [row for row in SCENARIOS if not patterns or any(fnmatch(row.name, each) for each in patterns)]
