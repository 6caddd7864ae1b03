"""A migrated database for each test, copied from one that was migrated once."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from veche.storage.database import Database


def new_database(path: Path) -> Database:
    path.write_bytes(_migrated())
    return Database(f"sqlite:///{path}")


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/x.db")
        database.migrate()
        database.close()
        return database.path.read_bytes()
