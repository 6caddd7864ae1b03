"""A client that was written from docs/native.md alone has, whatever happens, what the server has."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from conftest import RunningServer, Servers
from transcript import Head

from veche.dialects.native.limits import MAX_PAGE, MAX_REPLAY

from . import copies
from .people import PASSWORD, Person
from .small_client import SETTINGS, SmallClient


@pytest.fixture
def server(servers: Servers) -> Iterator[RunningServer]:
    running = servers.new(Head(own=True))
    yield running
    running.end()


@pytest.fixture
def people(server: RunningServer) -> Iterator[tuple[Person, Person]]:
    found = Person.new(server.base, "ann"), Person.new(server.base, "bob")
    yield found
    for person in found:
        person.close()


@contextlib.asynccontextmanager
async def running(client: SmallClient) -> AsyncIterator[SmallClient]:
    task = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextlib.asynccontextmanager
async def client_of(person: Person) -> AsyncIterator[SmallClient]:
    client = SmallClient(person.base, person.username, PASSWORD)
    try:
        yield client
    finally:
        await client.close()


def bob_again(bob: Person) -> Person:
    """Sign in once more."""
    answer = bob.http.post("/v1/login", json={"username": bob.username, "password": PASSWORD}).raise_for_status()
    bob.http.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return bob


async def say(person: Person, room: int, *texts: str) -> int:
    def send() -> int:
        return [person.call("POST", f"/rooms/{room}/messages", {"text": text})["seq"] for text in texts][-1]

    return await asyncio.to_thread(send)


def listed(person: Person) -> list[dict[str, Any]]:
    items, cursor = [], "0"
    while cursor is not None:
        page = person.call("GET", "/rooms", cursor=cursor, limit=200)
        items += page["items"]
        cursor = page["cursor"]
    return items


def messages(person: Person, room: int) -> dict[int, Any]:
    items: list[Any] = []
    more = True
    while more:
        after = items[-1]["seq"] if items else 0
        page = person.call("GET", f"/rooms/{room}/messages", after_seq=after, limit=200)
        items += page["items"]
        more = page["has_more_after"]
    return {item["seq"]: item for item in items}


async def check_same(client: SmallClient, person: Person) -> None:
    """Wait until the client has the same rooms, messages and numbers as the server."""
    rooms = {room["id"]: room for room in listed(person)}
    stored = {id: messages(person, id) for id, room in rooms.items() if room["last_message"] is not None}
    pins = {id: [one["message"]["id"] for one in person.call("GET", f"/rooms/{id}/pins")["items"]] for id in rooms}
    invited = {one["room"]["id"] for one in person.call("GET", "/invitations", limit=200)["items"]}
    account = person.call("GET", "/me")

    def differences() -> list[object]:
        found: list[object] = [set(client.rooms) ^ set(rooms)] if set(client.rooms) != set(rooms) else []
        for id in set(client.rooms) & set(rooms):
            mine, room = client.rooms[id], rooms[id]
            copy = {"head_seq": mine.position, "kind": mine.kind, "name": mine.name, "role": mine.role}
            copy |= {"read_seq": mine.read_seq, "unread": mine.unread}
            copy |= dict.fromkeys(SETTINGS) | mine.more
            found += [(id, key, value, room.get(key)) for key, value in copy.items() if value != room.get(key)]
            if copies.shown(mine.messages) != copies.shown(stored.get(id, {})):
                found.append((id, "messages", copies.shown(mine.messages), copies.shown(stored.get(id, {}))))
            if mine.pins != pins[id]:
                found.append((id, "pins", mine.pins, pins[id]))
        if set(client.invitations or ()) != invited:
            found.append(("invitations", client.invitations, invited))
        copy = {key: client.account.get(key) for key in account}
        return found if copy == account else [*found, copy]

    try:
        await client.until(lambda: client.caught_up and not differences())
    except TimeoutError:
        assert differences() == []
        assert client.caught_up
    assert client.problems == []


async def test_history_and_events_join_without_a_hole_at_the_first_start(people: tuple[Person, Person]) -> None:
    ann, bob = people
    room = ann.make_room(bob)
    await say(ann, room, *[f"before {n}" for n in range(60)])
    async with client_of(bob) as client:
        sending = asyncio.create_task(say(ann, room, *[f"meanwhile {n}" for n in range(60)]))
        async with running(client):
            await sending
            await check_same(client, bob)
    assert len(client.rooms[room].messages) == 120
    assert client.rooms[room].unread == 120


async def test_rooms_names_owners_and_read_pointers_follow(people: tuple[Person, Person]) -> None:
    ann, bob = people
    kept, left, lost = ann.make_room(bob), ann.make_room(bob), ann.make_room(bob)
    async with client_of(bob) as client, running(client):
        await client.until(lambda: client.caught_up)
        new = ann.make_room(bob)
        ann.make_room(bob, kind="direct")
        await say(ann, new, "one", "two", "three")
        ann.call("PATCH", f"/rooms/{kept}", {"name": "Crew"})
        ann.call("POST", f"/rooms/{left}/leave")
        ann.call("DELETE", f"/rooms/{lost}/members/{bob.id}")
        bob.call("PATCH", "/me", {"name": "Bob B.", "email": f"{bob.username}@example.com", "password": PASSWORD})
        await check_same(client, bob)
        assert client.rooms[kept].name == "Crew"
        assert client.rooms[left].role == "owner"
        assert client.rooms[new].unread == 3
        bob.call("POST", f"/rooms/{new}/read", {"seq": 4})
        await check_same(client, bob)
        client.read(new)
        await client.until(lambda: client.rooms[new].unread == 0)
        client.send(new, "mine")
        await client.until(lambda: not client.outbox)
        await say(ann, new, "four")
        await check_same(client, bob)
        assert client.rooms[new].unread == 1


async def test_each_message_is_stored_once_whatever_happens_to_the_server(
    server: RunningServer, people: tuple[Person, Person]
) -> None:
    ann, bob = people
    room = ann.make_room(bob)
    async with client_of(ann) as anns, client_of(bob) as bobs, running(anns), running(bobs):
        await anns.until(lambda: anns.caught_up)
        sent = []
        for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            sent += [anns.send(room, f"m{len(sent)}.{n}") for n in range(50)]
            before = anns.connections
            await asyncio.to_thread(server.end, how)
            sent += [anns.send(room, f"offline {n}") for n in range(5)]
            await asyncio.to_thread(server.start)
            await anns.until(lambda before=before: anns.connections > before and not anns.outbox)
        await check_same(anns, ann)
        await check_same(bobs, bob)
    ids = [message["client_message_id"] for message in bobs.rooms[room].messages.values()]
    assert sorted(ids) == sorted(sent)
    assert 4200 in anns.codes
    assert not anns.resets


async def test_a_client_that_was_away_resumes_or_starts_again(people: tuple[Person, Person]) -> None:
    ann, bob = people
    short, long, lost = ann.make_room(bob), ann.make_room(bob), ann.make_room(bob)
    async with client_of(bob) as client:
        async with running(client):
            await client.until(lambda: client.caught_up)
        await say(ann, short, *["x"] * 20)
        await say(ann, long, *["x"] * (MAX_REPLAY + 1))
        ann.call("DELETE", f"/rooms/{lost}/members/{bob.id}")
        new = ann.make_room(bob)
        await say(ann, new, "hi")
        async with running(client):
            await check_same(client, bob)
        assert [(reset["room_id"], reset["reason"]) for reset in client.resets] == [(long, "too_far")]
        assert set(client.rooms) == {short, long, new}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("is_back", [True, False], ids=["back", "out"])
@pytest.mark.parametrize("kind", ["group", "channel"])
async def test_a_room_that_was_left_and_entered_again_while_away(
    people: tuple[Person, Person], kind: str, is_back: bool, times: int
) -> None:
    """The replay of the own log tells of each leave, but the room may be one of the client's own again."""
    ann, bob = people
    room = ann.make_room(bob, kind=kind)
    await say(ann, room, "in")
    async with client_of(bob) as client:
        async with running(client):
            await check_same(client, bob)
        for _ in range(times):
            ann.call("DELETE", f"/rooms/{room}/members/{bob.id}")
            await say(ann, room, "out")
            ann.bring(room, bob)
            await say(ann, room, "back")
        if not is_back:
            ann.call("DELETE", f"/rooms/{room}/members/{bob.id}")
        async with running(client):
            await check_same(client, bob)
            await say(ann, room, "later")
            await check_same(client, bob)
    assert set(client.rooms) == ({room} if is_back else set())


async def test_a_message_that_is_refused_is_not_sent_again(people: tuple[Person, Person]) -> None:
    ann, bob = people
    kept, lost = ann.make_room(bob), ann.make_room(bob)
    async with client_of(bob) as client:
        async with running(client):
            await check_same(client, bob)
            ann.call("DELETE", f"/rooms/{lost}/members/{bob.id}")
            late = client.send(lost, "too late")
            long = client.send(kept, "x" * 20_000)
            fits = client.send(kept, "fits")
            await client.until(lambda: not client.outbox)
        assert client.refused == {late: "not_found", long: "invalid"}
        waiting = client.send(kept, "while away")
        bob.call("POST", "/logout")
        client.token = bob.token  # of a session that has ended: hello is refused, and the message is sent later
        async with running(client):
            await client.until(lambda: not client.outbox)
            await check_same(client, bob_again(bob))
    assert set(client.answers) == {fits, waiting}


@pytest.mark.parametrize("change", ["epoch", "ahead", "behind", "other rooms"])
async def test_wrong_positions_are_put_right(people: tuple[Person, Person], change: str) -> None:
    ann, bob = people
    room = ann.make_room(bob)
    await say(ann, room, "one", "two")
    async with client_of(bob) as client:
        async with running(client):
            await check_same(client, bob)
        if change == "epoch":
            client.epoch = "another"
        elif change == "ahead":
            client.me, client.rooms[room].position = 99, 99
        elif change == "behind":
            client.me, client.rooms[room].position = 0, 0
            client.rooms[room].messages.clear()
        else:
            client.rooms |= {id: type(client.rooms[room])(id, 1) for id in range(1000, 1010)}
        await say(ann, room, "three")
        async with running(client):
            await check_same(client, bob)
        assert bool(client.resets) == (change in ("epoch", "ahead"))


async def test_more_rooms_than_an_answer_holds(people: tuple[Person, Person]) -> None:
    ann, bob = people
    rooms = [bob.make_room(kind="channel") for _ in range(MAX_PAGE + 25)]
    for room in rooms:
        ann.call("POST", f"/rooms/{room}/join")
    await say(ann, rooms[3], "old room, new message")
    async with client_of(ann) as client:
        sending = [asyncio.create_task(say(bob, room, "first", "second")) for room in rooms[20:40]]
        async with running(client):
            await asyncio.gather(*sending)
            await check_same(client, ann)
            await say(bob, rooms[0], "to the last")
            await check_same(client, ann)
        ann.call("POST", f"/rooms/{rooms[1]}/leave")
        new, passing = bob.make_room(ann), bob.make_room(ann)
        ann.call("POST", f"/rooms/{passing}/leave")
        await say(bob, new, "in a room that the answer to hello does not have")
        for room in rooms[2:]:
            await say(bob, room, "while away")
        async with running(client):
            await check_same(client, ann)
    assert client.resets == []
