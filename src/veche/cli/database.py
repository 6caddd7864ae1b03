"""Opens the database for commands that may run while a server runs."""

from contextlib import AbstractContextManager
from typing import Annotated

import typer

from veche.cli.env_file import settings_for
from veche.storage.database import Database
from veche.storage.opening import open_existing

Url = Annotated[str | None, typer.Option("--database-url", help="The database, sqlite:///PATH or postgresql://...")]


def url_of_database(url: str | None) -> str:
    """Return the URL of the settings, or `url` if it is given."""
    return settings_for(url).server.database_url


def open_database(url: str | None, *, create: bool = False) -> AbstractContextManager[Database]:
    """Open the database of the settings (or `url`). It has to exist, and to have this version's schema."""
    return open_existing(url_of_database(url), create=create)
