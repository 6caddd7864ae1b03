"""The promises that hold in every dialect."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from veche.app import DIALECTS
from veche.app import Server as Parts
from veche.core.actor import Party
from veche.hub.topic import Subscriber
from veche.service.chat import ROWS_OF_A_UNIT
from veche.service.shares import Share
from veche.settings import read_settings
from veche.storage.kinds.sqlite_database import SqliteDatabase
from veche.wire.websocket import WebSocket

from .dialects import IN_LOBBY, IN_ROOMS, NATIVE, SOCKETIO, Dialect, DialectClient, opened, polling
from .town import LOBBY, Person, Server

SCRIPT = ["first", "второе", "a\nb", "<b>&amp;", "x" * 1500, "🙂"]


@contextlib.asynccontextmanager
async def open_clients(
    server: Server, dialects: tuple[Dialect, ...], room_id: int, people: list[Person]
) -> AsyncIterator[list[DialectClient]]:
    async with contextlib.AsyncExitStack() as stack:
        found = [
            await stack.enter_async_context(opened(server.port, dialect, person, room_id))
            for dialect, person in zip(dialects, people, strict=True)
        ]
        yield found


def people_in_room(server: Server, dialects: tuple[Dialect, ...]) -> tuple[int, list[Person]]:
    people = [server.person() for _ in dialects]
    return (LOBBY if dialects is IN_LOBBY else people[0].make_room(*people[1:])), people


def stored(server: Server, room_id: int, person: Person) -> list[str]:
    """Read a person's texts in a room from the database, as another process sees it."""
    query = "SELECT text FROM messages WHERE room_id = ? AND sender_id = ? AND kind = 'text' ORDER BY seq"
    return [row["text"] for row in server.rows(query, room_id, person.id)]


@pytest.mark.parametrize("dialects", [IN_LOBBY, IN_ROOMS], ids=["lobby", "room"])
async def test_all_dialects_see_one_order(server: Server, dialects: tuple[Dialect, ...]) -> None:
    room_id, people = people_in_room(server, dialects)
    lines = {person.name: [f"{person.name} says {n}" for n in range(10)] for person in people}
    every = [text for texts in lines.values() for text in texts]

    async def speak(client: DialectClient, person: Person) -> None:
        for text in lines[person.name]:
            await client.say(text)

    async with open_clients(server, dialects, room_id, people) as found:
        await asyncio.gather(*(speak(client, person) for client, person in zip(found, people, strict=True)))
        for client in found:
            await client.receives(*every)
        orders = {tuple(text for text in client.texts if text in every) for client in found}
    assert len(orders) == 1
    assert sorted(orders.pop()) == sorted(every), "each once"


@pytest.mark.parametrize(
    ("dialects", "dialect"),
    [(dialects, dialect) for dialects in (IN_LOBBY, IN_ROOMS) for dialect in dialects],
    ids=lambda x: getattr(x, "name", ""),
)
async def test_the_same_script_is_stored_alike(server: Server, dialects: tuple[Dialect, ...], dialect: Dialect) -> None:
    room_id, people = people_in_room(server, dialects)
    speaker = people[dialects.index(dialect)]
    async with open_clients(server, dialects, room_id, people) as found:
        for text in SCRIPT:
            await found[dialects.index(dialect)].say(text)
        for client in found:
            await client.receives(*SCRIPT)
    assert stored(server, room_id, speaker) == SCRIPT


@pytest.fixture(scope="module")
def people_by_dialects(server: Server) -> dict[tuple[Dialect, ...], tuple[int, list[Person]]]:
    return {dialects: people_in_room(server, dialects) for dialects in (IN_LOBBY, IN_ROOMS)}


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=400)


@settings(max_examples=15, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6))
@pytest.mark.parametrize("dialects", [IN_LOBBY, IN_ROOMS], ids=["lobby", "room"])
async def test_all_dialects_store_the_same_texts_alike(
    server: Server,
    people_by_dialects: dict[tuple[Dialect, ...], tuple[int, list[Person]]],
    dialects: tuple[Dialect, ...],
    texts: list[str],
) -> None:
    room_id, people = people_by_dialects[dialects]
    marker = uuid4()  # no earlier text contains it
    async with open_clients(server, dialects, room_id, people) as found:
        for client, person in zip(found, people, strict=True):
            for text in (*texts, f"{marker} {person.name}"):
                await client.say(text)
        for client in found:
            await client.receives(*(f"{marker} {person.name}" for person in people))
    for person in people:
        assert stored(server, room_id, person)[-len(texts) - 1 : -1] == texts, person.name


def remove_member(server: Server, owner: Person, gone: Person, room_id: int) -> None:
    owner.call("DELETE", f"/rooms/{room_id}/members/{gone.id}", expect=204)


def leave_room(server: Server, owner: Person, gone: Person, room_id: int) -> None:
    gone.call("POST", f"/rooms/{room_id}/leave", expect=204)


@pytest.mark.parametrize("leaves", [remove_member, leave_room])
async def test_a_member_who_left_receives_nothing_in_any_dialect(
    server: Server, leaves: Callable[[Server, Person, Person, int], None]
) -> None:
    owner, gone, witness = (server.person() for _ in range(3))
    room_id = owner.make_room(gone, witness)
    async with open_clients(server, IN_ROOMS, room_id, [gone] * len(IN_ROOMS)) as found:
        async with opened(server.port, NATIVE, witness, room_id) as other:
            owner.say(room_id, "before")
            for client in found:
                await client.receives("before")
            leaves(server, owner, gone, room_id)
            owner.say(room_id, "after")
            await other.receives("after")
        for client in found:
            await client.drain()
            assert client.texts == ["before"], client.dialect.name


@pytest.mark.parametrize(
    ("dialects", "dialect"),
    [(dialects, dialect) for dialects in (IN_LOBBY, IN_ROOMS) for dialect in dialects],
    ids=lambda x: getattr(x, "name", ""),
)
async def test_what_is_echoed_is_stored(server: Server, dialects: tuple[Dialect, ...], dialect: Dialect) -> None:
    room_id, people = people_in_room(server, dialects)
    async with opened(server.port, dialect, people[0], room_id) as client:
        for n in range(20):
            await client.say(f"{people[0].name} {n}")
            await client.receives(f"{people[0].name} {n}")
            assert len(stored(server, room_id, people[0])) == n + 1


async def test_what_is_acknowledged_is_stored(server: Server) -> None:
    ann = server.person()
    bearer = {"Authorization": f"Bearer {ann.token}"}
    async with ann.socket() as socket, opened(server.port, SOCKETIO, ann, LOBBY) as client:
        for n in range(0, 40, 4):
            await socket.ask("send", room_id=LOBBY, text="by socket")
            assert len(stored(server, LOBBY, ann)) == n + 1
            await client.socket.send(f'42{n}["message",{{"text":"with an ack"}}]')
            await client.until(lambda client, ack=f"43{n}[]": ack in client.frames)  # type: ignore[misc]
            assert len(stored(server, LOBBY, ann)) == n + 2
            ann.say(LOBBY, "by REST")
            assert len(stored(server, LOBBY, ann)) == n + 3
            answer = server.http.post(f"/chats/{LOBBY}/messages", json={"text": "by REST"}, headers=bearer)
            assert answer.raise_for_status().json()["text"] == "by REST"
            assert len(stored(server, LOBBY, ann)) == n + 4


class InProcessServer:
    """A server in a thread of this process, so that the tests can look into its hub."""

    def __init__(self, folder: Path) -> None:
        database = SqliteDatabase(f"sqlite:///{folder / 'veche.db'}", serving=True)
        database.migrate()
        self.parts = Parts(read_settings(DIALECTS), database)
        config = uvicorn.Config(self.parts.app, port=0, ws=WebSocket, log_config=None, lifespan="on")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)

    def __enter__(self) -> InProcessServer:
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
def inside(tmp_path: Path) -> Iterator[InProcessServer]:
    with InProcessServer(tmp_path) as inside:
        yield inside


async def test_an_event_is_encoded_once_for_each_serializer(inside: InProcessServer) -> None:
    """All six dialects in the lobby, two sockets each, and a Socket.IO client that polls: six serializers."""
    people = [Person(inside, f"inside{n}") for n in range(12)]  # type: ignore[arg-type]
    async with contextlib.AsyncExitStack() as stack:
        found = [
            await stack.enter_async_context(opened(inside.port, dialect, person, LOBBY))
            for dialect, person in zip(IN_LOBBY * 2, people, strict=True)
        ]
        poll = await stack.enter_async_context(polling(inside.port, people[0]))
        await found[0].say("first, so that every subscription is live")
        for client in found:
            await client.receives("first, so that every subscription is live")
        await poll.receives("first, so that every subscription is live")
        for client in found:
            before = inside.parts.hub.encode_count
            text = f"{client.dialect.name} {before}"
            await client.say(text)
            for other in (*found, poll):
                await other.receives(text)
            assert inside.parts.hub.encode_count - before == len(IN_LOBBY), "thirteen connections, six serializers"


async def test_a_replay_counts_as_work_of_the_one_who_reads_it(
    inside: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[Party, float]] = []
    work = Share.work

    def counted(share: Share, units: float) -> None:
        done.append((share.key, units))
        work(share, units)

    ann, bob = [Person(inside, name) for name in ("replays", "says")]  # type: ignore[arg-type]
    for number in range(3 * ROWS_OF_A_UNIT):
        bob.say(LOBBY, f"{number}")
    monkeypatch.setattr(Share, "work", counted)
    async with opened(inside.port, NATIVE, ann, LOBBY) as client:  # its hello asks for the lobby from the start
        assert len(client.texts) == 3 * ROWS_OF_A_UNIT
    assert 3 <= sum(units for party, units in done if party == ann.id) <= 5


async def test_every_connection_follows_its_own_log_first(inside: InProcessServer) -> None:
    """It begins at the head of the snapshot in which the session was valid, before it subscribes to a room.

    Native is left out: it begins with its hello.
    """
    begun: list[tuple[str, int, int]] = []
    begin = inside.parts.hub.begin

    def spy(subscriber: Subscriber, own_seq: int) -> None:
        begun.append((subscriber.dialect, own_seq, len(subscriber.subscriptions)))
        begin(subscriber, own_seq)

    inside.parts.hub.begin = spy  # type: ignore[method-assign]
    dialects = tuple(dialect for dialect in IN_LOBBY if dialect is not NATIVE)
    people = [Person(inside, f"begins{n}") for n in range(len(dialects))]  # type: ignore[arg-type]
    for person in people:
        person.make_room()  # the first entry of each own log
    async with open_clients(inside, dialects, LOBBY, people) as found:  # type: ignore[arg-type]
        for client in found:
            await client.say(f"hello from {client.dialect.name}")
            await client.receives(f"hello from {client.dialect.name}")
    assert sorted(begun) == sorted((dialect.name, 1, 0) for dialect in dialects)
