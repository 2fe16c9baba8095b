"""An app's configuration: a dict with defaults, and where its values can come from."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import IO, Any

__all__ = ["DEFAULTS", "Config", "ConfigAttribute"]

DEFAULTS: dict[str, Any] = {
    "DEBUG": None,
    "TESTING": False,
    "PROPAGATE_EXCEPTIONS": None,
    "SECRET_KEY": None,
    "SECRET_KEY_FALLBACKS": None,
    "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
    "TRUSTED_HOSTS": None,
    "SERVER_NAME": None,
    "APPLICATION_ROOT": "/",
    "SESSION_COOKIE_NAME": "session",
    "SESSION_COOKIE_DOMAIN": None,
    "SESSION_COOKIE_PATH": None,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SECURE": False,
    "SESSION_COOKIE_PARTITIONED": False,
    "SESSION_COOKIE_SAMESITE": "Lax",
    "SESSION_REFRESH_EACH_REQUEST": True,
    "MAX_CONTENT_LENGTH": None,
    "MAX_FORM_MEMORY_SIZE": 500_000,
    "MAX_FORM_PARTS": 1_000,
    "SEND_FILE_MAX_AGE_DEFAULT": None,
    "TRAP_BAD_REQUEST_ERRORS": None,
    "TRAP_HTTP_EXCEPTIONS": False,
    "PREFERRED_URL_SCHEME": "http",
    "TEMPLATES_AUTO_RELOAD": None,
    "MAX_COOKIE_SIZE": 4093,
    "PROVIDE_AUTOMATIC_OPTIONS": True,
    "REALTIME_PATH": "engine.io",
    "REALTIME_OPTIONS": {},
}


class ConfigAttribute:
    """An attribute of an app that is a value of its configuration.

    :param name: of the value.
    :param convert: what is done with it when it is read.
    """

    def __init__(self, name: str, convert: Callable[[Any], Any] | None = None) -> None:
        self._name = name
        self._convert = convert

    def __get__(self, app: Any, owner: type | None = None) -> Any:
        if app is None:
            return self
        value = app.config[self._name]
        return value if self._convert is None else self._convert(value)

    def __set__(self, app: Any, value: Any) -> None:
        app.config[self._name] = value


class Config(dict[str, Any]):
    """Values by names in capitals.

    :param root: where relative names of files start.
    :param defaults: what it begins with.
    """

    def __init__(self, root: str | os.PathLike[str], defaults: Mapping[str, Any] | None = None) -> None:
        super().__init__(deepcopy(dict(defaults or {})))  # nothing in it is another app's
        self._root = Path(root)

    def __repr__(self) -> str:
        return f"<Config of {len(self)} values>"  # some are secret

    def from_mapping(self, mapping: Mapping[str, Any] | None = None, **values: Any) -> bool:
        """Take what is named in capitals out of a mapping, and of names."""
        for name, value in {**(mapping or {}), **values}.items():
            if name.isupper():
                self[name] = value
        return True

    def from_object(self, source: object) -> None:
        """Take the attributes in capitals of a module, class or object, or of one that is named: 'module.Class'."""
        if isinstance(source, str):
            source = _find(source)
        for name in dir(source):
            if name.isupper():
                self[name] = getattr(source, name)

    def from_file(
        self, name: str | os.PathLike[str], load: Callable[[IO[Any]], Mapping[str, Any]], silent: bool = False,
        text: bool = True,
    ) -> bool:  # fmt: skip
        """Take values from a file.

        :param load: reads it: `json.load`, or `tomllib.load` with `text=False`.
        :param silent: whether it may be missing.
        :return: whether it was there.
        :raises OSError: if it cannot be read.
        """
        try:
            with open(self._root / name, "r" if text else "rb") as file:
                values = load(file)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            if silent:
                return False
            raise
        return self.from_mapping(values)

    def from_pyfile(self, name: str | os.PathLike[str], silent: bool = False) -> bool:
        """Take what is named in capitals out of a file of Python, which is executed.

        :param silent: whether it may be missing.
        :return: whether it was there.
        :raises OSError: if it cannot be read.
        """
        return self.from_file(name, _executed, silent, text=False)

    def from_envvar(self, variable: str, silent: bool = False) -> bool:
        """Do `from_pyfile` with the file that a variable of the environment names.

        :param silent: whether the variable, or the file, may be missing.
        :raises RuntimeError: if the variable is.
        """
        name = os.environ.get(variable)
        if name:
            return self.from_pyfile(name, silent)
        if silent:
            return False
        raise RuntimeError(f"the variable {variable!r} is not set: it would name the file of the configuration")

    def from_prefixed_env(self, prefix: str = "SYNCIO", loads: Callable[[str], Any] = json.loads) -> bool:
        """Take values from variables of the environment: ``SYNCIO_SECRET_KEY``, ``SYNCIO_DATABASE__HOST``.

        :param prefix: what their names begin with.
        :param loads: makes values of text; what it cannot read stays text.
        """
        for name in sorted(os.environ):
            if not name.startswith(f"{prefix}_"):
                continue
            value: Any = os.environ[name]
            with contextlib.suppress(ValueError):
                value = loads(value)
            *path, last = name.removeprefix(f"{prefix}_").split("__")
            place: dict[str, Any] = self
            for step in path:
                place = place.setdefault(step, {})
            place[last] = value
        return True

    def get_namespace(self, prefix: str, lowercase: bool = True, trim_namespace: bool = True) -> dict[str, Any]:
        """The values whose names begin with a prefix.

        :param lowercase: whether the names become small.
        :param trim_namespace: whether they lose the prefix.
        """
        found = {}
        for name, value in self.items():
            if name.startswith(prefix):
                key = name.removeprefix(prefix) if trim_namespace else name
                found[key.lower() if lowercase else key] = value
        return found


def _executed(file: IO[bytes]) -> dict[str, Any]:
    """The names of a file of Python."""
    names = {"__name__": "config", "__file__": file.name}
    exec(compile(file.read(), file.name, "exec"), names)
    return names


def _find(name: str) -> object:
    path = name
    rest: list[str] = []
    while True:
        try:
            found: object = import_module(path)
            break
        except ImportError:
            path, _, last = path.rpartition(".")
            rest.insert(0, last)
            if not path:
                raise
    for attribute in rest:
        found = getattr(found, attribute)
    return found
