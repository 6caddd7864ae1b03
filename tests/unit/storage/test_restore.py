"""Restoring a file: what is refused, what is set aside, and what is left when the command is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from veche.ops import crash
from veche.storage import opening
from veche.storage.commit import commit
from veche.storage.database import DatabaseError
from veche.storage.engines import sqlite_copy, sqlite_restore
from veche.storage.kinds.sqlite_database import SqliteDatabase
from veche.storage.tables import epoch

from .conftest import Town, url


class Killed(BaseException):
    """The process would end here."""


STEPS = [
    f"restore_{step}" for step in ("copied", "emptied", "set_aside", "remembered", "log_removed", "replaced", "done")
]


def restore(path: Path, file: Path, *, end_sessions: bool = False) -> sqlite_restore.Restored:
    return opening.restore(url(path), file, end_sessions=end_sessions, say=lambda _: None)[1]


def backup(path: Path, target: Path) -> Path:
    opening.backup(url(path), target, overwrite=False, say=lambda _: None)
    return target


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".lock"}


def messages(path: Path) -> int:
    """Serve the database once, and count its messages."""
    database = opening.open_to_serve(url(path))
    with database.reading() as tx:
        assert tx.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)  # type: ignore[attr-defined]
        (count,) = tx.connection.execute("SELECT count(*) FROM messages").fetchone()  # type: ignore[attr-defined]
    database.close()
    return int(count)


def epoch_of(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])


@pytest.fixture
def path(town: Town, tmp_path: Path) -> Path:
    """A database with two messages, in a folder of its own, with a backup `b.db` that has one."""
    folder = tmp_path / "home"
    folder.mkdir()
    town.do(town.say())
    town.database.close()
    home = folder / "x.db"
    shutil.copy(town.database.path, home)
    opening.open_to_serve(url(home)).close()
    backup(home, tmp_path / "b.db")
    with opening.open_existing(url(home)) as database:
        commit(database, [town.say()])
    return home


def test_a_restore_sets_the_old_database_aside_and_reads_the_file_only(path: Path, tmp_path: Path) -> None:
    before, file = epoch_of(path), (tmp_path / "b.db").read_bytes()
    done = restore(path, tmp_path / "b.db")
    assert (done.messages, done.copied_at is None, done.log_left_out) == (1, False, False)
    assert (tmp_path / "b.db").read_bytes() == file, "it keeps its mark"
    assert done.aside is not None
    assert done.aside.name.startswith("x.db.replaced-")
    assert epoch_of(done.aside) == before != epoch_of(path)
    with contextlib.closing(sqlite3.connect(done.aside)) as old:
        assert old.execute("SELECT count(*) FROM messages").fetchone() == (2,)
    drawn = epoch_of(path)
    assert messages(path) == 1
    assert epoch_of(path) == drawn, "a restart keeps it"
    assert messages(restored_again(path, done.aside)) == 2, "and back again"


def restored_again(path: Path, file: Path) -> Path:
    restore(path, file)
    return path


def test_each_restore_of_a_file_draws_another_epoch(path: Path, tmp_path: Path) -> None:
    epochs = {epoch_of(path)}
    for _ in range(3):
        restore(path, tmp_path / "b.db")
        epochs.add(epoch_of(path))
    assert len(epochs) == 4


def test_a_restore_on_an_empty_machine(path: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    done = restore(tmp_path / "new" / "y.db", tmp_path / "b.db")
    assert done.aside is None
    assert messages(tmp_path / "new" / "y.db") == 1


def test_sessions_may_be_ended(path: Path, tmp_path: Path) -> None:
    insert = "INSERT INTO sessions VALUES ('s', 1, 'native', 0, 9000000000000000, NULL)"
    insert_refresh = "INSERT INTO refreshes VALUES ('s', 0, 'hash', 0, NULL, 0)"
    for end_sessions, left in ((False, 1), (True, 0)):
        with contextlib.closing(sqlite3.connect(tmp_path / "b.db")) as connection, connection:
            for statement in ("DELETE FROM refreshes", "DELETE FROM sessions", insert, insert_refresh):
                connection.execute(statement)
        restore(path, tmp_path / "b.db", end_sessions=end_sessions)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (left,)
            assert connection.execute("SELECT count(*) FROM refreshes").fetchone() == (left,)


def spoil(file: Path) -> None:
    """Overwrite the middle of a database."""
    with file.open("r+b") as data:
        data.seek(file.stat().st_size // 2)
        data.write(b"\xff" * 8192)


def no_database(file: Path) -> None:
    file.write_bytes(b"Dear all,\n" * 500)


def of_another_program(file: Path) -> None:
    file.unlink()
    with contextlib.closing(sqlite3.connect(file)) as other, other:
        other.execute("CREATE TABLE places (url TEXT)")


def newer(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (Path.unlink, r"There is no file .*b\.db"),
        (spoil, r"b\.db is broken: "),
        (no_database, r"b\.db is no SQLite database"),
        (of_another_program, r"b\.db is the database of another program"),
        (newer, r"newer Veche \(schema 9999\)"),
        (lambda file: file.write_bytes(b""), r"b\.db is no database of Veche"),
        (lambda file: (file.unlink(), file.mkdir()), r"There is no file .*b\.db"),
    ],
    ids=["missing", "broken", "no database", "another program", "newer", "empty", "folder"],
)
def test_a_file_that_cannot_be_restored_changes_nothing(path: Path, tmp_path: Path, change, sentence: str) -> None:
    change(tmp_path / "b.db")
    before = contents(path.parent)
    with pytest.raises(DatabaseError, match=sentence):
        restore(path, tmp_path / "b.db")
    assert contents(path.parent) == before
    assert messages(path) == 2


def test_no_restore_while_a_server_runs(path: Path, tmp_path: Path) -> None:
    server = SqliteDatabase(url(path), serving=True)
    with pytest.raises(DatabaseError, match=r"Veche runs with .*x\.db\. Stop the server"):
        restore(path, tmp_path / "b.db")
    with pytest.raises(DatabaseError, match=r"A server runs with .*x\.db\. Copy it with `veche backup` first"):
        restore(tmp_path / "y.db", path)
    server.close()
    assert messages(path) == 2


def test_no_restore_while_a_command_runs(path: Path, tmp_path: Path) -> None:
    with opening.open_existing(url(path)), pytest.raises(DatabaseError, match="let other commands end first"):
        restore(path, tmp_path / "b.db")


def test_no_restore_while_another_program_has_the_database_open(path: Path, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("SELECT count(*) FROM accounts").fetchone()
        with pytest.raises(DatabaseError, match=r"Another program has .*x\.db open"):
            restore(path, tmp_path / "b.db")
    assert messages(path) == 2


def test_a_restore_needs_space(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_copy, "SPARE", 1 << 62)
    with pytest.raises(DatabaseError, match="A copy of the database needs"):
        restore(path, tmp_path / "b.db")


def test_the_new_database_has_the_rights_of_the_old_one(path: Path, tmp_path: Path) -> None:
    path.chmod(0o640)
    restore(path, tmp_path / "b.db")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root works for other accounts")
def test_what_root_restores_belongs_to_the_account_of_the_server(path: Path, tmp_path: Path) -> None:
    file = backup(path, tmp_path / "backup.db")
    folder = tmp_path / "of-the-server"
    folder.mkdir()
    os.chown(folder, 12345, 12346)
    for _ in range(2):  # on an empty machine, and in the place of a database
        restored = opening.restore(f"sqlite:///{folder / 'veche.db'}", file, end_sessions=False, say=lambda _: None)
        assert restored[1].messages == messages(file)
        owners = {one.name: (one.stat().st_uid, one.stat().st_gid) for one in folder.iterdir()}
        assert set(owners.values()) == {(12345, 12346)}, owners


def test_a_file_system_without_hard_links_will_do(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no hard links")

    monkeypatch.setattr(os, "link", refuse)
    done = restore(path, tmp_path / "b.db")
    assert done.aside is not None
    assert messages(done.aside.with_name("x.db")) == 1
    backup(path, tmp_path / "c.db")
    with pytest.raises(DatabaseError, match="exists already"):
        backup(path, tmp_path / "c.db")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("old", ["whole", "broken", "missing"])
def test_a_restore_that_is_killed_at_any_step(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, old: str
) -> None:
    """The chaos drills kill a process. Here the exception is not caught either, and the old database varies."""
    if old == "broken":
        spoil(path)
    if old == "missing":
        for file in path.parent.glob("x.db*"):
            file.unlink()

    def reach(name: str) -> None:
        if name == step:
            raise Killed

    monkeypatch.setattr(sqlite_restore, "crash_point", reach)
    monkeypatch.setattr(sqlite_restore, "_remove", lambda new: None)
    with pytest.raises(Killed):
        restore(path, tmp_path / "b.db")
    monkeypatch.undo()
    replaced = step in STEPS[-2:]
    if replaced:
        assert messages(path) == 1
    elif old == "whole":
        assert messages(path) == 2
    elif old == "missing" and step in STEPS[3:]:
        with pytest.raises(DatabaseError, match="is missing, but was served here"):
            messages(path)
    restore(path, tmp_path / "b.db")
    assert messages(path) == 1
    assert not list(path.parent.glob(".*"))
    if old == "broken":
        assert any(b"\xff" * 8192 in file.read_bytes() for file in path.parent.glob("x.db.replaced-*")), "set aside"


def test_the_steps_are_those_of_the_source() -> None:
    source = Path(sqlite_restore.__file__).read_text()
    assert all(f'crash_point("{step}")' in source for step in STEPS)
    assert source.count("crash_point(") == len(STEPS)
    assert crash.crash_point is sqlite_restore.crash_point


def test_a_copy_made_by_hand_with_its_log_is_restored_with_it(path: Path, tmp_path: Path, town: Town) -> None:
    server = opening.open_to_serve(url(path))
    commit(server, [town.say() for _ in range(3)])
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", tmp_path / f"by hand.db{end}")
    server.close()
    restore(path, tmp_path / "by hand.db")
    assert messages(path) == 5


def test_a_log_that_is_not_of_the_file_is_left_out(path: Path, tmp_path: Path, town: Town) -> None:
    server = opening.open_to_serve(url(path))
    commit(server, [town.say() for _ in range(3)])
    log = Path(f"{path}-wal").read_bytes()
    server.close()
    shutil.copy(tmp_path / "b.db", path)
    Path(f"{path}-wal").write_bytes(log)
    done = restore(path, path)
    assert done.log_left_out
    assert messages(path) == 1
    assert done.aside is not None
    assert Path(f"{done.aside}-wal").read_bytes() == log


def test_an_older_schema_is_restored_as_it_is(path: Path, tmp_path: Path) -> None:
    """So an older version can serve it."""
    with contextlib.closing(sqlite3.connect(tmp_path / "b.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert restore(path, tmp_path / "b.db").schema == "0001"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


def test_the_epoch_that_clients_see_is_the_new_one(path: Path, tmp_path: Path) -> None:
    before = epoch_of(path)
    restore(path, tmp_path / "b.db")
    database = opening.open_to_serve(url(path))
    with database.reading() as tx:
        assert epoch(tx) != before
    database.close()
