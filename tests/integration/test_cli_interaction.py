"""``syncio master`` and ``syncio slave`` as processes: tasks, slaves that are killed, masters that return, signals."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import free_port

from .programs import Program, Programs, programs_in, until

CERTIFICATE = str(Path(__file__).parents[1] / "unit" / "engineio" / "client" / "localhost.pem")
WORK = """
import os, time
from pathlib import Path

def upper(name):
    return name.upper()

def wait(name):
    Path(f"{name}.{os.getpid()}").touch()
    while not Path("go").exists() and not Path(f"{name}.go").exists():
        time.sleep(0.01)
    return name.upper()

def once_bad(name):
    first = not Path(name).exists()
    Path(name).touch()
    if first:
        raise ValueError("not yet")
    return name.upper()
"""
SHORT = ("--heartbeat", "0.2")
NAMES = ("a", "b", "c", "d", "e", "f")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Starts programs in a folder with the functions, and kills them."""
    (tmp_path / "work.py").write_text(WORK)
    with programs_in(tmp_path) as programs:
        yield programs


def tasks_in(programs: Programs, *tasks: Any) -> str:
    """Write a file with tasks; its name."""
    (programs.folder / "tasks").write_text("".join(f"{json.dumps(task)}\n" for task in tasks))
    return "tasks"


def started(programs: Programs, name: str) -> list[int]:
    """The processes that have begun with a task of `wait`."""
    return [int(path.suffix[1:]) for path in programs.folder.glob(f"{name}.[0-9]*")]


def lines(printed: str) -> list[Any]:
    """The values in an output."""
    return [json.loads(line) for line in printed.splitlines()]


def master_of(programs: Programs, *arguments: str, **environ: str) -> tuple[Program, str]:
    """A master on any free port, and where it is."""
    master = programs.syncio("master", "--port", "0", *arguments, **environ)
    return master, master.url()


def test_results_come_in_the_order_of_their_tasks(programs: Programs) -> None:
    """Two slaves do the tasks of a file; the first one is done last, and is written first. All of them end with 0."""
    master, url = master_of(programs, tasks_in(programs, *NAMES), "--slaves", "2")
    slaves = [programs.syncio("slave", "work:wait", "--master", url, "--name", name) for name in ("one", "two")]
    for slave, name in zip(slaves, ("one", "two"), strict=True):
        slave.says(f"joined {url} as {name}")
    until(lambda: started(programs, "a"))
    for name in NAMES[1:]:
        (programs.folder / f"{name}.go").touch()
    until(lambda: started(programs, "f"))
    (programs.folder / "go").touch()
    code, printed = master.end()
    assert (code, lines(printed)) == (0, [name.upper() for name in NAMES])
    for slave in slaves:
        slave.says("lost")
        assert slave.end(signal.SIGTERM) == (0, "") and "Traceback" not in slave.said


def test_a_killed_slave_loses_no_task(programs: Programs) -> None:
    """Of three slaves with a task each one is killed: another one does its task, and the output has all results."""
    master, url = master_of(programs, "-", "--slaves", "3", "--tolerance", "2")
    for _ in range(3):
        programs.syncio("slave", "work:wait", "--master", url, *SHORT)
    master.input.write("".join(f'"{name}"\n' for name in NAMES))
    master.input.close()
    until(lambda: all(started(programs, name) for name in NAMES[:3]))
    (killed,) = started(programs, "a")
    next(program for program in programs.all if program.pid == killed).signal(signal.SIGKILL)
    (programs.folder / "go").touch()
    code, printed = master.end()
    assert (code, lines(printed)) == (0, [name.upper() for name in NAMES])
    assert len(started(programs, "a")) == 2


def test_a_task_that_fails_is_a_line(programs: Programs) -> None:
    """What fails, is no JSON or takes too long is an object with an error among the results, and the code is 1."""
    (programs.folder / "work.py").write_text(
        WORK + "\ndef both(name): return wait(name) if name == 'w' else upper(name)"
    )
    (programs.folder / "tasks").write_text('"a"\n5\n\nnonsense\n"w"\n"b"')
    master, url = master_of(programs, "tasks", "--timeout", "0.5")
    slave = programs.syncio("slave", "work:both", "--master", url, "--slots", "2")
    code, printed = master.end()
    first, failed, nonsense, late, last = lines(printed)
    assert (code, first, last) == (1, "A", "B")
    assert failed["error"]["type"] == "AttributeError" and "work.py" in failed["error"]["traceback"]
    assert "no JSON" in nonsense["error"]["message"]
    assert late["error"] == {"type": "TaskTimeout", "message": "the task was not done within 0.5 s"}
    assert slave.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert "ValueError" not in master.said and "Traceback" not in master.said


def test_retries(programs: Programs) -> None:
    """With --retries a task that has failed is tried again."""
    master, url = master_of(programs, tasks_in(programs, "a"), "--retries", "1")
    programs.syncio("slave", "work:once_bad", "--master", url)
    assert master.end() == (0, '"A"\n')


def test_a_slave_joins_again(programs: Programs) -> None:
    """A slave waits for its master, joins it, and joins the next one there: after a goodbye, and after a SIGKILL."""
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    slave = programs.syncio("slave", "work:upper", "--master", f"127.0.0.1:{port}", "--name", "one", *SHORT)
    slave.says(f"{url} cannot be joined, trying on")
    first = programs.syncio("master", "--port", port)
    slave.says(f"joined {url} as one")
    assert first.end(signal.SIGTERM)[0] == 0
    slave.says("goodbye")
    second = programs.syncio("master", "--port", port)
    slave.says(f"joined {url} again as one")
    assert second.end(signal.SIGKILL)[0] == -signal.SIGKILL
    third = programs.syncio("master", "--port", port, tasks_in(programs, "a"))
    slave.says(f"joined {url} again as one")
    assert third.end() == (0, '"A"\n')
    assert slave.end(signal.SIGINT) == (0, "")
    assert slave.said.count("cannot be joined") <= 4 and "Traceback" not in slave.said


def test_a_slave_that_ends_brings_its_result(programs: Programs) -> None:
    """Behind SIGTERM a slave does the tasks that it has, and takes no others; a slave without the time leaves them."""
    master, url = master_of(programs, tasks_in(programs, *NAMES), "--slaves", "2", "--retries", "0")
    leaving = programs.syncio("slave", "work:wait", "--master", url, "--slots", "2", "--grace", "20", *SHORT)
    staying = programs.syncio("slave", "work:wait", "--master", url, *SHORT)
    until(lambda: all(started(programs, name) for name in NAMES[:3]))
    leaving.signal(signal.SIGTERM)
    mine, *others = [name for name in NAMES[:3] if leaving.pid in started(programs, name)]
    (programs.folder / f"{mine}.go").touch()
    status = lambda: json.loads(fetch(f"{url}/status.json"))["slaves"]  # noqa: E731
    until(lambda: [slave for slave in status() if slave["slots"] == 0])  # it was offered another one, and said so
    (programs.folder / "go").touch()
    code, printed = master.end()
    assert (code, lines(printed)) == (0, [name.upper() for name in NAMES])
    assert leaving.end() == (0, "") and "not done" not in leaving.said
    assert all(started(programs, name) == [leaving.pid] for name in (mine, *others))
    assert staying.end(signal.SIGTERM)[0] == 0


def test_a_task_that_does_not_end(programs: Programs) -> None:
    """A slave that has to end waits for its tasks as long as --grace says, and says that they were not done."""
    master, url = master_of(programs, tasks_in(programs, "a"), "--retries", "0")
    slave = programs.syncio("slave", "work:wait", "--master", url, "--grace", "0.1", *SHORT)
    until(lambda: started(programs, "a"))
    assert slave.end(signal.SIGTERM) == (0, "")
    assert "tasks were not done within 0.1 s" in slave.said
    code, printed = master.end()
    assert (code, json.loads(printed)["error"]["type"]) == (1, "TaskLost")


def test_two_slaves_of_one_name(programs: Programs) -> None:
    """The second one is told so, drives nobody out, and joins when the first one has died."""
    port = str(free_port())
    master = programs.syncio("master", "--port", port)
    arguments = ("slave", "work:upper", "--master", f"127.0.0.1:{port}", "--name", "one", *SHORT)
    assert master.output.readline()
    first = programs.syncio(*arguments)
    first.says("joined")
    second = programs.syncio(*arguments)
    second.says("trying on: There is a slave called 'one'.")
    first.signal(signal.SIGKILL)
    second.says("joined")
    first.end()
    assert first.said.count("\n") == 1  # it was not lost in between


def test_secret_and_tls(programs: Programs) -> None:
    """Over TLS with an authority of one's own, and with a secret, everything is as before; without it there is a no."""
    (programs.folder / "secret").write_text("tea and cake\n")
    tls = ("--cert", CERTIFICATE, "--ca", CERTIFICATE)
    master, url = master_of(programs, "-", *tls, "--secret-file", "secret")
    assert url.startswith("https://")
    slave = programs.syncio("slave", "work:upper", "--master", url, *tls, SYNCIO_SECRET="coffee")
    assert slave.end()[0] == 2
    assert f"{url} refuses this slave: This master wants a secret to join it." in slave.said
    programs.syncio("slave", "work:upper", "--master", url, *tls, SYNCIO_SECRET="tea and cake").says("joined")
    master.input.write('"a"\n')
    master.input.close()
    assert master.end() == (0, '"A"\n')


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_master(programs: Programs, number: signal.Signals) -> None:
    """One with tasks that are not done ends with 128 and the signal's number, one that serves with 0, in silence."""
    working, url = master_of(programs, "-")
    programs.syncio("slave", "work:wait", "--master", url, *SHORT)
    working.input.write('"a"\n')
    working.input.flush()
    until(lambda: started(programs, "a"))
    assert working.end(number) == (128 + number, "") and working.said.count("\n") == 1
    serving = programs.syncio("master", "--port", "0")
    assert "Ctrl-C ends it" in serving.output.readline()
    assert serving.end(number) == (0, "") and serving.said == ""


def test_an_output_that_nobody_reads(programs: Programs) -> None:
    """It ends the master with 1, and without a traceback."""
    master, url = master_of(programs, "-")
    programs.syncio("slave", "work:upper", "--master", url)
    master.input.write('"a"\n')
    master.input.flush()
    assert master.output.readline() == '"A"\n'
    master.output.close()
    master.input.write('"b"\n')
    master.input.flush()
    assert master.end() == (1, "")
    assert "Traceback" not in master.said and "Exception" not in master.said


def fetch(url: str) -> str:
    """The text at a URL."""
    with urllib.request.urlopen(url, timeout=10) as response:
        text: str = response.read().decode()
        return text


def test_the_status_page(programs: Programs) -> None:
    """A master that serves says where its page is, which has its slaves; --no-status leaves it out."""
    port = free_port()
    master = programs.syncio("master", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    assert f"syncio master at {url}/ shows its slaves and tasks." in master.output.readline()
    programs.syncio("slave", "work:upper", "--master", url, "--name", "one").says("joined")
    assert "<html" in fetch(url)
    assert [slave["name"] for slave in json.loads(fetch(f"{url}/status.json"))["slaves"]] == ["one"]
    assert master.end(signal.SIGTERM)[0] == 0
    programs.syncio("master", "--port", str(port), "--no-status").output.readline()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(url)
