"""Connecting: to whom, how long, and how it is given up; over TCP and UNIX sockets, on threads and greenlets."""

from __future__ import annotations

import _socket
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncio.errors import ClosedStream, ConfigurationError, RequestTimeout
from syncio.runtime import Runtime
from syncio.streams import BlockingStream, Connecting, Listener, address, show
from syncio.streams.address import Place, resolve
from syncio.streams.raw import RawSocket

from ..runtime.kinds import MOMENT, PATIENCE
from .duplex import Doing

WAYS = ("tcp", "unix")
NOWHERE = "nobody.invalid"
"""A name that there will never be (RFC 6761, section 6.4)."""
UNREACHABLE = ("255.255.255.255", 1)
"""TCP cannot be broadcast."""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """How to connect."""
    name: str = request.param
    return name


def bound(way: str, folder: Path) -> RawSocket:
    """A socket that has an address at which it does not listen yet."""
    sock = RawSocket(_socket.AF_INET if way == "tcp" else _socket.AF_UNIX, _socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0) if way == "tcp" else str(folder / "s"))
    return sock


@pytest.fixture
def silent(way: str, tmp_path: Path) -> Iterator[RawSocket]:
    """A bound socket."""
    sock = bound(way, tmp_path)
    yield sock
    sock.close()


@pytest.fixture
def full(silent: RawSocket) -> Iterator[RawSocket]:
    """A listener whose queue is full: TCP swallows what comes now, and a UNIX socket says that one shall try again."""
    silent.listen(0)
    waiting: list[RawSocket] = []
    while True:
        waiting.append(RawSocket(silent.family, _socket.SOCK_STREAM))
        waiting[-1].settimeout(0.02)
        try:
            waiting[-1].connect(silent.getsockname())
        except (TimeoutError, BlockingIOError):
            break
    yield silent
    for sock in waiting:
        sock.close()


def shake_hands(stream: BlockingStream, listener: Listener) -> None:
    """Pass something both ways over a new connection, and close it."""
    peer = listener.accept(PATIENCE)
    stream.write(b"hello")
    assert peer.read(100, PATIENCE) == b"hello"
    peer.write(b"you")
    assert stream.read(100, PATIENCE) == b"you"
    stream.close()
    peer.close()


def listening(runtime: Runtime, way: str, folder: Path) -> Listener:
    """A listener of ours."""
    return Listener(runtime, ("127.0.0.1", 0) if way == "tcp" else str(folder / "s"))


# ---------------------------------------------------------------------- connecting


def test_connects(runtime: Runtime, way: str, tmp_path: Path) -> None:
    """A connection to who listens carries bytes both ways; over TCP small ones leave at once."""
    listener = listening(runtime, way, tmp_path)
    stream = Connecting(runtime, listener.address).connect(PATIENCE)
    assert stream.is_local == (way == "unix")
    if way == "tcp":
        with socket.socket(fileno=os.dup(stream.fileno())) as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    shake_hands(stream, listener)
    listener.close()


def test_name_is_resolved(runtime: Runtime) -> None:
    """A host may be a name; its addresses are tried one after the other."""
    listener = Listener(runtime, ("127.0.0.1", 0))
    stream = Connecting(runtime, ("localhost", listener.address[1])).connect(PATIENCE)
    shake_hands(stream, listener)
    listener.close()


def test_path_may_be_a_path_object(runtime: Runtime, tmp_path: Path) -> None:
    """An `os.PathLike` is as good as its string."""
    listener = Listener(runtime, tmp_path / "s")
    assert listener.address == str(tmp_path / "s")
    shake_hands(Connecting(runtime, tmp_path / "s").connect(PATIENCE), listener)
    listener.close()


def test_nobody_listens(runtime: Runtime, silent: RawSocket) -> None:
    """Where nobody listens the system's error is raised."""
    with pytest.raises(ConnectionRefusedError) as caught:
        Connecting(runtime, silent.getsockname()).connect(PATIENCE)
    assert caught.value.errno == errno.ECONNREFUSED


def test_missing_path_is_named(runtime: Runtime, tmp_path: Path) -> None:
    """The error of a path that is not there says which."""
    path = str(tmp_path / "missing")
    with pytest.raises(FileNotFoundError) as caught:
        Connecting(runtime, path).connect(PATIENCE)
    assert caught.value.errno == errno.ENOENT and caught.value.filename == path


def test_path_that_is_too_long_is_refused(runtime: Runtime, tmp_path: Path) -> None:
    """A path that the system has no room for is an error at once, also for the patient."""
    with pytest.raises(OSError, match="too long"):
        Connecting(runtime, str(tmp_path / ("s" * 200))).connect(PATIENCE, retry_for=PATIENCE)


def test_unknown_name_is_the_systems_error(runtime: Runtime, capfd: pytest.CaptureFixture[str]) -> None:
    """A name that nobody has raises what `getaddrinfo` does, and nothing is printed."""
    with pytest.raises(socket.gaierror):
        Connecting(runtime, (NOWHERE, 80)).connect(PATIENCE)
    assert capfd.readouterr() == ("", "")


def test_every_address_is_tried(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Addresses that cannot be reached, or cannot be at all here, do not keep from the next."""
    listener = Listener(runtime, ("127.0.0.1", 0))
    refusing = bound("tcp", tmp_path)
    places = [
        Place(9999, UNREACHABLE),  # no such family
        Place(_socket.AF_INET, UNREACHABLE),
        Place(_socket.AF_INET, refusing.getsockname()),
        Place(_socket.AF_INET, listener.address),
    ]
    monkeypatch.setattr(address, "resolve", lambda runtime, where: places)
    shake_hands(Connecting(runtime, ("many.example", 1)).connect(PATIENCE), listener)
    places.pop()
    with pytest.raises(OSError) as caught:
        Connecting(runtime, ("many.example", 1)).connect(PATIENCE)
    assert caught.value.errno == errno.EAFNOSUPPORT, "the first one's error"
    refusing.close()
    listener.close()


def test_connection_with_itself_is_none(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP would connect a socket with itself if it is given the port that it asks for; that counts as refused."""
    made: list[RawSocket] = []

    def make(family: int, kind: int) -> RawSocket:
        made.append(RawSocket(family, kind))
        made[-1].bind(where)
        return made[-1]

    free = bound("tcp", Path())
    where = free.getsockname()
    free.close()
    monkeypatch.setattr(address, "RawSocket", make)
    with pytest.raises(ConnectionRefusedError):
        Connecting(runtime, where).connect(PATIENCE)
    assert [sock.fileno() for sock in made] == [-1]


# ---------------------------------------------------------------------- patience


def test_tries_again_until_somebody_listens(runtime: Runtime, way: str, silent: RawSocket) -> None:
    """With `retry_for` a peer may come later."""
    connecting = Doing(runtime, Connecting(runtime, silent.getsockname()).connect, None, PATIENCE)
    assert connecting.is_waiting()
    silent.listen(1)
    connecting.outcome().close()


def test_tries_again_until_there_is_a_path(runtime: Runtime, tmp_path: Path) -> None:
    """A path that is not there yet is tried again, too."""
    connecting = Doing(runtime, Connecting(runtime, tmp_path / "s").connect, PATIENCE, PATIENCE)
    assert connecting.is_waiting()
    listener = Listener(runtime, tmp_path / "s")
    shake_hands(connecting.outcome(), listener)
    listener.close()


@pytest.mark.parametrize("first", [True, False])
def test_tries_again_if_one_address_may_get_a_listener(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: bool
) -> None:
    """Of several addresses it is enough that one is only waiting for its listener, wherever it stands."""
    silent = bound("tcp", tmp_path)
    places = [Place(_socket.AF_INET, silent.getsockname()), Place(_socket.AF_INET, UNREACHABLE)]
    monkeypatch.setattr(address, "resolve", lambda runtime, where: places if first else places[::-1])
    connecting = Doing(runtime, Connecting(runtime, ("two.example", 1)).connect, PATIENCE, PATIENCE)
    assert connecting.is_waiting()
    silent.listen(1)
    connecting.outcome().close()
    silent.close()


def test_trying_again_ends(runtime: Runtime, silent: RawSocket) -> None:
    """After `retry_for` the last refusal is raised."""
    began = runtime.now()
    with pytest.raises(ConnectionRefusedError):
        Connecting(runtime, silent.getsockname()).connect(None, MOMENT)
    assert MOMENT * 0.9 <= runtime.now() - began < PATIENCE


def test_other_errors_are_not_tried_again(runtime: Runtime, tmp_path: Path) -> None:
    """What will not change by itself is raised at once."""
    path = tmp_path / "file" / "s"
    path.parent.write_text("no folder")
    with pytest.raises(NotADirectoryError):
        Connecting(runtime, path).connect(None, PATIENCE * 10)


def test_time_ends_before_the_patience_for_listeners(runtime: Runtime, silent: RawSocket) -> None:
    """`timeout` is for all of it, whatever `retry_for` says."""
    began = runtime.now()
    with pytest.raises(RequestTimeout, match=r"^the connection to ") as caught:
        Connecting(runtime, silent.getsockname()).connect(MOMENT, PATIENCE * 10)
    assert MOMENT * 0.9 <= runtime.now() - began < PATIENCE
    assert caught.value.timeout == MOMENT


def test_gives_up_in_time(runtime: Runtime, full: RawSocket) -> None:
    """A listener whose queue stays full costs no more than the time."""
    began = runtime.now()
    with pytest.raises(RequestTimeout) as caught:
        Connecting(runtime, full.getsockname()).connect(MOMENT)
    assert MOMENT * 0.9 <= runtime.now() - began < PATIENCE
    assert show(full.getsockname()) in str(caught.value)


def test_waits_for_a_place_in_the_queue(runtime: Runtime, tmp_path: Path) -> None:
    """A full queue is no error while there is time: when somebody is accepted the next one comes in."""
    listener = Listener(runtime, tmp_path / "s", backlog=0)
    first = Connecting(runtime, tmp_path / "s").connect(PATIENCE)
    second = Doing(runtime, Connecting(runtime, tmp_path / "s").connect, PATIENCE)
    assert second.is_waiting()
    shake_hands(first, listener)
    shake_hands(second.outcome(), listener)
    listener.close()


# ---------------------------------------------------------------------- giving up


@pytest.mark.parametrize("patience", [None, PATIENCE * 2])
def test_abort_ends_the_wait_for_an_answer(runtime: Runtime, full: RawSocket, patience: float | None) -> None:
    """Who waits for a listener that does not answer is told at once that this side has given up."""
    attempt = Connecting(runtime, full.getsockname())
    connecting = Doing(runtime, attempt.connect, patience)
    assert connecting.is_waiting()
    attempt.abort()
    with pytest.raises(ClosedStream):
        connecting.outcome()
    attempt.abort()


@pytest.mark.parametrize("patience", [None, PATIENCE * 2])
def test_abort_ends_the_wait_for_a_listener(runtime: Runtime, silent: RawSocket, patience: float | None) -> None:
    """Who tries again and again is told at once."""
    attempt = Connecting(runtime, silent.getsockname())
    connecting = Doing(runtime, attempt.connect, patience, PATIENCE * 2)
    assert connecting.is_waiting()
    attempt.abort()
    with pytest.raises(ClosedStream):
        connecting.outcome()


def test_abort_before_the_beginning(runtime: Runtime, way: str, tmp_path: Path) -> None:
    """An attempt that was given up already does not connect, although somebody listens."""
    listener = listening(runtime, way, tmp_path)
    attempt = Connecting(runtime, listener.address)
    attempt.abort()
    with pytest.raises(ClosedStream):
        attempt.connect()
    assert listener.accept_now() is None
    listener.close()


def test_abort_just_before_the_system_is_asked(
    runtime: Runtime, full: RawSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An abort that finds a socket which is not connecting yet is not lost."""

    class Late(RawSocket):
        def connect_ex(self, where: Any) -> int:
            attempt.abort()
            return super().connect_ex(where)

    monkeypatch.setattr(address, "RawSocket", Late)
    attempt = Connecting(runtime, full.getsockname())
    with pytest.raises(ClosedStream):
        attempt.connect(PATIENCE)


def test_abort_afterwards_is_too_late(runtime: Runtime, way: str, tmp_path: Path) -> None:
    """What is connected is the stream's matter: giving the attempt up does not end it."""
    listener = listening(runtime, way, tmp_path)
    attempt = Connecting(runtime, listener.address)
    stream = attempt.connect(PATIENCE)
    attempt.abort()
    shake_hands(stream, listener)
    listener.close()


# ---------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "wrong",
    [
        None, 5, object(), "", b"/path", b"ab", (), ("host",), ("host", None), ("host", "http"), ("host", 1, 2),
        ("host", -1), ("host", 65536), (5, 80), ("a..b", 80), ("x" * 64 + ".example", 80),
    ],
)  # fmt: skip
def test_wrong_addresses_are_refused(runtime: Runtime, wrong: object) -> None:
    """What is neither host and port nor a path is refused in words, by who connects and by who listens."""
    with pytest.raises(ConfigurationError) as caught:
        Connecting(runtime, wrong).connect(PATIENCE)
    assert caught.value.option == "address" and caught.value.value == wrong
    with pytest.raises(ConfigurationError):
        Listener(runtime, wrong)


def test_port_may_be_a_string(runtime: Runtime) -> None:
    """A port as people type it is a port."""
    assert resolve(runtime, ("127.0.0.1", "80")) == [Place(_socket.AF_INET, ("127.0.0.1", 80))]


def test_no_host_is_this_one(runtime: Runtime) -> None:
    """Without a host one connects to this machine, and listens at all of its addresses."""
    for host in ("", None):
        assert ("127.0.0.1", 80) in [place.where for place in resolve(runtime, (host, 80))]
        assert ("0.0.0.0", 80) in [place.where for place in resolve(runtime, (host, 80), passive=True)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (("localhost", 80), "localhost:80"),
        (("::1", 80), "[::1]:80"),
        (("::1", 80, 0, 0), "[::1]:80"),
        ("/run/s", "/run/s"),
        (Path("/run/s"), "/run/s"),
        (None, "None"),
    ],
)
def test_addresses_are_shown_as_people_write_them(value: Any, shown: str) -> None:
    """A port follows its host, whose own colons are kept apart from it."""
    assert show(value) == shown
