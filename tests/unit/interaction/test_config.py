"""The options of masters and slaves: what they are by default, what None and 0 mean, and what is refused."""

from __future__ import annotations

import ssl
from dataclasses import fields
from typing import Any

import pytest

from syncio.errors import ConfigurationError
from syncio.interaction import config
from syncio.interaction.config import EndConfig, MasterConfig, SlaveConfig

BOTH: dict[str, Any] = {
    "host": "0.0.0.0",
    "channel": 0,
    "request_retries": 5,
    "request_retry_waiting": 1.0,
    "secret": None,
    "tls": None,
    "client_tls": None,
    "connect_timeout": 5.0,
    "request_timeout": 30.0,
    "max_body": 16 * 1024 * 1024,
    "wire": True,
}
MASTER: dict[str, Any] = {
    **BOTH,
    "port": 7235,
    "heartbeat_tolerance": 17.0,
    "heartbeat_check_span": 1.0,
    "my_address": None,
    "queue_size": 10_000,
    "accept_slaves": False,
    "status_page": False,
}
SLAVE: dict[str, Any] = {**BOTH, "port": 7236, "heartbeat_span": 3.0, "slots": 1, "allowed_masters": None}
KINDS: list[tuple[type[EndConfig], dict[str, Any]]] = [(MasterConfig, MASTER), (SlaveConfig, SLAVE)]
OPTIONS = [(kind, name, value) for kind, defaults in KINDS for name, value in defaults.items()]
SPANS = [
    (MasterConfig, "heartbeat_tolerance", 0.2),
    (MasterConfig, "heartbeat_check_span", 0.1),
    (SlaveConfig, "heartbeat_span", 0.2),
]
TIMES: list[tuple[type[EndConfig], str]] = [
    *[(kind, name) for kind, _ in KINDS for name in ("request_retry_waiting", "connect_timeout", "request_timeout")],
    *[(kind, name) for kind, name, _ in SPANS],
]
COUNTS = [
    *[(kind, name) for kind, _ in KINDS for name in ("request_retries", "max_body", "port", "channel")],
    (MasterConfig, "queue_size"),
    (SlaveConfig, "slots"),
]
NO_NUMBERS: list[Any] = ["1", "", b"1", True, False, [], {}, object(), 1j]


def refused(kind: type[EndConfig], name: str, value: Any) -> ConfigurationError:
    """The error with which a value is refused; it names the option."""
    with pytest.raises(ConfigurationError) as caught:
        kind.of({name: value})
    assert caught.value.option == name and str(caught.value).startswith(f"{name}=")
    return caught.value


# ---------------------------------------------------------------------- defaults


@pytest.mark.parametrize(("kind", "defaults"), KINDS)
def test_defaults(kind: type[EndConfig], defaults: dict[str, Any]) -> None:
    """They are the specification's, and there are no others."""
    made = kind()
    assert {field.name: getattr(made, field.name) for field in fields(kind)} == defaults
    assert kind.of({}) == made


@pytest.mark.parametrize(("kind", "name", "value"), OPTIONS)
def test_none_means_the_default(kind: type[EndConfig], name: str, value: Any) -> None:
    """None is no value for any option: it is as if that had not been named."""
    assert getattr(kind.of({name: None}), name) == value


def test_names_of_the_defaults() -> None:
    """The defaults have the names that the original gives them, and its values."""
    assert (config.GLOBAL_HOST, config.LOCAL_HOST) == ("0.0.0.0", "127.0.0.1")
    assert (config.DEFAULT_MASTER_PORT, config.DEFAULT_SLAVE_PORT, config.DEFAULT_CHANNEL) == (7235, 7236, 0)
    assert (config.DEFAULT_REQUEST_RETRIES, config.DEFAULT_REQUEST_RETRY_WAITING) == (5, 1.0)
    assert (config.MIN_HEARTBEAT_SPAN, config.DEFAULT_HEARTBEAT_SPAN) == (0.2, 3.0)
    assert (config.MIN_HEARTBEAT_CHECK_SPAN, config.DEFAULT_HEARTBEAT_CHECK_SPAN) == (0.1, 1.0)
    assert config.DEFAULT_HEARTBEAT_TOLERANCE == 17.0


def test_it_cannot_be_changed() -> None:
    """It was checked once, so it stays as it is."""
    with pytest.raises(AttributeError):
        MasterConfig().port = 5  # type: ignore[misc]


# ---------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *[
            (kind, name)
            for kind, _ in KINDS
            for name in ("port", "channel", "request_retries", "request_retry_waiting")
        ],
    ],
)
def test_zero_is_zero(kind: type[EndConfig], name: str) -> None:
    """Where 0 can be meant it is."""
    value = getattr(kind.of({name: 0}), name)
    assert value == 0 and not isinstance(value, bool)


@pytest.mark.parametrize(("kind", "name", "least"), SPANS)
def test_spans_have_a_least(kind: type[EndConfig], name: str, least: float) -> None:
    """A span below its least is that one, as in the original; a longer one is as it was given."""
    for given, meant in (
        (0, least),
        (0.0, least),
        (least / 2, least),
        (least, least),
        (least * 2, least * 2),
        (60, 60),
    ):
        assert getattr(kind.of({name: given}), name) == meant


@pytest.mark.parametrize(("kind", "name"), TIMES)
@pytest.mark.parametrize(
    "value",
    [*NO_NUMBERS, -1, -0.001, float("nan"), float("inf"), float("-inf"), 10**400, 1e10],
    ids=lambda value: ascii(value)[:12] if type(value) is not object else "object",
)
def test_times_that_are_none(kind: type[EndConfig], name: str, value: Any) -> None:
    """A time is a number of seconds that a clock can count."""
    assert "a number of seconds" in str(refused(kind, name, value))


@pytest.mark.parametrize("kind", [MasterConfig, SlaveConfig])
@pytest.mark.parametrize("name", ["connect_timeout", "request_timeout"])
def test_no_time_at_all(kind: type[EndConfig], name: str) -> None:
    """Nothing can be reached or answered in no time."""
    refused(kind, name, 0)
    refused(kind, name, 0.0)
    assert getattr(kind.of({name: 0.001}), name) == 0.001


@pytest.mark.parametrize(("kind", "name"), COUNTS)
@pytest.mark.parametrize("value", [*NO_NUMBERS, 1.0, float("nan")])
def test_counts_that_are_none(kind: type[EndConfig], name: str, value: Any) -> None:
    """A count is a whole number, and nothing that only looks like one."""
    assert "a whole number" in str(refused(kind, name, value))


@pytest.mark.parametrize(
    ("kind", "name", "least", "most"),
    [
        (MasterConfig, "port", 0, 65535),
        (SlaveConfig, "port", 0, 65535),
        (MasterConfig, "request_retries", 0, None),
        (MasterConfig, "max_body", 1024, None),
        (MasterConfig, "queue_size", 1, None),
        (SlaveConfig, "slots", 1, 100),
    ],
)
def test_bounds_of_counts(kind: type[EndConfig], name: str, least: int, most: int | None) -> None:
    """The bounds are allowed, and what is beyond them is refused in words that name them."""
    assert getattr(kind.of({name: least}), name) == least
    assert f"at least {least}" in str(refused(kind, name, least - 1))
    if most is None:
        assert getattr(kind.of({name: 10**6}), name) == 10**6
    else:
        assert getattr(kind.of({name: most}), name) == most
        assert f"at most {most}" in str(refused(kind, name, most + 1))


def test_channels_may_be_any_number() -> None:
    """A channel is a number of any sign."""
    assert MasterConfig(channel=-5).channel == -5 and SlaveConfig(channel=10**12).channel == 10**12


@pytest.mark.parametrize("kind", [MasterConfig, SlaveConfig])
def test_hosts(kind: type[EndConfig]) -> None:
    """A host is a text; an empty one means all interfaces, as it does elsewhere."""
    for host in ("", "::1", "localhost"):
        assert kind.of({"host": host}).host == host
    for wrong in (0, b"localhost", ["localhost"], ("127.0.0.1", 1)):
        refused(kind, "host", wrong)


@pytest.mark.parametrize("kind", [MasterConfig, SlaveConfig])
@pytest.mark.parametrize("secret", [0, 5, b"secret", ["secret"], "", " a", "a\n", "\xe9"])
def test_secrets_that_are_none(kind: type[EndConfig], secret: Any) -> None:
    """A secret is a text that can be a header; what was given instead is not repeated."""
    error = refused(kind, "secret", secret)
    assert error.value == "..."
    assert kind.of({"secret": "a b!"}).secret == "a b!"


@pytest.mark.parametrize("kind", [MasterConfig, SlaveConfig])
@pytest.mark.parametrize("name", ["tls", "client_tls"])
def test_tls(kind: type[EndConfig], name: str) -> None:
    """TLS is a context of the standard library, and not a file or a switch."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert getattr(kind.of({name: context}), name) is context
    for wrong in (True, "cert.pem", ("cert.pem", "key.pem"), 1):
        refused(kind, name, wrong)


@pytest.mark.parametrize(
    "address", ["", "10.0.0.1:7235", "ftp://10.0.0.1", 7235, b"http://10.0.0.1", ("10.0.0.1", 7235)]
)
def test_addresses_that_are_none(address: Any) -> None:
    """A master's own address is a URL."""
    refused(MasterConfig, "my_address", address)
    for right in ("http://10.0.0.1:7235", "https://master/"):
        assert MasterConfig(my_address=right).my_address == right


@pytest.mark.parametrize("hosts", ["10.0.0.1", 5, b"10.0.0.1", [5], [None], [b"x"], iter(["x"])])
def test_lists_of_masters_that_are_none(hosts: Any) -> None:
    """Masters that are allowed are a list of texts."""
    refused(SlaveConfig, "allowed_masters", hosts)


@pytest.mark.parametrize("hosts", [["A.example", "10.0.0.1"], ("a.example", "10.0.0.1"), {"a.EXAMPLE", "10.0.0.1"}])
def test_masters_that_are_allowed(hosts: Any) -> None:
    """They are a set, whose names have no capitals; an empty one allows nobody, which is not the same as None."""
    assert SlaveConfig(allowed_masters=hosts).allowed_masters == {"a.example", "10.0.0.1"}
    assert SlaveConfig(allowed_masters=[]).allowed_masters == frozenset()
    assert SlaveConfig().allowed_masters is None


# ---------------------------------------------------------------------- unknown options


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        (MasterConfig, "ports", "port"),
        (MasterConfig, "heartbeat_tolerence", "heartbeat_tolerance"),
        (MasterConfig, "retries", "request_retries"),
        (MasterConfig, "allow_slaves", "accept_slaves"),
        (SlaveConfig, "heartbeat_spam", "heartbeat_span"),
        (SlaveConfig, "slot", "slots"),
        (SlaveConfig, "allowed_master", "allowed_masters"),
        (SlaveConfig, "maxbody", "max_body"),
    ],
)
def test_unknown_options_suggest_the_nearest(kind: type[EndConfig], wrong: str, right: str) -> None:
    """A slip of the pen is a TypeError that says what was probably meant, also if its value is None."""
    for value in (1, None):
        with pytest.raises(TypeError, match=rf"'{wrong}'; did you mean '{right}'\?"):
            kind.of({wrong: value})


@pytest.mark.parametrize(("kind", "name"), [(MasterConfig, "slots"), (SlaveConfig, "my_address"), (SlaveConfig, "zzz")])
def test_options_of_the_other_end(kind: type[EndConfig], name: str) -> None:
    """What is like no option at all, or is one of the other end only, is answered with those that there are."""
    with pytest.raises(TypeError, match=f"there is no option '{name}'") as caught:
        kind.of({name: 1})
    assert "did you mean" in str(caught.value) or "request_timeout" in str(caught.value)
