"""What users test their applications with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import syncio
from syncio.errors import LocalError, RequestTimeout
from syncio.testing import Clock, TestClient

from .runtime.kinds import eventually

pytest_plugins = ["syncio.testing.plugin"]
Connect = Callable[..., TestClient]
TRANSPORTS = [None, "polling", "websocket"]


@pytest.mark.parametrize("transports", TRANSPORTS, ids=str)
def test_echo(syncio_server: syncio.Server, syncio_client: Connect, transports: Any) -> None:
    """Every transport works without a network, the upgrade too."""
    syncio_server.on("message", lambda sid, data: syncio_server.send(sid, data))
    client = syncio_client(syncio_server, transports=transports)
    assert client.transport() == ("polling" if transports == "polling" else "websocket")
    for data in ("hello", b"\x00\xff", {"a": 1}, "x" * 500_000):
        client.send(data)
        assert client.receive() == data
    assert client.received == []


@pytest.mark.parametrize("transports", TRANSPORTS, ids=str)
def test_ends(syncio_server: syncio.Server, syncio_client: Connect, transports: Any) -> None:
    """Both sides are told of the end, whoever wants it."""
    ends: list[str] = []
    syncio_server.on("disconnect", lambda sid, reason: ends.append(reason))
    syncio_server.on("message", lambda sid, data: syncio_server.disconnect(sid))
    client = syncio_client(syncio_server, transports=transports)
    client.send("end")
    assert client.wait(5)
    assert client.end == "server disconnect"
    other = syncio_client(syncio_server, transports=transports)
    other.disconnect()
    assert other.end == "client disconnect"
    assert eventually(other.runtime, lambda: len(ends) == 2)
    assert ends == ["server disconnect", "client disconnect"]


@pytest.mark.parametrize("transports", TRANSPORTS, ids=str)
def test_rejection(syncio_server: syncio.Server, syncio_client: Connect, transports: Any) -> None:
    """The server's answer is in the error."""
    syncio_server.on("connect", lambda sid, environ: "not you")
    with pytest.raises(syncio.ConnectionError) as caught:
        syncio_client(syncio_server, transports=transports)
    assert (caught.value.status, caught.value.answer) == (401, "not you")


def test_in_front_of_an_application(syncio_server: syncio.Server, syncio_client: Connect) -> None:
    """Any WSGI application with a server in it will do, at any path; headers reach its connect handler."""
    names: list[str] = []
    syncio_server.on("connect", lambda sid, environ: names.append(environ["HTTP_X_NAME"]))
    app = syncio.WSGIApp(syncio_server, lambda environ, start: [], engineio_path="live")
    syncio_client(app, engineio_path="live", headers={"X-Name": "ada"})
    assert names == ["ada"]


def test_nothing_comes(syncio_server: syncio.Server, syncio_client: Connect) -> None:
    """`receive` says so after its time, and at once when the session has ended."""
    client = syncio_client(syncio_server)
    with pytest.raises(RequestTimeout):
        client.receive(timeout=0.05)
    client.disconnect()
    with pytest.raises(RequestTimeout, match="client disconnect"):
        client.receive(timeout=60)


def test_no_application() -> None:
    """What cannot be called is refused."""
    with pytest.raises(LocalError):
        TestClient("x")  # type: ignore[arg-type]


@pytest.mark.parametrize("transports", TRANSPORTS, ids=str)
def test_clock(syncio_server: syncio.Server, syncio_client: Connect, transports: Any) -> None:
    """Hours pass at once: who answers stays, who has vanished is ended at the time that the options say."""
    ends: list[tuple[str, str]] = []
    syncio_server.on("disconnect", lambda sid, reason: ends.append((sid, reason)))
    ada = syncio_client(syncio_server, transports=transports)
    ben = syncio_client(syncio_server, transports=transports)
    gone = ben.sid
    clock = Clock(syncio_server)
    clock.advance(3600)
    assert ends == []
    ben.vanish()
    interval, timeout = syncio_server.config.interval, syncio_server.config.ping_timeout
    clock.advance(timeout - 1)
    assert ends == []
    clock.advance(interval + 2)
    assert ends == [(gone, "ping timeout")]
    assert ben.end is None
    syncio_server.send(ada.sid or "", "still here")
    assert ada.receive() == "still here"


def test_clock_ends_the_silent_in_one_step(syncio_server: syncio.Server, syncio_client: Connect) -> None:
    """However much time passes at once, pings come first; and a vanished client may come back as a new one."""
    ends: list[str] = []
    syncio_server.on("disconnect", lambda sid, reason: ends.append(reason))
    client = syncio_client(syncio_server)
    client.vanish()
    Clock(syncio_server).advance(1e6)
    assert ends == ["ping timeout"]
    client.disconnect(abort=True)
    client.connect()
    client.send("again")
    assert len(syncio_server.sockets) == 1


def test_clock_without_monitoring(syncio_client: Connect) -> None:
    """A server that asks nobody ends nobody."""
    server = syncio.Server(monitor_clients=False)
    client = syncio_client(server)
    client.vanish()
    Clock(server).advance(3600)
    assert len(server.sockets) == 1
    server.shutdown()


def test_clock_of_nothing(syncio_server: syncio.Server) -> None:
    """What has no heartbeats is refused, and so is time that runs backwards."""
    with pytest.raises(LocalError, match="eio"):
        Clock(object())  # type: ignore[arg-type]
    with pytest.raises(LocalError):
        Clock(syncio_server).advance(-1)
