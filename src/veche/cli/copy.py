"""`veche copy`: moves a chat to another database, while no server runs."""

from typing import Annotated

import typer

from veche.cli.show import say
from veche.storage import copying, opening

Source = Annotated[str, typer.Option("--from", help="The database to copy, sqlite:///PATH or postgresql://...")]
Target = Annotated[str, typer.Option("--to", help="An empty database, sqlite:///PATH or postgresql://...")]


def copy(source: Source, target: Target) -> None:
    """Copy a chat to another database. If it is interrupted, run it again: it goes on."""
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
