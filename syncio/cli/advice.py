"""What the doctor warns of: settings that work, and do not do what is wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from ..engineio import Server
from .engines import Mount
from .hosts import Host

__all__ = ["advise", "worker_processes"]

PROXY_PATIENCE = 60.0
"""Seconds after which many proxies, as they are installed, cut a connection on which nothing passes."""
_WORKER_OPTIONS = ("--workers", "-w")


def advise(mounts: list[Mount], host: Host, workers: int, is_patched: bool) -> list[str]:
    """Warnings, in full sentences.

    :param mounts: the servers in the application.
    :param host: the WSGI server that is to serve it.
    :param workers: the number of its processes.
    :param is_patched: whether gevent has patched the process, now that the application is imported.
    """
    found = list(_about_host(host, workers))
    if is_patched and not host.greenlets:
        found.append(
            f"importing the application monkey-patches the process, which {host.name} does not expect: use a gevent "
            "server, which patches before anything else is imported, or leave the patching out."
        )
    for mount in mounts:
        found += _about_mode(mount.server, host)
        found += _about_options(mount.server)
        if mount.path is None:
            found.append(f"{mount.where} was found, but no syncio.WSGIApp that has it; is it mounted at all?")
    return found


def worker_processes(environ: Mapping[str, str]) -> int:
    """How many processes gunicorn is told to start by the environment: WEB_CONCURRENCY, GUNICORN_CMD_ARGS."""
    workers = environ.get("WEB_CONCURRENCY", "1")
    words = environ.get("GUNICORN_CMD_ARGS", "").replace("=", " ").split()
    for option, value in pairwise(words):
        if option in _WORKER_OPTIONS:
            workers = value
    return int(workers) if workers.isdigit() else 1


def _about_host(host: Host, workers: int) -> Iterator[str]:
    if workers > 1:
        yield (
            f"{workers} worker processes: a session lives in one of them, so all requests of a client have to reach "
            "the same one (sticky sessions). gunicorn's processes share one port and cannot do that: use one process "
            "with threads or greenlets, or several on ports of their own behind a proxy that can."
        )
    if not host.websocket:
        yield (
            f"{host.name} keeps its sockets to itself: long polling only, and every waiting poll holds a thread. "
            "gunicorn with gthread, gevent, or `syncio run` give WebSocket."
        )
    if host.name == "gunicorn-sync":
        yield "gunicorn's sync worker serves one request at a time; use --worker-class gthread --threads 8."


def _about_mode(server: Server, host: Host) -> Iterator[str]:
    if host.greenlets and server.async_mode == "threading":
        yield (
            f"async_mode='threading' under {host.name}, which serves greenlets: leave async_mode out, and syncio finds "
            "that the process is monkey-patched."
        )
    if not host.greenlets and server.async_mode == "gevent":
        yield (
            f"async_mode='gevent' under {host.name}, which serves threads: a handler that waits stops all others. "
            "Leave async_mode out, or use a gevent server."
        )


def _about_options(server: Server) -> Iterator[str]:
    config = server.config
    if config.cors_allowed_origins == "*" and config.cors_credentials:
        yield (
            "cors_allowed_origins='*' with credentials: every site can act with your users' cookies. Name the origins, "
            "or set cors_credentials=False."
        )
    if isinstance(config.cors_allowed_origins, list) and not config.cors_allowed_origins:
        yield "cors_allowed_origins=[] checks no origin at all. Name the origins, or None for the site's own."
    if config.interval >= PROXY_PATIENCE:
        yield f"ping_interval is {config.interval:g} s: proxies that cut silent connections after 60 s will do so."
    if not config.monitor_clients:
        yield "monitor_clients=False: clients that vanish without a word are never noticed."
    if "message" not in server.handlers:
        yield "no handler for 'message' is registered: what clients send is thrown away."
