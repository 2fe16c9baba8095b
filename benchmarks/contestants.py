"""Who takes part: one row for each server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatch

GTHREAD, GEVENT, PYWSGI, WERKZEUG = "gunicorn gthread", "gunicorn gevent", "gevent.pywsgi", "Werkzeug"

GUNICORN = "{python} -m gunicorn --log-level error --bind 127.0.0.1:{port}"
COMMANDS = {
    GTHREAD: f"{GUNICORN} -k gthread --threads 4 {{module}}:app",
    GEVENT: f"{GUNICORN} -k gevent --worker-connections 20000 {{module}}:app",
    PYWSGI: "{python} serve.py pywsgi {module} {port}",
    WERKZEUG: "{python} serve.py werkzeug {module} {port}",
}
"""How each WSGI server is started."""

THREAD_EACH = f"{GUNICORN} -k gthread --threads 12000 --worker-connections 20000 {{module}}:app"
"""For an engine that keeps a thread for each connection: gunicorn starts them when they are needed."""
PYWSGI_WEBSOCKET = "{python} serve.py pywsgi-websocket {module} {port}"
UVICORN = (
    "{python} -m uvicorn {module}:app --host 127.0.0.1 --port {port} --loop uvloop --no-access-log --log-level error"
)


class Role(Enum):
    """What a server's figures are for."""

    OURS = "ours"
    PEER = "peer"
    CEILING = "ceiling"
    """What the machine allows: it speaks just enough of the protocol to echo."""
    FIXED = "fixed"
    """What a WSGI server allows: an application that answers two bytes."""


@dataclass(frozen=True)
class Contestant:
    """A server that is measured.

    In `command`, {python} is the interpreter of the peers, {port} the port to listen on, {module} the application in
    `servers/` and {peers} the folder of the peers; in the values of `environment`, {peers} and {tree}, this checkout.
    `host` is the WSGI server below it, if there is one: figures on the same host are compared with each other.
    """

    name: str
    engine: str
    role: Role
    command: str
    module: str = ""
    host: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: {"PYTHONPATH": "{tree}"})

    @property
    def title(self) -> str:
        """The name in tables and plots."""
        return f"{self.engine}, {self.host}" if self.host else self.engine


def on(host: str, name: str, engine: str, role: Role, module: str, command: str = "") -> Contestant:
    """A row of an application on a WSGI server, started as that server usually is if nothing else is said."""
    return Contestant(name, engine, role, command or COMMANDS[host], module, host)


OURS, PEER, CEILING, FIXED = Role.OURS, Role.PEER, Role.CEILING, Role.FIXED
NODE, ENGINEIO = "engine.io on Node", "python-engineio"

CONTESTANTS = (
    on(GTHREAD, "syncio-gthread", "syncio", OURS, "syncio_app"),
    on(GEVENT, "syncio-gevent", "syncio", OURS, "syncio_app"),
    on(PYWSGI, "syncio-pywsgi", "syncio", OURS, "syncio_app"),
    Contestant("node", NODE, PEER, "node node.js {port}", environment={"NODE_PATH": "{peers}/node_modules"}),
    on(GTHREAD, "engineio-gthread", ENGINEIO, PEER, "engineio_app", THREAD_EACH),
    on(WERKZEUG, "engineio-werkzeug", ENGINEIO, PEER, "engineio_app"),
    on(GEVENT, "engineio-gevent", ENGINEIO, PEER, "engineio_app"),
    on(PYWSGI, "engineio-pywsgi", ENGINEIO, PEER, "engineio_app"),
    on(PYWSGI, "engineio-pywsgi-gw", f"{ENGINEIO} (gw)", PEER, "engineio_app", PYWSGI_WEBSOCKET),
    Contestant("engineio-uvicorn", "python-engineio async, uvicorn", PEER, UVICORN, "engineio_async"),
    Contestant("picows", "picows, echo only", CEILING, "{python} picows_app.py {port}"),
    Contestant("echo-c", "C, echo only", CEILING, "{peers}/echo {port}"),
    on(GTHREAD, "fixed-gthread", "two bytes", FIXED, "fixed_app"),
    on(GEVENT, "fixed-gevent", "two bytes", FIXED, "fixed_app"),
    on(PYWSGI, "fixed-pywsgi", "two bytes", FIXED, "fixed_app"),
    on(WERKZEUG, "fixed-werkzeug", "two bytes", FIXED, "fixed_app"),
)


def named(patterns: list[str]) -> list[Contestant]:
    """Those whose names match one of the patterns; all of them without a pattern."""
    return [row for row in CONTESTANTS if not patterns or any(fnmatch(row.name, each) for each in patterns)]
