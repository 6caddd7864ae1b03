"""Long polling, and its upgrade, frame by frame."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from messenger.harness import PATIENCE, Served
from websockets.sync.client import connect

from .conftest import Client, Meet

POLLING = {"EIO": "4", "transport": "polling"}


class Poller:
    """A client that polls."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        opened = http.get("/socket.io/", params=POLLING)
        assert (opened.status_code, opened.headers["content-type"]) == (200, "text/plain; charset=UTF-8")
        assert opened.headers["access-control-allow-origin"] == "*"
        self.handshake = json.loads(opened.text.removeprefix("0"))
        self.query = POLLING | {"sid": self.handshake["sid"]}
        self._waiting: list[str] = []

    def post(self, *packets: str) -> None:
        answer = self._http.post("/socket.io/", params=self.query, content="\x1e".join(packets))
        assert (answer.status_code, answer.headers["content-type"], answer.text) == (200, "text/html", "ok")

    def packet(self) -> str:
        while not self._waiting:
            self._waiting = self._http.get("/socket.io/", params=self.query).raise_for_status().text.split("\x1e")
        return self._waiting.pop(0)


@pytest.fixture
def poller(http: httpx.Client) -> Iterator[Poller]:
    poller = Poller(http)
    yield poller
    poller.post("1")


def test_the_handshake(poller: Poller) -> None:
    handshake = dict(poller.handshake)
    assert handshake.pop("sid")
    assert handshake == {"upgrades": ["websocket"], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1000000}


def test_a_conversation(poller: Poller, meet: Meet) -> None:
    ann, bob = meet("ann"), meet("bob")
    other = bob.connect()
    poller.post("40")
    assert poller.packet() == '44{"message":"Unauthorized"}'
    poller.post(f"40{json.dumps({'token': ann.token})}")
    assert poller.packet().startswith('40{"sid":"')
    poller.post('42["message","one"]', '42["message",{"content":"two"}]')
    assert poller.packet() == other.frame() == '42["message","one"]'
    assert poller.packet() == other.frame()
    other.emit("three")
    assert poller.packet() == other.frame() == '42["message","three"]'


def test_the_upgrade(poller: Poller, server: Served, meet: Meet) -> None:
    ann, bob = meet("ann"), meet("bob")
    other = bob.connect()
    poller.post(f"40{json.dumps({'token': ann.token})}")
    assert poller.packet().startswith('40{"sid":"')
    other.emit("before")
    other.hears_next("before")
    sid = poller.handshake["sid"]
    address = f"{server.base.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid={sid}"
    with connect(address, open_timeout=PATIENCE, proxy=None) as socket:
        upgraded = Client(socket)
        upgraded.send("2probe")
        assert upgraded.frame() == "3probe"
        assert poller.packet() == '42["message","before"]'
        upgraded.send("5")
        upgraded.emit("after")
        upgraded.hears_next("after")
        other.hears_next("after")
        other.emit("last")
        upgraded.hears_next("last")
    poller.post = lambda *_: None  # type: ignore[method-assign]


def test_refusals(http: httpx.Client) -> None:
    for query, body in [
        ({"EIO": "4"}, '{"code":0,"message":"Transport unknown"}'),
        (POLLING | {"sid": "x"}, '{"code":1,"message":"Session ID unknown"}'),
        ({"EIO": "3", "transport": "polling"}, '{"code":5,"message":"Unsupported protocol version"}'),
    ]:
        refused = http.get("/socket.io/", params=query)
        assert (refused.status_code, refused.text) == (400, body)
        assert refused.headers["access-control-allow-origin"] == "*"
    refused = http.post("/socket.io/", params=POLLING)
    assert (refused.status_code, refused.text) == (400, '{"code":2,"message":"Bad handshake method"}')


def test_below_its_own_name(http: httpx.Client) -> None:
    assert http.get("/socketio/socket.io/", params=POLLING).text.startswith('0{"sid":"')
