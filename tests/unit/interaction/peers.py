"""Peers of a test: a slave that does as it is told, and ends that speak raw HTTP, well or badly."""

from __future__ import annotations

import base64
import contextlib
import gc
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from syncio.interaction import Master, Slave, SlaveConnection, TaskFail, TaskRefuse
from syncio.runtime import choose_runtime
from syncio.runtime.choose import is_monkey_patched

from ..runtime.kinds import PATIENCE, eventually

OPTIONS = {"host": "127.0.0.1", "port": 0, "request_retries": 1, "request_retry_waiting": 0.01}
"""What both ends are set to, unless a test says something else."""
QUICK = {"heartbeat_tolerance": 5.0, "heartbeat_check_span": 0.1}
"""What masters are set to beside that."""
RELAY = ("syncio-sentinel", "syncio-worker")
"""Threads of the relay, which belong to the process."""
OK = {"success": True, "code": 0, "message": "", "data": {}}


def tasks_of_ours() -> list[str]:
    """The names of the threads or greenlets that our ends have started, and that go on."""
    if not is_monkey_patched():
        names = [thread.name for thread in threading.enumerate()]
    else:
        import gevent

        found = [thing for thing in gc.get_objects() if isinstance(thing, gevent.Greenlet)]
        names = [greenlet.name for greenlet in found if not greenlet.dead]
    return [name for name in names if name.startswith("syncio-") and name not in RELAY]


class DrivenSlave(Slave):
    """A slave whose tasks say what is done with them.

    A task is a dict: its 'a' and 'b' are added; with 'wait' it is not before `release` is set; with 'fail' or 'raise'
    it ends so; with 'refuse' it is not taken, and with 'break' the hook that is asked raises.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**OPTIONS, "heartbeat_span": 0.2, **options})
        self.begun = self.runtime.queue()
        """Gets each task's data when it begins."""
        self.release = self.runtime.event()
        self.asked = self.runtime.event()
        """Set when a connection with 'wait' is asked for, which then waits for `release`."""
        self.lost = self.runtime.queue()
        """Gets the address of each master that was lost, and how that was noticed."""

    def _before_connection(self, data: Any) -> None:
        if data.get("wait"):
            self.asked.set()
            assert self.release.wait(PATIENCE)

    def _before_task(self, data: Any) -> None:
        if data.get("refuse"):
            raise TaskRefuse(data["refuse"])
        if data.get("break"):
            raise TypeError(data["break"])

    def _lost_connection(self, master_address: str, err: Exception) -> None:
        self.lost.put((master_address, err))

    def _process_task(self, task: Any) -> Any:
        self.begun.put(task)
        if task.get("wait"):
            assert self.release.wait(PATIENCE)
        if "fail" in task:
            raise TaskFail(task["fail"])
        if "raise" in task:
            raise task["raise"] if isinstance(task["raise"], BaseException) else ValueError(task["raise"])
        return {"sum": task.get("a", 0) + task.get("b", 0)}


class Request(NamedTuple):
    """What a peer was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def token(self) -> str:
        """Its token."""
        return self.headers["token"]


Answer = tuple[int, Any] | None
"""Status and body, which goes as it is if it is bytes, and as JSON otherwise; None to leave without a word."""


class Peer:
    """An end of nobody's making: it notes what it is asked, and answers what `answer` says.

    :param answer: None to agree to everything.
    """

    def __init__(self, answer: Callable[[Request], Answer] | None = None) -> None:
        self.requests = choose_runtime().queue()
        self.answer: Callable[[Request], Answer] = answer or (lambda request: (200, OK))
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                """Note it, and answer."""
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, body)
                peer.requests.put(request)
                answer = peer.answer(request)
                if answer is None:
                    return
                status, said = answer
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.end_headers()
                    self.wfile.write(said if isinstance(said, bytes) else json.dumps(said).encode())

            do_GET = do_POST = do_PUT = do_DELETE = handle_one

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def next(self, path: str | None = None) -> Request:
        """The next request, of that path if one is named."""
        while True:
            request: Request = self.requests.get(timeout=PATIENCE)
            if path is None or request.path == path:
                return request

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Reply(NamedTuple):
    """What an end has answered."""

    status: int
    said: dict[str, Any]
    headers: dict[str, str]

    @property
    def code(self) -> int:
        """The number in the envelope."""
        return int(self.said["code"])


def ask(port: int, method: str, path: str, body: Any = None, **headers: str | None) -> Reply:
    """Ask an end of this host something in raw HTTP, on the channel 0; the answer must have an envelope.

    :param body: goes as it is if it is bytes, and as JSON otherwise.
    :param headers: None for one that is left out.
    """
    sent = {"Channel": "0", **headers}
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        client.request(method, path, content, {name: value for name, value in sent.items() if value is not None})
        answer = client.getresponse()
        said = json.loads(answer.read())
        assert set(said) >= {"success", "code", "message", "data"}, said
        return Reply(answer.status, said, dict(answer.getheaders()))
    finally:
        client.close()


def connect_as(slave: DrivenSlave, peer: Peer, token: str, data: Any = None) -> int:
    """Have a slave connected to a master of raw HTTP; the status of its answer."""
    body = {"master": {"address": peer.url}, "data": data or {}}
    return ask(slave.port, "POST", "/connect", body, Token=token).status


def give(slave: DrivenSlave, token: str, task_id: str, data: Any) -> int:
    """Give a slave a task, in raw HTTP; the status of its answer."""
    return ask(slave.port, "POST", "/task/new", {"task": {"id": task_id}, "data": data}, Token=token).status


def task_of(peer: Peer) -> str:
    """The id of the task that a slave of raw HTTP is given next."""
    return str(peer.next("/task/new").body["task"]["id"])


def finish(master: Master, token: str, task_id: Any, result: Any = None) -> Any:
    """Say as a slave of raw HTTP that a task is completed; the answer."""
    body = {"task": {"id": task_id}, "result": result}
    return ask(master.port, "PUT", "/slave/task/complete", body, Token=token)


def wire_of(slave: Slave, **headers: str) -> http.client.HTTPConnection:
    """A client that has asked for a slave's wire, on the channel 0; its answer is still to be read."""
    client = http.client.HTTPConnection("127.0.0.1", slave.port, timeout=PATIENCE)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    asked = {**upgrade, "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(), "Channel": "0", **headers}
    client.request("GET", "/wire/?EIO=4&transport=websocket", None, asked)
    return client


class Proxy:
    """Stands between a master and its slave, and cuts what goes through, or keeps it back.

    :param port: the slave's.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._flows = threading.Event()
        self._flows.set()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._begin(self._accept)

    def _begin(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here = self._listener.accept()[0]
                there = socket.create_connection(("127.0.0.1", self._target), PATIENCE)
                self._open += [here, there]
                self._begin(self._carry, here, there)
                self._begin(self._carry, there, here)

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := here.recv(65536):
                self._flows.wait()
                there.sendall(data)
        _shut(here, there)

    def hold(self) -> None:
        """Keep back what comes from now on."""
        self._flows.clear()

    def let_go(self) -> None:
        """Carry again."""
        self._flows.set()

    def cut(self) -> None:
        """Break every connection; what was kept back is lost, and new connections are carried."""
        _shut(*self._open)
        self._flows.set()

    def close(self) -> None:
        """End."""
        _shut(self._listener)
        self.cut()
        for thread in self._threads:
            thread.join(PATIENCE)
        for one in (self._listener, *self._open):
            one.close()


def _shut(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


class Ends:
    """Masters, slaves and peers of one test, which end with it.

    :param wire: whether masters and slaves may use the wire.
    """

    def __init__(self, wire: bool = True) -> None:
        self.runtime = choose_runtime()
        self._wire = wire
        self._opened: list[Any] = []

    def add(self, end: Any) -> Any:
        """Have something closed at the end of the test."""
        self._opened.append(end)
        return end

    def master(self, kind: type[Master] = Master, **options: Any) -> Any:
        """A master that runs."""
        master = self.add(kind(**{**OPTIONS, **QUICK, "wire": self._wire, **options}))
        master.start()
        return master

    def slave(self, kind: type[DrivenSlave] = DrivenSlave, **options: Any) -> Any:
        """A slave that runs."""
        slave = self.add(kind(**{"wire": self._wire, **options}))
        slave.start()
        return slave

    def peer(self, answer: Callable[[Request], Answer] | None = None) -> Peer:
        """An end that speaks raw HTTP."""
        peer: Peer = self.add(Peer(answer))
        return peer

    def proxy(self, slave: DrivenSlave) -> Proxy:
        """What a master may take for that slave."""
        proxy: Proxy = self.add(Proxy(slave.port))
        return proxy

    def silent_port(self, takes: bool = True) -> int:
        """The port of a peer that never answers.

        :param takes: whether it takes connections; else its queue of them is full, and the kernel says nothing.
        """
        listener = self.add(socket.create_server(("127.0.0.1", 0), backlog=10 if takes else 0))
        for _ in range(0 if takes else 3):
            waiting = self.add(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        return int(listener.getsockname()[1])

    def connected(self, master: Master, slave: DrivenSlave | Peer | Proxy, name: str = "one") -> SlaveConnection:
        """A live connection."""
        connection = master.new_connection(name, "127.0.0.1", slave.port)
        connection.connect()
        assert connection.is_connected
        return connection

    def wait(self, condition: Callable[[], Any]) -> bool:
        """Whether something comes true."""
        return eventually(self.runtime, condition)

    def close(self) -> None:
        """End them all."""
        for end in reversed(self._opened):
            if isinstance(end, DrivenSlave):
                end.release.set()
            end.close()


def ends_of_a_test(wire: bool) -> Iterator[Ends]:
    """Ends for one test, of which nothing may be left."""
    ends = Ends(wire)
    ends.runtime.relay()
    try:
        yield ends
    finally:
        ends.close()
    assert ends.wait(lambda: not tasks_of_ours()), tasks_of_ours()
