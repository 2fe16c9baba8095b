"""HTTP answers: the protocol's errors, the bytes on our own socket, compression."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from http.client import HTTPResponse
from io import BytesIO
from typing import Any, cast

import pytest

from syncio.engineio.answers import ENCODERS, Answer, choose_encoding, compress, error, text

BODY = b"4hello" * 1000


def _brotli(data: bytes) -> bytes:
    import brotli

    return bytes(brotli.decompress(data))


def _zstd(data: bytes) -> bytes:
    import zstandard

    return bytes(zstandard.ZstdDecompressor().decompress(data))


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": _brotli,
    "zstd": _zstd,
}


class Wire:
    """What `http.client` needs of a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> BytesIO:
        """The bytes as a file."""
        return BytesIO(self._data)


def parse(data: bytes) -> tuple[HTTPResponse, bytes]:
    """Read an answer as a client does."""
    response = HTTPResponse(cast(Any, Wire(data)))
    response.begin()
    return response, response.read()


# ---------------------------------------------------------------------- the answer


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        (0, 400, "Transport unknown"),
        (1, 400, "Session ID unknown"),
        (2, 400, "Bad handshake method"),
        (3, 400, "Bad request"),
        (4, 403, "Forbidden"),
        (5, 400, "Unsupported protocol version"),
    ],
)
def test_errors(code: int, status: int, message: str) -> None:
    """Each of the protocol's errors has its status, and a body of JSON."""
    refused = error(code)
    assert refused.answer.status == status
    assert ("Content-Type", "application/json") in refused.answer.headers
    assert json.loads(refused.answer.body) == {"code": code, "message": message}


def test_an_error_has_details() -> None:
    """Words for whoever has to mend it stand behind the message and in the log; the status can be another."""
    refused = error(3, "too odd", 426)
    assert refused.answer.status == 426
    assert json.loads(refused.answer.body) == {"code": 3, "message": "Bad request: too odd"}
    assert refused.detail == "Bad request: too odd"


def test_an_unknown_session_is_told_nothing_more() -> None:
    """Details of the codes 0 to 2 go to the log alone."""
    assert json.loads(error(1, "it was Bob's").answer.body)["message"] == "Session ID unknown"


@pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 405, 413, 503])
def test_status_line(status: int) -> None:
    """The code and its phrase, as WSGI wants them."""
    line = Answer(status).status_line
    assert line.startswith(f"{status} ")
    assert len(line) > 4


def test_to_bytes_is_an_http_answer() -> None:
    """A client reads the status, every header and the whole body, and sees that the connection ends."""
    answer = Answer(400, b"\x00body\r\n\r\n", (("X-A", "1"), ("X-B", "é"))).with_headers([("Set-Cookie", "io=x")])
    response, body = parse(answer.to_bytes())
    assert (response.status, response.reason, body) == (400, "Bad Request", b"\x00body\r\n\r\n")
    assert (response.headers["X-A"], response.headers["X-B"], response.headers["Set-Cookie"]) == ("1", "é", "io=x")
    assert response.headers["Connection"] == "close"
    assert response.headers["Content-Length"] == "9"


def test_wsgi_headers() -> None:
    """The content's length is added once, in bytes."""
    assert Answer(200, "€".encode()).wsgi_headers() == [("Content-Length", "3")]


def test_answers_do_not_change() -> None:
    """More headers make another answer."""
    answer = text(b"x")
    assert answer.with_headers([("A", "b")]) is not answer
    assert answer.headers == (("Content-Type", "text/plain; charset=UTF-8"),)


# ---------------------------------------------------------------------- compression


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_encoding(name: str) -> None:
    """What is compressed says how, is smaller, and gives the body back."""
    answer = compress(text(BODY), name, 1024)
    assert ("Content-Encoding", name) in answer.headers
    assert ("Vary", "Accept-Encoding") in answer.headers
    assert len(answer.body) < len(BODY)
    assert DECODERS[name](answer.body) == BODY
    assert dict(answer.wsgi_headers())["Content-Length"] == str(len(answer.body))


def test_gzip_and_deflate_are_always_there() -> None:
    """They need nothing but Python."""
    assert {"gzip", "deflate"} <= set(ENCODERS)


def test_the_threshold_counts_bytes() -> None:
    """A body of exactly the threshold is compressed, one byte less is not."""
    assert ("Content-Encoding", "gzip") in compress(text(b"x" * 1024), "gzip", 1024).headers
    assert compress(text(b"x" * 1023), "gzip", 1024) == text(b"x" * 1023)


def test_errors_stay_as_they_are() -> None:
    """Only a 200 is compressed."""
    refused = error(3, "x" * 5000).answer
    assert compress(refused, "gzip", 10) == refused


def test_a_cache_is_told_also_when_nothing_was_compressed() -> None:
    """The answer depends on Accept-Encoding even if this client accepts none."""
    answer = compress(text(BODY), "", 1024)
    assert answer.body == BODY
    assert ("Vary", "Accept-Encoding") in answer.headers


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate", "gzip"),
        ("deflate, gzip", "gzip"),
        ("gzip;q=0.5, deflate", "deflate"),
        ("gzip;q=0.5, deflate;q=0.8", "deflate"),
        ("gzip ; q=0.5 , deflate ; q=0.4", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.0, deflate;q=0", None),
        ("gzip;q=0, deflate;q=0.001", "deflate"),
        ("gzip;q=nonsense", None),
        ("gzip;q=nan", None),
        ("gzip;q=7, deflate;q=0.9", "gzip"),
        ("gzip;q=-1", None),
        ("*;q=0", None),
        ("gzip;q=0.3, deflate;q=0.2, *;q=0", "gzip"),
        ("compress, sdch", None),
        (",,;,", None),
        ("gzip;", "gzip"),
    ],
)
def test_choose_encoding(accepted: str, chosen: str | None) -> None:
    """The highest quality wins, ours decide a tie, 0 forbids (RFC 9110, section 12.4.2)."""
    assert choose_encoding(accepted) == chosen


def test_a_star_means_any() -> None:
    """`*` accepts what we like best, and what is named counts more than it."""
    assert choose_encoding("*") in ENCODERS
    assert choose_encoding("*;q=0.1, deflate") == "deflate"
    assert choose_encoding("gzip;q=0, br;q=0, zstd;q=0, *") == "deflate"
