"""HTTP long polling with a uvicorn server."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest

from veche.wire.engineio.connection import MAX_OUTBOX
from veche.wire.engineio.places import Caps, Places
from veche.wire.origins import Origins
from veche.wire.proxy import Trusted

PATH = "/engine.io/"


async def open_connection(http: httpx.AsyncClient, server, path: str = PATH) -> str:
    answer = await http.get(server.url + path)
    assert answer.status_code == 200
    return read(answer)["sid"]


def read(answer: httpx.Response):
    assert answer.text[0] == "0"
    return json.loads(answer.text[1:])


async def no_connections(server) -> None:
    """Wait until the server has no connection."""
    async with asyncio.timeout(5):
        while len(server.app.engine):  # noqa: ASYNC110  # the server runs in another thread
            await asyncio.sleep(0.01)


async def polled(server, sid: str) -> None:
    """Wait until a poll of the connection waits."""
    async with asyncio.timeout(5):
        while server.app.engine._connections[sid]._wake_poll is None:  # noqa: ASYNC110  # it runs in another thread
            await asyncio.sleep(0.001)


async def test_the_handshake(server, http):
    answer = await http.get(server.url + PATH)
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"
    handshake = read(answer)
    assert len(handshake.pop("sid")) == 22, "128 bits in base64"
    assert handshake == {
        "upgrades": ["websocket"],
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 1000000,
    }


async def test_an_echo(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    poll = asyncio.create_task(http.get(url, params={"sid": sid}))
    await asyncio.sleep(0.05)
    assert not poll.done()
    answer = await http.post(url, params={"sid": sid}, content="4привет\x1ebAQID".encode())
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "ok", "text/html")
    assert (await poll).text == "4привет\x1ebAQID"


@pytest.mark.parametrize(
    ("method", "query", "status", "body"),
    [
        ("GET", {"transport": "unknown"}, 400, '{"code":0,"message":"Transport unknown"}'),
        ("GET", {"transport": ""}, 400, '{"code":0,"message":"Transport unknown"}'),
        ("GET", {"sid": "unknown"}, 400, '{"code":1,"message":"Session ID unknown"}'),
        ("POST", {"sid": "unknown"}, 400, '{"code":1,"message":"Session ID unknown"}'),
        ("POST", {}, 400, '{"code":2,"message":"Bad handshake method"}'),
        ("PUT", {}, 400, '{"code":2,"message":"Bad handshake method"}'),
        ("GET", {"transport": "websocket"}, 400, '{"code":3,"message":"Bad request"}'),
        ("GET", {f"x{n}": "" for n in range(99)}, 400, '{"code":3,"message":"Bad request"}'),
        ("GET", {"EIO": "3"}, 400, '{"code":5,"message":"Unsupported protocol version"}'),
        ("GET", {"EIO": ""}, 400, '{"code":5,"message":"Unsupported protocol version"}'),
    ],
)
async def test_refusals(server, http, method, query, status, body):
    answer = await http.request(method, server.url + PATH, params=query)
    assert (answer.status_code, answer.text) == (status, body)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_wrong_method_keeps_the_connection(server, http):
    sid = await open_connection(http, server)
    answer = await http.put(server.url + PATH, params={"sid": sid})
    assert (answer.status_code, answer.json()["code"]) == (400, 2)
    assert (await http.post(server.url + PATH, params={"sid": sid}, content="4still here")).status_code == 200


async def test_a_preflight(server, http):
    headers = {"Origin": "https://any.test", "Access-Control-Request-Method": "POST"}
    answer = await http.options(server.url + PATH, headers=headers)
    assert answer.status_code == 200
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    answer = await http.options(server.url + PATH, headers={**headers, "Access-Control-Request-Headers": "x-mine"})
    assert answer.headers["access-control-allow-headers"] == "x-mine", "with credentials, * allows only itself"


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
async def test_any_page_may_read_every_response_also_with_credentials(server, http, method):
    answer = await http.request(method, server.url + PATH, headers={"Origin": "https://any.test"})
    assert answer.headers["access-control-allow-origin"] == "https://any.test"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"
    answer = await http.request(method, server.url + PATH)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["vary"] == "Origin", "a cache must not give this response to a page"


async def test_other_paths_are_not_found(server, http):
    assert (await http.get(server.url + "/engine.iodine/")).status_code == 404
    assert (await http.get(server.url + "/engine.io")).status_code == 200


async def test_two_polls_at_once(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    first = asyncio.create_task(http.get(url, params={"sid": sid}))
    await asyncio.sleep(0.05)
    assert (await http.get(url, params={"sid": sid})).status_code == 400
    assert (await first).text == "1"
    assert (await http.get(url, params={"sid": sid})).json()["code"] == 1
    assert len(server.app.engine) == 0


async def test_two_posts_at_once(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    gate = asyncio.Event()

    async def slow_body():
        yield b"4on"
        await gate.wait()
        yield b"e"

    first = asyncio.create_task(http.post(url, params={"sid": sid}, content=slow_body()))
    await asyncio.sleep(0.05)
    assert (await http.post(url, params={"sid": sid}, content="4two")).status_code == 400
    gate.set()
    await first
    assert (await http.get(url, params={"sid": sid})).json()["code"] == 1


@pytest.mark.parametrize(
    "payload", [b"2\x1e" * 400_000, b"3\x1e" * 5000 + b"\x1e", b"4" + b"x" * 1_000_000, b"4\xff", b""]
)
async def test_invalid_payloads_are_refused_quickly_and_end_the_connection(server, http, payload):
    url, sid = server.url + PATH, await open_connection(http, server)
    begin = time.process_time()  # of the client, too
    answer = await http.post(url, params={"sid": sid}, content=payload)
    assert time.process_time() - begin < 0.5
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (await http.get(url, params={"sid": sid})).json()["code"] == 1


@pytest.mark.parametrize("number", [1, 16, 17, 4_096, pytest.param(20_000, marks=pytest.mark.slow)])
async def test_any_number_of_packets_comes_back_in_order_and_by_sixteen(server, http, number):
    url, sid = server.url + PATH, await open_connection(http, server)
    packets = [f"4{at}{'x' * (600_000 // number)}" for at in range(number)]
    posting = asyncio.create_task(http.post(url, params={"sid": sid}, content="\x1e".join(packets)))
    received: list[str] = []
    while len(received) < number:
        some = (await http.get(url, params={"sid": sid})).text.split("\x1e")
        assert len(some) <= 16
        received += [packet for packet in some if packet != "2"]  # a busy machine may take until the first ping
    assert received == packets
    assert (await posting).text == "ok"


async def test_a_long_post_does_not_hold_the_loop(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    connection = server.app.engine._connections[sid]
    posting = asyncio.create_task(http.post(url, params={"sid": sid}, content="3\x1e" * 490_000 + "3"))
    turns_meanwhile = 0

    def turn() -> None:  # runs once in each turn of the server's loop
        nonlocal turns_meanwhile
        turns_meanwhile += connection.taking
        if not posting.done():
            server.app.call(turn)

    server.app.call(turn)
    assert (await posting).text == "ok"
    assert turns_meanwhile > 10


async def test_packets_behind_an_invalid_one_are_not_taken(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    answer = await http.post(url, params={"sid": sid}, content="4one\x1e7\x1e4two")
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert (await http.get(url, params={"sid": sid})).json()["code"] == 1


async def test_a_post_behind_its_time_to_answer_a_ping_is_taken(quick_ping_server, http):
    """The server does not read on, and so the client cannot send its pong."""
    url, sid = quick_ping_server.url + PATH, await open_connection(http, quick_ping_server)
    (connection,) = quick_ping_server.app.engine._connections.values()
    connection.pause_reading()
    posting = asyncio.create_task(http.post(url, params={"sid": sid}, content="4one\x1e4two"))
    received: list[str] = []
    while received.count("2") < 3:
        received += (await http.get(url, params={"sid": sid})).text.split("\x1e")
    assert set(received) == {"4one", "2"}
    assert not connection.ended
    quick_ping_server.app.call(connection.resume_reading)
    assert (await posting).text == "ok"


async def test_heartbeats(quick_ping_server, http):
    url, sid = quick_ping_server.url + PATH, await open_connection(http, quick_ping_server)
    for _ in range(3):
        assert (await http.get(url, params={"sid": sid})).text == "2"
        assert (await http.post(url, params={"sid": sid}, content="3")).text == "ok"


async def test_without_a_pong_the_connection_ends(quick_ping_server, http):
    url, sid = quick_ping_server.url + PATH, await open_connection(http, quick_ping_server)
    await http.post(
        url, params={"sid": sid}, content="\x1e".join("3" * 4096)
    )  # these come before the ping and do not answer it
    assert (await http.get(url, params={"sid": sid})).text == "2"
    assert (await http.get(url, params={"sid": sid})).text == "1"
    assert (await http.get(url, params={"sid": sid})).json()["code"] == 1


async def test_a_client_that_disconnects_during_a_poll(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    with pytest.raises(httpx.ReadTimeout):
        await http.get(url, params={"sid": sid}, timeout=0.1)
    await no_connections(server)


async def test_a_post_waits_while_the_outbox_is_full(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    payload = b"4" + b"x" * 600_000
    assert 2 * len(payload) > MAX_OUTBOX
    await http.post(url, params={"sid": sid}, content=payload)
    second = asyncio.create_task(http.post(url, params={"sid": sid}, content=payload))
    await asyncio.sleep(0.1)
    assert not second.done()
    assert (await http.get(url, params={"sid": sid})).content == payload + b"\x1e" + payload
    assert (await second).text == "ok"


@pytest.mark.parametrize("caps", [Caps(total=1), Caps(per_address=1)])
async def test_the_number_of_connections_is_limited(server, http, caps):
    server.app.engine._places = Places(caps)
    sid = await open_connection(http, server)
    (connection,) = server.app.engine._connections.values()
    connection.enter()
    answer = await http.get(server.url + PATH)
    assert (answer.status_code, answer.json()["message"]) == (503, "Too many sessions")
    await http.post(server.url + PATH, params={"sid": sid}, content="1")
    assert (await http.get(server.url + PATH, params={"sid": sid})).text == "6"
    await open_connection(http, server)


@pytest.mark.parametrize(
    "caps", [Caps(total=3), Caps(per_address=3), Caps(not_entered=2), Caps(not_entered_per_address=2)]
)
async def test_the_oldest_that_has_not_entered_makes_room(server, http, caps):
    server.app.engine._places = Places(caps)
    url, entered = server.url + PATH, await open_connection(http, server)
    server.app.engine._connections[entered].enter()
    oldest = await open_connection(http, server)
    poll = asyncio.create_task(http.get(url, params={"sid": oldest}))
    await polled(server, oldest)
    newer = [await open_connection(http, server) for _ in range(2)]
    assert (await poll).text == "1"
    assert (await http.get(url, params={"sid": oldest})).json()["code"] == 1
    for sid in (entered, *newer):
        assert (await http.post(url, params={"sid": sid}, content="4hi")).text == "ok"


async def test_a_client_that_has_not_entered_may_send_little(server, http):
    server.app.engine.first_payload = 10
    url, sid = server.url + PATH, await open_connection(http, server)
    assert (await http.post(url, params={"sid": sid}, content="4" + "x" * 9)).text == "ok"
    server.app.engine._connections[sid].enter()
    assert (await http.post(url, params={"sid": sid}, content="4" + "x" * 10)).text == "ok"
    other = await open_connection(http, server)
    assert (await http.post(url, params={"sid": other}, content="4" + "x" * 10)).status_code == 400


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("https://good.test", 200),
        ("https://good.test.evil.test", 403),
        ("http://good.test", 403),
        ("https://good.test:444", 403),
        ("null", 403),
        ("", 403),
    ],
)
async def test_origins(server, http, origin, status):
    server.app.engine.origins = Origins.of(["https://good.test"])
    headers = {} if origin is None else {"Origin": origin}
    answer = await http.get(server.url + PATH, headers=headers)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == (origin if origin and status == 200 else "*")
    assert ("access-control-allow-credentials" in answer.headers) == (origin is not None and status == 200)
    assert (await http.options(server.url + PATH, headers=headers)).status_code == status


async def test_addresses(server, http):
    server.app.engine.trusted = Trusted.parse("127.0.0.1")
    await http.get(server.url + PATH, headers=[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "9.9.9.9")])
    await http.get(server.url + PATH)
    assert [connection.address for connection in server.app.engine._connections.values()] == ["9.9.9.9", "127.0.0.1"]


async def test_draining_answers_polls(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    poll = asyncio.create_task(http.get(url, params={"sid": sid}))
    await asyncio.sleep(0.05)
    server.app.drain()
    assert (await poll).text == "1"
    assert (await http.get(url)).status_code == 503
