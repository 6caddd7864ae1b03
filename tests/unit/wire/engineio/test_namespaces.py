"""Namespaces on a connection without a transport: what a client sends, and what its next poll returns."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from veche.wire.engineio.connection import MAX_OUTBOX, EngineConnection
from veche.wire.socketio import Ack, ConnectRefused, Namespaces, Socket
from veche.wire.socketio.namespaces import MAX_REFUSALS


class Dialect:
    """Accepts clients with a valid token, runs a few commands, and records its callbacks."""

    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls
        self.gate: asyncio.Event | None = None

    async def connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        self.socket = socket
        match auth.get("token"):
            case "valid":
                return
            case "slow":
                await asyncio.sleep(5)
            case "exception":
                raise RuntimeError("a bug")
            case "expired":
                raise ConnectRefused("No", {"why": "because"})
            case _:
                raise ConnectRefused("Unauthorized")

    def connected(self) -> None:
        self.calls.append("connected")
        self.socket.emit("hello")

    def event(self, name: str, data: list[Any], ack: Ack | None) -> None:
        self.calls.append((name, data))
        if ack is not None:
            ack(*data)
            ack("twice")
        if name == "out":
            self.socket.close() if data else self.socket.disconnect()
            self.socket.emit("after the end")
        if name == "bug":
            raise RuntimeError("a bug")

    def upgraded(self) -> None:
        self.calls.append("upgraded")

    def paused(self) -> None:
        self.calls.append("paused")

    def resumed(self) -> None:
        self.calls.append("resumed")

    def disconnected(self, reason: str) -> None:
        self.calls.append(reason)
        self.socket.emit("after the end")


class PollingClient:
    """A client on polling, with the recorded callbacks of its handlers."""

    def __init__(self, connect_timeout: float = 45.0) -> None:
        self.calls: list[Any] = []
        self.connection = EngineConnection(self, "SID", "127.0.0.1")
        factories = {"/": lambda: Dialect(self.calls), "/admin": lambda: Dialect(self.calls)}
        self.connection.application = Namespaces(self.connection, factories, connect_timeout)

    def pong_received(self, connection: EngineConnection) -> None: ...
    def entered(self, connection: EngineConnection) -> None: ...
    def forget(self, connection: EngineConnection) -> None: ...

    async def exchange(self, *packets: str | bytes) -> str:
        """Send packets. Returns the packets of the next poll, without sids."""
        for packet in packets:
            self.connection.received(packet)
        for _ in range(5):
            await asyncio.sleep(0)
        got = self.connection.take().decode().split("\x1e")
        return " ".join(part.partition('{"sid"')[0] for part in got)

    def new_calls(self) -> list[Any]:
        calls, self.calls[:] = self.calls[:], []
        return calls


@pytest.fixture
async def client():
    client = PollingClient()
    yield client
    client.connection.close()


async def test_a_client_connects_sends_and_disconnects(client):
    assert await client.exchange('40{"token":"valid"}') == '40 42["hello"]'
    assert await client.exchange('42["a",1]', '427["b",{"c":2}]') == '437[{"c":2}]'
    assert await client.exchange("41", '42["ignored"]', "431[]") == "6", "packets after the DISCONNECT are ignored"
    assert not client.connection.ended
    assert client.new_calls() == ["connected", ("a", [1]), ("b", [{"c": 2}]), "client disconnected"]


async def test_a_client_may_connect_again(client):
    await client.exchange('40{"token":"valid"}')
    assert await client.exchange("41", '40{"token":"valid"}') == '40 42["hello"]'


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        ("40", '44{"message":"Unauthorized"}'),
        ('40{"token":"expired"}', '44{"message":"No","data":{"why":"because"}}'),
        ('40{"token":"exception"}', '44{"message":"Internal error"}'),
        ("40/admin,", '44/admin,{"message":"Unauthorized"}'),
        ("40/unknown", '44/unknown,{"message":"Invalid namespace"}'),
    ],
)
async def test_a_refused_client_keeps_its_connection(client, packet, answer):
    assert await client.exchange(packet) == answer
    assert await client.exchange(packet) == answer
    assert await client.exchange('42["a"]') == "6"
    assert client.new_calls() == ([] if "unknown" in packet else ["refused", "refused"])
    assert not client.connection.ended


async def test_two_namespaces(client):
    assert await client.exchange('40{"token":"valid"}') == '40 42["hello"]'
    assert await client.exchange('40/admin,{"token":"valid"}') == '40/admin, 42/admin,["hello"]'
    assert await client.exchange('42/admin,1["x"]', "41", '42/admin,2["x"]', '423["x"]') == "43/admin,1[] 43/admin,2[]"
    client.connection.close("over")
    assert client.new_calls()[-2:] == [("x", []), "over"]


async def test_attachments(client):
    await client.exchange('40{"token":"valid"}')
    answer = await client.exchange('451-9["file",{"_placeholder":true,"num":0}]', b"\x01\x02")
    assert answer == '461-9[{"_placeholder":true,"num":0}] bAQI='
    assert client.new_calls()[-1] == ("file", [b"\x01\x02"])


@pytest.mark.parametrize("leaving", ["41", '42["out"]'])
async def test_disconnecting_resumes_reading(client, leaving):
    await client.exchange('40{"token":"valid"}')
    client.connection.pause_reading()
    await client.exchange(leaving)
    assert client.connection.reading, "the handler that paused it can no longer resume it"


async def test_the_server_disconnects_a_client(client):
    await client.exchange('40{"token":"valid"}')
    assert await client.exchange('42["out"]', '42["ignored"]') == "41"
    assert client.new_calls() == ["connected", ("out", []), "disconnected by server"]
    assert await client.exchange('40{"token":"valid"}') == '40 42["hello"]', "the connection is still there"


async def test_the_server_closes_the_connection(client):
    await client.exchange('40{"token":"valid"}')
    assert await client.exchange('42["out",1]', '42["ignored"]') == "1"
    assert client.new_calls() == ["connected", ("out", [1]), "server closed"]


@pytest.mark.parametrize(
    "packets",
    [
        ['40{"token":"valid"}', "40"],
        ['40{"token":"slow"}', "40"],
        ["4abc"],
        ['40{"token":"valid"}', "42{}"],
        ['40{"token":"valid"}', '42abc["x"]'],
        [b"unasked"],
        ['451-["a",{"_placeholder":true,"num":0}]', '42["b"]'],
        ["40/unknown"] * MAX_REFUSALS,
    ],
)
async def test_an_invalid_packet_ends_the_connection(client, packets):
    for packet in packets:
        answer = await client.exchange(packet)
    assert answer.endswith("1")
    assert client.connection.ended


async def test_an_exception_ends_the_connection(client, caplog):
    await client.exchange('40{"token":"valid"}')
    with caplog.at_level(logging.ERROR, "veche.wire"):
        assert await client.exchange('42["bug"]') == "1"
    assert client.new_calls()[-1] == "internal error"
    assert len(caplog.records) == 1


async def test_the_connection_ends_during_connect(client):
    await client.exchange('40{"token":"slow"}')
    client.connection.fail("transport closed")
    await asyncio.sleep(0)
    assert client.new_calls() == ["refused"]
    assert len(asyncio.all_tasks()) == 1


async def test_a_client_that_connects_with_a_full_outbox_is_paused(client):
    client.connection.send(b"4" + b"x" * MAX_OUTBOX)
    client.connection.received('40{"token":"valid"}')
    await asyncio.sleep(0)
    assert client.new_calls() == ["connected", "paused"]
    await client.exchange()
    assert client.new_calls() == ["resumed"]


async def test_a_client_must_connect_in_time():
    client = PollingClient(0.05)
    await client.exchange("40")
    await asyncio.sleep(0.1)
    assert client.connection.ended

    client = PollingClient(0.05)
    await client.exchange('40{"token":"valid"}')
    await asyncio.sleep(0.1)
    assert not client.connection.ended
    client.connection.close()


async def test_connect_must_return_in_time():
    client = PollingClient(0.05)
    client.connection.application._stop_timer()
    await client.exchange('40{"token":"slow"}')
    await asyncio.sleep(0.1)
    assert (await client.exchange()) == '44{"message":"Internal error"}'
    client.connection.close()
