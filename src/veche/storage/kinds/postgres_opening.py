"""Who may open which PostgreSQL database: `veche serve` and `veche migrate` create and migrate it."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote
from typing import Any, NoReturn

import psycopg
from psycopg.rows import scalar_row

from veche.storage.engines.engine import COPYING, DatabaseError
from veche.storage.engines.postgres_sql import SCHEMA, one_value
from veche.storage.kinds.postgres_database import PostgresDatabase, read_meta
from veche.storage.kinds.postgres_nodes import count_alive
from veche.storage.kinds.postgres_originals import originals
from veche.storage.migrate import check_version, schema_version

OLDEST = 150_000  # PostgreSQL 15
_SERVER = """
    SELECT current_setting('server_version_num')::int, current_setting('server_version'),
    current_setting('server_encoding')
"""
ENCODING = "UTF8"
_LOSING = "SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = 'off' ORDER BY name"

logger = logging.getLogger("veche.storage")

Say = Callable[[str], None]
Connection = psycopg.Connection[tuple[Any, ...]]


def open_to_serve(url: str, *, may_lose: bool = False) -> PostgresDatabase:
    """Open the database of a server: check the server, create and migrate the database. Raises DatabaseError.

    `may_lose`: the server may be one that does not store a commit before it reports it.
    """
    database = PostgresDatabase(url)
    try:
        check_server(database, may_lose=may_lose)
        _version(database)
        with database.connected() as connection:
            for sentence in originals(connection):
                logger.warning("%s", sentence)
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
        check_server(database, may_lose=True)
        version = _version(database)
        if copy and version not in (None, schema_version()):
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
        if create and _version(database) is None:
            check_server(database, may_lose=True)
            database.migrate()
        else:
            must_have_this_schema(database)
        yield database
    finally:
        database.close()


def must_have_this_schema(database: PostgresDatabase) -> None:
    """Raise DatabaseError if there is no complete chat of this version's schema in a database."""
    version = _version(database)
    if version is None:
        raise DatabaseError(f"There is no chat in {database.name}. `veche serve` creates one.")
    if version != schema_version():
        _check_version(version)
        raise DatabaseError(
            f"{database.name} has the schema {version}, and this Veche needs {schema_version()}. "
            "Run `veche migrate`, and then this command again."
        )


def new_epoch(url: str) -> tuple[str, str]:
    """Give a database a new epoch. Return its name and the epoch. Raises DatabaseError."""
    with open_existing(url) as database:
        with database.connected() as connection:
            alive = count_alive(connection)
        if alive:
            raise DatabaseError(
                f"{alive} of the nodes of {database.name} run, or were killed some seconds ago. Stop all nodes first: "
                "clients that are connected would not notice the new epoch."
            )
        return database.name, database.new_epoch()


def backup(url: str, target: Path) -> NoReturn:
    """Raise DatabaseError, which names PostgreSQL's own command."""
    name = PostgresDatabase(url).name
    raise DatabaseError(
        f"{name} is copied by PostgreSQL's own command. Nodes may run meanwhile:\n"
        f"  pg_dump --format=custom --schema={SCHEMA} --exclude-table-data={SCHEMA}.nodes "
        f"--file={quote(str(target))}\n"
        "docs/postgresql.md says how it finds the database, and how to lose less than what came after the last dump."
    )


def restore(url: str, file: Path, *, end_sessions: bool) -> NoReturn:
    """Raise DatabaseError, which names PostgreSQL's own commands."""
    name = PostgresDatabase(url).name
    ended = f"  psql --command='DELETE FROM {SCHEMA}.sessions'\n" if end_sessions else ""  # noqa: S608  # shown only
    raise DatabaseError(
        f"{name} is restored by PostgreSQL's own commands. Stop all nodes, and run:\n"
        f'  psql --command="ALTER SCHEMA {SCHEMA} RENAME TO {SCHEMA}_replaced_$(date +%Y%m%d_%H%M%S)"\n'
        f'  pg_restore --exit-on-error --no-owner --dbname="$PGDATABASE" {quote(str(file))}\n'
        f"{ended}  veche migrate\n"
        "  veche epoch new\n"
        "The first command sets the old chat aside. docs/postgresql.md says how they find the database, and more."
    )


def check_server(database: PostgresDatabase, *, may_lose: bool) -> None:
    """Raise DatabaseError if the server is too old or loses commits, or the database cannot store every text.

    `may_lose`: it may lose commits.
    """
    with database.connected() as connection:
        number, version, encoding = connection.execute(_SERVER).fetchall()[0]
        off = losing_settings(connection)
    if number < OLDEST:
        raise DatabaseError(f"{database.name} is PostgreSQL {version}. Veche needs 15 or newer.")
    if encoding != ENCODING:
        raise DatabaseError(
            f"{database.name} has the encoding {encoding}, which cannot store every text. Create another database: "
            f"CREATE DATABASE ... TEMPLATE template0 ENCODING '{ENCODING}'."
        )
    if off and not may_lose:
        raise DatabaseError(
            f"{database.name} has {' and '.join(off)} off, so it would lose what it has acknowledged. Switch it on, or "
            "set VECHE_DATABASE_MAY_LOSE=yes."
        )
    if off:
        logger.warning("%s has %s off: it may lose what was acknowledged", database.name, " and ".join(off))


def losing_settings(connection: Connection) -> list[str]:
    """Return the names of the settings that are off, so that a commit may be lost after it was reported."""
    names = ["fsync", "synchronous_commit", "full_page_writes"]
    with psycopg.Cursor(connection, row_factory=scalar_row) as cursor:
        return cursor.execute(_LOSING, [names]).fetchall()


def _version(database: PostgresDatabase) -> str | None:
    """Return the version of the schema. None: there is no chat in this database yet.

    Raises DatabaseError if the chat is half copied.
    """
    with database.connected() as connection:
        version = version_of(connection)
        if version is not None and read_meta(connection, COPYING) is not None:
            raise DatabaseError(half_copied(database))
        return version


def half_copied(database: PostgresDatabase) -> str:
    """Return the sentence that says what to do with a database that is half copied."""
    return (
        f"{database.name} is half copied: `veche copy` was interrupted. Run it again with the same addresses. "
        f"To begin anew, run DROP SCHEMA {SCHEMA} CASCADE in this database first."
    )


def version_of(connection: Connection) -> str | None:
    """Return the version of the schema. None: there is no chat in this database yet."""
    if one_value(connection, f"SELECT to_regclass('{SCHEMA}.alembic_version')") is None:
        return None
    version = one_value(connection, f"SELECT version_num FROM {SCHEMA}.alembic_version")  # noqa: S608
    return str(version) if version is not None else None


def _check_version(version: str) -> None:
    try:
        check_version(version)
    except ValueError as error:
        raise DatabaseError(str(error)) from None
