"""Views as classes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, ClassVar

from .context import request

__all__ = ["MethodView", "View"]

METHODS = frozenset(("get", "post", "head", "options", "delete", "put", "trace", "patch"))


class View:
    """A view with a class: a new object for each request, unless `init_every_request` is False."""

    methods: ClassVar[Collection[str] | None] = None
    """The methods that its rules allow, unless they say so themselves."""
    provide_automatic_options: ClassVar[bool | None] = None
    decorators: ClassVar[list[Callable[..., Any]]] = []
    """Put around the view, the last one outermost."""
    init_every_request: ClassVar[bool] = True

    def dispatch_request(self, **values: Any) -> Any:
        """Answer a request. To be overridden."""
        raise NotImplementedError

    @classmethod
    def as_view(cls, name: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """The function that is registered.

        :param name: of the view.
        :param args: those of the class.
        """
        if cls.init_every_request:

            def view(**values: Any) -> Any:
                return view.view_class(*args, **kwargs).dispatch_request(**values)  # type: ignore[attr-defined]

        else:
            instance = cls(*args, **kwargs)

            def view(**values: Any) -> Any:
                return instance.dispatch_request(**values)

        made: Any = view
        made.__name__ = name
        made.__module__ = cls.__module__
        made.__doc__ = cls.__doc__
        for decorator in cls.decorators:
            made = decorator(made)
            made.__name__ = name
        made.view_class = view.view_class = cls  # type: ignore[attr-defined]
        made.methods = cls.methods
        made.provide_automatic_options = cls.provide_automatic_options
        return made  # type: ignore[no-any-return]


class MethodView(View):
    """A view with a function for each method: `get`, `post`, ... HEAD is answered by `get`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "methods" not in cls.__dict__:
            methods: set[str] = set()
            for base in cls.__bases__:
                methods.update(getattr(base, "methods", None) or ())
            methods.update(name.upper() for name in METHODS if hasattr(cls, name))
            if methods:
                cls.methods = methods

    def dispatch_request(self, **values: Any) -> Any:
        """Call the function of the method."""
        handler = getattr(self, request.method.lower(), None)
        if handler is None and request.method == "HEAD":
            handler = getattr(self, "get", None)
        assert handler is not None, f"there is no {request.method} in {type(self).__name__}"
        return handler(**values)
