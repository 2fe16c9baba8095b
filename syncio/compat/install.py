"""An ``engineio`` that is made of syncio's modules, for Flask-SocketIO and whatever else imports that name."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

from .. import errors
from ..engineio import WSGIApp
from ..engineio.packet import PacketType
from ..errors import LocalError
from .engine import EngineClient, EngineServer, EngineSocket
from .packet import Packet, Payload

__all__ = ["install", "make_module"]

NAME = "engineio"


class Middleware(WSGIApp):
    """What `engineio.WSGIApp` was called once.

    :param engineio_app: the server.
    :param wsgi_app: what answers all other requests; None for 404.
    :param engineio_path: where the engine is.
    """

    def __init__(self, engineio_app: Any, wsgi_app: Any = None, engineio_path: str = "engine.io") -> None:
        super().__init__(engineio_app, wsgi_app, engineio_path=engineio_path)


_EXCEPTIONS: dict[str, Any] = {
    "EngineIOError": errors.SyncioError,
    "ContentTooLongError": errors.RemoteProtocolError,
    "UnknownPacketError": errors.RemoteProtocolError,
    "QueueEmpty": errors.LocalError,
    "SocketIsClosedError": errors.StreamError,
    "ConnectionError": errors.ConnectionError,
}
_MODULES: dict[str, dict[str, Any]] = {
    NAME: {"Server": EngineServer, "Client": EngineClient, "WSGIApp": WSGIApp, "Middleware": Middleware},
    f"{NAME}.server": {"Server": EngineServer},
    f"{NAME}.client": {"Client": EngineClient},
    f"{NAME}.socket": {"Socket": EngineSocket},
    f"{NAME}.packet": {
        "Packet": Packet,
        "binary_types": (bytes, bytearray),
        "packet_names": [each.name for each in PacketType],
        **{each.name: int(each) for each in PacketType},
    },
    f"{NAME}.payload": {"Payload": Payload},
    f"{NAME}.exceptions": _EXCEPTIONS,
    f"{NAME}.json": {name: getattr(json, name) for name in json.__all__},
    f"{NAME}.middleware": {"WSGIApp": WSGIApp, "Middleware": Middleware},
}


def make_module(name: str) -> ModuleType:
    """A module with our objects under names of python-engineio.

    :param name: 'engineio', or one of its modules.
    """
    module = ModuleType(name, f"{name} on syncio")
    module.__dict__.update(_MODULES[name])
    module.__dict__["__all__"] = sorted(_MODULES[name])
    if name == NAME:
        module.__path__ = []  # a package, whose other modules are found if python-engineio is installed
    return module


def install() -> None:
    """Make ``import engineio`` mean syncio in this process. Calling it again does nothing.

    What syncio has no counterpart for (asyncio) comes from python-engineio, if that is installed.

    :raises LocalError: if python-engineio was imported before, by whoever uses it.
    """
    if getattr(sys.modules.get(NAME), "Server", None) is EngineServer:
        return
    early = [name for name in ("socketio", NAME) if name in sys.modules]
    if early:
        raise LocalError(
            f"{early[0]} is imported already and has taken python-engineio's classes: call syncio.compat.install() "
            "first, before socketio and flask_socketio are imported"
        )
    spec = importlib.util.find_spec(NAME)
    made = {name: make_module(name) for name in _MODULES}
    package = made[NAME]
    for name, module in made.items():
        if name != NAME:
            setattr(package, name.rpartition(".")[2], module)
    if spec is not None and spec.submodule_search_locations is not None:
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        package.__dict__["__getattr__"] = _of_theirs
    sys.modules.update(made)


_THEIRS = {
    "AsyncServer": "async_server",
    "AsyncClient": "async_client",
    "ASGIApp": "async_drivers.asgi",
    "get_tornado_handler": "async_drivers.tornado",
}
"""Where python-engineio keeps what there is only for asyncio."""


def _of_theirs(name: str) -> Any:
    if name not in _THEIRS:
        raise AttributeError(f"module 'engineio' (on syncio) has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{NAME}.{_THEIRS[name]}"), name)
    except ImportError:
        if name == "get_tornado_handler":
            return None
        raise
