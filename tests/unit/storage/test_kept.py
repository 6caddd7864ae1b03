"""Rows that are kept between batches are the stored rows, whoever wrote last."""

from __future__ import annotations

import random
import sqlite3
from typing import Any, cast

import pytest
from core import commands as c

from veche.core.values import Kind
from veche.storage import kept
from veche.storage.batch import _KEEPS, _LOADS
from veche.storage.commit import commit
from veche.storage.engines.sqlite import Sqlite, SqliteTransaction
from veche.storage.kinds.sqlite_database import SqliteDatabase

from .conftest import Town, codes

CHANNEL = 1
ANN, BOB, EVE = 1, 2, 3


def kept_rows(database: SqliteDatabase) -> dict[str, dict[Any, Any]]:
    rows = cast(Sqlite, database._engine)._kept._rows
    return {fact.name: dict(rows[fact]) for fact in _KEEPS}


def stored_rows(database: SqliteDatabase) -> dict[str, dict[Any, Any]]:
    """The stored rows of the keys that are kept."""
    rows = cast(Sqlite, database._engine)._kept._rows
    with database.reading() as tx:
        return {fact.name: dict(_LOADS[fact](tx, list(rows[fact]))) for fact in _KEEPS}


def commands(chance: random.Random, number: int) -> list[c.Request]:
    by, room = chance.choice([ANN, BOB, EVE]), chance.choice([CHANNEL, 2])
    choices = [
        c.SendMessage(room, "hi", f"m{number}"),
        c.SendMessage(room, "hi"),
        c.ReadUpTo(room, chance.randrange(9)),
        c.JoinRoom(room),
        c.LeaveRoom(room),
        c.RenameAccount(f"name{number}"),
        c.RemoveMember(room, BOB),
        c.AddMember(room, BOB),
        c.CreateRoom(Kind.GROUP, "g", (BOB,)),
        c.Register("hash", username=f"user{number}"),
        c.OpenSession(f"s{number}", 3600, "hash"),
        c.EndSession(f"s{max(0, number - chance.randrange(9))}"),
        c.SetPassword("hash", "hash", f"s{number - 1}"),
        c.EndSessions(),
    ]
    session_id = chance.choice(["", f"s{max(0, number - chance.randrange(5))}"])
    actor = c.Actor(by, "native", session_id)
    return [(actor, command) for command in chance.sample(choices, k=chance.randrange(1, 4))]


@pytest.mark.parametrize("seed", range(5))
def test_they_are_the_stored_rows_while_another_process_writes(town: Town, seed: int) -> None:
    chance = random.Random(seed)
    other = SqliteDatabase(f"sqlite:///{town.database.path}")
    seen: set[str] = set()
    for number in range(80):
        outcomes, _ = commit(chance.choice([town.database, town.database, other]), commands(chance, number))
        assert not {"internal", "unavailable"} & set(codes(outcomes))
        commit(town.database, [town.say(CHANNEL, f"{number}")])
        found = kept_rows(town.database)
        assert found == stored_rows(town.database)
        seen |= {name for name, rows in found.items() if rows}
    other.close()
    assert seen == {fact.name for fact in _KEEPS}

    for log_id in (CHANNEL, 2, -ANN, -BOB, -EVE):
        assert town.seqs(log_id) == list(range(1, town.head(log_id) + 1))


def test_a_write_that_is_not_a_batch_forgets_them(town: Town) -> None:
    town.do(town.say(CHANNEL))
    with town.database.writing() as tx:
        tx.connection.execute("DELETE FROM members WHERE account_id = 2")  # type: ignore[attr-defined]
    assert codes(town.batch(town.say(2, by=BOB))) == ["not_found"]


def test_a_batch_that_is_not_stored_forgets_them(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.do(town.say(CHANNEL))
    assert kept_rows(town.database)["heads"]

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteTransaction, "write_each", fail)
        assert codes(town.batch(town.say(CHANNEL))) == ["unavailable"]
    assert not any(kept_rows(town.database).values())
    head = town.head(CHANNEL)
    assert town.do(town.say(CHANNEL)).message.seq == head + 1


def test_they_are_bounded(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LIMIT", 2)
    for number in range(6):
        town.do(c.by(ANN, c.CreateRoom(Kind.GROUP, f"{number}", (BOB, EVE))))
        assert all(len(rows) <= 2 for rows in kept_rows(town.database).values())
        town.do(town.say(3 + number))


def test_the_second_message_reads_only_whether_it_was_sent_before(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.do(town.say(CHANNEL, "hi", "a"))
    reads: list[str] = []
    read = SqliteTransaction.read

    def note(self: SqliteTransaction, query: Any, **parameters: object) -> Any:
        reads.append(getattr(query, "__name__", str(query)))
        return read(self, query, **parameters)

    monkeypatch.setattr(SqliteTransaction, "read", note)
    town.do(town.say(CHANNEL, "hi", "b"))
    assert reads == ["_by_client_id", "_by_key"]  # whether a message, or another command, has the client id


def test_they_are_forgotten_with_the_connection(town: Town) -> None:
    """A new connection counts the changes of others from the beginning."""
    town.do(town.say(CHANNEL))
    town.database.close()
    other = SqliteDatabase(f"sqlite:///{town.database.path}")
    commit(other, [town.say(CHANNEL, "theirs")])
    other.close()
    town.do(town.say(CHANNEL, "ours"))
    assert town.seqs(CHANNEL) == list(range(1, town.head(CHANNEL) + 1))
