"""Finds out whether a transaction was committed, if the connection was lost while it was being committed.

The server knows it by the number of the transaction (`pg_xact_status`). Until it has said so, nobody gets an answer:
"not stored" could be wrong, and a client that sends again would send twice.
https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import errors

from veche.storage.engines.postgres_sql import one_value

PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two attempts

logger = logging.getLogger("veche.storage")


def is_rolled_back(error: psycopg.Error) -> bool:
    """Return whether an error of a transaction whose COMMIT was sent proves that it is not committed.

    An ERROR of the server ends the transaction, and what follows in the pipeline is skipped, the COMMIT too. All other
    errors say that the connection has ended, and that may have been after the COMMIT.
    """
    return error.diag.severity_nonlocalized == "ERROR"


def resolve(number: str, connect: Callable[[], psycopg.Connection[tuple[Any, ...]]], stopping: threading.Event) -> bool:
    """Return whether the transaction with this number was committed. Wait until the server can be asked.

    Return False if the server does not know the number. Raises psycopg.OperationalError if `stopping` is set before the
    server could be asked.
    """
    logger.warning("the connection was lost during a commit; the answers wait until its outcome is known")
    pause = PAUSE
    while True:
        try:
            status = _status(number, connect)
        except errors.InvalidParameterValue:
            status = None  # the number is higher than any of this server: a replica without the transaction took over
        except psycopg.OperationalError:
            if stopping.wait(pause):
                raise
            pause = min(2 * pause, LONGEST_PAUSE)
            continue
        if status != "in progress":  # the server ends it after some seconds if its COMMIT never came
            logger.warning("the outcome of the commit is known: %s", status or "unknown to the server")
            return status == "committed"
        stopping.wait(PAUSE)


def _status(number: str, connect: Callable[[], psycopg.Connection[tuple[Any, ...]]]) -> str | None:
    with connect() as connection:
        status: str | None = one_value(connection, "SELECT pg_xact_status($1::text::xid8)", number)
        return status
