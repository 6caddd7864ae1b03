"""WebSockets from the first, and upgrades, over a real server."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from veche.wire.engineio.polling import PROBE_POLL_TIMEOUT
from veche.wire.frames import PING

from ..client import Client, frame, request
from .test_polling import PATH, gone, opened


def dial(server, sid: str | None = None, path: str = PATH, **more: str):
    query = f"?EIO=4&transport=websocket{'' if sid is None else f'&sid={sid}'}"
    return connect(f"ws://{server.host}{path}{query}", ping_interval=None, compression=None, **more)


async def closes(socket: ClientConnection) -> None:
    """Whatever comes before it."""
    async with asyncio.timeout(5):
        async for _ in socket:
            pass


async def test_a_session_of_its_own(server):
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
    await gone(server)


@pytest.mark.parametrize("packet", ["abc", "0", "2probe", "5", "1"])
async def test_what_ends_it(server, packet):
    async with dial(server) as socket:
        await socket.recv()
        await socket.send(packet)
        await closes(socket)
    assert len(server.app.engine) == 0


async def test_too_big(server):
    async with dial(server) as socket:
        await socket.recv()
        await socket.send("4" + "x" * 1_000_000)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd.code == 1009


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
    server.app.engine.origins = frozenset(("https://good.test",))
    sid = await opened(http, server)
    async with dial(server, origin="https://good.test") as socket:
        assert (await socket.recv())[0] == "0"
    for name in (None, sid):
        with pytest.raises(InvalidStatus) as refused:
            await dial(server, name, origin="https://good.test.evil.test")
        assert refused.value.response.status_code == 403


async def test_heartbeats(hasty):
    async with dial(hasty) as socket:
        await socket.recv()
        for _ in range(3):
            assert await socket.recv() == "2"
            await socket.send("3")
        assert await socket.recv() == "2"
        await closes(socket)
    assert len(hasty.app.engine) == 0


async def test_an_upgrade(server, http):
    url, sid = server.url + PATH, await opened(http, server)
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
            await closes(second)
        await socket.send("4three")
        assert await socket.recv() == "4three"


async def test_a_probe_that_fails_leaves_the_session_polling(server, http):
    url, sid = server.url + PATH, await opened(http, server)
    for words in (["2"], ["2probe", "4not yet"], ["4hello"], ["2probe"]):
        async with dial(server, sid) as socket:
            for word in words:
                await socket.send(word)
            if words == ["2probe"]:
                async with dial(server, sid) as second:
                    await second.send("2probe")
                    await closes(second)
            else:
                await closes(socket)
    assert (await http.post(url, params={"sid": sid}, content="4hello")).text == "ok"
    assert (await http.get(url, params={"sid": sid})).text == "4hello"


async def test_a_probe_that_is_never_finished(server, http):
    server.app.engine.upgrade_timeout = 0.1
    sid = await opened(http, server)
    async with dial(server, sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        await closes(socket)
    poll = asyncio.create_task(http.get(server.url + PATH, params={"sid": sid}))
    await asyncio.sleep(0.05)
    assert not poll.done(), "polls wait again"
    await http.post(server.url + PATH, params={"sid": sid}, content="1")
    await poll


async def test_polls_of_a_probe_that_hangs_are_slow(server, http):
    url, sid = server.url + PATH, await opened(http, server)
    async with dial(server, sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        begin = time.perf_counter()
        for _ in range(3):
            assert (await http.get(url, params={"sid": sid})).text == "6"
        assert time.perf_counter() - begin > 2 * PROBE_POLL_TIMEOUT
        poll = asyncio.create_task(http.get(url, params={"sid": sid}))
        await http.post(url, params={"sid": sid}, content="4hello")
        assert (await poll).text == "4hello", "and miss nothing"


async def test_who_floods_instead_of_probing_is_hung_up_on(server, http):
    sid = await opened(http, server)
    with Client(("127.0.0.1", server.listener.getsockname()[1])) as client:
        client.send(request(f"{PATH}?EIO=4&transport=websocket&sid={sid}"))
        assert client.head()[0] == 101
        client.send(frame(PING, b"x" * 125) * 8000)  # whose pongs are more than waits for one that does not read
        assert client.closed_with() is None
    assert (await http.post(server.url + PATH, params={"sid": sid}, content="4hello")).text == "ok"


async def test_a_session_that_ends_while_it_is_probed(server, http):
    sid = await opened(http, server)
    async with dial(server, sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        await http.post(server.url + PATH, params={"sid": sid}, content="1")
        await socket.send("5")
        await closes(socket)


async def test_a_slow_reader_is_paused_and_goes_on(server):
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
