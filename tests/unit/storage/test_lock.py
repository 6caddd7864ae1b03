"""The locks on a database: on the file, whatever its name is, and on its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from veche.storage.database import DatabaseError
from veche.storage.engines.sqlite_lock import Purpose, is_served
from veche.storage.kinds.sqlite_database import SqliteDatabase, lock

from .conftest import url


def same(path: Path) -> Path:
    return path


def symbolic(path: Path) -> Path:
    other = path.with_name("link.db")
    other.symlink_to(path)
    return other


def symbolic_folder(path: Path) -> Path:
    folder = path.parent.with_name(f"{path.parent.name}-link")
    folder.symlink_to(path.parent)
    return folder / path.name


def hard(path: Path) -> Path:
    other = path.with_name("hard.db")
    other.hardlink_to(path)
    return other


@pytest.mark.parametrize("name", [same, symbolic, symbolic_folder, hard])
def test_a_second_server_is_refused_by_any_name(tmp_path: Path, name: Callable[[Path], Path]) -> None:
    first = SqliteDatabase(url(tmp_path / "x.db"), serving=True)
    other = name(tmp_path / "x.db")
    with pytest.raises(DatabaseError, match=r"Another Veche serves .*\.db\. Stop it"):
        SqliteDatabase(url(other), serving=True)
    with pytest.raises(DatabaseError, match=r"Another Veche serves|Veche runs with"):
        lock(other.resolve(), Purpose.REPLACE)
    assert is_served(other)
    first.close()
    assert not is_served(other)
    SqliteDatabase(url(other), serving=True).close()


@pytest.mark.parametrize("name", [symbolic, symbolic_folder])
def test_symbolic_links_lead_to_the_same_files(tmp_path: Path, name: Callable[[Path], Path]) -> None:
    """Otherwise each name would have a secret and a write-ahead log of its own."""
    (tmp_path / "x.db").touch()
    assert SqliteDatabase(url(name(tmp_path / "x.db"))).path == (tmp_path / "x.db").resolve()


def test_servers_of_different_databases_do_not_disturb_each_other(tmp_path: Path) -> None:
    first, second = (
        SqliteDatabase(url(tmp_path / "x.db"), serving=True),
        SqliteDatabase(url(tmp_path / "y.db"), serving=True),
    )
    first.close()
    second.close()


@contextmanager
def held(path: Path, purpose: Purpose) -> Iterator[None]:
    one = lock(path, purpose)
    yield
    one.release()


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "allowed"),
    [
        (Purpose.USE, Purpose.USE, True),
        (Purpose.USE, Purpose.SERVE, True),
        (Purpose.SERVE, Purpose.USE, True),
        (Purpose.SERVE, Purpose.SERVE, False),
        (Purpose.USE, Purpose.REPLACE, False),
        (Purpose.SERVE, Purpose.REPLACE, False),
        (Purpose.REPLACE, Purpose.USE, False),
        (Purpose.REPLACE, Purpose.SERVE, False),
        (Purpose.REPLACE, Purpose.REPLACE, False),
    ],
)
def test_who_may_have_the_database_together(
    tmp_path: Path, first: Purpose, second: Purpose, allowed: bool, exists: bool
) -> None:
    path = tmp_path / "x.db"
    if exists:
        path.touch()
    with held(path, first):
        if allowed:
            lock(path, second).release()
        else:
            with pytest.raises(DatabaseError, match=r"Another Veche|Veche runs with"):
                lock(path, second)
    lock(path, second).release()
