"""What a master and a slave have in common: an HTTP server for their endpoints, and a life that can begin again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from typing import Any

from werkzeug.exceptions import HTTPException

from ..errors import LocalError, RequestTimeout
from ..runtime import choose_runtime
from ..states import Transitions
from ..web import App, Response, request
from ..web.http1 import Limits
from ..web.http_server import HTTPServer
from .asking import Asked, Reply
from .codes import MasterErrorCode, SlaveErrorCode
from .config import EndConfig
from .envelope import ResponsibleException, failure_response
from .errors import RequestException, ResponseException
from .http_engine import Dialling, HttpEngine, split_http_address
from .service import ControllableService
from .tokens import random_token, same_token

__all__ = ["Endpoint", "EndpointState"]

View = Callable[[Asked], Reply]

logger = logging.getLogger("syncio.interaction")

GRACE = 0.1
"""Seconds that requests may take which are being answered when an end is closed."""
PING_TIMEOUT = 2.0


class EndpointState(Enum):
    """Where an end is."""

    STOPPED = "stopped"
    RUNNING = "running"
    STOPPING = "stopping"


STOPPED, RUNNING, STOPPING = EndpointState

ENDPOINT_STATES = Transitions("endpoint", {STOPPED: (RUNNING,), RUNNING: (STOPPING,), STOPPING: (STOPPED,)})


class Endpoint(ControllableService):
    """An end that serves HTTP.

    :param config: what it was set to.
    """

    codes: type[MasterErrorCode] | type[SlaveErrorCode]
    config: EndConfig

    def __init__(self, config: EndConfig) -> None:
        self.runtime = choose_runtime()
        self.dialling = Dialling(config.client_tls, config.connect_timeout, config.request_timeout, config.max_body)
        self._state = STOPPED
        self._lock = self.runtime.lock()
        self._self_token = random_token()
        self._ended = self.runtime.event()
        self._ended.set()
        self._channel = str(config.channel)
        self._views: dict[tuple[str, str], View] = {}
        self._app = App(__name__, static_folder=None, template_folder=None)
        self._app.before_request(self._check_state)
        self._app.register_error_handler(Exception, self._failed)
        self._route("/ping", "GET", self._ping)
        self._route("/shutdown", "DELETE", self._shut_down)
        limits = Limits(body=config.max_body)
        self._server = HTTPServer(self._serve, config.host, config.port, config.tls, limits)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._server.url} {self._state.value}>"

    # ------------------------------------------------------------------ its life

    @property
    def state(self) -> EndpointState:
        """Where it is."""
        return self._state

    @property
    def host(self) -> str:
        """Where it listens."""
        return str(self._server.address[0])

    @property
    def port(self) -> int:
        """Where it listens: once it is started the one that was found, if 0 was asked for."""
        return int(self._server.address[1])

    def start(self) -> None:
        """Listen, and begin. It can be started again when it was closed.

        :raises OSError: if the address is in use, or is none of this host's; nothing was begun then.
        :raises LocalError: if it runs already.
        """
        with self._lock:
            if self._state is not STOPPED:
                raise LocalError(f"it is {self._state.value} already: close() it first")
            self._server.start()
            self._state = ENDPOINT_STATES.move(self._state, RUNNING)
            self._ended.clear()
        self._begin()

    def shutdown(self) -> None:
        """Have it end: from now on every request is refused. `join` waits for the end."""
        with self._lock:
            if self._state is not RUNNING:
                return
            self._state = ENDPOINT_STATES.move(self._state, STOPPING)
        self.runtime.start("syncio-shutdown", self._end)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end.

        :param timeout: seconds; None for as long as it runs.
        :raises RequestTimeout: if it runs longer.
        """
        if not self._ended.wait(timeout):
            raise RequestTimeout(f"the end of {self!r}", timeout or 0.0)

    def _begin(self) -> None:
        """It listens: what else there is to start."""

    def _leave(self) -> None:
        """It is about to end: what is there to say and to stop. The server still answers, with refusals."""

    def _end(self) -> None:
        try:
            self._leave()
        finally:
            self._server.stop(GRACE)
            with self._lock:
                self._state = ENDPOINT_STATES.move(self._state, STOPPED)
            self._ended.set()

    def ping(self) -> bool:
        """Whether it answers requests."""
        place = split_http_address(self._server.url)
        engine = HttpEngine(*place, self.dialling._replace(request_timeout=PING_TIMEOUT))
        try:
            engine.request("GET", "/ping", headers={"Token": self._self_token}, retries=0)
        except (RequestException, ResponseException):
            return False
        finally:
            engine.close()
        return True

    # ------------------------------------------------------------------ requests

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        view = self._views.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if view is None:
            return self._front(environ, start_response)
        reply = self._replied(view, Asked(environ))
        start_response(reply.status, reply.fields)
        return reply

    def _front(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The application for everything else."""
        return self._app(environ, start_response)

    def _route(self, path: str, method: str, view: View) -> None:
        self._views[method, path] = view
        self._app.add_url_rule(path, path, partial(self._response, view), methods=[method])

    def _response(self, view: View) -> Response:
        """What the app answers, for instance to HEAD."""
        reply = self._replied(view, Asked(request.environ))
        response = Response(reply.body, reply.status, reply.fields)
        response.call_on_close(reply.close)
        return response

    def _replied(self, view: View, asked: Asked) -> Reply:
        try:
            if self._state is STOPPING:
                raise self._stopping()
            return view(asked)
        except ResponsibleException as exc:
            return Reply.refusal(exc)
        except Exception as exc:
            logger.exception("a request failed")
            words = f"it failed with {type(exc).__name__}; the log says more"
            return Reply.refusal(ResponsibleException(message=words, status_code=500))

    def _stopping(self) -> ResponsibleException:
        words = "System has already been shutting down."
        return ResponsibleException(self.codes.SYSTEM_SHUTTING_DOWN, words, status_code=401)

    def _check_state(self) -> Any:
        return self._stopping().get_response() if self._state is STOPPING else None

    def _failed(self, exc: Exception) -> tuple[Response, int]:
        """Every error has an envelope."""
        if isinstance(exc, HTTPException):
            response = failure_response(message=exc.description or exc.name)
            # As 405 has to name the methods that there are.
            response.headers.extend(field for field in exc.get_headers() if field[0] == "Allow")
            return response, exc.code or 500
        logger.error("%s %s failed", request.method, request.path, exc_info=exc)
        return failure_response(message=f"it failed with {type(exc).__name__}; the log says more"), 500

    # ------------------------------------------------------------------ who asks

    def _check_channel(self, asked: Asked, missing: int) -> None:
        """Refuse a request of another channel.

        :param missing: the code of one that names none.
        """
        text = asked.channel
        if text == self._channel:
            return
        text = text.strip()
        if not text:
            raise ResponsibleException(missing, "Channel not found.")
        try:
            channel = int(text) if len(text) < 20 else None
        except ValueError:
            channel = None
        if channel is None:
            raise ResponsibleException(self.codes.CHANNEL_INVALID, "Channel is a whole number.")
        if channel != self.config.channel:
            raise ResponsibleException(
                self.codes.CHANNEL_INVALID, "Channel not match with this endpoint.", status_code=403
            )

    @staticmethod
    def _token(asked: Asked, missing: int, what: str) -> str:
        """The token of a request.

        :param missing: the code of one that has none.
        """
        token = asked.token
        if not token:
            raise ResponsibleException(missing, f"{what} token not found.")
        return token

    def _check_self(self, asked: Asked, missing: int, wrong: int, what: str) -> None:
        if not same_token(self._token(asked, missing, what), self._self_token):
            raise ResponsibleException(wrong, f"{what} token not match with this endpoint.", status_code=403)

    def _check_own(self, asked: Asked) -> None:
        """Refuse a request that this end itself has not made."""
        raise NotImplementedError

    def _knows_secret(self, asked: Asked) -> bool:
        """Whether the request has the secret, if one is wanted."""
        secret = self.config.secret
        return secret is None or same_token(asked.secret, secret)

    def _ping(self, asked: Asked) -> Reply:
        self._check_own(asked)
        return Reply("PONG!")

    def _shut_down(self, asked: Asked) -> Reply:
        self._check_own(asked)
        self.shutdown()
        return Reply("Shutdown request received, this server will be down later.")
