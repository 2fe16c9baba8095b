"""``syncio qmp --launch``: a program that talks QMP, started for a session and ended with it."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ..errors import SyncioError
from ..protocol.qmp import ConnectError, QMPClient
from .problem import Problem
from .qmp_session import make_client

__all__ = ["launched", "with_monitor"]

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
GRACE = 5.0
"""Seconds that the program has to end."""


def with_monitor(call: Sequence[str], path: str) -> list[str]:
    """The call of a program, with a monitor that connects to a socket."""
    escaped = path.replace(",", ",,")
    if Path(call[0]).name.startswith("qemu-storage-daemon"):
        device = f"socket,id=syncio-qmp,path={escaped}"
        return [*call, "--chardev", device, "--monitor", "chardev=syncio-qmp"]
    return [*call, "-qmp", f"unix:{escaped}"]


@contextlib.contextmanager
def launched(options: argparse.Namespace, call: Sequence[str]) -> Iterator[QMPClient]:
    """A client of a program that runs as long as the `with` does.

    :raises Problem: if the program cannot be started, or does not connect.
    """
    client = make_client(options)
    with _ended_by_signals(), tempfile.TemporaryDirectory(prefix="syncio-qmp-") as folder:
        path = os.path.join(folder, "socket")
        try:
            client.start_server(path, mode=0o600)
            # A session of its own, or Ctrl-C would end the program too.
            process = subprocess.Popen(with_monitor(call, path), stdin=subprocess.DEVNULL, start_new_session=True)
        except (ConnectError, OSError) as exc:
            client.close()
            raise Problem(f"{call[0]}: {exc}") from exc
        try:
            _accept(client, process, options.timeout)
            yield client
        finally:
            _end(client, process)
            client.close()


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Leave by an exception when a signal wants that, so that the program does not stay behind."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    here = threading.current_thread() is threading.main_thread()
    former = {number: signal.signal(number, leave) for number in ENDING if here}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _accept(client: QMPClient, process: subprocess.Popen[bytes], timeout: float) -> None:
    connected = threading.Event()

    def give_up() -> None:
        process.wait()
        if not connected.is_set():
            client.close(force=True)

    threading.Thread(target=give_up, daemon=True).start()
    try:
        client.accept(timeout)
    except ConnectError as exc:
        code = process.poll()
        raise Problem(str(exc) if code is None else f"the program has ended, with exit code {code}") from exc
    finally:
        connected.set()


def _end(client: QMPClient, process: subprocess.Popen[bytes]) -> None:
    for ask in (lambda: client.execute("quit", timeout=GRACE), process.terminate, process.kill):
        with contextlib.suppress(SyncioError, subprocess.TimeoutExpired):
            ask()
            process.wait(GRACE)
            break
