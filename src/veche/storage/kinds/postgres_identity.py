"""Which history a PostgreSQL server has: its system identifier and its timeline.

A replica that takes over may lack the last commits, and a restored backup lacks more. Both have another timeline, or
another identifier. Then the logs may be shorter than clients remember, so the database gets a new epoch.
https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES
"""

import secrets
from typing import Any, NamedTuple

import psycopg

from veche.storage.engines.postgres_sql import SCHEMA, one_value

KEY = "cluster"
LOCAL = "SET LOCAL synchronous_commit = local"
"""Lets the COMMIT of a new epoch or of a lease wait for no replica. Otherwise no node could serve while one is missing.

If this server is lost before a replica has it, the next one draws another epoch, and nobody has a lease there.
"""
_IDENTITY = """
    SELECT system_identifier::text || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()
"""
_LOOK = f"""
    SELECT ({_IDENTITY}) AS server,
    (SELECT value FROM {SCHEMA}.meta WHERE key = '{KEY}') AS known,
    (SELECT system_identifier FROM pg_control_system()) || ' ' || current_database() || ' '
    || (SELECT value FROM {SCHEMA}.meta WHERE key = 'epoch') AS history
"""  # noqa: S608  # our own names
_READ = f"SELECT value FROM {SCHEMA}.meta WHERE key = '{KEY}' FOR UPDATE"  # noqa: S608  # our own names
_WRITE = f"""
    INSERT INTO {SCHEMA}.meta (key, value) VALUES ('{KEY}', $1::text)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""  # noqa: S608
_SET_EPOCH = f"UPDATE {SCHEMA}.meta SET value = $1::text WHERE key = 'epoch'"  # noqa: S608


class Seen(NamedTuple):
    """What a connection leads to.

    `server` is the identity of the server, and `known` the one that is stored: they differ until a new epoch is drawn.
    `history` tells the database and its present history from all others: the server's system identifier, the name of
    the database there, and the epoch. A copy has the same secret, and perhaps its nodes use the same bus.
    """

    server: str
    known: str | None
    history: str


def look(connection: psycopg.Connection[tuple[Any, ...]]) -> Seen:
    """Find out what a connection leads to."""
    with psycopg.RawCursor(connection) as cursor:
        [row] = cursor.execute(_LOOK, prepare=False).fetchall()
        return Seen(*row)


def read(connection: psycopg.Connection[tuple[Any, ...]]) -> str:
    """Return the identity of the server that a connection leads to."""
    return str(one_value(connection, _IDENTITY))


def remember(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    """Store the identity of the server. Return whether it was another one before: then the epoch is a new one.

    Call it in a transaction, with the advisory lock.
    """
    identity, before = read(connection), one_value(connection, _READ)
    if before == identity:
        return False
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(_WRITE, [identity])
    if before is None:
        return False
    draw_epoch(connection)
    return True


def draw_epoch(connection: psycopg.Connection[tuple[Any, ...]]) -> str:
    """Store a new epoch, and return it."""
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute(_SET_EPOCH, [epoch := secrets.token_hex(8)])
        return epoch
