"""What can be set of masters and slaves, checked once. All times are in seconds."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from ..errors import ConfigurationError
from ..streams import TlsContext

__all__ = [
    "DEFAULT_CHANNEL",
    "DEFAULT_HEARTBEAT_CHECK_SPAN",
    "DEFAULT_HEARTBEAT_SPAN",
    "DEFAULT_HEARTBEAT_TOLERANCE",
    "DEFAULT_MASTER_PORT",
    "DEFAULT_REQUEST_RETRIES",
    "DEFAULT_REQUEST_RETRY_WAITING",
    "DEFAULT_SLAVE_PORT",
    "GLOBAL_HOST",
    "LOCAL_HOST",
    "MIN_HEARTBEAT_CHECK_SPAN",
    "MIN_HEARTBEAT_SPAN",
    "EndConfig",
    "MasterConfig",
    "SlaveConfig",
]

GLOBAL_HOST = "0.0.0.0"
LOCAL_HOST = "127.0.0.1"

DEFAULT_REQUEST_RETRIES = 5
DEFAULT_REQUEST_RETRY_WAITING = 1.0

MIN_HEARTBEAT_SPAN = 0.2
DEFAULT_HEARTBEAT_SPAN = 3.0
DEFAULT_SLAVE_PORT = 7236

MIN_HEARTBEAT_CHECK_SPAN = 0.1
DEFAULT_HEARTBEAT_CHECK_SPAN = 1.0
DEFAULT_HEARTBEAT_TOLERANCE = 17.0
DEFAULT_MASTER_PORT = 7235

DEFAULT_CHANNEL = 0

MOST_SLOTS = 100

LONGEST = 1e9
"""Seconds: 31 years, which every clock can count."""

C = TypeVar("C", bound="EndConfig")


@dataclass(frozen=True, kw_only=True)
class EndConfig:
    """What both ends have. None means the default everywhere; 0 means 0.

    :param host: where the end listens.
    :param port: 0 for any free port.
    :param channel: both ends have to be on the same one.
    :param request_retries: how often a request is tried again that had no answer.
    :param request_retry_waiting: how long the first of those waits; the next ones wait longer, each a bit by chance.
    :param secret: what a master has to know that wants a slave, and a slave that joins a master. It is sent as it is:
        use TLS where others can read along.
    :param tls: the certificate with which the end serves; with `verify_mode` it asks for the other's.
    :param client_tls: what the end expects of, and shows, whom it calls by https; None for the system's authorities.
    :param connect_timeout: for the beginning of a connection.
    :param request_timeout: for the answer to a request.
    :param max_body: bytes of a request or an answer, and so of a task's data and result.
    :param wire: whether tasks, progress, results and heartbeats may travel over one WebSocket, if the other end can.
    """

    host: str = GLOBAL_HOST
    port: int = 0
    channel: int = DEFAULT_CHANNEL
    request_retries: int = DEFAULT_REQUEST_RETRIES
    request_retry_waiting: float = DEFAULT_REQUEST_RETRY_WAITING
    secret: str | None = None
    tls: TlsContext | None = None
    client_tls: TlsContext | None = None
    connect_timeout: float = 5.0
    request_timeout: float = 30.0
    max_body: int = 16 * 1024 * 1024
    wire: bool = True

    @classmethod
    def of(cls: type[C], options: Mapping[str, Any]) -> C:
        """Make it of keyword arguments, those that are None left out.

        :raises TypeError: for an unknown option; the message suggests the nearest one.
        :raises ConfigurationError: for a value that cannot work.
        """
        known = [f.name for f in fields(cls)]
        for name in options:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"
                raise TypeError(f"there is no option {name!r}{hint}")
        return cls(**{name: value for name, value in options.items() if value is not None})

    def __post_init__(self) -> None:
        _number("request_retry_waiting", self.request_retry_waiting, 0.0)
        _number("connect_timeout", self.connect_timeout, 0.001)
        _number("request_timeout", self.request_timeout, 0.001)
        _count("request_retries", self.request_retries, 0)
        _count("max_body", self.max_body, 1024)
        _count("port", self.port, 0, 65535)
        if isinstance(self.channel, bool) or not isinstance(self.channel, int):
            raise ConfigurationError("channel", self.channel, "it is a whole number")
        if not isinstance(self.host, str):
            raise ConfigurationError("host", self.host, "it is the name or the address of an interface")
        for name, tls in (("tls", self.tls), ("client_tls", self.client_tls)):
            if tls is not None and not hasattr(tls, "wrap_bio"):
                raise ConfigurationError(name, tls, "it is an ssl.SSLContext")
        # In a header, white space around it would be lost.
        secret = self.secret
        if secret is not None and not (isinstance(secret, str) and secret and _is_field(secret)):
            raise ConfigurationError(
                "secret", "...", "it is a text of ASCII characters, not empty, without space around"
            )


@dataclass(frozen=True, kw_only=True)
class MasterConfig(EndConfig):
    """What a master has beside that.

    :param heartbeat_tolerance: how long a slave may be silent before it is lost; at least 0.2.
    :param heartbeat_check_span: how late that may be noticed; at least 0.1.
    :param my_address: the URL at which slaves reach the master; None for what it listens on, as each slave sees it.
    :param queue_size: how many tasks may wait for a slave; `submit` waits then.
    :param accept_slaves: whether slaves may join of their own accord.
    :param status_page: whether the master shows its slaves and tasks at '/'. With a secret that is the password.
    """

    port: int = DEFAULT_MASTER_PORT
    heartbeat_tolerance: float = DEFAULT_HEARTBEAT_TOLERANCE
    heartbeat_check_span: float = DEFAULT_HEARTBEAT_CHECK_SPAN
    my_address: str | None = None
    queue_size: int = 10_000
    accept_slaves: bool = False
    status_page: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _number("heartbeat_tolerance", self.heartbeat_tolerance, 0.0)
        _number("heartbeat_check_span", self.heartbeat_check_span, 0.0)
        _count("queue_size", self.queue_size, 1)
        object.__setattr__(self, "heartbeat_tolerance", max(self.heartbeat_tolerance, MIN_HEARTBEAT_SPAN))
        object.__setattr__(self, "heartbeat_check_span", max(self.heartbeat_check_span, MIN_HEARTBEAT_CHECK_SPAN))
        address = self.my_address
        if address is not None and not (isinstance(address, str) and address.startswith(("http://", "https://"))):
            raise ConfigurationError("my_address", self.my_address, "it is a URL like 'http://10.0.0.1:7235'")


@dataclass(frozen=True, kw_only=True)
class SlaveConfig(EndConfig):
    """What a slave has beside that.

    :param heartbeat_span: how often it tells its master that it lives; at least 0.2.
    :param slots: how many tasks it works on at the same time; at most 100, because the relay has 128 workers, and some
        have to be left for the master. For more there are more slaves.
    :param allowed_masters: the hosts at which a master may be, as its address names them; None for any.
    """

    port: int = DEFAULT_SLAVE_PORT
    heartbeat_span: float = DEFAULT_HEARTBEAT_SPAN
    slots: int = 1
    allowed_masters: Collection[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _number("heartbeat_span", self.heartbeat_span, 0.0)
        _count("slots", self.slots, 1, MOST_SLOTS)
        object.__setattr__(self, "heartbeat_span", max(self.heartbeat_span, MIN_HEARTBEAT_SPAN))
        hosts = self.allowed_masters
        if hosts is None:
            return
        is_list = isinstance(hosts, Collection) and not isinstance(hosts, str)
        if not is_list or not all(isinstance(host, str) for host in hosts):
            raise ConfigurationError("allowed_masters", hosts, "it is a list of hosts")
        object.__setattr__(self, "allowed_masters", frozenset(host.lower() for host in hosts))


def _is_field(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


def _number(name: str, value: Any, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= LONGEST:
        raise ConfigurationError(name, value, f"it is a number of seconds, from {least:g} to {LONGEST:g}")


def _count(name: str, value: Any, least: int, most: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        upper = "" if most is None else f" and at most {most}"
        raise ConfigurationError(name, value, f"it is a whole number of at least {least}{upper}")
