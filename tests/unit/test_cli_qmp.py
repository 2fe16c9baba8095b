"""``syncio qmp``: its shorthand, what TAB offers, what it prints, its scripts and its shell."""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from syncio.cli import main
from syncio.cli.problem import Problem
from syncio.cli.qmp_arguments import read_arguments, read_value, split_line
from syncio.cli.qmp_completion import Completer, Schema
from syncio.cli.qmp_console import Console
from syncio.cli.qmp_launch import with_monitor
from syncio.cli.qmp_output import Output
from syncio.cli.qmp_prompt import Prompt
from syncio.cli.qmp_shell import Shell
from syncio.cli.qmp_terminal import TypedLine, history_file
from syncio.errors import RequestTimeout
from syncio.protocol.qmp import Message, QMPClient
from syncio.runtime import choose_runtime

from .runtime.kinds import PATIENCE, eventually

GREETING = {"QMP": {"version": {"qemu": {"major": 9, "minor": 1, "micro": 2}, "package": ""}, "capabilities": []}}
NOT_FOUND = {"error": {"class": "CommandNotFound", "desc": "no such thing"}}
STOP = {"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}}
CTRL_C = "\x03"
HANG_UP: Mapping[str, Any] = {}
Answers = dict[str, list[Mapping[str, Any]]]


class Server:
    """Answers the commands that it was told, and notes all of them; a `HANG_UP` among the answers ends the session.

    :param folder: where its socket is.
    """

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "qmp")
        self.answers: Answers = {"qmp_capabilities": [{"return": {}}]}
        self.received: list[dict[str, Any]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connection = self._listener.accept()[0]
        except OSError:  # nobody came
            return
        with connection, connection.makefile("rb") as lines:
            self._say(connection, GREETING)
            for line in lines:
                command = json.loads(line)
                ident = {"id": command.pop("id")} if "id" in command else {}
                self.received.append(command)
                for answer in self.answers.get(command["execute"], [NOT_FOUND]):
                    if answer is HANG_UP:
                        return
                    self._say(connection, answer if "event" in answer else {**answer, **ident})

    def _say(self, connection: socket.socket, message: Mapping[str, Any]) -> None:
        connection.sendall(json.dumps(message).encode() + b"\r\n")

    @property
    def commands(self) -> list[dict[str, Any]]:
        """What was executed after the negotiation."""
        return self.received[1:]

    def close(self) -> None:
        """End it."""
        with socket.socket(socket.AF_UNIX) as last:  # wakes it if nobody has come
            last.connect_ex(self.path)
        self._thread.join(PATIENCE)
        self._listener.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server for one session."""
    made = Server(tmp_path)
    yield made
    made.close()


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Always."""
        return True


class Typed(io.StringIO):
    """Lines, each of which waits for something before it is there."""

    def __init__(self, *steps: tuple[Callable[[], bool], str]) -> None:
        super().__init__()
        self._steps = iter(steps)

    def readline(self, size: int | None = -1) -> str:
        """The next of them."""
        ready, line = next(self._steps, (bool, ""))
        assert line == "" or eventually(choose_runtime(), ready)
        if line == CTRL_C:
            raise KeyboardInterrupt
        return line


# ---------------------------------------------------------------------- the shorthand


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("disk0", "disk0"),
        ("1048576", 1048576),
        ("-1.5", -1.5),
        ("true", True),
        ("null", None),
        ("True", True),
        ("None", None),
        ("", ""),
        ('"512"', "512"),
        ("'it is'", "it is"),
        ("'not closed", "'not closed"),
        ('{"a":[1,{}]}', {"a": [1, {}]}),
        ("{'a': (True, None)}", {"a": (True, None)}),
        ("['b\\d']", ["b\\d"]),
        ("/tmp/a=b", "/tmp/a=b"),
        ("NaN", "NaN"),
        ("1e999", "1e999"),
        ("0x10", "0x10"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_values(text: str, value: Any) -> None:
    """A value is JSON, a literal of Python, or else text; what JSON cannot say is text."""
    read = read_value(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", ["[1", "{a: 1}", "{'a'}", "[b'x']", "[nan]", "{(1, 2): 3}", "[" * 100_000])
def test_broken_lists_and_objects(text: str) -> None:
    """What begins like a list or an object and is none is not sent as text."""
    with pytest.raises(Problem, match="neither JSON nor a literal"):
        read_value(text)


def test_dotted_keys() -> None:
    """They nest, in any order."""
    words = ["driver=qcow2", "file.driver=file", "size=1", "file.cache.direct=true", "file.filename=/tmp/x"]
    file = {"driver": "file", "cache": {"direct": True}, "filename": "/tmp/x"}
    assert read_arguments(words) == {"driver": "qcow2", "file": file, "size": 1}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a"], "'a' is not possible: an argument is KEY=VALUE"),
        (["=1"], "'=1' is not possible: an argument is KEY=VALUE"),
        (["a..b=1"], "'a..b=1' is not possible"),
        (["a=1", "a=2"], "'a' is given twice"),
        (["a.b=1", "a.b=1"], "'a.b' is given twice"),
        (["a.b=1", "a=2"], "'a' is given with keys inside"),
        (["a=2", "a.b=1"], "'a.b' is not possible: 'a' is given as a value"),
        (["a.b=2", "a.b.c.d=1"], "'a.b' is given as a value"),
        (['a={"b":1}', "a.c=1"], "'a' is given as a value"),
    ],
)
def test_impossible_arguments(words: list[str], told: str) -> None:
    """The error names the key, and says what is wrong with it."""
    with pytest.raises(Problem) as caught:
        read_arguments(words)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  a   b=1\t", ["a", "b=1"]),
        ("", []),
        ('a b={"x y": [1, 2]} c=1', ["a", 'b={"x y": [1, 2]}', "c=1"]),
        ("a b='x y' c=\"] \\\" '\" d", ["a", "b='x y'", 'c="] \\" \'"', "d"]),
        ("a b=don't c=f(x d", ["a", "b=don't", "c=f(x", "d"]),
        ("transaction( a )", ["transaction(", "a", ")"]),
    ],
)
def test_lines(line: str, words: list[str]) -> None:
    """Spaces split a line, but for those in quotes and brackets that begin a value."""
    assert split_line(line) == words


@pytest.mark.parametrize("line", ["a b='x y", 'a b={"x": 1', 'a b=["}]'])
def test_lines_without_end(line: str) -> None:
    """A quote or bracket that is not closed is an error."""
    with pytest.raises(Problem, match="does not end"):
        split_line(line)


# ---------------------------------------------------------------------- completion

ENTITIES = [
    {"name": "add", "meta-type": "command", "arg-type": "1"},
    {"name": "plain", "meta-type": "command", "arg-type": "9"},
    {
        "name": "1",
        "meta-type": "object",
        "tag": "driver",
        "members": [{"name": "driver", "type": "2"}, {"name": "read-only", "type": "bool"}],
        "variants": [{"case": "file", "type": "3"}, {"case": "raw", "type": "4"}],
    },
    {"name": "2", "meta-type": "enum", "values": ["old"], "members": [{"name": "file"}, {"name": "raw"}]},
    {"name": "3", "meta-type": "object", "members": [{"name": "filename", "type": "str"}]},
    {"name": "4", "meta-type": "object", "members": [{"name": "file", "type": "5"}, {"name": "cache", "type": "6"}]},
    {"name": "5", "meta-type": "alternate", "members": [{"type": "str"}, {"type": "1"}]},
    {"name": "6", "meta-type": "object", "members": [{"name": "mode", "type": "7"}]},
    {"name": "7", "meta-type": "enum", "values": ["on", "off"]},
    {"name": "bool", "meta-type": "builtin", "json-type": "boolean"},
    {"name": "str", "meta-type": "builtin", "json-type": "string"},
]


@pytest.mark.parametrize(
    ("before", "stem", "offered"),
    [
        ("", "a", ["add "]),
        ("", "", ["add ", "plain "]),
        ("transaction(", "p", ["plain "]),
        ("add", "", ["driver=", "read-only="]),
        ("add driver=file", "", ["read-only=", "filename="]),
        ("add driver=raw", "f", ["file=", "file."]),
        ("add driver=raw", "c", ["cache."]),
        ("add driver=raw", "file.", ["file.driver=", "file.read-only="]),
        ("add driver=raw file.driver=file", "file.f", ["file.filename="]),
        ("add", "driver=", ["driver=file ", "driver=raw "]),
        ("add", "read-only=t", ["read-only=true "]),
        ("add driver=raw", "cache.mode=o", ["cache.mode=on ", "cache.mode=off "]),
        ("add driver=file", "filename=", []),
        ("add", "nothing.inside.", []),
        ("plain", "", []),
        ("unknown", "", []),
    ],
)
def test_completion(before: str, stem: str, offered: list[str]) -> None:
    """TAB offers commands, keys that are not given yet, those of the variant that is given, and values."""
    answers = {"query-commands": [{"name": "plain"}, {"name": "add"}], "query-qmp-schema": ENTITIES}
    assert Completer(answers.__getitem__).candidates(before.split(), stem) == offered


def test_completion_asks_once() -> None:
    """The server is asked for its commands and its schema at the first TAB that needs them, and not again."""
    asked: list[str] = []

    def ask(command: str) -> Any:
        asked.append(command)
        raise RequestTimeout(command, 1.0) if command == "query-commands" else RequestTimeout("", 0.0)

    completer = Completer(ask)
    assert completer.candidates([], "a") == completer.candidates([], "b") == []
    assert asked == ["query-commands", "guest-info"]
    assert completer.candidates(["x"], "a") == completer.candidates(["x"], "b") == []
    assert asked == ["query-commands", "guest-info", "query-qmp-schema"]


def test_completion_of_a_guest_agent() -> None:
    """It tells its commands in another way."""
    answers = {"query-commands": [], "guest-info": {"supported_commands": [{"name": "guest-ping"}]}}
    assert Completer(answers.__getitem__).candidates([], "guest") == ["guest-ping "]


def test_broken_schemas() -> None:
    """Types that are not there are no error."""
    schema = Schema([{"name": "a", "meta-type": "command", "arg-type": "1"}, {"meta-type": "object"}])
    assert schema.arguments("a", {}, "b.c") == schema.values("a", {}, "b.c") == []


# ---------------------------------------------------------------------- printing


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours, of keys, texts and other values; NO_COLOR and other streams get none."""
    screen, plain = Screen(), io.StringIO()
    monkeypatch.delenv("NO_COLOR", raising=False)
    Output(screen, screen, True).value({"a: b": ["x\\", -1.5, None]})
    assert screen.getvalue() == (
        '{\x1b[36m"a: b"\x1b[0m: [\x1b[32m"x\\\\"\x1b[0m, \x1b[33m-1.5\x1b[0m, \x1b[33mnull\x1b[0m]}\n'
    )
    Output(plain, plain, True).value({"a": 1})
    monkeypatch.setenv("NO_COLOR", "1")
    Output(screen, plain).value({"a": 1})
    assert plain.getvalue() == '{"a": 1}\n'
    assert screen.getvalue().endswith('{\n  "a": 1\n}\n')


def test_events_take_one_line() -> None:
    """An event is shown by its name and what it says."""
    err = io.StringIO()
    output = Output(io.StringIO(), err)
    output.event(Message({**STOP}))
    output.event(Message({"event": "JOB", "data": {"id": "ä"}}))
    assert err.getvalue() == '* STOP\n* JOB {"id": "ä"}\n'


def test_a_server_does_not_control_the_terminal() -> None:
    """Control characters and halves of characters are escaped wherever they stand, and the JSON stays the same."""
    out = io.StringIO()
    output = Output(out, out, True)
    output.value("\x1b[2J\x9b\ud800ä\n")
    assert json.loads(out.getvalue()) == "\x1b[2J\x9b\ud800ä\n"
    output.text("one\r\ntwo\x1b\r\n")
    output.text("")
    output.error("\x07")
    output.event(Message({"event": "\x1b"}))
    assert out.getvalue().splitlines()[1:] == ["one", "two\\u001b", "\\u0007", "* \\u001b"]
    assert out.getvalue().isprintable() is False and "\x1b" not in out.getvalue() and "\x9b" not in out.getvalue()


# ---------------------------------------------------------------------- scripts


def test_command(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Its arguments are read, and its result is printed as JSON."""
    server.answers["add"] = [{"return": {"a": [1]}}]
    assert main(["qmp", server.path, "add", "node-name=d", "file.size=1"]) == 0
    assert server.commands == [{"execute": "add", "arguments": {"node-name": "d", "file": {"size": 1}}}]
    assert capsys.readouterr() == ('{\n  "a": [\n    1\n  ]\n}\n', "")


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_options_stand_anywhere(server: Server, capsys: pytest.CaptureFixture[str], place: int) -> None:
    """Options stand before the socket, behind it, or among the arguments; -v prints what is sent."""
    server.answers["add"] = [{"return": {"a": [1]}}]
    words = [server.path, "add", "x=1"]
    words[place:place] = ["-c", "--timeout", "5", "-v"]
    assert main(["qmp", *words]) == 0
    assert capsys.readouterr() == ('{"a": [1]}\n', '-> {"execute": "add", "arguments": {"x": 1}}\n')


def test_error_of_the_server(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Its class and words go to the error output, and the code is 1."""
    assert main(["qmp", server.path, "x"]) == 1
    assert capsys.readouterr() == ("", "CommandNotFound: no such thing\n")


def test_server_goes_away(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that hangs up instead of answering is told of."""
    server.answers["x"] = [HANG_UP]
    assert main(["qmp", server.path, "x"]) == 1
    assert capsys.readouterr() == ("", "the server has ended the connection\n")


def test_server_does_not_answer(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """The command ends after its time."""
    server.answers["x"] = []
    assert main(["qmp", server.path, "x", "--timeout", "0.2"]) == 1
    assert "did not end within 0.2 s" in capsys.readouterr().err


def test_quit(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that hangs up instead of answering 'quit' has done it."""
    server.answers["quit"] = [HANG_UP]
    assert main(["qmp", server.path, "quit"]) == 0
    assert capsys.readouterr() == ("{}\n", "")


@pytest.mark.parametrize("option", [["--wait", "STOP"], ["--events", "2"]])
def test_events(server: Server, capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    """The event that is waited for may come before the answer or behind it; with --wait others do not count."""
    server.answers["stop"] = [{"event": "OTHER"}, {"return": {}}, STOP]
    assert main(["qmp", server.path, "-c", "stop", *option]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert printed == ([{}, STOP] if option[0] == "--wait" else [{}, {"event": "OTHER"}, STOP])


def test_no_event(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """An event that does not come in time makes the command fail; what came before is printed."""
    server.answers["stop"] = [{"return": {}}, {"event": "OTHER"}]
    assert main(["qmp", server.path, "-c", "stop", "--wait", "STOP", "--timeout", "0.2"]) == 1
    assert capsys.readouterr() == ("{}\n", "no STOP came within 0.2 s\n")


def test_human_monitor(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """All behind -H is one command for it, and its answer is text."""
    server.answers["human-monitor-command"] = [{"return": "one\r\ntwo\r\n"}]
    assert main(["qmp", server.path, "-H", "info", "block", "-v"]) == 0
    assert server.commands == [{"execute": "human-monitor-command", "arguments": {"command-line": "info block -v"}}]
    assert capsys.readouterr().out == "one\ntwo\n"


def test_json_from_the_input(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line is a command, and each answer a line with the id that the command had; what is no command is told."""
    server.answers["a"] = [{"return": 5}]
    lines = ['{"execute": "a", "id": [1]}', "", '{"execute": "b"}', "a", "[]", "{}", '{"execute": "a"}']
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    assert main(["qmp", server.path, "-"]) == 1
    printed = capsys.readouterr()
    assert [json.loads(line) for line in printed.out.splitlines()] == [
        {"return": 5, "id": [1]},
        NOT_FOUND,
        {"return": 5},
    ]
    assert [line.partition(":")[0] for line in printed.err.splitlines()] == ["line 4", "line 5", "line 6"]
    assert len(server.commands) == 3


def test_json_until_the_server_goes(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is tried behind the end of the session."""
    server.answers["a"] = [HANG_UP]
    monkeypatch.setattr("sys.stdin", io.StringIO('{"execute": "a"}\n' * 3))
    assert main(["qmp", server.path, "-"]) == 1
    assert capsys.readouterr() == ("", "the server has ended the connection\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["/nowhere/at/all", "x"], "No such file or directory"),
        (["127.0.0.1:1", "x"], "127.0.0.1:1: Failed to establish connection"),
        (["[::1]:http", "x"], "the port is a number"),
        (["/nowhere", "x", "y"], "'y' is not possible"),
        (["--launch", "/nowhere/at/all"], "No such file or directory"),
        (["--launch", "--", sys.executable, "-c", "raise SystemExit(3)"], "has ended, with exit code 3"),
    ],
)
def test_no_connection(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a connection the code is 2, and one line says why; arguments are read before one is made."""
    assert main(["qmp", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("syncio: ") and told in printed.err and printed.out == ""


@pytest.mark.parametrize(
    "arguments",
    [[], ["-c"], ["--launch"], ["--launch", "--"], ["x", "--timeout", "-1"], ["x", "--events", "1", "--wait", "X"]],
)
def test_impossible_calls(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They show the usage, and the code is 2."""
    with pytest.raises(SystemExit) as caught:
        main(["qmp", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: syncio qmp [OPTIONS] SOCKET")


def test_monitors_of_programs() -> None:
    """The storage daemon takes other options than the rest, and a comma in a path is doubled."""
    assert with_monitor(["/bin/qemu-system-x86_64", "-S"], "/a,b")[1:] == ["-S", "-qmp", "unix:/a,,b"]
    daemon = with_monitor(["qemu-storage-daemon"], "/a,b")
    assert daemon[1:] == ["--chardev", "socket,id=syncio-qmp,path=/a,,b", "--monitor", "chardev=syncio-qmp"]


# ---------------------------------------------------------------------- the shell


class Shelled:
    """A shell over streams of text.

    :param server: what it talks to.
    """

    def __init__(self, server: Server) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self._server = server

    def run(self, lines: io.StringIO | str, is_interactive: bool = False, **options: Any) -> int:
        """Run it; the exit code."""
        output = Output(self.out, self.err, True)
        stream = io.StringIO(lines) if isinstance(lines, str) else lines
        with QMPClient() as client, Console(stream, output) as console:
            console.is_interactive = is_interactive
            client.connect(self._server.path, timeout=PATIENCE)
            code = Shell(client, console, output, timeout=PATIENCE, **options).run()
            client.close()
        return code


@pytest.fixture
def shelled(server: Server) -> Shelled:
    """A shell."""
    return Shelled(server)


def test_shell(server: Server, shelled: Shelled) -> None:
    """Lines are executed in order, and the end of them is the end."""
    server.answers.update(a=[{"return": 1}], b=[{"return": 2}])
    assert shelled.run("a\n\n  b x=1 y.z='1 2'\n") == 0
    assert server.commands == [{"execute": "a"}, {"execute": "b", "arguments": {"x": 1, "y": {"z": "1 2"}}}]
    assert (shelled.out.getvalue(), shelled.err.getvalue()) == ("1\n2\n", "")


def test_shell_survives_errors(server: Server, shelled: Shelled) -> None:
    """Whatever is wrong with a line, the next one is executed; the code tells that something was."""
    server.answers.update(a=[{"return": 1}], odd=[{"neither": 1}])
    assert shelled.run("nothing\na x\na x='\nodd\na\n") == 1
    assert shelled.out.getvalue() == "1\n"
    told = shelled.err.getvalue().splitlines()
    assert told[0] == "CommandNotFound: no such thing" and len(told) == 4


def test_shell_without_a_terminal(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command reads lines when its input is no terminal, without a prompt."""
    server.answers.update(a=[{"return": 1}])
    monkeypatch.setattr("sys.stdin", io.StringIO("a\n"))
    assert main(["qmp", server.path]) == 0
    assert capsys.readouterr() == ("1\n", "")


@pytest.mark.parametrize(
    "lines", ["transaction(\na\nb x=1\n)\n", "transaction( a\nb x=1 )\n", "transaction(\na\nbad x\nb x=1\n)\n"]
)
def test_transactions(server: Server, shelled: Shelled, lines: str) -> None:
    """What stands between the brackets is one command; an action that cannot be read is left out."""
    server.answers["transaction"] = [{"return": {}}]
    shelled.run(lines)
    actions = [{"type": "a", "data": {}}, {"type": "b", "data": {"x": 1}}]
    assert server.commands == [{"execute": "transaction", "arguments": {"actions": actions}}]


def test_shell_for_the_human_monitor(server: Server, shelled: Shelled) -> None:
    """Lines go to it as they are, -v prints them, and its answers are text."""
    server.answers["human-monitor-command"] = [{"return": "yes\r\n"}]
    assert shelled.run("info 'x\n\n", hmp=True, verbose=True) == 0
    assert server.commands == [{"execute": "human-monitor-command", "arguments": {"command-line": "info 'x"}}]
    assert shelled.out.getvalue() == "yes\n"
    assert shelled.err.getvalue().startswith('-> {"execute": "human-monitor-command"')


@pytest.mark.parametrize("hmp", [False, True])
def test_shell_quits(server: Server, shelled: Shelled, hmp: bool) -> None:
    """Behind 'quit' no line is read, whether the server has answered it or not."""
    server.answers.update({"quit": [HANG_UP], "human-monitor-command": [HANG_UP]})
    assert shelled.run("quit\nx\n", hmp=hmp) == 0
    assert len(server.commands) == 1
    assert shelled.err.getvalue() == ""


def test_shell_ends_with_the_server(server: Server, shelled: Shelled) -> None:
    """That the server hangs up is told, and no line is tried behind it."""
    server.answers["x"] = [HANG_UP]
    assert shelled.run("x\ny\nz\n") == 1
    assert shelled.err.getvalue() == "the server has ended the connection\n"
    assert len(server.commands) == 1


def test_shell_shows_events(server: Server, shelled: Shelled) -> None:
    """An event is printed while the next line is awaited."""
    server.answers["stop"] = [{"return": {}}, STOP]
    lines = Typed((lambda: True, "stop\n"), (lambda: "* STOP\n" in shelled.err.getvalue(), "stop\n"))
    assert shelled.run(lines) == 0
    assert shelled.out.getvalue() == "{}\n{}\n"


def test_shell_of_a_person(server: Server, shelled: Shelled) -> None:
    """Ctrl-C gives a transaction up and nothing else, and errors do not count at the end."""
    server.answers["a"] = [{"return": 1}]
    lines = Typed(*((lambda: True, line) for line in ("transaction(\n", "b\n", CTRL_C, "a\n", "b\n")))
    assert shelled.run(lines, is_interactive=True) == 0
    assert shelled.out.getvalue() == "1\n"
    asked = [command["execute"] for command in server.commands]
    assert [name for name in asked if not name.startswith("query-")] == ["a", "b"]


def test_ctrl_c_in_a_script(server: Server, shelled: Shelled) -> None:
    """It is the end when nobody types."""
    with pytest.raises(KeyboardInterrupt):
        shelled.run(Typed((lambda: True, CTRL_C)))


def test_prompt(server: Server) -> None:
    """It has the server's version or the machine's name, the state, and a mark for the human monitor."""
    with QMPClient() as client:
        client.connect(server.path, timeout=PATIENCE)
        prompt = Prompt(client)
        assert str(prompt) == str(prompt) == "(QEMU 9.1.2) "
        assert [command["execute"] for command in server.commands].count("query-status") == 1
        server.answers["query-name"] = [{"return": {"name": "vm1"}}]
        server.answers["query-status"] = [{"return": {"status": "running"}}]
        assert str(Prompt(client, hmp=True)) == "(vm1 running hmp) "
    assert str(Prompt(client)) == "(? ?) "


def test_history_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is where the user's state is kept."""
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert history_file() == Path("/state/syncio/qmp-history")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert history_file() == Path("/home/ada/.local/state/syncio/qmp-history")


def test_line_without_gnu_readline(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the library cannot draw it anew, the line is cleared and written."""
    line = TypedLine()
    line._library = None
    line.prompt = "(x) "
    line.hide()
    line.show()
    assert capsys.readouterr().out == "\r\x1b[K(x) "
