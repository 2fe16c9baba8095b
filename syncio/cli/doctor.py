"""``syncio doctor module:app``: what is in an application, which servers can serve it, and whether it works."""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict, dataclass
from typing import Any

from .. import __version__
from ..runtime.choose import is_monkey_patched
from .advice import advise, worker_processes
from .engines import Mount, find_engines
from .hosts import HOSTS, Host, host_named
from .probe import Check, Probe
from .problem import FAILED, OK, Problem
from .report import print_report
from .serving import bind, prepare, start, stop
from .target import Target, load

__all__ = ["Diagnosis", "add_parser"]

DEFAULT_PATH = "/engine.io/"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("doctor", help="look into an application and try it", description=__doc__)
    parser.add_argument("app", metavar="module:app", help="the application; module:create_app() for a factory")
    names = [host.name for host in HOSTS]
    parser.add_argument("--server", choices=names, metavar="NAME", help=f"what will serve it: {', '.join(names)}")
    parser.add_argument("--workers", type=int, help="how many processes will (default: what gunicorn is told)")
    parser.add_argument("--path", help=f"where the engine is (default: what is found, else {DEFAULT_PATH})")
    parser.add_argument(
        "--header", action="append", default=[], metavar="'NAME: VALUE'", help="for connect handlers that ask for one"
    )
    parser.add_argument("--json", action="store_true", help="print the diagnosis as JSON")
    parser.set_defaults(command=doctor)


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found.

    :param target: the application.
    :param mounts: the servers in it.
    :param host: the WSGI server that is to serve it.
    :param is_patched: whether gevent has patched the process.
    :param checks: what was tried.
    :param warnings: what works, and is probably not what is wanted.
    """

    target: Target
    mounts: list[Mount]
    host: Host
    is_patched: bool
    checks: list[Check]
    warnings: list[str]

    @property
    def ok(self) -> bool:
        """Whether all that was tried went well."""
        return all(check.ok for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "syncio": __version__,
            "python": platform.python_version(),
            "app": {"name": self.target.spec, "type": type(self.target.app).__name__},
            "monkey_patched": self.is_patched,
            "engines": [_describe(mount) for mount in self.mounts],
            "server": self.host.name,
            "servers": [_host_as_json(host, self.target) for host in HOSTS],
            "checks": [asdict(check) for check in self.checks],
            "warnings": self.warnings,
            "ok": self.ok,
        }


def doctor(options: argparse.Namespace) -> int:
    """Examine an application and print what was found.

    :raises Problem: if it cannot be loaded.
    """
    headers = _headers(options.header)
    host = host_named(options.server or "syncio-threads")
    prepare("gevent" if host.greenlets else "threads")
    target = load(options.app)
    mounts = find_engines(target)
    workers = worker_processes(os.environ) if options.workers is None else options.workers
    diagnosis = Diagnosis(
        target,
        mounts,
        host,
        is_monkey_patched(),
        _try(target, mounts, "gevent" if host.greenlets else "threads", options.path, headers),
        advise(mounts, host, workers, is_monkey_patched()),
    )
    if options.json:
        print(json.dumps(diagnosis.as_json(), indent=2))
    else:
        print_report(diagnosis.as_json())
    return OK if diagnosis.ok else FAILED


def _try(target: Target, mounts: list[Mount], worker: str, path: str | None, headers: dict[str, str]) -> list[Check]:
    """Serve the application on a free port and talk to its first engine."""
    if not mounts:
        return [Check("engine", False, f"there is no syncio.Server in {target.spec}, nor in a name of its module")]
    first = mounts[0]
    checks = [Check("engine", True, f"found: {first.where}")]
    with bind("127.0.0.1", 0) as listener:
        address = listener.getsockname()[:2]
        server = start(worker, listener, target.app)
        try:
            checks += Probe(address, path or first.path or DEFAULT_PATH, headers).run(_transports(first))
        finally:
            stop(server, [mount.server for mount in mounts])
    return checks


def _headers(lines: list[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise Problem(f"--header {line!r} is not of the form 'Name: value'")
        headers[name.strip()] = value.strip()
    return headers


def _describe(mount: Mount) -> dict[str, Any]:
    config = mount.server.config
    origins = config.cors_allowed_origins
    return {
        "where": mount.where,
        "path": mount.path,
        "async_mode": mount.server.async_mode,
        "transports": list(_transports(mount)),
        "allow_upgrades": config.allow_upgrades,
        "ping_interval": config.interval,
        "ping_timeout": config.ping_timeout,
        "max_http_buffer_size": config.max_http_buffer_size,
        "max_sessions": config.max_sessions,
        "send_buffer_limit": config.send_buffer_limit,
        "send_buffer_policy": config.send_buffer_policy,
        "cors_allowed_origins": "a function" if callable(origins) else origins,
        "cors_credentials": config.cors_credentials,
        "trusted_proxies": config.trusted_proxies,
        "handlers": sorted(mount.server.handlers),
    }


def _transports(mount: Mount) -> tuple[str, ...]:
    return tuple(mount.server.config.transports or ())


def _host_as_json(host: Host, target: Target) -> dict[str, Any]:
    return {
        "name": host.name,
        "version": host.version,
        "websocket": host.websocket,
        "frees_thread": host.frees_thread,
        "command": host.command(target),
        "install": f"pip install {host.install}",
        "note": host.note,
    }
