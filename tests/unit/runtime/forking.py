"""A program that forks while its relay watches something: ``python -m tests.unit.runtime.forking MODE``.

It ends with 0 if the child got a relay of its own and left the parent's alone.
"""

from __future__ import annotations

import os
import socket
import sys

from syncio.heartbeat import monitor_of
from syncio.runtime import READ, Runtime, choose_runtime

PATIENCE = 10.0


def turn(runtime: Runtime) -> bool:
    """Whether the runtime's relay goes round."""
    done = runtime.event()
    runtime.relay().call_at(0.0, done.set)
    return bool(done.wait(PATIENCE))


def main(mode: str) -> int:
    """Fork, and see who reads."""
    runtime = choose_runtime(mode)
    relay, monitor = runtime.relay(), monitor_of(runtime)
    here, there = socket.socketpair()
    here.setblocking(False)
    read: list[bytes] = []
    rung = runtime.event()

    def ready(found: int) -> None:
        read.append(here.recv(100))
        rung.set()

    relay.watch(here.fileno(), READ, ready)
    assert turn(runtime)
    fork = os.fork
    if mode == "gevent":
        from gevent.os import fork
    pid = fork()
    if pid == 0:
        there.send(b"x")
        assert runtime.relay() is not relay, "the child uses its parent's relay"
        assert monitor_of(runtime) is not monitor
        assert turn(runtime) and turn(runtime), "the child's relay does not serve"
        runtime.sleep(0.05)
        relay.forget(here.fileno())
        relay.call_at(0.0, rung.set)
        relay.stop()
        assert not read, "the child reads what is its parent's"
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert rung.wait(PATIENCE), "nobody read"
    rung.clear()
    there.send(b"y")
    assert rung.wait(PATIENCE), "the child has taken its parent's watch away"
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
