"""Recognises the tables of the original servers in a database. They are in other schemas, and are not touched."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from veche.storage.engines.postgres_sql import SCHEMA

_COLUMNS = f"""
    SELECT n.nspname AS schema, c.relname AS name, array_agg(a.attname::text) AS columns FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    AND n.nspname NOT IN ('{SCHEMA}', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
    AND c.relname IN ('users', 'messages', 'rooms', 'room_members', 'user', 'history', 'chats', 'chat_users')
    GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608  # our own name

# By dialect: tables of its original server, with columns that no other one has together.
_ORIGINALS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "dispatch": {"users": frozenset({"username", "password"}), "messages": frozenset({"from", "body", "timestamp"})},
    "rooms": {
        "rooms": frozenset({"is_private", "creator_id"}),
        "room_members": frozenset({"room_id", "user_id"}),
        "messages": frozenset({"room_id", "user_id", "text"}),
    },
    "socketio": {
        "users": frozenset({"username", "password_hash"}),
        "messages": frozenset({"user_id", "content", "created_at"}),
    },
    "channels": {"user": frozenset({"username", "password", "token"}), "history": frozenset({"username", "records"})},
    "messenger": {
        "chats": frozenset({"name", "chat_type"}),
        "chat_users": frozenset({"chat_id", "user_id"}),
        "messages": frozenset({"chat_id", "sender_id"}),
    },
}


def originals(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """Return a sentence for each original server whose tables seem to be in this database."""
    schemas: dict[str, dict[str, frozenset[str]]] = {}
    with psycopg.Cursor(connection, row_factory=dict_row) as cursor:
        for row in cursor.execute(_COLUMNS):
            schemas.setdefault(row["schema"], {})[row["name"]] = frozenset(row["columns"])
    return [
        f"The schema {schema!a} seems to have the tables of the original server of the dialect {dialect}. They are not "
        f"touched: the chat of Veche is in the schema {SCHEMA}, without them. A later version will have a command "
        "`veche import` that copies them."
        for schema, tables in schemas.items()
        for dialect, wanted in _ORIGINALS.items()
        if all(columns <= tables.get(table, frozenset()) for table, columns in wanted.items())
    ]
