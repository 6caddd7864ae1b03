"""Which requests wait for a turn when guests have no share left, and what happens if too many wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import uvicorn
from uvicorn.config import Config

from veche.app import DIALECTS, Server
from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.values import Account
from veche.gateway.actors import guest
from veche.gateway.fairness import NATIVE, draw, in_turn
from veche.service.guests import GUEST_REQUEST, MAX_WAITING
from veche.settings import read_settings
from veche.storage.kinds.sqlite_database import SqliteDatabase
from veche.wire.handler import WIRE, Accept, Accepted, Wire
from veche.wire.handshake import Upgrade, UpgradeRefused
from veche.wire.http import BoundedHttp
from veche.wire.websocket import WebSocket

MOMENT = 0.2  # seconds in which a request that need not wait is answered
ASKED = b"GET /v1/rooms HTTP/1.1\r\nHost: x\r\n\r\n"
SOMEBODY = Account(1, "ann", "ann", "Ann", None, 0)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server whose guests have no share left."""
    database = SqliteDatabase(f"sqlite:///{tmp_path / 'veche.db'}", serving=True)
    database.migrate()
    server = Server(read_settings(DIALECTS), database)
    server.chat.shares.of("guests").allowed = 0.0
    yield server
    server.reader.stop()
    server.passwords.stop()
    database.close()


def client_of(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=server.app), base_url="http://test")


async def waits(answer: asyncio.Task[httpx.Response]) -> bool:
    done, _ = await asyncio.wait([answer], timeout=MOMENT)
    return not done


@pytest.mark.parametrize(
    ("path", "token"),
    [("/v1/rooms", None), ("/v1/rooms", "Bearer no.such.token"), ("/", None), ("/socket.io/?EIO=4", None)],
    ids=["no token", "a bad token", "the page", "Socket.IO"],
)
async def test_requests_of_guests_wait(server: Server, path: str, token: str | None) -> None:
    async with client_of(server) as client:
        headers = {"Authorization": token} if token else {}
        answer = asyncio.create_task(client.get(path, headers=headers))
        assert await waits(answer)
        server.chat.shares.of("guests").allowed = 1e6
        server.chat.shares.of("guests").go_on()
        await answer


@pytest.mark.parametrize("path", ["/healthz", "/health"])
async def test_health_checks_do_not_wait(server: Server, path: str) -> None:
    async with client_of(server) as client:
        answer = asyncio.create_task(client.get(path))
        await asyncio.wait([answer], timeout=30)
        assert answer.result().status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer ", ""], ids=["Bearer", "the bare token"])
async def test_requests_with_a_token_that_was_valid_do_not_wait(server: Server, scheme: str) -> None:
    token = server.tokens.mint(SOMEBODY, "session", 60)
    server.tokens.verify(token)
    async with client_of(server) as client:
        answer = asyncio.create_task(client.get("/nothing", headers={"Authorization": scheme + token}))
        await asyncio.wait([answer], timeout=30)
        assert answer.result().status_code == 404


@pytest.mark.parametrize("path", ["/v1/limits", "/v1/me", "/nothing"], ids=["no login", "ended session", "no route"])
async def test_a_token_pays_for_what_no_login_is_asked_for_and_takes_turns_without_a_share(
    server: Server, path: str
) -> None:
    token = server.tokens.mint(SOMEBODY, "ended", 60)
    server.tokens.verify(token)
    share = server.chat.shares.of(SOMEBODY.id)
    async with client_of(server) as client:
        headers = {"Authorization": f"Bearer {token}"}
        await client.get(path, headers=headers)
        assert share.done == GUEST_REQUEST
        share.allowed = 0.0
        answer = asyncio.create_task(client.get(path, headers=headers))
        assert await waits(answer)
        guests = server.chat.shares.of("guests")
        guests.allowed = 1e6
        guests.go_on()
        await answer
        assert guests.done == 0.0, "it does not take what guests may do"


async def test_a_request_with_a_login_is_counted_once(server: Server) -> None:
    server.writer.start()
    ann = await server.accounts.register(guest("native", "192.0.2.1"), "a long password", username="ann")
    issued = await server.accounts.open_session(guest("native", "192.0.2.1"), ann)
    async with client_of(server) as client:
        for number, path in enumerate(("/v1/rooms", "/v1/me"), 1):
            server.tokens.verify(issued.token)
            answer = await client.get(path, headers={"Authorization": f"Bearer {issued.token}"})
            assert answer.status_code == 200
            assert server.chat.shares.of(ann.account.id).done < number * GUEST_REQUEST
    await server.writer.stop()


async def test_a_client_that_is_gone_does_not_wait_any_more(server: Server) -> None:
    """Else those who connect, ask and leave again fill the line of an address for minutes, and hold nothing."""
    config = Config(server.app, http=BoundedHttp, ws=WebSocket, lifespan="off", log_config=None)
    state = uvicorn.Server(config).server_state
    config.load()
    wire = {WIRE: Wire(_no_routes, server.heartbeats)}
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: BoundedHttp(config, state, wire), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
    writer.write(ASKED)
    await until(lambda: len(server.guests) == 1)
    writer.close()
    await until(lambda: len(server.guests) == 0)
    listener.close()


async def test_a_request_that_cannot_wait_is_told_when_to_come_back(server: Server) -> None:
    crowd = [asyncio.create_task(server.guests.turn("127.0.0.1")) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    async with client_of(server) as client:
        answer = await client.get("/v1/rooms")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    with pytest.raises(UpgradeRefused) as refused:
        await in_turn(server.guests, _accept)(Upgrade("/v1/socket", {}, {}, "127.0.0.1"))
    assert refused.value.status == 503
    assert dict(refused.value.headers)["Retry-After"]
    for task in crowd:
        task.cancel()
    await asyncio.wait(crowd)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(5_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come")


def _no_routes(upgrade: Upgrade) -> Accept:
    raise AssertionError("nobody upgrades")


async def _accept(upgrade: Upgrade) -> Accepted:
    raise AssertionError("the upgrade did not wait")


async def test_sockets_that_are_not_read_keep_no_request_from_waiting(server: Server) -> None:
    share = server.chat.shares.open(1)
    share.allowed = 0.0
    for _ in range(NATIVE.requests):
        share.call_when_free(lambda: None)
    waiting = asyncio.create_task(draw(server.chat.shares, Actor(1, "native"), NATIVE))
    await asyncio.sleep(0)
    assert not waiting.done()
    share.allowed = 1e6
    share.go_on()
    await waiting
    assert share.requests == 0


async def test_only_so_many_requests_wait(server: Server) -> None:
    share = server.chat.shares.open(1)
    share.allowed = 0.0
    waiting = [
        asyncio.create_task(draw(server.chat.shares, Actor(1, "native"), NATIVE)) for _ in range(NATIVE.requests)
    ]
    await asyncio.sleep(0)
    with pytest.raises(ChatError) as refused:
        await draw(server.chat.shares, Actor(1, "native"), NATIVE)
    assert refused.value.code is Code.RATE_LIMITED
    share.allowed = 1e6
    share.go_on()
    await asyncio.gather(*waiting)
