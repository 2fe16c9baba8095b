"""The same commands over a bare socket, without a library: the most that the server lets anybody have."""

from __future__ import annotations

import socket
import sys
import time

TOGETHER = 16
"""Commands that are under way at the same time."""


def commands(sock: socket.socket, seconds: float) -> float:
    """query-version per second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        sock.sendall(b'{"execute":"query-version","id":"%d"}\n' % count)
        while not sock.recv(65536).endswith(b"\n"):
            pass
        count += 1
    return count / (time.perf_counter() - began)


def together(sock: socket.socket, seconds: float) -> float:
    """query-version per second, with 16 under way."""
    count, began, line = 0, time.perf_counter(), b'{"execute":"query-version"}\n'
    sock.sendall(line * TOGETHER)
    while time.perf_counter() - began < seconds:
        answered = sock.recv(65536).count(b"\n")
        count += answered
        sock.sendall(line * answered)
    left = TOGETHER
    while left > 0:
        left -= sock.recv(65536).count(b"\n")
    return count / (time.perf_counter() - began)


MEASURES = {"commands": commands, "together": together}


def main() -> None:
    """``bare.py MEASURE - PATH SECONDS``."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(sys.argv[3])
    sock.recv(65536)
    sock.sendall(b'{"execute":"qmp_capabilities"}\n')
    sock.recv(65536)
    measure = MEASURES[sys.argv[1]]
    measure(sock, 0.3)
    print(measure(sock, float(sys.argv[4])), 1, 0.0)


if __name__ == "__main__":
    main()
