"""Decides whether a database file may be used as it is: whether it is the one that was served here last.

A file that was copied over another one by hand may be older than the write-ahead log beside it. SQLite would apply the
log to it: the file would be malformed, or the copy silently undone. A file that was moved without its log may lack
what was acknowledged last, so it must not be served with its old epoch.
"""

import sqlite3
from collections.abc import Collection
from enum import Enum
from pathlib import Path

from veche.storage.engines.sqlite_files import is_veche, reading, reading_without_log
from veche.storage.engines.sqlite_identity import copied_at, is_half_copied, memory_of, read, remembered
from veche.storage.engines.sqlite_raw import NotADatabase, Raw, read_raw, wal_of


class State(Enum):
    """What a database file is to the server that finds it. The value says what to do, if it may not be used."""

    MISSING = "There is no database at {path}. `veche serve` creates one. Is the address right?"
    LOST = (
        "{path} is missing, but was served here, as {memory} or a write-ahead log shows. Put it back, or run `veche "
        "restore` with a backup. To begin with an empty chat, delete all files that begin with {path}."
    )
    KNOWN = "the file that was served here last"
    UNSERVED = "no server that knows generations has served it"
    COPY = "made by `veche backup`, and not served yet"
    STRANGE = (
        "{path} is not the database that was served here last: it was moved or copied without the files beside it. "
        "Its last messages may be missing. Stop the old server and move all its files, or take this one as it is with "
        "`veche restore {path}`: clients then load everything again."
    )
    HALF = (
        "{path} is half copied: `veche copy` was interrupted. Run it again with the same addresses. To begin anew, "
        "delete all files that begin with {path}."
    )
    MIXED = (
        "{wal} belongs to another file than {path}, so they cannot be used together. Run `veche restore FILE` with "
        "the backup that you want (or with {path} itself): it puts the log aside."
    )

    def sentence(self, path: Path) -> str:
        return self.value.format(path=path, memory=memory_of(path), wal=wal_of(path))


USABLE = frozenset({State.KNOWN, State.UNSERVED, State.COPY})


class Unusable(Exception):
    """The database may not be used as it is. The message says why, and what to do."""


def check(path: Path, allowed: Collection[State] = USABLE) -> State:
    """Return the state of a database. Raises Unusable if it is not one of `allowed`, and sqlite3.Error and OSError.

    Call it while this process has no connection to the database (see `sqlite_raw`).
    """
    try:
        state = state_of(path)
    except NotADatabase as error:
        raise Unusable(str(error)) from None
    if state not in allowed:
        raise Unusable(state.sentence(path))
    return state


def state_of(path: Path) -> State:
    """Return the state of a database. Raises NotADatabase, Unusable, sqlite3.Error and OSError."""
    seen = None
    while True:
        # A server that changes the generation just now may do so between two of these reads: read until they agree.
        now = (read_raw(path), remembered(path))
        state = _decide(path, now[0])
        if state in USABLE or state is State.MISSING or now == seen:
            return state
        seen = now


def _decide(path: Path, raw: Raw) -> State:
    known = remembered(path)
    if raw.generation is None:
        return State.MISSING if known is None and raw.wal is None else State.LOST
    generations = {0} if known is None else {identity.generation for identity in known}
    if raw.generation not in generations:
        with reading_without_log(path) as connection:
            copied = is_veche(connection) and copied_at(connection) is not None
        return State.MIXED if raw.wal is not None else State.COPY if copied else State.STRANGE
    if raw.wal and not raw.wal <= generations:
        return State.MIXED
    with reading(path) as connection:
        if _is_empty(path, connection):
            return State.MISSING if known is None else State.LOST
        if is_half_copied(connection):
            return State.HALF
        if copied_at(connection) is not None:
            return State.COPY
        if known is None:
            return State.UNSERVED
        return State.KNOWN if read(connection) in known else State.STRANGE


def _is_empty(path: Path, connection: sqlite3.Connection) -> bool:
    """Return whether a database has no tables. Raises Unusable if its tables are not those of Veche."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and not is_veche(connection):
        raise Unusable(f"{path} is the database of another program.")
    return not tables
