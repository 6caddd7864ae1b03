"""Reads the generation of an SQLite database from the bytes of its files, without SQLite.

SQLite would apply a write-ahead log (`<name>-wal`) to whatever database file it finds beside it, even if it belongs to
another one. Only the bytes tell what is in each of the two. https://www.sqlite.org/fileformat2.html has the format.

Read the files only while this process has no connection to the database: closing a file drops SQLite's locks on it.
"""

import os
from pathlib import Path
from typing import NamedTuple

MAGIC = b"SQLite format 3\0"
HEADER = 100  # bytes of the header, at the start of page 1
GENERATION = slice(60, 64)  # the field that SQLite calls the user version
WAL_HEADER, FRAME_HEADER = 32, 24
WAL_MAGIC = (0x377F0682, 0x377F0683)
SALT_OF_WAL, SALT_OF_FRAME = slice(16, 24), slice(8, 16)
LARGEST_PAGE = 65_536


class NotADatabase(Exception):
    """The file is not an SQLite database. The message names it."""


class Raw(NamedTuple):
    """What the bytes of a database's files tell.

    `generation` is None if there is no file, or an empty one. `wal` has the generations that are in the write-ahead
    log. It is None if there is no such file, or an empty one. The generation is in page 1, so `wal` has none if page 1
    has not been written since the log was begun.
    """

    generation: int | None
    wal: frozenset[int] | None


def wal_of(path: Path) -> Path:
    """Return the path of a database's write-ahead log."""
    return path.with_name(f"{path.name}-wal")


def read_raw(path: Path) -> Raw:
    """Read the files of a database. Raises NotADatabase and OSError."""
    try:
        with path.open("rb") as file:
            header = file.read(HEADER)
    except FileNotFoundError:
        header = b""
    if header and (len(header) < HEADER or not header.startswith(MAGIC)):
        raise NotADatabase(f"{path} is no SQLite database.")
    return Raw(_number(header[GENERATION]) if header else None, _generations_of_wal(wal_of(path)))


def _generations_of_wal(path: Path) -> frozenset[int] | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(descriptor).st_size
        return frozenset(_each_generation(descriptor, size)) if size else None
    finally:
        os.close(descriptor)


def _each_generation(descriptor: int, size: int) -> list[int]:
    header = os.pread(descriptor, WAL_HEADER, 0)
    page = _number(header[8:12]) if len(header) == WAL_HEADER else 0
    if _number(header[0:4]) not in WAL_MAGIC or not 0 < page <= LARGEST_PAGE:
        return []
    found = []
    for start in range(WAL_HEADER, size - FRAME_HEADER - page + 1, FRAME_HEADER + page):
        frame = os.pread(descriptor, FRAME_HEADER + HEADER, start)
        if frame[SALT_OF_FRAME] != header[SALT_OF_WAL]:
            break  # what follows is left from an earlier log
        if _number(frame[0:4]) == 1:
            found.append(_number(frame[FRAME_HEADER:][GENERATION]))
    return found


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
