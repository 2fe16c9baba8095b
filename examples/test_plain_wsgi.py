"""How an application is tested.

pip install pytest 'syncio[client]'
pytest examples/test_plain_wsgi.py
"""

from collections.abc import Callable

from plain_wsgi import app, server

from syncio.testing import Clock, TestClient


def test_everybody_hears_it(syncio_client: Callable[..., TestClient]) -> None:
    """What one client says comes to all, over whatever transport they have."""
    ada, ben = syncio_client(app), syncio_client(app, transports="polling")
    ada.send("hello")
    assert ben.receive() == "hello"


def test_who_vanishes_is_forgotten(syncio_client: Callable[..., TestClient]) -> None:
    """A client that answers no ping is gone after a while, which need not be waited for."""
    ben = syncio_client(app)
    ben.vanish()
    Clock(server).advance(60)
    assert not server.sockets
