"""The sequences from which ids are drawn, one for each table whose ids the server gives."""

from typing import Any

import psycopg
from psycopg import sql

from veche.core.values import RESERVED_IDS
from veche.storage.engines.postgres_sql import SCHEMA, one_value
from veche.storage.tables import tables_with_given_ids

_SET = "SELECT setval({}, (SELECT coalesce(max(id), 0) + 1 FROM {} WHERE id < {}), false)"


def create_missing(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Create the sequences that are missing. Each one begins after the highest id of its table."""
    for table in tables_with_given_ids():
        if one_value(connection, "SELECT to_regclass($1::text)", name_of(table)) is None:
            sequence = sql.Identifier(*name_of(table).split("."))
            connection.execute(sql.SQL("CREATE SEQUENCE {} CACHE 1").format(sequence))
            set_after_highest(connection, table)


def set_after_highest(connection: psycopg.Connection[tuple[Any, ...]], table: str) -> None:
    """Let the sequence of a table go on after its highest id. The ids of built-in rows do not count."""
    sequence, rows = sql.Literal(name_of(table)), sql.Identifier(SCHEMA, table)
    connection.execute(sql.SQL(_SET).format(sequence, rows, RESERVED_IDS))


def name_of(table: str) -> str:
    """Return the name of a table's sequence."""
    return f"{SCHEMA}.{table}_id_seq"
