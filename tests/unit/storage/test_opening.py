"""Who may create and migrate a database. Addresses that are none."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from veche.storage import opening
from veche.storage.database import DEFAULT_URL, DatabaseError
from veche.storage.engines import sqlite_copy
from veche.storage.engines.sqlite_state import State, check
from veche.storage.kinds.sqlite_database import SqliteDatabase, sqlite_path

from .conftest import Town, url
from .schemas import back_to

Open = Callable[[str], None]


def serve(address: str) -> None:
    opening.open_to_serve(address).close()


def migrate(address: str, copy: bool = True) -> None:
    opening.migrate_database(address, copy=copy, say=lambda _: None)


def find(address: str) -> None:
    with opening.open_existing(address):
        pass


def epoch(address: str) -> None:
    opening.new_epoch(address)


def backup(address: str) -> None:
    opening.backup(address, Path(f"{sqlite_path(address)}.backup"), overwrite=False, say=lambda _: None)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".lock")}


@pytest.mark.parametrize("command", [find, epoch, backup])
@pytest.mark.parametrize("there", ["nothing", "empty", "empty database"])
def test_a_command_that_has_to_find_a_database_creates_none(tmp_path: Path, command: Open, there: str) -> None:
    path = tmp_path / "x.db"
    if there != "nothing":
        path.touch()
    if there == "empty database":
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    before = contents(tmp_path)
    with pytest.raises(DatabaseError, match=r"There is no database at .*x\.db.*Is the address right\?"):
        command(url(path))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", [serve, migrate, find, epoch, backup])
def test_only_the_default_folder_is_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Open) -> None:
    monkeypatch.chdir(tmp_path)
    for address in (url(tmp_path / "no" / "x.db"), "sqlite:///no/x.db", "sqlite:///Data/veche.db"):
        with pytest.raises(DatabaseError, match=r"There is no (folder|database at) .*"):
            command(address)
    assert list(tmp_path.iterdir()) == []
    if command in (serve, migrate):
        command(DEFAULT_URL)
        assert (tmp_path / "data" / "veche.db").is_file()


@pytest.mark.parametrize("command", [find])
def test_a_command_does_not_migrate(town: Town, command: Open) -> None:
    set_schema(town, "0001")
    before = contents(town.database.path.parent)
    with pytest.raises(DatabaseError, match=r"has the schema 0001, and this Veche needs .*`veche migrate`"):
        command(url(town.database.path))
    assert contents(town.database.path.parent) == before


@pytest.mark.parametrize("command", [serve, migrate, find])
def test_a_database_of_a_newer_version_is_refused_and_left_alone(town: Town, command: Open) -> None:
    set_schema(town, "9999")
    before = contents(town.database.path.parent)
    with pytest.raises(DatabaseError, match=r"newer Veche \(schema 9999\)"):
        command(url(town.database.path))
    assert contents(town.database.path.parent) == before


def set_schema(town: Town, version: str) -> None:
    with town.database.writing() as tx:
        tx.connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    town.database.close()


@pytest.mark.parametrize("command", [serve, migrate, find, epoch, backup])
def test_the_database_of_another_program_is_left_alone(tmp_path: Path, command: Open) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as other, other:
        other.execute("CREATE TABLE places (url TEXT)")
    before = contents(tmp_path)
    with pytest.raises(DatabaseError, match="is the database of another program"):
        command(url(tmp_path / "x.db"))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", [serve, migrate, find, epoch, backup])
def test_what_is_no_database_is_left_alone(tmp_path: Path, command: Open) -> None:
    (tmp_path / "x.db").write_bytes(b"Dear all,\n" * 500)
    with pytest.raises(DatabaseError, match="is no SQLite database"):
        command(url(tmp_path / "x.db"))
    assert contents(tmp_path) == {"x.db": b"Dear all,\n" * 500}


@pytest.mark.parametrize("command", [serve, migrate])
def test_a_database_is_copied_before_it_is_migrated(town: Town, command: Open) -> None:
    back_to(town, "0001")
    command(url(town.database.path))
    copy = town.database.path.with_name(f"{town.database.path.name}.schema-0001")
    assert check(copy) is State.COPY
    with contextlib.closing(sqlite3.connect(copy)) as old:
        assert old.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert old.execute("SELECT count(*) FROM accounts WHERE id = 1").fetchone() == (1,)
    find(url(town.database.path))


def test_a_migration_without_space_for_the_copy_changes_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    back_to(town, "0001")
    before = contents(town.database.path.parent)
    with monkeypatch.context() as without_space:
        without_space.setattr(sqlite_copy, "SPARE", 1 << 62)
        for command in (serve, migrate):
            with pytest.raises(DatabaseError, match=r"A copy of the database needs"):
                command(url(town.database.path))
        assert contents(town.database.path.parent) == before
        migrate(url(town.database.path), copy=False)
    find(url(town.database.path))


def test_somebody_who_was_called_anonymous_before_keeps_the_name(town: Town) -> None:
    with town.database.writing() as tx:
        tx.connection.execute("DELETE FROM accounts WHERE id = 2147483646")
        tx.connection.execute("UPDATE accounts SET username = 'Anonymous', handle = 'anonymous' WHERE id = 3")
    back_to(town, "0001")
    serve(url(town.database.path))
    query = "SELECT id, username, handle FROM accounts WHERE handle LIKE 'anonymous%' ORDER BY id"
    assert town.rows(query) == [(3, "Anonymous", "anonymous"), (2147483646, "anonymous", "anonymous (built in)")]


@pytest.mark.parametrize("command", [serve, migrate])
def test_the_file_alone_is_complete_after_a_start(tmp_path: Path, command: Open) -> None:
    seen: list[int] = []
    path = tmp_path / "x.db"
    if command is serve:
        database = opening.open_to_serve(url(path))
        seen.append(path.with_name("x.db-wal").stat().st_size)
        database.close()
    else:
        command(url(path))
        seen.append(0 if not path.with_name("x.db-wal").exists() else 1)
    assert seen == [0]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("mysql://me:hunter2@x", "has to be like sqlite:///data/veche.db"),
        ("me:hunter2@x", "has to be like sqlite:///data/veche.db"),
        ("veche.db", "has to be like sqlite:///data/veche.db"),
        ("sqlite:veche.db", "has to be like sqlite:///data/veche.db"),
        ("sqlite://veche.db", "has to be like sqlite:///data/veche.db"),
        ("sqlite://", "has to be like sqlite:///data/veche.db"),
        ("sqlite:///", "has to be like sqlite:///data/veche.db"),
        ("sqlite:///?mode=memory", "has to be like sqlite:///data/veche.db"),
        ("sqlite:///a%00b", "has to be like sqlite:///data/veche.db"),
        ("sqlite:///:memory:", "A database in memory would lose all messages"),
        ("sqlite:///%3Amemory%3A", "A database in memory would lose all messages"),
        ("sqlite:///file::memory:?cache=shared", "A database in memory would lose all messages"),
        ("sqlite:////dev/null/x/y.db", "There is no folder /dev/null/x"),
        ("sqlite:////dev/null", "/dev/null is no file"),
        ("sqlite:////tmp", "/tmp is no file"),
    ],
)
def test_an_address_that_is_none_is_refused_with_a_sentence(address: str, sentence: str) -> None:
    with pytest.raises(DatabaseError, match=sentence) as refused:
        SqliteDatabase(address, serving=True)
    assert "hunter2" not in str(refused.value)


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").symlink_to(tmp_path / "y.db")
    (tmp_path / "y.db").symlink_to(tmp_path / "x.db")
    with pytest.raises(DatabaseError, match=r"x\.db"):
        SqliteDatabase(url(tmp_path / "x.db"), serving=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DatabaseError, match=r"Cannot write to"):
        SqliteDatabase(url(tmp_path / "x.db"), serving=True)
