"""What a small request costs through HTTP clients: the choice of what Master and Slave speak with.

    python benchmarks/http_clients.py [--rounds 7]

One kept connection to a server in another process that does next to nothing. Microseconds of this process's CPU for a
request with its answer, the least of a round; the figures are the medians of the rounds, in turns. Clients that are not
installed are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from syncio.runtime import choose_runtime
from syncio.web.http_channel import HTTPChannel

REQUESTS = 500
REPETITIONS = 4
BODY = json.dumps({"task": {"id": "00000000-0000-4000-8000-000000000000"}, "data": {"a": 2, "b": 3}}).encode()
FIELDS = {"Content-Type": "application/json", "Channel": "0", "Token": "0" * 64}
SAID = b'{"success": true, "code": 0, "message": "Task received!", "data": null}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Date: Sat, 21 Nov 2026 21:05:56 GMT\r\n\r\n%b" % (len(SAID), SAID)
)


def serve(listener: socket.socket) -> None:
    """Answer every request, one connection after the other."""
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seen = b""
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                seen += data
                if BODY in seen:
                    seen = b""
                    connection.sendall(ANSWER)


def clients(port: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Each client with a request."""
    url = f"http://127.0.0.1:{port}/task/new"
    channel = HTTPChannel(choose_runtime(), "127.0.0.1", port)
    yield "HTTPChannel", lambda: channel.exchange("POST", "/task/new", FIELDS, BODY, 10.0).body
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def standard() -> bytes:
        connection.request("POST", "/task/new", BODY, FIELDS)
        return connection.getresponse().read()

    yield "http.client", standard
    with contextlib.suppress(ImportError):
        import urllib3

        pool = urllib3.HTTPConnectionPool("127.0.0.1", port, timeout=10, retries=False)
        yield "urllib3", lambda: pool.urlopen("POST", "/task/new", body=BODY, headers=FIELDS).data
    with contextlib.suppress(ImportError):
        import httpx

        xclient = httpx.Client(trust_env=False)
        yield "httpx", lambda: xclient.post(url, content=BODY, headers=FIELDS).content
    with contextlib.suppress(ImportError):
        import requests

        session = requests.Session()
        session.trust_env = False
        yield "requests", lambda: session.post(url, data=BODY, headers=FIELDS, timeout=10).content


def measure(ask: Callable[[], bytes]) -> float:
    """Microseconds of CPU for a request."""
    best = float("inf")
    for _ in range(REPETITIONS):
        began = time.process_time()
        for _ in range(REQUESTS):
            assert ask() == SAID
        best = min(best, (time.process_time() - began) / REQUESTS)
    return best * 1e6


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    figures: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.rounds):
        listener = socket.create_server(("127.0.0.1", 0))
        for name, ask in clients(listener.getsockname()[1]):
            child = os.fork()
            if not child:
                serve(listener)
            try:
                figures[name].append(measure(ask))
            finally:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        listener.close()
    ours = figures["HTTPChannel"]
    print("| us of CPU for a request | | ratio |\n|---|---:|---:|")
    for name, theirs in figures.items():
        ratio = statistics.median(a / b for a, b in zip(theirs, ours, strict=True))
        print(f"| {name} | {statistics.median(theirs):.0f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
