"""`veche demo`: people, chats and messages to look at, made through the log beside or before a server."""

import asyncio
import time
from collections.abc import Iterator
from itertools import cycle
from typing import NamedTuple

from veche.core import commands as c
from veche.core.errors import ChatError
from veche.core.rooms import Kind
from veche.service.passwords import Passwords
from veche.storage import read
from veche.storage.database import Database
from veche.storage.writer import Outcome, commit

PEOPLE = {"alice": "Алиса", "bob": "Боб", "charlie": "Чарли", "david": "Дэвид"}
PASSWORD = "password123"  # noqa: S105  # the seed's document tells it to everybody
MINUTE = 60_000_000  # microseconds


class DemoError(Exception):
    """The demo cannot be made; the message says why."""


class Talk(NamedTuple):
    """A chat with its lines; the number of a line tells how many minutes ago it was said."""

    key: str
    kind: Kind
    name: str
    members: tuple[int, ...]  # the first one makes it; they speak in turn
    line: str
    size: int


def emails() -> list[str]:
    """Name the people by what they sign in with."""
    return [f"{username}@example.com" for username in PEOPLE]


def make(database: Database) -> None:
    """Make what is not there yet. On an empty database: people 1 to 4, chats 1 and 2, messages 1 to 25."""
    now = time.time_ns() // 1000
    ids = _people(database, now - 15 * MINUTE)
    for talk in (
        Talk("private", Kind.DIRECT, "Алиса и Боб", tuple(ids[:2]), "Тестовое сообщение", 10),
        Talk("group", Kind.GROUP, "Команда проекта", tuple(ids), "Групповое сообщение", 15),
    ):
        room_id = _room(database, talk, now - talk.size * MINUTE)
        for ago, message in _lines(talk, room_id):
            _do(database, message, now - ago * MINUTE)


def _people(database: Database, at: int) -> list[int]:
    with database.reading() as snapshot:
        found = [read.credentials(snapshot, email=email) for email in emails()]
    hashed = _hash() if None in found else ""
    ids = []
    for email, name, known in zip(emails(), PEOPLE.values(), found, strict=True):
        account = known[0] if known else _do(database, c.Register(hashed, email=email, name=name), at)
        ids.append(account.id)  # type: ignore[union-attr]  # Register answers with an account
    return ids


def _hash() -> str:
    pool = Passwords(1)
    try:
        return asyncio.run(pool.hash(PASSWORD))
    finally:
        pool.stop()


def _room(database: Database, talk: Talk, at: int) -> int:
    """Find the chat, or make it; a private one is found by its two people, whatever its name."""
    creator, *others = talk.members
    if talk.kind is not Kind.DIRECT:
        with database.reading() as snapshot:
            for view in read.rooms_of(snapshot, creator):
                if (view.room.kind, view.room.name, view.room.creator_id) == (talk.kind, talk.name, creator):
                    return view.room.id
    entered = _do(database, c.CreateRoom(creator, talk.kind, talk.name, tuple(others)), at)
    return entered.room.id  # type: ignore[union-attr]  # CreateRoom answers with the room


def _lines(talk: Talk, room_id: int) -> Iterator[tuple[int, c.SendMessage]]:
    """Give the oldest line first, with the minutes since."""
    for ago, sender in zip(reversed(range(talk.size)), cycle(talk.members), strict=False):
        key = f"demo-{talk.key}-{ago}"
        yield ago, c.SendMessage(sender, room_id, f"{talk.line} {ago}", "demo", key)


def _do(database: Database, command: c.Command, at: int) -> Outcome:
    [outcome], _ = commit(database, [command], at)
    if isinstance(outcome, ChatError):
        raise DemoError(f"The demo cannot be made here: {outcome.message}")
    return outcome
