"""Finds out whether a transaction was committed, if the connection was lost while it was being committed.

Each transaction that writes notes its number in a row of this process (`last_commits`), before its COMMIT is sent. The
note is stored if and only if the transaction is, wherever the question is asked: after a crash, and by a replica that
took over and has the transaction or not. PostgreSQL's own number of the transaction (`pg_xact_status`) would not do.
Another server, and the same one after a crash, may have given it to another transaction.

Nobody gets an answer until this is known: "not stored" could be wrong, and a client that sends again would send twice.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from veche.storage.engines.engine import DatabaseError
from veche.storage.engines.postgres_limit import Limited
from veche.storage.engines.postgres_sql import SCHEMA, one_value

SAY_AGAIN = 60.0  # seconds until the log says again why the outcome is not known yet
ASK_SECONDS = 10.0  # after which the server stands still, or a replica is missing, and is asked again
PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two attempts
FORGET_DAYS = 7
"""The row of a process is removed after so many days. No process asks for so long."""
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
# All names in these statements are our own.
NOTE = f"""
    INSERT INTO {SCHEMA}.last_commits (writer, number, at) VALUES ($1::text, $2::bigint, {_NOW})
    ON CONFLICT (writer) DO UPDATE SET number = excluded.number, at = excluded.at RETURNING number
"""  # noqa: S608
# It writes, so that it waits for the transaction in question, whose row this is: until it has ended, or one second. By
# then nothing of it can be stored any more. And the COMMIT of what is written here waits, like that of the
# transaction did, for the replicas that have to have it.
_ASK = f"""
    INSERT INTO {SCHEMA}.last_commits AS found (writer, number, at) VALUES ($1::text, 0, {_NOW})
    ON CONFLICT (writer) DO UPDATE SET at = excluded.at RETURNING found.number
"""  # noqa: S608
_LIMIT = "SELECT set_config('lock_timeout', '1s', true)"
FORGET = f"DELETE FROM {SCHEMA}.last_commits WHERE at < {_NOW} - {FORGET_DAYS} * 86400 * 1000000::bigint"  # noqa: S608

logger = logging.getLogger("veche.storage")

Connection = psycopg.Connection[tuple[Any, ...]]


class UnknownOutcomeError(BaseException):
    """The process stops, and does not know whether a transaction was committed.

    It is no Exception, so that nobody tries the same again, which could store it twice, and nobody is answered.
    """


def is_rolled_back(error: psycopg.Error) -> bool:
    """Return whether an error of a transaction whose COMMIT was sent proves that it is not committed.

    An ERROR of the server ends the transaction, and what follows in the pipeline is skipped, the COMMIT too. All other
    errors say that the connection has ended, and that may have been after the COMMIT.
    """
    return error.diag.severity_nonlocalized == "ERROR"


def resolve(
    writer: str, number: int, connect: Callable[[], Connection], limited: Limited, stopping: threading.Event
) -> bool:
    """Return whether the last transaction of a writer, which has this number, was committed.

    Wait until the server can be asked. `limited` breaks a connection on which a block takes too long. Raises
    UnknownOutcomeError if `stopping` is set before.
    """
    logger.warning("the connection was lost during a commit; the answers wait until its outcome is known")
    pause, say_at = PAUSE, time.monotonic()
    while True:
        try:
            is_committed = _last(writer, connect, limited) == number
        except (psycopg.Error, DatabaseError) as error:
            if time.monotonic() >= say_at:
                say_at = time.monotonic() + SAY_AGAIN
                logger.warning("the outcome cannot be asked for yet: %s", str(error).strip().partition("\n")[0])
            if stopping.wait(pause):
                raise UnknownOutcomeError from None
            pause = min(2 * pause, LONGEST_PAUSE)
            continue
        logger.warning("the outcome of the commit is known: it is %s", "stored" if is_committed else "not stored")
        return is_committed


def _last(writer: str, connect: Callable[[], Connection], limited: Limited) -> int:
    """Return the number of the last transaction of a writer that is stored, or 0."""
    with connect() as connection, limited(connection, ASK_SECONDS), connection.transaction():
        connection.execute(_LIMIT)
        return int(one_value(connection, _ASK, writer))
