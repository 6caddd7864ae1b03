"""Usernames that look alike: found in the database at a price that does not grow, and in old databases too."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import sqlite3
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import cast

import pytest
from core import commands as c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Insert, Update

import veche.storage
from tests.examples import examples
from veche.core.accounts import skeleton_key
from veche.core.names import handle_of
from veche.storage.accounts import accounts
from veche.storage.engines.sqlite import SqliteTransaction
from veche.storage.kinds.sqlite_database import SqliteDatabase

from .conftest import Counted, Open, Town, codes

DUMP = Path(__file__).parents[2] / "fixtures" / "f610f63.sql"
MANY = 20_000


def register(username: str | None = None, email: str | None = None) -> c.Request:
    return c.by(c.NOBODY_ID, c.Register("hash", username=username, email=email))


def rename(id: int, username: str) -> c.Request:
    return c.by(id, c.RenameAccount(username))


def delete(id: int) -> c.Request:
    return c.by(id, c.DeleteAccount())


def test_names_that_look_alike_are_taken_in_a_batch_and_after_it(town: Town) -> None:
    assert codes(town.batch(register("apple"), register("аррӏе"))) == ["ok", "taken"]
    assert codes(town.batch(register("сосо"), register("coco"), register("ꓚꓳꓚꓳ"))) == ["ok", "taken", "taken"]
    assert codes(town.batch(register("coco"))) == ["taken"]
    assert codes(town.batch(register("аррӏе"))) == ["taken"]
    assert codes(town.batch(register("corn"), register("com"))) == ["ok", "ok"]


def test_a_name_that_was_given_up_is_free_in_the_same_batch(town: Town) -> None:
    town.do(register("apple"))
    assert codes(town.batch(rename(4, "pear"), register("аррӏе"), register("apple"))) == ["ok", "ok", "taken"]
    assert codes(town.batch(delete(5), register("apple"), register("аррӏе"))) == ["ok", "ok", "taken"]


usernames = st.sampled_from(["coco", "сосо", "ꓚꓳꓚꓳ", "СОСО", "c0c0", "cocO", "apple", "аррӏе", "appIe"])
ids = st.sampled_from([1, 2, 3, 4, 5])
requests = st.one_of(usernames.map(register), st.builds(rename, ids, usernames), ids.map(delete))


@settings(
    max_examples=examples(60),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(requests, max_size=8))
def test_a_batch_decides_on_names_like_one_command_after_another(open_new: Open, commands: list[c.Request]) -> None:
    together, alone = Town(open_new()), Town(open_new())
    assert codes(together.batch(*commands)) == [code for command in commands for code in codes(alone.batch(command))]
    rows = "SELECT id, username, handle, skeleton, ascii FROM accounts ORDER BY id"
    assert together.rows(rows) == alone.rows(rows)
    assert all((skeleton, bool(ascii)) == skeleton_key(name) for _, name, _, skeleton, ascii in alone.rows(rows))


def test_an_old_database_gets_its_skeletons(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(DUMP.read_text(encoding="utf-8"))
        more = [(id, f"n\u0430dia{id}", f"n\u0430dia{id}", "", "", 0) for id in range(100, 2600)]
        old.executemany(
            "INSERT INTO accounts (id, username, handle, name, password_hash, created_at) VALUES (?,?,?,?,?,?)", more
        )
        old.commit()
    database = SqliteDatabase(f"sqlite:///{path}")
    database.migrate()
    with database.reading() as tx:
        rows = (
            cast(SqliteTransaction, tx).connection.execute("SELECT username, skeleton, ascii FROM accounts").fetchall()
        )
    database.close()
    assert len(rows) == 2509
    for username, skeleton, ascii in rows:
        assert (skeleton, bool(ascii)) == skeleton_key(username)


def test_old_accounts_that_look_alike_keep_working(town: Town) -> None:
    with town.database.writing() as tx:
        for id, username in ((10, "сосо"), (11, "coco"), (12, "со\u0441о "), (13, "nadia\u2065")):
            skeleton, ascii = skeleton_key(username)
            cast(SqliteTransaction, tx).connection.execute(
                "INSERT INTO accounts (id, username, handle, name, password_hash, created_at, skeleton, ascii)"
                " VALUES (?, ?, ?, ?, 'hash', 0, ?, ?)",
                (id, username, handle_of(username), username, skeleton, int(ascii)),
            )
    for id in (10, 11, 12, 13):
        town.do(c.by(id, c.OpenSession(f"s{id}", 60, "hash")))
        town.do(c.by(id, c.JoinRoom(1)))
        town.do(town.say(by=id))
    assert codes(town.batch(register("nadia"), register("ꓚꓳꓚꓳ"), rename(10, "СОСО"))) == ["taken", "taken", "taken"]
    assert codes(town.batch(rename(10, "coco2"), rename(13, "nadia"))) == ["ok", "ok"]


def test_whatever_writes_a_username_writes_its_skeleton() -> None:
    """Else a name that was given up would be taken for ever, and a new one could be taken for another."""
    written = [
        (f"{module.__name__}.{name}", str(statement))
        for path in pkgutil.iter_modules(veche.storage.__path__, "veche.storage.")
        for module in [importlib.import_module(path.name)]
        for name, statement in vars(module).items()
        if isinstance(statement, Insert | Update) and statement.table is accounts
    ]
    assert len(written) >= 2
    assert [name for name, sql in written if "username" in sql and not ("skeleton" in sql and "ascii" in sql)] == []


# What it costs.


def steps(database: Counted, command: c.Request) -> int:
    """Run a command; return how many instructions the virtual machine of SQLite ran for it."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    with database.writing() as tx:  # the writer has one connection, which the next transaction takes too
        connection = cast(SqliteTransaction, tx).connection
    connection.set_progress_handler(step, 1)
    Town.batch(cast(Town, _Only(database)), command)
    connection.set_progress_handler(None, 1)
    return count


class _Only:
    def __init__(self, database: Counted) -> None:
        self.database = database


def fill(database: Counted, names: list[tuple[str, str | None]]) -> None:
    with database.writing() as tx:
        cast(SqliteTransaction, tx).connection.executemany(
            "INSERT INTO accounts (id, username, handle, name, email, email_key, password_hash, created_at, skeleton,"
            " ascii) VALUES (?, ?, ?, ?, ?, ?, '', 0, ?, ?)",
            [
                (id, name, handle_of(name), name, email, email, skeleton_key(name)[0], int(name.isascii()))
                for id, (name, email) in enumerate(names, 10)
            ],
        )


def one_local_part(count: int) -> list[tuple[str, str | None]]:
    """Those who registered as lee@HOST: the nine first numbers are taken, and then those made of a hash."""
    made = ["lee", *(f"lee{number}" for number in range(2, 10)), *(f"lee{number}" for number in range(100, MANY + 100))]
    return [(name, f"lee@{number}.org") for number, name in enumerate(made[:count])]


def one_skeleton(count: int) -> list[tuple[str, str | None]]:
    """ASCII names that look alike are all allowed, so there may be thousands."""
    return [("".join(letters), None) for letters in list(product("il1|", repeat=8))[:count]]


@pytest.mark.parametrize(
    ("names", "command", "outcome"),
    [
        (one_local_part, register(email="lee@another.org"), "ok"),
        (one_local_part, register(email="lee@0.org"), "taken"),
        (one_skeleton, register("Ӏӏ" * 4), "taken"),
        (one_skeleton, register("i" * 9), "ok"),
        (one_skeleton, rename(1, "Ӏӏ" * 4), "taken"),
    ],
)
def test_the_last_of_many_registers_as_fast_as_the_first(
    open_new: Open,
    names: Callable[[int], list[tuple[str, str | None]]],
    command: c.Request,
    outcome: str,
) -> None:
    found = []
    for count in (20, MANY):
        town = Town(open_new())
        fill(town.database, names(count))
        town.do(register("warm", "warm@x.org"))
        found.append(steps(town.database, command))
        assert codes(town.batch(command)) == [outcome if outcome != "ok" else "taken"]
    few, many = found
    assert few > 50
    assert many < few * 1.5, f"{many} instructions at {MANY} accounts, {few} at 20"
