"""The store of the bytes of files, on a disk. A blob is the bytes of one file, and its name is the id of the file.

All functions block, so they are called in threads.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from veche.core.files import is_file_id

PART: Final = ".part"
"""The end of the name of a file whose bytes are not complete."""
SMALL: Final = "-small"
"""The end of the name of a blob that is a small picture of another one. It goes with the other one."""


class BlobError(Exception):
    """The store cannot be used now, or a blob is not there. The message says which."""


class BlobWriter(Protocol):
    """Writes one blob. Exactly one of `finish` and `abandon` has to be called."""

    def add(self, data: bytes) -> None:
        """Add bytes at the end."""

    def finish(self) -> None:
        """Make the blob complete. After that it outlives a crash of the machine."""

    def abandon(self) -> None:
        """Give up. It does not raise, and may leave something behind, which `BlobStore.remove` removes."""


class BlobStore(Protocol):
    """Keeps blobs by name. Every method raises BlobError, and FileNotFoundError never."""

    def write(self, name: str) -> BlobWriter:
        """Begin a blob."""

    def read(self, name: str, begin: int, length: int) -> bytes:
        """Return a part of a blob, which must have so many bytes."""

    def read_whole(self, name: str) -> bytes | None:
        """Return all of a small blob, or None if there is none."""

    def remove(self, name: str) -> None:
        """Remove a blob, its small picture, and what is left of an unfinished one. If there is none, do nothing."""

    def names(self) -> Iterator[str]:
        """Yield the names of all blobs, complete or not, without small pictures."""


def check_name(name: str) -> str:
    """Return a name of a blob. Raises ValueError if it is none: it would be a path to something else."""
    if not is_file_id(name.removesuffix(SMALL)):
        raise ValueError("this is no name of a blob")
    return name


class DiskStore:
    """Blobs in a folder, and in it in 256 folders by the first two characters of their names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str) -> "DiskWriter":
        path = self._path(name)
        with _blob_errors("stored"):
            for new in (self._folder, path.parent):
                if not new.is_dir():
                    new.mkdir(mode=0o700, parents=True, exist_ok=True)
                    _sync_folder(new.parent)
            return DiskWriter(path)

    def read(self, name: str, begin: int, length: int) -> bytes:
        with _blob_errors("read"), self._path(name).open("rb") as file:
            file.seek(begin)
            data = file.read(length)
        if len(data) != length:
            raise BlobError("a file is shorter than it was")
        return data

    def read_whole(self, name: str) -> bytes | None:
        with _blob_errors("read"):
            try:
                return self._path(name).read_bytes()
            except FileNotFoundError:
                return None

    def remove(self, name: str) -> None:
        path = self._path(name)
        with _blob_errors("removed"):
            for end in ("", PART, SMALL, SMALL + PART):
                path.with_name(path.name + end).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        with _blob_errors("listed"):
            for path in self._folder.glob("??/*"):
                if is_file_id(name := path.name.removesuffix(PART)):
                    yield name

    def _path(self, name: str) -> Path:
        return self._folder / check_name(name)[:2] / name


class DiskWriter:
    """Writes a file under another name, which it loses when its bytes are on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + PART)
        self._file = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def add(self, data: bytes) -> None:
        with _blob_errors("stored"):
            self._file.write(data)

    def finish(self) -> None:
        with _blob_errors("stored"):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.rename(self._path)
            _sync_folder(self._path.parent)

    def abandon(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _blob_errors(deed: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BlobError(f"a file cannot be {deed}: {error.strerror or type(error).__name__}") from error
