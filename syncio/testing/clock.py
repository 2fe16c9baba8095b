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
        runtime = self.server.runtime
        until = runtime.now() + PATIENCE
        speaking = {client.sid for client in TestClient.all() if not client.has_vanished}
        for socket in sockets:
            while socket.sid in speaking and socket.machine.is_open and socket.machine.awaits_answer:
                if runtime.now() > until:
                    break
                runtime.sleep(LEAST)
            if socket.closed:
                idle = runtime.event()
                if socket.lane.when_idle(idle.set):
                    idle.wait(max(0.0, until - runtime.now()))
