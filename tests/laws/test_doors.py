"""What holds whichever contract somebody comes through."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from veche.app import Server as Parts
from veche.settings import Settings
from veche.storage.database import Database
from veche.wire.websocket import WebSocket

from .doors import DISPATCH, IN_LOBBY, IN_ROOMS, NATIVE, Door, Ear, opened
from .town import LOBBY, PATIENCE, Person, Server

SCRIPT = ["first", "второе", "a\nb", "<b>&amp;", "x" * 1500, "🙂"]


@contextlib.asynccontextmanager
async def ears(server: Server, doors: tuple[Door, ...], room_id: int, people: list[Person]) -> AsyncIterator[list[Ear]]:
    async with contextlib.AsyncExitStack() as stack:
        found = [
            await stack.enter_async_context(opened(server.port, door, person, room_id))
            for door, person in zip(doors, people, strict=True)
        ]
        yield found


def place(server: Server, doors: tuple[Door, ...]) -> tuple[int, list[Person]]:
    people = [server.person() for _ in doors]
    return (LOBBY if doors is IN_LOBBY else people[0].make_room(*people[1:])), people


def stored(server: Server, room_id: int, person: Person) -> list[str]:
    with contextlib.closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as database:
        query = "SELECT text FROM messages WHERE room_id = ? AND sender_id = ? AND kind = 'text' ORDER BY seq"
        return [text for (text,) in database.execute(query, (room_id, person.id))]


@pytest.mark.parametrize("doors", [IN_LOBBY, IN_ROOMS], ids=["lobby", "room"])
async def test_all_doors_see_one_order(server: Server, doors: tuple[Door, ...]) -> None:
    room_id, people = place(server, doors)
    lines = {person.name: [f"{person.name} says {n}" for n in range(10)] for person in people}
    every = [text for texts in lines.values() for text in texts]

    async def speak(ear: Ear, person: Person) -> None:
        for text in lines[person.name]:
            await ear.say(text)

    async with ears(server, doors, room_id, people) as found:
        await asyncio.gather(*(speak(ear, person) for ear, person in zip(found, people, strict=True)))
        for ear in found:
            await ear.hears(*every)
        orders = {tuple(text for text in ear.texts if text in every) for ear in found}
    assert len(orders) == 1
    assert sorted(orders.pop()) == sorted(every), "each once"


@pytest.mark.parametrize(
    ("doors", "door"),
    [(doors, door) for doors in (IN_LOBBY, IN_ROOMS) for door in doors],
    ids=lambda x: getattr(x, "name", ""),
)
async def test_the_same_script_leaves_the_same_stored(server: Server, doors: tuple[Door, ...], door: Door) -> None:
    room_id, people = place(server, doors)
    speaker = people[doors.index(door)]
    async with ears(server, doors, room_id, people) as found:
        for text in SCRIPT:
            await found[doors.index(door)].say(text)
        for ear in found:
            await ear.hears(*SCRIPT)
    assert stored(server, room_id, speaker) == SCRIPT


@pytest.mark.parametrize("door", IN_ROOMS, ids=lambda door: door.name)
async def test_one_who_is_removed_hears_nothing_more(server: Server, door: Door) -> None:
    owner, removed, witness = (server.person() for _ in range(3))
    room_id = owner.make_room(removed, witness)
    async with (
        opened(server.port, door, removed, room_id) as ear,
        opened(server.port, NATIVE, witness, room_id) as other,
    ):
        owner.say(room_id, "before")
        await ear.hears("before")
        owner.call("DELETE", f"/rooms/{room_id}/members/{removed.id}")
        owner.say(room_id, "after")
        await other.hears("after")
        if not ear.closed:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(await ear.socket.ping(), PATIENCE)  # what was written before it has come
        assert "after" not in ear.texts


async def test_what_is_echoed_is_stored(server: Server) -> None:
    person = server.person()
    async with opened(server.port, DISPATCH, person, LOBBY) as ear:
        for n in range(20):
            await ear.say(f"{person.name} {n}")
            await ear.hears(f"{person.name} {n}")
            assert stored(server, LOBBY, person)[-1] == f"{person.name} {n}"


class Inside:
    """A server in a thread of ours, to count what the hub encodes."""

    def __init__(self, folder: Path) -> None:
        database = Database(f"sqlite:///{folder / 'veche.db'}", serving=True)
        database.migrate()
        self.parts = Parts(Settings(), database)
        config = uvicorn.Config(self.parts.app, port=0, ws=WebSocket, log_config=None, lifespan="on")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)

    def __enter__(self) -> Inside:
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            self.thread.join(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    with Inside(tmp_path) as inside:
        yield inside


async def test_each_form_that_is_present_is_encoded_once(inside: Inside) -> None:
    people = [Person(inside, f"inside{n}") for n in range(8)]  # type: ignore[arg-type]
    async with contextlib.AsyncExitStack() as stack:
        found = [
            await stack.enter_async_context(opened(inside.port, door, person, LOBBY))
            for door, person in zip(IN_LOBBY * 2, people, strict=True)
        ]
        await found[0].say("to make everybody live")
        for ear in found:
            await ear.hears("to make everybody live")
        before = inside.parts.hub.encodes
        await found[1].say("once a form")
        for ear in found:
            await ear.hears("once a form")
        assert inside.parts.hub.encodes - before == len(IN_LOBBY), "eight sockets, four forms"
