"""`veche backup`: copies the database. It only reads, and may run while a server runs."""

from pathlib import Path
from typing import Annotated

import typer

from veche.cli.database import Url, url_of_database
from veche.cli.env_file import EnvFile
from veche.cli.show import say
from veche.storage import opening


def backup(
    file: Path,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    database_url: Url = None,
    env_file: EnvFile = None,
) -> None:
    """Copy the database to FILE. A server may run meanwhile. `veche restore` brings it back."""
    path = opening.backup(url_of_database(database_url), file, overwrite=force, say=say)
    say(f"Copied {path} to {file}.")
