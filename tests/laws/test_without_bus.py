"""What two nodes promise while their bus is away: the database tells each what the other has done.

The checker of tests/chaos has the rest.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests import veche_process
from tests.services import MissingError, PostgresAddress, Redis
from tests.services.fixtures import skip

from .town import Person, Server, Socket, serving

DELIVERED = 1.5  # seconds until an event is at the other node without the bus
REVOKED = 2.0  # seconds until the end of a session is known on all nodes
TRIES = 5  # the quickest counts, because other programs on the machine make the rest late


@pytest.fixture(scope="module")
def own_redis() -> Iterator[Redis]:
    """A Redis that the tests may kill."""
    try:
        found = Redis()
    except MissingError as missing:
        skip(missing)
    with found as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresAddress, own_redis: Redis) -> Iterator[Server]:
    """A server with two nodes, also without --on=nodes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(veche_process, "two_nodes", veche_process.TwoNodes(postgres, own_redis.at))
        with serving(tmp_path_factory.mktemp("nodes")) as server:
            yield server


@pytest.fixture
def without_redis(own_redis: Redis) -> Iterator[None]:
    own_redis.kill()
    yield
    own_redis.start()


@contextlib.asynccontextmanager
async def socket_on(server: Server, node: int, person: Person) -> AsyncIterator[Socket]:
    """Open a socket on one of the nodes, and wait until it has caught up."""
    url = f"ws://127.0.0.1:{server.nodes[node].port}/v1/socket"
    async with connect(url, compression=None, ping_interval=None, proxy=None) as connection:
        opened = Socket(connection)
        await opened.ask("hello", token=person.token)
        await opened.until(lambda frame: "caught_up" in frame)
        yield opened
        await opened.close()


def call(server: Server, node: int, person: Person, path: str, **body: Any) -> Any:
    """Make a call to one of the nodes."""
    url = f"http://127.0.0.1:{server.nodes[node].port}/v1{path}"
    headers = {"Authorization": f"Bearer {person.token}"}
    answer = httpx.post(url, json=body, headers=headers, timeout=30, trust_env=False).raise_for_status()
    return answer.json() if answer.content else None


@pytest.mark.usefixtures("without_redis")
def test_nodes_stay_ready_although_nobody_asked_before(server: Server) -> None:
    """Otherwise no node would be left. It costs time only that they do not hear each other."""
    for node in server.nodes:
        assert httpx.get(f"http://127.0.0.1:{node.port}/readyz", trust_env=False).status_code == 200


@pytest.mark.usefixtures("without_redis")
async def test_messages_are_delivered_to_the_other_node(server: Server) -> None:
    ann, bob = server.person(), server.person()
    room = ann.make_room(bob)
    async with socket_on(server, 1, bob) as socket:
        took = []
        for number in range(TRIES):
            sent = call(server, 0, ann, f"/rooms/{room}/messages", text=f"message {number}")
            at = time.monotonic()
            await socket.wait_for_seq(room, sent["seq"])
            took.append(time.monotonic() - at)
        assert min(took) < DELIVERED
        assert socket.seqs(room) == sorted(set(socket.seqs(room)))


@pytest.mark.usefixtures("without_redis")
async def test_what_is_in_an_own_log_takes_effect_on_the_other_node(server: Server) -> None:
    ann, bob = server.person(), server.person()
    async with socket_on(server, 1, bob) as socket:
        body = {"kind": "group", "name": "Team", "member_ids": [bob.id]}

        async def is_heard_after() -> float:
            room = call(server, 0, ann, "/rooms", **body)["id"]
            at = time.monotonic()
            await socket.until(lambda frame: frame.get("me", {}).get("invited", {}).get("room", {}).get("id") == room)
            return time.monotonic() - at

        assert min([await is_heard_after() for _ in range(TRIES)]) < DELIVERED


@pytest.mark.usefixtures("without_redis")
async def test_a_session_that_ends_ends_on_the_other_node(server: Server) -> None:
    took = []
    for _ in range(TRIES):
        ann = server.person()
        async with socket_on(server, 1, ann) as socket:
            call(server, 0, ann, "/logout")
            at = time.monotonic()
            await socket.ended()
            took.append(time.monotonic() - at)
        with pytest.raises(httpx.HTTPStatusError, match="401"):
            call(server, 1, ann, "/rooms", kind="group", name="Team", member_ids=[])
        if took[-1] < REVOKED:
            break
    assert min(took) < REVOKED
