"""`veche restore`: puts a backup in the place of the database, while no server runs."""

from pathlib import Path
from typing import Annotated

import typer

from veche.cli.database import Url, url_of_database
from veche.cli.env_file import EnvFile
from veche.cli.show import say
from veche.storage import opening


def restore(
    file: Path,
    end_sessions: Annotated[
        bool, typer.Option("--end-sessions", help="Sign everybody out: sessions that ended since the backup are back.")
    ] = False,
    database_url: Url = None,
    env_file: EnvFile = None,
) -> None:
    """Put a copy of FILE in the place of the database. FILE is only read. The old database is set aside."""
    path, done = opening.restore(url_of_database(database_url), file, end_sessions=end_sessions, say=say)
    made = f", a backup of {done.copied_at}," if done.copied_at else ""
    say(f"Restored {file}{made} to {path}: {done.messages} messages, schema {done.schema}.")
    if done.log_left_out:
        say(f"{file}-wal belongs to another file, and was not used.")
    if done.aside is not None:
        say(f"The old database is {done.aside}. Delete it when nobody misses anything.")
    say("The epoch is new, so clients load everything again. Start the server now.")
