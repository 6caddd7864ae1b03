"""`veche demo`: creates sample people, rooms and messages. It may run while a server runs."""

import time
from collections.abc import Iterator
from itertools import cycle
from typing import NamedTuple

from veche.cli.command import hash_password, run
from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID
from veche.core.messages import SendMessage
from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.storage.accounts import credentials
from veche.storage.database import Database
from veche.storage.rooms import rooms_of

PEOPLE = {"alice": "Алиса", "bob": "Боб", "charlie": "Чарли", "david": "Дэвид"}
PASSWORD = "password123"  # noqa: S105  # not a secret: the document of the original server contains it
ORIGIN = "demo"
MINUTE = 60_000_000  # microseconds


class DemoRoom(NamedTuple):
    """A room with `size` messages. Each message is `text` and a number: how many minutes ago it was sent.

    `members` are account ids. The first one creates the room. The members send messages in turn.
    """

    key: str
    kind: Kind
    name: str
    members: tuple[int, ...]
    text: str
    size: int


def emails() -> list[str]:
    return [f"{username}@example.com" for username in PEOPLE]


def create(database: Database) -> list[int]:
    """Create what is missing, and return the ids of the people.

    On an empty database these are people 1 to 4, rooms 1 and 2, and messages 1 to 25.
    """
    now = time.time_ns() // 1000
    ids = _people(database, now - 15 * MINUTE)
    for demo_room in (
        DemoRoom("private", Kind.DIRECT, "Алиса и Боб", tuple(ids[:2]), "Тестовое сообщение", 10),
        DemoRoom("group", Kind.GROUP, "Команда проекта", tuple(ids), "Групповое сообщение", 15),
    ):
        room_id = _room(database, demo_room, now - demo_room.size * MINUTE)
        for ago, sender, message in _messages(demo_room, room_id):
            run(database, sender, message, now - ago * MINUTE, ORIGIN)
    return ids


def _people(database: Database, at: int) -> list[int]:
    with database.reading() as snapshot:
        found = [credentials(snapshot, email=email) for email in emails()]
    hashed = hash_password(PASSWORD) if None in found else ""
    ids = []
    for email, name, known in zip(emails(), PEOPLE.values(), found, strict=True):
        account = known[0] if known else run(database, NOBODY_ID, Register(hashed, email=email, name=name), at, ORIGIN)
        ids.append(account.id)
    return ids


def _room(database: Database, demo_room: DemoRoom, at: int) -> int:
    """Find or create the room, and return its id. CreateRoom itself finds a direct room by its two members."""
    creator, *others = demo_room.members
    if demo_room.kind is not Kind.DIRECT:
        with database.reading() as snapshot:
            for view in rooms_of(snapshot, creator):
                room = view.room
                if (room.kind, room.name, room.creator_id) == (demo_room.kind, demo_room.name, creator):
                    return room.id
    return run(database, creator, CreateRoom(demo_room.kind, demo_room.name, tuple(others)), at, ORIGIN).room.id


def _messages(demo_room: DemoRoom, room_id: int) -> Iterator[tuple[int, int, SendMessage]]:
    """Yield the age in minutes, the sender's id and the message, oldest first."""
    for ago, sender in zip(reversed(range(demo_room.size)), cycle(demo_room.members), strict=False):
        client_message_id = f"demo-{demo_room.key}-{ago}"
        yield ago, sender, SendMessage(room_id, f"{demo_room.text} {ago}", client_message_id)
