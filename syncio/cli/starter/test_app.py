"""The app without a network: its pages and its events."""

import pytest
from app import app

from syncio import ConnectionError
from syncio.testing.web import WebClient


@pytest.fixture(autouse=True)
def key():
    """Sessions need a key, also where there is no secret.json."""
    app.config.update(TESTING=True, SECRET_KEY="only for tests")


def test_the_page_asks_who_it_is():
    """Without a name there is a login, and with one the page."""
    client = WebClient(app)
    assert client.get("/", follow_redirects=True).request.path == "/login"
    assert "Say who you are." in client.post("/login", data={"name": " "}).text
    page = client.post("/login", data={"name": "<Ada>"}, follow_redirects=True)
    assert page.request.path == "/"
    assert "&lt;Ada&gt;" in page.text
    assert client.post("/logout", follow_redirects=True).request.path == "/login"


def test_everybody_hears_it():
    """What one says comes to all, with the name of the login."""
    ada, ben = WebClient(app), WebClient(app)
    ada.post("/login", data={"name": "Ada"})
    ben.post("/login", data={"name": "Ben"})
    first, second = ada.connect(), ben.connect()
    try:
        first.send("hello")
        assert first.receive() == second.receive() == {"from": "Ada", "text": "hello"}
    finally:
        first.disconnect()
        second.disconnect()


def test_strangers_hear_nothing():
    """Who has not logged in cannot connect."""
    with pytest.raises(ConnectionError, match="log in first"):
        WebClient(app).connect()
