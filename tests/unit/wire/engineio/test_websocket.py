"""WebSocket connections and upgrades with a uvicorn server."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from veche.wire.engineio.polling import PROBE_POLL_TIMEOUT
from veche.wire.frames import PING
from veche.wire.origins import Origins
from veche.wire.websocket import WebSocket

from ..client import Client, frame, request
from .test_polling import PATH, no_connections, open_connection
from .test_pulse import until


def dial(server, sid: str | None = None, path: str = PATH, **more: str):
    query = f"?EIO=4&transport=websocket{'' if sid is None else f'&sid={sid}'}"
    return connect(f"ws://{server.host}{path}{query}", ping_interval=None, compression=None, **more)


async def closed(socket: ClientConnection) -> None:
    """Wait until the server closes, and ignore messages before that."""
    async with asyncio.timeout(5):
        async for _ in socket:
            pass


async def test_a_new_connection(server):
    async with dial(server) as socket:
        packet = await socket.recv()
        assert packet[0] == "0"
        assert json.loads(packet[1:])["upgrades"] == []
        await socket.send("4hello")
        await socket.send(b"\x01\x02")
        assert [await socket.recv(), await socket.recv()] == ["4hello", b"\x01\x02"]
        await socket.send("4" + "x" * 999_999)
        assert len(await socket.recv()) == 1_000_000
        assert len(server.app.engine) == 1
    await no_connections(server)


@pytest.mark.parametrize("packet", ["abc", "0", "2probe", "5", "1"])
async def test_packets_that_end_the_connection(server, packet):
    async with dial(server) as socket:
        await socket.recv()
        await socket.send(packet)
        await closed(socket)
    assert len(server.app.engine) == 0


async def test_a_message_over_the_limit(server):
    async with dial(server) as socket:
        await socket.recv()
        await socket.send("4" + "x" * 1_000_000)
        with pytest.raises(ConnectionClosed) as error:
            await socket.recv()
        assert error.value.rcvd.code == 1009


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?EIO=4", 0),
        ("?EIO=4&transport=websocket&sid=unknown", 1),
        ("?EIO=4&transport=polling", 3),
        ("?EIO=3&transport=websocket", 5),
        ("?transport=websocket", 5),
    ],
)
async def test_refusals(server, query, code):
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{server.host}{PATH}{query}")
    assert refused.value.response.status_code == 400
    assert json.loads(refused.value.response.body)["code"] == code
    assert refused.value.response.headers["access-control-allow-origin"] == "*"


async def test_origins(server, http):
    server.app.engine.origins = Origins.of(["https://good.test"])
    sid = await open_connection(http, server)
    async with dial(server, origin="https://good.test") as socket:
        assert (await socket.recv())[0] == "0"
    for name in (None, sid):
        with pytest.raises(InvalidStatus) as refused:
            await dial(server, name, origin="https://good.test.evil.test")
        assert refused.value.response.status_code == 403


async def test_heartbeats(quick_ping_server):
    async with dial(quick_ping_server) as socket:
        await socket.recv()
        for _ in range(3):
            assert await socket.recv() == "2"
            await socket.send("3")
        assert await socket.recv() == "2"
        await closed(socket)
    assert len(quick_ping_server.app.engine) == 0


async def test_an_upgrade(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    poll = asyncio.create_task(http.get(url, params={"sid": sid}))
    async with dial(server, sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        assert (await poll).text == "6"
        assert (await http.get(url, params={"sid": sid})).text == "6"
        await http.post(url, params={"sid": sid}, content="4one\x1ebAQID")
        await socket.send("5")
        await socket.send("4two")
        assert [await socket.recv() for _ in range(3)] == ["4one", b"\x01\x02\x03", "4two"]
        answer = await http.get(url, params={"sid": sid})
        assert (answer.status_code, answer.json()["code"]) == (400, 3)
        async with dial(server, sid) as second:
            await closed(second)
        await socket.send("4three")
        assert await socket.recv() == "4three"


async def test_a_failed_probe_leaves_the_connection_on_polling(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    for words in (["2"], ["2probe", "4not yet"], ["4hello"], ["2probe"]):
        async with dial(server, sid) as socket:
            for word in words:
                await socket.send(word)
            if words == ["2probe"]:
                async with dial(server, sid) as second:
                    await second.send("2probe")
                    await closed(second)
            else:
                await closed(socket)
    assert (await http.post(url, params={"sid": sid}, content="4hello")).text == "ok"
    assert (await http.get(url, params={"sid": sid})).text == "4hello"


async def test_a_probe_times_out(server, http):
    server.app.engine.upgrade_timeout = 0.1
    sid = await open_connection(http, server)
    async with dial(server, sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        await closed(socket)
    poll = asyncio.create_task(http.get(server.url + PATH, params={"sid": sid}))
    await asyncio.sleep(0.05)
    assert not poll.done(), "after the probe, polls wait again"
    await http.post(server.url + PATH, params={"sid": sid}, content="1")
    await poll


async def test_polls_during_a_probe_are_delayed(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    async with dial(server, sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        begin = time.perf_counter()
        for _ in range(3):
            assert (await http.get(url, params={"sid": sid})).text == "6"
        assert time.perf_counter() - begin > 2 * PROBE_POLL_TIMEOUT
        poll = asyncio.create_task(http.get(url, params={"sid": sid}))
        await http.post(url, params={"sid": sid}, content="4hello")
        assert (await poll).text == "4hello", "the poll takes the outbox"


async def test_a_flood_of_pings_instead_of_a_probe_closes_the_websocket(server, http):
    sid = await open_connection(http, server)
    with Client(("127.0.0.1", server.listener.getsockname()[1])) as client:
        client.send(request(f"{PATH}?EIO=4&transport=websocket&sid={sid}"))
        assert client.head()[0] == 101
        client.send(frame(PING, b"x" * 125) * 8000)  # their pongs are over the write buffer's limit
        connections = server.uvicorn.server_state.connections
        await until(lambda: any(isinstance(one, WebSocket) and one.closing for one in connections))
        assert client.closed_with() is None
    assert (await http.post(server.url + PATH, params={"sid": sid}, content="4hello")).text == "ok"


async def test_a_connection_that_ends_during_the_probe(server, http):
    sid = await open_connection(http, server)
    async with dial(server, sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        await http.post(server.url + PATH, params={"sid": sid}, content="1")
        await socket.send("5")
        await closed(socket)


async def test_a_slow_reader_is_paused_and_resumed(server):
    async with dial(server, max_queue=1) as socket:
        await socket.recv()
        big = "4" + "x" * 500_000
        sending = asyncio.create_task(send_all(socket, [big] * 20))
        await asyncio.sleep(0.3)
        for _ in range(20):
            assert await asyncio.wait_for(socket.recv(), 5) == big
        await sending


async def send_all(socket: ClientConnection, packets: list[str]) -> None:
    for packet in packets:
        await socket.send(packet)
