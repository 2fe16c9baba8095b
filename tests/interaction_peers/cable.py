"""A TCP cable between two ends on this host, which can be cut."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

__all__ = ["Cable"]

LOCALHOST = "127.0.0.1"


class Cable:
    """Listens, and passes on to a port of this host what comes.

    :param target: that port.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOCALHOST, 0))
        self._strands: list[Strand] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="cable", daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                try:
                    there = socket.create_connection((LOCALHOST, self._target), timeout=10)
                except OSError:
                    here.close()
                    continue
                there.settimeout(None)
                with self._lock:
                    self._strands.append(Strand(here, there))

    def cut(self) -> int:
        """End every connection that there is; new ones are possible at once.

        :return: how many there were.
        """
        with self._lock:
            strands, self._strands = self._strands, []
        return sum(strand.cut() for strand in strands)

    def freeze(self, heard_by: str) -> None:
        """From now on nothing passes on the connections that there are, and only one end is told; new ones work.

        :param heard_by: 'master', which has dialled, or 'slave'.
        """
        with self._lock:
            for strand in self._strands:
                strand.freeze(0 if heard_by == "master" else 1)

    def close(self) -> None:
        """Cut it for good."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._listener.close()
        self.cut()


class Strand:
    """One connection in a cable."""

    def __init__(self, here: socket.socket, there: socket.socket) -> None:
        self._frozen = False
        self._socks = here, there
        self._threads = [
            threading.Thread(target=self._pass, args=ends, name="strand", daemon=True)
            for ends in ((here, there), (there, here))
        ]
        for thread in self._threads:
            thread.start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self._frozen:
                    sink.sendall(data)
        if not self._frozen:
            self._end()

    def _end(self) -> None:
        for sock in self._socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def freeze(self, told: int) -> None:
        """Pass on nothing any more.

        :param told: 0 to end it for who has dialled, 1 for the other.
        """
        self._frozen = True
        with suppress(OSError):
            self._socks[told].shutdown(socket.SHUT_RDWR)

    def cut(self) -> bool:
        """End it; whether it was still there."""
        was_there = all(thread.is_alive() for thread in self._threads)
        self._end()
        for thread in self._threads:
            thread.join()
        for sock in self._socks:
            sock.close()
        return was_there
