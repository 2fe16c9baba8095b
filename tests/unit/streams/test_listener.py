"""Listening: who comes, how long one waits, and whose the file of a UNIX socket is; on threads and greenlets."""

from __future__ import annotations

import _socket
import errno
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncio.errors import ClosedStream, RequestTimeout
from syncio.runtime import Runtime
from syncio.streams import BlockingStream, Connecting, Listener
from syncio.streams.raw import RawSocket

from ..runtime.kinds import MOMENT, PATIENCE
from .duplex import Doing


@pytest.fixture
def listen(runtime: Runtime) -> Iterator[Callable[..., Listener]]:
    """Makes listeners that are closed when the test ends."""
    made: list[Listener] = []

    def make(address: Any, **options: Any) -> Listener:
        made.append(Listener(runtime, address, **options))
        return made[-1]

    yield make
    for listener in made:
        listener.close()


@pytest.fixture(params=["tcp", "unix", "abstract"])
def listener(request: pytest.FixtureRequest, listen: Callable[..., Listener], tmp_path: Path) -> Listener:
    """A listener of each kind."""
    places = {"tcp": ("127.0.0.1", 0), "unix": str(tmp_path / "s"), "abstract": f"\0syncio{tmp_path}"}
    return listen(places[request.param])


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a UNIX socket may be."""
    return str(tmp_path / "s")


def raw_listener(path: str, kind: int = _socket.SOCK_STREAM) -> RawSocket:
    """Somebody else's socket at a path."""
    sock = RawSocket(_socket.AF_UNIX, kind)
    sock.bind(path)
    if kind == _socket.SOCK_STREAM:
        sock.listen(1)
    return sock


# ---------------------------------------------------------------------- accepting


def test_peer_is_accepted(runtime: Runtime, listener: Listener) -> None:
    """Who waits is given the peer that comes, and one that has come already needs no wait."""
    for early in (False, True):
        accepting = None if early else Doing(runtime, listener.accept)
        assert accepting is None or accepting.is_waiting()
        client = Connecting(runtime, listener.address).connect(PATIENCE)
        server = accepting.outcome() if accepting is not None else listener.accept(0)
        client.write(b"hello")
        assert server.read(100, PATIENCE) == b"hello"
        client.close()
        server.close()


def test_small_bytes_leave_at_once(runtime: Runtime, listen: Callable[..., Listener]) -> None:
    """A connection that was accepted over TCP does not collect what is written."""
    listener = listen(("127.0.0.1", 0))
    client = Connecting(runtime, listener.address).connect(PATIENCE)
    server = listener.accept(PATIENCE)
    with socket.socket(fileno=os.dup(server.fileno())) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    client.close()
    server.close()


def test_port_is_found(listen: Callable[..., Listener]) -> None:
    """Port 0 is any that is free, and the address says which; it is still known when the listener is closed."""
    listener = listen(("127.0.0.1", 0))
    host, port = listener.address
    assert host == "127.0.0.1" and port > 0
    listener.close()
    assert listener.address == (host, port)


def test_ipv6_has_a_host_and_a_port_too(runtime: Runtime, listen: Callable[..., Listener]) -> None:
    """The address over IPv6 is one to connect to."""
    try:
        listener = listen(("::1", 0))
    except OSError as exc:
        pytest.skip(f"no IPv6 here: {exc}")
    assert len(listener.address) == 2
    Connecting(runtime, listener.address).connect(PATIENCE).close()


def test_accept_gives_up_in_time(runtime: Runtime, listener: Listener) -> None:
    """Where nobody comes the wait ends after its time, and says for whom it was; later peers are accepted."""
    began = runtime.now()
    with pytest.raises(RequestTimeout, match="waiting for a peer at ") as caught:
        listener.accept(MOMENT)
    assert MOMENT * 0.9 <= runtime.now() - began < PATIENCE
    assert caught.value.timeout == MOMENT
    assert ":0 " not in str(caught.value), "the port that was asked for is of no use to anybody"
    client = Connecting(runtime, listener.address).connect(PATIENCE)
    listener.accept(PATIENCE).close()
    client.close()


def test_nobody_is_there_now(listener: Listener) -> None:
    """`accept_now` does not wait."""
    assert listener.accept_now() is None


def test_surplus_peers_are_found(runtime: Runtime, listener: Listener) -> None:
    """Peers that the kernel has let in are given one by one, and then none."""
    clients = [Connecting(runtime, listener.address).connect(PATIENCE) for _ in range(2)]
    listener.accept(PATIENCE).close()
    second = listener.accept_now()
    assert second is not None
    second.close()
    assert listener.accept_now() is None
    for client in clients:
        client.close()


def test_socket_of_a_peer(runtime: Runtime, listener: Listener) -> None:
    """A peer may be accepted as a socket, which does not block, with its address; of none there is neither."""
    assert listener.accept_socket() is None
    client = Connecting(runtime, listener.address).connect(PATIENCE)
    assert runtime.readiness(listener.fileno()).readable(PATIENCE)
    accepted = listener.accept_socket()
    assert accepted is not None
    sock, peer = accepted
    assert peer == sock.getpeername() and not sock.getblocking()
    with pytest.raises(BlockingIOError):
        sock.recv(1)
    client.write(b"hello")
    assert BlockingStream(runtime, sock).read(100, PATIENCE) == b"hello"
    sock.close()
    client.close()
    listener.abort()
    with pytest.raises(ClosedStream):
        listener.accept_socket()


@pytest.mark.parametrize("patience", [None, PATIENCE * 2])
def test_abort_wakes_who_waits(runtime: Runtime, listener: Listener, patience: float | None) -> None:
    """Who waits for a peer is told at once that this side has given up; so is who comes later."""
    accepting = Doing(runtime, listener.accept, patience)
    assert accepting.is_waiting()
    listener.abort()
    with pytest.raises(ClosedStream):
        accepting.outcome()
    listener.abort()
    for _ in range(2):
        with pytest.raises(ClosedStream):
            listener.accept()
        with pytest.raises(ClosedStream):
            listener.accept_now()
        listener.close()


def test_abort_is_stronger_than_a_peer(runtime: Runtime, listener: Listener) -> None:
    """A peer that has come is not accepted after an abort."""
    client = Connecting(runtime, listener.address).connect(PATIENCE)
    listener.abort()
    with pytest.raises(ClosedStream):
        listener.accept(PATIENCE)
    client.close()


def test_closed_listener_listens_no_more(runtime: Runtime, listener: Listener) -> None:
    """After `close` nobody can connect, and another one can listen there at once."""
    address = listener.address
    listener.close()
    listener.close()
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        Connecting(runtime, address).connect(PATIENCE)
    Listener(runtime, address).close()


def test_closed_listener_touches_no_other_descriptor(runtime: Runtime, listener: Listener) -> None:
    """What is done with a closed listener does not reach whoever has its descriptor's number now."""
    other = RawSocket(_socket.AF_INET, _socket.SOCK_STREAM)
    other.bind(("127.0.0.1", 0))
    other.listen(1)
    number = listener._sock.fileno()
    listener.close()
    os.dup2(other.fileno(), number)
    listener.abort()
    with pytest.raises(ClosedStream):
        listener.accept()
    Connecting(runtime, other.getsockname()).connect(PATIENCE).close()
    os.close(number)
    other.close()


# ---------------------------------------------------------------------- places that are not free


def test_port_of_another_is_refused(listen: Callable[..., Listener], runtime: Runtime) -> None:
    """Where somebody listens already nobody else can."""
    first = listen(("127.0.0.1", 0))
    with pytest.raises(OSError) as caught:
        Listener(runtime, first.address)
    assert caught.value.errno == errno.EADDRINUSE


def test_port_is_free_again_at_once(runtime: Runtime, listen: Callable[..., Listener]) -> None:
    """Connections that TCP still remembers do not keep a server from starting again."""
    first = listen(("127.0.0.1", 0))
    client = Connecting(runtime, first.address).connect(PATIENCE)
    server = first.accept(PATIENCE)
    server.close()
    assert client.read(100, PATIENCE) == b""
    client.close()
    first.close()
    listen(first.address)


def test_abstract_name_of_another_is_refused(listen: Callable[..., Listener], runtime: Runtime, path: str) -> None:
    """A name in the system's own space has one listener; it has no file."""
    first = listen("\0" + path)
    assert first.address == "\0" + path
    with pytest.raises(OSError) as caught:
        Listener(runtime, "\0" + path)
    assert caught.value.errno == errno.EADDRINUSE
    assert not os.path.lexists(path)


def test_live_path_is_refused_undisturbed(listen: Callable[..., Listener], runtime: Runtime, path: str) -> None:
    """A path at which somebody listens stays his, and he does not notice that another one has asked."""
    first = listen(path)
    for _ in range(5):
        with pytest.raises(OSError) as caught:
            Listener(runtime, path)
        assert caught.value.errno == errno.EADDRINUSE and caught.value.filename == path
    assert first.accept_now() is None
    client = Connecting(runtime, path).connect(PATIENCE)
    first.accept(PATIENCE).close()
    client.close()


@pytest.mark.parametrize("kind", [_socket.SOCK_DGRAM, _socket.SOCK_SEQPACKET])
def test_live_path_of_another_kind_is_refused(runtime: Runtime, path: str, kind: int) -> None:
    """It does not matter for what kind of socket the path is."""
    other = raw_listener(path, kind)
    other.setblocking(False)
    with pytest.raises(OSError) as caught:
        Listener(runtime, path)
    assert caught.value.errno == errno.EADDRINUSE
    if kind == _socket.SOCK_DGRAM:
        with pytest.raises(BlockingIOError):
            other.recv(1)
    assert os.path.exists(path)
    other.close()


def test_path_of_one_about_to_listen_is_refused(runtime: Runtime, path: str) -> None:
    """Somebody who has bound a path and does not listen yet is not driven out."""
    other = RawSocket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    other.bind(path)
    with pytest.raises(OSError) as caught:
        Listener(runtime, path)
    assert caught.value.errno == errno.EADDRINUSE
    other.close()


def test_stale_path_is_replaced(listen: Callable[..., Listener], runtime: Runtime, path: str) -> None:
    """A file that a process has left behind when it died is no obstacle."""
    raw_listener(path).close()
    listener = listen(path)
    Connecting(runtime, path).connect(PATIENCE).close()
    listener.accept(PATIENCE).close()


def test_other_files_are_refused_untouched(runtime: Runtime, path: str) -> None:
    """A file that is no socket is somebody's data."""
    Path(path).write_text("precious")
    with pytest.raises(OSError) as caught:
        Listener(runtime, path)
    assert caught.value.errno == errno.EADDRINUSE and caught.value.filename == path
    assert Path(path).read_text() == "precious"


@pytest.mark.parametrize("target", ["file", "nothing", "folder"])
def test_links_and_folders_are_refused_untouched(runtime: Runtime, tmp_path: Path, path: str, target: str) -> None:
    """Neither a link, wherever it leads, nor a folder is replaced."""
    if target == "folder":
        os.mkdir(path)
    else:
        os.symlink(tmp_path / "target", path)
    if target == "file":
        (tmp_path / "target").write_text("precious")
    with pytest.raises(OSError) as caught:
        Listener(runtime, path)
    assert caught.value.errno == errno.EADDRINUSE
    assert os.path.isdir(path) if target == "folder" else os.path.islink(path)


def test_missing_folder_is_the_systems_error(runtime: Runtime, tmp_path: Path) -> None:
    """Where there is no folder there can be no socket."""
    with pytest.raises(FileNotFoundError):
        Listener(runtime, tmp_path / "missing" / "s")


def test_failure_leaves_no_file(runtime: Runtime, path: str) -> None:
    """A listener that cannot be made takes its file with it."""
    with pytest.raises(OverflowError):
        Listener(runtime, path, backlog=2**40)
    assert not os.path.lexists(path)


# ---------------------------------------------------------------------- the file


def test_file_goes_with_the_listener(listen: Callable[..., Listener], path: str) -> None:
    """A path is there while somebody listens, and not afterwards."""
    listener = listen(path)
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    listener.close()
    assert not os.path.lexists(path)


def test_file_goes_although_the_folder_was_changed(
    listen: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A relative path is the one that it was when the listener was made."""
    monkeypatch.chdir(tmp_path)
    listener = listen("s")
    assert listener.address == "s"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    listener.close()
    assert not (tmp_path / "s").exists()


def test_file_of_another_is_left_alone(listen: Callable[..., Listener], path: str) -> None:
    """Who closes does not remove what somebody else has put there in between."""
    listener = listen(path)
    os.unlink(path)
    other = raw_listener(path)
    listener.close()
    assert os.path.exists(path)
    other.close()


def test_file_that_is_gone_is_no_matter(listen: Callable[..., Listener], path: str) -> None:
    """Somebody may have cleaned up already."""
    listener = listen(path)
    os.unlink(path)
    listener.close()


def test_abort_leaves_the_file_to_close(listen: Callable[..., Listener], path: str) -> None:
    """Only `close` ends it all; until then the path is refused to others."""
    listener = listen(path)
    listener.abort()
    assert os.path.exists(path)
    with pytest.raises(OSError) as caught:
        listen(path)
    assert caught.value.errno == errno.EADDRINUSE
    listener.close()
    assert not os.path.exists(path)


@pytest.mark.parametrize("mode_asked", [0o600, 0o666, 0o755])
@pytest.mark.parametrize("umask", [0o022, 0o177])
def test_permissions_are_what_was_asked_for(
    listen: Callable[..., Listener], path: str, umask: int, mode_asked: int
) -> None:
    """`mode` is the file's, whatever the umask says."""
    before = os.umask(umask)
    try:
        listen(path, mode=mode_asked)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == mode_asked


def test_permissions_are_never_wider(
    listen: Callable[..., Listener], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has no moment in which others might connect."""
    seen: list[int] = []
    chmod = os.chmod

    def note(path: str, mode: int) -> None:
        seen.append(stat.S_IMODE(os.stat(path).st_mode))
        chmod(path, mode)

    monkeypatch.setattr(os, "chmod", note)
    before = os.umask(0)
    try:
        listen(path, mode=0o600)
    finally:
        os.umask(before)
    assert seen == [0o600]


def test_permissions_follow_the_umask(listen: Callable[..., Listener], path: str) -> None:
    """Without `mode` they are the system's usual ones."""
    before = os.umask(0o027)
    try:
        listen(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o750
