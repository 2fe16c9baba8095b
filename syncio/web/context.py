"""What is current: the app, the request, its session and `g`, by context variables, so per thread and per greenlet.

One object holds them all for the length of a request, of an event, or of a `with app.app_context():`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from werkzeug.routing import MapAdapter

    from .app import App
    from .sessions import Session
    from .wrappers import Request, Response

__all__ = [
    "Context",
    "Globals",
    "after_this_request",
    "copy_current_request_context",
    "current_app",
    "current_context",
    "g",
    "has_app_context",
    "has_request_context",
    "request",
    "session",
]

_current: ContextVar[Context] = ContextVar("syncio.web.context")

NO_APP = (
    "there is no app here: this works while a request or an event is handled, "
    "and inside of `with app.app_context():` or `with app.test_request_context():`"
)
NO_REQUEST = (
    "there is no request here: this works while one is handled, and inside of `with app.test_request_context():`"
)


class Globals:
    """`g`: attributes of your own, as long as the context lives."""

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"g has no {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self.__dict__[name]
        except KeyError:
            raise AttributeError(f"g has no {name!r}") from None

    def __repr__(self) -> str:
        return f"<g {', '.join(self.__dict__)}>"

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or the default."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        """Take an attribute away; returns it, or the default if there is one.

        :raises KeyError: if there is neither.
        """
        return self.__dict__.pop(name, *default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """An attribute, which becomes the default if there is none."""
        return self.__dict__.setdefault(name, default)


class Context:
    """What is current.

    :param app: the app.
    :param request: the request; None outside of one.
    :param g: those of another context, to share them.
    """

    def __init__(
        self, app: App, request: Request | None = None, session: Session | None = None, g: Globals | None = None
    ) -> None:
        self.app = app
        self.request = request
        self.g = app.app_ctx_globals_class() if g is None else g
        self.flashes: list[tuple[str, str]] | None = None
        self.after: list[Callable[[Response], Response]] = []
        self._session = session
        self._adapter: MapAdapter | None = None
        self._tokens: list[Token[Context]] = []
        self._holds = 0
        self._closes = g is None

    def __repr__(self) -> str:
        of = f" of {self.request.method} {self.request.path}" if self.request is not None else ""
        return f"<Context{of} in {self.app.name}>"

    # ------------------------------------------------------------------ what it has

    @property
    def url_adapter(self) -> MapAdapter | None:
        """Matches and builds URLs; None if nobody knows the name of the server."""
        if self._adapter is None:
            self._adapter = self.app.create_url_adapter(self.request)
        return self._adapter

    def _match(self, request: Request) -> None:
        try:
            adapter = self.url_adapter
            assert adapter is not None, "a request has one"
            request.url_rule, request.view_args = adapter.match(return_rule=True)  # type: ignore[assignment]
        except HTTPException as exc:
            request.routing_exception = exc
            if self._adapter is None:
                # The host is not one of ours. Who answers that may still ask for paths.
                self._adapter = self.app.create_fallback_adapter(request)

    @property
    def session(self) -> Session:
        """The user's session, which is opened when it is wanted for the first time.

        :raises RuntimeError: outside of a request.
        """
        if self._session is None:
            if self.request is None:
                raise RuntimeError(NO_REQUEST)
            self._session = self.app.open_session(self.request)
        return self._session

    @session.setter
    def session(self, session: Session) -> None:
        self._session = session

    def session_to_save(self) -> Session | None:
        """The session, if anybody wanted it, or if it is there and may have to be sent again to live longer."""
        if self._session is None and self.app.config["SESSION_REFRESH_EACH_REQUEST"]:
            request = self.request
            if request is not None and request.environ.get("HTTP_COOKIE") and self.app.secret_key:
                return self.session
        return self._session

    # ------------------------------------------------------------------ being current

    def push(self) -> None:
        """Be current."""
        self._tokens.append(_current.set(self))
        request = self.request
        if request is not None and request.url_rule is None and request.routing_exception is None:
            try:
                self._match(request)
            except BaseException:
                _current.reset(self._tokens.pop())
                raise

    @property
    def is_current(self) -> bool:
        """Whether it was pushed and not popped."""
        return bool(self._tokens)

    def pop(self, exc: BaseException | None = None) -> None:
        """Be current no more; when that is so for the last time, the functions for the end are called.

        :param exc: what is on its way out.
        """
        last = len(self._tokens) == 1 and not self._holds
        try:
            if last:
                self._close(exc)
        finally:
            _current.reset(self._tokens.pop())

    def hold(self) -> None:
        """Keep it from its end while it is not current, until `release`."""
        self._holds += 1

    def release(self, exc: BaseException | None = None) -> None:
        """End what `hold` began.

        :param exc: see `pop`.
        """
        self.push()
        self._holds -= 1
        self.pop(exc)

    def _close(self, exc: BaseException | None) -> None:
        try:
            if self.request is not None:
                self.app.do_teardown_request(self, exc)
        finally:
            if self._closes:
                self.app.do_teardown_appcontext(self, exc)
            if self.request is not None:
                self.request.close()

    def __enter__(self) -> Context:
        self.push()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.pop(exc)

    def copy(self) -> Context:
        """Another one for the same request, with the same session and a `g` of its own: for a task of your own."""
        return BorrowedContext(self.app, self.request, self._session)


class BorrowedContext(Context):
    """What is current in a task or an event: the request is one whose own functions are called elsewhere, in its
    time. What the task or event has opened ends with it: the functions of `teardown_appcontext` are called."""

    def _match(self, request: Request) -> None:
        """It is no request for a view."""

    def _close(self, exc: BaseException | None) -> None:
        self.app.do_teardown_appcontext(self, exc)


def current_context(request: bool = False) -> Context:
    """What is current.

    :param request: whether it has to have a request.
    :raises RuntimeError: if there is nothing.
    """
    context = _current.get(None)
    if context is None or (request and context.request is None):
        raise RuntimeError(NO_REQUEST if request else NO_APP)
    return context


def found_context() -> Context | None:
    """What is current, or None."""
    return _current.get(None)


def has_app_context() -> bool:
    """Whether there is a current app."""
    return _current.get(None) is not None


def has_request_context() -> bool:
    """Whether there is a current request."""
    context = _current.get(None)
    return context is not None and context.request is not None


def after_this_request(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Call a function with the response of this request; it returns the response that is sent."""
    current_context(request=True).after.append(function)
    return function


def copy_current_request_context(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that has the request of now also in a thread or greenlet of its own."""
    context = current_context(request=True)

    def with_context(*args: Any, **kwargs: Any) -> Any:
        with context.copy():
            return function(*args, **kwargs)

    return with_context


def _seen_session() -> Session:
    """Who asks for the session looks at it, were it only to see that it is empty: the response depends on it then."""
    found = current_context().session
    found.accessed = True
    return found


current_app: App = LocalProxy(_current, "app", unbound_message=NO_APP)  # type: ignore[assignment]
g: Any = LocalProxy(_current, "g", unbound_message=NO_APP)
request: Request = LocalProxy(lambda: current_context(request=True).request)  # type: ignore[assignment]
session: Session = LocalProxy(_seen_session)  # type: ignore[assignment]
