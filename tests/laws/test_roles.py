"""Roles and settings of rooms through every dialect.

A reader hears everything and says nothing, until the owner lets it speak. A slow or an archived room takes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator

import httpx
import pytest

from .dialects import MESSENGER, NATIVE, ROOMS, Dialect, DialectClient, opened
from .town import TIMEOUT, Person, Server, serving

DIALECTS = (NATIVE, ROOMS, MESSENGER)  # those with rooms beside the lobby


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


async def all_is_decided(client: DialectClient, port: int, person: Person) -> None:
    """Wait until the node has decided what the client said: it stores what the account asks for later after that."""
    await client.drain()
    url, headers = (
        f"http://127.0.0.1:{port}/v1/rooms/{client.room_id}/read",
        {"Authorization": f"Bearer {person.token}"},
    )
    async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as http:
        (await http.post(url, json={"seq": 1}, headers=headers)).raise_for_status()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
async def test_a_reader_hears_and_says_nothing(server: Server, dialect: Dialect) -> None:
    owner, reader = server.person(), server.person()
    room = owner.make_room(reader)
    member = f"/rooms/{room}/members/{reader.id}"
    async with contextlib.AsyncExitStack() as stack:
        port = server.port
        client = await stack.enter_async_context(opened(port, dialect, reader, room))
        await asyncio.to_thread(owner.call, "PATCH", member, json={"role": "reader"}, expect=200)
        await client.say("not said")
        await all_is_decided(client, port, reader)
        await asyncio.to_thread(owner.say, room, "heard")
        await client.receives("heard")
        await asyncio.to_thread(owner.call, "PATCH", member, json={"role": "member"}, expect=200)
        await client.say("said")
        await client.receives("said")
        assert not client.closed
        if dialect is ROOMS:
            errors = [json.loads(frame)["text"] for frame in client.frames if '"error"' in frame]
            assert errors == ["user not a member of room"]
    assert [message["text"] for message in owner.history(room) if message["kind"] == "text"] == ["heard", "said"]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
async def test_a_slow_room_and_an_archived_room_take_nothing(server: Server, dialect: Dialect) -> None:
    owner, member = server.person(), server.person()
    room = owner.make_room(member)

    async def update(**changes: object) -> None:
        await asyncio.to_thread(owner.call, "PATCH", f"/rooms/{room}", json=changes, expect=200)

    async with contextlib.AsyncExitStack() as stack:
        port = server.port
        client = await stack.enter_async_context(opened(port, dialect, member, room))
        await update(slow_seconds=3600)
        await client.say("too soon")
        await all_is_decided(client, port, member)
        await update(slow_seconds=0, archived=True)
        await client.say("archived")
        await all_is_decided(client, port, member)
        await update(archived=False)
        await client.say("said")
        await client.receives("said")
        assert not client.closed
        if dialect is ROOMS:
            errors = [json.loads(frame)["text"] for frame in client.frames if '"error"' in frame]
            assert errors == ["too many requests", "room is archived"]
    assert [message["text"] for message in owner.history(room) if message["kind"] == "text"] == ["said"]
