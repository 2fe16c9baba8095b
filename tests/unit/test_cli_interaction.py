"""``syncio master`` and ``syncio slave``: their arguments, what is wrong with them, and what they are made of."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncio.cli import main
from syncio.cli.batch import Batch
from syncio.cli.ending import Ending
from syncio.cli.ends import SECRET, add_end, end_options
from syncio.cli.membership import FunctionSlave, Membership
from syncio.cli.problem import Problem
from syncio.cli.target import load_function
from syncio.errors import ConfigurationError
from syncio.interaction import Master, TaskFail, TaskRetry

from .engineio.client.test_ways import CERTIFICATE
from .runtime.kinds import PATIENCE

FUNCTIONS = """
def double(value): return 2 * value
def pair(one, other=None): return one, other
class holder: inner = staticmethod(double)
def nothing(): pass
def two(one, other): pass
async def later(value): pass
number = 5
"""
QUICK = {"host": "127.0.0.1", "port": 0, "request_retries": 0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with a module of functions, which is forgotten again; without a secret."""
    (tmp_path / "cli_functions.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv(SECRET, raising=False)
    yield tmp_path
    sys.modules.pop("cli_functions", None)


@pytest.fixture
def master() -> Iterator[Master]:
    """A master that slaves may join."""
    with Master(**QUICK, accept_slaves=True) as master:
        yield master


def fail(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that cannot start; what it says."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "Traceback" not in printed.err
    return printed.err


# ---------------------------------------------------------------- functions


@pytest.mark.parametrize(
    ("spec", "value", "result"),
    [
        ("cli_functions:double", 2, 4),
        ("cli_functions:pair", 2, (2, None)),
        ("cli_functions:holder.inner", 3, 6),
        ("builtins:len", "abc", 3),
        ("builtins:dict", [], {}),
    ],
)
def test_functions_are_found(folder: Path, spec: str, value: Any, result: Any) -> None:
    """A function of the working directory, an attribute of something, and what is built in can be called."""
    assert load_function(spec)(value) == result


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("cli_functions", "is not of the form module:function"),
        ("cli_functions:double()", "is not of the form module:function"),
        ("cli_functions:duoble", "did you mean cli_functions:double"),
        ("cli_functions:number", "is a int, and cannot be called"),
        ("cli_functions:nothing", "cannot be called with one argument"),
        ("cli_functions:two", "cannot be called with one argument"),
        ("cli_functions:later", "is a coroutine function"),
        ("no_such_functions:double", "there is no module 'no_such_functions'"),
    ],
)
def test_functions_that_are_none(folder: Path, capsys: pytest.CaptureFixture[str], spec: str, words: str) -> None:
    """Each way to name a function wrongly has its own sentence, and ends with code 2."""
    assert words in fail(capsys, "slave", spec, "--master", "127.0.0.1")


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["slave", "cli_functions:double"], "--master"),
        (["slave", "cli_functions:double", "--master", "x", "--slots", "0"], "at least 1"),
        (["slave", "cli_functions:double", "--master", "x", "--grace", "-1"], "a number of seconds"),
        (["slave", "cli_functions:double", "--master", "x", "--port", "70000"], "no port"),
        (["master", "--slaves", "0"], "at least 1"),
        (["master", "--retries", "-1"], "at least 0"),
        (["master", "--timeout", "nan"], "a number of seconds"),
    ],
)
def test_arguments_that_cannot_be(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """What is missing, or no number of the kind that is needed, is said, with code 2."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--secret-file", "none"], "the secret cannot be read"),
        (["--secret-file", "empty"], "there is no secret in empty"),
        (["--secret-file", "strange"], "a text of ASCII characters"),
        (["--key", "empty"], "--key is of no use without --cert"),
        (["--cert", "none"], "no certificate can be had of none"),
        (["--cert", "empty"], "no certificate can be had of empty"),
        (["--ca", "empty"], "no certificate can be had of empty"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
    ],
)
def test_files_and_addresses_that_are_none(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Both commands say which file or address cannot be had, and why."""
    (folder / "empty").write_text("")
    (folder / "strange").write_text("käse")
    assert words in fail(capsys, "slave", "cli_functions:double", "--master", "127.0.0.1", *arguments)
    assert words in fail(capsys, "master", "--port", "0", *arguments)


def test_a_port_in_use(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that somebody has is said to be in use."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} of 127.0.0.1 is in use" in fail(capsys, "master", "--port", port)
        command = ("slave", "cli_functions:double", "--master", "127.0.0.1", "--port", port)
        assert f"port {port} of 127.0.0.1 is in use" in fail(capsys, *command)


def test_tasks_that_are_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of tasks that cannot be read, and a time that no task can keep, are said before anything listens."""
    assert "no tasks to be read in nowhere: No such file" in fail(capsys, "master", "nowhere")
    assert "no tasks to be read in .: Is a directory" in fail(capsys, "master", ".")
    assert "leaves no time" in fail(capsys, "master", "--timeout", "0")


def test_a_master_that_is_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that is no URL is refused."""
    assert "it is a URL like" in fail(capsys, "slave", "cli_functions:double", "--master", "ftp://x")


@pytest.mark.parametrize("command", [["slave", "cli_functions:double", "--master", "x"], ["master"]])
def test_packages_that_are_missing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Where a package is missing, the line that installs it is shown."""
    monkeypatch.setattr("syncio.cli.ends.find_spec", lambda name: None)
    assert "pip install 'syncio[interaction]'" in fail(capsys, *command)


def test_where_the_secret_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of the file, or that of the environment, or there is none; white space around it is not its own."""
    parser = argparse.ArgumentParser()
    add_end(parser, 0)
    (folder / "file").write_text(" of the file\n")
    assert end_options(parser.parse_args([]))["secret"] is None
    monkeypatch.setenv(SECRET, "of the environment\n")
    assert end_options(parser.parse_args([]))["secret"] == "of the environment"
    assert end_options(parser.parse_args(["--secret-file", "file"]))["secret"] == "of the file"


def test_certificates(folder: Path) -> None:
    """A certificate makes an end serve TLS, an authority says whom it trusts, and without both there is neither."""
    parser = argparse.ArgumentParser()
    add_end(parser, 0)
    plain = end_options(parser.parse_args([]))
    assert (plain["tls"], plain["client_tls"]) == (None, None)
    trusting = end_options(parser.parse_args(["--ca", CERTIFICATE]))
    assert trusting["tls"] is None and len(trusting["client_tls"].get_ca_certs()) == 1
    assert end_options(parser.parse_args(["--cert", CERTIFICATE]))["tls"] is not None


# ---------------------------------------------------------------- membership


def refused(capsys: pytest.CaptureFixture[str], master: Master, *arguments: str) -> str:
    """Start a slave that its master does not want; what it says."""
    return fail(capsys, "slave", "cli_functions:double", "--master", f"127.0.0.1:{master.port}", *arguments)


def test_a_refused_slave(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the secret, on another channel, and where nobody may join, a slave ends with the master's own words."""
    with Master(**QUICK, accept_slaves=True, secret="tea", channel=1) as master:
        said = refused(capsys, master, "--channel", "1")
        assert (
            said
            == f"syncio: http://127.0.0.1:{master.port} refuses this slave: This master wants a secret to join it.\n"
        )
        assert "Channel not match" in refused(capsys, master, "--channel", "2")
    with Master(**QUICK) as master:
        assert "refuses this slave" in refused(capsys, master)


def test_a_slave_is_a_function(master: Master) -> None:
    """Its tasks are calls of the function, and what that raises are failures."""
    notes = master.runtime.queue()
    with FunctionSlave({"a": 1}.__getitem__, **QUICK) as slave:
        membership = Membership(slave, f"127.0.0.1:{master.port}", "one", notes.put, slave.shutdown)
        membership.start()
        assert notes.get(timeout=PATIENCE) == f"joined http://127.0.0.1:{master.port} as one"
        assert master.submit("a").result(PATIENCE) == 1
        assert "KeyError" in str(master.submit("b").exception(PATIENCE))
        membership.stop()
    assert membership.has_joined and membership.refusal is None and notes.empty()


def test_a_membership_needs_an_address() -> None:
    """What is no URL and no host is refused at once."""
    slave = FunctionSlave(len, **QUICK)
    for address in ("ftp://x", "http://", "x:port"):
        with pytest.raises(ConfigurationError):
            Membership(slave, address, None, print, print)


# ---------------------------------------------------------------- tasks from a file


def batch_of(master: Master, text: str, retry: TaskRetry | None = None) -> tuple[list[Any], bool]:
    """Do the tasks in a text; the values of the output, and whether all went well."""
    out = io.StringIO()
    batch = Batch(master, io.BytesIO(text.encode()), out, None, retry)
    batch.run()
    return [json.loads(line) for line in out.getvalue().splitlines()], batch.is_whole


@pytest.fixture
def work(master: Master) -> Iterator[Callable[[Callable[[Any], Any]], None]]:
    """Gives the master a slave that calls a function."""
    slaves: list[FunctionSlave] = []

    def begin(function: Callable[[Any], Any]) -> None:
        slaves.append(FunctionSlave(function, **QUICK))
        slaves[-1].start()
        master.new_connection(f"{len(slaves)}", "127.0.0.1", slaves[-1].port).connect()

    yield begin
    for slave in slaves:
        slave.close()


Work = Callable[[Callable[[Any], Any]], None]


def test_tasks_of_a_file(master: Master, work: Work) -> None:
    """Each line is a task and becomes a line, in order; empty lines are none, and the last one needs no end."""
    work(lambda value: [value])
    work(lambda value: [value])
    numbers = list(range(2500))  # more than there may be ahead
    assert batch_of(master, "\n".join(map(str, numbers)) + "\n\n \n 7") == ([[n] for n in [*numbers, 7]], True)
    assert batch_of(master, "") == ([], True)


def test_tasks_that_end_badly(master: Master, work: Work) -> None:
    """An error of the function, a failure with a result, and a line that is no JSON are errors, each in its place."""

    def function(value: int) -> int:
        if value == 2:
            raise TaskFail({"left": 3})
        return 6 // value

    work(function)
    (one, zero, two, nonsense, three), is_whole = batch_of(master, "1\n0\n2\n{\n3")
    assert not is_whole
    assert (one, three) == (6, 2)
    assert zero["error"]["type"] == "ZeroDivisionError"
    assert two == {"error": {"type": "TaskFailed", "message": "the task failed: {'left': 3}", "result": {"left": 3}}}
    assert nonsense["error"]["type"] == "ValueError" and "no JSON" in nonsense["error"]["message"]


def test_tasks_are_tried_again(master: Master, work: Work) -> None:
    """As often as the batch allows."""
    seen: list[int] = []

    def function(value: int) -> int:
        seen.append(value)
        return value // (len(seen) - 1)

    work(function)
    assert batch_of(master, "5", TaskRetry(failed=1)) == ([5], True)


def test_a_batch_that_is_stopped(master: Master, work: Work) -> None:
    """It writes nothing any more, and is not whole."""
    out = io.StringIO()
    batch = Batch(master, io.BytesIO(b"1\n2\n"), out, None, None)
    work(lambda value: batch.stop())
    batch.run()
    assert out.getvalue() == "" and not batch.is_whole


# ---------------------------------------------------------------- the end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_end(number: signal.Signals) -> None:
    """`wait` returns the signal, also one that came before; the handlers of before are back at the end."""
    before = signal.getsignal(number)
    with Ending() as ending:
        os.kill(os.getpid(), number)
        assert ending.wait() == number
    assert signal.getsignal(number) is before


def test_work_that_is_done_is_an_end(master: Master) -> None:
    """`wait` returns None when somebody says so, before or meanwhile; saying it once more does no harm."""
    with Ending() as ending:
        master.runtime.start("says", ending.say)
        assert ending.wait() is None
        ending.say()
    with Ending() as ending:
        ending.say()
        assert ending.wait() is None


def test_a_folder_is_no_secret(folder: Path) -> None:
    """A secret that cannot be read is a problem, not a traceback."""
    parser = argparse.ArgumentParser()
    add_end(parser, 0)
    with pytest.raises(Problem, match="cannot be read"):
        end_options(parser.parse_args(["--secret-file", "."]))
