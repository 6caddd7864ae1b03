"""Many messages, as in a chat that was used for years: `veche demo --messages N`. It is the same chat on each run.

Bob, Charlie and David talk in up to ROOMS rooms. Alice is in the first HERS, and has read nothing.
"""

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from veche.cli.command import run_all
from veche.cli.demo import MINUTE, ORIGIN
from veche.cli.demo_texts import texts
from veche.core.messages import SendMessage
from veche.core.room_creation import CreateRoom
from veche.core.values import Kind
from veche.storage.database import Database
from veche.storage.rooms import rooms_of

ROOMS: Final = 5_000
HERS: Final = 200
LARGE_PART: Final = 10
"""One of so many messages is in the first room."""
FIRST_PER_ROOM: Final = 20
"""A room comes with so many messages, until there are ROOMS."""
BATCH: Final = 1_000
EVERY: Final = 5.0
"""Seconds between two lines about the progress."""


def room_of(number: int) -> int:
    """Return in which room a message is, as a number from 0."""
    if number % LARGE_PART == 0:
        return 0
    return number * 7919 % min(ROOMS, 1 + number // FIRST_PER_ROOM)  # a prime: neighbours are in different rooms


def create(database: Database, people: Sequence[int], messages: int, say: Callable[[str], None]) -> None:
    """Create what is missing of the first so many messages. `people` are the ids of Alice and of three others."""
    alice, *talkers = people
    rooms = _known_rooms(database, talkers[0])
    now, said_at = time.time_ns() // 1000, time.monotonic()
    written = texts()
    for start in range(1, messages + 1, BATCH):
        numbers = range(start, min(start + BATCH, messages + 1))
        at = now - (messages - start) // BATCH * MINUTE
        new = [index for index in sorted({*map(room_of, numbers)}) if index not in rooms]
        made = [
            CreateRoom(Kind.GROUP, _name(index), (*talkers[1:], *([alice] if index < HERS else []))) for index in new
        ]
        answers = run_all(database, [(talkers[0], command) for command in made], at, ORIGIN)
        rooms |= {index: answer.room.id for index, answer in zip(new, answers, strict=True)}
        sends = [
            (talkers[number % len(talkers)], SendMessage(rooms[room_of(number)], text, f"demo-many-{number}"))
            for number, text in zip(numbers, islice(written, len(numbers)), strict=True)
        ]
        run_all(database, sends, at, ORIGIN)
        if time.monotonic() - said_at >= EVERY:
            said_at = time.monotonic()
            say(f"{numbers[-1]:,} of {messages:,} messages")


def _known_rooms(database: Database, creator: int) -> dict[int, int]:
    with database.reading() as snapshot:
        by_name = {view.room.name: view.room.id for view in rooms_of(snapshot, creator)}
    return {index: by_name[_name(index)] for index in range(ROOMS) if _name(index) in by_name}


def _name(index: int) -> str:
    return f"Room {index}"
