"""Who may have a slave, who may join a master, who may look, and what may be known of a token."""

from __future__ import annotations

import base64
import http.client
import json
import queue
import secrets
from typing import Any

import pytest

from syncio.errors import ConfigurationError
from syncio.interaction import (
    Master,
    MasterResponseException,
    MasterSlaveTokenInvalid,
    RequestException,
    Slave,
    SlaveMasterTokenInvalid,
    SlaveSlaveConnectionRefused,
)

from ..runtime.kinds import PATIENCE
from .peers import OK, DrivenSlave, Ends, Peer, ask, wire_of

SECRET = "correct horse"


def untouched(peer: Peer) -> bool:
    """Whether nobody has called a peer."""
    with pytest.raises(queue.Empty):
        peer.requests.get_nowait()
    return True


# ---------------------------------------------------------------------- the secret


@pytest.mark.parametrize("given", [None, "wrong", SECRET + "!", SECRET.upper()])
def test_a_slave_with_a_secret_wants_it_of_its_master(ends: Ends, given: str | None) -> None:
    """A master that does not know the secret does not get the slave; one that does, does."""
    slave = ends.slave(secret=SECRET)
    connection = ends.master(secret=given).new_connection("one", "127.0.0.1", slave.port)
    with pytest.raises(SlaveMasterTokenInvalid):
        connection.connect()
    assert not connection.is_connected and not slave.is_connected
    right = ends.connected(ends.master(secret=SECRET), slave)
    assert right.new_task({"a": 1, "b": 2}).start().join(PATIENCE).result == {"sum": 3}
    right.disconnect()


def test_a_slave_without_a_secret_takes_any_master(ends: Ends, slave: DrivenSlave) -> None:
    """A master may have a secret that its slave does not ask for."""
    assert ends.connected(ends.master(secret=SECRET), slave).is_connected


@pytest.mark.parametrize("given", [None, "wrong"])
def test_a_master_with_a_secret_wants_it_of_who_joins(ends: Ends, given: str | None) -> None:
    """A slave that does not know the secret may not join, and is not called; one that does, may."""
    master = ends.master(accept_slaves=True, secret=SECRET)
    slave = ends.slave(secret=given)
    with pytest.raises(MasterSlaveTokenInvalid):
        slave.join_master(master.my_address, "one")
    assert list(master) == [] and not slave.is_connected
    right = ends.slave(secret=SECRET)
    assert right.join_master(master.my_address, "one") == "one"
    assert right.is_connected and list(master) == ["one"]


def test_a_slave_that_joins_keeps_its_own_secret(ends: Ends) -> None:
    """A slave that asks for a secret which the master does not know cannot be had by it, though it has joined."""
    master, slave = ends.master(accept_slaves=True), ends.slave(secret=SECRET)
    with pytest.raises(RequestException):
        slave.join_master(master.my_address)
    assert list(master) == [] and not slave.is_connected


def test_a_secret_is_not_repeated(ends: Ends) -> None:
    """A secret is in no answer, in no error, in no text of an end, and goes only where it is asked for."""
    peer = ends.peer()
    master = ends.master(secret=SECRET)
    slave = ends.slave(secret=SECRET)
    connection = ends.connected(master, peer)
    connection.disconnect()
    assert peer.next("/connect").headers["secret"] == SECRET
    assert "secret" not in peer.next("/disconnect").headers
    reply = ask(slave.port, "POST", "/connect", {"master": {"address": peer.url}}, Token="t1", Secret="guess")
    assert reply.status == 403 and SECRET not in str(reply) and "guess" not in str(reply)
    assert SECRET not in repr(master) + repr(slave) + repr(connection)
    with pytest.raises(ConfigurationError) as caught:
        Master(secret="sm\xf6rg\xe5s")
    assert "sm\xf6rg" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", " ", " a", "a ", "a\r\nb", "\xe5", "a\tb", "a\0"])
def test_secrets_that_cannot_be_sent(secret: str) -> None:
    """A secret that is empty, or could not go into a header, is refused at once."""
    for kind in (Master, DrivenSlave):
        with pytest.raises(ConfigurationError):
            kind(secret=secret)


# ---------------------------------------------------------------------- where masters may be


@pytest.mark.parametrize("allowed", [["10.0.0.1"], [], {"example.com", "127.0.0.2"}])
def test_masters_from_elsewhere_are_refused(ends: Ends, master: Master, allowed: Any) -> None:
    """A slave with a list of masters takes none whose address names another host."""
    slave = ends.slave(allowed_masters=allowed)
    with pytest.raises(SlaveSlaveConnectionRefused):
        ends.connected(master, slave)
    assert not slave.is_connected


def test_masters_from_where_they_may_be_are_taken(ends: Ends, master: Master) -> None:
    """A slave with a list of masters takes those on it."""
    assert ends.connected(master, ends.slave(allowed_masters=["10.0.0.1", "127.0.0.1"])).is_connected


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/10.0.0.1",
        "http://127.0.0.1:{port}#@10.0.0.1/",
        "http://127.0.0.1:{port}?@10.0.0.1/",
        "http://10.0.0.1.localhost:{port}/",
    ],
)
def test_addresses_that_only_look_allowed(plain: Ends, address: str) -> None:
    """An address that has an allowed host somewhere, and leads elsewhere, is refused."""
    slave, peer = plain.slave(allowed_masters=["10.0.0.1"]), plain.peer()
    body = {"master": {"address": address.format(port=peer.port)}}
    assert ask(slave.port, "POST", "/connect", body, Token="t1").status == 403
    assert untouched(peer)


def test_a_list_of_masters_is_a_list() -> None:
    """One text is no list of hosts."""
    with pytest.raises(ConfigurationError):
        DrivenSlave(allowed_masters="127.0.0.1")


# ---------------------------------------------------------------------- addresses

NO_URLS = [
    "", "127.0.0.1", "127.0.0.1:80", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://:80", "http:///x",
    "http://127.0.0.1:99999", "http://127.0.0.1:x", "http://[::1", "//127.0.0.1", "javascript:1", "HTTP//x",
]  # fmt: skip


@pytest.mark.parametrize("address", [*NO_URLS, None, 7, [], {}, True])
def test_a_master_has_to_name_a_url(plain: Ends, address: Any) -> None:
    """A slave refuses a master whose address is no http or https URL, and stays free."""
    slave = plain.slave()
    assert ask(slave.port, "POST", "/connect", {"master": {"address": address}}, Token="t1").status == 400
    assert not slave.is_connected and slave.ping()


@pytest.mark.parametrize(
    "host", ["a b", "a\0b", "a\x7fb", "x" * 300, "a..b", "\u2100"], ids=lambda host: ascii(host)[:9]
)
def test_a_master_that_can_never_be_reached(plain: Ends, host: str) -> None:
    """A master at a host that cannot be is refused or lost; the slave's heart beats on for the next one."""
    slave, peer = plain.slave(request_retries=0), plain.peer()
    reply = ask(slave.port, "POST", "/connect", {"master": {"address": f"http://{host}/"}}, Token="t1")
    assert reply.status in (200, 400)
    if reply.status == 200:
        assert slave.lost.get(timeout=PATIENCE)
    assert ask(slave.port, "POST", "/connect", {"master": {"address": peer.url}}, Token="t2").status == 200
    assert peer.next("/slave/heartbeat").token == "t2"


@pytest.mark.parametrize("host", ["a b", "a\0b", "x" * 300], ids=lambda host: ascii(host)[:9])
def test_a_slave_that_can_never_be_reached(plain: Ends, host: str) -> None:
    """A connection to a host that cannot be is a RequestException like every other that nobody answers."""
    connection = plain.master(request_retries=0).new_connection("one", host, 80)
    with pytest.raises(RequestException):
        connection.connect()
    assert not connection.is_connected


@pytest.mark.parametrize("address", ["", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999", "http://[::1"])
def test_a_slave_joins_at_a_url(plain: Ends, address: str) -> None:
    """`join_master` refuses what is no address before anybody is asked."""
    with pytest.raises(ConfigurationError):
        plain.slave().join_master(address)


@pytest.mark.parametrize("address", ["", "127.0.0.1:7235", "ftp://127.0.0.1/", "//127.0.0.1"])
def test_a_master_is_reached_at_a_url(address: str) -> None:
    """`my_address` has to be an http or https URL."""
    with pytest.raises(ConfigurationError):
        Master(my_address=address)


def test_a_token_stays_a_header(plain: Ends) -> None:
    """A token of odd characters comes back as the same header, and as no other."""
    slave, peer = plain.slave(), plain.peer()
    token = 'a; b=\xe5 "c" %0d%0aX: y'
    body = {"master": {"address": peer.url}}
    assert ask(slave.port, "POST", "/connect", body, Token=token).status == 200
    heartbeat = peer.next("/slave/heartbeat")
    assert heartbeat.token == token and "x" not in heartbeat.headers


# ---------------------------------------------------------------------- tokens


def test_tokens_come_from_the_system(plain: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each digit of a token is a choice of `secrets`."""
    chosen: list[str] = []
    choose = secrets.choice

    def choice(digits: Any) -> Any:
        chosen.append(choose(digits))
        return chosen[-1]

    monkeypatch.setattr(secrets, "choice", choice)
    peer = plain.peer()
    plain.connected(plain.master(), peer)
    assert peer.next("/connect").token in "".join(chosen)


def test_each_connection_has_a_token_of_its_own(ends: Ends, master: Master, slave: DrivenSlave) -> None:
    """A connection gets a new token each time; the last one opens nothing any more, at neither end."""
    tokens = []
    for _ in range(3):
        connection = ends.connected(master, slave)
        tokens.append(connection.token)
        connection.disconnect()
    connection = ends.connected(master, slave)
    assert len({*tokens, connection.token}) == 4
    for token in tokens:
        reply = ask(master.port, "GET", "/slave/heartbeat", Token=token)
        assert (reply.status, reply.code) == (403, 502)
        reply = ask(slave.port, "POST", "/task/new", {"task": {"id": token}}, Token=token)
        assert (reply.status, reply.code) == (403, 302)
        assert ask(slave.port, "DELETE", "/disconnect", Token=token).status == 403
    assert connection.is_connected and slave.is_connected


def test_the_wire_wants_the_token(plain: Ends) -> None:
    """Nobody gets to the wire of a slave without its master's token and channel, and nobody while there is none."""
    slave, peer = plain.slave(wire=True), plain.peer()

    def upgrade(**headers: str) -> int:
        client = wire_of(slave, **headers)
        status = client.getresponse().status
        client.close()
        return status

    assert upgrade(Token="t1") == 401
    body = {"master": {"address": peer.url}, "syncio": {"wire": True}}
    reply = ask(slave.port, "POST", "/connect", body, Token="t1")
    assert reply.said["syncio"]["wire"] == "wire"
    assert upgrade() == upgrade(Token="t2") == upgrade(Channel="1", Token="t1") == 401
    assert upgrade(Token="t1") == 101


# ---------------------------------------------------------------------- joining


def join(master: Master, body: Any, here: str = "127.0.0.1", **headers: str) -> tuple[int, Any]:
    """Ask a master to connect, from an address of this host: status and envelope."""
    client = http.client.HTTPConnection("127.0.0.1", master.port, timeout=PATIENCE, source_address=(here, 0))
    client.request("POST", "/slave/join", json.dumps(body), {"Channel": "0", **headers})
    answer = client.getresponse()
    said = json.loads(answer.read())
    client.close()
    return answer.status, said


def test_nobody_joins_a_master_that_does_not_say_so(plain: Ends) -> None:
    """Without `accept_slaves` there is nothing to ask."""
    peer = plain.peer()
    assert join(plain.master(), {"port": peer.port})[0] == 404
    assert untouched(peer)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "0.0.0.0", "2130706433", "127.0.0.1.", "::1"])
def test_a_master_without_a_secret_calls_back_and_nobody_else(plain: Ends, host: str) -> None:
    """Who joins a master without a secret is where the request comes from, whatever it says."""
    master, peer = plain.master(accept_slaves=True), plain.peer()
    forwarded = {"X-Forwarded-For": host, "Forwarded": f"for={host}"}
    assert join(master, {"port": peer.port, "host": host}, **forwarded)[0] == 403
    assert untouched(peer) and list(master) == []
    status, said = join(master, {"port": peer.port}, **forwarded)
    assert (status, said["data"]) == (200, {"name": f"127.0.0.1:{peer.port}"})
    assert peer.next().path == "/connect"


def test_a_master_with_a_secret_calls_who_is_named(plain: Ends) -> None:
    """Who knows the secret may name another host."""
    master, peer = plain.master(accept_slaves=True, secret=SECRET), plain.peer()
    body = {"port": peer.port, "host": "localhost", "name": "one"}
    assert join(master, body, Secret="wrong")[0] == join(master, body)[0] == 403
    assert untouched(peer)
    assert join(master, body, Secret=SECRET)[0] == 200
    assert master["one"].url == f"http://localhost:{peer.port}"


@pytest.mark.parametrize(
    "body",
    [
        *({"port": port} for port in ("80", 0, -1, 65536, True, None, 1.5, [80])),
        *({"port": 80, "name": name} for name in (7, ["x"], {"x": 1}, "x" * 101)),
        *({"port": 80, "host": host} for host in (7, ["127.0.0.1"], {"x": 1})),
        [],
        None,
        "x",
    ],
    ids=str,
)
def test_joining_with_nonsense(plain: Ends, body: Any) -> None:
    """Who says no name, host or port that can be is refused."""
    master = plain.master(accept_slaves=True)
    status, said = join(master, body)
    assert status in (400, 403) and said["success"] is False
    assert list(master) == [] and master.ping()


def test_nobody_takes_the_name_of_another_host(plain: Ends) -> None:
    """Without a secret a name is not taken over from another host: that slave and its tasks stay."""
    master, owner, thief = plain.master(accept_slaves=True), plain.peer(), plain.peer()
    assert join(master, {"port": owner.port, "name": "one"})[0] == 200
    connection = master["one"]
    task = connection.new_task({}).start()
    assert join(master, {"port": thief.port, "name": "one"}, here="127.0.0.2")[0] == 409
    assert master["one"] is connection and connection.tasks == [task] and untouched(thief)
    # The same slave, which has forgotten us, is welcome.
    assert join(master, {"port": owner.port, "name": "one"})[0] == 200
    assert master["one"] is not connection and master["one"].is_connected


def test_a_slave_that_refuses_has_not_joined(plain: Ends) -> None:
    """If the slave that was named does not want the master, or is none, the answer says so."""
    master = plain.master(accept_slaves=True)
    for answer in ((403, {**OK, "success": False, "code": 503}), (200, b"<html>"), None):
        peer = plain.peer(lambda request, answer=answer: answer)
        status, said = join(master, {"port": peer.port})
        assert status == 400 and said["success"] is False
    assert list(master) == []
    with pytest.raises((RequestException, MasterResponseException)):
        plain.slave().join_master(plain.peer(lambda request: (200, b"<html>")).url)


# ---------------------------------------------------------------------- the status page


def look(master: Master, path: str, credentials: str | None = None, method: str = "GET") -> tuple[int, dict[str, str]]:
    """Ask for a page, as a browser does: the status and the headers."""
    client = http.client.HTTPConnection("127.0.0.1", master.port, timeout=PATIENCE)
    client.request(method, path, None, {} if credentials is None else {"Authorization": credentials})
    answer = client.getresponse()
    answer.read()
    client.close()
    return answer.status, dict(answer.getheaders())


def basic(user: str, password: str) -> str:
    """What a browser sends for a name and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


PAGES = ["/", "/status.json", "/engine.io/?EIO=4&transport=polling"]


@pytest.mark.parametrize("path", PAGES)
def test_the_status_page_has_the_secret_for_its_password(plain: Ends, path: str) -> None:
    """With a secret who looks has to know it, under any name."""
    master = plain.master(status_page=True, secret=SECRET)
    wrong = [
        None, "", "Basic", "Basic !", "Basic " + "A" * 5, basic("", "wrong"), basic("", ""), basic(SECRET, ""),
        "Bearer " + basic("x", SECRET)[6:], "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Basic " + SECRET,
        "Basic " + base64.b64encode(SECRET.encode()).decode(), SECRET,
    ]  # fmt: skip
    for credentials in wrong:
        status, headers = look(master, path, credentials)
        assert status == 401 and headers["WWW-Authenticate"].startswith("Basic "), credentials
    assert look(master, path, basic("anybody", SECRET))[0] == 200
    assert look(master, path, basic("", SECRET).replace("Basic", "basic"))[0] == 200
    assert look(master, path, method="HEAD")[0] == 401


@pytest.mark.parametrize(
    "path",
    ["//", "//status.json", "/./status.json", "/%2fstatus.json", "/status.json/", "//engine.io/?EIO=4", "/x/../"],
)
def test_no_way_leads_round_the_password(plain: Ends, path: str) -> None:
    """Another way of writing the page's path shows nothing either."""
    assert look(plain.master(status_page=True, secret=SECRET), path)[0] in (301, 308, 400, 401, 404)


def test_the_status_page_without_a_secret(plain: Ends) -> None:
    """Without a secret the page is for everybody; without `status_page` there is none."""
    master = plain.master(status_page=True)
    assert [look(master, path)[0] for path in PAGES] == [200, 200, 200]
    assert [look(plain.master(), path)[0] for path in PAGES] == [404, 404, 404]


def test_the_status_page_tells_no_token(plain: Ends) -> None:
    """What the page shows has no token and no secret in it."""
    master, peer = plain.master(status_page=True, secret=SECRET), plain.peer()
    connection = plain.connected(master, peer)
    connection.new_task({"private": "data"}).start()
    client = http.client.HTTPConnection("127.0.0.1", master.port, timeout=PATIENCE)
    client.request("GET", "/status.json", None, {"Authorization": basic("", SECRET)})
    text = client.getresponse().read().decode()
    client.close()
    assert json.loads(text)["slaves"][0]["name"] == "one"
    assert connection.token not in text and SECRET not in text and "private" not in text


def test_a_slave_is_abstract() -> None:
    """A slave that does not say what it does with a task cannot be made."""
    with pytest.raises(TypeError):
        Slave()  # type: ignore[abstract]
