"""The client for tests of pages, and contexts that nobody has asked for."""

from __future__ import annotations

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request as WerkzeugRequest

from syncio.web import App, flash, g, get_flashed_messages, has_request_context, redirect, request, session
from syncio.web.testing import AppClient, AppEnvironBuilder, environ_builder


@pytest.fixture(autouse=True)
def views(app: App) -> None:
    """Some views."""
    app.add_url_rule("/", "url", lambda: request.url)
    app.add_url_rule("/to", "to", lambda: redirect("/"))
    app.add_url_rule("/set/<name>", "set", lambda name: session.update(name=name) or "set")
    app.add_url_rule("/show", "show", lambda: {**session})
    app.add_url_rule("/json", "json", lambda: request.get_json(), methods=["POST"])


@pytest.mark.parametrize(
    ("config", "args", "options", "url"),
    [
        ({}, ["/"], {}, "http://localhost/"),
        ({}, ["/?a=b"], {}, "http://localhost/?a=b"),
        ({}, ["/"], {"query_string": {"a": "ä"}}, "http://localhost/?a=ä"),
        ({}, ["https://example.com:8000/?a=b"], {}, "https://example.com:8000/?a=b"),
        ({}, ["/"], {"base_url": "https://a.com"}, "https://a.com/"),
        ({}, ["/"], {"subdomain": "a", "url_scheme": "https"}, "https://a.localhost/"),
        ({"SERVER_NAME": "a.com:80", "PREFERRED_URL_SCHEME": "https"}, ["/"], {}, "https://a.com:80/"),
        ({"APPLICATION_ROOT": "/below"}, ["/"], {}, "http://localhost/below/"),
    ],
)
def test_urls(app: App, config: object, args: list[str], options: dict[str, object], url: str) -> None:
    """A request goes where the configuration says, or the call; the context of a test likewise."""
    app.config.update(config)  # type: ignore[call-overload]
    assert app.test_client().get(*args, **options).text == url
    with app.test_request_context(*args, **options):
        assert request.url == url


def test_a_base_and_its_parts(app: App) -> None:
    """A base has a host and a scheme already."""
    with pytest.raises(ValueError, match="base_url"):
        app.test_request_context("/", base_url="http://a.com", subdomain="b")


def test_what_can_be_opened(app: App, client: AppClient) -> None:
    """A path, a builder, an environment, a request."""
    builder = EnvironBuilder("/")
    assert isinstance(environ_builder(app), AppEnvironBuilder)
    for thing in ("/", builder, builder.get_environ(), WerkzeugRequest(builder.get_environ()), environ_builder(app)):
        assert client.open(thing).text == "http://localhost/"


def test_json(client: AppClient) -> None:
    """`json=` sends JSON, and a response has its own."""
    assert client.post("/json", json={"a": [1]}).json == {"a": [1]}


def test_what_each_request_has(app: App, client: AppClient) -> None:
    """An address and a name, which can be changed for one request and for all."""
    app.add_url_rule("/who", "who", lambda: [request.remote_addr, request.user_agent.string.partition("/")[0]])
    assert client.get("/who").json == ["127.0.0.1", "Werkzeug"]
    assert client.get("/who", environ_base={"REMOTE_ADDR": "1.2.3.4"}).json == ["1.2.3.4", "Werkzeug"]
    client.environ_base["HTTP_USER_AGENT"] = "own"
    assert client.get("/who").json == ["127.0.0.1", "own"]


def test_redirects(client: AppClient) -> None:
    """They are followed when that is asked, and known then."""
    assert client.get("/to").status_code == 302
    answer = client.get("/to", follow_redirects=True)
    assert (answer.text, [step.status_code for step in answer.history]) == ("http://localhost/", [302])


def test_cookies(app: App, client: AppClient) -> None:
    """Each client has its own, or none if that is asked."""
    client.get("/set/ada")
    assert (client.get("/show").json, app.test_client().get("/show").json) == ({"name": "ada"}, {})
    without = app.test_client(use_cookies=False)
    without.get("/set/ada")
    assert without.get("/show").json == {}
    with pytest.raises(TypeError, match="use_cookies=True"), without.session_transaction():
        pass


def test_session_transaction(client: AppClient) -> None:
    """The session can be read and changed between requests; an error in it changes nothing."""
    with client.session_transaction() as opened:
        opened["name"] = "ada"
    client.get("/set/ben")
    with client.session_transaction() as opened:
        assert opened["name"] == "ben"
        opened["name"] = "eve"
    with pytest.raises(ZeroDivisionError), client.session_transaction() as opened:
        opened["name"] = "lost"
        raise ZeroDivisionError
    assert client.get("/show").json == {"name": "eve"}
    with client.session_transaction() as opened:
        opened.clear()
    assert client.get("/show").json == {}
    assert not has_request_context()


def test_session_transaction_without_a_key(app: App, client: AppClient) -> None:
    """Without a key there is nothing to open, and the error says so."""
    app.secret_key = None
    with pytest.raises(RuntimeError, match="secret_key"), client.session_transaction():
        pass


def test_a_look_at_the_last_request(app: App) -> None:
    """In `with client:` its context is current: request, session, `g`, also behind redirects, and gone at the end."""
    app.before_request(lambda: setattr(g, "path", request.path))
    app.add_url_rule("/flash", "flash", lambda: flash("words") or "x")
    with app.test_client() as client:
        client.get("/set/ada")
        assert (request.path, g.path, session["name"]) == ("/set/ada", "/set/ada", "ada")
        client.get("/to", follow_redirects=True)
        assert (request.path, g.path) == ("/", "/")
        client.get("/flash")
        assert get_flashed_messages() == ["words"]
        client.get("/missing")
        assert request.endpoint is None
    assert not has_request_context()
    client.get("/")
    assert not has_request_context()


def test_a_look_inside_of_a_look(app: App, client: AppClient) -> None:
    """One client is entered once; several can be inside of each other."""
    with client:
        with pytest.raises(RuntimeError, match="inside of a `with` already"):
            client.__enter__()
        client.get("/set/ada")
        with app.test_client() as other:
            other.get("/show")
            assert request.path == "/show"
        assert request.path == "/set/ada"
    assert not has_request_context()


def test_a_look_at_an_error(app: App) -> None:
    """The context is there also behind an error that went through."""
    app.testing = True
    app.add_url_rule("/error", "error", lambda: 1 / 0)
    with app.test_client() as client:
        with pytest.raises(ZeroDivisionError):
            client.get("/error")
        assert request.path == "/error"
    assert not has_request_context()


def test_a_client_class_of_ones_own(app: App) -> None:
    """An app can have another class of clients, with arguments of its own."""

    class Own(AppClient):
        """Comes with a user."""

        def __init__(self, *args: object, user: str, **options: object) -> None:
            super().__init__(*args, **options)
            with self.session_transaction() as opened:
                opened["name"] = user

    app.test_client_class = Own
    assert app.test_client(user="ada").get("/show").json == {"name": "ada"}
