"""The status page: what it shows, and that it stays fresh."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any

import pytest

from syncio.engineio.client import Client
from syncio.errors import ConnectionError
from syncio.interaction import Master

from ..runtime.kinds import PATIENCE
from .peers import DrivenSlave, Ends

SECRET = "correct horse"
BASIC = {"Authorization": "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()}


def get(master: Master, path: str) -> tuple[str, bytes]:
    """A page: its type and its content."""
    client = http.client.HTTPConnection("127.0.0.1", master.port, timeout=PATIENCE)
    client.request("GET", path)
    answer = client.getresponse()
    content = answer.read()
    client.close()
    assert answer.status == 200
    return str(answer.getheader("Content-Type")), content


def snapshot(master: Master) -> dict[str, Any]:
    """What the page is told."""
    said: dict[str, Any] = json.loads(get(master, "/status.json")[1])
    return said


class Looking:
    """Somebody who looks."""

    def __init__(self, ends: Ends, master: Master, **headers: str) -> None:
        self.seen = ends.runtime.queue()
        self.client = Client()
        self.client.on("message", self.seen.put)
        ends.add(self)
        self.client.connect(f"http://127.0.0.1:{master.port}", headers)

    def sees(self) -> dict[str, Any]:
        """The next thing that is seen."""
        said: dict[str, Any] = self.seen.get(timeout=PATIENCE)
        return said

    def close(self) -> None:
        """Look away."""
        self.client.disconnect()


def test_the_page(ends: Ends) -> None:
    """The page is HTML, and needs nothing from elsewhere."""
    kind, content = get(ends.master(status_page=True), "/")
    assert kind.startswith("text/html") and content.startswith(b"<!doctype html>")
    assert b'src="http' not in content and b'href="http' not in content


def test_a_master_alone(ends: Ends) -> None:
    """A master without slaves shows its address and its queue."""
    master = ends.master(status_page=True)
    master.submit({})
    assert snapshot(master) == {"address": master.my_address, "waiting": 1, "under_way": 0, "slaves": []}


def test_slaves_and_their_tasks(ends: Ends) -> None:
    """Each slave is shown with its slots, its tasks and what it has done."""
    master, slave = ends.master(status_page=True), ends.slave(slots=3)
    connection = ends.connected(master, slave)
    for data in ({"a": 1}, {"fail": {}}, {"a": 2}):
        connection.new_task(data).start().join(PATIENCE)
    task = connection.new_task({"wait": True}).start()
    task.progressed({"done": 0.5})
    (shown,) = snapshot(master)["slaves"]
    assert (shown["name"], shown["url"], shown["slots"]) == ("one", connection.url, 3)
    assert (shown["completed"], shown["failed"], shown["wire"]) == (2, 1, connection.has_wire)
    assert shown["tasks"] == [{"id": task.id, "status": "STARTED", "progress": {"done": 0.5}}]
    assert 0 <= shown["heartbeat"] < PATIENCE and 0 <= shown["connected"] < PATIENCE


def test_it_is_live(ends: Ends) -> None:
    """Who looks sees how it is at once, and what changes a little later."""
    master, slave = ends.master(status_page=True), ends.slave()
    looking = Looking(ends, master)
    assert looking.sees()["slaves"] == []
    connection = ends.connected(master, slave)
    while not looking.sees()["slaves"]:
        pass
    connection.new_task({"a": 1}).start().join(PATIENCE)
    while looking.sees()["slaves"][0]["completed"] == 0:
        pass


def test_nobody_looks_for_a_while(ends: Ends) -> None:
    """When all have looked away nothing is watched any more, and who comes then sees what changes."""
    master = ends.master(status_page=True)
    first = Looking(ends, master)
    first.sees()
    page = master._status_page
    assert page is not None and page._watch is not None
    first.close()
    assert ends.wait(lambda: page._watch is None)
    second = Looking(ends, master)
    assert [second.sees()["slaves"] for _ in range(2)] == [[], []]


def test_the_end_of_the_master(ends: Ends) -> None:
    """A master with people who look is closed, and they hear of it."""
    master = ends.master(status_page=True)
    looking = Looking(ends, master)
    looking.sees()
    master.close()
    assert ends.wait(lambda: looking.client.state != "connected")


def test_the_events_have_the_password(ends: Ends) -> None:
    """With a secret, who looks has to know it."""
    master = ends.master(status_page=True, secret=SECRET)
    assert Looking(ends, master, **BASIC).sees()["slaves"] == []
    with pytest.raises(ConnectionError):
        Looking(ends, master)


def test_without_a_page(ends: Ends, slave: DrivenSlave) -> None:
    """A master without the page has no events either."""
    with pytest.raises(ConnectionError):
        Looking(ends, ends.master())
