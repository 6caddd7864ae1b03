"""Which history a PostgreSQL server has: its system identifier and its timeline.

A replica that takes over may lack the last commits, and a restored backup lacks more. Both have another timeline, or
another identifier. Then the logs may be shorter than clients remember, so the database gets a new epoch.
https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES
"""

import secrets
from typing import Any

import psycopg

from veche.storage.engines.postgres_sql import SCHEMA, one_value

KEY = "cluster"
_IDENTITY = """
    SELECT system_identifier::text || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()
"""
_READ = f"SELECT value FROM {SCHEMA}.meta WHERE key = '{KEY}' FOR UPDATE"  # noqa: S608  # our own names
_WRITE = f"""
    INSERT INTO {SCHEMA}.meta (key, value) VALUES ('{KEY}', $1::text)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""  # noqa: S608
_SET_EPOCH = f"UPDATE {SCHEMA}.meta SET value = $1::text WHERE key = 'epoch'"  # noqa: S608


def read(connection: psycopg.Connection[tuple[Any, ...]]) -> str:
    """Return the identity of the server that a connection leads to."""
    return str(one_value(connection, _IDENTITY))


def remember(connection: psycopg.Connection[tuple[Any, ...]], identity: str) -> bool:
    """Store the identity. Return whether it was another one before: then the epoch is a new one.

    Call it in a transaction, with the advisory lock.
    """
    before = one_value(connection, _READ)
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
