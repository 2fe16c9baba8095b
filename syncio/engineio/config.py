"""The server's options: one frozen object, checked once."""

from __future__ import annotations

import difflib
import inspect
import json as standard_json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import ConfigurationError
from .packet import Json

__all__ = ["DEFAULT_LOGGER", "Origins", "ServerConfig"]

DEFAULT_LOGGER = "syncio.server"
TRANSPORTS = ("polling", "websocket")
POLICIES = ("close", "block", "drop_oldest", "drop_new")

Origins = str | Sequence[str] | Callable[..., bool] | None


@dataclass(frozen=True)
class ServerConfig:
    """Every option of `Server`, with its default. Times are seconds, sizes are bytes.

    :param async_mode: 'threading', 'gevent', or None: gevent if the process is monkey-patched, else threading.
    :param ping_interval: from one answered ping to the next; a pair is (interval, grace), where the grace is added to
        it in what the server does but not in what it announces.
    :param ping_timeout: how long a ping may stay unanswered.
    :param max_http_buffer_size: the largest POST body and the largest WebSocket message.
    :param max_packets_per_payload: the most packets in one POST body.
    :param allow_upgrades: whether polling may become a WebSocket.
    :param upgrade_timeout: from the WebSocket's opening to the end of the upgrade.
    :param http_compression: whether poll responses may be compressed.
    :param compression_threshold: the smallest body that is.
    :param per_message_deflate: whether WebSocket messages may be compressed.
    :param cookie: the name of a cookie that carries the sid, or a dict of its name and attributes.
    :param cors_allowed_origins: None for the same origin, one or several origins (``https://*.example.com`` for
        sub-domains), '*' for all, [] for no check, or a callable of the origin and, if it takes two, the environ.
    :param cors_credentials: whether other origins may send cookies.
    :param trusted_proxies: how many proxies stand in front, whose X-Forwarded-Proto and -Host are believed.
    :param logger: True for INFO and more in the library's own logger, or a logger.
    :param json: a module with dumps and loads.
    :param decode_json: whether text that is JSON reaches the handler as its value.
    :param async_handlers: whether a session is read while its handler runs.
    :param handlers_per_session: how many of one session's message handlers may overlap.
    :param transports: 'polling', 'websocket' or both.
    :param monitor_clients: whether silent clients are found and closed.
    :param send_buffer_limit: how much may wait for one slow client.
    :param send_buffer_policy: what happens beyond that: 'close', 'block', 'drop_oldest' or 'drop_new'.
    :param max_sessions: how many sessions there may be; None for any number.
    """

    async_mode: str | None = None
    ping_interval: float | tuple[float, float] = 25.0
    ping_timeout: float = 20.0
    max_http_buffer_size: int = 1_000_000
    max_packets_per_payload: int = 1024
    allow_upgrades: bool = True
    upgrade_timeout: float = 10.0
    http_compression: bool = True
    compression_threshold: int = 1024
    per_message_deflate: bool = False
    cookie: str | Mapping[str, Any] | None = None
    cors_allowed_origins: Origins = None
    cors_credentials: bool = True
    trusted_proxies: int = 0
    logger: bool | logging.Logger = False
    json: Json | None = None
    decode_json: bool = True
    async_handlers: bool = True
    handlers_per_session: int = 1
    transports: str | Sequence[str] | None = None
    monitor_clients: bool = True
    send_buffer_limit: int = 16 * 1024 * 1024
    send_buffer_policy: str = "close"
    max_sessions: int | None = None
    grace: float = field(default=0.0, init=False)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ServerConfig:
        """Make it of keyword arguments.

        :raises TypeError: for an unknown option; the message suggests the nearest one.
        :raises ConfigurationError: for a value that cannot work.
        """
        known = [f.name for f in fields(cls) if f.init]
        for name in options:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"
                raise TypeError(f"Server() has no option {name!r}{hint}")
        return cls(**options)

    def __post_init__(self) -> None:
        if isinstance(self.ping_interval, (tuple, list)):
            if len(self.ping_interval) != 2:
                raise ConfigurationError("ping_interval", self.ping_interval, "a number, or (interval, grace)")
            interval, grace = self.ping_interval
            object.__setattr__(self, "ping_interval", interval)
            object.__setattr__(self, "grace", grace)
            _number("ping_interval's grace", grace, at_least_zero=True)
        for name in ("ping_interval", "ping_timeout", "upgrade_timeout"):
            _number(name, getattr(self, name))
        for name in ("max_http_buffer_size", "max_packets_per_payload", "handlers_per_session", "send_buffer_limit"):
            _count(name, getattr(self, name), 1)
        for name in ("compression_threshold", "trusted_proxies"):
            _count(name, getattr(self, name), 0)
        if self.max_sessions is not None:
            _count("max_sessions", self.max_sessions, 1)
        if self.send_buffer_policy not in POLICIES:
            raise ConfigurationError("send_buffer_policy", self.send_buffer_policy, f"one of {', '.join(POLICIES)}")
        object.__setattr__(self, "transports", _transports(self.transports))
        object.__setattr__(self, "json", self.json if self.json is not None else standard_json)
        _check_cookie(self.cookie)
        object.__setattr__(self, "cors_allowed_origins", _origins(self.cors_allowed_origins))

    @property
    def interval(self) -> float:
        """The seconds between pings, as they are announced."""
        assert not isinstance(self.ping_interval, tuple)
        return self.ping_interval

    @property
    def codec(self) -> Json:
        """What reads and writes JSON."""
        assert self.json is not None
        return self.json


def _number(name: str, value: Any, at_least_zero: bool = False) -> None:
    wrong = isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value)
    if wrong or value < 0 or (round(value * 1000) < 1 and not at_least_zero):
        raise ConfigurationError(name, value, "it is a number of seconds, of at least 0.001")


def _count(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(name, value, f"it is a whole number of at least {least}")


def _transports(value: str | Sequence[str] | None) -> tuple[str, ...]:
    wanted = TRANSPORTS if value is None else (value,) if isinstance(value, str) else tuple(value)
    unknown = [name for name in wanted if name not in TRANSPORTS]
    if unknown or not wanted:
        raise ConfigurationError("transports", value, "it is 'polling', 'websocket' or both")
    return tuple(name for name in TRANSPORTS if name in wanted)


def _check_cookie(cookie: Any) -> None:
    if cookie is None:
        return
    name = cookie if isinstance(cookie, str) else cookie.get("name", "io") if isinstance(cookie, Mapping) else None
    if not isinstance(name, str) or not name or any(c in name for c in '=;, \t\r\n"'):
        raise ConfigurationError("cookie", cookie, "it is a cookie's name, or a dict with 'name' and attributes")


def _origins(value: Origins) -> Origins:
    if value is None or value == "*" or callable(value):
        return value
    origins = [value] if isinstance(value, str) else list(value)
    if "*" in origins:
        return "*"
    for origin in origins:
        if not isinstance(origin, str) or not _is_origin(origin):
            raise ConfigurationError(
                "cors_allowed_origins",
                value,
                f"{origin!r} is no origin: it is '*', or scheme and host like 'https://example.com', "
                "'http://localhost:5000' or 'https://*.example.com'",
            )
    return value if isinstance(value, str) else origins


def _is_origin(value: str) -> bool:
    scheme, _, host = value.partition("://")
    name = host.removeprefix("*.")
    return bool(scheme and name) and "*" not in name and not set(name) & set("/?# \t")


def takes(handler: Callable[..., Any], count: int) -> bool:
    """Whether a callable can be called with so many positional arguments."""
    try:
        inspect.signature(handler).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # no signature to be had: a builtin
        return True
    return True
