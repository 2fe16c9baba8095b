"""What a request costs in a small app: syncio.web beside Flask, each in a process of its own, in turns.

    python benchmarks/web.py [--rounds 7]

An app of 100 routes is called as WSGI servers call it, without a network. Microseconds of CPU for a request, the least
of a process's repetitions; the figures are the medians of the rounds, the ratios those of single rounds. Flask has to
be installed where this runs.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUTES = 100
REQUESTS = 2000
REPETITIONS = 7
SIDES = {"syncio.web": "ours", "Flask": "theirs"}


def make_app(side: str) -> tuple[Any, Any]:
    """The app, and the module that it is made with."""
    if side == "ours":
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from syncio import web

        return web.App("benchmark", static_folder=None), web
    import flask

    return flask.Flask("benchmark", static_folder=None), flask


def build(side: str) -> Any:
    """A hundred routes, of which three are asked for."""
    app, module = make_app(side)
    app.secret_key = "secret"
    for number in range(ROUTES - 3):
        app.add_url_rule(f"/route{number}/<name>", f"route{number}", lambda name: name)

    @app.route("/number/<int:number>")
    def number(number: int) -> str:
        return str(number)

    @app.route("/json", methods=["POST"])
    def json() -> Any:
        return {"got": module.request.get_json(), "list": [1, 2, 3]}

    @app.route("/session")
    def session() -> str:
        module.session["count"] = module.session.get("count", 0) + 1
        return str(module.session["count"])

    return app


def environ(path: str, method: str = "GET", body: bytes = b"", **more: str) -> dict[str, Any]:
    """What a WSGI server gives."""
    return {
        "REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http", "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": False,
        "wsgi.run_once": False, **more,
    }  # fmt: skip


def call(app: Any, request: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    """One request, as a server makes it."""
    answer: list[Any] = []
    body = app(request, lambda status, headers, exc_info=None: answer.extend((status, headers)))
    data = b"".join(body)
    close = getattr(body, "close", None)
    if close is not None:
        close()
    return answer[0], answer[1], data


def requests(app: Any) -> dict[str, Callable[[], tuple[str, list[tuple[str, str]], bytes]]]:
    """What is measured."""
    _, headers, _ = call(app, environ("/session"))
    cookie = dict(headers)["Set-Cookie"].split(";")[0]
    body = b'{"name": "value", "numbers": [1, 2, 3]}'
    return {
        "<int> route": lambda: call(app, environ("/number/42")),
        "JSON": lambda: call(app, environ("/json", "POST", body, CONTENT_TYPE="application/json")),
        "session": lambda: call(app, environ("/session", HTTP_COOKIE=cookie)),
        "404": lambda: call(app, environ("/nowhere")),
    }


def measure(side: str) -> None:
    """Print a line for each request."""
    app = build(side)
    for name, make in requests(app).items():
        assert make()[0][:3] == ("404" if name == "404" else "200")
        best = float("inf")
        for _ in range(REPETITIONS):
            began = time.process_time()
            for _ in range(REQUESTS):
                make()
            best = min(best, (time.process_time() - began) / REQUESTS)
        print(f"{name}\t{best * 1e6}")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--side", choices=SIDES.values(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side is not None:
        measure(options.side)
        return
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(options.rounds):
        for name, side in SIDES.items():
            done = subprocess.run(
                [sys.executable, __file__, "--side", side], capture_output=True, text=True, check=True
            )
            for line in done.stdout.splitlines():
                what, value = line.split("\t")
                figures[what][name].append(float(value))
    print(f"| us of CPU | {' | '.join(SIDES)} | ratio |\n|---|---:|---:|---:|")
    for what, sides in figures.items():
        ours, theirs = (sides[name] for name in SIDES)
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        print(f"| {what} | {statistics.median(ours):.1f} | {statistics.median(theirs):.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
