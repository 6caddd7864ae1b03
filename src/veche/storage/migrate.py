"""Migrates a database to this version's schema. Runs at every start, so it is fast if nothing is to be done."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection, Engine, column, inspect, select, table

Begin: TypeAlias = Callable[[Connection], None]

MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(engine: Engine, begin: Begin, schema: str | None = None) -> None:
    """Apply the migrations that are missing. Raises ValueError as `check_version` does.

    `begin` begins a transaction in which no other process migrates. `schema` is the one that contains the tables, if
    it is not the default one.
    """
    current = _current(engine, schema)
    check_version(current)
    if current != schema_version():
        from veche.storage.upgrade import upgrade  # it imports Alembic, which takes half a second

        upgrade(engine, MIGRATIONS, begin)


def check_version(current: str | None) -> None:
    """Raise ValueError if a newer version of Veche made the database, because older code must not change it."""
    if current is not None and current not in _revisions():
        raise ValueError(
            f"This database was made by a newer Veche (schema {current}); this one knows up to {schema_version()}. "
            "Start the newer version, or restore a backup."
        )


def schema_version() -> str:
    """Return the number of the newest schema that this version knows."""
    return _revisions()[-1]


def _revisions() -> list[str]:
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _current(engine: Engine, schema: str | None) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version", schema=schema):
            return None
        version = connection.scalar(select(column("version_num")).select_from(table("alembic_version", schema=schema)))
        return str(version) if version is not None else None
