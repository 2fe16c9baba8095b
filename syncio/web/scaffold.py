"""What apps and blueprints have in common: views under rules, functions around requests, handlers of errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from werkzeug.exceptions import HTTPException, default_exceptions

from .folders import Folders

__all__ = ["Scaffold", "error_key"]

F = TypeVar("F", bound=Callable[..., Any])


def error_key(error: type[BaseException] | int) -> tuple[type[BaseException], int | None]:
    """What a handler of errors is filed under: a class, and the code if it is HTTP's.

    :raises ValueError: for a number that is no code of an error.
    :raises TypeError: for what is no class of exceptions.
    """
    if isinstance(error, int):
        try:
            kind: type[BaseException] = default_exceptions[error]
        except KeyError:
            words = (
                f"{error} is not a recognized HTTP error code. Use a subclass of HTTPException with that code instead."
            )
            raise ValueError(words) from None
        return kind, error
    if isinstance(error, BaseException):
        raise TypeError(f"{error!r} is an instance, not a class. A handler is for a class or a code")
    if not (isinstance(error, type) and issubclass(error, BaseException)):
        raise ValueError(
            f"{getattr(error, '__name__', error)!r} is not a subclass of Exception. A handler is for a class or a code"
        )
    return error, error.code if issubclass(error, HTTPException) else None


class Scaffold(Folders):
    """Registers.

    :param import_name: the module, usually `__name__`.
    :param folders: see `Folders`.
    """

    def __init__(self, import_name: str, **folders: Any) -> None:
        super().__init__(import_name, **folders)
        self.view_functions: dict[str, Callable[..., Any]] = {}
        self.error_handlers: dict[str | None, dict[int | None, dict[type[BaseException], Callable[..., Any]]]] = (
            defaultdict(lambda: defaultdict(dict))
        )
        self.before_request_funcs: dict[str | None, list[Callable[..., Any]]] = defaultdict(list)
        self.after_request_funcs: dict[str | None, list[Callable[..., Any]]] = defaultdict(list)
        self.teardown_request_funcs: dict[str | None, list[Callable[..., Any]]] = defaultdict(list)
        self.template_context_processors: dict[str | None, list[Callable[[], dict[str, Any]]]] = defaultdict(list)
        self.url_value_preprocessors: dict[str | None, list[Callable[..., Any]]] = defaultdict(list)
        self.url_default_functions: dict[str | None, list[Callable[..., Any]]] = defaultdict(list)

    def _check_setup(self, what: str) -> None:
        """Refuse what comes too late to be complete."""

    # ------------------------------------------------------------------ routes

    def route(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Decorate a view.

        :param rule: a path with converters: '/user/<int:id>'.
        :param options: `endpoint` for another name than the function's, `methods` (default GET), and those of
            `werkzeug.routing.Rule`: `defaults`, `subdomain`, `strict_slashes`, ...
        """

        def decorate(view: F) -> F:
            self.add_url_rule(rule, options.pop("endpoint", None), view, **options)
            return view

        return decorate

    def _with_method(self, method: str, rule: str, options: dict[str, Any]) -> Callable[[F], F]:
        if "methods" in options:
            raise TypeError(f"@{method.lower()} has its method; use @route for several")
        return self.route(rule, methods=[method], **options)

    def get(self, rule: str, **options: Any) -> Callable[[F], F]:
        """`route` for GET."""
        return self._with_method("GET", rule, options)

    def post(self, rule: str, **options: Any) -> Callable[[F], F]:
        """`route` for POST."""
        return self._with_method("POST", rule, options)

    def put(self, rule: str, **options: Any) -> Callable[[F], F]:
        """`route` for PUT."""
        return self._with_method("PUT", rule, options)

    def delete(self, rule: str, **options: Any) -> Callable[[F], F]:
        """`route` for DELETE."""
        return self._with_method("DELETE", rule, options)

    def patch(self, rule: str, **options: Any) -> Callable[[F], F]:
        """`route` for PATCH."""
        return self._with_method("PATCH", rule, options)

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Add a rule.

        :param rule: see `route`.
        :param endpoint: the name of the view; None for the function's.
        :param view_func: the view; None if it is registered with `endpoint`.
        :param provide_automatic_options: whether OPTIONS is answered; None for yes, if no view does.
        """
        raise NotImplementedError

    def endpoint(self, endpoint: str) -> Callable[[F], F]:
        """Decorate the view of rules that name it."""

        def decorate(view: F) -> F:
            self._check_setup("endpoint")
            self.view_functions[endpoint] = view
            return view

        return decorate

    # ------------------------------------------------------------------ around requests

    def before_request(self, function: F) -> F:
        """Call a function before each view. What it returns, unless None, is the answer instead of the view's."""
        self._check_setup("before_request")
        self.before_request_funcs[None].append(function)
        return function

    def after_request(self, function: F) -> F:
        """Call a function with each response; it returns the one that is sent."""
        self._check_setup("after_request")
        self.after_request_funcs[None].append(function)
        return function

    def teardown_request(self, function: F) -> F:
        """Call a function at the end of each request, whatever happened, with the exception or None."""
        self._check_setup("teardown_request")
        self.teardown_request_funcs[None].append(function)
        return function

    def context_processor(self, function: F) -> F:
        """Add what a function returns, a dict, to the context of each template."""
        self._check_setup("context_processor")
        self.template_context_processors[None].append(function)
        return function

    def url_value_preprocessor(self, function: F) -> F:
        """Call a function with the endpoint and the values of the URL, which it may change, before each view."""
        self._check_setup("url_value_preprocessor")
        self.url_value_preprocessors[None].append(function)
        return function

    def url_defaults(self, function: F) -> F:
        """Call a function with the endpoint and the values, which it may add to, whenever a URL is built."""
        self._check_setup("url_defaults")
        self.url_default_functions[None].append(function)
        return function

    def errorhandler(self, error: type[BaseException] | int) -> Callable[[F], F]:
        """Decorate the handler of an error: of a class of exceptions, or of an HTTP code."""

        def decorate(handler: F) -> F:
            self.register_error_handler(error, handler)
            return handler

        return decorate

    def register_error_handler(self, error: type[BaseException] | int, handler: Callable[..., Any]) -> None:
        """Register the handler of an error; it is called with the exception, and returns a response."""
        self._check_setup("register_error_handler")
        kind, code = error_key(error)
        self.error_handlers[None][code][kind] = handler


def merged(ours: dict[str | None, list[Any]], theirs: Mapping[str | None, list[Any]], name: str) -> None:
    """Add what a blueprint has registered to what an app has, under the blueprint's name."""
    for key, functions in theirs.items():
        ours[name if key is None else f"{name}.{key}"].extend(functions)
