"""The ways to a server: TLS with and without trust, and proxies."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server

import syncio
from syncio.errors import ConnectionError

from ...runtime.kinds import PATIENCE, eventually
from .test_client import Recorder

CERTIFICATE = str(Path(__file__).with_name("localhost.pem"))
"""Of 127.0.0.1 and localhost, signed by itself, with its key."""
TRANSPORTS = [None, "polling", "websocket"]


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An echo server, with TLS or without."""
    server = syncio.Server()
    server.on("message", lambda sid, data: server.send(sid, data))
    tls = (CERTIFICATE, CERTIFICATE) if request.param else None
    http = make_server("127.0.0.1", 0, syncio.WSGIApp(server), threaded=True, ssl_context=tls)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http{'s' if request.param else ''}://127.0.0.1:{http.port}"
    server.shutdown(PATIENCE)
    http.shutdown()
    thread.join(PATIENCE)
    http.server_close()


def talk(client: Recorder, url: str, transports: Any) -> None:
    """Connect, send 200 kB there and back, and disconnect."""
    client.connect(url, transports=transports)
    client.send(b"x" * 200_000)
    client.send("done")
    assert client.has("connect", b"x" * 200_000, "done")
    client.disconnect()
    assert client.events[-1] == ("disconnect", "client disconnect")


@pytest.mark.parametrize("transports", TRANSPORTS, ids=str)
@pytest.mark.parametrize("url", [True], indirect=True, ids=["tls"])
def test_untrusted_certificate(url: str, transports: Any) -> None:
    """Certificates are verified unless somebody says otherwise."""
    client = Recorder()
    with pytest.raises(ConnectionError, match="certificate"):
        client.connect(url, transports=transports)
    assert client.state == "disconnected"


@pytest.mark.parametrize("transports", TRANSPORTS, ids=str)
@pytest.mark.parametrize("url", [True], indirect=True, ids=["tls"])
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_trust(url: str, transports: Any) -> None:
    """With an authority that the session names, or without verification, everything works over TLS."""
    with requests.Session() as session:
        session.trust_env = False  # a machine may name authorities of its own
        session.verify = CERTIFICATE
        talk(Recorder(http_session=session), url, transports)
    talk(Recorder(ssl_verify=False), url, transports)
    if transports == "websocket":
        talk(Recorder(websocket_extra_options={"sslopt": {"ca_certs": CERTIFICATE}}), url, transports)


@pytest.mark.parametrize("url", [True], indirect=True, ids=["tls"])
def test_certificate_of_another_host(url: str) -> None:
    """The name counts too."""
    client = Recorder(websocket_extra_options={"sslopt": {"ca_certs": CERTIFICATE}})
    with socket.create_server(("127.0.0.2", 0)) as other:
        relay = threading.Thread(target=tunnel, args=(other, int(url.rpartition(":")[2]), False), daemon=True)
        relay.start()
        with pytest.raises(ConnectionError, match=r"127\.0\.0\.2"):
            client.connect(f"https://127.0.0.2:{other.getsockname()[1]}", transports="websocket")
        relay.join(PATIENCE)


def tunnel(
    listener: socket.socket, port: int, asks: bool, refuse: bytes = b"", heads: list[bytes] | None = None
) -> None:
    """Take one connection to a port of this machine, as a proxy that is asked for that, or without a question."""
    here, _ = listener.accept()
    with here:
        if asks:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += here.recv(1)
            if heads is not None:
                heads.append(head)
            here.sendall(refuse or b"HTTP/1.1 200 Connection established\r\n\r\n")
            if refuse:
                return
        with socket.create_connection(("127.0.0.1", port)) as there:
            back = threading.Thread(target=pump, args=(there, here), daemon=True)
            back.start()
            pump(here, there)
            back.join(PATIENCE)


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy until one of them ends."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_websocket_through_a_proxy(url: str) -> None:
    """The session's proxy is asked for a tunnel, with its credentials; TLS goes through it to the server itself."""
    heads: list[bytes] = []
    port = int(url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as proxy, requests.Session() as session:
        thread = threading.Thread(target=tunnel, args=(proxy, port, True, b"", heads), daemon=True)
        thread.start()
        where = f"http://ada:p%40ss@127.0.0.1:{proxy.getsockname()[1]}"
        session.trust_env = False
        session.proxies = {"http": where, "https": where}
        session.verify = CERTIFICATE
        talk(Recorder(http_session=session), url, "websocket")
        thread.join(PATIENCE)
    assert heads[0].startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic YWRhOnBAc3M=\r\n" in heads[0]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"nonsense", b"x" * 20_000])
def test_proxy_says_no(answer: bytes) -> None:
    """Whatever else a proxy answers is a `ConnectionError` that names it."""
    with socket.create_server(("127.0.0.1", 0)) as proxy, requests.Session() as session:
        thread = threading.Thread(target=tunnel, args=(proxy, 1, True, answer), daemon=True)
        thread.start()
        session.trust_env = False
        session.proxies = {"http": f"http://127.0.0.1:{proxy.getsockname()[1]}"}
        client = Recorder(http_session=session)
        with pytest.raises(ConnectionError, match="proxy"):
            client.connect("http://example.invalid", transports="websocket")
        assert eventually(client.runtime, lambda: not thread.is_alive())
        session.proxies = {"http": "socks5://127.0.0.1:1"}
        with pytest.raises(ConnectionError, match="socks5"):
            client.connect("http://example.invalid", transports="websocket")
