"""The sequences from which ids are drawn, one for each table whose ids the server gives."""

from typing import Any

import psycopg

from veche.core.values import RESERVED_IDS
from veche.storage.engines.postgres_sql import SCHEMA, one_value
from veche.storage.tables import tables_with_given_ids

_BELOW = f" WHERE id < {RESERVED_IDS}"


def create_missing(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Create the sequences that are missing. Each one begins after the highest id of its table."""
    for table in tables_with_given_ids():
        name = name_of(table)
        if one_value(connection, "SELECT to_regclass($1::text)", name) is None:
            connection.execute(f"CREATE SEQUENCE {name} CACHE 1")
            set_after_highest(connection, table)


def set_after_highest(connection: psycopg.Connection[tuple[Any, ...]], table: str) -> None:
    """Let the sequence of a table go on after its highest id. The ids of built-in rows do not count."""
    highest = f"SELECT coalesce(max(id), 0) + 1 FROM {SCHEMA}.{table}{_BELOW}"  # noqa: S608  # our own names
    connection.execute(f"SELECT setval('{name_of(table)}', ({highest}), false)")


def name_of(table: str) -> str:
    """Return the name of a table's sequence."""
    return f"{SCHEMA}.{table}_id_seq"
