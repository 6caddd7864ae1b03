"""`veche copy`: moves a chat to another database, while no server runs."""

from typing import Annotated

import typer

from veche.cli.command import CommandError
from veche.cli.database import url_of_database
from veche.cli.env_file import EnvFile
from veche.cli.show import say
from veche.storage import copying, opening

Source = Annotated[
    str | None,
    typer.Option("--from", help="The database to copy, sqlite:///PATH or postgresql://...", show_default=False),
]
Target = Annotated[
    str | None, typer.Option("--to", help="An empty database, sqlite:///PATH or postgresql://...", show_default=False)
]


def copy(source: Source = None, target: Target = None, env_file: EnvFile = None) -> None:
    """Copy a chat to another database. If it is interrupted, run it again: it goes on.

    What is not given, --from or --to, is the database of the settings.
    """
    if not (source or target):
        raise CommandError("Give --from or --to. The other one of the two databases is that of the settings.")
    source, target = url_of_database(source), url_of_database(target)
    with opening.copy_source(source) as one, opening.copy_target(target) as other:
        old, new = one.database.name, other.database.name
        done = copying.copy(one, other, say)
        has_secret = one.secret is not None
    if done.already:
        say(f"{new} is a complete copy of {old} already. Nothing was done.")
        return
    rows = ", ".join(f"{count:,} {name}" for name, count in done.rows.items() if count)
    say(f"Copied {old} to {new}, and compared all rows: {rows}.")
    if done.odd:
        say(f"The heads of these logs do not fit their entries, in both databases: {', '.join(map(str, done.odd))}.")
    if not has_secret:
        say(f"{old} has no secret of tokens. If a setting has it, give the new servers the same.")
    say("Now set VECHE_DATABASE_URL to the new address, and start the server. Clients go on where they were.")
    say(f"Never start a server with {old} again: what it stored would be missing in the other.")
