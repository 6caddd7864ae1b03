"""The checks of `veche doctor` on a PostgreSQL database. Nodes may run meanwhile, and nothing is written."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from veche.core.values import RESERVED_IDS
from veche.storage.engines.engine import COPYING, READERS
from veche.storage.engines.postgres_sql import SCHEMA, one_value
from veche.storage.finding import Finding
from veche.storage.kinds import postgres_identity as identity
from veche.storage.kinds.postgres_database import SECRET_KEY, PostgresDatabase, read_meta
from veche.storage.kinds.postgres_opening import OLDEST, half_copied, losing_settings, version_of
from veche.storage.kinds.postgres_originals import originals
from veche.storage.migrate import schema_version
from veche.storage.usernames import not_allowed_today

OF_NODE = 1 + READERS
"""How many connections a node opens to write and to read. One more is open for a moment when it starts."""
SLOW_COMMIT = 0.02  # seconds
LONG_MINUTES = 5  # a transaction that is open for longer keeps PostgreSQL from cleaning up

_SERVER = "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
_CONNECTIONS = """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    (SELECT count(DISTINCT client_port) FROM pg_stat_activity
    WHERE application_name = 'veche' AND datname = current_database() AND pid <> pg_backend_pid())
"""
_LONG = f"""
    SELECT pid, coalesce(usename, ''), coalesce(application_name, ''),
    (extract(epoch FROM now() - xact_start) / 60)::int FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND xact_start < now() - interval '{LONG_MINUTES} minutes' ORDER BY xact_start LIMIT 5
"""  # noqa: S608  # our own numbers and names, here and below
_REPLICAS = "SELECT count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) FROM pg_stat_replication"
_SIZE = f"""
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{SCHEMA}' AND c.relkind = 'r'
"""  # noqa: S608
_USERNAMES = f"SELECT id, username FROM {SCHEMA}.accounts WHERE id < {RESERVED_IDS} ORDER BY id"  # noqa: S608

Connection = psycopg.Connection[tuple[Any, ...]]


def checks(url: str) -> list[Callable[[], Iterator[Finding]]]:
    """Return the checks of a database. Each may raise DatabaseError."""
    database = PostgresDatabase(url)

    def in_connection(check: Callable[[PostgresDatabase, Connection], Iterator[Finding]]) -> Iterator[Finding]:
        with database.connected() as connection:
            yield from check(database, connection)

    each = (_server, _connections, _transactions, _replicas, _chat)
    return [lambda check=check: in_connection(check) for check in each]  # type: ignore[misc]


def _server(database: PostgresDatabase, connection: Connection) -> Iterator[Finding]:
    number, version = connection.execute(_SERVER).fetchall()[0]
    advice = "" if number >= OLDEST else ": Veche needs 15 or newer"
    yield Finding(number >= OLDEST, "PostgreSQL", f"{version} at {database.name}{advice}")
    off = losing_settings(connection)
    yield Finding(
        not off,
        "durability",
        f"{' and '.join(off)} off: what was acknowledged may be lost"
        if off
        else "a commit is stored before its answer",
    )
    began = time.perf_counter()
    connection.execute("SELECT 1")
    milliseconds = (time.perf_counter() - began) * 1000
    yield Finding(milliseconds < SLOW_COMMIT * 1000, "distance", f"{milliseconds:.1f} ms to the server and back")


def _connections(database: PostgresDatabase, connection: Connection) -> Iterator[Finding]:
    most, used, ours = connection.execute(_CONNECTIONS).fetchall()[0]
    free = most - used
    yield Finding(
        free >= OF_NODE + 1,
        "connections",
        f"{free} of {most} are free; a node needs {OF_NODE + 1}, and {ours} are of Veche"
        + ("" if free >= OF_NODE + 1 else ": raise max_connections, or put pgbouncer in front"),
    )


def _transactions(database: PostgresDatabase, connection: Connection) -> Iterator[Finding]:
    found = connection.execute(_LONG).fetchall()
    for pid, user, program, minutes in found:
        yield Finding(
            False,
            "transactions",
            f"one of {user!a} ({program!a}, pid {pid}) is open for {minutes} minutes, so nothing that is deleted or "
            f"replaced meanwhile is cleaned up. Let it end, or run SELECT pg_terminate_backend({pid})",
        )
    if not found:
        yield Finding(True, "transactions", f"none is open for more than {LONG_MINUTES} minutes")


def _replicas(database: PostgresDatabase, connection: Connection) -> Iterator[Finding]:
    count, waited_for = connection.execute(_REPLICAS).fetchall()[0]
    sentence = f"{count}, and a commit waits for {waited_for} of them"
    if not count:
        sentence = "none is connected: if this server is lost, all since the last backup is"
    elif not waited_for:
        sentence = f"{count}; a commit waits for none, so one that takes over may lack the last messages"
    yield Finding(True, "replicas", sentence)


def _chat(database: PostgresDatabase, connection: Connection) -> Iterator[Finding]:
    for original in originals(connection):
        yield Finding(True, "original", original)
    version = version_of(connection)
    if version is None:
        yield Finding(True, "database", f"{database.name}: the chat will be created at the first start")
        return
    yield Finding(
        version <= schema_version(),
        "schema",
        f"{version}; this version of Veche knows versions up to {schema_version()}",
    )
    if read_meta(connection, COPYING) is not None:
        yield Finding(False, "database", half_copied(database))
        return
    size = one_value(connection, _SIZE) >> 20
    yield Finding(True, "database", f"{database.name}: {size:,} MiB in the schema {SCHEMA}")
    known = read_meta(connection, identity.KEY)
    if known not in (None, identity.read(connection)):
        yield Finding(True, "epoch", "the chat comes from another server; a new epoch is drawn at the next start")
    made = read_meta(connection, SECRET_KEY) is not None
    yield Finding(
        True, "secret", "stored in the database" if made else "will be created in the database if none is set"
    )
    yield not_allowed_today(connection.execute(_USERNAMES).fetchall())
