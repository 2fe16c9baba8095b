"""Whether an installed syncio is whole and works: ``python -I .ci/smoke.py CHECKOUT``, with the interpreter it is in.

It needs nothing but what syncio itself requires, so it shows also that this is enough.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import sysconfig
import threading
import urllib.request
from pathlib import Path

from werkzeug.serving import make_server

import syncio

CHECKOUT = Path(sys.argv[1]).resolve() / "syncio"
INSTALLED = Path(syncio.__file__).resolve().parent


def files_of(folder: Path) -> set[str]:
    """What a package's folder holds, without what Python puts there."""
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {str(path) for path in found if "__pycache__" not in path.parts and path.suffix != ".so"}


def check_files() -> None:
    """Every file of the checkout is installed: modules, py.typed, the demo's pages."""
    if INSTALLED == CHECKOUT:
        raise SystemExit(f"this is the checkout, not an installation: {INSTALLED}")
    if missing := files_of(CHECKOUT) - files_of(INSTALLED):
        raise SystemExit(f"not in the package: {', '.join(sorted(missing))}")
    if surplus := files_of(INSTALLED) - files_of(CHECKOUT):
        raise SystemExit(f"in the package, not in the checkout: {', '.join(sorted(surplus))}")


def ask(url: str, body: bytes | None = None) -> str:
    """What a GET, or a POST of the body, is answered."""
    with urllib.request.urlopen(url, data=body, timeout=10) as response:
        return str(response.read().decode())


def check_server() -> None:
    """A server answers a message over long polling."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = syncio.Server()
    server.on("message", lambda sid, data: server.send(sid, f"heard {data}"))
    site = make_server("127.0.0.1", 0, syncio.WSGIApp(server), threaded=True)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{site.server_port}/engine.io/?EIO=4&transport=polling"
    sid = json.loads(ask(url)[1:])["sid"]
    accepted, answer = ask(f"{url}&sid={sid}", b"4hello"), ask(f"{url}&sid={sid}")
    server.shutdown()
    site.shutdown()
    if (accepted, answer) != ("ok", "4heard hello"):
        raise SystemExit(f"the server answered {accepted!r} and {answer!r}")


def check_command() -> None:
    """The `syncio` command is there and explains itself."""
    command = Path(sysconfig.get_path("scripts")) / "syncio"
    subprocess.run([command, "--help"], check=True, stdout=subprocess.DEVNULL, timeout=30)


check_files()
check_server()
check_command()
print(f"syncio {syncio.__version__} in {INSTALLED} is whole and works")
