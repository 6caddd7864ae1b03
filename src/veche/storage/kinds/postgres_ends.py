"""Opens a PostgreSQL database for `veche copy`. No node and no other command uses it meanwhile."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from sqlalchemy import Table

from veche.storage.engines.engine import DatabaseError, Transaction
from veche.storage.engines.postgres_sql import SCHEMA, one_value
from veche.storage.engines.postgres_transaction import PostgresTransaction
from veche.storage.kinds import postgres_identity as identity
from veche.storage.kinds import postgres_ids as ids
from veche.storage.kinds.copy_end import CopyEnd, complete_nothing
from veche.storage.kinds.postgres_database import SECRET_KEY, PostgresDatabase, read_meta, write_meta
from veche.storage.kinds.postgres_opening import check_server, must_have_this_schema
from veche.storage.tables import metadata, tables_with_given_ids

LOCK = 0x7665636866
"""The advisory lock of `veche copy`."""
PATIENCE = 5.0  # seconds until the connections of a command that was killed have ended
_BEGIN = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = '5s'"
_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'veche' AND pid <> pg_backend_pid()
"""


@contextlib.contextmanager
def source(url: str) -> Iterator[CopyEnd]:
    """Open a database from which rows are copied. It is only read, and cannot be written. Raises DatabaseError."""
    database = PostgresDatabase(url, patient=True)
    try:
        must_have_this_schema(database)
        with _alone(database) as connection:
            names = ", ".join(f"{SCHEMA}.{name}" for name in metadata.tables)
            connection.execute(f"LOCK TABLE {names} IN SHARE MODE")
            known, now = read_meta(connection, identity.KEY), identity.read(connection)
            end = f"postgresql {read_meta(connection, 'epoch')} {now}"
            secret = read_meta(connection, SECRET_KEY)
            yield CopyEnd(database, end, known not in (None, now), secret, _load, complete_nothing)
    finally:
        database.close()


@contextlib.contextmanager
def target(url: str) -> Iterator[CopyEnd]:
    """Open a database to which rows are copied. The tables are created if they are missing. Raises DatabaseError."""
    database = PostgresDatabase(url, patient=True)
    try:
        check_server(database, may_lose=True)
        with _alone(database):
            database.migrate()

            def complete(secret: str | None, epoch: str) -> None:
                with database.locked() as connection:
                    for table in tables_with_given_ids():
                        ids.set_after_highest(connection, table)
                    if secret is not None:
                        write_meta(connection, SECRET_KEY, secret)
                with database.connected() as connection:  # the planner knows nothing of the new rows yet
                    names = ", ".join(f"{SCHEMA}.{name}" for name in metadata.tables)
                    connection.execute(f"ANALYZE {names}")

            yield CopyEnd(database, "", False, None, _load, complete)
    finally:
        database.close()


@contextlib.contextmanager
def _alone(database: PostgresDatabase) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Open a transaction for a block, in which no other copy uses the database. Refuse if a node is connected."""
    until = time.monotonic() + PATIENCE
    with database.connected() as connection:
        while True:
            connection.execute(_BEGIN)
            others, free = (
                one_value(connection, _OTHERS),
                one_value(connection, f"SELECT pg_try_advisory_xact_lock({LOCK})"),
            )
            if free and not others:
                yield connection
                return
            if time.monotonic() >= until:
                raise DatabaseError(
                    f"Veche runs with {database.name}. Stop all nodes, and let other commands end first."
                )
            connection.execute("ROLLBACK")
            time.sleep(0.1)


def _load(tx: Transaction, table: Table, rows: Sequence[Any]) -> None:
    """Write rows with COPY, which takes a third of the time that INSERT takes."""
    assert isinstance(tx, PostgresTransaction)
    columns = ", ".join(table.columns.keys())
    with tx.connection.cursor() as cursor, cursor.copy(f"COPY {SCHEMA}.{table.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
