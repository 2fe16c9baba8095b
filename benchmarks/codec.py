"""What it costs to read and write WebSocket frames: syncio beside other codecs, and picows over TCP.

    python benchmarks/codec.py [--rounds 7] [--no-tcp]

needs: pip install websockets wsproto picows
A server reads masked frames and writes unmasked ones. The codecs run in turns, so that a slow moment of the machine
hits all of them; each figure is the median of the rounds. picows has no parser without a socket, so it is measured in
an asyncio echo server against an echo server of ours on the same event loop: CPU time of the server per message.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import syncio.websocket
from syncio.websocket import Connection, Role, encode_frame
from syncio.websocket.frames import apply_mask, pure_apply_mask

Action = Callable[[], Any]
Codec = dict[str, Action]

KEY = b"\x37\xfa\x21\x3d"
TEXT = "0123456789abcdef" * 2
BINARY = bytes(range(256)) * 64
ONE_TEXT = encode_frame(1, TEXT.encode(), mask_key=KEY)
ONE_BINARY = encode_frame(2, BINARY, mask_key=KEY)
SIXTEEN = ONE_TEXT * 16

CASES = {
    "read text of 32 B, one frame a read": [TEXT],
    "read text of 32 B, 16 frames a read": [TEXT] * 16,
    "read binary of 16 KiB, one frame a read": [BINARY],
    "write text of 32 B": None,
    "write binary of 16 KiB": None,
}
"""What is measured, and the messages that one action must read."""
READ_TEXT, READ_SIXTEEN, READ_BINARY, WRITE_TEXT, WRITE_BINARY = CASES


def syncio_codec() -> Codec:
    """This package."""
    return codec_of(syncio.websocket)


def syncio_pure_codec() -> Codec:
    """This package as it is where `websockets` is not installed: loaded a second time without it."""
    ours = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("syncio.websocket")}
    compiled = sys.modules.pop("websockets.speedups", None)
    sys.modules["websockets.speedups"] = None  # type: ignore[assignment]
    try:
        return codec_of(importlib.import_module("syncio.websocket"))
    finally:
        del sys.modules["websockets.speedups"]
        sys.modules.update(ours)
        if compiled is not None:
            sys.modules["websockets.speedups"] = compiled


def codec_of(package: Any) -> Codec:
    """The five actions of a server's connection."""
    server = package.Connection(package.Role.SERVER)
    return {
        READ_TEXT: lambda: server.receive_data(ONE_TEXT),
        READ_SIXTEEN: lambda: server.receive_data(SIXTEEN),
        READ_BINARY: lambda: server.receive_data(ONE_BINARY),
        WRITE_TEXT: lambda: server.text(TEXT),
        WRITE_BINARY: lambda: server.binary(BINARY),
    }


def websockets_codec() -> Codec:
    """The protocol without I/O of `websockets`."""
    protocol = importlib.import_module("websockets.protocol")
    frames = importlib.import_module("websockets.frames")
    server = protocol.Protocol(protocol.SERVER, state=protocol.State.OPEN, max_size=2**20)
    text = frames.Opcode.TEXT

    def read(data: bytes) -> list[Any]:
        server.receive_data(data)
        return [event.data.decode() if event.opcode is text else event.data for event in server.events_received()]

    def write_text() -> Any:
        server.send_text(TEXT.encode())
        return server.data_to_send()[0]

    def write_binary() -> Any:
        server.send_binary(BINARY)
        return server.data_to_send()[0]

    return {
        READ_TEXT: lambda: read(ONE_TEXT),
        READ_SIXTEEN: lambda: read(SIXTEEN),
        READ_BINARY: lambda: read(ONE_BINARY),
        WRITE_TEXT: write_text,
        WRITE_BINARY: write_binary,
    }


def wsproto_codec() -> Codec:
    """`wsproto`, after its handshake."""
    module = importlib.import_module("wsproto.connection")
    events = importlib.import_module("wsproto.events")
    server = module.Connection(module.ConnectionType.SERVER)

    def read(data: bytes) -> list[Any]:
        server.receive_data(data)
        return [event.data if isinstance(event.data, str) else bytes(event.data) for event in server.events()]

    return {
        READ_TEXT: lambda: read(ONE_TEXT),
        READ_SIXTEEN: lambda: read(SIXTEEN),
        READ_BINARY: lambda: read(ONE_BINARY),
        WRITE_TEXT: lambda: server.send(events.TextMessage(data=TEXT)),
        WRITE_BINARY: lambda: server.send(events.BytesMessage(data=BINARY)),
    }


CODECS = {
    "syncio": syncio_codec,
    "syncio, pure": syncio_pure_codec,
    "websockets": websockets_codec,
    "wsproto": wsproto_codec,
}


def load() -> dict[str, Codec]:
    """The codecs that are installed, checked: all of them must read and write the same."""
    codecs = {}
    for name, make in CODECS.items():
        try:
            codecs[name] = make()
        except ImportError as error:
            print(f"{name}: left out, {error}. Install it with: pip install {name}")
    written = {case: codecs["syncio"][case]() for case, messages in CASES.items() if messages is None}
    for name, codec in codecs.items():
        for case, messages in CASES.items():
            assert codec[case]() == (written[case] if messages is None else messages), (name, case)
    return codecs


def nanoseconds(action: Action, seconds: float) -> float:
    """The time of one call, measured for about so many seconds."""
    calls, spent = 0, 0.0
    while spent < seconds:
        start = time.perf_counter()
        for _ in range(200):
            action()
        spent += time.perf_counter() - start
        calls += 200
    return spent / calls * 1e9


def measure_codecs(rounds: int) -> None:
    """Print the table of codecs."""
    codecs = load()
    print(f"\nns per call{'':32}" + "".join(f"{name:>22}" for name in codecs))
    for case in CASES:
        figures: dict[str, list[float]] = {name: [] for name in codecs}
        for _ in range(rounds):
            for name, codec in codecs.items():
                figures[name].append(nanoseconds(codec[case], 0.05))
        medians = {name: statistics.median(values) for name, values in figures.items()}
        cells = (f"{median:>12,.0f} ({median / medians['syncio']:5.1f} x)" for median in medians.values())
        print(f"{case:43}" + "".join(f"{cell:>22}" for cell in cells))


CLIENT = """
import socket, sys
port, rounds, block, answer = int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3]), int(sys.argv[4])
with socket.create_connection(("127.0.0.1", port)) as client:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(b"GET / HTTP/1.1\\r\\nHost: h\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
                   b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n")
    while not client.recv(4096).endswith(b"\\r\\n\\r\\n"):
        pass
    for _ in range(rounds):
        client.sendall(block)
        missing = answer
        while missing:
            missing -= len(client.recv(65536))
"""
"""A process of its own, so that the server's CPU time is the server's: send a block of frames, await their echoes."""


class EchoProtocol(asyncio.Protocol):
    """An echo server of ours on an asyncio transport; all echoes of one read leave in one write."""

    def connection_made(self, transport: Any) -> None:
        """Wait for the request."""
        self.transport = transport
        self.connection: Connection | None = None

    def data_received(self, data: bytes) -> None:
        """Answer the request, then echo every message."""
        if self.connection is None:
            accept = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            self.transport.write(b"HTTP/1.1 101 .\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + accept)
            self.connection = Connection(Role.SERVER)
            return
        connection = self.connection
        echoes = [connection.text(event) for event in connection.receive_data(data) if isinstance(event, str)]
        self.transport.write(b"".join(echoes))


async def serve_syncio() -> Any:
    """Start our echo server."""
    return await asyncio.get_running_loop().create_server(EchoProtocol, "127.0.0.1", 0)


async def serve_picows() -> Any:
    """Start an echo server of picows."""
    picows = importlib.import_module("picows")

    class Listener(picows.WSListener):  # type: ignore[misc, name-defined]
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == picows.WSMsgType.TEXT:
                transport.send(picows.WSMsgType.TEXT, frame.get_payload_as_utf8_text().encode())

    return await picows.ws_create_server(lambda request: Listener(), "127.0.0.1", 0)


async def cpu_per_message(serve: Callable[[], Any], frames: int, messages: int) -> float:
    """CPU time of this process per echoed message, in nanoseconds."""
    server = await serve()
    port = next(iter(server.sockets)).getsockname()[1]
    block, answer = ONE_TEXT * frames, (len(TEXT) + 2) * frames
    arguments = [str(port), str(messages // frames), block.hex(), str(answer)]
    start = time.process_time()
    client = await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, *arguments)
    assert await client.wait() == 0
    spent = time.process_time() - start
    server.close()
    return spent / messages * 1e9


def measure_tcp(rounds: int) -> None:
    """Print the table of echo servers."""
    servers = {"syncio": serve_syncio, "picows": serve_picows}
    try:
        importlib.import_module("picows")
    except ImportError as error:
        print(f"picows: left out, {error}. Install it with: pip install picows")
        del servers["picows"]
    print(f"\nCPU ns per echo over TCP, asyncio{'':10}" + "".join(f"{name:>22}" for name in servers))
    for frames, messages in ((1, 10_000), (16, 64_000)):
        figures: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, serve in servers.items():
                figures[name].append(asyncio.run(cpu_per_message(serve, frames, messages)))
        medians = {name: statistics.median(values) for name, values in figures.items()}
        cells = (f"{median:>12,.0f} ({median / medians['syncio']:5.1f} x)" for median in medians.values())
        print(f"{f'text of 32 B, {frames} in flight':43}" + "".join(f"{cell:>22}" for cell in cells))
    print("(both on one event loop class; picows sends each echo by itself, ours leave together)")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-tcp", action="store_true", help="only the codecs")
    options = parser.parse_args()
    compiled = apply_mask is not pure_apply_mask
    print(f"Python {sys.version.split()[0]}, masking {'compiled (websockets.speedups)' if compiled else 'in Python'}")
    measure_codecs(options.rounds)
    if not options.no_tcp:
        measure_tcp(options.rounds)


if __name__ == "__main__":
    main()
