"""``module:application`` and ``module:function`` on the command line: found and imported; a factory is called."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .problem import Problem

__all__ = ["Target", "WSGICallable", "load", "load_function"]

WSGICallable = Callable[..., Any]
DEFAULT_NAMES = ("app", "application", "create_app()", "make_app()")
_TARGET = re.compile(r"(?P<module>[\w.]+)(?::(?P<name>[\w.]+)(?P<call>\(\))?)?")


@dataclass(frozen=True)
class Target:
    """An application that was found.

    :param spec: how to name it to any server: "module:name".
    :param module: where it was found.
    :param app: the WSGI callable.
    """

    spec: str
    module: ModuleType
    app: WSGICallable


def load(spec: str) -> Target:
    """Import an application. The working directory is put on `sys.path` first, as ``python -m`` does.

    :param spec: "module", "module:name", or "module:name()" for a function that makes it.
    :raises Problem: if there is no such module or name, if the module fails, or if the application cannot be called.
    """
    match = _TARGET.fullmatch(spec)
    if match is None:
        raise Problem(f"{spec!r} is not of the form module:name", "for example: syncio run mysite:app")
    module = _import(match["module"])
    names = [match["name"] + (match["call"] or "")] if match["name"] else list(DEFAULT_NAMES)
    for name in names:
        found = _look_up(module, name.removesuffix("()"))
        if found is not _NOTHING:
            return _target(module, name, found)
    raise _no_such_name(module, names)


def load_function(spec: str) -> Callable[[Any], Any]:
    """Import a function that takes one value. The working directory is put on `sys.path` first.

    :param spec: "module:function".
    :raises Problem: if there is no such module or name, if the module fails, or if it cannot be called like that.
    """
    match = _TARGET.fullmatch(spec)
    if match is None or not match["name"] or match["call"]:
        raise Problem(f"{spec!r} is not of the form module:function", "for example: syncio slave work:resize")
    module = _import(match["module"])
    found = _look_up(module, match["name"])
    if found is _NOTHING:
        raise _no_such_name(module, [match["name"]])
    if not callable(found):
        raise Problem(f"{spec} is a {type(found).__name__}, and cannot be called")
    if inspect.iscoroutinefunction(found):
        raise Problem(f"{spec} is a coroutine function", "a plain function is called, on a thread where it may block")
    if not _takes(found, 1):
        raise Problem(f"{spec} cannot be called with one argument, which is a task's data")
    function: Callable[[Any], Any] = found
    return function


_NOTHING: Any = object()


def _import(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is not None and (name == exc.name or name.startswith(exc.name + ".")):
            raise Problem(f"there is no module {exc.name!r}", f"looked in {here} and on sys.path") from exc
        raise _failed(f"importing {name!r} failed", exc) from exc
    except Exception as exc:
        raise _failed(f"importing {name!r} failed", exc) from exc


def _look_up(module: ModuleType, path: str) -> Any:
    found: Any = module
    for part in path.split("."):
        found = getattr(found, part, _NOTHING)
        if found is _NOTHING:
            break
    return found


def _target(module: ModuleType, name: str, found: Any) -> Target:
    spec = f"{module.__name__}:{name}"
    if name.endswith("()"):
        found = _make(spec, found)
    if not callable(found):
        hint = ""
        if hasattr(found, "handle_request"):
            hint = f"it is a server; wrap it: app = syncio.WSGIApp({name.removesuffix('()')})"
        raise Problem(f"{spec} is a {type(found).__name__}, and cannot be called as a WSGI application", hint)
    if inspect.isfunction(found) and not _takes(found, 2):
        raise Problem(f"{spec} takes no arguments, so it is no WSGI application", f"a factory is named {spec}()")
    return Target(spec, module, found)


def _make(spec: str, factory: Any) -> Any:
    if not callable(factory):
        raise Problem(f"{spec.removesuffix('()')} is a {type(factory).__name__}, and cannot be called")
    try:
        return factory()
    except Exception as exc:
        raise _failed(f"{spec} failed", exc) from exc


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # a built-in one that does not say
        return True
    return True


def _no_such_name(module: ModuleType, names: list[str]) -> Problem:
    present = [name for name in vars(module) if not name.startswith("_")]
    if len(names) > 1:
        message = f"{module.__name__} has none of {', '.join(names)}"
        near = [name for name in present if "app" in name.lower() and callable(vars(module)[name])]
    else:
        message = f"{module.__name__} has no {names[0].removesuffix('()')!r}"
        near = difflib.get_close_matches(names[0], present, n=3, cutoff=0.5)
        near += [name for name in ("app", "application") if name in present and name not in near]
    hint = f"did you mean {' or '.join(f'{module.__name__}:{name}' for name in near[:5])}?" if near else ""
    return Problem(message, hint)


def _failed(message: str, exc: Exception) -> Problem:
    """The traceback without our own frames and those of the import machinery: what is left is the user's."""
    frames = traceback.TracebackException.from_exception(exc)
    frames.stack = traceback.StackSummary.from_list(
        [frame for frame in frames.stack if frame.filename != __file__ and "importlib" not in frame.filename]
    )
    return Problem(message, "".join(frames.format(chain=True)).rstrip())
