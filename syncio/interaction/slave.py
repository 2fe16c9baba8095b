"""The slave: it has one master at a time, and works on that one's tasks."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from ..errors import ConfigurationError
from ..runtime import Call
from ..states import Transitions
from .asking import Asked, Reply
from .codes import SlaveErrorCode
from .config import DEFAULT_MASTER_PORT, SlaveConfig
from .endpoint import Endpoint
from .envelope import ResponsibleException, get_values_from_response
from .errors import RequestException, get_master_exception_by_error
from .http_engine import get_http_engine_class, split_http_address
from .master_link import MasterLink
from .pulse import Pulse
from .slave_wire import PATH, SlaveWire
from .tokens import same_token
from .workbench import Workbench

__all__ = ["Slave", "SlaveState"]

logger = logging.getLogger("syncio.interaction")

LEAVING = 0.1
"""Seconds for our goodbye."""


class SlaveState(Enum):
    """Whether a slave has a master."""

    FREE = "free"
    CONNECTING = "connecting"  # its hook is asked
    CONNECTED = "connected"
    DISCONNECTING = "disconnecting"  # its hook is asked


FREE, CONNECTING, CONNECTED, DISCONNECTING = SlaveState

SLAVE_STATES = Transitions(
    "slave",
    {
        FREE: (CONNECTING,),
        CONNECTING: (CONNECTED, FREE),
        CONNECTED: (DISCONNECTING, FREE),
        DISCONNECTING: (CONNECTED, FREE),
    },
)


class Slave(Endpoint):
    """A worker. A subclass says what is done with a task: `_process_task`. ``with`` starts and closes it.

    Its options are described in `syncio.interaction.config.SlaveConfig`; None means the default everywhere, and 0
    means 0.

    :param host: where it listens; all addresses by default.
    :param port: 7236 by default; 0 for any free port.
    :param heartbeat_span: seconds between two signs of life; 3 by default.
    :param request_retries: further attempts of a request that had no answer; 5 by default.
    :param request_retry_waiting: seconds before the first of them; 1 by default.
    :param channel: the master has to be on the same one; 0 by default.
    :raises ConfigurationError: for a value that cannot work.
    """

    codes = SlaveErrorCode
    config: SlaveConfig

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        heartbeat_span: float | None = None,
        request_retries: int | None = None,
        request_retry_waiting: float | None = None,
        channel: int | None = None,
        **options: Any,
    ) -> None:
        self.config = SlaveConfig.of(
            {
                "host": host,
                "port": port,
                "heartbeat_span": heartbeat_span,
                "request_retries": request_retries,
                "request_retry_waiting": request_retry_waiting,
                "channel": channel,
                **options,
            }
        )
        super().__init__(self.config)
        self.link: MasterLink | None = None
        """The master; None while there is none."""
        self._slave_state = FREE
        self._last_token = ""
        self._bench: Workbench | None = None
        self._wire: SlaveWire | None = None
        self._pulse: Pulse | None = None
        self._route("/connect", "POST", self._connect)
        self._route("/disconnect", "DELETE", self._disconnect)
        self._route("/task/new", "POST", self._new_task)
        self._route("/task/cancel", "DELETE", self._cancel)

    # ------------------------------------------------------------------ for a subclass

    def _before_connection(self, data: Any) -> None:
        """A master wants this slave.

        :param data: what its `_before_connect` says.
        :raises ConnectionRefuse: to refuse it.
        """

    def _before_disconnection(self, data: Any) -> None:
        """The master wants to let this slave go.

        :param data: what its `_before_disconnect` says.
        :raises DisconnectionRefuse: to refuse that.
        """

    def _before_task(self, data: Any) -> None:
        """The master has a task.

        :param data: the task's.
        :raises TaskRefuse: to refuse it.
        """

    def _lost_connection(self, master_address: str, err: Exception) -> None:
        """The master cannot be reached any more, or does not know this slave any more.

        :param err: how that was noticed.
        """

    @abstractmethod
    def _process_task(self, task: Any) -> Any:
        """Work on a task.

        :param task: its data.
        :return: the result; goes into JSON. None becomes {}.
        :raises TaskFail: if it has failed. Every other error is reported as a failure too, with its type and message.
        """

    def progress(self, value: Any) -> None:
        """In `_process_task`: tell the master how far the task is. Now and then some are left out.

        :param value: goes into JSON.
        :raises LocalError: outside of `_process_task`.
        """
        bench = self._bench
        if bench is not None:
            bench.progress(value)

    @property
    def is_cancelled(self) -> bool:
        """In `_process_task`: whether nobody wants the result any more.

        :raises LocalError: outside of `_process_task`.
        """
        return Workbench.current().is_cancelled

    # ------------------------------------------------------------------ its life

    @property
    def is_connected(self) -> bool:
        """Whether it has a master."""
        return self._slave_state in (CONNECTED, DISCONNECTING)

    def _begin(self) -> None:
        self._slave_state, self.link = FREE, None
        self._bench = Workbench(self.runtime, self.config.slots, self._before_task, self._process_task)
        self._wire = SlaveWire(self, self._app) if self.config.wire else None
        self._pulse = Pulse(self.runtime, self.config.heartbeat_span, lambda: self.link, self._lost)

    def _leave(self) -> None:
        with self._lock:  # who is about to connect finds no bench from now on, or has left us a link
            bench, wire, pulse, link = self._bench, self._wire, self._pulse, self.link
            self._bench = None
        if pulse is not None:
            pulse.stop()
        if bench is not None:
            bench.close()
        if link is not None:
            self.runtime.start("syncio-goodbye", link.leave).join(LEAVING)
            self._release(link, bench)
        if wire is not None:
            wire.close()
        self._wire = self._pulse = None

    def drain(self, timeout: float | None = None) -> bool:
        """Refuse new tasks, and wait for those that there are. `close` is what comes next.

        :param timeout: seconds; None for as long as it takes.
        :return: whether all are done.
        """
        bench = self._bench
        if bench is None:
            return True
        bench.close()
        return bench.join(timeout)

    def join_master(self, address: str, name: str | None = None, host: str | None = None) -> str:
        """Ask a master that accepts slaves to connect to this one.

        :param address: its URL, or 'host' or 'host:port'.
        :param name: what the slave is called there; None for its host and port.
        :param host: where the master finds this slave; None for where the request comes from.
        :return: the name.
        :raises ConfigurationError: if the address is none.
        :raises RequestException: if the master cannot be reached, or cannot reach this slave.
        :raises MasterResponseException: if it says no.
        """
        url = address if "://" in address else f"http://{address}"
        place = split_http_address(url, DEFAULT_MASTER_PORT)
        headers = {"Channel": str(self.config.channel), "Secret": self.config.secret or ""}
        engine = get_http_engine_class({}, http_error_gene=get_master_exception_by_error)()(*place, self.dialling)
        asked = {"name": name, "host": host, "port": self.port, "https": self._server.scheme == "https"}
        try:
            response = engine.request("POST", "/slave/join", asked, headers, retries=0)
            return str(get_values_from_response(response)[4]["name"])
        except (ValueError, KeyError, TypeError) as exc:
            raise RequestException(f"what answers at {url} is no master: {exc}") from exc
        finally:
            engine.close()

    def _front(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        wire = self._wire
        return (self._app if wire is None else wire.wsgi_app)(environ, start_response)

    # ------------------------------------------------------------------ requests of the master

    def _check_own(self, asked: Asked) -> None:
        self._check_self(asked, SlaveErrorCode.SELF_TOKEN_NOT_FOUND, SlaveErrorCode.SELF_TOKEN_INVALID, "Slave")

    def _connect(self, asked: Asked) -> Reply:
        self._check_channel(asked, SlaveErrorCode.CHANNEL_NOT_FOUND)
        token = self._token(asked, SlaveErrorCode.MASTER_TOKEN_NOT_FOUND, "Master")
        if not self._knows_secret(asked):
            raise _refusal(SlaveErrorCode.MASTER_TOKEN_INVALID, "This slave wants a secret of its master.")
        body = asked.body()
        extras = body.get("syncio")
        link = self._link_to(body, token, isinstance(extras, dict))
        with self._lock:
            current = self.link
            again = current is not None and same_token(current.token, token) and self._slave_state is CONNECTED
            if not again:
                if self._slave_state is not FREE:
                    raise ResponsibleException(SlaveErrorCode.SLAVE_ALREADY_CONNECTED, "This slave already connected.")
                self._slave_state = SLAVE_STATES.move(self._slave_state, CONNECTING)
            bench = self._bench
        if not again:
            self._ask_hook(self._before_connection, body.get("data", {}), CONNECTING, FREE)
            with self._lock:
                over = bench is None or self._bench is not bench  # it was closed meanwhile, and may be another's now
                if not over:
                    self._slave_state = SLAVE_STATES.move(self._slave_state, CONNECTED)
                    self.link = link
            if over:
                raise ResponsibleException(SlaveErrorCode.SYSTEM_SHUTTING_DOWN, "This slave ends.", status_code=401)
            if self._pulse is not None:
                self._pulse.restart()
        if not isinstance(extras, dict):
            return Reply("Connect success.")
        wire = PATH if self._wire is not None and extras.get("wire") else None
        return Reply("Connect success.", more={"syncio": {"slots": self.config.slots, "wire": wire}})

    def _link_to(self, body: dict[str, Any], token: str, knows_more: bool) -> MasterLink:
        master = body.get("master")
        address = master.get("address") if isinstance(master, dict) else None
        if not isinstance(address, str):
            raise ResponsibleException(message="A master says its address.")
        try:
            link = MasterLink(self, address, token, knows_more)
        except ConfigurationError as exc:
            raise ResponsibleException(message=str(exc)) from None
        allowed = self.config.allowed_masters
        if allowed is not None and urlsplit(address).hostname not in allowed:
            raise _refusal(SlaveErrorCode.SLAVE_CONNECTION_REFUSED, "This slave has no master at that address.")
        return link

    def _ask_hook(self, hook: Callable[[Any], None], data: Any, asking: SlaveState, before: SlaveState) -> None:
        """Ask a hook whether it agrees; if not, everything is as before."""
        bench = self._bench
        try:
            hook(data)
        except BaseException:
            with self._lock:
                if self._slave_state is asking and self._bench is bench:
                    self._slave_state = SLAVE_STATES.move(self._slave_state, before)
            raise

    def _check_master(self, asked: Asked) -> MasterLink:
        """The master whose request this is."""
        self._check_channel(asked, SlaveErrorCode.CHANNEL_NOT_FOUND)
        token = self._token(asked, SlaveErrorCode.MASTER_TOKEN_NOT_FOUND, "Master")
        link = self.link
        if link is None or not same_token(token, link.token):
            raise _refusal(SlaveErrorCode.MASTER_TOKEN_INVALID, "Master not match with this endpoint.")
        return link

    def _disconnect(self, asked: Asked) -> Reply:
        if self.link is None and self._last_token and same_token(asked.token, self._last_token):
            return Reply("Disconnect success.")  # asked for once more
        link = self._check_master(asked)
        body = asked.body()
        with self._lock:
            if self._slave_state is not CONNECTED:
                raise ResponsibleException(SlaveErrorCode.SLAVE_NOT_CONNECTED, "This slave not connected yet.")
            self._slave_state = SLAVE_STATES.move(self._slave_state, DISCONNECTING)
        self._ask_hook(self._before_disconnection, body.get("data", {}), DISCONNECTING, CONNECTED)
        self._last_token = link.token
        self._release(link, self._bench)
        return Reply("Disconnect success.")

    def _new_task(self, asked: Asked) -> Reply:
        link = self._check_master(asked)
        body = asked.body()
        work = self.take_task(link, _task_id(body), body.get("data", {}))
        if work is None:
            return Reply("Task received!")
        # Behind the answer: a master may not understand a result of what it does not know to have started.
        return Reply("Task received!", then=lambda: self.runtime.relay().submit(Call(work)))

    def _cancel(self, asked: Asked) -> Reply:
        self._check_master(asked)
        self.cancel_task(_task_id(asked.body()))
        return Reply("Nobody wants it any more.")

    def take_task(self, link: MasterLink, task_id: str, data: Any) -> Callable[[], None] | None:
        """A master has a task, whichever way it came.

        :return: does it, here; None for one that was taken before.
        :raises ResponsibleException: the refusal.
        """
        bench = self._bench
        if bench is None:
            words = "This slave is about to end."
            raise ResponsibleException(SlaveErrorCode.SYSTEM_SHUTTING_DOWN, words, status_code=401)
        job = bench.take(link, task_id, data)
        return partial(bench.run, job) if job is not None else None

    def cancel_task(self, task_id: str) -> None:
        """Nobody wants a task's result any more."""
        bench = self._bench
        if bench is not None:
            bench.cancel(task_id)

    # ------------------------------------------------------------------ the end of a connection

    def _release(self, link: MasterLink, bench: Workbench | None) -> bool:
        """The connection is over: nobody wants what its tasks bring. Whether it was not before."""
        with self._lock:
            if self.link is not link:
                return False
            self._slave_state = SLAVE_STATES.move(self._slave_state, FREE)
            self.link = None
        link.end()
        if bench is not None:
            bench.abandon(link)
        return True

    def wire_broke(self, link: MasterLink) -> None:
        """Called by the wire: what was not confirmed goes by HTTP, and the master is asked whether it lives."""
        link.bring_unconfirmed()
        if self._pulse is not None:
            self._pulse.hurry(link)

    def _lost(self, link: MasterLink, error: Exception) -> None:
        if not self._release(link, self._bench):
            return
        logger.info("the master at %s was lost: %s", link.address, error)
        try:
            self._lost_connection(link.address, error)
        except Exception:
            logger.exception("_lost_connection failed")


def _refusal(code: int, message: str) -> ResponsibleException:
    return ResponsibleException(code, message, status_code=403)


def _task_id(body: dict[str, Any]) -> str:
    task = body.get("task")
    try:
        return str(UUID(task["id"]))  # type: ignore[index]
    except (KeyError, ValueError, TypeError, AttributeError):
        raise ResponsibleException(message="A task has an id, which is a UUID.") from None
