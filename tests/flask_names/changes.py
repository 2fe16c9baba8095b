"""What is put differently in Flask's tests before they run: what, how, and why. docs/flask-tests.md tells it too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["OF_2010", "OF_TODAY", "Change", "change"]


class Change(NamedTuple):
    """A place that reads otherwise.

    :param pattern: what stands there, as a regular expression.
    :param instead: what comes instead.
    :param why: the reason.
    """

    pattern: str
    instead: str
    why: str


def change(folder: Path, changes: dict[str, list[Change]]) -> None:
    """Put what is in a folder differently.

    :param changes: by the files' names; each of them has to find its place.
    """
    for name, listed in changes.items():
        path = folder / name
        text = path.read_text("utf-8")
        for pattern, instead, _ in listed:
            text, found = re.subn(pattern, instead, text)
            assert found, f"{pattern!r} is not in {name}"
        path.write_text(text, "utf-8")


WARNING = Change(r'"flask\.app"', '"syncio.web.app"', "a warning comes from the module that warns")

OF_TODAY = {
    "tests/conftest.py": [
        Change(
            r"monkeypatch\.notset",
            "getattr(monkeypatch, 'NOTSET', getattr(monkeypatch, 'notset', None))",
            "newer pytests call it so",
        )
    ],
    "tests/test_basic.py": [
        Change(r"request_ctx\._session", "request_ctx.session", "the session of the context is public"),
        WARNING,
    ],
    "tests/test_reqctx.py": [WARNING],
}
"""In Flask 3.1.3."""

BYTES = "bodies, and files that are sent, are bytes"
JINJA = "in JSON, Jinja writes < and > like that"
MOVED = "Werkzeug has moved it"
PYTHON = "Python 3"
BODY = Change(r"in rv\.data", "in rv.text", BYTES)
SCHEMA = Change(r"f\.read\(\)", "f.read().decode()", "a resource is bytes, and SQL is text")

OF_2010 = {
    "tests/flask_tests.py": [
        Change(r"except (\w+), e:", r"except \1 as e:", PYTHON),
        Change(r"unicode\(", "str(", PYTHON),
        Change(r"from cStringIO import StringIO", "from io import BytesIO, StringIO", PYTHON),
        Change(r"from werkzeug import", "from werkzeug.http import", MOVED),
        BODY,
        Change(r"\.data == '", ".data == b'", BYTES),
        Change(r"rv == 'request", "rv == b'request", BYTES),
        Change(r"\.data\.strip\(\) == '", ".data.strip() == b'", BYTES),
        Change(r"\.data\.splitlines\(\)", ".text.splitlines()", BYTES),
        Change(r"response\.data \+= '", "response.data += b'", BYTES),
        Change(r"StringIO\('Test'\)", "BytesIO(b'Test')", BYTES),
        Change(r"(open\(os\.path\.join\(app\.root_path, '[\w/.]+')\)\)", r"\1), 'rb')", BYTES),
        Change(
            r"(?m)^( +)(assert rv\.direct_passthrough)\n(?=.*\n.*open_resource)",
            r"\1\2\n\1rv.direct_passthrough = False\n",
            "Werkzeug does not let a test read a file that goes out as it is",
        ),
        Change(r"attachment_filename", "download_name", "Flask 2 has renamed it"),
        Change(r"except AttributeError:", "except RuntimeError:", "that there is no request is a RuntimeError"),
        Change(r"'GET', 'HEAD'(?=[],])", "'GET', 'HEAD', 'OPTIONS'", "OPTIONS is answered"),
        Change(
            r"\{'X-Foo': 'Testing'\}, 'text/plain'",
            "{'X-Foo': 'Testing', 'Content-Type': 'text/plain'}",
            "an answer is a body, a status and headers; the type is one of these",
        ),
        Change(r"\\bexpires=", "(?i)expires=", "Werkzeug writes the attributes of cookies with capitals"),
        Change(r"match\.group\(\)", "match.group(1)", "a date is parsed without what stands before it"),
        Change(r"<\\\\/script>", r"\\\\u003c/script\\\\u003e", JINJA),
        Change(r"<\\\\u0000\\\\/script>", r"\\\\u003c\\\\u0000/script\\\\u003e", JINJA),
        Change(r"WARNING in flask_tests,", "WARNING in flask_tests:", "the log of debug mode looks as it always does"),
        Change(r" +assert 'flask_tests\.py' in out\n", "", "and names the module only"),
    ],
    "examples/flaskr/flaskr.py": [SCHEMA],
    "examples/flaskr/flaskr_tests.py": [BODY],
    "examples/minitwit/minitwit.py": [
        SCHEMA,
        Change(r"from werkzeug import", "from werkzeug.security import", MOVED),
    ],
    "examples/minitwit/minitwit_tests.py": [BODY],
}
"""In Flask 0.3.1, which is of May 2010 and in Python 2."""
