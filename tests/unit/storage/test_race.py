"""A lost race for a unique value: another process took it after the rows were read, and before they were written.

On SQLite BEGIN IMMEDIATE keeps the other process out. So the first try is given the rows of an older snapshot, which
was opened before the other process committed. The other process is another `SqliteDatabase` on the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import msgspec
import pytest
from core import commands as c

from veche.core.errors import ChatError, Code
from veche.core.values import Kind
from veche.storage import batch
from veche.storage.commit import commit
from veche.storage.kinds.sqlite_database import SqliteDatabase

from .conftest import Town, codes

CHANNEL = 1
ANN, BOB, EVE = 1, 2, 3

Check: TypeAlias = Callable[[Any, Any], bool]
"""Looks at what the other process was answered, and at what this one is answered."""


class Race(NamedTuple):
    theirs: c.Request
    ours: c.Request
    check: Check


def taken(field: str) -> Check:
    def check(_: Any, ours: Any) -> bool:
        return isinstance(ours, ChatError) and (ours.code, ours.data["field"]) == (Code.TAKEN, field)

    return check


def register(username: str | None, email: str | None = None) -> c.Request:
    return c.by(c.NOBODY_ID, c.Register("h", username=username, email=email))


def direct(by: int, other: int) -> c.Request:
    return c.by(by, c.CreateRoom(Kind.DIRECT, "", (other,)))


def unique(by: int) -> c.Request:
    return c.by(by, c.CreateRoom(Kind.CHANNEL, "Only", unique=True))


def send(words: str, client_id: str | None = "c1") -> c.Request:
    return c.by(ANN, c.SendMessage(CHANNEL, words, client_id))


RACES = {
    "client_message_id": Race(
        send("hi"), send("hi"), lambda theirs, ours: ours == msgspec.structs.replace(theirs, duplicate=True)
    ),
    "client_message_id of another text": Race(
        send("hi"), send("ho"), lambda _, ours: codes([ours]) == ["idempotency_mismatch"]
    ),
    "seq": Race(send("hi"), send("ho", "c2"), lambda theirs, ours: ours.message.seq == theirs.message.seq + 1),
    "username": Race(register("dan"), register("DAN"), taken("username")),
    "username of a renamed account": Race(register("dan"), c.by(EVE, c.RenameAccount("Dan")), taken("username")),
    "username made of an e-mail": Race(
        register("dan"), register(None, "dan@x.org"), lambda _, ours: ours.username == "dan2"
    ),
    "e-mail": Race(register("dan", "d@x.org"), register("fay", "D@x.org"), taken("email")),
    "direct room": Race(
        direct(ANN, BOB), direct(BOB, ANN), lambda theirs, ours: (ours.room, ours.new) == (theirs.room, False)
    ),
    "room name": Race(unique(ANN), unique(BOB), taken("name")),
}


def at_first_on(older: Any, read: Callable[..., Any], calls: list[Any], tx: Any, *rest: Any) -> Any:
    """Read in an older snapshot at the first call, and where one should afterwards."""
    calls.append(tx)
    return read(older if len(calls) == 1 else tx, *rest)


@pytest.fixture
def overtake(town: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[c.Request], Any]]:
    """Lets another process commit a command after this one has read its rows, and gives the command's answer."""
    with town.database.reading() as older:
        older.connection.execute("SELECT count(*) FROM accounts").fetchone()  # a snapshot begins with the first read

        def overtake(request: c.Request) -> Any:
            other = SqliteDatabase(f"sqlite:///{town.database.path}")
            [answer], _ = commit(other, [request])
            other.close()
            for name in ("lock_needed_rows", "load_rows"):
                monkeypatch.setattr(batch, name, partial(at_first_on, older, getattr(batch, name), []))
            return answer

        yield overtake


@pytest.mark.parametrize("neighbours", [0, 1, 3], ids=lambda count: f"{count} neighbours on each side")
@pytest.mark.parametrize("value", RACES)
def test_who_loses_a_race_is_answered_as_who_comes_later(
    town: Town, overtake: Callable[[c.Request], Any], value: str, neighbours: int
) -> None:
    race = RACES[value]
    theirs = overtake(race.theirs)
    others = [town.say(CHANNEL, f"{number}", f"n{number}", BOB) for number in range(2 * neighbours)]
    outcomes = town.batch(*others[:neighbours], race.ours, *others[neighbours:])
    ours = outcomes.pop(neighbours)
    assert codes([ours]) != ["internal"]
    assert race.check(theirs, ours) or (value == "seq" and ours.message.seq == theirs.message.seq + 1 + neighbours)
    assert codes(outcomes) == ["ok"] * len(others)
    stored = town.rows("SELECT client_message_id FROM messages WHERE sender_id = 2 ORDER BY seq")
    assert stored == [(f"n{number}",) for number in range(2 * neighbours)]
    assert town.seqs(CHANNEL) == list(range(1, town.head(CHANNEL) + 1))


def test_the_first_try_really_decides_on_old_rows(town: Town, overtake: Callable[[c.Request], Any]) -> None:
    overtake(register("dan"))
    begun = town.database.begun
    town.batch(register("dan"))
    assert town.database.begun == begun + 2
