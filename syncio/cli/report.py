"""The doctor's diagnosis for people. Pure but for `print_report`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

__all__ = ["lines", "print_report"]

WIDTH = 110
LABEL = 12


def print_report(diagnosis: dict[str, Any]) -> None:
    """Print a diagnosis, as `Diagnosis.as_json` makes it."""
    print("\n".join(lines(diagnosis)))


def lines(diagnosis: dict[str, Any]) -> Iterator[str]:
    """The lines of a report."""
    patched = "monkey-patched by gevent" if diagnosis["monkey_patched"] else "not monkey-patched"
    app = diagnosis["app"]
    yield f"syncio {diagnosis['syncio']}, Python {diagnosis['python']}, {patched}"
    yield f"{app['name']} ({app['type']}), as {diagnosis['server']} would serve it"
    for engine in diagnosis["engines"]:
        yield from ("", *_engine(engine))
    yield from ("", "Servers", *_servers(diagnosis["servers"], diagnosis["server"]))
    yield from ("", "Tried, on the embedded server", *(_check(check) for check in diagnosis["checks"]))
    if diagnosis["warnings"]:
        yield from ("", "Warnings")
        for warning in diagnosis["warnings"]:
            yield textwrap.fill(warning, WIDTH, initial_indent="  WARN  ", subsequent_indent="        ")
    yield ""
    yield "All that was tried works." if diagnosis["ok"] else "Something that was tried does not work."


def _engine(engine: dict[str, Any]) -> Iterator[str]:
    origins = engine["cors_allowed_origins"]
    allowed = "the site's own" if origins is None else ", ".join(origins) if isinstance(origins, list) else origins
    upgrades = "with upgrades" if engine["allow_upgrades"] else "without upgrades"
    sessions = engine["max_sessions"] or "any number of"
    yield f"Engine {engine['where']}"
    yield from (
        _field("path", engine["path"] or "not found"),
        _field("mode", engine["async_mode"]),
        _field("transports", f"{', '.join(engine['transports'])}, {upgrades}"),
        _field("handlers", ", ".join(engine["handlers"]) or "none"),
        _field("origins", f"{allowed or 'not checked'}; credentials {'yes' if engine['cors_credentials'] else 'no'}"),
        _field("heartbeat", f"ping every {engine['ping_interval']:g} s, answer within {engine['ping_timeout']:g} s"),
        _field("limits", f"{engine['max_http_buffer_size']:,} bytes in a message, {sessions} sessions,"),
        _field("", f"{engine['send_buffer_limit']:,} bytes waiting for a client; then: {engine['send_buffer_policy']}"),
    )


def _field(label: str, value: str) -> str:
    return f"  {label:<{LABEL}}{value}"


def _servers(servers: list[dict[str, Any]], chosen: str) -> Iterator[str]:
    width = max(len(server["name"]) for server in servers) + 2
    yield f"  {'':<2}{'':<{width}}{'version':<11}{'WebSocket':<11}frees the thread"
    for server in servers:
        mark = "* " if server["name"] == chosen else "  "
        can = "yes" if server["websocket"] else "no"
        frees = "yes" if server["frees_thread"] else "no"
        version = server["version"] or "-"
        yield f"  {mark}{server['name']:<{width}}{version:<11}{can:<11}{frees:<18}{server['note']}".rstrip()
        yield f"      {server['command'] if server['version'] else server['install']}"


def _check(check: dict[str, Any]) -> str:
    took = f" ({check['seconds'] * 1000:.0f} ms)" if check["seconds"] else ""
    return f"  {'OK' if check['ok'] else 'FAIL':<6}{check['name']}: {check['detail']}{took}"
