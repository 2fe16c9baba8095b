"""Requests: the query, and bodies that are never read beyond the limit."""

from __future__ import annotations

import io
import json
import random
from typing import Any
from urllib.parse import quote_from_bytes

import pytest

from syncio.engineio.answers import Refused
from syncio.engineio.request import EngineRequest, read_body
from syncio.errors import RemoteProtocolError

BOTH = ("polling", "websocket")
ROUNDS = 3000


def parse(query: str, method: str = "GET", transports: tuple[str, ...] = BOTH, **more: str) -> EngineRequest:
    """Read a request."""
    return EngineRequest.of({"REQUEST_METHOD": method, "QUERY_STRING": query, **more}, transports)


def refusal(query: str, method: str = "GET", transports: tuple[str, ...] = BOTH, **more: str) -> tuple[int, int | None]:
    """The status and the protocol's code of a request that is refused."""
    with pytest.raises(Refused) as caught:
        parse(query, method, transports, **more)
    answer = caught.value.answer
    is_json = ("Content-Type", "application/json") in answer.headers
    return answer.status, json.loads(answer.body)["code"] if is_json else None


# ---------------------------------------------------------------------- the query


def test_a_handshake() -> None:
    """GET with version 4 and a transport, and without a session."""
    assert parse("EIO=4&transport=polling") == EngineRequest("GET", "polling", None, None, False)
    upgraded = parse("EIO=4&transport=websocket", HTTP_UPGRADE="WebSocket")
    assert upgraded == EngineRequest("GET", "websocket", None, None, True)


def test_requests_of_a_session() -> None:
    """GET and POST with a sid; the version was said in the handshake."""
    assert parse("transport=polling&sid=abc&t=xyz").sid == "abc"
    assert parse("EIO=4&transport=polling&sid=abc", "POST").method == "POST"
    assert parse("EIO=4&transport=polling&sid=abc&j=12").jsonp == 12


@pytest.mark.parametrize(
    ("query", "method", "refused"),
    [
        ("", "GET", (400, 0)),
        ("EIO=4", "GET", (400, 0)),
        ("EIO=4&transport=", "GET", (400, 0)),
        ("EIO=4&transport=flash", "GET", (400, 0)),
        ("EIO=4&transport=POLLING", "GET", (400, 0)),
        ("EIO=4&transport=polling%00", "GET", (400, 0)),
        ("EIO=4&transport=flash&sid=abc", "GET", (400, 0)),
        ("EIO=4&transport=polling", "POST", (400, 2)),
        ("EIO=4&transport=polling", "HEAD", (400, 2)),
        ("EIO=4&transport=polling", "DELETE", (400, 2)),
        ("transport=polling", "GET", (400, 5)),
        ("EIO=&transport=polling", "GET", (400, 5)),
        ("EIO=3&transport=polling", "GET", (400, 5)),
        ("EIO=5&transport=polling", "GET", (400, 5)),
        ("EIO=4.0&transport=polling", "GET", (400, 5)),
        ("EIO=%D9%A4&transport=polling", "GET", (400, 5)),
        ("EIO=4&transport=polling&sid=abc", "HEAD", (405, None)),
        ("EIO=4&transport=polling&sid=abc", "PUT", (405, None)),
        ("EIO=4&transport=polling&sid=abc", "get", (405, None)),
        ("EIO=4&transport=websocket", "GET", (400, 3)),
        ("EIO=4&transport=websocket&sid=abc", "GET", (400, 3)),
        ("EIO=4&transport=polling&j=", "GET", (400, 3)),
        ("EIO=4&transport=polling&j=-1", "GET", (400, 3)),
        ("EIO=4&transport=polling&j=1.5", "GET", (400, 3)),
        ("EIO=4&transport=polling&j=alert(1)", "GET", (400, 3)),
        ("EIO=4&transport=polling&j=%D9%A3", "GET", (400, 3)),
        ("EIO=4&transport=polling&j=1234567890123", "GET", (400, 3)),
        ("&".join(["EIO=4&transport=polling"] + ["a=b"] * 100), "GET", (400, 3)),
    ],
)
def test_refused(query: str, method: str, refused: tuple[int, int | None]) -> None:
    """Each mistake has its status and its code; an empty value is a value."""
    assert refusal(query, method) == refused


def test_an_upgrade_needs_its_transport() -> None:
    """A WebSocket handshake that says polling is a bad request, with and without a session."""
    for query in ("EIO=4&transport=polling", "EIO=4&transport=polling&sid=abc"):
        assert refusal(query, HTTP_UPGRADE="websocket") == (400, 3)


def test_another_upgrade_is_none_of_ours() -> None:
    """A proxy's `h2c` is no WebSocket."""
    assert not parse("EIO=4&transport=polling", HTTP_UPGRADE="h2c").is_websocket


@pytest.mark.parametrize("transport", BOTH)
def test_only_what_is_offered(transport: str) -> None:
    """A transport that the server was not given is unknown to it."""
    others = tuple(name for name in BOTH if name != transport)
    assert refusal(f"EIO=4&transport={transport}", transports=others, HTTP_UPGRADE="websocket") == (400, 0)


def test_old_clients_are_told_who_speaks_to_us() -> None:
    """The error names the JavaScript clients, in the answer and in the log."""
    with pytest.raises(Refused) as caught:
        parse("EIO=3&transport=polling")
    for words in ("'3'", "engine.io-client 4", "socket.io-client 3"):
        assert words in caught.value.detail
        assert words in json.loads(caught.value.answer.body)["message"]


def test_other_methods_are_named() -> None:
    """A 405 says which methods there are (RFC 9110, section 15.5.6)."""
    with pytest.raises(Refused) as caught:
        parse("EIO=4&transport=polling&sid=abc", "PATCH")
    assert {"GET", "POST"} <= set(dict(caught.value.answer.headers)["Allow"].split(", "))


def test_the_first_of_two_counts() -> None:
    """A parameter that is there twice."""
    assert parse("EIO=4&transport=polling&sid=a&sid=b").sid == "a"


def test_any_query_is_read_or_refused() -> None:
    """Random queries, of random bytes and of the right words in the wrong order, raise nothing else."""
    dice = random.Random(4)
    words = [
        "EIO",
        "=",
        "4",
        "&",
        "transport",
        "polling",
        "websocket",
        "sid",
        "j",
        ";",
        "%",
        "%zz",
        "+",
        "\xff",
        "[]",
        "0",
    ]
    outcomes = set()
    for _ in range(ROUNDS):
        if dice.random() < 0.3:
            query = quote_from_bytes(dice.randbytes(dice.randrange(40)), safe="=&;%+")
        else:
            query = dice.choice(["", "EIO=4&transport=polling&"]) + "".join(dice.choices(words, k=dice.randrange(12)))
        method = dice.choice(["GET", "POST", "HEAD", "", "\x00", "get"])
        upgrade = dice.choice(["", "websocket", " WebSocket ", "h2c", "\xff"])
        try:
            parse(query, method, HTTP_UPGRADE=upgrade)
        except Refused as refused:
            outcomes.add(refused.answer.status)
        else:
            outcomes.add(200)
    assert outcomes == {200, 400, 405}


# ---------------------------------------------------------------------- bodies

LIMIT = 1000


class Reader(io.RawIOBase):
    """A body that counts what is taken of it, and may be stingy or break.

    :param data: what it has.
    :param portion: the most that one read gives.
    :param error: what is raised at the end of the data.
    """

    def __init__(self, data: bytes, portion: int = 1 << 30, error: Exception | None = None) -> None:
        self._data = io.BytesIO(data)
        self._portion = portion
        self._error = error
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        """Some bytes."""
        assert size > 0, "a body must not be asked for all that it has"
        part = self._data.read(min(size, self._portion))
        if not part and self._error is not None:
            raise self._error
        self.taken += len(part)
        return part


def body_of(reader: Reader, length: Any = None, limit: int = LIMIT, **more: Any) -> bytes:
    """Read a body, with its length announced or not."""
    environ: dict[str, Any] = {"wsgi.input": reader, **more}
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    return read_body(environ, limit)


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
@pytest.mark.parametrize("portion", [1, 7, 1 << 30])
def test_announced(size: int, portion: int) -> None:
    """A body up to the limit, exactly at it too, however it comes."""
    assert body_of(Reader(b"x" * size, portion), size) == b"x" * size


def test_more_is_left_alone() -> None:
    """What stands behind the announced length belongs to somebody else."""
    reader = Reader(b"x" * 10 + b"GET / HTTP/1.1")
    assert body_of(reader, 10) == b"x" * 10
    assert reader.taken == 10


@pytest.mark.parametrize("announced", [LIMIT + 1, 10**12])
def test_too_large_by_announcement(announced: int) -> None:
    """It is refused with 413 before a byte is read."""
    reader = Reader(b"x" * 100)
    with pytest.raises(Refused) as caught:
        body_of(reader, announced)
    assert caught.value.answer.status == 413
    assert b"1000" in caught.value.answer.body
    assert reader.taken == 0


@pytest.mark.parametrize("mark", [{"wsgi.input_terminated": True}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
@pytest.mark.parametrize("size", [0, 1, LIMIT])
def test_unannounced(mark: dict[str, Any], size: int) -> None:
    """A chunked body is read to its end where the server says that it has one."""
    assert body_of(Reader(b"x" * size, 7), **mark) == b"x" * size


def test_unannounced_and_too_large() -> None:
    """The reading stops as soon as it is more than allowed."""
    reader = Reader(b"x" * 1_000_000)
    with pytest.raises(Refused) as caught:
        body_of(reader, HTTP_TRANSFER_ENCODING="chunked")
    assert caught.value.answer.status == 413
    assert reader.taken == LIMIT + 1


def test_without_a_length_there_is_no_body() -> None:
    """Reading on a server that does not end the input would wait for ever."""
    reader = Reader(b"x")
    assert body_of(reader) == b""
    assert body_of(reader, "") == b""
    assert reader.taken == 0


@pytest.mark.parametrize("length", ["-1", "+5", "5 ", "0x5", "5.0", "abc", "\u0665", "9" * 30, "1_0"])
def test_a_wrong_length(length: str) -> None:
    """What is no number of digits is a bad request, and nothing is read."""
    reader = Reader(b"x" * 10)
    with pytest.raises(Refused) as caught:
        body_of(reader, length)
    assert caught.value.answer.status == 400
    assert reader.taken == 0


def test_a_short_body() -> None:
    """A client that goes away in the middle has not posted anything."""
    with pytest.raises(RemoteProtocolError, match="3 of 10"):
        body_of(Reader(b"abc"), 10)


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), TimeoutError(), ValueError("chunk"), EOFError()])
def test_a_body_that_breaks(error: Exception) -> None:
    """What servers raise for it is the client's error."""
    with pytest.raises(RemoteProtocolError):
        body_of(Reader(b"abc", error=error), 10)
    with pytest.raises(RemoteProtocolError):
        body_of(Reader(b"abc", error=error), HTTP_TRANSFER_ENCODING="chunked")
