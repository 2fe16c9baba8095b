"""A program that forks while it has sessions: ``python -m tests.unit.protocol.forking MODE``.

It ends with 0 if the child could close what it has inherited, and the parent's sessions went on.
"""

from __future__ import annotations

import os
import socket
import sys

from syncio.protocol import ProtocolError, Runstate
from tests.unit.runtime.kinds import PATIENCE, eventually

from .lines import Doing, Lines


def child(running: Lines, waiting: Lines) -> int:
    """Close both."""
    try:
        running.send("from the child")
        return 2
    except ProtocolError:
        pass
    running.disconnect()
    waiting.disconnect()
    if (running.runstate, waiting.runstate) != (Runstate.IDLE, Runstate.IDLE):
        return 3
    here, there = socket.socketpair()
    running.connect(here)  # the object is as good as new
    there.send(b"hello\n")
    if running.next() != "hello":
        return 4
    running.disconnect()
    return 0


def main(mode: str) -> int:
    """Fork, and see what is left."""
    running, waiting = Lines("running", async_mode=mode), Lines("waiting", async_mode=mode)
    runtime = running._runtime
    here, peer = socket.socketpair()
    running.connect(here)
    waiting.start_server(("127.0.0.1", 0))
    accept = Doing(runtime, waiting.accept, PATIENCE)
    assert eventually(runtime, lambda: waiting._attempt is not None and waiting._attempt._target is not None)
    running.send("before")
    fork = os.fork
    if mode == "gevent":
        from gevent.os import fork
    pid = fork()
    if pid == 0:
        code = 1
        try:
            code = child(running, waiting)
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        return status
    peer.send(b"still there\n")
    assert running.next() == "still there"
    running.send("after")
    client = socket.create_connection(waiting.address)
    accept.result()
    assert peer.recv(100) == b"before\nafter\n"
    waiting.close()
    running.disconnect()
    client.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
