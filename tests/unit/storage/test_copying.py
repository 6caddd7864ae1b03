"""`veche copy` between databases: nothing is lost, whenever it is killed, and nobody serves half of a chat."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from core import commands as c

from tests.veche_process import environment
from veche.core.actor import Actor
from veche.core.rules import Rules
from veche.core.values import LOBBY_ID, FileInfo, Kind
from veche.storage import copying, opening
from veche.storage.commit import commit
from veche.storage.database import Database, DatabaseError
from veche.storage.kinds.sqlite_database import sqlite_path
from veche.storage.tables import meta, metadata

from .conftest import codes

ANN, BOB, EVE = 1, 2, 3
CHUNK = 4  # rows: several transactions for most tables
COPY = """
import sys
from veche.storage import copying, opening
with opening.copy_source(sys.argv[1]) as source, opening.copy_target(sys.argv[2]) as target:
    copying.copy(source, target, print, chunk=4)
"""
Tables = dict[str, list[tuple[Any, ...]]]
RULES = Rules(file_quota=1 << 20)
FILE = FileInfo("a" * 32, "plan \\N.txt", 5, "text/plain")


def text_of(number: int) -> str:
    return f"{number}\t\\N \u2028 \U0001f600 привет\n" + "x" * number


def fill(url: str) -> None:
    """Make a chat that has rows in every table."""
    with contextlib.closing(opening.open_to_serve(url)) as database:
        database.secret()

        def do(*requests: c.Request) -> None:
            assert set(codes(commit(database, requests, rules=RULES)[0])) == {"ok"}

        for name in ("ann", "bob", "eve", "Женя", "zoë", "mallory"):
            do(c.by(c.NOBODY_ID, c.Register("hash", username=name)))
        for id in ("Zz", "aA", "_b", "9c", "é"):
            do((Actor(ANN, "native"), c.OpenSession(id, 10**9, "hash")))
        do(c.by(ANN, c.OpenRefreshedSession(c.OpenSession("refreshed", 10**9, "hash"), "first")))
        do(c.by(ANN, c.CreateRoom(Kind.CHANNEL, "Channel", (BOB, EVE))))
        do(c.by(ANN, c.CreateRoom(Kind.GROUP, "Group 'x' \\ N", (BOB,))))
        do(c.by(BOB, c.CreateRoom(Kind.DIRECT, "Bob and Eve", (EVE,))))
        for number in range(11):
            do(
                *(
                    c.by(by, c.SendMessage(room, text_of(number), f"{number}"))
                    for by, room in ((ANN, 1), (BOB, 2), (EVE, LOBBY_ID))
                )
            )
        for command in (c.BeginUpload(FILE), c.FinishUpload(FILE), c.SendFiles(1, "", file_ids=(FILE.id,))):
            do(c.by(ANN, command))
        do(c.by(BOB, c.MarkRead(1, 4)))
        do(c.by(ANN, c.EditMessage(1, 1, "@bob", client_id="edit")))
        do(c.by(BOB, c.SendReply(1, "reply", reply_to_id=1, thread_id=1)))
        do(c.by(EVE, c.DeleteMessage(LOBBY_ID, 3)))
        do(*(c.by(by, c.React(1, 1, emoji)) for by in (ANN, BOB) for emoji in ("\U0001f44d", "\u2764\ufe0f")))
        do(c.by(ANN, c.PinMessage(1, 1)))
        do(c.by(EVE, c.LeaveRoom(1)))
        do(c.by(ANN, c.InviteMember(1, EVE)), c.by(ANN, c.MakeLink(1, 3600, 5)))
        do(c.by(ANN, c.BanMember(1, 6, 3600)))
        do(c.by(ANN, c.BlockPerson(EVE)))
        do(c.by(6, c.DeleteAccount()))
        do(c.by(BOB, c.OpenEcho()))
        do(c.by(BOB, c.AddEchoLines(1, (("client", "a"), ("server", "b")))))


def columns(name: str) -> str:
    return ", ".join(f'"{column.name}"' for column in metadata.tables[name].columns)


def tables_of(url: str) -> Tables:
    """Read all tables with the drivers, as no code of Veche reads them."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(sqlite_path(url))) as sqlite:
            return {name: sorted(sqlite.execute(f"SELECT {columns(name)} FROM {name}"), key=repr) for name in names()}
    with psycopg.connect(url) as postgres:
        return {
            name: sorted(postgres.execute(f"SELECT {columns(name)} FROM veche.{name}").fetchall(), key=repr)
            for name in names()
        }


def names() -> list[str]:
    return [name for name in metadata.tables if name not in (meta.name, "nodes", "last_commits")]


def values(url: str) -> dict[str, str]:
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(sqlite_path(url))) as sqlite:
            return dict(sqlite.execute("SELECT key, value FROM meta").fetchall())
    with psycopg.connect(url) as postgres:
        return dict(postgres.execute("SELECT key, value FROM veche.meta").fetchall())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/source.db"
    fill(url)
    return url


@pytest.fixture(params=[pytest.param("postgresql", marks=pytest.mark.slow), "sqlite"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (
        str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else f"sqlite:///{tmp_path}/t.db"
    )


def copy(source: str, target: str) -> copying.Copied:
    with opening.copy_source(source) as one, opening.copy_target(target) as other:
        return copying.copy(one, other, lambda _: None, chunk=CHUNK)


def killed(source: str, target: str, point: str) -> int:
    """Copy in a process that dies at a crash point. Return its exit code: 9, or 0 if it did not come there."""
    words = [sys.executable, "-c", COPY, source, target]
    done = subprocess.run(words, env=environment({"VECHE_TEST_CRASH_AT": point}), capture_output=True, text=True)
    assert done.returncode in (0, 9), done.stderr
    return done.returncode


def use(url: str) -> None:
    with opening.open_existing(url):
        pass


def serve(url: str) -> None:
    opening.open_to_serve(url).close()


def migrate(url: str) -> None:
    opening.migrate_database(url, copy=True, say=lambda _: None)


def test_every_table_has_rows_in_these_tests(sqlite_url: str) -> None:
    assert all(tables_of(sqlite_url).values())


def test_all_rows_are_copied_and_the_epoch_and_the_secret_stay(sqlite_url: str, target: str) -> None:
    before = tables_of(sqlite_url)
    done = copy(sqlite_url, target)
    assert (tables_of(target), done.odd) == (before, [])
    assert done.rows == {name: len(rows) for name, rows in before.items()}
    assert values(target)["epoch"] == values(sqlite_url)["epoch"]
    with contextlib.closing(opening.open_to_serve(target)) as served:
        secret = Path(f"{sqlite_path(sqlite_url)}.secret").read_text()
        assert served.secret() == secret
        assert values(target)["epoch"] == values(sqlite_url)["epoch"]


def test_new_ids_come_after_those_that_were_copied(sqlite_url: str, target: str) -> None:
    copy(sqlite_url, target)
    highest = max(row[0] for row in tables_of(sqlite_url)["messages"])
    with contextlib.closing(opening.open_to_serve(target)) as database:
        [sent], _ = commit(database, [c.by(ANN, c.SendMessage(1, "next"))])
        [again], _ = commit(database, [c.by(ANN, c.SendMessage(1, text_of(3), "3"))])
        [room], _ = commit(database, [c.by(ANN, c.CreateRoom(Kind.CHANNEL, "Fourth"))])
    assert sent.message.id == highest + 1
    assert again.message.id < highest
    assert room.room.id == 4


def test_what_came_to_postgresql_comes_back(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    copy(sqlite_url, postgres_url)
    with contextlib.closing(opening.open_to_serve(postgres_url)) as database:
        commit(database, [c.by(ANN, c.SendMessage(1, "there"))])
    back = f"sqlite:///{tmp_path}/back.db"
    copy(postgres_url, back)
    assert tables_of(back) == tables_of(postgres_url)
    assert len(tables_of(back)["messages"]) == len(tables_of(sqlite_url)["messages"]) + 1
    assert Path(f"{sqlite_path(back)}.secret").read_text() == Path(f"{sqlite_path(sqlite_url)}.secret").read_text()
    assert Path(f"{sqlite_path(back)}.secret").stat().st_mode & 0o777 == 0o600
    serve(back)
    assert values(back)["epoch"] == values(sqlite_url)["epoch"]


def test_a_node_that_was_killed_is_not_copied(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    """On SQLite nothing would remove it, and its conversations with the echo would stay open."""
    copy(sqlite_url, postgres_url)
    with psycopg.connect(postgres_url) as postgres:
        postgres.execute("INSERT INTO veche.nodes VALUES ('killed', 'm', 'p', 0, 0, 0, 0)")
    back = f"sqlite:///{tmp_path}/back.db"
    copy(postgres_url, back)
    with contextlib.closing(sqlite3.connect(sqlite_path(back))) as sqlite:
        assert sqlite.execute("SELECT id FROM nodes").fetchall() == []


POINTS = [
    "copy_begun",
    *[f"copy_stored:{number}" for number in (1, 2, 3, 7, 11, 16)],
    *[f"copy_loading:{number}" for number in (1, 4, 9)],
    "copy_loaded",
    "copy_compared",
    "copy_completed",
]


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
def test_a_copy_that_is_killed_goes_on_and_meanwhile_nobody_uses_it(
    sqlite_url: str, postgres_url: str, point: str
) -> None:
    assert killed(sqlite_url, postgres_url, point) == 9
    for command in (use, serve, migrate):
        with pytest.raises(DatabaseError, match=r"is half copied: `veche copy` was interrupted\. Run it again"):
            command(postgres_url)
    copy(sqlite_url, postgres_url)
    assert tables_of(postgres_url) == tables_of(sqlite_url)
    serve(postgres_url)


@pytest.mark.slow
@pytest.mark.long
def test_a_copy_that_is_killed_again_and_again_comes_to_its_end(sqlite_url: str, target: str) -> None:
    kills = 0
    while killed(sqlite_url, target, "copy_stored:2") == 9:
        kills += 1
    assert kills >= 7
    assert tables_of(target) == tables_of(sqlite_url)
    serve(target)


@pytest.mark.slow
def test_the_half_of_an_sqlite_database_is_refused_too(sqlite_url: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/t.db"
    assert killed(sqlite_url, target, "copy_stored:3") == 9
    for command in (use, serve, migrate):
        with pytest.raises(DatabaseError, match="is half copied"):
            command(target)
    with pytest.raises(DatabaseError, match="is half copied"):
        opening.backup(target, tmp_path / "b.db", overwrite=False, say=lambda _: None)


def test_a_copy_that_is_complete_is_not_made_again(sqlite_url: str, target: str) -> None:
    copy(sqlite_url, target)
    assert copy(sqlite_url, target).already
    serve(target)
    with contextlib.closing(opening.open_to_serve(target)) as database:
        commit(database, [c.by(ANN, c.SendMessage(1, "new"))])
    after = tables_of(target)
    assert copy(sqlite_url, target).already
    assert tables_of(target) == after


@pytest.mark.slow
def test_a_source_that_was_served_meanwhile_is_noticed(sqlite_url: str, target: str) -> None:
    assert killed(sqlite_url, target, "copy_stored:3") == 9
    serve(sqlite_url)
    with pytest.raises(DatabaseError, match="was served since"):
        copy(sqlite_url, target)


@pytest.mark.slow
def test_a_source_that_was_changed_behind_the_position_is_noticed(sqlite_url: str, target: str) -> None:
    assert killed(sqlite_url, target, "copy_loaded") == 9
    with opening.open_existing(sqlite_url) as database:
        commit(database, [c.by(ANN, c.ChangeProfile(name="Another"))])
    with pytest.raises(DatabaseError, match=r"The copy is not right: accounts has .*, or other values"):
        copy(sqlite_url, target)
    with pytest.raises(DatabaseError, match="is half copied"):
        serve(target)


def test_a_target_with_a_chat_is_refused_and_left_alone(sqlite_url: str, target: str) -> None:
    fill(target)
    before = tables_of(target)
    with pytest.raises(DatabaseError, match="has a chat already"):
        copy(sqlite_url, target)
    assert tables_of(target) == before
    serve(target)


def test_a_target_that_was_served_but_is_empty_is_taken(sqlite_url: str, target: str) -> None:
    serve(target)
    copy(sqlite_url, target)
    assert tables_of(target) == tables_of(sqlite_url)
    serve(target)
    assert values(target)["epoch"] == values(sqlite_url)["epoch"]


@pytest.fixture
def open_source(sqlite_url: str) -> Iterator[Database]:
    with contextlib.closing(opening.open_to_serve(sqlite_url)) as database:
        yield database


def test_a_source_that_is_served_is_refused(sqlite_url: str, open_source: Database, target: str) -> None:
    with pytest.raises(DatabaseError, match="Stop the server"):
        copy(sqlite_url, target)


@pytest.mark.parametrize("served", ["source", "target"])
def test_a_postgresql_that_is_served_is_refused(
    sqlite_url: str, postgres_url: str, tmp_path: Path, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veche.storage.kinds.postgres_ends.PATIENCE", 0.2)
    other = f"sqlite:///{tmp_path}/o.db"
    with contextlib.closing(opening.open_to_serve(postgres_url)) as database:
        with database.reading():
            pass
        with pytest.raises(DatabaseError, match=r"Veche runs with .*\. Stop all nodes"):
            copy(postgres_url, other) if served == "source" else copy(sqlite_url, postgres_url)


def test_nobody_writes_to_a_postgresql_that_is_copied(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    copy(sqlite_url, postgres_url)
    with opening.copy_source(postgres_url), psycopg.connect(postgres_url) as other:
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("UPDATE veche.accounts SET name = 'x'")


def test_a_source_without_a_chat_is_refused(tmp_path: Path, postgres_url: str, target: str) -> None:
    with pytest.raises(DatabaseError, match="There is no database at"):
        copy(f"sqlite:///{tmp_path}/none.db", target)
    with pytest.raises(DatabaseError, match="There is no chat in"):
        copy(postgres_url, f"sqlite:///{tmp_path}/other.db")
    assert not (tmp_path / "other.db").exists()


def test_a_backup_gets_a_new_epoch(sqlite_url: str, target: str, tmp_path: Path) -> None:
    opening.backup(sqlite_url, tmp_path / "backup.db", overwrite=False, say=lambda _: None)
    copy(f"sqlite:///{tmp_path}/backup.db", target)
    assert tables_of(target) == tables_of(sqlite_url)
    assert values(target)["epoch"] != values(sqlite_url)["epoch"]


def test_a_log_whose_head_does_not_fit_is_named(sqlite_url: str, target: str) -> None:
    with contextlib.closing(sqlite3.connect(sqlite_path(sqlite_url))) as damaged, damaged:
        damaged.execute("UPDATE logs SET last_seq = last_seq + 1 WHERE id = 2")
    assert copy(sqlite_url, target).odd == [2]
