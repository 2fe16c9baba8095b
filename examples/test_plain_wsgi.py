"""How an application is tested.

pip install pytest 'syncio[client]'
pytest examples/test_plain_wsgi.py
"""

from collections.abc import Callable

from plain_wsgi import app

from syncio.testing import TestClient


def test_everybody_hears_it(syncio_client: Callable[..., TestClient]) -> None:
    """What one client says comes to all, over whatever transport they have."""
    ada, ben = syncio_client(app), syncio_client(app, transports="polling")
    ada.send("hello")
    assert ben.receive() == "hello"
