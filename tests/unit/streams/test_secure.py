"""TLS on blocking streams: handshakes that succeed, fail and hang, the end, and peers that are not ours."""

from __future__ import annotations

import _socket
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from syncio.errors import BrokenStream, ClosedStream, ConfigurationError, RequestTimeout
from syncio.runtime import Runtime
from syncio.streams import BlockingStream, TlsStream

from ..runtime.kinds import MOMENT, PATIENCE, eventually
from .conftest import PIECE, SMALL, Peer, raw_pair
from .duplex import Doing, Ends, client_settings, read_exactly, server_settings, unix_pair, write_all

T = TypeVar("T")


class Secured:
    """A stream with TLS, before its handshake.

    :param kind: 'pair', 'tcp' or 'unix'.
    :param hostname: whom the client expects.
    :ivar peer: the other end, a plain socket.
    """

    def __init__(self, runtime: Runtime, kind: str, server_side: bool, hostname: str, folder: Path) -> None:
        self.runtime = runtime
        here, there = unix_pair(str(folder / "s")) if kind == "unix" else raw_pair(kind)
        self.raw = here
        self.peer = Peer(runtime, there)
        context = server_settings() if server_side else client_settings()
        inner = BlockingStream(runtime, here)
        self.stream = TlsStream(runtime, inner, context, server_side, None if server_side else hostname)

    def close(self) -> None:
        """Close both ends."""
        self.stream.close()
        self.peer.close()


class Theirs:
    """Somebody else's TLS at the other end: a socket of the standard library.

    :param secured: what it talks with.
    """

    def __init__(self, secured: Secured, context: ssl.SSLContext, server_side: bool) -> None:
        self._runtime = secured.runtime
        sock = socket.socket(fileno=secured.peer.sock.detach())
        name = None if server_side else "localhost"
        self.sock = context.wrap_socket(sock, server_side, False, False, server_hostname=name)
        self.sock.setblocking(False)

    def do(self, call: Callable[..., T], *args: Any) -> T:
        """Call again and again until TLS has what it wants from its peer."""
        results: list[T] = []

        def attempt() -> bool:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                results.append(call(*args))
            return bool(results)

        assert eventually(self._runtime, attempt), f"{call} goes on and on"
        return results[0]


class Records:
    """Somebody else's TLS at the other end, of which the test decides when its bytes leave.

    :param secured: what it talks with.
    """

    def __init__(self, secured: Secured, server_side: bool = True) -> None:
        self._peer = secured.peer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = server_settings() if server_side else client_settings()
        name = None if server_side else "localhost"
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side, name)

    def step(self) -> bool:
        """Go on with the handshake; whether it is done."""
        done = False
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
            done = True
        self._peer.send(self._outgoing.read())
        return done

    def handshake(self) -> None:
        """Do all of it."""
        while not self.step():
            self._incoming.write(self._peer.next())

    def encrypted(self, data: bytes) -> bytes:
        """What would have to be sent."""
        self.tls.write(data)
        return self._outgoing.read()

    def read(self) -> bytes:
        """The next bytes; none if the peer has said that nothing follows, SSLEOFError if it has left without it."""
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                if data := self._peer.next():
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except ssl.SSLZeroReturnError:
                return b""


@pytest.fixture
def secure(runtime: Runtime, tmp_path: Path) -> Iterator[Callable[..., Secured]]:
    """Makes streams with TLS, before their handshakes."""
    made: list[Secured] = []

    def make(kind: str = "pair", server_side: bool = False, hostname: str = "localhost") -> Secured:
        made.append(Secured(runtime, kind, server_side, hostname, tmp_path))
        return made[-1]

    yield make
    for secured in made:
        secured.close()


@pytest.fixture
def client(secure: Callable[..., Secured]) -> Secured:
    """A client over a pair of local sockets, before its handshake."""
    return secure()


@pytest.fixture
def records(client: Secured) -> Records:
    """The server of that client, after their handshake."""
    records = Records(client)
    shaking = Doing(client.runtime, client.stream.handshake, PATIENCE)
    records.handshake()
    shaking.outcome()
    return records


# ---------------------------------------------------------------------- handshakes


@pytest.mark.parametrize("way", ["pair", "unix", "tcp"])
def test_every_socket_can_be_encrypted(runtime: Runtime, tmp_path: Path, way: str) -> None:
    """With a name to expect, TLS works over anything, and what passes is not what was written."""
    ends = Ends(runtime, f"tls {way}", tmp_path)
    assert not ends.here.is_local
    ends.there.write(b"secret")
    assert eventually(runtime, lambda: ends.raw[0].recv(100, _socket.MSG_PEEK))
    assert b"secret" not in ends.raw[0].recv(1000, _socket.MSG_PEEK)
    assert ends.here.read(100, PATIENCE) == b"secret"
    assert "TlsStream on <BlockingStream" in repr(ends.here)
    ends.close()


@pytest.mark.parametrize("server_side", [False, True], ids=["client", "server"])
def test_standard_library_is_a_peer(secure: Callable[..., Secured], server_side: bool) -> None:
    """A socket of the standard library can talk with a stream of ours in either part, and both say when they leave."""
    secured = secure("tcp", server_side=server_side)
    theirs = Theirs(secured, client_settings() if server_side else server_settings(), not server_side)
    with theirs.sock as sock:
        shaking = Doing(secured.runtime, secured.stream.handshake, PATIENCE)
        theirs.do(sock.do_handshake)
        shaking.outcome()
        secured.stream.write(b"from us")
        assert theirs.do(sock.recv, 100) == b"from us"
        theirs.do(sock.send, b"from them")
        assert secured.stream.read(100, PATIENCE) == b"from them"
        leaving = Doing(secured.runtime, secured.stream.read, 100)
        with contextlib.suppress(ssl.SSLWantReadError):
            sock.unwrap()
        assert leaving.outcome() == b""
        secured.stream.finish()
        with pytest.raises(ssl.SSLZeroReturnError):  # not SSLEOFError: the end was announced
            theirs.do(sock.recv, 100)


def test_certificate_of_another_is_refused(secure: Callable[..., Secured]) -> None:
    """A client that expects somebody else says whom, and the server is told that it was refused."""
    client = secure(hostname="elsewhere.example")
    records = Records(client)
    shaking = Doing(client.runtime, client.stream.handshake, PATIENCE)
    with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
        records.handshake()
    with pytest.raises(BrokenStream, match=r"elsewhere\.example") as caught:
        shaking.outcome()
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


def test_unknown_authority_is_refused(runtime: Runtime) -> None:
    """A client that does not know who signed the certificate says so."""
    here, there = raw_pair("pair")
    client = TlsStream(runtime, BlockingStream(runtime, here), ssl.create_default_context(), False, "localhost")
    server = TlsStream(runtime, BlockingStream(runtime, there), server_settings(), True)
    shaking = Doing(runtime, server.handshake, PATIENCE)
    with pytest.raises(BrokenStream, match=r"self.signed"):
        client.handshake(PATIENCE)
    with pytest.raises(BrokenStream, match="handshake failed"):
        shaking.outcome()
    client.close()
    server.close()


@pytest.mark.parametrize("server_side", [False, True], ids=["client", "server"])
def test_peer_without_tls_is_refused(secure: Callable[..., Secured], server_side: bool) -> None:
    """A peer that speaks something else is told from a broken connection."""
    secured = secure(server_side=server_side)
    secured.peer.send(b"220 welcome to another protocol\r\n")
    with pytest.raises(BrokenStream, match=r"the TLS handshake failed: .") as caught:
        secured.stream.handshake(PATIENCE)
    assert isinstance(caught.value.__cause__, ssl.SSLError)


def test_peer_that_leaves_ends_the_handshake(client: Secured) -> None:
    """A connection that ends during the handshake is an error, unlike later."""
    shaking = Doing(client.runtime, client.stream.handshake, PATIENCE)
    assert client.peer.next()
    client.peer.finish()
    with pytest.raises(BrokenStream, match="handshake failed: the peer closed"):
        shaking.outcome()


@pytest.mark.parametrize("server_side", [False, True], ids=["client", "server"])
def test_handshake_gives_up_in_time(secure: Callable[..., Secured], server_side: bool) -> None:
    """A peer that hangs costs no more than the time, and the error says what it was."""
    secured = secure(server_side=server_side)
    began = secured.runtime.now()
    with pytest.raises(RequestTimeout, match=r"the TLS handshake did not end within 0\.05 s") as caught:
        secured.stream.handshake(MOMENT)
    assert MOMENT * 0.9 <= secured.runtime.now() - began < PATIENCE
    assert caught.value.timeout == MOMENT


def test_dribbling_peer_does_not_extend_the_time(client: Secured) -> None:
    """The time is for all of the handshake, not for each of its bytes."""
    shaking = Doing(client.runtime, client.stream.handshake, MOMENT)
    hello = b"\x16\x03\x03\x40\x00"  # the head of a record of 16 KiB
    until = client.runtime.now() + MOMENT * 2
    while client.runtime.now() < until:
        client.peer.send(hello[:1] or b"\0")
        hello = hello[1:]
        client.runtime.event().wait(0.005)
    assert not shaking.is_waiting()
    with pytest.raises(RequestTimeout):
        shaking.outcome()


@pytest.mark.parametrize("patience", [None, PATIENCE * 2])
def test_abort_ends_the_handshake(client: Secured, patience: float | None) -> None:
    """Who waits in the handshake is told at once that this side has ended it."""
    shaking = Doing(client.runtime, client.stream.handshake, patience)
    assert shaking.is_waiting()
    client.stream.abort()
    with pytest.raises(ClosedStream):
        shaking.outcome()


def test_handshake_waits_for_room(secure: Callable[..., Secured]) -> None:
    """A handshake that does not fit into the kernel's buffers goes on when the peer reads, and gives up in time."""
    server = secure(server_side=True)
    server.raw.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, SMALL)
    before = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            before += server.raw.send(b"in the clear")
    records = Records(server, server_side=False)
    assert not records.step()
    with pytest.raises(RequestTimeout, match="the TLS handshake"):
        server.stream.handshake(MOMENT)
    assert server.stream.unsent
    shaking = Doing(server.runtime, server.stream.handshake, PATIENCE)
    assert shaking.is_waiting()
    assert len(server.peer.read(before)) == before
    records.handshake()
    shaking.outcome()
    server.stream.write(b"x")
    assert records.read() == b"x"


@pytest.mark.parametrize("hostname", [None, "", ".example", "a" * 64 + ".example"])
def test_name_to_expect_must_be_one(runtime: Runtime, hostname: str | None) -> None:
    """A client whose context checks names needs one, and is told so before anything is sent."""
    here, there = raw_pair("pair")
    inner = BlockingStream(runtime, here)
    with pytest.raises(ConfigurationError) as caught:
        TlsStream(runtime, inner, client_settings(), False, hostname)
    assert caught.value.option == "server_hostname" and caught.value.value == hostname
    inner.close()
    there.close()


# ---------------------------------------------------------------------- records


def test_record_may_come_in_pieces(client: Secured, records: Records) -> None:
    """A read that gives up in the middle of a record loses nothing of it."""
    encrypted = records.encrypted(b"whole")
    for piece in (encrypted[:3], encrypted[3:-1]):
        client.peer.send(piece)
        with pytest.raises(RequestTimeout) as caught:
            client.stream.read(100, 0.02)
        assert caught.value.timeout == 0.02
    client.peer.send(encrypted[-1:])
    assert client.stream.read(100, PATIENCE) == b"whole"


def test_decrypted_bytes_need_no_more_reading(client: Secured, records: Records) -> None:
    """What TLS has decrypted is given at once, although nothing more is to be read from the connection."""
    client.peer.send(records.encrypted(b"0123456789") + records.encrypted(b"abc"))
    assert client.stream.read(4, PATIENCE) == b"0123"
    assert client.stream.read(100, 0) == b"456789"
    assert client.stream.read(100, 0) == b"abc"


def test_damaged_record_breaks_the_stream(client: Secured, records: Records) -> None:
    """Bytes that were changed on the way end the connection."""
    encrypted = bytearray(records.encrypted(b"please pay 10"))
    encrypted[-1] ^= 1
    client.peer.send(bytes(encrypted))
    with pytest.raises(BrokenStream, match=r"TLS failed: .") as caught:
        client.stream.read(100, PATIENCE)
    assert isinstance(caught.value.__cause__, ssl.SSLError)


def test_encrypted_bytes_wait_in_their_order(runtime: Runtime, tmp_path: Path) -> None:
    """What the kernel does not take is counted as unsent, nothing overtakes it, and no more is taken meanwhile."""
    ends = Ends(runtime, "tls pair", tmp_path)
    taken = 0
    while not ends.here.unsent:
        taken += ends.here.write(PIECE)
    assert ends.here.write(b"later") == 0
    waiting = ends.here.unsent
    assert ends.here.write(b"") == 0
    assert ends.here.unsent == waiting
    reading = Doing(runtime, read_exactly, ends.there, taken + 5)
    write_all(ends.here, b"later")
    assert ends.here.unsent == 0
    data = reading.outcome()
    assert data[-5:] == b"later" and data[:taken] == (PIECE * (taken // len(PIECE) + 1))[:taken]
    ends.close()


# ---------------------------------------------------------------------- the end


def test_finish_says_that_nothing_follows(client: Secured, records: Records) -> None:
    """The peer is told the end by TLS itself, so that nobody can feign it, and after all that was written."""
    client.stream.write(b"last words")
    client.stream.finish()
    assert records.read() == b"last words"
    assert records.read() == b""


def test_cut_is_the_end(client: Secured, records: Records) -> None:
    """A connection that ends without TLS's own word for it ends, too: what came before is given."""
    client.peer.send(records.encrypted(b"last words"))
    client.peer.finish()
    assert client.stream.read(100, PATIENCE) == b"last words"
    assert client.stream.read(100, PATIENCE) == b""


def test_cut_in_a_record_gives_nothing_of_it(client: Secured, records: Records) -> None:
    """Half a record is not given to anybody."""
    client.peer.send(records.encrypted(b"half of this")[:-4])
    client.peer.finish()
    assert client.stream.read(100, PATIENCE) == b""


def test_leaving_at_once_is_seen_as_a_cut(client: Secured, records: Records) -> None:
    """An abort sends nothing more, so the peer can tell it from an end that was meant."""
    client.stream.abort()
    with pytest.raises(ssl.SSLEOFError):
        records.read()


def test_last_word_waits_for_room(runtime: Runtime, tmp_path: Path) -> None:
    """Where there is no room for the end it is unsent like everything else, and arrives after it."""
    ends = Ends(runtime, "tls pair", tmp_path)
    taken = 0
    while not ends.here.unsent:
        taken += ends.here.write(PIECE)
    ends.here.finish()
    reading = Doing(runtime, read_exactly, ends.there, taken)
    write_all(ends.here, b"")
    reading.outcome()
    assert ends.there.read(100, PATIENCE) == b""
    ends.there.write(b"still here")
    assert ends.here.read(100, PATIENCE) == b"still here"
    ends.close()


def test_nothing_can_be_written_after_the_end(client: Secured, records: Records) -> None:
    """Who has said that nothing follows cannot go on."""
    client.stream.finish()
    with pytest.raises(BrokenStream):
        client.stream.write(b"one more thing")
