"""A slave's link to its master: where results, progress and heartbeats go."""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..runtime import Call, Lane
from .errors import HTTPError, RequestException, ResponseException, get_master_exception_by_error
from .http_engine import get_http_engine_class, split_http_address

if TYPE_CHECKING:
    from .slave import Slave

__all__ = ["MasterLink", "Outcome"]

Send = Callable[[str], bool]
ERRANDS = 8
"""Requests that workers make at the same time to bring results for which the wire was no good."""

logger = logging.getLogger("syncio.interaction")


class Outcome:
    """What has come of a task.

    :param kind: 'complete' or 'fail'.
    :param text: the result, as JSON.
    """

    __slots__ = ("kind", "text")

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text


class MasterLink:
    """One master, from its connect request to the end of that connection.

    :param address: its URL.
    :param token: what we show it, and it shows us.
    :param knows_more: whether it is one of ours, which takes progress and goodbyes.
    :raises ConfigurationError: if the address is no URL.
    """

    def __init__(self, slave: Slave, address: str, token: str, knows_more: bool) -> None:
        self.address = address
        self.token = token
        self.knows_more = knows_more
        self.since = slave.runtime.now()
        self.send: Send | None = None
        """Sends a message by the wire, or says that it is gone; None while there is no wire."""
        self.is_over = False
        self._config = slave.config
        self._lock = slave.runtime.lock()
        self._unconfirmed: OrderedDict[str, Outcome] = OrderedDict()
        self._errands = Lane(slave.runtime.relay(), slave.runtime.lock(), Call.run, ERRANDS)
        self._engine = get_http_engine_class(
            headers={"Channel": lambda: str(slave.config.channel), "Token": lambda: token},
            http_error_gene=get_master_exception_by_error,
        )()(*split_http_address(address), slave.dialling)

    def end(self) -> None:
        """The connection is over: ask the master nothing any more."""
        self.is_over = True
        with self._lock:
            self._unconfirmed.clear()
        self._engine.close()

    # ------------------------------------------------------------------ heartbeats

    def heartbeat(self) -> None:
        """Say that we live.

        :raises RequestException: if the master cannot be reached.
        :raises MasterResponseException: if it does not know us.
        """
        send = self.send
        if send is None or not send('["alive"]'):
            self._request("GET", "/slave/heartbeat")

    # ------------------------------------------------------------------ results

    def report(self, task_id: str, outcome: Outcome) -> None:
        """Bring a result to the master: by the wire, and by HTTP if that breaks before the master has confirmed it."""
        send = self.send
        if send is not None:
            with self._lock:
                self._unconfirmed[task_id] = outcome
            if send(f'["done","{task_id}","{outcome.kind}",{outcome.text}]') and self.send is send:
                return
            if not self.confirmed(task_id):
                return  # whoever noticed the wire's end brings it
        self.report_over_http(task_id, outcome)

    def confirmed(self, task_id: str) -> bool:
        """The master has a result; whether that was news."""
        with self._lock:
            return self._unconfirmed.pop(task_id, None) is not None

    def bring_unconfirmed(self) -> None:
        """The wire is gone: workers bring the results of which nobody knows whether they arrived."""
        with self._lock:
            left = list(self._unconfirmed.items())
            self._unconfirmed.clear()
        if left:
            self._errands.put([Call(self.report_over_http, task_id, outcome) for task_id, outcome in left])

    def report_over_http(self, task_id: str, outcome: Outcome) -> None:
        """Bring a result to the master by a request, which may come twice: the master knows the task by its id."""
        if self.is_over:
            return
        try:
            try:
                self._bring(task_id, outcome)
            except HTTPError as exc:  # as one that is too large: without any end the task would never be over
                error = {"type": type(exc).__name__, "message": f"the master does not take the result: {exc}"}
                self._bring(task_id, Outcome("fail", json.dumps({"error": error})))
        except (RequestException, ResponseException) as exc:
            if not self.is_over:
                logger.warning("the result of task %s does not reach %s: %s", task_id, self.address, exc)

    def _bring(self, task_id: str, outcome: Outcome) -> None:
        body = {"task": {"id": task_id}, "result": json.loads(outcome.text)}
        self._request("PUT", f"/slave/task/{outcome.kind}", body)

    def progress(self, task_id: str, text: str) -> None:
        """Tell a master of ours how far a task is; that it does not arrive is no harm."""
        if not self.knows_more or self.is_over:
            return
        send = self.send
        if send is not None and send(f'["progress","{task_id}",{text}]'):
            return
        body = {"task": {"id": task_id}, "progress": json.loads(text)}
        try:
            self._engine.request("PUT", "/slave/task/progress", body, retries=0)
        except (RequestException, ResponseException) as exc:
            logger.debug("progress of task %s does not reach %s: %s", task_id, self.address, exc)

    def leave(self) -> None:
        """Tell a master of ours that we end."""
        if not self.knows_more or self.is_over:
            return
        send = self.send
        if send is not None and send('["bye"]'):
            return
        try:
            self._engine.request("DELETE", "/slave/leave", {}, retries=0)
        except (RequestException, ResponseException) as exc:
            logger.debug("no goodbye to %s: %s", self.address, exc)

    def _request(self, method: str, path: str, data: dict[str, Any] | None = None) -> None:
        self._engine.request(
            method,
            path,
            data,
            retries=self._config.request_retries,
            retry_waiting=self._config.request_retry_waiting,
        )
