"""Origins: who may talk to the server, and what browsers are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from syncio.engineio.answers import Refused
from syncio.engineio.config import ServerConfig
from syncio.engineio.cors import Cors

ABSENT = object()


def cors(allowed: Any = None, **options: Any) -> Cors:
    """The rule that these options make."""
    return Cors(ServerConfig.of({"cors_allowed_origins": allowed, **options}))


def environ(
    origin: Any = ABSENT, host: str | None = "site.example", scheme: str = "http", **more: str
) -> dict[str, Any]:
    """A request's environment."""
    fields: dict[str, Any] = {"REQUEST_METHOD": "GET", "wsgi.url_scheme": scheme, **more}
    if origin is not ABSENT:
        fields["HTTP_ORIGIN"] = origin
    if host is not None:
        fields["HTTP_HOST"] = host
    return fields


def lets_in(rule: Cors, request: dict[str, Any]) -> bool:
    """Whether the request passes; what it is told agrees with that."""
    try:
        rule.check(request)
    except Refused as refused:
        assert refused.answer.status == 403
        assert "Access-Control-Allow-Origin" not in dict(rule.headers(request))
        return False
    return True


# ---------------------------------------------------------------------- the same origin


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "same"),
    [
        ("http://site.example", "site.example", "http", True),
        ("http://SITE.example", "site.EXAMPLE", "http", True),
        ("http://site.example:80", "site.example", "http", True),
        ("http://site.example", "site.example:80", "http", True),
        ("https://site.example:443", "site.example", "https", True),
        ("http://site.example:8000", "site.example:8000", "http", True),
        ("http://[::1]:8000", "[::1]:8000", "http", True),
        ("https://site.example", "site.example", "http", False),
        ("http://site.example", "site.example", "https", False),
        ("http://site.example:8000", "site.example", "http", False),
        ("http://site.example", "site.example:8000", "http", False),
        ("http://site.example.evil.example", "site.example", "http", False),
        ("http://evil-site.example", "site.example", "http", False),
        ("http://site.example@evil.example", "site.example", "http", False),
        ("http://evil.example#site.example", "site.example", "http", False),
        ("null", "site.example", "http", False),
        ("", "site.example", "http", False),
        ("http://", "site.example", "http", False),
        ("site.example", "site.example", "http", False),
        ("http://site.example:99999", "site.example", "http", False),
        ("http://[", "site.example", "http", False),
        ("http://site.example", None, "http", False),
        ("null", None, "http", False),
        ("", "", "http", False),
    ],
)
def test_the_same_origin(origin: str, host: str | None, scheme: str, same: bool) -> None:
    """By default scheme, host and port must be the site's own; default ports are equal to none."""
    assert lets_in(cors(), environ(origin, host, scheme)) is same


def test_no_origin_passes() -> None:
    """What is no browser, or a request of the page to its own server, says no origin."""
    for rule in (cors(), cors("https://a.example"), cors(lambda origin: False), cors([])):
        assert lets_in(rule, environ())


# ---------------------------------------------------------------------- lists and patterns


@pytest.mark.parametrize(
    ("allowed", "origin", "passes"),
    [
        ("https://a.example", "https://a.example", True),
        ("https://a.example", "https://A.Example:443", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://b.a.example", False),
        ("https://a.example:8443", "https://a.example", False),
        (["https://a.example", "http://b.example:8000"], "http://b.example:8000", True),
        (["https://a.example", "http://b.example:8000"], "http://b.example", False),
        (["https://a.example"], "null", False),
        (["https://a.example"], "", False),
        (["https://a.example"], "http://site.example", False),
        ("*", "https://anything.example", True),
        ("*", "null", True),
        ([], "https://anything.example", True),
        (["https://*.a.example"], "https://b.a.example", True),
        (["https://*.a.example"], "https://c.b.a.example", True),
        (["https://*.a.example"], "https://B.A.EXAMPLE", True),
        (["https://*.a.example"], "https://b.a.example:443", True),
        (["https://*.a.example"], "https://a.example", False),
        (["https://*.a.example"], "https://eviala.example", False),
        (["https://*.a.example"], "https://b.a.example.evil.example", False),
        (["https://*.a.example"], "http://b.a.example", False),
        (["https://*.a.example"], "https://b.a.example:8443", False),
        (["https://*.a.example:8443"], "https://b.a.example:8443", True),
        (["https://*.a.example:8443"], "https://b.a.example", False),
        (["https://*.a.example"], "https://evil.example/.a.example", False),
        (["https://*.a.example"], "https://evil.example?.a.example", False),
        (["https://*.a.example"], "https://evil.example#.a.example", False),
        (["https://*.a.example"], "https://x@evil.example", False),
        (["https://*.a.example"], "null", False),
    ],
)
def test_allowed_origins(allowed: Any, origin: str, passes: bool) -> None:
    """One, several, all, no check, and sub-domains, which the domain itself is not one of."""
    assert lets_in(cors(allowed), environ(origin)) is passes


# ---------------------------------------------------------------------- functions


def test_a_function_of_the_origin() -> None:
    """It is asked with what the browser said."""
    seen: list[str] = []

    def allowed(origin: str) -> bool:
        seen.append(origin)
        return origin.endswith(".example")

    assert lets_in(cors(allowed), environ("https://a.example"))
    assert not lets_in(cors(allowed), environ("https://a.invalid"))
    assert set(seen) == {"https://a.example", "https://a.invalid"}


def test_a_function_of_the_origin_and_the_environment() -> None:
    """If it takes two, it is given the request as well."""
    request = environ("https://a.example", HTTP_X_TENANT="a")
    rule = cors(lambda origin, env: f"//{env['HTTP_X_TENANT']}." in origin)
    assert lets_in(rule, request)
    assert not lets_in(rule, environ("https://b.example", HTTP_X_TENANT="a"))


@pytest.mark.parametrize("answer", [None, 0, "", []])
def test_a_function_that_does_not_say_yes(answer: Any) -> None:
    """Whatever is not true is no."""
    assert not lets_in(cors(lambda origin: answer), environ("https://a.example"))


def test_a_function_that_raises_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """The origin is refused, and the log has the traceback."""

    def broken(origin: str) -> bool:
        raise ZeroDivisionError(origin)

    assert not lets_in(cors(broken), environ("https://a.example"))
    assert "ZeroDivisionError" in caplog.text


# ---------------------------------------------------------------------- proxies

PROTO, FORWARDED_HOST = "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"


def test_forwarded_headers_are_not_believed() -> None:
    """Anybody can send them, so by default they mean nothing."""
    request = environ("https://public.example", **{PROTO: "https", FORWARDED_HOST: "public.example"})
    assert not lets_in(cors(), request)
    assert lets_in(cors(trusted_proxies=1), request)


@pytest.mark.parametrize(
    ("proxies", "proto", "host", "origin", "passes"),
    [
        (1, "https", None, "https://site.example", True),
        (1, None, "public.example", "http://public.example", True),
        (1, "evil, https", "evil.example, public.example", "https://public.example", True),
        (1, "https, https", "evil.example, public.example", "https://evil.example", False),
        (2, "https, http", "public.example, inner.example", "https://public.example", True),
        (2, "x, https, http", "evil.example, public.example, inner.example", "https://evil.example", False),
        (3, "https", "public.example", "https://public.example", True),
        (1, ",", ",", "http://site.example", True),
    ],
)
def test_trusted_proxies(proxies: int, proto: str | None, host: str | None, origin: str, passes: bool) -> None:
    """Of a list only what the trusted ones have added counts: it grows on its right."""
    more = {name: value for name, value in ((PROTO, proto), (FORWARDED_HOST, host)) if value is not None}
    assert lets_in(cors(trusted_proxies=proxies), environ(origin, **more)) is passes


# ---------------------------------------------------------------------- words and headers


@pytest.mark.parametrize(
    ("allowed", "named"),
    [
        (None, "http://site.example"),
        (["https://a.example", "https://b.example"], "https://a.example, https://b.example"),
        (lambda origin: False, "function"),
    ],
)
def test_the_error_helps(allowed: Any, named: str) -> None:
    """It names the origin that came, those that are allowed, and the line to write."""
    with pytest.raises(Refused) as caught:
        cors(allowed).check(environ("https://new.example"))
    message = json.loads(caught.value.answer.body)["message"]
    for words in ("'https://new.example'", named, "cors_allowed_origins=['https://new.example']"):
        assert words in message
        assert words in caught.value.detail


def test_the_error_does_not_grow() -> None:
    """A megabyte of origin is not sent back."""
    with pytest.raises(Refused) as caught:
        cors().check(environ("https://" + "x" * 1_000_000))
    assert len(caught.value.answer.body) < 1000


def told(rule: Cors, **request: Any) -> dict[str, str]:
    """What an answer says."""
    return dict(rule.headers(environ(**request)))


def test_an_allowed_origin_is_echoed() -> None:
    """With credentials, as the default is; caches are told that the answer depends on the origin."""
    assert told(cors("https://a.example"), origin="https://a.example") == {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": "https://a.example",
        "Access-Control-Allow-Credentials": "true",
    }


def test_all_origins_are_echoed_too() -> None:
    """A browser takes no `*` together with credentials."""
    assert told(cors("*"), origin="https://a.example")["Access-Control-Allow-Origin"] == "https://a.example"


def test_without_credentials() -> None:
    """Then nothing is said of them."""
    assert "Access-Control-Allow-Credentials" not in told(cors("*", cors_credentials=False), origin="https://a.example")


@pytest.mark.parametrize("origin", [ABSENT, "https://evil.example"])
def test_others_are_told_nothing(origin: Any) -> None:
    """No origin and a foreign one get no permission, and the answer depends on the origin all the same."""
    assert told(cors("https://a.example"), origin=origin) == {"Vary": "Origin"}


def test_no_check_says_nothing() -> None:
    """With [] somebody else is in charge of these headers."""
    assert told(cors([]), origin="https://a.example") == {}


def test_a_preflight() -> None:
    """OPTIONS is told the methods, the headers it asked for, and for how long that holds."""
    said = told(
        cors("https://a.example"),
        origin="https://a.example",
        REQUEST_METHOD="OPTIONS",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="x-token, content-type",
    )
    assert {"GET", "POST"} <= set(said["Access-Control-Allow-Methods"].split(", "))
    assert said["Access-Control-Allow-Headers"] == "x-token, content-type"
    assert int(said["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Methods" not in told(cors("*"), origin="https://a.example")


@pytest.mark.parametrize("make", [lambda: cors(), lambda: cors(["https://*.a.example", "https://b.example"])])
def test_nothing_else_is_raised(make: Callable[[], Cors]) -> None:
    """Whatever stands in the header, the request passes or is refused."""
    rule = make()
    for origin in (
        "http://[::1",
        "http://:80",
        "://",
        "http://a:b",
        "\x00",
        "http://\udce9",
        "a" * 100_000,
        "http://٣.example:٣",
    ):
        assert not lets_in(rule, environ(origin))
