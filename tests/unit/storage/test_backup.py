"""Backups of a database in use, and the lock that keeps a second server off."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from veche.storage.database import Database, DatabaseError
from veche.storage.engines import sqlite_files
from veche.storage.log import head_seqs
from veche.storage.tables import epoch

from .conftest import Town


def url(path: Path) -> str:
    return f"sqlite:///{path}"


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
            sqlite_files.backup(town.database.path, target)
            copy = Database(url(target))
            with copy.reading() as connection:
                assert connection.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                (stored,) = connection.connection.execute("SELECT count(*) FROM messages").fetchone()
                assert before <= stored <= acknowledged + 20
                assert head_seqs(connection, [1]) == {1: stored + 2}
            copy.close()
    finally:
        stop.set()
        writing.join()


def test_a_backup_bears_another_epoch_and_the_original_keeps_its_own(town: Town, tmp_path: Path) -> None:
    def epoch_of(database: Database) -> str:
        with database.reading() as connection:
            return epoch(connection)

    before = epoch_of(town.database)
    sqlite_files.backup(town.database.path, tmp_path / "b.db")
    copy = Database(url(tmp_path / "b.db"))
    copy.migrate()
    assert before != epoch_of(copy)
    assert epoch_of(town.database) == before
    copy.close()


def test_a_backup_never_overwrites_and_leaves_nothing_half_done(town: Town, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    target = folder / "precious"
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        sqlite_files.backup(town.database.path, target)
    assert target.read_text() == "mine"
    assert list(folder.iterdir()) == [target]


def test_a_backup_of_a_path_with_odd_characters(town: Town, tmp_path: Path) -> None:
    """SQLite's URI form gives `?`, `#` and `%` a meaning."""
    odd = tmp_path / "100%25 really? #1"
    odd.mkdir()
    sqlite_files.backup(town.database.path, odd / "copy.db")
    sqlite_files.backup(odd / "copy.db", odd / "copy of the copy.db")
    assert (odd / "copy of the copy.db").stat().st_size > 0


def test_a_backup_of_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(sqlite_files.DriverError):
        sqlite_files.backup(tmp_path / "nothing.db", tmp_path / "b.db")
    assert list(tmp_path.iterdir()) == []


def test_the_lock_keeps_a_second_server_off_until_the_first_is_gone(tmp_path: Path) -> None:
    first = Database(url(tmp_path / "x.db"), serving=True)
    with pytest.raises(DatabaseError, match=r"Another Veche serves .*x\.db"):
        Database(url(tmp_path / "x.db"), serving=True)
    Database(url(tmp_path / "x.db")).close()  # who does not serve may come in beside
    Database(url(tmp_path / "y.db"), serving=True).close()
    first.close()
    Database(url(tmp_path / "x.db"), serving=True).close()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("postgresql://localhost/x", "PostgreSQL is not supported yet"),
        ("mysql://x", "is no database address"),
        ("veche.db", "is no database address"),
        ("sqlite:///", "is no database address"),
        ("sqlite:////dev/null/x/y.db", "Cannot write to /dev/null/x/y.db"),
    ],
)
def test_an_address_that_is_none_is_refused_with_a_sentence(address: str, sentence: str) -> None:
    with pytest.raises(DatabaseError, match=sentence):
        Database(address, serving=True)
