"""A slave's link to its master: which way results, progress and goodbyes go, and that none is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncio.errors import ConfigurationError
from syncio.interaction import HTTPError, RequestException, TaskStatus
from syncio.interaction.master_link import MasterLink, Outcome

from ..runtime.kinds import PATIENCE
from .peers import OK, DrivenSlave, Ends, Peer, Request

DONE = Outcome("complete", '{"a":1}')
PATH = "/slave/task/complete"


class Sent:
    """A wire that keeps what is sent; it may be gone."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.is_gone = False

    def send(self, text: str) -> bool:
        """Keep it, unless this is gone."""
        if not self.is_gone:
            self.messages.append(json.loads(text))
        return not self.is_gone


@pytest.fixture
def peer(plain: Ends) -> Peer:
    """The master."""
    return plain.peer()


@pytest.fixture
def link(plain: Ends, peer: Peer) -> MasterLink:
    """The link to it."""
    return link_to(plain, peer)


def link_to(ends: Ends, peer: Peer, knows_more: bool = True) -> MasterLink:
    """A link to a master of raw HTTP."""
    made = MasterLink(DrivenSlave(request_retries=1), peer.url, "t1", knows_more)
    ends.add(Ending(made))
    return made


class Ending:
    """Ends a link with the test."""

    def __init__(self, link: MasterLink) -> None:
        self.close = link.end


def test_results_over_http(link: MasterLink, peer: Peer) -> None:
    """Without a wire a result is a request, with token and channel."""
    link.report("x", DONE)
    asked = peer.next()
    assert (asked.method, asked.path, asked.body) == ("PUT", PATH, {"task": {"id": "x"}, "result": {"a": 1}})
    assert (asked.token, asked.headers["channel"]) == ("t1", "0")
    link.report("y", Outcome("fail", "7"))
    assert peer.next("/slave/task/fail").body == {"task": {"id": "y"}, "result": 7}


def test_results_by_the_wire(link: MasterLink, peer: Peer) -> None:
    """With a wire a result goes that way, and is known until the master has confirmed it, once."""
    sent = Sent()
    link.send = sent.send
    link.report("x", DONE)
    assert sent.messages == [["done", "x", "complete", {"a": 1}]]
    assert [link.confirmed("x"), link.confirmed("x"), link.confirmed("nobody")] == [True, False, False]
    link.bring_unconfirmed()
    assert peer.requests.empty()


def test_results_of_which_nobody_knows(link: MasterLink, peer: Peer) -> None:
    """When the wire has gone, every result that was not confirmed is brought over HTTP, once."""
    sent = Sent()
    link.send = sent.send
    names = [str(number) for number in range(40)]
    for name in names:
        link.report(name, DONE)
    link.confirmed("0")
    link.send = None
    link.bring_unconfirmed()
    link.bring_unconfirmed()
    assert sorted(peer.next(PATH).body["task"]["id"] for _ in names[1:]) == sorted(names[1:])
    link.report("last", DONE)
    assert peer.next(PATH).body["task"]["id"] == "last" and peer.requests.empty()


@pytest.mark.parametrize("when", ["before", "meanwhile", "behind"])
def test_a_wire_that_goes_while_a_result_is_sent(link: MasterLink, peer: Peer, when: str) -> None:
    """Whenever the wire's end is noticed, the result arrives."""

    def send(text: str) -> bool:
        if when != "behind":
            link.send = None
        if when == "meanwhile":
            link.bring_unconfirmed()
        return when == "behind"

    link.send = send
    link.report("x", DONE)
    if when == "behind":
        link.send = None
        link.bring_unconfirmed()
    assert peer.next(PATH).body["task"]["id"] == "x"


def test_a_result_that_the_master_does_not_take(plain: Ends) -> None:
    """Where a master answers a result with an error that says nothing, it hears that the task has failed."""

    def answer(request: Request) -> Any:
        return (413, b"<html>") if request.path == PATH else (200, OK)

    peer = plain.peer(answer)
    link_to(plain, peer).report("x", DONE)
    peer.next(PATH)
    body = peer.next("/slave/task/fail").body
    assert body["task"] == {"id": "x"} and body["result"]["error"]["type"] == HTTPError.__name__
    assert "413" in body["result"]["error"]["message"]


@pytest.mark.parametrize("answer", [(404, {**OK, "success": False, "code": 601}), (500, b""), None])
def test_a_result_that_nobody_takes(plain: Ends, caplog: pytest.LogCaptureFixture, answer: Any) -> None:
    """A result that does not arrive, however it is said, is logged, and raises nothing."""
    link_to(plain, plain.peer(lambda request: answer)).report("x", DONE)
    assert "the result of task x does not reach" in caplog.text


def test_results_larger_than_the_master_takes(ends: Ends) -> None:
    """A task whose result is too large for its master has failed; the slave goes on."""

    class Large(DrivenSlave):
        def _process_task(self, task: Any) -> Any:
            return "x" * task["length"]

    connection = ends.connected(ends.master(max_body=10_000), ends.slave(Large))
    for length in (15_000, 50_000, 1_000_000):
        task = connection.new_task({"length": length}).start().join(PATIENCE)
        if task.status is TaskStatus.FAILED:
            assert "413" in task.result["error"]["message"]
        else:
            assert connection.has_wire and len(task.result) == length < 20_000
    assert connection.new_task({"length": 5}).start().join(PATIENCE).result == "xxxxx"


def test_progress(link: MasterLink, peer: Peer) -> None:
    """Progress goes by the wire if there is one, and by one request if not."""
    sent = Sent()
    link.send = sent.send
    link.progress("x", "0.5")
    assert sent.messages == [["progress", "x", 0.5]]
    sent.is_gone = True
    link.progress("x", "0.6")
    assert peer.next("/slave/task/progress").body == {"task": {"id": "x"}, "progress": 0.6}


def test_heartbeats(link: MasterLink, peer: Peer) -> None:
    """Heartbeats go by the wire if there is one, and by HTTP if not."""
    sent = Sent()
    link.send = sent.send
    link.heartbeat()
    assert sent.messages == [["alive"]]
    sent.is_gone = True
    link.heartbeat()
    assert peer.next("/slave/heartbeat").token == "t1"
    peer.answer = lambda request: None
    with pytest.raises(RequestException):
        link.heartbeat()


def test_goodbyes(link: MasterLink, peer: Peer) -> None:
    """A goodbye goes by the wire if there is one, and by HTTP if not; that it does not arrive is no error."""
    sent = Sent()
    link.send = sent.send
    link.leave()
    assert sent.messages == [["bye"]]
    link.send = None
    link.leave()
    assert peer.next().path == "/slave/leave"
    peer.answer = lambda request: None
    link.leave()
    assert len([peer.next("/slave/leave") for _ in range(1)]) == 1


def test_a_master_of_the_original(plain: Ends, peer: Peer) -> None:
    """A master that knows nothing of progress and goodbyes is not bothered with them."""
    link = link_to(plain, peer, knows_more=False)
    link.progress("x", "0.5")
    link.leave()
    link.heartbeat()
    assert peer.next().path == "/slave/heartbeat" and peer.requests.empty()


def test_what_is_over_says_nothing(link: MasterLink, peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    """Behind `end` nothing is asked, said or logged."""
    sent = Sent()
    link.send = sent.send
    link.report("x", DONE)
    link.end()
    link.send = None
    link.bring_unconfirmed()
    for call in (lambda: link.report("y", DONE), lambda: link.progress("y", "1"), link.leave):
        call()
    with pytest.raises(RequestException):
        link.heartbeat()
    assert peer.requests.empty() and caplog.records == []


@pytest.mark.parametrize("address", ["", "x", "ftp://h/"])
def test_addresses_that_are_none(address: str) -> None:
    """A link needs a URL."""
    with pytest.raises(ConfigurationError):
        MasterLink(DrivenSlave(), address, "t", True)
