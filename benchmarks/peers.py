"""Installs what syncio is measured against, outside the tree, and knows where it lies."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parent
SERVERS = HERE / "servers"
DEFAULT_FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "syncio-benchmarks"

PYPI = (
    "python-engineio==4.15.1",
    "gunicorn",
    "gevent",
    "gevent-websocket",
    "werkzeug",
    "simple-websocket",
    "uvicorn",
    "uvloop",
    "httptools",
    "websockets",
    "wsproto",
    "picows",
    "matplotlib",
)
NPM = ("engine.io@6.6",)
SOURCES = {"load": HERE / "load.c", "echo": SERVERS / "echo.c"}
"""What is compiled, by the name of the program."""


class Peers:
    """The folder of the peers; syncio itself is always taken from this checkout."""

    def __init__(self, folder: Path = DEFAULT_FOLDER):
        self.folder = folder.expanduser().resolve()

    @property
    def python(self) -> Path:
        """The interpreter that all Python servers run on."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def load(self) -> Path:
        """The load generator."""
        return self.folder / "load"

    def install(self) -> None:
        """Install and compile what is missing or has changed.

        Raises:
            SystemExit: a tool is missing or has failed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for tool in ("cc", "node", "npm"):
            if shutil.which(tool) is None:
                raise SystemExit(f"{tool} is needed: a C compiler, Node and npm, from your system's packages")
        stamp = self.folder / "installed.json"
        wanted = json.dumps([platform.python_version(), PYPI, NPM])
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"installing the peers into {self.folder}", file=sys.stderr)
            call(sys.executable, "-m", "venv", str(self.folder / "venv"))
            call(str(self.python), "-m", "pip", "install", "-qq", *PYPI)
            call("npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(self.folder), *NPM)
            stamp.write_text(wanted)
        for name, source in SOURCES.items():
            program = self.folder / name
            if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
                call("cc", "-O2", "-o", str(program), str(source))

    def versions(self) -> dict[str, str]:
        """What was measured: the machine, and the version of each package."""
        listed = json.loads(output(str(self.python), "-m", "pip", "list", "--format=json"))
        installed = {each["name"].lower(): each["version"] for each in listed}
        packages = {name: installed[name] for name in (each.partition("==")[0] for each in PYPI)}
        engine = json.loads((self.folder / "node_modules" / "engine.io" / "package.json").read_text())
        return {
            "processor": processor(),
            "system": platform.platform(),
            "Python": platform.python_version(),
            "Node": output("node", "--version").lstrip("v"),
            "syncio": output("git", "-C", str(TREE), "describe", "--always", "--dirty", "--tags"),
            "engine.io": engine["version"],
            **packages,
        }


def call(*command: str) -> None:
    """Run a command; if it fails, so does this."""
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit("failed: " + " ".join(command))


def output(*command: str) -> str:
    """What a command prints; nothing if it cannot be run."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    except OSError:
        return ""


def processor() -> str:
    """The processor's name and the number of cores."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"
