"""`veche epoch`: tells clients that the history of the database is another one."""

import typer

from veche.cli.database import Url, url_of_database
from veche.cli.env_file import EnvFile
from veche.cli.show import say
from veche.storage import opening

app = typer.Typer(no_args_is_help=True, help="Tell clients that the database is not the one that they knew.")


@app.callback()
def epoch() -> None:
    """Make `new` a subcommand, although it is the only one."""


@app.command("new")
def new(database_url: Url = None, env_file: EnvFile = None) -> None:
    """Draw a new epoch. Do this before the first start from a snapshot, or from a copy made without `veche backup`."""
    path, drawn = opening.new_epoch(url_of_database(database_url))
    say(f"The epoch of {path} is {drawn}, so clients load everything again. Start the server now.")
