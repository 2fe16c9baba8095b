"""Every option: its default, what it takes, what it refuses, and how helpful it is about that."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from syncio import Server
from syncio.engineio.config import ServerConfig, takes
from syncio.errors import ConfigurationError, SyncioError

DEFAULTS = {
    "async_mode": None,
    "ping_interval": 25.0,
    "ping_timeout": 20.0,
    "max_http_buffer_size": 1_000_000,
    "max_packets_per_payload": 1024,
    "allow_upgrades": True,
    "upgrade_timeout": 10.0,
    "http_compression": True,
    "compression_threshold": 1024,
    "per_message_deflate": False,
    "cookie": None,
    "cors_allowed_origins": None,
    "cors_credentials": True,
    "logger": False,
    "async_handlers": True,
    "handlers_per_session": 1,
    "monitor_clients": True,
    "send_buffer_limit": 16 * 1024 * 1024,
    "send_buffer_policy": "close",
    "max_sessions": None,
    "decode_json": True,
    "trusted_proxies": 0,
}
TIMES = ("ping_interval", "ping_timeout", "upgrade_timeout")
COUNTS = ("max_http_buffer_size", "max_packets_per_payload", "handlers_per_session", "send_buffer_limit")


def test_defaults() -> None:
    """They are the specification's; both transports, and the standard library's JSON."""
    config = ServerConfig.of({})
    assert {name: getattr(config, name) for name in DEFAULTS} == DEFAULTS
    assert config.transports == ("polling", "websocket")
    assert config.codec is json


def test_it_cannot_be_changed() -> None:
    """It was checked once, so it stays as it is."""
    with pytest.raises(AttributeError):
        ServerConfig().ping_interval = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("ping_intervall", "ping_interval"),
        ("pingTimeout", "ping_timeout"),
        ("max_http_buffersize", "max_http_buffer_size"),
        ("cors_allowed_origin", "cors_allowed_origins"),
        ("cookies", "cookie"),
        ("transport", "transports"),
        ("max_session", "max_sessions"),
    ],
)
def test_unknown_options_suggest_the_nearest(wrong: str, right: str) -> None:
    """A slip of the pen is a TypeError that says what was probably meant."""
    with pytest.raises(TypeError, match=rf"{wrong}.*did you mean '{right}'"):
        Server(**{wrong: 1})


def test_unknown_options_without_a_neighbour() -> None:
    """When nothing is near, all that there is is named."""
    with pytest.raises(TypeError, match=r"'qqqqqq'.*ping_interval.*max_sessions"):
        Server(qqqqqq=1)


def test_what_is_derived_is_no_option() -> None:
    """The grace comes with ping_interval only."""
    with pytest.raises(TypeError, match="grace"):
        Server(grace=1)


# ---------------------------------------------------------------------- numbers


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", [0, -1, 0.0, -0.5, float("nan"), float("inf"), "25", None, True, [], {}, b"1"])
def test_times_refuse(name: str, value: Any) -> None:
    """A time is a finite number of seconds, greater than 0; the error names the option and the value."""
    with pytest.raises(ConfigurationError, match=name) as caught:
        ServerConfig.of({name: value})
    assert caught.value.option.startswith(name)


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", [1, 0.25, 86400])
def test_times_take(name: str, value: float) -> None:
    """Whole seconds and fractions."""
    assert getattr(ServerConfig.of({name: value}), name) == value


@pytest.mark.parametrize("name", ["ping_interval", "ping_timeout"])
def test_times_that_would_be_announced_as_nothing(name: str) -> None:
    """Less than half a millisecond cannot be said to a client."""
    with pytest.raises(ConfigurationError, match=name):
        ServerConfig.of({name: 0.0004})


@pytest.mark.parametrize("pair", [(25, 5), [25.0, 5.0]])
def test_an_interval_with_a_grace(pair: Any) -> None:
    """A pair is the interval as announced, and the grace beyond it."""
    config = ServerConfig.of({"ping_interval": pair})
    assert (config.interval, config.ping_interval, config.grace) == (25, 25, 5)


@pytest.mark.parametrize("pair", [(), (25,), (25, 5, 1), (25, -1), (0, 5), ("25", 5), (25, None), (25, True)])
def test_a_wrong_pair(pair: Any) -> None:
    """Both of it are checked; a grace of 0 is allowed, less is not."""
    with pytest.raises(ConfigurationError, match="ping_interval"):
        ServerConfig.of({"ping_interval": pair})
    assert ServerConfig.of({"ping_interval": (25, 0)}).grace == 0


@pytest.mark.parametrize("name", [*COUNTS, "max_sessions"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "10", True, float("inf")])
def test_counts_refuse(name: str, value: Any) -> None:
    """A count is a whole number of at least 1."""
    with pytest.raises(ConfigurationError, match=name):
        ServerConfig.of({name: value})


@pytest.mark.parametrize("name", COUNTS)
def test_counts_need_a_value(name: str) -> None:
    """Only max_sessions may be None."""
    with pytest.raises(ConfigurationError, match=name):
        ServerConfig.of({name: None})
    assert getattr(ServerConfig.of({name: 1}), name) == 1
    assert ServerConfig.of({"max_sessions": 1}).max_sessions == 1


@pytest.mark.parametrize("name", ["compression_threshold", "trusted_proxies"])
def test_counts_from_zero(name: str) -> None:
    """These two may be 0, and nothing below it."""
    assert getattr(ServerConfig.of({name: 0}), name) == 0
    with pytest.raises(ConfigurationError, match=name):
        ServerConfig.of({name: -1})


# ---------------------------------------------------------------------- words


@pytest.mark.parametrize("policy", ["close", "block", "drop_oldest", "drop_new"])
def test_policies(policy: str) -> None:
    """The four that there are."""
    assert ServerConfig.of({"send_buffer_policy": policy}).send_buffer_policy == policy


@pytest.mark.parametrize("policy", ["", "drop", "CLOSE", None, 1])
def test_other_policies(policy: Any) -> None:
    """Another one is refused with the list."""
    with pytest.raises(ConfigurationError, match="drop_oldest"):
        ServerConfig.of({"send_buffer_policy": policy})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, ("polling", "websocket")),
        ("polling", ("polling",)),
        ("websocket", ("websocket",)),
        (["websocket"], ("websocket",)),
        (("websocket", "polling"), ("polling", "websocket")),
    ],
)
def test_transports(given: Any, kept: tuple[str, ...]) -> None:
    """One, both, or both by saying nothing."""
    assert ServerConfig.of({"transports": given}).transports == kept


@pytest.mark.parametrize("given", [[], (), "", "webtransport", ["polling", "flash"]])
def test_other_transports(given: Any) -> None:
    """None at all, and what we do not speak."""
    with pytest.raises(ConfigurationError, match="transports"):
        ServerConfig.of({"transports": given})


@pytest.mark.parametrize("cookie", [None, "io", {"name": "io"}, {"name": "io", "path": "/", "Secure": True}, {}])
def test_cookies(cookie: Any) -> None:
    """A name, or a dict with one; a dict without one has the name `io`."""
    assert ServerConfig.of({"cookie": cookie}).cookie == cookie


@pytest.mark.parametrize(
    "cookie", ["", "a=b", "a;b", "a b", "a\r\nSet-Cookie: b", 5, True, ["io"], {"name": ""}, {"name": 1}]
)
def test_wrong_cookies(cookie: Any) -> None:
    """What cannot be a cookie's name, or would break the header."""
    with pytest.raises(ConfigurationError, match="cookie"):
        ServerConfig.of({"cookie": cookie})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ("*", "*"),
        ([], []),
        ("https://a.example", "https://a.example"),
        (("https://a.example", "http://b.example:8000"), ["https://a.example", "http://b.example:8000"]),
        (["https://a.example", "*"], "*"),
        (["https://*.example.com"], ["https://*.example.com"]),
    ],
)
def test_origins(given: Any, kept: Any) -> None:
    """None, one, several, all, and [] for no check."""
    assert ServerConfig.of({"cors_allowed_origins": given}).cors_allowed_origins == kept


@pytest.mark.parametrize(
    "given",
    [
        [1],
        [None],
        [b"https://a.example"],
        "",
        "example.com",
        ["example.com"],
        "localhost:5000",
        "https://",
        "*.example.com",
        "https://*",
        ["https://*.", "https://a.example"],
    ],
)
def test_wrong_origins(given: Any) -> None:
    """What no browser could ever send as its origin would let in nobody, or the wrong ones, and is refused."""
    with pytest.raises(ConfigurationError, match="cors_allowed_origins"):
        ServerConfig.of({"cors_allowed_origins": given})


@pytest.mark.parametrize("mode", ["threads", "eventlet", "asyncio", "Threading"])
def test_other_modes(mode: str) -> None:
    """A mode that does not exist is refused with those that do."""
    with pytest.raises(ConfigurationError, match=r"async_mode.*threading.*gevent"):
        Server(async_mode=mode)


def test_configuration_errors_are_value_errors() -> None:
    """Who catches ValueError catches them, and who catches the library's root too."""
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(ConfigurationError, SyncioError)


# ---------------------------------------------------------------------- on the server


def test_every_option_is_an_attribute() -> None:
    """What was configured can be read from the server by the same name."""
    server = Server(ping_interval=(3, 1), ping_timeout=2, cookie="io", max_sessions=7, transports="polling")
    assert (server.ping_interval, server.ping_timeout, server.cookie, server.max_sessions) == (3, 2, "io", 7)
    assert server.transports == ("polling",)
    for name in DEFAULTS:
        getattr(server, name)
    assert isinstance(server.logger, logging.Logger)
    assert server.async_mode in ("threading", "gevent")


def test_other_attributes_are_not_there() -> None:
    """A name that is no option is an AttributeError as everywhere."""
    with pytest.raises(AttributeError, match="no_such_thing"):
        Server().no_such_thing  # noqa: B018


def test_a_logger_can_be_given() -> None:
    """Its own or another; in neither case are handlers added or levels set."""
    own = logging.getLogger("tests.own")
    assert Server(logger=own).logger is own
    for option in (True, False):
        logger = Server(logger=option).logger
        assert logger.name.startswith("syncio")
        assert logger.handlers == []
        assert logger.level == logging.NOTSET


def test_all_origins_with_credentials_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """The most dangerous combination is said aloud once, at construction, with what to do about it."""
    with caplog.at_level(logging.WARNING):
        Server(cors_allowed_origins="*")
    assert "cors_credentials=False" in caplog.text
    caplog.clear()
    Server(cors_allowed_origins="*", cors_credentials=False)
    Server(cors_allowed_origins=["https://a.example"])
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("function", "counts"),
    [
        (lambda a, b: None, {2}),
        (lambda a, b=1: None, {1, 2}),
        (lambda *args: None, {0, 1, 2, 3}),
        (lambda a, *, b=1: None, {1}),
        (lambda a, *, b: None, set()),
        (lambda a, b, c: None, {3}),
        ([].append, {1}),
    ],
)
def test_takes(function: Callable[..., Any], counts: set[int]) -> None:
    """How many arguments a callable takes is seen without calling it."""
    assert {count for count in range(4) if takes(function, count)} == counts
