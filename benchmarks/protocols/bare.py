"""The same commands over a bare socket, without a library: the most that the server lets anybody have."""

from __future__ import annotations

import socket
import sys
import time


def commands(sock: socket.socket, seconds: float) -> float:
    """query-version per second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        sock.sendall(b'{"execute":"query-version","id":"%d"}\n' % count)
        while not sock.recv(65536).endswith(b"\n"):
            pass
        count += 1
    return count / (time.perf_counter() - began)


def main() -> None:
    """``bare.py commands - PATH SECONDS``."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(sys.argv[3])
    sock.recv(65536)
    sock.sendall(b'{"execute":"qmp_capabilities"}\n')
    sock.recv(65536)
    commands(sock, 0.3)
    print(commands(sock, float(sys.argv[4])), 1, 0.0)


if __name__ == "__main__":
    main()
