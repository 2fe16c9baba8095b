"""permessage-deflate: negotiation on both sides, compressing and inflating within bounds."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest

from syncio.errors import ConfigurationError, HandshakeError, RemoteProtocolError
from syncio.websocket.deflate import DeflateParameters, PerMessageDeflate, accept_answer, accept_offer, offer

KEPT = DeflateParameters(server_no_context_takeover=False, client_no_context_takeover=False)


@pytest.mark.parametrize("option", ["server_max_window_bits", "client_max_window_bits", "level", "memory_level"])
def test_parameters_out_of_range_are_refused(option: str) -> None:
    """A number that zlib cannot use is found when the parameters are made, and named."""
    for value in (0, 16):
        with pytest.raises(ConfigurationError, match=option):
            DeflateParameters(**{option: value})  # type: ignore[arg-type]


def test_the_default_keeps_nothing_between_messages() -> None:
    """A plain offer is accepted without context takeover in both directions."""
    accepted = accept_offer("permessage-deflate", DeflateParameters())
    assert accepted == (
        DeflateParameters(),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    )


@pytest.mark.parametrize(
    ("offered", "agreed", "answer"),
    [
        ("permessage-deflate", KEPT, "permessage-deflate"),
        (
            "permessage-deflate; server_no_context_takeover",
            DeflateParameters(client_no_context_takeover=False),
            "permessage-deflate; server_no_context_takeover",
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            DeflateParameters(server_no_context_takeover=False),
            "permessage-deflate; client_no_context_takeover",
        ),
        ("permessage-deflate; client_max_window_bits", KEPT, "permessage-deflate"),
        (
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
            DeflateParameters(False, False, 10, 9),
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
        ),
        (
            "permessage-deflate; client_max_window_bits=8",
            DeflateParameters(False, False, 15, 9),
            "permessage-deflate; client_max_window_bits=8",
        ),
        ("x-other, permessage-deflate; server_max_window_bits=8, permessage-deflate", KEPT, "permessage-deflate"),
        ("permessage-deflate; unknown=1, permessage-deflate", KEPT, "permessage-deflate"),
    ],
)
def test_a_server_takes_the_first_offer_that_it_can_fulfil(
    offered: str, agreed: DeflateParameters, answer: str
) -> None:
    """What the offer asks for is granted and said; an offer that cannot be granted is passed over."""
    assert accept_offer(offered, KEPT) == (agreed, answer)


def test_a_server_limits_windows_only_where_the_client_can() -> None:
    """client_max_window_bits is answered only to a client that mentioned it (section 7.1.2.2)."""
    wanted = DeflateParameters(False, False, 11, 12)
    assert accept_offer("permessage-deflate", wanted) == (
        DeflateParameters(False, False, 11, 15),
        "permessage-deflate; server_max_window_bits=11",
    )
    assert accept_offer("permessage-deflate; client_max_window_bits=14", wanted) == (
        wanted,
        "permessage-deflate; server_max_window_bits=11; client_max_window_bits=12",
    )


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "x-webkit-deflate-frame",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; unknown",
    ],
)
def test_offers_that_no_server_may_accept(offered: str) -> None:
    """Unknown, doubled and impossible parameters make an offer void (section 7.1)."""
    assert accept_offer(offered, KEPT) is None


def test_what_a_client_offers() -> None:
    """The offer says what is wanted, and always that the client's window can be made smaller."""
    assert offer(KEPT) == "permessage-deflate; client_max_window_bits"
    assert offer(DeflateParameters(True, True, 10, 11)) == (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=10; client_max_window_bits=11"
    )


@pytest.mark.parametrize("wanted", [KEPT, DeflateParameters(), DeflateParameters(False, True, 10, 12)])
@pytest.mark.parametrize("server", [KEPT, DeflateParameters(), DeflateParameters(True, False, 12, 10)])
def test_both_sides_agree_on_the_same(wanted: DeflateParameters, server: DeflateParameters) -> None:
    """A client reads from a server's answer what the server agreed to."""
    accepted = accept_offer(offer(wanted), server)
    assert accepted is not None
    assert accept_answer(accepted[1], wanted) == accepted[0]


@pytest.mark.parametrize(
    "answer",
    [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=11",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=8",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; unknown",
        "permessage-bzip2",
        "permessage-deflate, permessage-deflate",
    ],
)
def test_a_client_refuses_an_answer_that_does_not_fit(answer: str) -> None:
    """More memory than offered, another extension, two of them: each fails the handshake."""
    with pytest.raises(HandshakeError):
        accept_answer(answer, DeflateParameters(server_max_window_bits=10))


def test_a_client_lives_without_compression() -> None:
    """No answer to the offer means no compression; a window of 8 is read with one of 9."""
    assert accept_answer("", KEPT) is None
    assert accept_answer("permessage-deflate; server_max_window_bits=8", KEPT) == DeflateParameters(False, False, 9, 15)


def pair(agreed: DeflateParameters) -> tuple[PerMessageDeflate, PerMessageDeflate]:
    """Server and client after one handshake."""
    return PerMessageDeflate(agreed, is_server=True), PerMessageDeflate(agreed, is_server=False)


@pytest.mark.parametrize("bits", [9, 12, 15])
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("step", [1, 7, 1_000_000])
def test_messages_survive_both_directions(bits: int, fresh: bool, step: int) -> None:
    """Texts, noise and nothing, in pieces of any size, come out as they went in, with and without takeover."""
    server, client = pair(DeflateParameters(fresh, fresh, bits, bits))
    source = random.Random(bits)
    noise = source.randbytes(3000)
    for payload in (b"", b"Hello", b"Hello", b"", b"spam and eggs " * 300, noise, noise, bytes(40_000)):
        for sender, receiver in ((server, client), (client, server)):
            wire = sender.compress(payload)
            room, received = 50_000, b""
            for start in range(0, len(wire), step):
                received += receiver.inflate(wire[start : start + step], room - len(received), room)
            received += receiver.finish_message(room - len(received), room)
            assert received == payload


def test_the_examples_of_the_rfc() -> None:
    """Section 7.2.3: a fixed block, a stored block, a block marked as final, two blocks, and takeover."""
    for wire in ("f248cdc9c90700", "000500faff48656c6c6f00", "f348cdc9c9070000", "f2480500 0000ffff cac9c90700"):
        _, client = pair(DeflateParameters())
        assert client.inflate(bytes.fromhex(wire), 5, 5) + client.finish_message(0, 5) == b"Hello"
    _, client = pair(KEPT)
    for wire in ("f248cdc9c90700", "f200110000"):
        assert client.inflate(bytes.fromhex(wire), 5, 5) + client.finish_message(0, 5) == b"Hello"


def test_context_takeover_pays_and_its_absence_keeps_no_memory() -> None:
    """The second of two equal messages shrinks with takeover; without, both are alike."""
    noise = random.Random(5).randbytes(2000)
    kept, _ = pair(KEPT)
    fresh, _ = pair(DeflateParameters())
    assert len(kept.compress(noise)) > 2000 > 100 > len(kept.compress(noise))
    assert fresh.compress(noise) == fresh.compress(noise)


def test_a_bomb_is_stopped_at_the_limit() -> None:
    """A megabyte of zeros in a kilobyte is code 1009, and what is just as big as the limit passes."""
    server, client = pair(DeflateParameters())
    bomb = client.compress(bytes(1_000_000))
    assert len(bomb) < 2000
    with pytest.raises(RemoteProtocolError, match="message of 1001 bytes or more is over the limit of 1000") as caught:
        server.inflate(bomb, 1000, 1000)
    assert caught.value.code == 1009
    server, client = pair(DeflateParameters())
    assert len(server.inflate(client.compress(bytes(1000)), 1000, 1000)) == 1000
    assert server.finish_message(0, 1000) == b""


def test_a_bomb_does_not_even_explode_a_little() -> None:
    """Ten megabytes of zeros in one piece take memory for the limit, not for themselves."""
    server, client = pair(DeflateParameters())
    bomb = client.compress(bytes(10_000_000))
    tracemalloc.start()
    with pytest.raises(RemoteProtocolError, match="limit of 1000"):
        server.inflate(bomb, 1000, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000


def test_a_bomb_of_final_blocks_is_stopped_too() -> None:
    """Streams that end and begin anew within one message share one limit."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = compressor.compress(bytes(600)) + compressor.flush(zlib.Z_FINISH)
    server, _ = pair(DeflateParameters())
    with pytest.raises(RemoteProtocolError, match="limit of 1000"):
        server.inflate(stream * 2, 1000, 1000)
    server, _ = pair(DeflateParameters())
    assert server.inflate(stream, 1000, 1000) == bytes(600)
    assert server.inflate(b"\x00", 400, 1000) + server.finish_message(400, 1000) == b""


def test_what_does_not_inflate_is_invalid_data() -> None:
    """A reserved block type is code 1007."""
    server, _ = pair(DeflateParameters())
    with pytest.raises(RemoteProtocolError, match="does not inflate") as caught:
        server.inflate(b"\xff\xff", 1000, 1000)
    assert caught.value.code == 1007
