"""The schema: made from nothing, harmless twice, equal to the code's tables, and never touched when it is newer."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import veche.storage.subjects  # noqa: F401  # declares every table
from veche.core.values import LOBBY_ID
from veche.storage.database import DatabaseError
from veche.storage.engines.sqlite import engine_for_migrations
from veche.storage.kinds.sqlite_database import SqliteDatabase
from veche.storage.migrate import schema_version
from veche.storage.tables import metadata


def dump(database: SqliteDatabase) -> list[tuple[object, ...]]:
    with database.reading() as connection:
        tables = [*metadata.tables, "alembic_version", "sqlite_master"]
        return [tuple(row) for table in tables for row in connection.connection.execute(f"SELECT * FROM {table}")]


def test_an_empty_file_becomes_a_database_with_its_lobby(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    database = SqliteDatabase(f"sqlite:///{tmp_path}/x.db")
    database.migrate()
    with database.reading() as connection:
        assert connection.connection.execute("SELECT id FROM rooms").fetchall() == [(LOBBY_ID,)]
        assert connection.connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (schema_version(),)
        ]
    database.close()


def test_migrating_twice_is_harmless(database: SqliteDatabase) -> None:
    before = dump(database)
    database.migrate()
    assert dump(database) == before


def test_two_databases_have_two_epochs(database: SqliteDatabase, tmp_path: Path) -> None:
    other = SqliteDatabase(f"sqlite:///{tmp_path}/other.db")
    other.migrate()
    epochs = set()
    for each in (database, other):
        with each.reading() as connection:
            epochs.add(connection.connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone())
    other.close()
    assert len(epochs) == 2


def test_a_newer_database_is_refused_with_a_sentence_and_left_alone(database: SqliteDatabase) -> None:
    with database.writing() as connection:
        connection.connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = dump(database)
    with pytest.raises(DatabaseError, match=r"newer Veche \(schema 9999\).*Start the newer version"):
        database.migrate()
    assert dump(database) == before


def test_the_migrations_make_the_schema_of_the_code(database: SqliteDatabase) -> None:
    with engine_for_migrations(database.path).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name in metadata.tables,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_the_migrations_and_the_code_make_the_same_tables_to_the_letter(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    fresh = SqliteDatabase(f"sqlite:///{tmp_path}/fresh.db")
    metadata.create_all(engine_for_migrations(fresh.path))

    def columns(each: SqliteDatabase) -> dict[str, list[tuple[object, ...]]]:
        with each.reading() as connection:
            return {
                f"{pragma} {table}": sorted(
                    tuple(row)[1:] for row in connection.connection.execute(f"PRAGMA {pragma}({table})")
                )
                for table in metadata.tables
                for pragma in ("table_info", "index_list", "foreign_key_list")
            }

    expected, found = columns(fresh), columns(database)
    fresh.close()
    assert found == expected


@pytest.mark.parametrize(
    "content", [b"this is not a database at all, but a letter" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_no_database_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    database = SqliteDatabase(f"sqlite:///{path}")
    with pytest.raises(DatabaseError, match=r"letter\.txt"):
        database.migrate()
    database.close()
    assert path.read_bytes() == content


def test_a_migration_that_breaks_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    database = SqliteDatabase(f"sqlite:///{tmp_path}/x.db")
    with database.writing() as connection:
        connection.connection.execute("CREATE TABLE logs (mine TEXT)")
    with pytest.raises(DatabaseError):
        database.migrate()
    with database.reading() as connection:
        tables = connection.connection.execute("SELECT name FROM sqlite_master").fetchall()
    database.close()
    assert tables == [("logs",)]
