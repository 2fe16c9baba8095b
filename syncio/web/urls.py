"""URLs of views by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.routing import BuildError
from werkzeug.sansio.utils import get_host

from .context import current_context, found_context

if TYPE_CHECKING:
    from .app import App

__all__ = ["is_host", "url_for"]


def is_host(name: str) -> bool:
    """Whether a Host field may be what it is: nothing, or a host, also one whose letters nobody has encoded (IDNA).

    RFC 9112, 3.2.
    """
    try:
        return not name or bool(get_host("http", name.encode("idna").decode("ascii")))
    except UnicodeError:
        return False


def url_for(
    endpoint: str,
    *,
    _anchor: str | None = None,
    _method: str | None = None,
    _scheme: str | None = None,
    _external: bool | None = None,
    _app: App | None = None,
    **values: Any,
) -> str:
    """The URL of a view.

    :param endpoint: its name; '.name' for one of the same blueprint.
    :param values: of the rule; those that it does not know become the query.
    :param _anchor: what stands behind '#'.
    :param _method: chooses between rules.
    :param _scheme: for instance 'https'; makes the URL external.
    :param _external: whether it has scheme and host; None for no inside of a request, and yes outside.
    :raises werkzeug.routing.BuildError: if there is no such view, or a value is missing.
    :raises RuntimeError: outside of a request without `SERVER_NAME`.
    """
    app = _app or current_context().app
    context = found_context()
    request = context.request if context is not None and context.app is app else None
    if request is not None and endpoint.startswith("."):
        endpoint = f"{request.blueprint}{endpoint}" if request.blueprint is not None else endpoint[1:]
    adapter = context.url_adapter if context is not None and context.app is app else app.create_url_adapter(None)
    if adapter is None:
        raise RuntimeError(
            "a URL outside of a request needs the server's name: app.config['SERVER_NAME'] = 'example.com'"
        )
    if _external is None:
        _external = request is None or _scheme is not None
    if _scheme is not None and not _external:
        raise ValueError("_scheme needs _external=True")
    app.inject_url_defaults(endpoint, values)
    try:
        url = adapter.build(endpoint, values, method=_method, url_scheme=_scheme, force_external=_external)
    except BuildError as error:
        values.update(_anchor=_anchor, _method=_method, _scheme=_scheme, _external=_external)
        return app.handle_url_build_error(error, endpoint, values)
    return url if _anchor is None else f"{url}#{quote(_anchor, safe='%!#$&()*+,/:;=?@')}"
