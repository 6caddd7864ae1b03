"""`veche demo`: people, chats and messages to look at, made through the log beside or before a server."""

import asyncio
import time
from collections.abc import Iterator
from itertools import cycle
from typing import NamedTuple

from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID, Actor
from veche.core.command import Command, T
from veche.core.errors import ChatError
from veche.core.messages import SendMessage
from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.service.passwords import Passwords
from veche.storage.accounts import credentials
from veche.storage.database import Database
from veche.storage.rooms import rooms_of
from veche.storage.writer import commit

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
        for ago, sender, message in _lines(talk, room_id):
            _do(database, sender, message, now - ago * MINUTE)


def _people(database: Database, at: int) -> list[int]:
    with database.reading() as snapshot:
        found = [credentials(snapshot, email=email) for email in emails()]
    hashed = _hash() if None in found else ""
    ids = []
    for email, name, known in zip(emails(), PEOPLE.values(), found, strict=True):
        account = known[0] if known else _do(database, NOBODY_ID, Register(hashed, email=email, name=name), at)
        ids.append(account.id)
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
            for view in rooms_of(snapshot, creator):
                if (view.room.kind, view.room.name, view.room.creator_id) == (talk.kind, talk.name, creator):
                    return view.room.id
    return _do(database, creator, CreateRoom(talk.kind, talk.name, tuple(others)), at).room.id


def _lines(talk: Talk, room_id: int) -> Iterator[tuple[int, int, SendMessage]]:
    """Give the minutes since, the sender and the message, the oldest one first."""
    for ago, sender in zip(reversed(range(talk.size)), cycle(talk.members), strict=False):
        key = f"demo-{talk.key}-{ago}"
        yield ago, sender, SendMessage(room_id, f"{talk.line} {ago}", key)


def _do(database: Database, account_id: int, command: Command[T], at: int) -> T:
    [outcome], _ = commit(database, [(Actor(account_id, "demo"), command)], at)
    if isinstance(outcome, ChatError):
        raise DemoError(f"The demo cannot be made here: {outcome.message}")
    answer: T = outcome
    return answer
