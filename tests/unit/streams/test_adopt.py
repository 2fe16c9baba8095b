"""Taking a connection over: what each server's environ looks like, and what its socket object is left with."""

from __future__ import annotations

import _socket
import contextlib
import errno
import gc
import io
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent.socket
import gevent.ssl
import pytest
from gevent.pywsgi import Input
from geventwebsocket.websocket import WebSocket  # type: ignore[import-untyped]
from gunicorn.http.body import Body, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]

from syncio.errors import BrokenStream, StreamError
from syncio.runtime import Runtime
from syncio.streams import Host, Released, Stream, Taken, TakenStream, adopt, find_host
from syncio.streams.adopt import is_gevent_socket
from syncio.streams.raw import RawSocket
from syncio.streams.tls import TlsSocket

from ..runtime.kinds import MODES_HERE, PATIENCE, eventually
from .conftest import Connect, Peer, Recorder, raw_pair, watched_descriptors

HEAD = b"GET / HTTP/1.1\r\n\r\n"
AHEAD = b"read ahead"
"""What a client has sent behind its request, and the server has read with it."""


class Site:
    """One accepted connection in the hands of a server, and its client.

    :param sock: the server's socket object.
    :param environ: what the server gives an application.
    """

    def __init__(self, runtime: Runtime, sock: Any, client: RawSocket, environ: dict[str, Any]) -> None:
        self.sock = sock
        self.fd: int = sock.fileno()
        self.client = Peer(runtime, client)
        self.environ = environ

    @property
    def host(self) -> Host:
        """How it can be taken over."""
        return find_host(self.environ)


def server_socket(mode: str, sock: RawSocket) -> Any:
    """The socket object that a server of threads or of greenlets has."""
    if mode == "gevent":
        return gevent.socket.socket(fileno=sock.detach())
    return socket.socket(fileno=sock.detach())


def gunicorn_environ(sock: Any, ahead: bytes) -> dict[str, Any]:
    """gunicorn's sync, gthread and gevent workers."""
    unreader = SocketUnreader(sock)
    unreader.unread(ahead)
    return {
        "SERVER_SOFTWARE": "gunicorn/27",
        "wsgi.input": Body(LengthReader(unreader, 0)),
        "gunicorn.socket": sock,
    }


class OldUnreader:
    """The reader of gunicorn before it had `take_buffered`."""

    def __init__(self) -> None:
        self.buf = io.BytesIO()


def old_gunicorn_environ(sock: Any, ahead: bytes) -> dict[str, Any]:
    """An older gunicorn."""
    unreader = OldUnreader()
    unreader.buf.write(ahead)
    return {"wsgi.input": Body(LengthReader(unreader, 0)), "gunicorn.socket": sock}


def buffered_reader(sock: Any, ahead: bytes) -> Any:
    """A server's reader after it has read the request and, with it, what follows."""
    reader = sock.makefile("rb", -1)
    if ahead:
        assert reader.readline() + reader.readline() == HEAD
    return reader


def werkzeug_environ(sock: Any, ahead: bytes) -> dict[str, Any]:
    """werkzeug's development server."""
    reader = buffered_reader(sock, ahead)
    return {"SERVER_SOFTWARE": "Werkzeug/3", "wsgi.input": reader, "werkzeug.socket": sock}


def pywsgi_environ(sock: Any, ahead: bytes) -> dict[str, Any]:
    """gevent.pywsgi, a request with an ordinary body."""
    reader = buffered_reader(sock, ahead)
    return {"SERVER_SOFTWARE": "gevent/24", "wsgi.input": Input(reader, 0)}


def pywsgi_upgrade_environ(sock: Any, ahead: bytes) -> dict[str, Any]:
    """gevent.pywsgi, a request for an upgrade: the body is the connection's reader."""
    return {"SERVER_SOFTWARE": "gevent/24", "wsgi.input": buffered_reader(sock, ahead)}


def gunicorn_pywsgi_environ(sock: Any, ahead: bytes) -> dict[str, Any]:
    """gunicorn's gevent_pywsgi worker."""
    return {**pywsgi_environ(sock, ahead), "gunicorn.sock": sock}


class Handler:
    """What gevent-websocket's WebSocket knows of the handler that made it."""

    def __init__(self, sock: Any, rfile: Any) -> None:
        self.socket = sock
        self.rfile = rfile
        self.server = self
        self.application = None
        self.logger = logging.getLogger("a server's")


class Ends:
    """The file-like object that gevent-websocket makes of a handler."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.read = handler.rfile.read
        self.write = handler.socket.sendall


def gevent_websocket_environ(sock: Any, ahead: bytes) -> dict[str, Any]:
    """gevent-websocket's handler, after it has answered the handshake."""
    handler = Handler(sock, buffered_reader(sock, ahead))
    environ: dict[str, Any] = {"wsgi.input": handler.rfile}
    environ["wsgi.websocket"] = WebSocket(environ, Ends(handler), handler)
    return environ


Shape = Callable[[Any, bytes], dict[str, Any]]
READERS: tuple[Shape, ...] = (gunicorn_environ, old_gunicorn_environ, werkzeug_environ)
GREEN: tuple[Shape, ...] = (
    pywsgi_environ,
    pywsgi_upgrade_environ,
    gunicorn_pywsgi_environ,
    gevent_websocket_environ,
)
SHAPES = [(mode, shape) for mode in MODES_HERE for shape in (*READERS, *(GREEN if mode == "gevent" else ()))]
Make = Callable[..., Site]


@pytest.fixture
def made() -> Iterator[list[Any]]:
    """What to close at the end."""
    made: list[Any] = []
    yield made
    for one in made:
        one.close()


@pytest.fixture
def accept(runtime: Runtime, mode: str, made: list[Any]) -> Make:
    """Makes a connection that a server has accepted, read a request of, and perhaps more."""

    def make(shape: Shape, ahead: bytes = b"", kind: str = "tcp") -> Site:
        here, there = raw_pair(kind)
        sock = server_socket(mode, here)
        if ahead:
            there.send(HEAD + ahead)
            assert eventually(runtime, lambda: len(sock.recv(100, _socket.MSG_PEEK)) == len(HEAD + ahead))
            if shape in (gunicorn_environ, old_gunicorn_environ):
                assert sock.recv(100) == HEAD + ahead
        environ = shape(sock, ahead)
        made.extend((there, sock))
        if (body := environ["wsgi.input"]) is not None and not isinstance(body, Body):
            made.append(getattr(body, "rfile", body))
        return Site(runtime, sock, there, environ)

    return make


def shape_name(value: object) -> str:
    """For the names of tests."""
    return value if isinstance(value, str) else getattr(value, "__name__", "?").removesuffix("_environ")


def by_shape(test: Any) -> Any:
    """Run a test for every server's environ, on the runtime that it goes with."""
    return pytest.mark.parametrize(("mode", "shape"), SHAPES, ids=shape_name)(test)


# ---------------------------------------------------------------------- taking


@by_shape
def test_host_knows_what_it_can_do(accept: Make, mode: str, shape: Shape) -> None:
    """Each server's socket is found in its environ, with what follows from its kind."""
    host = accept(shape).host
    assert host.can_websocket and host.can_release
    assert host.runs_greenlets == (mode == "gevent")
    assert host.is_upgraded == (shape is gevent_websocket_environ)
    assert host.name


@by_shape
def test_connection_changes_hands(accept: Make, runtime: Runtime, mode: str, shape: Shape) -> None:
    """After `take` the connection goes both ways through the new socket, which does not wait and is nobody else's."""
    site = accept(shape)
    taken = site.host.take()
    sock = taken.sock
    assert isinstance(sock, RawSocket)
    assert taken.held is False and taken.leftover == b""
    with pytest.raises(BlockingIOError):
        sock.recv(1)
    site.client.send(b"question")
    assert eventually(runtime, lambda: sock.recv(100, _socket.MSG_PEEK) == b"question")
    assert sock.recv(100) == b"question"
    sock.send(b"answer")
    assert site.client.read(6) == b"answer"
    sock.close()
    assert site.client.read_to_end() == b""


@by_shape
def test_what_was_read_ahead_is_not_lost(accept: Make, mode: str, shape: Shape) -> None:
    """Bytes behind the request that sit in the server's buffers come with the connection, once, and nothing is read."""
    site = accept(shape, AHEAD)
    site.client.send(b" and later")
    taken = site.host.take()
    assert taken.leftover == AHEAD
    assert find_leftover(site.environ) == b""
    assert Peer(site.client._runtime, as_raw(taken)).read(10) == b" and later"
    taken.sock.close()


def as_raw(taken: Taken) -> RawSocket:
    """Its socket, of the interpreter's own type."""
    assert isinstance(taken.sock, RawSocket)
    return taken.sock


def find_leftover(environ: dict[str, Any]) -> bytes:
    """What the server could still read of its buffers."""
    body = environ["wsgi.input"]
    if isinstance(body, Body):
        return bytes(body.reader.unreader.buf.getvalue())
    reader = getattr(body, "rfile", body)
    try:
        return bytes(reader.read1(100))
    except OSError:
        return b""


@by_shape
def test_servers_socket_is_left_harmless(accept: Make, mode: str, shape: Shape) -> None:
    """Whatever the server still does with its object ends at once, and the connection does not notice."""
    site = accept(shape)
    taken = site.host.take()
    acts: tuple[Callable[[], object], ...] = (
        lambda: site.sock.recv(100),
        lambda: site.sock.sendall(b"from the server"),
        lambda: site.sock.shutdown(_socket.SHUT_RDWR),
        lambda: site.sock.setblocking(True),
        lambda: site.sock.recv(100),
        lambda: site.sock.close(),
        lambda: site.sock.close(),
    )
    for act in acts:
        with contextlib.suppress(OSError):
            assert not act()
    sock = taken.sock
    sock.send(b"still here")
    assert site.client.read(10) == b"still here"
    with pytest.raises(BlockingIOError):
        sock.recv(1)
    assert site.client.recv() is None
    sock.close()


@by_shape
def test_number_that_the_server_closes_is_its_own(accept: Make, mode: str, shape: Shape) -> None:
    """A server of threads keeps its number, and so closes nobody else's; one of greenlets has let go of it."""
    site = accept(shape)
    taken = site.host.take()
    if mode == "gevent":
        assert site.sock.fileno() == -1
        assert taken.sock.fileno() == site.fd
    else:
        assert site.sock.fileno() == site.fd
        assert taken.sock.fileno() != site.fd
    taken.sock.close()


@by_shape
def test_descriptors_are_given_back(accept: Make, runtime: Runtime, mode: str, shape: Shape) -> None:
    """Many connections that are taken and closed, by both, leave no descriptor behind."""
    for _ in watched_descriptors(runtime):
        for _ in range(20):
            site = accept(shape)
            taken = site.host.take()
            stream = Stream(runtime, taken.sock)
            stream.start(Recorder(runtime))
            stream.close()
            assert site.client.read_to_end() == b""
            site.client.close()
            body = site.environ["wsgi.input"]
            if not isinstance(body, Body):
                getattr(body, "rfile", body).close()
            site.sock.close()


@by_shape
def test_taken_connection_is_streamed(accept: Make, runtime: Runtime, mode: str, shape: Shape) -> None:
    """It works as a stream: bytes in, bytes out, the peer's end."""
    site = accept(shape, kind="unix")
    stream = Stream(runtime, site.host.take().sock)
    receiver = Recorder(runtime)
    stream.start(receiver)
    site.client.send(b"in")
    assert receiver.has(b"in")
    stream.write(b"out")
    assert site.client.read(3) == b"out"
    site.client.close()
    assert receiver.has_ended()


@pytest.mark.parametrize(("mode", "shape"), SHAPES, ids=shape_name)
def test_connection_that_is_gone_cannot_be_taken(accept: Make, mode: str, shape: Shape) -> None:
    """A socket that the server has closed is an `OSError`, as promised."""
    site = accept(shape)
    host = site.host
    reader = getattr(site.environ["wsgi.input"], "rfile", site.environ["wsgi.input"])
    if not isinstance(reader, Body):
        reader.close()
    site.sock.close()
    with pytest.raises(OSError):
        host.take()


@pytest.mark.parametrize("mode", [mode for mode in MODES_HERE if mode == "gevent"])
def test_upgraded_websocket_gives_way(accept: Make) -> None:
    """gevent-websocket's object believes that it is closed, so that its handler neither reads nor says goodbye."""
    site = accept(gevent_websocket_environ)
    websocket = site.environ["wsgi.websocket"]
    assert not websocket.closed
    taken = site.host.take()
    assert websocket.closed
    websocket.close()
    taken.sock.send(b"x")
    assert site.client.read(1) == b"x"
    taken.sock.close()
    assert site.client.read_to_end() == b""


# ---------------------------------------------------------------------- not taking


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"wsgi.input": io.BytesIO(b"body"), "SERVER_SOFTWARE": "waitress"},
        {"wsgi.input": None, "wsgi.websocket": None},
        {"wsgi.input": io.BytesIO(), "gunicorn.socket": None},
        {"wsgi.input": io.BytesIO(), "werkzeug.socket": object()},
    ],
)
def test_other_servers_keep_their_sockets(environ: dict[str, Any]) -> None:
    """Without a socket in its environ a server can do long polling only, and says so."""
    host = find_host(environ)
    assert host.name == environ.get("SERVER_SOFTWARE", "the WSGI server")
    assert not host.can_websocket and not host.can_release
    assert not host.is_upgraded and not host.runs_greenlets
    with pytest.raises(OSError) as caught:
        host.take()
    assert caught.value.errno == errno.ENOTSOCK
    assert host.name in str(caught.value)


def test_connection_of_http_2_is_never_taken(accept: Make) -> None:
    """It carries other requests too."""
    site = accept(gunicorn_environ)
    site.environ["HTTP_VERSION"] = "2"
    host = site.host
    assert not host.can_websocket and not host.can_release
    with pytest.raises(OSError):
        host.take()
    site.sock.sendall(b"x")
    assert site.client.read(1) == b"x"


def test_socket_that_is_not_gevents_is_not_pywsgis(accept: Make, runtime: Runtime, made: list[Any]) -> None:
    """Where only gevent's handler would be found by its reader or its `gunicorn.sock`, any other socket stays."""
    here, there = raw_pair("unix")
    made.extend((here, there))
    host = find_host({"gunicorn.sock": here, "wsgi.input": io.BytesIO()})
    assert not host.can_websocket
    with pytest.raises(OSError):
        host.take()
    assert here.fileno() >= 0


def test_finding_takes_nothing(accept: Make) -> None:
    """Looking for the host leaves the server everything, however often."""
    site = accept(werkzeug_environ, AHEAD)
    for _ in range(3):
        assert site.host.can_websocket
    assert site.environ["wsgi.input"].read(len(AHEAD)) == AHEAD
    site.sock.sendall(b"x")
    assert site.client.read(1) == b"x"


def test_sockets_of_gevent_are_known(accept: Make, mode: str) -> None:
    """By their type, also where its name is that of the standard library."""
    assert is_gevent_socket(accept(werkzeug_environ).sock) == (mode == "gevent")
    assert not is_gevent_socket(None)


def test_first_two_connections_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind the servers' numbers is made once, also if two threads need it first in the same moment."""
    both_are_making, pair = threading.Barrier(2, timeout=PATIENCE), socket.socketpair

    def slow_pair() -> Any:
        both_are_making.wait()
        return pair()

    monkeypatch.setattr(adopt, "_dead", {})
    monkeypatch.setattr(socket, "socketpair", slow_pair)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(adopt._dead_descriptor())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert len(found) == 2 and len(set(found)) == 1
    os.fstat(found[0])  # it is open
    adopt._dead["socket"].close()


def test_released_request_ends_without_a_word() -> None:
    """The answer of a request whose connection is gone: calling for it is no error, iterating is a reset."""
    released = Released()
    iterator = iter(released)
    for _ in range(2):
        with pytest.raises(ConnectionResetError) as caught:
            next(iterator)
        assert caught.value.errno == errno.ECONNRESET
        assert "syncio" in str(caught.value)
    with pytest.raises(ConnectionResetError):
        b"".join(released)


# ---------------------------------------------------------------------- TLS


class TlsSite:
    """A connection over TLS without certificates, with both ends in the test's hands.

    :param mode: whose socket object the server has.
    """

    def __init__(self, runtime: Runtime, mode: str) -> None:
        self._runtime = runtime
        here, there = raw_pair("unix")
        module = gevent.ssl if mode == "gevent" else ssl
        self.sock = anonymous(module, server=True).wrap_socket(
            server_socket(mode, here), server_side=True, do_handshake_on_connect=False
        )
        self._client = there
        self._client.setblocking(False)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = anonymous(ssl, server=False).wrap_bio(self.incoming, self.outgoing)
        self.sock.settimeout(0.0)
        steps = {"client": self.client.do_handshake, "server": self.sock.do_handshake}
        assert eventually(runtime, lambda: self._shake(steps))
        self.sock.settimeout(PATIENCE)

    def _shake(self, steps: dict[str, Callable[[], object]]) -> bool:
        for name, step in list(steps.items()):
            try:
                step()
                del steps[name]
            except ssl.SSLWantReadError:
                pass
            self._move()
        return not steps

    def _move(self) -> None:
        if data := self.outgoing.read():
            assert self._client.send(data) == len(data)
        with contextlib.suppress(BlockingIOError):
            self.incoming.write(self._client.recv(65536))

    def send(self, data: bytes) -> None:
        """From the client."""
        self.client.write(data)
        self._move()

    def read(self, size: int) -> bytes:
        """Wait for so many bytes at the client."""
        read = bytearray()

        def look() -> bool:
            self._move()
            try:
                while True:
                    read.extend(self.client.read(65536))
            except ssl.SSLWantReadError:
                return len(read) >= size

        assert eventually(self._runtime, look), f"{len(read)} of {size} bytes came"
        return bytes(read)

    def leave(self) -> None:
        """The client closes its connection."""
        self._client.close()

    def close(self) -> None:
        """Give everything back."""
        self._client.close()
        self.sock.close()


def anonymous(module: Any, server: bool) -> Any:
    """A context for TLS in which nobody shows a certificate."""
    context = module.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    return context


@pytest.fixture
def tls(runtime: Runtime, mode: str) -> Iterator[TlsSite]:
    """A connection over TLS, whose handshake is done."""
    site = TlsSite(runtime, mode)
    yield site
    site.close()


def test_tls_is_held(tls: TlsSite, mode: str) -> None:
    """Where the server speaks TLS the request has to stay, and the server keeps its socket."""
    host = find_host({"gunicorn.socket": tls.sock, "wsgi.input": None})
    assert host.can_websocket and not host.can_release and not host.is_upgraded
    assert host.runs_greenlets == (mode == "gevent")
    fd = tls.sock.fileno()
    taken = host.take()
    assert taken.held
    assert taken.sock.fileno() == tls.sock.fileno() == fd


def test_tls_socket_does_not_wait(tls: TlsSite, runtime: Runtime) -> None:
    """Nothing to read is said as any other socket says it; then bytes go both ways."""
    sock = TlsSocket(tls.sock)
    with pytest.raises(BlockingIOError):
        sock.recv(100)
    tls.send(b"question")
    assert sock.recv(100) == b"question"
    assert sock.send(b"answer") == 6
    assert tls.read(6) == b"answer"


def test_tls_hides_nothing(tls: TlsSite) -> None:
    """All that was decrypted comes with one read: the system would not report the rest."""
    sock = TlsSocket(tls.sock)
    tls.send(b"x" * 10_000)
    assert sock.recv(100) == b"x" * 10_000
    with pytest.raises(BlockingIOError):
        sock.recv(100)


def test_tls_full(tls: TlsSite) -> None:
    """A peer that does not read makes writing end, not wait; what was taken comes."""
    sock, sent = TlsSocket(tls.sock), 0
    with pytest.raises(BlockingIOError):
        for _ in range(1000):
            sent += sock.send(b"y" * 16384)
    assert sent > 0
    assert tls.read(sent)[:sent] == b"y" * sent


def test_tls_end_without_goodbye_is_an_end(tls: TlsSite) -> None:
    """A peer that closes its connection without TLS's own goodbye has closed it all the same."""
    sock = TlsSocket(tls.sock)
    tls.leave()
    assert sock.recv(100) == b""


def test_tls_streams(tls: TlsSite, runtime: Runtime) -> None:
    """A stream over TLS: a megabyte out in order while bytes come in, and the end; the server's socket stays open."""
    stream = Stream(runtime, find_host({"werkzeug.socket": tls.sock, "wsgi.input": None}).take().sock)
    receiver = Recorder(runtime)
    stream.start(receiver)
    pieces = [bytes([number]) * 10_007 for number in range(100)]
    for piece in pieces:
        stream.write(piece)
    tls.send(b"in")
    assert receiver.has(b"in")
    assert tls.read(100 * 10_007) == b"".join(pieces)
    assert eventually(runtime, lambda: stream.buffered == 0)
    tls.leave()
    assert receiver.has_ended()
    assert tls.sock.fileno() >= 0


def test_tls_is_the_servers_to_close(tls: TlsSite, runtime: Runtime) -> None:
    """Closing the stream closes nothing of the server's; whoever waits for its end is let go."""
    stream = Stream(runtime, TlsSocket(tls.sock))
    stream.start(Recorder(runtime))
    stream.write(b"bye")
    stream.close()
    began = runtime.now()
    assert not stream.wait_for_room(-1, runtime.event(), PATIENCE)
    assert runtime.now() - began < PATIENCE
    assert tls.read(3) == b"bye"
    assert eventually(runtime, lambda: runtime.relay().stats()["watched"] == 0)
    assert tls.sock.fileno() >= 0


def test_tls_read_ahead_is_not_lost(tls: TlsSite) -> None:
    """What the server has read behind the request comes with the connection, over TLS as well."""
    unreader = SocketUnreader(tls.sock)
    unreader.unread(AHEAD)
    host = find_host({"gunicorn.socket": tls.sock, "wsgi.input": Body(LengthReader(unreader, 0))})
    assert host.take().leftover == AHEAD


# ---------------------------------------------------------------------- a connection of our own server


class OwnHost:
    """Our own server, which has the connection on the relay already."""

    name = "syncio"
    can_websocket = True
    can_release = False
    is_upgraded = False
    runs_greenlets = False

    def __init__(self, stream: Stream) -> None:
        self.unread = AHEAD
        self._stream = stream

    def take(self) -> TakenStream:
        """Give it away."""
        return TakenStream(self._stream, lambda: self.unread)


def test_own_server_says_so() -> None:
    """A server that gives connections away itself is asked before any other is looked for."""
    host = OwnHost(None)  # type: ignore[arg-type]
    assert find_host({"syncio.host": host, "werkzeug.socket": socket}) is host
    assert find_host({"syncio.host": None}).can_websocket is False


def on_duty(runtime: Runtime, call: Callable[[], object]) -> None:
    """Have the relay's duty worker call something, and wait for that."""
    done = runtime.event()
    runtime.relay().call_at(0.0, lambda: (call(), done.set()))
    assert done.wait(PATIENCE)


def test_stream_gets_another_receiver(runtime: Runtime, connect: Connect) -> None:
    """A connection that is a stream already stays it: who takes it gets what was not used, and all that comes."""
    wire = connect().start()
    wire.peer.send(b"for the server")
    assert wire.receiver.has(b"for the server")
    host = OwnHost(wire.stream)
    taken = host.take()
    host.unread = b"later than the taking"
    assert taken.stream(runtime) is wire.stream and not taken.held
    second = Recorder(runtime)
    on_duty(runtime, lambda: taken.start(wire.stream, second))
    assert taken.leftover == b"later than the taking"
    wire.peer.send(b"for the other")
    assert second.has(b"for the other")
    assert wire.receiver.data == b"for the server"
    wire.peer.close()
    assert second.has_ended() and not wire.receiver.errors


def test_paused_stream_is_read_on(runtime: Runtime, connect: Connect) -> None:
    """If the server had stopped reading, who takes the connection reads again."""
    wire = connect().start()
    wire.stream.pause()
    wire.peer.send(b"x")
    second = Recorder(runtime)
    on_duty(runtime, lambda: OwnHost(wire.stream).take().start(wire.stream, second))
    assert second.has(b"x")


def test_stream_that_has_ended(runtime: Runtime, connect: Connect) -> None:
    """Who takes a connection that ends before it is read is told."""
    wire = connect().start()
    taken = OwnHost(wire.stream).take()
    wire.peer.close()
    assert wire.receiver.has_ended()
    errors: list[StreamError] = []

    def start() -> None:
        try:
            taken.start(wire.stream, Recorder(runtime))
        except StreamError as exc:
            errors.append(exc)

    on_duty(runtime, start)
    assert [type(exc) for exc in errors] == [BrokenStream]
