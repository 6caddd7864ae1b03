"""The advisory lock of a PostgreSQL database: whoever has it migrates, changes the epoch, or becomes a node.

It is advisory because the first one has to be taken before there is any table. Any role that can connect may take it,
by accident or not. So it is waited for with a limit, and the log says who has it.
"""

import logging
import time
from typing import Any

import psycopg

from veche.storage.engines.engine import DatabaseError
from veche.storage.engines.postgres_sql import one_value

LOCK = 0x7665636865
WAIT_SECONDS = 60.0  # a migration of many rows may take as long
LOOK_SECONDS = 0.1  # between two attempts
SAY_AFTER = 2.0  # seconds; a start or a migration without much to do is shorter
_TRY = f"SELECT pg_try_advisory_xact_lock({LOCK})"
_HOLDERS = f"""
    SELECT pid, coalesce(usename, ''), coalesce(application_name, '') FROM pg_locks
    JOIN pg_stat_activity USING (pid) JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND granted AND pg_database.datname = current_database()
    AND classid = {LOCK >> 32} AND objid = {LOCK & 0xFFFFFFFF} AND objsubid = 1 ORDER BY pid LIMIT 3
"""  # noqa: S608  # our own numbers

logger = logging.getLogger("veche.storage")


def lock(connection: psycopg.Connection[tuple[Any, ...]], name: str, seconds: float | None = None) -> None:
    """Take the lock until the transaction of a connection ends. `name` is that of the database.

    Raises DatabaseError if others have it for so long, which is WAIT_SECONDS without a number.
    """
    began = time.monotonic()
    seconds = WAIT_SECONDS if seconds is None else seconds
    said = False
    while not one_value(connection, _TRY):
        waited = time.monotonic() - began
        if waited >= seconds:
            pid, who = _holder(connection)
            end = f" If it is no command of Veche, end it with SELECT pg_terminate_backend({pid})." if pid else ""
            raise DatabaseError(f"{name} is locked by {who}. It was waited for {waited:.0f} seconds.{end}")
        if waited >= SAY_AFTER and not said:
            said = True
            logger.warning("%s is locked by %s; it is waited for", name, _holder(connection)[1])
        time.sleep(LOOK_SECONDS)


def _holder(connection: psycopg.Connection[tuple[Any, ...]]) -> tuple[int, str]:
    """Return the process that has the lock, and words for it. 0: it has just ended."""
    found = connection.execute(_HOLDERS, prepare=False).fetchall()
    for pid, user, program in found:
        return pid, f"a connection of {user!a} ({program!a}, pid {pid})"
    return 0, "another connection"
