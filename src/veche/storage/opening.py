"""Opens, migrates, copies and replaces databases of all kinds. Only this module asks which kind a URL means.

All functions raise DatabaseError. The modules for PostgreSQL are imported only if they are needed, because that takes a
fifth of the time of a start.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from veche.storage.database import Database, DatabaseError
from veche.storage.engines.sqlite_restore import Restored
from veche.storage.finding import Finding as Finding
from veche.storage.finding import Serving as Serving
from veche.storage.kinds import sqlite_ends, sqlite_examine, sqlite_opening
from veche.storage.kinds.copy_end import CopyEnd

Say = Callable[[str], None]


def _is_postgres(url: str) -> bool:
    return url.partition(":")[0].partition("+")[0] in ("postgresql", "postgres")


def bus_address(database_url: str, bus_url: str) -> tuple[str, str]:
    """Return the address of a bus on PostgreSQL, as `postgres_address` does. If it names no server, the database's."""
    return postgres_address(bus_url if "://" in bus_url else database_url)


def postgres_address(url: str) -> tuple[str, str]:
    """Return what the driver of PostgreSQL takes for a URL, and a name without a password."""
    if not _is_postgres(url):
        raise DatabaseError(
            "VECHE_BUS_URL=postgresql uses the database as the bus, and this database is no PostgreSQL. An SQLite "
            "database has one node, which needs no bus: leave VECHE_BUS_URL empty."
        )
    from veche.storage.kinds import postgres_database

    return postgres_database.parse(url)


def open_to_serve(url: str, *, may_lose: bool = False) -> Database:
    """Open the database of a server: create and migrate it if necessary.

    `may_lose`: the database may be one that does not store a commit before it reports it.
    """
    if _is_postgres(url):
        from veche.storage.kinds import postgres_opening

        return postgres_opening.open_to_serve(url, may_lose=may_lose)
    return sqlite_opening.open_to_serve(url)


def allows_several_nodes(url: str) -> bool:
    """Return whether several processes may serve a database at once."""
    return _is_postgres(url)


def files_beside(url: str) -> Path | None:
    """Return the folder beside a database for the files that people upload. None: it has no place of its own."""
    return None if _is_postgres(url) else sqlite_opening.files_beside(url)


def migrate_database(url: str, *, copy: bool, say: Say) -> str:
    """Create a database, or migrate it to this version's schema. Return its name. With `copy`, copy it first."""
    if _is_postgres(url):
        from veche.storage.kinds import postgres_opening

        return postgres_opening.migrate_database(url, copy=copy, say=say)
    return str(sqlite_opening.migrate_database(url, copy=copy, say=say))


def open_existing(url: str, *, create: bool = False) -> AbstractContextManager[Database]:
    """Open a database that exists and has this version's schema. A server may run meanwhile.

    With `create`, a missing one is created.
    """
    if _is_postgres(url):
        from veche.storage.kinds import postgres_opening

        return postgres_opening.open_existing(url, create=create)
    return sqlite_opening.open_existing(url, create=create)


def copy_source(url: str) -> AbstractContextManager[CopyEnd]:
    """Open a database from which `veche copy` reads. Nobody else may use it meanwhile."""
    if _is_postgres(url):
        from veche.storage.kinds import postgres_ends

        return postgres_ends.source(url)
    return sqlite_ends.source(url)


def copy_target(url: str) -> AbstractContextManager[CopyEnd]:
    """Open a database to which `veche copy` writes. It is created if it is missing. Nobody else may use it."""
    if _is_postgres(url):
        from veche.storage.kinds import postgres_ends

        return postgres_ends.target(url)
    return sqlite_ends.target(url)


def checks(url: str, serving: Serving) -> list[Callable[[], Iterator[Finding]]]:
    """Return the checks of `veche doctor` on a database. Each may raise any error."""
    if _is_postgres(url):
        from veche.storage.kinds import postgres_examine

        return postgres_examine.checks(url, serving)
    return sqlite_examine.checks(url)


def backup(url: str, target: Path, *, overwrite: bool, say: Say) -> Path:
    """Copy a database to `target`. Return its path. It is only read, and a server may run meanwhile."""
    if _is_postgres(url):
        from veche.storage.kinds import postgres_opening

        postgres_opening.backup(url, target)
    return sqlite_opening.backup(url, target, overwrite=overwrite, say=say)


def restore(url: str, file: Path, *, end_sessions: bool, say: Say) -> tuple[Path, Restored]:
    """Put a copy of `file` in the place of a database. Return its path, and what was done."""
    if _is_postgres(url):
        from veche.storage.kinds import postgres_opening

        postgres_opening.restore(url, file, end_sessions=end_sessions)
    return sqlite_opening.restore(url, file, end_sessions=end_sessions, say=say)


def new_epoch(url: str) -> tuple[str, str]:
    """Give a database a new epoch. Return its name and the epoch."""
    if _is_postgres(url):
        from veche.storage.kinds import postgres_opening

        return postgres_opening.new_epoch(url)
    path, epoch = sqlite_opening.new_epoch(url)
    return str(path), epoch
