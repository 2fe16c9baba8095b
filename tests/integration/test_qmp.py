"""The QMP client against the real programs: QEMU, its storage daemon, its guest agent, and socat for TLS."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from syncio.errors import RequestTimeout
from syncio.protocol import Runstate
from syncio.protocol.qmp import (
    ConnectError,
    EventListener,
    ExecInterruptedError,
    ExecuteError,
    GuestAgentClient,
    ListenerClosed,
    QEMUMonitorProtocol,
    QMPClient,
    StateError,
)
from syncio.runtime import Runtime, choose_runtime
from tests.conftest import require_tool
from tests.unit.protocol.qmp_server import Job
from tests.unit.runtime.kinds import MODES_HERE, PATIENCE, eventually

AT_ONCE = 2.0
"""Seconds in which something happens at once, also on a machine that is busy."""
Test = Callable[..., None]


class Lab:
    """Programs and clients, which end with the test.

    :param mode: the clients' runtime.
    :param path: a directory for sockets.
    """

    def __init__(self, mode: str, path: Path) -> None:
        self.mode = mode
        self.runtime: Runtime = choose_runtime(mode)
        self.path = path
        self._programs: list[subprocess.Popen[bytes]] = []
        self._clients: list[Any] = []

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        for program in self._programs:
            program.kill()
            program.wait()

    def start(self, tool: str, *arguments: object) -> subprocess.Popen[bytes]:
        """Start a program."""
        command = [require_tool(tool), *map(str, arguments)]
        self._programs.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        return self._programs[-1]

    def qemu(self, address: str = "") -> subprocess.Popen[bytes]:
        """Start QEMU with a machine that has nothing; it listens at `path/qmp` if no other address is given."""
        address = address or f"unix:{self.path}/qmp,server=on,wait=off"
        return self.start("qemu-system-x86_64", "-display", "none", "-machine", "none", "-S", "-qmp", address)

    def make(self, kind: Callable[..., Any] = QMPClient, *args: object) -> Any:
        """A client."""
        self._clients.append(kind(*args, async_mode=self.mode))
        return self._clients[-1]

    def connect(self, client: Any = None, name: str = "qmp") -> Any:
        """A client that is connected to what listens at a path, or will do so soon."""
        client = self.make() if client is None else client
        client.connect(str(self.path / name), timeout=PATIENCE, retry_for=PATIENCE)
        return client

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Job:
        """Call something in a task of its own."""
        return Job(self.runtime, function, *args, **kwargs)

    def has_ended(self, program: subprocess.Popen[bytes]) -> bool:
        """Whether a program ends soon."""
        return eventually(self.runtime, lambda: program.poll() is not None)


def in_task(test: Test) -> Test:
    """Run a test in a task of its runtime: in a process that is not patched, greenlets are run by greenlets only."""

    @functools.wraps(test)
    def run(lab: Lab, **fixtures: Any) -> None:
        Job(lab.runtime, test, lab, **fixtures).result()

    return run


@pytest.fixture(params=MODES_HERE)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Programs and clients; the directory's name is short, as paths of sockets have to be."""
    with Lab(request.param, tmp_path_factory.mktemp("q")) as lab:
        yield lab


# ---------------------------------------------------------------------- QEMU


@in_task
def test_session_with_qemu(lab: Lab) -> None:
    """QEMU greets, tells its version twice, and gives its schema of more than 100,000 bytes."""
    lab.qemu()
    client = lab.connect()
    version = client.greeting.QMP.version
    assert version["qemu"]["major"] >= 5 and "oob" in client.greeting.QMP.capabilities
    assert client.execute("query-version") == version
    schema = client.execute("query-qmp-schema")
    assert len(json.dumps(schema)) > 100_000
    assert client.execute("query-status")["running"] is False
    client.disconnect()
    assert client.runstate is Runstate.IDLE


@in_task
def test_errors_of_qemu(lab: Lab) -> None:
    """What QEMU refuses has its class and words, and the session goes on."""
    lab.qemu()
    client = lab.connect()
    with pytest.raises(ExecuteError, match="nonsense") as caught:
        client.execute("nonsense")
    assert caught.value.error_class == "CommandNotFound"
    with pytest.raises(ExecuteError) as caught:
        client.execute("closefd", {"fdname": "none"})
    assert caught.value.error_class == "GenericError"
    assert client.execute("query-version")


@in_task
def test_several_tasks_at_qemu(lab: Lab) -> None:
    """Tasks that share the connection get answers to their own questions."""
    lab.qemu()
    client = lab.connect()

    def ask(command: str, member: str) -> bool:
        return all(member in client.execute(command, timeout=PATIENCE) for _ in range(50))

    questions = [("query-version", "package"), ("query-status", "running"), ("query-kvm", "present")]
    calls = [lab.call(ask, command, member) for command, member in questions]
    assert all(call.result() for call in calls)


@in_task
def test_events_of_qemu(lab: Lab) -> None:
    """RESUME, STOP and SHUTDOWN come to those who want them, and iterating ends with QEMU."""
    program = lab.qemu()
    client = lab.connect()
    everything = lab.call(list, client.events)
    with client.listener(("STOP", "RESUME")) as listener:
        client.execute("cont")
        assert listener.get(PATIENCE)["event"] == "RESUME"
        client.execute("stop")
        assert listener.get(PATIENCE)["event"] == "STOP"
        shutdown = EventListener("SHUTDOWN", lambda message: not message["data"]["guest"], async_mode=lab.mode)
        with client.listen(shutdown):
            assert client.execute("quit") == {}
            assert shutdown.get(PATIENCE)["data"]["reason"] == "host-qmp-quit"
    assert [message["event"] for message in everything.result()] == ["RESUME", "STOP", "SHUTDOWN"]
    client.disconnect()
    assert lab.has_ended(program) and program.returncode == 0


@in_task
def test_quit_many_times(lab: Lab) -> None:
    """However the race between the reply to 'quit' and the end goes, it is no error, and the object connects again."""
    client = lab.make()
    for _ in range(4):
        program = lab.qemu()
        lab.connect(client)
        assert client.execute("quit", timeout=PATIENCE) == {}
        client.disconnect()
        assert client.runstate is Runstate.IDLE and lab.has_ended(program)


@in_task
def test_qemu_dials_us(lab: Lab) -> None:
    """QEMU may be the one that connects."""
    client = lab.make()
    client.start_server(str(lab.path / "here"))
    lab.qemu(f"unix:{lab.path}/here,server=off")
    client.accept(PATIENCE)
    assert client.execute("query-version") == client.greeting.QMP.version
    assert client.execute("quit") == {}
    client.disconnect()


@in_task
def test_qemu_over_tcp(lab: Lab) -> None:
    """QEMU may dial a port, one that was free; descriptors do not pass there."""
    client = lab.make()
    client.start_server(("127.0.0.1", 0))
    lab.qemu(f"tcp:127.0.0.1:{client.address[1]},server=off")
    client.accept(PATIENCE)
    assert client.execute("query-version")
    with pytest.raises(ValueError, match="UNIX"):
        client.send_fd_scm(0)


@in_task
def test_waiting_for_qemu(lab: Lab) -> None:
    """retry_for waits for a QEMU that is started later; without it there is an error at once."""
    client = lab.make()
    with pytest.raises(ConnectError) as caught:
        client.connect(str(lab.path / "qmp"), timeout=PATIENCE)
    assert isinstance(caught.value.exc, OSError) or isinstance(caught.value.exc.__cause__, OSError)
    call = lab.call(lab.connect, client)
    lab.qemu()
    call.result()
    assert client.execute("query-version")


@in_task
def test_killed_qemu_interrupts_everybody(lab: Lab) -> None:
    """When QEMU is killed, each command that waits fails at once, listeners end, and disconnect() says it once."""
    program = lab.qemu()
    client = lab.connect()
    program.send_signal(signal.SIGSTOP)
    calls = [lab.call(client.execute, "query-version") for _ in range(6)]
    events = [lab.call(list, client.events), lab.call(client.events.get)]
    with pytest.raises(RequestTimeout):  # they are all under way when this one has timed out
        client.execute("query-status", timeout=0.1)
    began = lab.runtime.now()
    program.kill()
    for call in calls:
        with pytest.raises(ExecInterruptedError, match="Disconnected"):
            call.result()
    assert events[0].result() == []
    with pytest.raises(ListenerClosed):
        events[1].result()
    assert lab.runtime.now() - began < AT_ONCE
    assert client.runstate is Runstate.DISCONNECTING
    with pytest.raises(EOFError):
        client.disconnect()
    assert client.runstate is Runstate.IDLE
    client.disconnect()
    with pytest.raises(StateError):
        client.execute("query-version")


@in_task
def test_killed_qemu_in_the_middle(lab: Lab) -> None:
    """When QEMU is killed while tasks ask on and on, none hangs, and the object works with a new QEMU."""
    program = lab.qemu()
    client = lab.connect()
    asked = lab.runtime.queue()

    def ask() -> None:
        while True:
            client.execute("query-qmp-schema", timeout=PATIENCE)
            asked.put(None)

    calls = [lab.call(ask) for _ in range(4)]
    for _ in calls:
        asked.get(timeout=PATIENCE)
    began = lab.runtime.now()
    program.kill()
    for call in calls:
        assert isinstance(call.error(), (ExecInterruptedError, StateError))
    assert lab.runtime.now() - began < AT_ONCE
    with pytest.raises(Exception, match=r"closed|broke|ended"):
        client.disconnect()
    os.unlink(lab.path / "qmp")
    lab.qemu()
    lab.connect(client)
    assert client.execute("query-version")


@in_task
def test_descriptors_for_qemu(lab: Lab) -> None:
    """Descriptors reach QEMU, for 'getfd' and for 'add-fd', and are the ones that were meant."""
    program = lab.qemu()
    client = lab.connect()
    with open(lab.path / "file", "wb") as file:
        client.send_fd_scm(file.fileno())
        assert client.execute("getfd", {"fdname": "mine"}) == {}
        assert client.execute("closefd", {"fdname": "mine"}) == {}
        client.send_fd_scm(file.fileno())
        added = client.execute("add-fd", {"fdset-id": 3})
        assert added["fdset-id"] == 3
        assert os.readlink(f"/proc/{program.pid}/fd/{added['fd']}") == file.name
        file.write(b"still open here")
    with pytest.raises(ExecuteError):
        client.execute("getfd", {"fdname": "none"})


@in_task
def test_out_of_band_execution(lab: Lab) -> None:
    """QEMU executes out of band what its schema allows, and refuses what it does not."""
    lab.qemu()
    client = lab.connect()
    allowed = [entry["name"] for entry in client.execute("query-qmp-schema") if entry.get("allow-oob")]
    assert "query-yank" in allowed
    assert client.execute("query-yank", oob=True) == client.execute("query-yank")
    with pytest.raises(ExecuteError, match="does not support OOB"):
        client.execute("query-version", oob=True)


@in_task
def test_commands_without_ids(lab: Lab) -> None:
    """QEMU answers commands without ids in the same session."""
    lab.qemu()
    client = lab.connect()
    assert "id" not in client._raw({"execute": "query-version"}, False)
    calls = [lab.call(client.execute, "query-version", assign_id=number % 2 == 0) for number in range(10)]
    assert all(call.result() == client.greeting.QMP.version for call in calls)


@in_task
def test_old_names_at_qemu(lab: Lab) -> None:
    """A script that was written for the old qmp.py works, from four threads too."""
    lab.qemu()
    lab.connect().disconnect()  # now it listens
    qmp = lab.make(QEMUMonitorProtocol, str(lab.path / "qmp"))
    greeting = qmp.connect()
    assert greeting["QMP"]["version"] == qmp.cmd("query-version") == qmp.cmd_raw("query-version")["return"]
    assert all(call.result() for call in [lab.call(qmp.cmd, "query-version") for _ in range(4)])
    qmp.cmd("cont")
    assert qmp.pull_event(wait=PATIENCE)["event"] == "RESUME"
    qmp.cmd("stop")
    assert [message["event"] for message in qmp.get_events(wait=PATIENCE)] == ["STOP"]
    assert qmp.cmd("quit") == {}
    qmp.close()


# ---------------------------------------------------------------------- the storage daemon


@in_task
def test_jobs_of_the_storage_daemon(lab: Lab) -> None:
    """A job's events tell its life, from its making to its dismissal."""
    program = lab.start(
        "qemu-storage-daemon",
        "--chardev",
        f"socket,path={lab.path}/qsd,server=on,wait=off,id=c",
        "--monitor",
        "chardev=c",
    )
    client = lab.connect(name="qsd")
    options = {"driver": "file", "filename": str(lab.path / "disk"), "size": 1 << 20}
    with client.listener("JOB_STATUS_CHANGE", lambda message: message["data"]["id"] == "j") as listener:
        client.execute("blockdev-create", {"job-id": "j", "options": options})
        seen = [listener.get(PATIENCE)["data"]["status"]]
        while seen[-1] != "concluded":
            seen.append(listener.get(PATIENCE)["data"]["status"])
        assert seen[:2] == ["created", "running"]
        assert client.execute("query-jobs")[0]["status"] == "concluded"
        client.execute("job-dismiss", {"id": "j"})
        assert listener.get(PATIENCE)["data"]["status"] == "null"
    assert (lab.path / "disk").stat().st_size == 1 << 20
    assert client.execute("quit") == {}
    client.disconnect()
    assert lab.has_ended(program)


# ---------------------------------------------------------------------- the guest agent


def start_agent(lab: Lab) -> None:
    """Start the guest agent, which listens at `path/qga`."""
    lab.start("qemu-ga", "-m", "unix-listen", "-p", lab.path / "qga", "-t", lab.path, "-l", lab.path / "log")


@in_task
def test_guest_agent(lab: Lab) -> None:
    """The agent is synchronised with, pinged, and asked, by several tasks too."""
    start_agent(lab)
    client = lab.connect(lab.make(GuestAgentClient), "qga")
    assert client.greeting is None
    assert client.execute("guest-ping", timeout=PATIENCE) == {}
    assert "version" in client.execute("guest-info", timeout=PATIENCE)
    assert client.execute("guest-sync", {"id": 1234}, timeout=PATIENCE) == 1234
    client.sync(PATIENCE)
    calls = [lab.call(client.execute, "guest-sync", {"id": number}, timeout=PATIENCE) for number in range(20)]
    assert [call.result() for call in calls] == list(range(20))
    with pytest.raises(ExecuteError) as caught:
        client.execute("guest-nonsense", timeout=PATIENCE)
    assert caught.value.error_class == "CommandNotFound"


@in_task
def test_guest_agent_after_a_bad_client(lab: Lab) -> None:
    """What an earlier client has left half said does not disturb the next one."""
    start_agent(lab)
    client = lab.make(GuestAgentClient)

    def connects() -> bool:
        try:
            lab.connect(client, "qga")
        except ConnectError:
            return False  # the agent turns a client away while it has not seen that the one before has gone
        return True

    assert eventually(lab.runtime, connects)
    client.disconnect()
    with socket.socket(socket.AF_UNIX) as earlier:
        earlier.connect(str(lab.path / "qga"))
        earlier.sendall(b'{"execute": "guest-in')  # no answer: one that nobody reads is a reset, which stops the agent
    for _ in range(3):
        assert eventually(lab.runtime, connects)
        assert client.execute("guest-ping", timeout=PATIENCE) == {}
        client.disconnect()


# ---------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, with its key in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [require_tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out",
         path.with_suffix(".crt")],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


@in_task
def test_qemu_behind_tls(lab: Lab, certificate: Path) -> None:
    """Behind TLS everything is as usual, and a certificate that nobody vouches for is refused."""
    lab.qemu()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    listener = f"OPENSSL-LISTEN:{address[1]},bind=127.0.0.1,cert={certificate},verify=0,reuseaddr,fork"
    lab.connect().disconnect()  # now it listens
    lab.start("socat", "-lf", lab.path / "log", listener, f"UNIX-CONNECT:{lab.path}/qmp")
    client = lab.make()
    context = ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
    client.connect(address, context, timeout=PATIENCE, retry_for=PATIENCE)
    assert len(json.dumps(client.execute("query-qmp-schema"))) > 100_000
    with pytest.raises(ValueError, match="TLS"):
        client.send_fd_scm(0)
    calls = [lab.call(client.execute, "query-version") for _ in range(8)]
    assert all(call.result() == client.greeting.QMP.version for call in calls)
    client.disconnect()
    with pytest.raises(ConnectError, match=r"(?i)certificate"):
        client.connect(address, ssl.create_default_context(), timeout=PATIENCE)
    assert client.runstate is Runstate.IDLE
