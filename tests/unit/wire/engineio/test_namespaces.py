"""A Socket.IO client's life over a connection that has no transport: what it sends, and what waits for its poll."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from veche.wire.engineio.connection import MAX_OUTBOX, EngineConnection
from veche.wire.socketio import Ack, ConnectRefused, Namespaces, Socket


class Dialect:
    """Lets in whoever says the word, obeys a few events, and writes down what it is told."""

    def __init__(self, told: list[Any]) -> None:
        self.told = told
        self.gate: asyncio.Event | None = None

    async def connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        self.socket = socket
        match auth.get("word"):
            case "please":
                return
            case "wait":
                await asyncio.sleep(5)
            case "bug":
                raise RuntimeError("a bug")
            case "why":
                raise ConnectRefused("No", {"why": "because"})
            case _:
                raise ConnectRefused("Unauthorized")

    def connected(self) -> None:
        self.told.append("connected")
        self.socket.emit("hello")

    def event(self, name: str, data: list[Any], ack: Ack | None) -> None:
        self.told.append((name, data))
        if ack is not None:
            ack(*data)
            ack("twice")
        if name == "out":
            self.socket.close() if data else self.socket.disconnect()
            self.socket.emit("too late")
        if name == "bug":
            raise RuntimeError("a bug")

    def upgraded(self) -> None:
        self.told.append("upgraded")

    def paused(self) -> None:
        self.told.append("paused")

    def resumed(self) -> None:
        self.told.append("resumed")

    def disconnected(self, reason: str) -> None:
        self.told.append(reason)
        self.socket.emit("too late")


class Line:
    """A client that polls."""

    def __init__(self, connect_timeout: float = 45.0) -> None:
        self.told: list[Any] = []
        self.connection = EngineConnection(self, "SID", "127.0.0.1")
        makers = {"/": lambda: Dialect(self.told), "/admin": lambda: Dialect(self.told)}
        self.connection.application = Namespaces(self.connection, makers, connect_timeout)

    def pong_received(self, connection: EngineConnection) -> None: ...
    def forget(self, connection: EngineConnection) -> None: ...

    async def says(self, *packets: str | bytes) -> str:
        """Send packets, and return what the next poll would get, sids left out."""
        for packet in packets:
            self.connection.received(packet)
        for _ in range(5):
            await asyncio.sleep(0)
        got = self.connection.take().decode().split("\x1e")
        return " ".join(part.partition('{"sid"')[0] for part in got)

    def heard(self) -> list[Any]:
        told, self.told[:] = self.told[:], []
        return told


@pytest.fixture
async def line():
    line = Line()
    yield line
    line.connection.close()


async def test_it_enters_speaks_and_leaves(line):
    assert await line.says('40{"word":"please"}') == '40 42["hello"]'
    assert await line.says('42["a",1]', '427["b",{"c":2}]') == '437[{"c":2}]'
    assert await line.says("41", '42["ignored"]', "431[]") == "6", "nothing is said to that"
    assert not line.connection.ended
    assert line.heard() == ["connected", ("a", [1]), ("b", [{"c": 2}]), "client disconnected"]


async def test_it_may_enter_again(line):
    await line.says('40{"word":"please"}')
    assert await line.says("41", '40{"word":"please"}') == '40 42["hello"]'


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        ("40", '44{"message":"Unauthorized"}'),
        ('40{"word":"why"}', '44{"message":"No","data":{"why":"because"}}'),
        ('40{"word":"bug"}', '44{"message":"Internal error"}'),
        ("40/admin,", '44/admin,{"message":"Unauthorized"}'),
        ("40/unknown", '44/unknown,{"message":"Invalid namespace"}'),
    ],
)
async def test_it_is_refused_and_stays(line, packet, answer):
    assert await line.says(packet) == answer
    assert await line.says(packet) == answer
    assert await line.says('42["a"]') == "6"
    assert line.heard() == ([] if "unknown" in packet else ["refused", "refused"])
    assert not line.connection.ended


async def test_two_namespaces(line):
    assert await line.says('40{"word":"please"}') == '40 42["hello"]'
    assert await line.says('40/admin,{"word":"please"}') == '40/admin, 42/admin,["hello"]'
    assert await line.says('42/admin,1["x"]', "41", '42/admin,2["x"]', '423["x"]') == "43/admin,1[] 43/admin,2[]"
    line.connection.close("over")
    assert line.heard()[-2:] == [("x", []), "over"]


async def test_attachments(line):
    await line.says('40{"word":"please"}')
    answer = await line.says('451-9["file",{"_placeholder":true,"num":0}]', b"\x01\x02")
    assert answer == '461-9[{"_placeholder":true,"num":0}] bAQI='
    assert line.heard()[-1] == ("file", [b"\x01\x02"])


@pytest.mark.parametrize("leaving", ["41", '42["out"]'])
async def test_who_leaves_while_it_has_to_wait_is_read_on(line, leaving):
    await line.says('40{"word":"please"}')
    line.connection.pause_reading()
    await line.says(leaving)
    assert line.connection.reading, "who told it to wait is gone, and would never say otherwise"


async def test_we_put_it_out(line):
    await line.says('40{"word":"please"}')
    assert await line.says('42["out"]', '42["ignored"]') == "41"
    assert line.heard() == ["connected", ("out", []), "disconnected by server"]
    assert await line.says('40{"word":"please"}') == '40 42["hello"]', "the connection is still there"


async def test_we_close_its_connection(line):
    await line.says('40{"word":"please"}')
    assert await line.says('42["out",1]', '42["ignored"]') == "1"
    assert line.heard() == ["connected", ("out", [1]), "server closed"]


@pytest.mark.parametrize(
    "packets",
    [
        ['40{"word":"please"}', "40"],
        ['40{"word":"wait"}', "40"],
        ["4abc"],
        ["42{}"],
        ['42abc["x"]'],
        [b"unasked"],
        ['451-["a",{"_placeholder":true,"num":0}]', '42["b"]'],
    ],
)
async def test_what_is_malformed_ends_it(line, packets):
    assert (await line.says(*packets)).endswith("1")
    assert line.connection.ended


async def test_a_bug_ends_it(line, caplog):
    await line.says('40{"word":"please"}')
    with caplog.at_level(logging.ERROR, "veche.wire"):
        assert await line.says('42["bug"]') == "1"
    assert line.heard()[-1] == "internal error"
    assert len(caplog.records) == 1


async def test_it_goes_away_while_we_decide(line):
    await line.says('40{"word":"wait"}')
    line.connection.fail("transport closed")
    await asyncio.sleep(0)
    assert line.heard() == ["refused"]
    assert len(asyncio.all_tasks()) == 1


async def test_who_enters_with_a_full_outbox_is_told(line):
    line.connection.send(b"4" + b"x" * MAX_OUTBOX)
    line.connection.received('40{"word":"please"}')
    await asyncio.sleep(0)
    assert line.heard() == ["connected", "paused"]
    await line.says()
    assert line.heard() == ["resumed"]


async def test_it_has_to_enter_in_time():
    line = Line(0.05)
    await line.says("40")
    await asyncio.sleep(0.1)
    assert line.connection.ended

    line = Line(0.05)
    await line.says('40{"word":"please"}')
    await asyncio.sleep(0.1)
    assert not line.connection.ended
    line.connection.close()


async def test_a_decision_that_takes_too_long():
    line = Line(0.05)
    line.connection.application._stop_timer()
    await line.says('40{"word":"wait"}')
    await asyncio.sleep(0.1)
    assert (await line.says()) == '44{"message":"Internal error"}'
    line.connection.close()
