"""A migrated database for each test, copied from one that was migrated once."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from veche.storage.kinds.sqlite_database import SqliteDatabase


def new_database(path: Path) -> SqliteDatabase:
    path.write_bytes(_migrated())
    return SqliteDatabase(f"sqlite:///{path}")


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        database = SqliteDatabase(f"sqlite:///{folder}/x.db")
        database.migrate()
        database.close()
        return database.path.read_bytes()
