"""A clock for heartbeats that a test moves itself."""

from __future__ import annotations

from ..engineio import Server
from ..engineio.socket import Socket
from ..errors import LocalError
from .client import TestClient

__all__ = ["Clock"]

PATIENCE = 5.0
"""Seconds, real ones, for what a client of the test or a handler does in the meantime."""
LEAST = 0.001


class Clock:
    """The time of a server's heartbeats.

    Only they go by it: pings are sent and silent clients are ended as if the time had passed.

    :param server: a `syncio.Server`; python-socketio's is ``sio.eio``.
    """

    def __init__(self, server: Server) -> None:
        if not isinstance(server, Server):
            raise LocalError(f"{server!r} is no syncio.Server; of python-socketio's server it is its attribute eio")
        self.server = server

    def advance(self, seconds: float) -> None:
        """Let time pass. Clients of the test answer the pings that are due in it, unless they have vanished; the
        disconnect handlers of sessions that end have run when this returns.

        :param seconds: how much; two intervals and a time-out (the default options': 70) end every silent session.
        """
        if seconds < 0:
            raise LocalError("time passes forwards only")
        self._settle(list(self.server.sockets.values()))
        while self.server.config.monitor_clients:
            step = min(seconds, max(LEAST, self._next() - self.server.runtime.now()))
            self._pass(step)
            seconds -= step
            if seconds <= 0:
                return

    def _next(self) -> float:
        sockets = list(self.server.sockets.values())
        return min((socket.machine.deadline for socket in sockets if socket.machine.is_open), default=float("inf"))

    def _pass(self, seconds: float) -> None:
        """Let so much time pass at once, have the monitor's question asked, and wait for what comes of it."""
        runtime, sockets, done = self.server.runtime, list(self.server.sockets.values()), self.server.runtime.event()

        def ask() -> None:
            now = runtime.now()
            try:
                for socket in sockets:
                    socket.machine.age(seconds)
                    if socket.machine.deadline <= now:
                        socket.check(now)
            finally:
                done.set()

        runtime.relay().call_at(runtime.now(), ask)
        done.wait(PATIENCE)
        self._settle(sockets)

    def _settle(self, sockets: list[Socket]) -> None:
        """Wait until clients of the test have answered their pings, and handlers of the end have run."""
        runtime = self.server.runtime
        until = runtime.now() + PATIENCE
        clients = {client.sid: client for client in TestClient.all()}
        for socket in sockets:
            client = clients.get(socket.sid)
            while client is not None and socket.machine.is_open and not _is_quiet(client, socket):
                if runtime.now() > until:
                    break
                runtime.sleep(LEAST)
            if socket.closed:
                idle = runtime.event()
                if socket.lane.when_idle(idle.set):
                    idle.wait(max(0.0, until - runtime.now()))


def _is_quiet(client: TestClient, socket: Socket) -> bool:
    machine = socket.machine
    return (client.has_vanished or not machine.awaits_answer) and client.rests(machine.poll is not None)
