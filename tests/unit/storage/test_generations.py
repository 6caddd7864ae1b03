"""Files that were copied by hand: what a start finds is the whole truth, has a new epoch, or is refused.

A crash is what the kernel leaves: the files as they are at that moment, with the write-ahead log.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from core import commands as c
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.examples import examples
from veche.core.errors import ChatError
from veche.storage import opening
from veche.storage.commit import commit
from veche.storage.database import Database, DatabaseError
from veche.storage.engines import sqlite
from veche.storage.tables import epoch

from .conftest import url

LOBBY = 2**31 - 1


class Home:
    """A folder with a database, a server that may run in it, and what was acknowledged since the last epoch."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder = folder
        self.path = folder / "x.db"
        self.server: Database | None = None
        self.acknowledged: dict[str, list[str]] = {}  # by epoch
        self.count = 0
        shutil.copy(template, self.path)
        self.start()
        self.commit(c.by(c.NOBODY_ID, c.Register("hash", username="ann")))

    def start(self) -> None:
        self.server = opening.open_to_serve(url(self.path))

    def commit(self, request: c.Request) -> None:
        assert self.server is not None
        [outcome], _ = commit(self.server, [request])
        assert not isinstance(outcome, ChatError)

    def say(self, times: int = 1) -> None:
        for _ in range(times):
            self.count += 1
            text = f"m{self.count}"
            self.commit(c.by(1, c.SendMessage(LOBBY, text * 300, None)))
            self.acknowledged.setdefault(self.epoch(), []).append(text * 300)

    def epoch(self) -> str:
        assert self.server is not None
        with self.server.reading() as tx:
            return epoch(tx)

    def stored(self) -> list[str]:
        assert self.server is not None
        with self.server.reading() as tx:
            assert tx.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)  # type: ignore[attr-defined]
            rows = tx.connection.execute("SELECT text FROM messages ORDER BY id")  # type: ignore[attr-defined]
            return [text for (text,) in rows]

    def rest(self) -> None:
        assert self.server is not None
        self.server.rest()

    def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        self.server = None

    def crash(self) -> None:
        left = {end: self.file(end).read_bytes() for end in ("", "-wal", "-shm", ".generation")}
        self.stop()
        for end, data in left.items():
            self.file(end).write_bytes(data)

    def file(self, end: str) -> Path:
        return self.path.with_name(self.path.name + end)

    def is_true(self) -> bool:
        """Return whether all is there that was acknowledged in this epoch."""
        return set(self.acknowledged.get(self.epoch(), [])) <= set(self.stored())


@pytest.fixture
def home(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(sqlite, "CHANGE_SECONDS", 0.0)  # each rest changes the generation
    folder = tmp_path / "home"
    folder.mkdir()
    made = Home(folder, template)
    made.say(40)
    return made


def backup(home: Home, target: Path) -> None:
    opening.backup(url(home.path), target, overwrite=True, say=lambda _: None)


def test_a_restart_keeps_the_epoch(home: Home) -> None:
    before = home.epoch()
    home.crash()
    home.start()
    assert (home.epoch(), len(home.stored())) == (before, 40)
    home.stop()
    home.start()
    assert (home.epoch(), len(home.stored())) == (before, 40)
    home.stop()


def test_a_rest_makes_the_file_alone_complete(home: Home, tmp_path: Path) -> None:
    home.rest()
    assert home.file("-wal").stat().st_size == 0
    (tmp_path / "alone.db").write_bytes(home.path.read_bytes())
    home.crash()
    with contextlib.closing(sqlite3.connect(tmp_path / "alone.db")) as alone:
        assert alone.execute("SELECT count(*) FROM messages").fetchone() == (40,)


def test_a_rest_leaves_what_somebody_still_reads(home: Home) -> None:
    assert home.server is not None
    with home.server.reading() as tx:
        tx.connection.execute("SELECT count(*) FROM messages").fetchone()  # type: ignore[attr-defined]
        home.say()
        home.rest()
        assert home.file("-wal").stat().st_size > 0
    home.crash()
    home.start()
    assert len(home.stored()) == 41
    home.stop()


@pytest.mark.parametrize("rested", [True, False])
@pytest.mark.parametrize("crashed", [True, False])
def test_a_moved_file_without_its_companions_is_refused(
    home: Home, tmp_path: Path, rested: bool, crashed: bool
) -> None:
    if rested:
        home.rest()
    home.crash() if crashed else home.stop()
    moved = tmp_path / "x.db"
    shutil.copy(home.path, moved)
    for command in (opening.open_to_serve, find):
        with pytest.raises(
            DatabaseError, match=r"is not the database that was served here last.*`veche restore .*x\.db`"
        ):
            command(url(moved))
    opening.restore(url(moved), moved, end_sessions=False, say=lambda _: None)
    taken = opening.open_to_serve(url(moved))
    with taken.reading() as tx:
        assert epoch(tx) not in home.acknowledged
        if rested or not crashed:
            assert tx.connection.execute("SELECT count(*) FROM messages").fetchone() == (40,)  # type: ignore[attr-defined]
    taken.close()


def find(address: str) -> None:
    with opening.open_existing(address):
        pass


@pytest.mark.parametrize("crashed", [True, False])
def test_all_files_together_may_be_moved(home: Home, tmp_path: Path, crashed: bool) -> None:
    before = home.epoch()
    home.crash() if crashed else home.stop()
    (tmp_path / "moved").mkdir()
    for path in home.folder.glob("x.db*"):
        shutil.copy(path, tmp_path / "moved")
    home.path = tmp_path / "moved" / "x.db"
    home.start()
    assert (home.epoch(), len(home.stored())) == (before, 40)
    home.stop()


@pytest.mark.parametrize("size", [1, 400])
def test_a_backup_copied_over_a_crashed_database_is_refused_until_it_is_restored(
    home: Home, tmp_path: Path, size: int
) -> None:
    backup(home, tmp_path / "b.db")
    before = home.epoch()
    home.say(size)
    home.crash()
    shutil.copy(tmp_path / "b.db", home.path)
    left = {path.name: path.read_bytes() for path in home.folder.glob("x.db*")}
    for command in (opening.open_to_serve, find):
        with pytest.raises(DatabaseError, match=r"x\.db-wal belongs to another file.*`veche restore FILE`"):
            command(url(home.path))
    assert {path.name: path.read_bytes() for path in home.folder.glob("x.db*")} == left
    opening.restore(url(home.path), tmp_path / "b.db", end_sessions=False, say=lambda _: None)
    home.start()
    assert len(home.stored()) == 40
    assert home.epoch() != before
    home.stop()


def test_the_same_backup_served_twice_has_two_epochs(home: Home, tmp_path: Path) -> None:
    backup(home, tmp_path / "b.db")
    epochs = {home.epoch()}
    home.stop()
    for _ in range(3):
        shutil.copy(tmp_path / "b.db", home.path)
        home.start()
        epochs.add(home.epoch())
        again = home.epoch()
        home.crash()
        home.start()
        assert home.epoch() == again, "a restart keeps it"
        home.stop()
    assert len(epochs) == 4


def test_a_copy_that_somebody_wrote_to_before_its_first_start_is_still_one(home: Home, tmp_path: Path) -> None:
    backup(home, tmp_path / "b.db")
    before = home.epoch()
    home.stop()
    shutil.copy(tmp_path / "b.db", home.path)
    with opening.open_existing(url(home.path)) as database:
        commit(database, [c.by(c.NOBODY_ID, c.Register("hash", username="bob"))])
        left = {end: home.file(end).read_bytes() for end in ("", "-wal", "-shm")}
    for end, data in left.items():
        home.file(end).write_bytes(data)
    home.start()
    assert home.epoch() != before
    assert len(home.stored()) == 40
    home.stop()


@pytest.mark.parametrize("rests", [0, 1])
def test_an_older_copy_made_by_hand_is_refused(home: Home, tmp_path: Path, rests: int) -> None:
    """Copied from a stopped server, or while it ran."""
    if rests:
        home.rest()
        shutil.copy(home.path, tmp_path / "older.db")
    else:
        home.stop()
        shutil.copy(home.path, tmp_path / "older.db")
        home.start()
    home.say(100)
    home.rest()
    home.say(5)
    home.crash()
    shutil.copy(tmp_path / "older.db", home.path)
    with pytest.raises(DatabaseError, match=r"belongs to another file"):
        home.start()
    home.file("-wal").unlink()
    with pytest.raises(DatabaseError, match=r"is not the database that was served here last"):
        home.start()


def test_a_log_of_another_database_is_refused(home: Home, tmp_path: Path, template: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Home(tmp_path / "other", template)
    other.say(100)
    other.crash()
    home.rest()
    home.crash()
    shutil.copy(other.file("-wal"), home.file("-wal"))
    with pytest.raises(DatabaseError, match=r"belongs to another file"):
        home.start()


@pytest.mark.parametrize("left", [(".generation",), ("-wal",), (".generation", "-wal")])
def test_a_missing_database_is_not_replaced_by_an_empty_one(home: Home, left: tuple[str, ...]) -> None:
    home.crash()
    for end in {"", "-wal", ".generation"} - set(left):
        home.file(end).unlink()
    with pytest.raises(DatabaseError, match=r"is missing, but was served here"):
        home.start()
    assert not home.path.exists()
    assert all(home.file(end).exists() for end in left)


@pytest.mark.parametrize("text", ["", "nonsense\n", "a b c\n", "\0\0\0", "f610f63 -5\n"])
def test_a_file_of_generations_that_makes_no_sense_fits_no_database(home: Home, text: str) -> None:
    home.stop()
    home.file(".generation").write_text(text)
    with pytest.raises(DatabaseError, match=r"is not the database that was served here last"):
        home.start()


def test_another_epoch_is_another_database(home: Home) -> None:
    """An older version gives its backups a new epoch, and no mark."""
    home.stop()
    with contextlib.closing(sqlite3.connect(home.path)) as connection, connection:
        connection.execute("UPDATE meta SET value = 'another' WHERE key = 'epoch'")
    with pytest.raises(DatabaseError, match=r"is not the database that was served here last"):
        home.start()


def test_a_database_without_generations_is_served(home: Home) -> None:
    """An older version left it, after a crash."""
    before = home.epoch()
    assert home.server is not None
    with home.server.writing() as tx:
        tx.connection.execute("PRAGMA user_version = 0")  # type: ignore[attr-defined]
    home.server.settle()
    home.say(5)
    home.crash()
    home.file(".generation").unlink()
    home.start()
    assert (home.epoch(), len(home.stored())) == (before, 45)
    home.stop()


def test_a_new_epoch_takes_a_moved_file_as_it_is(home: Home) -> None:
    before = home.epoch()
    home.stop()
    home.file(".generation").unlink()
    _, drawn = opening.new_epoch(url(home.path))
    home.start()
    assert drawn == home.epoch() != before
    home.stop()


def test_no_new_epoch_while_a_server_runs(home: Home) -> None:
    before = home.epoch()
    with pytest.raises(DatabaseError, match=r"Veche runs with .*\. Stop the server"):
        opening.new_epoch(url(home.path))
    assert home.epoch() == before
    home.stop()


class Operator(RuleBasedStateMachine):
    """Somebody who copies files about. The generation changes at each rest, and each copy is made at one."""

    template: Path

    @initialize()
    def begin(self) -> None:
        self.place = tempfile.TemporaryDirectory(prefix="veche-operator-")
        folder = Path(self.place.name)
        (folder / "home").mkdir()
        self.copies = folder / "copies"
        self.copies.mkdir()
        self.home = Home(folder / "home", self.template)
        self.home.say()

    @precondition(lambda self: self.home.server is not None)
    @rule(times=st.integers(1, 30))
    def say(self, times: int) -> None:
        self.home.say(times)

    @precondition(lambda self: self.home.server is not None)
    @rule()
    def rest(self) -> None:
        self.home.rest()

    @precondition(lambda self: self.home.server is not None)
    @rule()
    def back_up(self) -> None:
        backup(self.home, self.copies / f"{len(list(self.copies.iterdir()))}.db")

    @precondition(lambda self: self.home.server is not None)
    @rule()
    def copy_by_hand(self) -> None:
        self.home.rest()
        (self.copies / f"{len(list(self.copies.iterdir()))}.db").write_bytes(self.home.path.read_bytes())
        self.home.rest()

    @precondition(lambda self: self.home.server is not None)
    @rule()
    def crash(self) -> None:
        self.home.crash()

    @precondition(lambda self: self.home.server is not None)
    @rule()
    def stop(self) -> None:
        self.home.stop()

    @precondition(lambda self: self.home.server is None and any(self.copies.iterdir()))
    @rule(data=st.data())
    def put_back_by_hand(self, data: st.DataObject) -> None:
        shutil.copy(self._choose(data), self.home.path)

    @precondition(lambda self: self.home.server is None and any(self.copies.iterdir()))
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        opening.restore(url(self.home.path), self._choose(data), end_sessions=False, say=lambda _: None)

    @precondition(lambda self: self.home.server is None)
    @rule(lost=st.sampled_from([("", ".generation"), (".generation", "")]))
    def lose(self, lost: tuple[str, str]) -> None:
        """Not both: that is how an empty chat is begun."""
        one, other = lost
        if self.home.file(other).exists() and self.home.file(other).stat().st_size:
            self.home.file(one).unlink(missing_ok=True)

    def _choose(self, data: st.DataObject) -> Path:
        return data.draw(st.sampled_from(sorted(self.copies.iterdir())))

    @precondition(lambda self: self.home.server is None)
    @rule()
    def start(self) -> None:
        with contextlib.suppress(DatabaseError):
            self.home.start()

    @invariant()
    def what_is_served_is_true(self) -> None:
        if getattr(self, "home", None) is not None and self.home.server is not None:
            assert self.home.is_true()

    def teardown(self) -> None:
        if getattr(self, "home", None) is not None:
            if self.home.server is not None:
                self.home.stop()
            self.place.cleanup()


def test_whatever_an_operator_copies_a_server_tells_the_truth(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "CHANGE_SECONDS", 0.0)
    Operator.template = template
    few = settings(
        max_examples=examples(60),
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(Operator, settings=few)
