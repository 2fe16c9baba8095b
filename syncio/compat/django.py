"""What a Django project wants to know in a connect handler: who it is that connects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.wsgi import WSGIRequest

__all__ = ["make_request"]


def make_request(environ: Mapping[str, Any]) -> Any:
    """Django's request of a connection: with ``session`` and ``user``, as a view would have them.

    Both are looked up when they are first used. In a thread of your own, or in any handler but connect, close what
    that opens with ``django.db.close_old_connections()``.

    :param environ: what the connect handler got.
    :return: a `django.http.HttpRequest`.
    """
    request = WSGIRequest(dict(environ))
    SessionMiddleware(_answer).process_request(request)
    AuthenticationMiddleware(_answer).process_request(request)
    return request


def _answer(request: Any) -> Any:
    raise AssertionError("these middlewares are asked for their half before the view only")
