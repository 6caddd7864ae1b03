"""A new name is told to the account's own devices, and everybody else sees it in what is read and said afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from .test_closing import veche
from .town import Frame, Person, Server

NAMES = dict[str, object]


async def by_the_operator(server: Server, person: Person) -> NAMES:
    await asyncio.to_thread(veche, server, "rename", person.name, f"new-{person.name}")
    return {"id": person.id, "username": f"new-{person.name}", "name": f"new-{person.name}"}


async def by_themselves(server: Server, person: Person) -> NAMES:
    person.call("PATCH", "/me", json={"name": "A New Name"}, expect=200)
    return {"id": person.id, "username": person.name, "name": "A New Name"}


def is_about_the_account(frame: Frame) -> bool:
    return "account" in frame.get("me", {})


@pytest.mark.parametrize("rename", [by_the_operator, by_themselves])
async def test_a_new_name_is_told_and_seen(
    server: Server, ann: Person, bob: Person, rename: Callable[[Server, Person], Awaitable[NAMES]]
) -> None:
    room_id = ann.make_room(bob)
    ann.say(room_id, "before")
    async with ann.socket() as one, ann.socket() as two, bob.socket() as other:
        names = await rename(server, ann)
        for device in (one, two):
            assert (await device.until(is_about_the_account))["me"]["account"] == names
        await one.ask("send", room_id=room_id, text="after")
        assert (await other.until(lambda frame: "message" in frame))["message"]["sender"] == names
        assert names in (await other.ask("who", room_id=room_id))["online"]
        assert not any(is_about_the_account(frame) for frame in other.frames), "it is in the own log alone"
    assert [message["sender"] for message in bob.history(room_id)] == [names, names], "old messages have it too"
    [member] = [one for one in bob.call("GET", f"/rooms/{room_id}/members")["items"] if one["id"] == ann.id]
    assert names.items() <= member.items()


async def test_a_device_that_was_away_learns_the_name(server: Server, ann: Person) -> None:
    async with ann.socket() as device:
        head = device.welcome["me"]["seq"]
    names = await by_the_operator(server, ann)
    async with ann.socket(me=head) as device:
        assert (await device.until(is_about_the_account))["me"]["account"] == names


async def test_the_name_of_a_deleted_account_is_seen_by_others(server: Server, ann: Person, bob: Person) -> None:
    room_id = ann.make_room(bob)
    ann.say(room_id, "before")
    async with ann.socket() as device, bob.socket() as other:
        await asyncio.to_thread(veche, server, "delete", ann.name, "--yes")
        assert await device.ended() == 4004
        deleted = {"id": ann.id, "username": f"deleted-{ann.id}", "name": "Deleted account"}
        assert [message["sender"] for message in bob.history(room_id)] == [deleted]
        assert ann.id not in [one["id"] for one in (await other.ask("who", room_id=room_id))["online"]]
