"""Finds the Engine.IO servers in an application that somebody else has put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..engineio import Server, WSGIApp
from .target import Target

__all__ = ["Mount", "find_engines"]

WRAPPED = ("wsgi_app", "app", "application", "engineio_app", "eio", "server", "socketio", "__self__", "__wrapped__")
"""Attributes in which middleware, frameworks and bound methods keep what is inside of them."""
MOST_LAYERS = 16


@dataclass(frozen=True)
class Mount:
    """A server that was found.

    :param server: the server.
    :param path: where its `WSGIApp` has it; None if no `WSGIApp` was found around it.
    :param where: the way to it, for people.
    """

    server: Server
    path: str | None
    where: str


def find_engines(target: Target) -> list[Mount]:
    """Every server in an application, those that it is known to serve first.

    Looks into the application, what it wraps, and the names of its module.

    :param target: the application.
    """
    mounts: dict[int, Mount] = {}
    for mount in (*_inside(target.app, target.spec), *_among_names(target)):
        known = mounts.get(id(mount.server))
        if known is None or known.path is None:
            mounts[id(mount.server)] = mount
    return sorted(mounts.values(), key=lambda mount: mount.path is None)


def _inside(app: Any, where: str) -> Iterator[Mount]:
    """What is in an application, layer by layer."""
    seen: set[int] = set()
    layer: list[tuple[Any, str, str | None]] = [(app, where, None)]
    for _ in range(MOST_LAYERS):
        following = []
        for thing, name, path in layer:
            if id(thing) in seen or thing is None:
                continue
            seen.add(id(thing))
            if isinstance(thing, Server):
                yield Mount(thing, path, name)
                continue
            for key, value in _wrapped(thing):
                following.append((value, f"{name}.{key}", _path_of(thing, key, path)))
        layer = following


def _path_of(outer: Any, key: str, path: str | None) -> str | None:
    if isinstance(outer, WSGIApp):
        return outer.engineio_path if key == "engineio_app" else None
    return path


def _wrapped(thing: Any) -> Iterable[tuple[str, Any]]:
    # Not getattr for everything: proxies and lazy settings do things when they are asked.
    own = getattr(thing, "__dict__", None)
    own = own if isinstance(own, dict) else {}
    for key in WRAPPED:
        if key in own:
            yield key, own[key]
        elif key == "__self__" and type(thing).__name__ == "method":
            yield key, thing.__self__


def _among_names(target: Target) -> Iterator[Mount]:
    spec = target.module.__name__
    for name, value in list(vars(target.module).items()):
        if isinstance(value, Server):
            yield Mount(value, None, f"{spec}:{name}")
        elif isinstance(value, WSGIApp):
            yield from _inside(value, f"{spec}:{name}")
