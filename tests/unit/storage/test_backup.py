"""Backups: of a database in use, which is only read."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from veche.storage import opening
from veche.storage.database import DatabaseError
from veche.storage.engines import sqlite_copy, sqlite_identity
from veche.storage.engines.sqlite_state import State, check
from veche.storage.kinds.sqlite_database import SqliteDatabase
from veche.storage.log import head_seqs

from .conftest import Town, url


def backup(path: Path, target: Path, *, overwrite: bool = False) -> None:
    opening.backup(url(path), target, overwrite=overwrite, say=lambda _: None)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_backup_while_somebody_writes_holds_all_that_was_acknowledged_before(town: Town, tmp_path: Path) -> None:
    acknowledged = 0
    stop = threading.Event()

    def write() -> None:
        nonlocal acknowledged
        while not stop.is_set():
            town.batch(*[town.say(1, "x" * 500) for _ in range(20)])
            acknowledged += 20

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for number in range(3):
            before = acknowledged
            target = tmp_path / f"backup{number}.db"
            backup(town.database.path, target)
            copy = SqliteDatabase(url(target))
            with copy.reading() as connection:
                assert connection.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                (stored,) = connection.connection.execute("SELECT count(*) FROM messages").fetchone()
                assert before <= stored <= acknowledged + 20
                assert head_seqs(connection, [1]) == {1: stored + 2}
            copy.close()
    finally:
        stop.set()
        writing.join()


def test_a_backup_is_marked_and_the_original_is_not(town: Town, tmp_path: Path) -> None:
    backup(town.database.path, tmp_path / "b.db")
    with closing(sqlite3.connect(tmp_path / "b.db")) as copy, closing(sqlite3.connect(town.database.path)) as original:
        assert sqlite_identity.copied_at(copy)
        assert sqlite_identity.copied_at(original) is None
        of_copy, of_original = sqlite_identity.read(copy), sqlite_identity.read(original)
    assert of_copy.epoch == of_original.epoch, "the new epoch is drawn when the copy is served"
    assert of_copy.generation != of_original.generation
    assert check(tmp_path / "b.db") is State.COPY


def test_a_backup_of_a_backup_is_one_too(town: Town, tmp_path: Path) -> None:
    backup(town.database.path, tmp_path / "b.db")
    backup(tmp_path / "b.db", tmp_path / "c.db")
    assert check(tmp_path / "c.db") is State.COPY


def test_a_backup_only_reads(town: Town, tmp_path: Path) -> None:
    """Also if the schema is of an older version, which could not open a migrated database again."""
    with town.database.writing() as tx:
        tx.connection.execute("UPDATE alembic_version SET version_num = '0001'")
    town.database.close()
    folder = tmp_path / "backups"
    folder.mkdir()
    before = contents(tmp_path)
    backup(town.database.path, folder / "b.db")
    assert contents(tmp_path) == before
    with closing(sqlite3.connect(folder / "b.db")) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


def test_a_backup_overwrites_only_if_it_is_told_to(town: Town, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    target = folder / "precious"
    target.write_text("mine")
    with pytest.raises(DatabaseError, match=r"precious exists already. Give another name, or --force"):
        backup(town.database.path, target)
    assert contents(folder) == {"precious": b"mine"}
    backup(town.database.path, target, overwrite=True)
    assert list(contents(folder)) == ["precious"]
    assert check(target) is State.COPY


def test_a_backup_does_not_overwrite_the_database(town: Town, tmp_path: Path) -> None:
    (tmp_path / "second name").hardlink_to(town.database.path)
    with pytest.raises(DatabaseError, match="is the database itself"):
        backup(town.database.path, tmp_path / "second name", overwrite=True)


def test_a_backup_of_a_path_with_odd_characters(town: Town, tmp_path: Path) -> None:
    """SQLite's URI form gives `?`, `#` and `%` a meaning."""
    odd = tmp_path / "100%25 really? #1"
    odd.mkdir()
    sqlite_copy.backup(town.database.path, odd / "copy.db")
    sqlite_copy.backup(odd / "copy.db", odd / "copy of the copy.db")
    assert check(odd / "copy of the copy.db") is State.COPY


@pytest.mark.parametrize("there", [None, b"", b"a letter" * 100])
def test_a_backup_of_what_is_no_database_creates_nothing(tmp_path: Path, there: bytes | None) -> None:
    if there is not None:
        (tmp_path / "x.db").write_bytes(there)
    before = contents(tmp_path)
    with pytest.raises(DatabaseError, match=r"x\.db"):
        backup(tmp_path / "x.db", tmp_path / "b.db")
    assert contents(tmp_path) == before


def test_a_backup_of_another_programs_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as other, other:
        other.execute("CREATE TABLE places (url TEXT)")
    with pytest.raises(DatabaseError, match="is the database of another program"):
        backup(tmp_path / "x.db", tmp_path / "b.db")


def test_a_backup_needs_space(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_copy, "SPARE", 1 << 62)
    with pytest.raises(DatabaseError, match=r"A copy of the database needs .* MiB in .*, and .* are free"):
        backup(town.database.path, tmp_path / "b.db")
    assert not (tmp_path / "b.db").exists()


def test_a_long_backup_says_how_far_it_is(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_copy, "SHOW_EVERY", 0.0)
    monkeypatch.setattr(sqlite_copy, "INSTRUCTIONS", 100)
    town.batch(*[town.say(1, "x" * 1000) for _ in range(200)])
    said: list[str] = []
    opening.backup(url(town.database.path), tmp_path / "b.db", overwrite=False, say=said.append)
    assert said
    assert all(" % of " in line for line in said)
