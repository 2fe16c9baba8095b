"""What an attacker tries: forged cookies, paths out of the folder, wrong hosts, huge bodies, injected headers."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import pickle
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import werkzeug.serving
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode
from werkzeug.debug import DebuggedApplication
from werkzeug.test import Client, EnvironBuilder

from syncio.web import (
    App,
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    render_template_string,
    request,
    send_file,
    send_from_directory,
    session,
    url_for,
)
from syncio.web.debugger import Debugger
from syncio.web.run import is_loopback
from syncio.web.sessions import SessionCookies
from syncio.web.tagged import TaggedJSON
from syncio.web.testing import AppClient

from .conftest import KEY, raw

SALT = SessionCookies.salt
Write = Callable[[str, str], None]


# ---------------------------------------------------------------------- session cookies


@pytest.fixture
def sessions(app: App) -> App:
    """An app that sets and shows its session."""
    app.add_url_rule("/set/<name>", "set", lambda name: session.update(name=name) or "set")
    app.add_url_rule("/", "show", lambda: dict(session))
    return app


def cookie_of(app: App, name: str = "ada") -> str:
    """A session cookie as the app writes it."""
    client = app.test_client()
    client.get(f"/set/{name}")
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


def shown(app: App, cookie: str) -> Any:
    """The session that an app reads from a cookie."""
    client = app.test_client()
    client.set_cookie("session", cookie)
    return client.get("/").json


class OldSigner(TimestampSigner):
    """Signs as if it were some time ago."""

    age = 0

    def get_timestamp(self) -> int:
        """Seconds, as they were then."""
        return int(time.time()) - self.age


def signed(value: Any, key: Any = KEY, salt: str = SALT, age: int = 0, **options: Any) -> str:
    """A cookie that is signed as the app does it, but for what is given."""
    signer = type("Signer", (OldSigner,), {"age": age})
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    made = URLSafeTimedSerializer(
        key, salt=salt, serializer=TaggedJSON(), signer=signer, signer_kwargs={**how, **options}
    ).dumps(value)
    assert isinstance(made, str)
    return made


def test_a_cookie_that_is_ours(sessions: App) -> None:
    """What the app has written it reads, and so it does what is signed as it does: the other tests rest on it."""
    assert shown(sessions, cookie_of(sessions)) == {"name": "ada"}
    assert shown(sessions, signed({"name": "ada"})) == {"name": "ada"}


def test_a_cookie_with_any_byte_changed(sessions: App) -> None:
    """Whatever character is changed, the session is empty and nothing fails."""
    cookie = cookie_of(sessions)
    # The last character of a signature has bits that mean nothing.
    for position in range(len(cookie) - 1):
        other = "A" if cookie[position] != "A" else "B"
        assert shown(sessions, cookie[:position] + other + cookie[position + 1 :]) == {}, position


def test_a_cookie_with_another_body(sessions: App) -> None:
    """The signature of one session is not that of another."""
    ada, ben = cookie_of(sessions, "ada"), cookie_of(sessions, "ben")
    assert shown(sessions, ben.split(".")[0] + "." + ada.split(".", 1)[1]) == {}


@pytest.mark.parametrize("cookie", ["", ".", "..", "...", "x", "\x00", "é", "." * 5000, "a.b.c", '{"name":"ada"}'])
def test_a_cookie_that_is_nonsense(sessions: App, cookie: str) -> None:
    """Anything may come, and is an empty session."""
    environ = EnvironBuilder("/").get_environ()
    environ["HTTP_COOKIE"] = f"session={cookie}".encode().decode("latin-1")
    status, _, pieces = raw(sessions, environ)
    assert (status, json.loads(b"".join(pieces))) == ("200 OK", {})


def test_a_tampered_cookie_is_replaced(sessions: App) -> None:
    """Who comes with a bad cookie can still log in."""
    client = sessions.test_client()
    client.set_cookie("session", "bad.bad.bad")
    client.get("/set/ada")
    assert client.get("/").json == {"name": "ada"}


def test_a_cookie_that_has_expired(sessions: App) -> None:
    """Older than `PERMANENT_SESSION_LIFETIME` is too old, also if the browser still has it."""
    sessions.permanent_session_lifetime = timedelta(minutes=10)
    assert shown(sessions, signed({"name": "ada"}, age=590)) == {"name": "ada"}
    assert shown(sessions, signed({"name": "ada"}, age=660)) == {}


def test_a_cookie_of_the_future(sessions: App) -> None:
    """One that was signed by a clock that is far ahead does not live for ever."""
    assert shown(sessions, signed({"name": "ada"}, age=-1000)) == {}


def test_a_rotated_key(sessions: App) -> None:
    """An old key is still read; what is written has the new one, which the old one cannot read."""
    sessions.config.update(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older", KEY])
    assert shown(sessions, signed({"name": "ada"}, KEY)) == {"name": "ada"}
    assert shown(sessions, signed({"name": "ada"}, "older")) == {"name": "ada"}
    assert shown(sessions, signed({"name": "ada"}, "oldest")) == {}
    cookie = cookie_of(sessions)
    sessions.config["SECRET_KEY_FALLBACKS"] = None
    assert shown(sessions, cookie) == {"name": "ada"}
    sessions.config["SECRET_KEY"] = KEY
    assert shown(sessions, cookie) == {}


def test_a_key_that_is_gone(sessions: App) -> None:
    """A key that is not among the fallbacks any more signs nothing any more."""
    sessions.config["SECRET_KEY"] = "new"
    assert shown(sessions, signed({"name": "ada"}, KEY)) == {}


@pytest.mark.parametrize(
    "difference",
    [{"salt": "activation"}, {"key": KEY + " "}, {"key_derivation": "django-concat"}, {"digest_method": hashlib.sha1}],
    ids=str,
)
def test_a_cookie_that_is_signed_otherwise(sessions: App, difference: dict[str, Any]) -> None:
    """What the key signs for other purposes, or in a weaker way, is no session."""
    assert shown(sessions, signed({"name": "ada"}, **difference)) == {}


def test_without_a_key(sessions: App) -> None:
    """Without a key a session can be read, and is empty; who writes is told what to do."""
    cookie = cookie_of(sessions)
    sessions.config.update(SECRET_KEY=None, TESTING=True)
    assert shown(sessions, cookie) == {}
    assert shown(sessions, signed({"name": "ada"}, "")) == {}
    with pytest.raises(RuntimeError, match=r"app\.secret_key = secrets\.token_hex\(\)"):
        sessions.test_client().get("/set/ada")


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.__setitem__("a", 1),
        lambda s: s.__delitem__("a"),
        lambda s: s.update(a=1),
        lambda s: s.setdefault("a", 1),
        lambda s: s.pop("a", None),
        lambda s: s.popitem(),
        lambda s: s.clear(),
        lambda s: s.__ior__({"a": 1}),
        lambda s: setattr(s, "permanent", True),
        lambda s: flash("x"),
    ],
)
def test_every_way_to_write_without_a_key(app: App, write: Callable[[Any], Any]) -> None:
    """No way to write is silent."""
    app.secret_key = None
    with app.test_request_context(), pytest.raises(RuntimeError, match="no secret key was set"):
        write(session)


def test_flags(sessions: App) -> None:
    """A cookie is for no script, and is not sent along from other sites' forms."""
    [header] = sessions.test_client().get("/set/ada").headers.getlist("Set-Cookie")
    flags = header.split("; ")[1:]
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Lax"]


def test_configured_flags(sessions: App) -> None:
    """The configuration has all flags, and another name and place; deleting uses the same place."""
    sessions.config.update(
        SESSION_COOKIE_NAME="__Host-s", SESSION_COOKIE_SECURE=True, SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_PARTITIONED=True, SESSION_COOKIE_PATH="/app",
        SESSION_COOKIE_DOMAIN="example.com",
    )  # fmt: skip
    sessions.add_url_rule("/clear", "clear", lambda: session.update(a=1) or session.clear() or "cleared")
    place = ["Domain=example.com", "Partitioned", "Path=/app", "SameSite=Strict", "Secure"]
    for path in ("/set/ada", "/clear"):
        [header] = sessions.test_client().get(path).headers.getlist("Set-Cookie")
        name, *flags = header.split("; ")
        assert name.startswith("__Host-s=")
        assert sorted(flag for flag in flags if not flag.startswith(("Expires", "Max-Age"))) == place


@pytest.mark.parametrize(
    "look",
    [
        lambda: session.get("name"),
        lambda: "name" in session,
        lambda: len(session),
        lambda: bool(session),
        lambda: list(session),
        lambda: session.keys(),
        lambda: {**session},
        lambda: session == {},
        lambda: session.permanent,
        lambda: render_template_string("{{ session.name }}"),
        lambda: render_template_string("{% if session %}{% endif %}"),
        lambda: render_template_string("{{ get_flashed_messages() }}"),
    ],
)
def test_a_look_at_the_session_varies(app: App, client: AppClient, look: Callable[[], Any]) -> None:
    """However the session is looked at, a cache must not give the answer to somebody else."""
    app.add_url_rule("/look", "look", lambda: (look(), "x")[1])
    app.add_url_rule("/none", "none", lambda: render_template_string("x"))
    assert client.get("/look").vary.as_set() == {"cookie"}
    assert client.get("/none").vary.as_set() == set(), "who does not look does not vary"


def test_a_session_that_is_renewed_varies(app: App) -> None:
    """A response that has the cookie because that shall live longer must not be given to somebody else."""
    app.add_url_rule("/", "none", lambda: "x")
    client = app.test_client()
    client.set_cookie("session", signed({"name": "ada", "_permanent": True}))
    answer = client.get("/")
    assert "session=" in answer.headers["Set-Cookie"]
    assert answer.vary.as_set() == {"cookie"}


class Bomb:
    """Says when somebody unpickles it."""

    went_off: list[str] = []  # noqa: RUF012

    def __reduce__(self) -> Any:
        return (Bomb.went_off.append, ("bang",))


def test_nothing_is_pickled(sessions: App) -> None:
    """A cookie is JSON: what cannot be JSON is refused when it is written, and a pickle is never read."""
    body = cookie_of(sessions).split(".")[0]
    assert json.loads(base64_decode(body)) == {"name": "ada"}
    sessions.testing = True
    with pytest.raises(TypeError), sessions.test_client().session_transaction() as opened:
        opened["bomb"] = Bomb()

    class Pickles:
        """What a cookie would be read by if it were a pickle."""

        dumps = staticmethod(pickle.dumps)

    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    cookie = URLSafeTimedSerializer(KEY, salt=SALT, serializer=Pickles(), signer_kwargs=how).dumps(Bomb())  # type: ignore[arg-type]
    assert isinstance(cookie, bytes)
    assert shown(sessions, cookie.decode()) == {}
    assert Bomb.went_off == []


# ---------------------------------------------------------------------- files


@pytest.fixture
def static(app: App, tmp_path: Path) -> App:
    """An app with a static file, and secrets around its folder."""
    (tmp_path / "static" / "sub").mkdir(parents=True)
    (tmp_path / "static" / "open.txt").write_text("open")
    (tmp_path / "static" / "sub" / "deep.txt").write_text("deep")
    (tmp_path / "static-secret").mkdir()
    for name in ("secret.txt", "static-secret/secret.txt"):
        (tmp_path / name).write_text("secret")
    return app


def content(app: App, path: str) -> str:
    """The text of a file, which is closed then."""
    with app.test_client().get(path) as response:
        return response.text


def test_static_files(static: App) -> None:
    """What is in the folder is served, also from folders in it; dots that stay inside are no harm."""
    assert content(static, "/static/open.txt") == "open"
    assert content(static, "/static/sub/deep.txt") == "deep"
    assert content(static, "/static/sub/../open.txt") == "open"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "%2e%2e%2fsecret.txt",
        "..%2fsecret.txt",
        "sub/../../secret.txt",
        "sub/%2e%2e/%2e%2e/secret.txt",
        "..%5csecret.txt",
        "..\\secret.txt",
        "../static-secret/secret.txt",
        "....//secret.txt",
        ".././secret.txt",
        "%252e%252e%252fsecret.txt",
        "{root}/secret.txt",
        "%2f{root}/secret.txt",
        "/{root}/secret.txt",
        "file://{root}/secret.txt",
        "open.txt%00",
        "open.txt%00.html",
        "%c0%ae%c0%ae/secret.txt",
        "",
        ".",
        "sub",
        "sub/",
    ],
)
def test_traversal(static: App, tmp_path: Path, path: str) -> None:
    """No spelling of a path leaves the folder, lists one, or is more than not found, which redirects may hide."""
    client = static.test_client()
    answer = client.get(f"/static/{path.format(root=tmp_path)}", follow_redirects=True)
    assert (answer.status_code, "secret" in answer.text) == (404, False)


@pytest.mark.parametrize(
    "path", ["/static/../secret.txt", "/static//etc/passwd", "/static/\\..\\secret.txt", "/static/\x00"]
)
def test_traversal_past_the_client(static: App, path: str) -> None:
    """The same for what a server passes on undecoded, without any client that tidies it up."""
    environ = EnvironBuilder("/").get_environ()
    environ["PATH_INFO"] = path
    status, _, pieces = raw(static, environ)
    assert status[:3] in ("404", "308")
    assert b"secret" not in b"".join(pieces)
    assert b"root:" not in b"".join(pieces)


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "sub/../../secret.txt", "missing", ""])
def test_traversal_by_send_from_directory(static: App, path: str) -> None:
    """A view may give a path that a user has sent."""
    static.add_url_rule("/", "view", lambda: send_from_directory("static", request.args["path"]))
    assert content(static, "/?path=open.txt") == "open"
    assert static.test_client().get("/", query_string={"path": path}).status_code == 404


def test_symlinks(static: App, tmp_path: Path) -> None:
    """A link in the folder is followed: who can make one there may publish; it is no way for who only asks."""
    (tmp_path / "static" / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert content(static, "/static/link.txt") == "secret"


def test_a_file_name_in_a_header(app: App, client: AppClient) -> None:
    """A name for a download cannot end its header."""
    name = 'a"; x="\r\nX-Evil: 1\r\n'
    app.add_url_rule(
        "/", "view", lambda: send_file(io.BytesIO(b""), as_attachment=True, download_name=name, mimetype="text/plain")
    )
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = client.get("/")
    assert "X-Evil" not in answer.headers
    assert all("\n" not in value for _, value in answer.headers)


# ---------------------------------------------------------------------- hosts


@pytest.fixture
def hosts(app: App) -> App:
    """An app that shows its own URL, and an error that does."""
    app.add_url_rule("/", "view", lambda: url_for("view", _external=True))
    app.add_url_rule("/slash/", "slash", lambda: "x")
    return app


@pytest.mark.parametrize("host", ["example.com", "example.com:8000", "a.example.org"])
def test_trusted_hosts(hosts: App, host: str) -> None:
    """Those of `TRUSTED_HOSTS` are answered."""
    hosts.config["TRUSTED_HOSTS"] = ["example.com", ".example.org"]
    assert hosts.test_client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/slash", "/missing", "/static/x"])
@pytest.mark.parametrize("host", ["evil.com", "example.com.evil.com", "evilexample.org", "a.example.com", "localhost"])
def test_other_hosts(hosts: App, host: str, path: str) -> None:
    """All others get 400 for whatever path, and no redirect to themselves."""
    hosts.config["TRUSTED_HOSTS"] = ["example.com", ".example.org"]
    answer = hosts.test_client().get(path, headers={"Host": host})
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_answer_to_another_host_may_ask_for_paths(hosts: App) -> None:
    """A handler of 400 that shows a page with URLs is no error of its own."""
    hosts.config["TRUSTED_HOSTS"] = ["example.com"]
    hosts.register_error_handler(400, lambda error: (url_for("view"), 400))
    answer = hosts.test_client().get("/missing", headers={"Host": "evil.com"})
    assert (answer.status_code, answer.text) == (400, "/")


@pytest.mark.parametrize(
    "host", ["a b", "a/b", "a@b", "a\\b", "a?b", "a#b", "<script>", "a:b:c", "exa'mple.com", "a,b"]
)
def test_hosts_that_are_nonsense(hosts: App, host: str) -> None:
    """What cannot be a name is 400 also where all hosts are trusted."""
    answer = hosts.test_client().get("/", headers={"Host": host})
    assert answer.status_code == 400
    assert "<script>" not in answer.text


def test_the_handler_of_a_wrong_host(hosts: App) -> None:
    """The 400 for a wrong host has its handler, like any."""
    hosts.config["TRUSTED_HOSTS"] = ["example.com"]
    hosts.register_error_handler(400, lambda exc: ("handled", 400))
    answer = hosts.test_client().get("/", headers={"Host": "evil.com"})
    assert (answer.status_code, answer.text) == (400, "handled")


def test_forwarded_hosts_are_not_believed(hosts: App) -> None:
    """Headers that any client can send do not change the URL: a proxy's are for `ProxyFix`."""
    headers = {"X-Forwarded-Host": "evil.com", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.com"}
    assert hosts.test_client().get("/", headers=headers).text == "http://localhost/"


# ---------------------------------------------------------------------- bodies


@pytest.fixture
def bodies(app: App) -> App:
    """An app that counts what it gets."""
    app.add_url_rule("/data", "data", lambda: str(len(request.get_data())), methods=["POST"])
    app.add_url_rule("/json", "json", lambda: str(len(request.get_json())), methods=["POST"])
    app.add_url_rule("/form", "form", lambda: str(len(request.form) + len(request.files)), methods=["POST"])
    return app


@pytest.mark.parametrize("path", ["/data", "/json", "/form"])
def test_max_content_length(bodies: App, path: str) -> None:
    """A body beyond `MAX_CONTENT_LENGTH` is 413, however it is read; one of that size is not."""
    bodies.config["MAX_CONTENT_LENGTH"] = 100
    client = bodies.test_client()
    kind = {"/json": "application/json", "/form": "application/x-www-form-urlencoded"}.get(path, "text/plain")
    for size, status in ((100, 200), (101, 413)):
        body = {"/json": '"' + "x" * (size - 2) + '"', "/form": "a=" + "x" * (size - 2)}.get(path, "x" * size)
        assert client.post(path, data=body, content_type=kind).status_code == status


def test_max_content_length_without_a_length(bodies: App) -> None:
    """A chunked body, whose length nobody has said, ends there too."""
    bodies.config["MAX_CONTENT_LENGTH"] = 100
    for size, status in ((99, "200"), (100, "200"), (101, "413"), (100_000, "413")):
        environ = EnvironBuilder("/data", method="POST").get_environ()
        environ.pop("CONTENT_LENGTH", None)
        environ.update(
            {"wsgi.input": io.BytesIO(b"x" * size), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        )
        assert raw(bodies, environ)[0].startswith(status), size


def test_max_content_length_of_one_request(bodies: App) -> None:
    """A view may allow more, or less, for one request; the next one has the app's again."""
    bodies.config["MAX_CONTENT_LENGTH"] = 10
    bodies.before_request(lambda: setattr(request, "max_content_length", request.args.get("limit", type=int)))
    client = bodies.test_client()
    answers = [client.post(f"/data{limit}", data="x" * 20).status_code for limit in ("?limit=20", "", "?limit=19")]
    assert answers == [200, 413, 413]


def test_max_form_memory_size(bodies: App) -> None:
    """Fields that are no files are held in memory, so `MAX_FORM_MEMORY_SIZE` limits them; it has a default."""
    client = bodies.test_client()

    def post(size: int, name: str = "") -> int:
        head = f'--b\r\nContent-Disposition: form-data; name="a"{name}\r\n\r\n'
        body = head.encode() + b"x" * size + b"\r\n--b--\r\n"
        return client.post("/form", data=body, content_type="multipart/form-data; boundary=b").status_code

    assert [post(500_000), post(500_001)] == [200, 413]
    bodies.config["MAX_FORM_MEMORY_SIZE"] = 100_000
    assert [post(100_000), post(100_001)] == [200, 413]
    assert post(200_000, '; filename="a"') == 200, "files are not held in memory"
    bodies.config["MAX_FORM_MEMORY_SIZE"] = 1_000_000
    assert post(600_000) == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_max_form_memory_size_of_a_form_in_one_piece(bodies: App, chunked: bool) -> None:
    """A form that is urlencoded is read at once, so `MAX_FORM_MEMORY_SIZE` limits all of it, and no other bodies."""

    def post(size: int, kind: str, path: str) -> str:
        body = b"a=" + b"x" * (size - 2)
        environ = EnvironBuilder(path, method="POST", data=body, content_type=kind).get_environ()
        if chunked:
            environ.pop("CONTENT_LENGTH", None)
            environ.update({"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"})
        return raw(bodies, environ)[0][:3]

    form = "application/x-www-form-urlencoded"
    assert [post(500_000, form, "/form"), post(500_001, form, "/form")] == ["200", "413"]
    assert post(600_000, "text/plain", "/data") == "200"
    bodies.config["MAX_FORM_MEMORY_SIZE"] = None
    assert post(600_000, form, "/form") == "200"


def test_max_form_parts(bodies: App) -> None:
    """`MAX_FORM_PARTS` limits how many fields and files there are; it has a default."""
    client = bodies.test_client()

    def post(count: int) -> int:
        data = {f"f{number}": "x" for number in range(count)}
        return client.post("/form", data=data, content_type="multipart/form-data").status_code

    assert [post(1000), post(1001)] == [200, 413]
    bodies.config["MAX_FORM_PARTS"] = 3
    assert [post(3), post(4)] == [200, 413]
    bodies.config["MAX_FORM_PARTS"] = 2000
    assert post(1001) == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("", "application/json"),
        ("{", "application/json"),
        ("{'a': 1}", "application/json"),
        (b"\xff\xfe\xfd", "application/json"),
        ("x" * 1000, "application/json"),
        ("[" * 100_000, "application/json"),
    ],
)
def test_a_body_that_is_no_json(bodies: App, body: Any, kind: str) -> None:
    """It is 400, and in production the answer does not say what the parser thinks."""
    answer = bodies.test_client().post("/json", data=body, content_type=kind)
    assert answer.status_code == 400
    assert "line 1" not in answer.text
    assert "decode" not in answer.text


def test_a_body_that_is_of_another_kind(bodies: App) -> None:
    """What does not say that it is JSON is 415: forms of other sites can send text without being asked."""
    assert bodies.test_client().post("/json", data="[]", content_type="text/plain").status_code == 415


def test_a_missing_field(app: App, client: AppClient) -> None:
    """A field that is not in the form is 400; its name is shown in debug mode only."""
    app.add_url_rule("/", "view", lambda: request.form["field-name"], methods=["POST"])
    answer = client.post("/")
    assert (answer.status_code, "field-name" in answer.text) == (400, False)
    app.debug = True
    app.config["TRAP_BAD_REQUEST_ERRORS"] = False
    assert "field-name" in client.post("/").text


# ---------------------------------------------------------------------- the debugger


class Served:
    """Notes what Werkzeug's server is asked to do: whether there is a debugger and a reloader."""

    def __init__(self) -> None:
        self.calls: list[tuple[bool, bool]] = []

    def run_simple(self, host: str, port: int, application: Any, **options: Any) -> None:
        """Instead of serving."""
        has_debugger = isinstance(application, DebuggedApplication) or bool(options.get("use_debugger"))
        self.calls.append((has_debugger, options["use_reloader"]))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """What Werkzeug's server was asked to do."""
    served = Served()
    monkeypatch.setattr(werkzeug.serving, "run_simple", served.run_simple)
    return served


OPEN_HOSTS = [
    "0.0.0.0", "::", "0", "", "192.168.0.1", "10.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "example.com",
    "localhost.example.com", "127.0.0.1.example.com", "127.0.0.1@example.com", "2130706433", "0x7f000001",
    "unix:///tmp/socket", "*", "fe80::1%lo",
]  # fmt: skip


@pytest.mark.parametrize("host", OPEN_HOSTS)
def test_hosts_that_others_reach(host: str) -> None:
    """Whatever is not certainly this machine's own is not."""
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_hosts_that_only_this_machine_reaches(host: str) -> None:
    """Names and numbers of the machine itself."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", [host for host in OPEN_HOSTS if host])
def test_no_debugger_for_others(app: App, served: Served, host: str) -> None:
    """A debugger that others could reach is refused before anything is served, whoever has asked for it."""
    for options in ({"debug": True}, {"use_debugger": True}):
        with pytest.raises(ValueError, match="a debugger executes what anybody types"):
            app.run(host, **options)  # type: ignore[arg-type]
        app.debug = False
    app.debug = True
    with pytest.raises(ValueError, match="a debugger"):
        app.run(host)
    assert served.calls == []


def test_no_debugger_by_the_server_name(app: App, served: Served) -> None:
    """A host that comes from the configuration is looked at as well."""
    app.config.update(SERVER_NAME="example.com:5000", DEBUG=True)
    with pytest.raises(ValueError, match=r"example\.com"):
        app.run()
    assert served.calls == []


@pytest.mark.parametrize("host", [None, "127.0.0.1", "0.0.0.0", "example.com"])
def test_no_debugger_in_production(app: App, served: Served, host: str | None) -> None:
    """Without debug mode there is neither debugger nor reloader, wherever it listens."""
    app.run(host)
    assert served.calls == [(False, False)]


def test_debug_mode_for_others_without_a_debugger(app: App, served: Served) -> None:
    """Debug mode can be had elsewhere, without the debugger."""
    app.run("0.0.0.0", debug=True, use_debugger=False)
    assert served.calls == [(False, True)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_debugger_for_this_machine(app: App, served: Served, host: str) -> None:
    """In debug mode there is one on loopback: the tests before this one can fail."""
    app.run(host, debug=True)
    assert served.calls == [(True, True)]


@pytest.mark.parametrize("host", ["evil.com", "127.0.0.1.evil.com", "localhost.evil.com"])
def test_the_debugger_is_not_for_other_names(app: App, host: str) -> None:
    """A site whose name leads to this machine (DNS rebinding) gets no console."""
    client = Client(Debugger(app, "127.0.0.1", evalex=True))
    assert client.get("/console", headers={"Host": "127.0.0.1:5000"}).status_code == 200
    assert client.get("/console", headers={"Host": host}).status_code == 400


# ---------------------------------------------------------------------- redirects and headers


@pytest.mark.parametrize(
    "path", ["//evil.com", "//evil.com/x", "/\\evil.com", "/%2Fevil.com", "///evil.com", "/%5Cevil.com", "/\tevil.com"]
)
def test_open_redirect(app: App, path: str) -> None:
    """The redirect that adds a slash stays on this host, whatever the path looks like."""
    app.add_url_rule("/<path:rest>/", "view", lambda rest: rest)
    environ = EnvironBuilder("/").get_environ()
    environ["PATH_INFO"] = path
    environ["REQUEST_URI"] = path
    status, headers, _ = raw(app, environ)
    for name, value in headers:
        if name == "Location":
            assert value.startswith(("http://localhost/", "/")) and not value.startswith(("//", "/\\")), value
    assert status[:3] in ("308", "404")


@pytest.mark.parametrize("location", ["/x\r\nSet-Cookie: a=b", "/x\nX-Evil: 1", "http://a/\rX-Evil: 1", "/\x00"])
def test_newlines_in_a_redirect(app: App, client: AppClient, location: str) -> None:
    """A redirect to what a user has sent has one Location and nothing else."""
    app.add_url_rule("/", "view", lambda: redirect(request.args["to"]))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = client.get("/", query_string={"to": location})
    assert not {"Set-Cookie", "X-Evil"} & set(answer.headers.keys())
    assert not any(char in value for _, value in answer.headers for char in "\r\n\x00")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1"])
@pytest.mark.parametrize(
    "answer",
    [
        lambda value: ("x", {"X-Name": value}),
        lambda value: ("x", 200, [("X-Name", value)]),
        lambda value: Response("x", headers={"X-Name": value}),
        lambda value: _header(value),
    ],
)
def test_newlines_in_a_header(app: App, client: AppClient, answer: Callable[[str], Any], value: str) -> None:
    """A header cannot become two: such a value is an error."""
    app.add_url_rule("/", "view", lambda: answer(value))
    got = client.get("/")
    assert (got.status_code, "X-Evil" in got.headers, "X-Name" in got.headers) == (500, False, False)


def _header(value: str) -> Response:
    response = make_response("x")
    response.headers["X-Name"] = value
    return response


def test_newlines_in_a_cookie(app: App, client: AppClient) -> None:
    """A cookie's value is quoted."""

    @app.get("/")
    def view() -> Response:
        response = make_response("x")
        response.set_cookie("name", "a\r\nX-Evil: 1; Path=/evil")
        return response

    answer = client.get("/")
    [header] = answer.headers.getlist("Set-Cookie")
    assert "\n" not in header
    assert header.endswith("; Path=/")


# ---------------------------------------------------------------------- templates

EVIL = "<script>alert('x')</script>"


@pytest.mark.parametrize(
    ("name", "is_escaped"),
    [
        ("page.html", True), ("page.HTML", True), ("page.htm", True), ("page.xml", True), ("page.xhtml", True),
        ("image.svg", True), ("mail.txt", False), ("script.js", False), ("html", False),
    ],
)  # fmt: skip
def test_autoescape(app: App, template: Write, name: str, is_escaped: bool) -> None:
    """Values in templates of HTML and XML are escaped, in those of text not."""
    template(name, "{{ value }}")
    with app.app_context():
        assert (EVIL not in render_template(name, value=EVIL)) is is_escaped


def test_autoescape_of_a_string(app: App) -> None:
    """A template that is text is HTML."""
    with app.app_context():
        assert render_template_string("{{ v }}", v=EVIL) == "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"


def test_json_in_a_script(app: App) -> None:
    """`tojson` cannot end the script that it is in, or an attribute."""
    with app.app_context():
        made = render_template_string("<script>{{ v|tojson }}</script><a b='{{ v|tojson }}'>", v={"a": "</script>'&"})
    assert made.count("</script>") == 1
    assert made.count("'") == 2


# ---------------------------------------------------------------------- errors


def test_an_error_in_production(app: App, client: AppClient, caplog: pytest.LogCaptureFixture) -> None:
    """The answer has nothing of the error, and the log has it once, with the traceback."""

    @app.get("/x/<name>")
    def view(name: str) -> str:
        password = "hunter2"
        raise RuntimeError(f"cannot connect with {password}")

    caplog.set_level(logging.DEBUG)
    answer = client.get("/x/ada")
    assert answer.status_code == 500
    assert not any(word in answer.text for word in ("hunter2", "RuntimeError", "Traceback", "ada", ".py"))
    records = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [(record.name, record.getMessage()) for record in records] == [
        ("tests.unit.web", "Exception on /x/ada [GET]")
    ]
    assert "hunter2" in caplog.text


def test_http_errors_are_not_logged(app: App, client: AppClient, caplog: pytest.LogCaptureFixture) -> None:
    """What a client has done wrong is nothing that has gone wrong here."""
    caplog.set_level(logging.DEBUG)
    app.add_url_rule("/", "view", lambda: abort(403))
    assert [client.get(path).status_code for path in ("/", "/missing")] == [403, 404]
    assert caplog.records == []


def test_a_path_in_an_error_is_escaped(app: App, client: AppClient) -> None:
    """What a user has sent stands in no page of ours as it is."""
    app.add_url_rule("/abort", "view", lambda: abort(400, EVIL))
    for path in (f"/{EVIL}", f"/missing?{EVIL}", "/abort"):
        assert EVIL not in client.get(path).text


def test_a_target_in_a_redirect_is_escaped(app: App, client: AppClient) -> None:
    """The page of a redirect shows its target as text."""
    app.add_url_rule("/", "view", lambda: redirect("/'\"><script>alert(1)</script>"))
    assert "<script>alert" not in client.get("/").text


def test_secrets_are_not_shown(app: App) -> None:
    """Neither the configuration nor the app has the key in its `repr`, which gets into logs and tracebacks."""
    assert KEY not in repr(app.config) + repr(app) + repr(app.app_context()) + str(app.config)


def test_a_log_line_is_one_line(app: App, client: AppClient, caplog: pytest.LogCaptureFixture) -> None:
    """A newline in a path does not make a line of its own in the log, which would look like the app's."""

    @app.before_request
    def fail() -> None:
        raise ZeroDivisionError

    client.get("/x%0aERROR%20all%20is%20lost%1b[2J")
    [record] = caplog.records
    assert record.getMessage() == "Exception on /x%0AERROR%20all%20is%20lost%1B%5B2J [GET]"
