"""The proxies of deploy/, each in front of two running nodes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator

import pytest
from laws.dialects import POLLING
from laws.town import LOBBY, PASSWORD, TIMEOUT

from tests.programs import MissingError, skip
from tests.services.fixtures import PostgresAddress, RedisAddress
from veche.settings import ServerSettings

from .site import FIRST_OR_LONG, FORGED, PROXIES, Proxy, shown, until
from .two_nodes import NODES, TwoNodes, configuration, two_nodes

ADDRESSES = tuple(f"127.0.0.{number}" for number in range(2, 18))


@pytest.fixture(scope="module", params=FIRST_OR_LONG, ids=str)
def two(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres: PostgresAddress,
    redis: RedisAddress,
) -> Iterator[TwoNodes]:
    folder = tmp_path_factory.mktemp(str(request.param))
    try:
        with two_nodes(request.param, folder, postgres.new_database(), redis.url()) as two:
            yield two
    except MissingError as missing:
        skip(missing)


def opened_by(two: TwoNodes) -> list[int]:
    """Return how many Socket.IO sessions each node has opened: a POST comes once in each session here."""
    return [len(re.findall(r"POST /socket\.io/ 200", node.log)) for node in two.nodes]


def poll(two: TwoNodes, address: str) -> str:
    """Open a session by polling, enter the namespace, and hear of it. Return its sid. It needs one node for all."""
    with two.http(address) as http:
        http.headers["Connection"] = "close"  # each request has a connection of its own
        sid = str(json.loads(http.get("/socket.io/", params=POLLING).raise_for_status().text[1:])["sid"])
        asked = POLLING | {"sid": sid}
        assert http.post("/socket.io/", params=asked, content="40").raise_for_status().text == "ok"
        assert http.get("/socket.io/", params=asked).raise_for_status().text.startswith("40")
        return sid


def test_polling_stays_on_one_node_for_clients_without_cookies(two: TwoNodes) -> None:
    before = opened_by(two)
    for address in ADDRESSES:
        poll(two, address)
    until(lambda: sum(opened_by(two)) - sum(before) == len(ADDRESSES))
    assert all(now > old for now, old in zip(opened_by(two), before, strict=True))  # both nodes have some


async def test_a_session_that_polls_is_upgraded_on_its_node(two: TwoNodes) -> None:
    for address in ADDRESSES[:6]:
        sid = await asyncio.to_thread(poll, two, address)
        path = f"/socket.io/?EIO=4&transport=websocket&sid={sid}"
        async with two.site.connect(path, local_addr=(address, 0)) as opened:
            await opened.send("2probe")
            assert await asyncio.wait_for(opened.recv(), TIMEOUT) == "3probe"


def test_the_client_is_known_by_its_own_address_on_both_nodes(two: TwoNodes) -> None:
    def told() -> bool:
        with two.http("127.0.0.9") as http:
            body = {"username": "nobody", "password": "wrong password"}
            assert http.post("/v1/login", json=body, headers={"X-Forwarded-For": FORGED}).status_code == 401
        return all(re.search(r"127\.0\.0\.9 POST /v1/login 401", node.log) for node in two.nodes)

    until(told)
    assert not any(f"{FORGED} POST" in node.log for node in two.nodes)


async def test_websockets_are_spread_over_both_nodes(two: TwoNodes) -> None:
    opened = [await two.site.connect("/v1/socket") for _ in range(6)]
    try:
        for one in opened:
            await asyncio.wait_for(await one.ping(), TIMEOUT)
    finally:
        for one in opened:
            await one.close()
    until(lambda: all("/v1/socket" in node.log for node in two.nodes))


async def test_a_message_reaches_members_on_both_nodes(two: TwoNodes) -> None:
    with two.http("127.0.0.1") as http:
        body = {"username": "ann", "password": PASSWORD}
        token = str(http.post("/v1/register", json=body).raise_for_status().json()["token"])
        opened = [await two.site.connect(f"/ws/{LOBBY}?token={token}") for _ in range(4)]
        try:
            http.headers["Authorization"] = f"Bearer {token}"
            said = {"text": "to both nodes", "client_message_id": "one"}
            http.post(f"/v1/rooms/{LOBBY}/messages", json=said).raise_for_status()
            for one in opened:
                while said["text"] not in str(await asyncio.wait_for(one.recv(), TIMEOUT)):
                    pass
        finally:
            for one in opened:
                await one.close()


def test_one_node_may_stop_and_come_back(two: TwoNodes) -> None:
    """The last test of a proxy: every request is answered meanwhile, and people who poll begin again."""
    first, second = two.nodes
    first.end()
    before = second.requests("/while-away")
    with two.http("127.0.0.1") as http:
        for _ in range(20):
            assert http.get("/while-away").status_code == 404
    until(lambda: second.requests("/while-away") - before == 20)
    for address in ADDRESSES:
        poll(two, address)
    first.start()
    two.both_are_asked("/back-again")


@pytest.mark.parametrize("proxy", PROXIES, ids=str)
def test_the_file_has_what_the_page_explains(proxy: Proxy) -> None:
    """Times, headers and limits are those of docs/proxies.md. So a silent connection stays for longer than a ping."""
    ours = {" ".join(line.split()) for line in configuration(proxy).splitlines()}
    page = {" ".join(line.split()) for line in shown(proxy).splitlines()}
    several = (
        r"127\.0\.0\.1:8000|log[-_]format|default_backend|^backend veche|http-check send|timeout connect|health_uri"
    )
    assert {line for line in page - ours if not re.search(several, line)} == set()
    ping = ServerSettings.model_fields["ping_seconds"].default + ServerSettings.model_fields["pong_seconds"].default
    limits = re.findall(r"(?:proxy_read_timeout|timeout (?:client|server)) +(\d+)s", configuration(proxy))
    assert all(int(seconds) > ping for seconds in limits)
    assert all(node in configuration(proxy) for node in NODES)
