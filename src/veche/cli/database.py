"""Opens the database for commands that may run while a server runs."""

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer

from veche.app import DIALECTS
from veche.settings import read_settings
from veche.storage.database import Database

Url = Annotated[str | None, typer.Option("--database-url", help="The database, sqlite:///PATH.")]


@contextlib.contextmanager
def open_database(url: str | None) -> Iterator[Database]:
    """Open the database of the settings (or `url`), and migrate it to this version's schema."""
    database = Database(read_settings(DIALECTS, database_url=url).server.database_url)
    try:
        database.migrate()
        yield database
    finally:
        database.close()
