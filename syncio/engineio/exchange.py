"""One HTTP request and its answer: checks, routes to the session, long polls, handshakes and WebSocket openings.

Protocol: "Transports" and "Protocol, Handshake" of the Engine.IO protocol, version 4.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import RemoteProtocolError
from ..streams import Host, Released, find_host
from .answers import UNSUPPORTED_VERSION, Answer, Refused, compress, error, text
from .config import ServerConfig
from .cors import Cors
from .openings import Openings
from .packet import OPEN, Json, Packet
from .payload import decode_jsonp_body, decode_payload, encode_jsonp, encode_payload
from .pending import PendingAnswer
from .reasons import reason
from .request import UPGRADE_HINT, EngineRequest, read_body
from .session import PollVerdict
from .socket import Socket

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Exchange"]

logger = logging.getLogger("syncio.server")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
RETRY_AFTER = (("Retry-After", "5"), ("Content-Type", "text/plain"))
HANDSHAKE = json.JSONEncoder(separators=(",", ":"))
NO_STORE = ("Cache-Control", "no-store")


class Dress:
    """How packets are answered to one request. It is kept while the request waits, and its environment is not.

    :param config: the server's options.
    :param jsonp: the number of the page's callback, or None.
    :param environ: the WSGI environment.
    :param headers: what CORS has to say.
    """

    __slots__ = ("_accepted", "_config", "_headers", "_jsonp")

    def __init__(
        self, config: ServerConfig, jsonp: int | None, environ: Environ, headers: Sequence[tuple[str, str]]
    ) -> None:
        self._config = config
        self._jsonp = jsonp
        self._accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        self._headers = (NO_STORE, *headers)

    def __call__(self, body: bytes) -> Answer:
        """The complete answer with a body of packets."""
        if self._jsonp is not None:
            kind = (("Content-Type", "text/javascript; charset=UTF-8"), ("X-Content-Type-Options", "nosniff"))
            answer = Answer(200, encode_jsonp(body, self._jsonp), kind)
        else:
            answer = text(body)
        if self._config.http_compression:
            answer = compress(answer, self._accepted, self._config.compression_threshold)
        return self.cover(answer)

    def cover(self, answer: Answer) -> Answer:
        """Another answer to the same request."""
        return answer.with_headers(self._headers)


class Ready:
    """The dress of an answer that is made already and only has to wait."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, body: bytes) -> Answer:
        """The answer, whatever the body."""
        return self._answer

    def cover(self, answer: Answer) -> Answer:
        """Another answer, as it is."""
        return answer


class Exchange:
    """Answers requests for one server.

    :param server: whose sessions they are about.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._cors = Cors(server.config)
        self._openings = Openings(server)
        self._told: set[str] = set()

    def handle(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI callable."""
        try:
            result = self._route(environ)
        except Refused as refused:
            self._server.logger.info("refused with %d: %s", refused.answer.status, refused.detail)
            if refused.code == UNSUPPORTED_VERSION:
                self._warn_once(f"a client that speaks another version was refused; {UPGRADE_HINT}")
            was_upgraded = self._openings.close_upgraded(environ, refused.detail)
            result = None if was_upgraded else self._dressed(refused.answer, environ)
        if result is None:
            status = "101 Switching Protocols" if "HTTP_UPGRADE" in environ else "200 OK"
            start_response(status, [NO_STORE])
            return Released()
        start_response(result.status_line, result.wsgi_headers())
        return [result.body]

    def _route(self, environ: Environ) -> Answer | None:
        """Answer, or return None for a connection that was taken over."""
        self._cors.check(environ)
        if environ.get("REQUEST_METHOD") == "OPTIONS":
            return self._dressed(Answer(204), environ)
        request = EngineRequest.of(environ, tuple(self._server.config.transports or ()))
        if request.sid is None:
            if request.is_websocket:
                return self._open_websocket(environ)
            return self._open_polling(request, environ)
        socket = self._server.find(request.sid)
        if socket is None:
            raise error(1)
        if request.is_websocket:
            return self._upgrade(socket, environ)
        if request.method == "POST":
            return self._post(socket, request, environ)
        return self._poll(socket, request, environ)

    def _dressed(self, answer: Answer, environ: Environ) -> Answer:
        return answer.with_headers([NO_STORE, *self._cors.headers(environ)])

    def _dress(self, request: EngineRequest, environ: Environ) -> Dress:
        return Dress(self._server.config, request.jsonp, environ, self._cors.headers(environ))

    # ------------------------------------------------------------------ handshakes

    def _open_polling(self, request: EngineRequest, environ: Environ) -> Answer:
        host = find_host(environ)
        socket, packets = self._open_session(environ, host, websocket=False)
        answer = self._dress(request, environ)(encode_payload(packets))
        return answer.with_headers(self._cookie(socket.sid))

    def _open_session(self, environ: Environ, host: Host, websocket: bool) -> tuple[Socket, list[Packet]]:
        """Begin a session and ask the connect handler. Returns it with the first packets.

        :raises Refused: 503 if there are too many, 401 if the handler says no.
        """
        server = self._server
        if host.runs_greenlets and server.async_mode != "gevent":
            self._warn_once(
                f"{host.name} runs greenlets, and this Server runs threads: say Server(async_mode='gevent'), or "
                "monkey-patch the process before it imports syncio"
            )
        if not server.runtime.serves_here():
            raise Refused(
                Answer(503, b"misconfigured", RETRY_AFTER),
                self._warn_once(
                    f"Server(async_mode='gevent') cannot work under {host.name}, which runs threads: leave async_mode "
                    "out, or use a server of greenlets (gunicorn -k gevent module:app)"
                ),
            )
        socket = server.socket_class(server, server.generate_id(), websocket)
        if not server.admit(socket):
            server.count("rejected")
            raise Refused(
                Answer(503, b"no more sessions at the moment", RETRY_AFTER),
                "there are max_sessions sessions, or the server shuts down",
            )
        verdict: Any = False
        try:
            verdict = server.fire_connect(socket.sid, environ)
        finally:
            if verdict is not True:
                socket.reject()
                server.count("rejected")
                server.forget(socket)
        if verdict is not True:
            raise Refused(_unauthorized(verdict, server.config.codec), f"the connect handler said {verdict!r}")
        server.count("accepted")
        upgrades = [] if websocket else self._upgrades(host, environ)
        server.logger.info("%s: connected by %s", socket.sid, "websocket" if websocket else "polling")
        return socket, [Packet(OPEN, self._handshake(socket.sid, upgrades)), *socket.accept()]

    def _handshake(self, sid: str, upgrades: list[str]) -> str:
        config = self._server.config
        return HANDSHAKE.encode(
            {
                "sid": sid,
                "upgrades": upgrades,
                "pingInterval": round(config.interval * 1000),
                "pingTimeout": round(config.ping_timeout * 1000),
                "maxPayload": config.max_http_buffer_size,
            }
        )

    def _upgrades(self, host: Host, environ: Environ) -> list[str]:
        config = self._server.config
        if not config.allow_upgrades or "websocket" not in (config.transports or ()):
            return []
        if not host.can_websocket:
            self._warn_once(
                f"WebSocket is not possible under {host.name}, which keeps its sockets; clients stay on long polling. "
                "It is possible with, for instance: gunicorn -k gthread --threads 8 module:app"
            )
            return []
        return ["websocket"]

    def _warn_once(self, words: str) -> str:
        if words not in self._told:
            self._told.add(words)
            self._server.logger.warning("%s", words)
        return words

    def _cookie(self, sid: str) -> list[tuple[str, str]]:
        cookie = self._server.config.cookie
        if cookie is None:
            return []
        attributes: dict[str, Any] = (
            {"name": cookie, "path": "/", "SameSite": "Lax"} if isinstance(cookie, str) else dict(cookie)
        )
        words = [f"{attributes.pop('name', 'io')}={sid}"]
        for name, value in attributes.items():
            value = value() if callable(value) else value
            if value is True:
                words.append(name)
            elif value is not None and value is not False:
                words.append(f"{name}={value}")
        return [("Set-Cookie", "; ".join(words))]

    # ------------------------------------------------------------------ polling

    def _poll(self, socket: Socket, request: EngineRequest, environ: Environ) -> Answer | None:
        config = self._server.config

        dress = self._dress(request, environ)
        poll = PendingAnswer(self._server.runtime, dress, socket.poll_gone)
        verdict, packets = socket.open_poll(poll)
        if verdict is PollVerdict.ANSWER:
            return dress(encode_payload(packets))
        self._refuse(verdict)
        return poll.wait(find_host(environ), config.interval + config.grace + config.ping_timeout)

    @staticmethod
    def _refuse(verdict: PollVerdict) -> None:
        if verdict is PollVerdict.GONE:
            raise error(1)
        if verdict is PollVerdict.WRONG_TRANSPORT:
            raise error(3, "a WebSocket carries this session")
        if verdict is PollVerdict.OVERLAP:
            raise error(3, "a request like this one is already under way for this session, which ends now")

    def _post(self, socket: Socket, request: EngineRequest, environ: Environ) -> Answer | None:
        self._refuse_unless_answer(socket.open_post())
        try:
            body = self._read_post(socket, request, environ)
            decoded = decode_payload(body, self._server.config.max_packets_per_payload)
            end = reason.TRANSPORT_ERROR if decoded.error is not None else None
            taken = socket.payload_received(decoded.packets, end)
        finally:
            socket.end_post()
        if not taken:
            raise error(3, str(decoded.error or "the server does not take such a packet from a client"))
        answer = self._dressed(Answer(200, b"ok", (("Content-Type", "text/html"),)), environ)
        return self._when_roomy(socket, answer, environ)

    def _refuse_unless_answer(self, verdict: PollVerdict) -> None:
        if verdict is not PollVerdict.ANSWER:
            self._refuse(verdict)

    def _read_post(self, socket: Socket, request: EngineRequest, environ: Environ) -> bytes:
        """The body.

        :raises Refused: 413 over the limit, and the session lives on; 400 for what cannot be a payload, and it ends.
        """
        try:
            if "octet-stream" in environ.get("CONTENT_TYPE", "").lower():
                raise RemoteProtocolError("version 4 sends bytes as text, not as application/octet-stream")
            body = read_body(environ, self._server.config.max_http_buffer_size)
            return decode_jsonp_body(body) if request.jsonp is not None else body
        except RemoteProtocolError as exc:
            socket.close(reason.TRANSPORT_ERROR)
            raise error(3, str(exc)) from exc

    def _when_roomy(self, socket: Socket, answer: Answer, environ: Environ) -> Answer | None:
        """The answer to a POST, held back while the session's lane is full: that is what slows the client down."""
        lane = socket.lane
        if not lane.is_full:
            return answer
        pending = PendingAnswer(self._server.runtime, Ready(answer), lambda pending: None)
        if not lane.when_roomy(lambda: pending.answer_with(answer)):
            return answer
        return pending.wait(find_host(environ), self._server.config.ping_timeout)

    # ------------------------------------------------------------------ WebSocket

    def _open_websocket(self, environ: Environ) -> Answer | None:
        host = find_host(environ)
        opening = self._openings.check(host, environ)
        socket, packets = self._open_session(environ, host, websocket=True)
        websocket = self._openings.take_over(socket, opening, self._cookie(socket.sid))
        if websocket is None:
            socket.close(reason.TRANSPORT_CLOSE)
            return None
        for packet in packets:
            websocket.send(packet)
        socket.carry(websocket)
        opening.start(websocket)
        return None

    def _upgrade(self, socket: Socket, environ: Environ) -> Answer | None:
        if not self._server.config.allow_upgrades:
            raise error(3, "upgrades are switched off (allow_upgrades)")
        opening = self._openings.check(find_host(environ), environ)
        if not socket.open_probe():
            raise error(3, "the session has a WebSocket already, or has ended")
        websocket = self._openings.take_over(socket, opening, [])
        if websocket is None:
            socket.resume_polling(None)
            return None
        socket.probe(websocket)
        opening.start(websocket)
        return None


def _unauthorized(verdict: Any, codec: Json) -> Answer:
    try:
        body = codec.dumps("Unauthorized" if verdict is False else verdict)
    except (TypeError, ValueError, RecursionError):
        logger.warning("the connect handler said %r, which does not go into JSON", verdict)
        body = '"Unauthorized"'
    content = body if isinstance(body, bytes) else body.encode()
    return Answer(401, content, (("Content-Type", "application/json"),))
