"""What happens to a request: the functions before the view, the view, the functions behind it, and the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any
from urllib.parse import quote

from werkzeug.exceptions import InternalServerError
from werkzeug.routing import RequestRedirect

from .answering import Answering
from .context import Context, current_context
from .wrappers import Request, Response

__all__ = ["Dispatching"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Dispatching(Answering):
    """The part of an app that serves requests."""

    blueprints: dict[str, Any]
    session_interface: Any
    teardown_appcontext_funcs: list[Callable[..., Any]]
    _got_first_request: bool

    def request_context(self, environ: Environ) -> Context:
        """See `App`."""
        raise NotImplementedError

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self.wsgi_app(environ, start_response)

    def wsgi_app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The application itself; middleware is put around it by ``app.wsgi_app = Middleware(app.wsgi_app)``."""
        context = self.request_context(environ)
        error: BaseException | None = None
        try:
            try:
                context.push()
                response = self.full_dispatch_request(context)
            except Exception as exc:
                error = exc
                response = self.handle_exception(exc, context)
            except BaseException as exc:
                error = exc
                raise
            return response(environ, start_response)
        finally:
            if context.is_current:
                preserve = environ.get("syncio.web.preserve_context")
                if preserve is not None:
                    preserve(context, error)  # its end comes later
                context.pop(error)

    def full_dispatch_request(self, context: Context | None = None) -> Response:
        """Everything that happens to a request."""
        context = context or current_context(request=True)
        self._got_first_request = True
        try:
            value = self.preprocess_request(context)
            if value is None:
                value = self.dispatch_request(context)
        except Exception as exc:
            value = self.handle_user_exception(exc, context)
        return self.finalize_request(value, context)

    def finalize_request(self, value: Any, context: Context, broken: bool = False) -> Response:
        """Make a response of what a view has returned, and let everybody see it."""
        response = self.make_response(value)
        try:
            return self.process_response(response, context)
        except Exception:
            if not broken:
                raise
            self.logger.exception("a function of after_request failed behind an error")
            return response

    def preprocess_request(self, context: Context | None = None) -> Any:
        """Call the functions of `before_request`; what one returns is the answer."""
        request = (context or current_context(request=True)).request
        assert request is not None
        names = (None, *reversed(request.blueprints)) if self.blueprints else (None,)
        for name in names:
            for look in self.url_value_preprocessors.get(name, ()):
                look(request.endpoint, request.view_args)
        for name in names:
            for function in self.before_request_funcs.get(name, ()):
                value = function()
                if value is not None:
                    return value
        return None

    def dispatch_request(self, context: Context | None = None) -> Any:
        """Call the view.

        :raises HTTPException: if none matches.
        """
        context = context or current_context(request=True)
        request = context.request
        assert request is not None
        if request.routing_exception is not None:
            self.raise_routing_exception(request)
        rule = request.url_rule
        assert rule is not None, "it matches, or there is an exception"
        if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return self.make_default_options_response(context)
        view = self.view_functions.get(rule.endpoint)
        if view is None:
            raise RuntimeError(f"no view has the name {rule.endpoint!r}, which the rule {rule.rule!r} wants")
        return view(**(request.view_args or {}))

    def raise_routing_exception(self, request: Request) -> None:
        """Raise why no rule matches; in debug mode with a word about bodies that a redirect would lose."""
        exc = request.routing_exception
        assert exc is not None
        if self.debug and isinstance(exc, RequestRedirect) and exc.code not in (307, 308) and request.method not in (
            "GET", "HEAD", "OPTIONS"
        ):  # fmt: skip
            raise AssertionError(
                f"a redirect to the canonical URL {exc.new_url!r} would lose the body: use that URL in the form"
            )
        raise exc

    def make_default_options_response(self, context: Context | None = None) -> Response:
        """The answer to OPTIONS: which methods there are."""
        adapter = (context or current_context(request=True)).url_adapter
        assert adapter is not None
        response = self.response_class()
        response.allow.update(adapter.allowed_methods())
        return response

    def process_response(self, response: Response, context: Context | None = None) -> Response:
        """Call the functions of `after_request`, the last one first, and save the session."""
        context = context or current_context(request=True)
        for own in context.after:
            response = own(response)
        request = context.request
        assert request is not None
        if self.after_request_funcs:
            for name in chain(request.blueprints, (None,)):
                for function in reversed(self.after_request_funcs.get(name, ())):
                    response = function(response)
        session = context.session_to_save()
        if session is not None:
            self.session_interface.save_session(self, session, response)
        return response

    def do_teardown_request(self, context: Context, exc: BaseException | None) -> None:
        """Call the functions of `teardown_request`, the last one first.

        :raises Exception: what the first of them raised that failed; the others were called nevertheless.
        """
        request = context.request
        assert request is not None
        names = chain(request.blueprints, (None,))
        _call_all((f for name in names for f in reversed(self.teardown_request_funcs.get(name, ()))), exc)

    def do_teardown_appcontext(self, context: Context, exc: BaseException | None) -> None:
        """Call the functions of `teardown_appcontext`, the last one first.

        :raises Exception: what the first of them raised that failed; the others were called nevertheless.
        """
        _call_all(reversed(self.teardown_appcontext_funcs), exc)

    def handle_exception(self, error: Exception, context: Context) -> Response:
        """The answer to what nobody has handled: 500, by the handler of that if there is one; it is logged."""
        propagate = self.config["PROPAGATE_EXCEPTIONS"]
        if self.testing or self.debug if propagate is None else propagate:
            raise error
        request = context.request
        assert request is not None
        # Quoted, so that nobody writes lines of his own into the log.
        self.logger.error("Exception on %s [%s]", quote(request.path), request.method, exc_info=error)
        answer: Any = InternalServerError(original_exception=error)
        handler = self._find_error_handler(answer, request.blueprints)
        if handler is not None:
            answer = handler(answer)
        return self.finalize_request(answer, context, broken=True)


def _call_all(functions: Iterable[Callable[..., Any]], exc: BaseException | None) -> None:
    failed: Exception | None = None
    for function in functions:
        try:
            function(exc)
        except Exception as error:
            failed = failed or error
    if failed is not None:
        raise failed
