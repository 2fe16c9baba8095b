"""A client for tests of an app of `syncio.web`: its pages and its realtime events, with one set of cookies."""

from __future__ import annotations

from typing import Any

from ..web import App
from ..web.testing import AppClient
from .client import TestClient

__all__ = ["WebClient"]


class WebClient(AppClient):
    """A browser, as far as tests need one: what it logs in to by HTTP its connections are logged in to.

    :param app: the app.
    :param options: those of `werkzeug.test.Client`.
    """

    __test__ = False  # for pytest: this is no test

    def __init__(self, app: App, **options: Any) -> None:
        super().__init__(app, app.response_class, **options)

    def connect(self, transports: str | None = None, **options: Any) -> TestClient:
        """Open a connection for events, with the cookies of now.

        :param transports: 'polling', 'websocket', or None for what is possible.
        :param options: those of `syncio.Client`.
        :return: a client with `send`, `receive` and `disconnect`.
        :raises ConnectionError: if the app refuses it.
        """
        environ = self.application.test_request_context().request.environ
        headers = {}
        if self._cookies is not None:
            self._add_cookies_to_wsgi(environ)
            headers = {"Cookie": environ["HTTP_COOKIE"]} if environ.get("HTTP_COOKIE") else {}
        client = TestClient(self.application, **options)
        path = self.application.config["REALTIME_PATH"]
        client.connect(headers=headers, transports=transports, engineio_path=path)
        return client
