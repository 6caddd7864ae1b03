"""The store of the bytes of files on a disk."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from veche.storage.blobs import BlobError, DiskStore

NAME = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "new" / "files")


def put(store: DiskStore, name: str, *parts: bytes) -> None:
    writer = store.write(name)
    for part in parts:
        writer.add(part)
    writer.finish()


def test_what_was_written_is_read_in_parts(store: DiskStore) -> None:
    put(store, NAME, b"hello ", b"world")
    assert (store.read(NAME, 0, 11), store.read(NAME, 4, 3), store.read(NAME, 11, 0)) == (b"hello world", b"o w", b"")
    with pytest.raises(BlobError, match="shorter"):
        store.read(NAME, 4, 8)


def test_a_blob_that_is_not_finished_is_not_there_but_is_listed_and_removed(store: DiskStore) -> None:
    writer = store.write(NAME)
    writer.add(b"x")
    with pytest.raises(BlobError):
        store.read(NAME, 0, 1)
    assert list(store.names()) == [NAME]
    store.remove(NAME)
    assert list(store.names()) == []
    writer.abandon()


def test_a_blob_that_is_abandoned_leaves_nothing(store: DiskStore) -> None:
    writer = store.write(NAME)
    writer.add(b"x")
    writer.abandon()
    assert list(store.names()) == []


def test_removing_is_harmless_when_there_is_nothing(store: DiskStore) -> None:
    store.remove(NAME)
    put(store, NAME, b"x")
    put(store, OTHER, b"y")
    for _ in range(2):
        store.remove(NAME)
        assert list(store.names()) == [OTHER]


def test_nobody_else_may_read_the_files(store: DiskStore, tmp_path: Path) -> None:
    put(store, NAME, b"x")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new" / "files").rglob("*")}
    assert modes == {NAME[:2]: 0o700, NAME: 0o600}


def test_a_blob_is_written_once(store: DiskStore) -> None:
    writer = store.write(NAME)
    with pytest.raises(BlobError):
        store.write(NAME)
    writer.abandon()


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "/etc/passwd", NAME + "/../x", NAME.upper(), NAME + "\n", NAME[:-1]]
)
def test_what_is_no_name_is_no_path(store: DiskStore, name: str) -> None:
    for deed in (store.write, store.remove, lambda name: store.read(name, 0, 1)):
        with pytest.raises(ValueError, match="no name of a blob"):
            deed(name)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BlobError, match="cannot be stored: Not a directory"):
        DiskStore(tmp_path / "file" / "files").write(NAME)
