"""Who may open which PostgreSQL database: `veche serve` and `veche migrate` create and migrate it."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from veche.storage.engines.engine import DatabaseError
from veche.storage.engines.postgres_database import PostgresDatabase
from veche.storage.engines.postgres_sql import SCHEMA, one_value
from veche.storage.migrate import check_version, schema_version

OLDEST = 150_000  # PostgreSQL 15
_SERVER = """
    SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery(),
    current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes')
"""

logger = logging.getLogger("veche.storage")

Say = Callable[[str], None]


def open_to_serve(url: str, *, may_lose: bool = False) -> PostgresDatabase:
    """Open the database of a server: check the server, create and migrate the database. Raises DatabaseError.

    `may_lose`: the server may be one that does not store a commit before it reports it.
    """
    database = PostgresDatabase(url)
    try:
        _check_server(database, may_lose=may_lose)
        database.migrate()
        database.begin_serving()
    except BaseException:
        database.close()
        raise
    return database


def migrate_database(url: str, *, copy: bool, say: Say) -> str:
    """Create a database, or migrate it to this version's schema. Return its name. Raises DatabaseError."""
    database = PostgresDatabase(url)
    try:
        _check_server(database, may_lose=True)
        if copy and _version(database) not in (None, schema_version()):
            say("Nothing is copied before the migration: make a backup with pg_dump or pg_basebackup if you want one.")
        database.migrate()
    finally:
        database.close()
    return database.name


@contextlib.contextmanager
def open_existing(url: str, *, create: bool = False) -> Iterator[PostgresDatabase]:
    """Open a database that exists and has this version's schema. Nodes may run meanwhile.

    With `create`, a missing one is created. Raises DatabaseError.
    """
    database = PostgresDatabase(url)
    try:
        version = _version(database)
        if version is None and create:
            _check_server(database, may_lose=True)
            database.migrate()
        elif version is None:
            raise DatabaseError(f"There is no chat in {database.name}. `veche serve` creates one.")
        elif version != schema_version():
            _check_version(version)
            raise DatabaseError(
                f"{database.name} has the schema {version}, and this Veche needs {schema_version()}. "
                "`veche serve` and `veche migrate` migrate it."
            )
        yield database
    finally:
        database.close()


def new_epoch(url: str) -> tuple[str, str]:
    """Give a database a new epoch. Return its name and the epoch. Raises DatabaseError."""
    with open_existing(url) as database:
        return database.name, database.new_epoch()


def backup(url: str, target: Path) -> NoReturn:
    """Raise DatabaseError, which names PostgreSQL's own command."""
    name = PostgresDatabase(url).name
    raise DatabaseError(
        f"{name} is backed up with PostgreSQL's own commands, for example: "
        f"pg_dump --format=custom --schema={SCHEMA} --file={target} --dbname=ADDRESS. docs/operations.md says more."
    )


def restore(url: str, file: Path) -> NoReturn:
    """Raise DatabaseError, which names PostgreSQL's own command."""
    name = PostgresDatabase(url).name
    raise DatabaseError(
        f"{name} is restored with PostgreSQL's own commands: stop all nodes, then for example pg_restore --clean "
        f"--if-exists --dbname=ADDRESS {file}, then veche epoch new. docs/operations.md says more."
    )


def _check_server(database: PostgresDatabase, *, may_lose: bool) -> None:
    with database.connected() as connection:
        row = connection.execute(_SERVER).fetchone()
    assert row is not None
    number, version, is_replica, fsync, synchronous, full_pages = row
    if number < OLDEST:
        raise DatabaseError(f"{database.name} is PostgreSQL {version}. Veche needs 15 or newer.")
    if is_replica:
        raise DatabaseError(f"{database.name} is a replica, which cannot be written. Give the address of the primary.")
    off = [
        name
        for name, value in (("fsync", fsync), ("synchronous_commit", synchronous), ("full_page_writes", full_pages))
        if value == "off"
    ]
    if off and not may_lose:
        raise DatabaseError(
            f"{database.name} has {' and '.join(off)} off, so it would lose what it has acknowledged. Switch it on, or "
            "set VECHE_DATABASE_MAY_LOSE=yes."
        )
    if off:
        logger.warning("%s has %s off: it may lose what was acknowledged", database.name, " and ".join(off))


def _version(database: PostgresDatabase) -> str | None:
    """Return the version of the schema. None: there is no chat in this database yet."""
    with database.connected() as connection:
        if one_value(connection, f"SELECT to_regclass('{SCHEMA}.alembic_version')") is None:
            return None
        version = one_value(connection, f"SELECT version_num FROM {SCHEMA}.alembic_version")  # noqa: S608
        return str(version) if version is not None else None


def _check_version(version: str) -> None:
    try:
        check_version(version)
    except ValueError as error:
        raise DatabaseError(str(error)) from None
