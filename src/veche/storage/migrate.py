"""Migrates a database to this version's schema. Runs at every start, so it is fast if nothing is to be done."""

from pathlib import Path

from sqlalchemy import Engine, inspect, text

MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(engine: Engine) -> None:
    """Apply the migrations that are missing. Raises ValueError as `check_version` does."""
    current = _current(engine)
    check_version(current)
    if current != schema_version():
        from veche.storage.upgrade import upgrade  # it imports Alembic, which takes half a second

        upgrade(engine, MIGRATIONS, current)


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


def _current(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return str(version) if version is not None else None
