"""Sections 12 and 13: permessage-deflate with several kinds of content, sizes, fragments and parameters.

The original sends 1,000 messages a case to measure time. Here it is 50 up to 4 KiB and 10 above. Its files are replaced
by content of the same kinds that is made here. The client inflates with zlib itself and with the window that the server
announced, so a server that uses a wider one, or keeps its context against its word, is found out.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator

import pytest

from syncio.websocket import DeflateParameters, ServerHandshake

from .peer import MemoryPeer, by_frame, close_frame, frame

TEXT, BINARY = 1, 2
TOTAL = 400_000

SIZES = [
    (size, 0) for size in (16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072)
] + [
    (8192, 256), (16_384, 256), (32_768, 256), (65_536, 256), (131_072, 256),
    (131_072, 1024), (131_072, 4096), (131_072, 32_768),
]  # fmt: skip
"""Size of the message and of its fragments, in bytes; 0 leaves it whole."""

by_size = pytest.mark.parametrize(("size", "fragment"), SIZES)


def _json(source: random.Random) -> bytes:
    rows = ({"id": n, "name": f"n\xe4me {source.random()}", "tags": source.sample(range(50), 5)} for n in range(9000))
    return json.dumps(list(rows), ensure_ascii=False).encode()


def _bitmap(source: random.Random) -> bytes:
    return bytes((x * y // 512 + source.randrange(8)) % 256 for y in range(800) for x in range(512))


def _prose(source: random.Random) -> bytes:
    words = ["".join(source.choices("enisratdhulcgm\xe4\xf6\xfc\xdf", k=source.randint(2, 11))) for _ in range(3000)]
    return " ".join(source.choices(words, k=60_000)).encode()


def _html(source: random.Random) -> bytes:
    return b"".join(b"<tr><td class='c%d'>%d</td></tr>\n" % (n % 7, source.getrandbits(40)) for n in range(12_000))


def _noise(source: random.Random) -> bytes:
    return source.randbytes(TOTAL)


CONTENTS: dict[str, tuple[int, bytes]] = {
    name: (opcode, make(random.Random(name)))
    for name, opcode, make in (
        ("12.1 json", TEXT, _json),
        ("12.2 bitmap", BINARY, _bitmap),
        ("12.3 prose", BINARY, _prose),
        ("12.4 html", TEXT, _html),
        ("12.5 noise", BINARY, _noise),
    )
}

BASE = "permessage-deflate; client_no_context_takeover; client_max_window_bits"
FRESH = "; server_no_context_takeover"
OFFERS = {
    "13.1": BASE,
    "13.2": BASE + FRESH,
    "13.3": BASE + "; server_max_window_bits=9",
    "13.4": BASE + "; server_max_window_bits=15",
    "13.5": BASE + FRESH + "; server_max_window_bits=9",
    "13.6": BASE + FRESH + "; server_max_window_bits=15",
    "13.7": ", ".join((BASE + FRESH + "; server_max_window_bits=9", BASE + FRESH, BASE)),
    # Beside the original: a client that keeps its context, and one with a small window of its own.
    "13.8": "permessage-deflate",
    "13.9": "permessage-deflate; client_max_window_bits=10; server_max_window_bits=12",
}
KEPT = DeflateParameters(server_no_context_takeover=False, client_no_context_takeover=False)


class CompressingPeer:
    """A client with permessage-deflate: what the server's answer says is what it goes by."""

    def __init__(self, offer: str, wanted: DeflateParameters) -> None:
        environ = {
            "REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "h", "HTTP_UPGRADE": "websocket",
            "HTTP_CONNECTION": "Upgrade", "HTTP_SEC_WEBSOCKET_VERSION": "13",
            "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==", "HTTP_SEC_WEBSOCKET_EXTENSIONS": offer,
        }  # fmt: skip
        negotiated = ServerHandshake(environ).negotiate(wanted)
        assert negotiated is not None
        agreed, self.answer = negotiated
        parameters = dict(part.strip().partition("=")[::2] for part in self.answer.split(";")[1:])
        self._fresh = "server_no_context_takeover" in parameters
        self._own_fresh = "client_no_context_takeover" in parameters
        self._bits = int(parameters.get("server_max_window_bits", "15"))
        self._own_bits = int(parameters.get("client_max_window_bits", "15"))
        self._inflate = self._new_decompressor()
        self._deflate = self._new_compressor()
        self.memory = MemoryPeer(by_frame, agreed)

    def send(self, opcode: int, payload: bytes, fragment: int) -> None:
        """Send a compressed message, in fragments of this size."""
        if self._own_fresh:
            self._deflate = self._new_compressor()
        wire = (self._deflate.compress(payload) + self._deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
        starts = range(0, len(wire), fragment or len(wire))
        self.memory.send(
            frame(
                0 if start else opcode,
                wire[start : start + (fragment or len(wire))],
                fin=start == starts[-1],
                rsv=0 if start else 4,
            )
            for start in starts
        )

    def last(self) -> tuple[int, bytes]:
        """The last message that came back, inflated."""
        opcode, wire = self.memory.received.items[-1]
        assert self.memory.received.compressed[-1]
        if self._fresh:
            self._inflate = self._new_decompressor()
        return opcode, self._inflate.decompress(wire + b"\x00\x00\xff\xff")

    def _new_decompressor(self) -> zlib._Decompress:
        return zlib.decompressobj(-self._bits)

    def _new_compressor(self) -> zlib._Compress:
        return zlib.compressobj(1, zlib.DEFLATED, -self._own_bits)


def messages(opcode: int, content: bytes, size: int) -> Iterator[bytes]:
    """Pieces of the content, one behind the other and round again; text is cut between characters."""
    for number in range(50 if size <= 4096 else 10):
        start = number * size % (len(content) - size)
        piece = content[start : start + size]
        yield piece if opcode == BINARY else piece.decode(errors="ignore").encode()


def run(peer: CompressingPeer, opcode: int, content: bytes, size: int, fragment: int) -> None:
    """Each message must come back as it went, and the connection must close cleanly."""
    for message in messages(opcode, content, size):
        peer.send(opcode, message, fragment)
        assert peer.last() == (opcode, message)
    peer.memory.send([close_frame()])
    peer.memory.finish()
    assert peer.memory.received.close_code == 1000


@by_size
@pytest.mark.parametrize("name", CONTENTS)
def test_contents(name: str, size: int, fragment: int) -> None:
    """Section 12: the parameters that nobody asked for, five kinds of content."""
    opcode, content = CONTENTS[name]
    run(CompressingPeer(BASE, DeflateParameters()), opcode, content, size, fragment)


@by_size
@pytest.mark.parametrize("number", OFFERS)
def test_parameters(number: str, size: int, fragment: int) -> None:
    """Section 13: what the client asks for, from a server that would keep its context and the widest window."""
    opcode, content = CONTENTS["12.1 json"]
    run(CompressingPeer(OFFERS[number], KEPT), opcode, content, size, fragment)


def test_the_server_grants_what_is_asked() -> None:
    """The answers to the offers of section 13."""
    answers = {number: CompressingPeer(offer, KEPT).answer for number, offer in OFFERS.items()}
    fresh, client, base = "; server_no_context_takeover", "; client_no_context_takeover", "permessage-deflate"
    assert answers == {
        "13.1": base + client,
        "13.2": base + fresh + client,
        "13.3": base + client + "; server_max_window_bits=9",
        "13.4": base + client,
        "13.5": base + fresh + client + "; server_max_window_bits=9",
        "13.6": base + fresh + client,
        "13.7": base + fresh + client + "; server_max_window_bits=9",
        "13.8": base,
        "13.9": base + "; server_max_window_bits=12; client_max_window_bits=10",
    }
