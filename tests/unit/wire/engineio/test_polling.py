"""HTTP long polling with a uvicorn server."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest

from veche.wire.engineio.connection import MAX_OUTBOX
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
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]


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


@pytest.mark.parametrize("payload", [b"2\x1e" * 400_000, b"3\x1e" * 5000, b"4" + b"x" * 1_000_000, b"4\xff", b""])
async def test_invalid_payloads_are_refused_quickly_and_end_the_connection(server, http, payload):
    url, sid = server.url + PATH, await open_connection(http, server)
    begin = time.perf_counter()
    answer = await http.post(url, params={"sid": sid}, content=payload)
    assert time.perf_counter() - begin < 0.5
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (await http.get(url, params={"sid": sid})).json()["code"] == 1


async def test_a_payload_of_the_limit_is_accepted(server, http):
    url, sid = server.url + PATH, await open_connection(http, server)
    payload = b"\x1e".join([b"4" + b"x" * 240] * 4096)[:1_000_000]
    assert (await http.post(url, params={"sid": sid}, content=payload)).text == "ok"
    assert (await http.get(url, params={"sid": sid})).content == payload


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


async def test_the_number_of_connections_is_limited(server, http):
    server.app.engine._max_connections = 1
    sid = await open_connection(http, server)
    answer = await http.get(server.url + PATH)
    assert (answer.status_code, answer.json()["message"]) == (503, "Too many sessions")
    await http.post(server.url + PATH, params={"sid": sid}, content="1")
    assert (await http.get(server.url + PATH, params={"sid": sid})).text == "6"
    await open_connection(http, server)


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
    assert answer.headers["access-control-allow-origin"] == "*"
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
