"""The opening handshake, the server's half and the client's."""

from __future__ import annotations

import base64

import pytest

from syncio.errors import HandshakeError, LocalError
from syncio.websocket import ClientHandshake, DeflateParameters, ServerHandshake, Upgraded, is_upgrade
from syncio.websocket.handshake import MAX_RESPONSE_HEAD, accept_value

from .feeding import CUTS, Cut

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "server.example.com",
    "HTTP_UPGRADE": "WebSocket",
    "HTTP_CONNECTION": "keep-alive, Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": KEY,
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}


def test_the_accept_value_of_the_rfc() -> None:
    """The example of section 1.3."""
    assert accept_value(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_good_request_gets_the_whole_response() -> None:
    """The 101 of section 4.2.2, octet by octet."""
    assert ServerHandshake(ENVIRON).response() == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("REQUEST_METHOD", "POST", 405),
        ("SERVER_PROTOCOL", "HTTP/1.0", 400),
        ("SERVER_PROTOCOL", "HTTP/2", 400),
        ("SERVER_PROTOCOL", "HTTP/1.\xb2", 400),
        ("HTTP_HOST", None, 400),
        ("HTTP_UPGRADE", None, 400),
        ("HTTP_UPGRADE", "h2c", 400),
        ("HTTP_CONNECTION", None, 400),
        ("HTTP_CONNECTION", "close", 400),
        ("HTTP_SEC_WEBSOCKET_VERSION", None, 426),
        ("HTTP_SEC_WEBSOCKET_VERSION", "8", 426),
        ("HTTP_SEC_WEBSOCKET_VERSION", "13, 8", 426),
        ("HTTP_SEC_WEBSOCKET_KEY", None, 400),
        ("HTTP_SEC_WEBSOCKET_KEY", KEY + "," + KEY, 400),
        ("HTTP_SEC_WEBSOCKET_KEY", base64.b64encode(bytes(15)).decode(), 400),
        ("HTTP_SEC_WEBSOCKET_KEY", base64.b64encode(bytes(17)).decode(), 400),
        ("HTTP_SEC_WEBSOCKET_KEY", "!" * 22 + "==", 400),
        ("HTTP_SEC_WEBSOCKET_KEY", "\xe4" * 22 + "==", 400),
        ("HTTP_SEC_WEBSOCKET_PROTOCOL", "a b", 400),
    ],
)
def test_a_bad_request_is_refused_with_its_status(name: str, value: str | None, status: int) -> None:
    """Each requirement of section 4.2.1 alone makes the handshake fail."""
    environ = {key: old for key, old in {**ENVIRON, name: value}.items() if old is not None}
    with pytest.raises(HandshakeError) as caught:
        ServerHandshake(environ)
    assert caught.value.status == status
    expected = {405: (("Allow", "GET"),), 426: (("Sec-WebSocket-Version", "13"),)}
    assert caught.value.headers == expected.get(status, ())


def test_whether_a_request_asks_for_a_websocket() -> None:
    """Only the Upgrade header decides; an ordinary request does not ask."""
    assert is_upgrade({"HTTP_UPGRADE": "foo, WEBSOCKET"})
    assert not is_upgrade({"HTTP_UPGRADE": "h2c"})
    assert not is_upgrade({})


def test_the_response_carries_what_was_agreed() -> None:
    """A subprotocol, permessage-deflate and other fields stand in the response."""
    handshake = ServerHandshake(
        {
            **ENVIRON,
            "HTTP_SEC_WEBSOCKET_PROTOCOL": "chat, superchat",
            "HTTP_SEC_WEBSOCKET_EXTENSIONS": "permessage-deflate; client_max_window_bits",
        }
    )
    assert handshake.subprotocols == ("chat", "superchat")
    negotiated = handshake.negotiate(DeflateParameters())
    assert negotiated is not None
    response = handshake.response(
        extensions=negotiated[1], subprotocol="superchat", headers=iter([("Set-Cookie", "io=\xe4; Path=/")])
    )
    assert response.endswith(
        b"Sec-WebSocket-Protocol: superchat\r\nSec-WebSocket-Extensions: permessage-deflate; "
        b"server_no_context_takeover; client_no_context_takeover\r\nSet-Cookie: io=\xe4; Path=/\r\n\r\n"
    )


@pytest.mark.parametrize(
    "field",
    [
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\n"),
        ("X", "a\0"),
        ("X", "\u20ac"),
        ("X\r\nY", "a"),
        ("X:", "a"),
        ("", "a"),
        ("Upgrade", "h2c"),
        ("sec-websocket-accept", "x"),
        ("Content-Length", "5"),
    ],
)
def test_fields_that_would_break_the_head_are_refused(field: tuple[str, str]) -> None:
    """Neither a second line nor a field of the handshake itself can be slipped in, on either side."""
    with pytest.raises(LocalError):
        ServerHandshake(ENVIRON).response(headers=[field])
    with pytest.raises(LocalError):
        ClientHandshake("host", headers=[field])


def test_an_unasked_subprotocol_is_our_own_fault() -> None:
    """A server cannot choose what the client did not name."""
    with pytest.raises(LocalError, match="chat"):
        ServerHandshake(ENVIRON).response(subprotocol="chat")


def test_the_request_of_a_client() -> None:
    """The request of section 4.1, octet by octet."""
    handshake = ClientHandshake(
        "example.com:81", "/chat?x=1", key=KEY, subprotocols=("a", "b"), deflate=DeflateParameters(False, False),
        headers=[("Origin", "http://example.com")],
    )  # fmt: skip
    assert handshake.request() == (
        b"GET /chat?x=1 HTTP/1.1\r\nHost: example.com:81\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin: http://example.com\r\n\r\n"
    )


def test_keys_are_drawn_anew() -> None:
    """Two handshakes have two keys, and both are good ones."""
    requests = [ClientHandshake("host").request() for _ in range(2)]
    assert requests[0] != requests[1]
    keys = [request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0] for request in requests]
    assert [len(base64.b64decode(key)) for key in keys] == [16, 16]


@pytest.mark.parametrize(
    "arguments",
    [
        {"host": ""},
        {"host": "a\r\nb"},
        {"target": "x"},
        {"target": "/a b"},
        {"target": "/\r\n"},
        {"target": "/\xe4"},
        {"key": "short"},
        {"subprotocols": ("a b",)},
    ],
)
def test_a_request_that_cannot_be_sent_is_our_own_fault(arguments: dict[str, object]) -> None:
    """What would break the request in two is found when the handshake is made."""
    with pytest.raises(LocalError):
        ClientHandshake(**{"host": "host", **arguments})  # type: ignore[arg-type]


def answer(*fields: str, status: str = "HTTP/1.1 101 Switching Protocols", body: bytes = b"") -> bytes:
    """A response with these header lines."""
    return "\r\n".join((status, *fields, "", "")).encode("latin-1") + body


GOOD = ("Upgrade: WebSocket", "Connection: upgrade", f"Sec-WebSocket-Accept: {accept_value(KEY)}")


def run(handshake: ClientHandshake, response: bytes, cut: Cut) -> Upgraded | None:
    """Feed a response and the bytes behind it."""
    upgraded, trailing = None, b""
    for piece in cut(response):
        if upgraded is None:
            upgraded = handshake.receive_data(piece)
            trailing = upgraded.trailing if upgraded else b""
        else:
            trailing += piece
    if upgraded is None:
        return None
    return Upgraded(upgraded.subprotocol, upgraded.deflate, upgraded.headers, trailing)


@pytest.mark.parametrize("cut", CUTS)
def test_a_client_takes_a_good_response(cut: Cut) -> None:
    """What was agreed comes out, and the first frames that came with it are kept."""
    handshake = ClientHandshake("host", key=KEY, subprotocols=("a", "b"), deflate=DeflateParameters())
    extension = "Sec-WebSocket-Extensions: permessage-deflate;server_no_context_takeover"
    fields = (*GOOD, "Sec-WebSocket-Protocol: b", extension)
    upgraded = run(handshake, answer(*fields, body=b"\x81\x00\r\n\r\n"), cut)
    assert upgraded is not None
    assert (upgraded.subprotocol, upgraded.deflate) == ("b", DeflateParameters())
    assert upgraded.trailing == b"\x81\x00\r\n\r\n"
    assert upgraded.headers[0] == ("Upgrade", "WebSocket")


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("response", "words"),
    [
        (answer(*GOOD[1:]), "upgrade"),
        (answer(GOOD[0], GOOD[2]), "upgrade"),
        (answer(*GOOD[:2]), "Accept"),
        (answer(*GOOD[:2], "Sec-WebSocket-Accept: " + accept_value(KEY).lower()), "Accept"),
        (answer(*GOOD, GOOD[2]), "Accept"),
        (answer(*GOOD, "Sec-WebSocket-Protocol: chat"), "chat"),
        (answer(*GOOD, "Sec-WebSocket-Extensions: permessage-deflate"), "extension"),
        (answer(*GOOD, status="HTTP/1.0 101 OK"), "HTTP/1.1"),
        (answer(*GOOD, status="HTTP/2 101 OK"), "HTTP/1.1"),
        (answer(*GOOD, status="HTTP/1.1 1010 OK"), "HTTP/1.1"),
        (answer(*GOOD, status="HTTP/1.1  101 OK"), "HTTP/1.1"),
        (answer(*GOOD, status="SSH-2.0-x"), "HTTP/1.1"),
        (answer(*GOOD, " folded"), "cannot be read"),
        (answer(*GOOD, "no colon"), "cannot be read"),
        (answer(*GOOD, "X : blank"), "cannot be read"),
        (answer(*GOOD, "X: \0"), "cannot be read"),
        (answer("X: " + "y" * MAX_RESPONSE_HEAD), "16384 bytes"),
        (b"x" * (MAX_RESPONSE_HEAD + 1), "16384 bytes"),
    ],
)
def test_a_client_refuses_a_bad_response(response: bytes, words: str, cut: Cut) -> None:
    """Each requirement of section 4.1 alone makes the handshake fail, however the response is cut."""
    with pytest.raises(HandshakeError, match=words):
        run(ClientHandshake("host", key=KEY), response, cut)


@pytest.mark.parametrize("cut", CUTS)
def test_a_refusal_keeps_the_answer(cut: Cut) -> None:
    """Status and headers of a refusal are in the error."""
    handshake = ClientHandshake("host", key=KEY)
    with pytest.raises(HandshakeError, match="403") as caught:
        run(handshake, answer("Retry-After: 5", status="HTTP/1.0 403 Forbidden"), cut)
    assert (caught.value.status, caught.value.headers) == (403, (("Retry-After", "5"),))
    assert handshake.received.startswith(b"HTTP/1.0 403")


def test_a_bad_extension_answer_carries_the_response() -> None:
    """An answer that does not fit the offer is refused with the response's own status and headers."""
    handshake = ClientHandshake("host", key=KEY, deflate=DeflateParameters())
    with pytest.raises(HandshakeError, match="do not fit") as caught:
        handshake.receive_data(answer(*GOOD, "Sec-WebSocket-Extensions: permessage-deflate"))
    assert caught.value.status == 101
    assert len(caught.value.headers) == 4


def test_both_halves_understand_each_other() -> None:
    """A request of ours, read as a WSGI server would, gets a response that our client takes."""
    client = ClientHandshake("host", deflate=DeflateParameters())
    start, *lines = client.request().decode().split("\r\n")
    environ = {"REQUEST_METHOD": start.split()[0], "SERVER_PROTOCOL": start.split()[2]}
    for line in filter(None, lines):
        name, value = line.split(": ", 1)
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    server = ServerHandshake(environ)
    negotiated = server.negotiate(DeflateParameters(server_max_window_bits=12))
    assert negotiated is not None
    upgraded = client.receive_data(server.response(extensions=negotiated[1]))
    assert upgraded is not None
    assert upgraded.deflate == negotiated[0]
