"""`veche user`: adds, lists and changes accounts. It may run while a server runs."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from veche.app import DIALECTS
from veche.cli.database import Url, open_database
from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID, Actor
from veche.core.command import Command
from veche.core.errors import ChatError
from veche.core.names import Reserved, handle_of
from veche.core.sessions import SetPassword
from veche.service.passwords import Passwords
from veche.settings import read_settings
from veche.storage.accounts import credentials, list_accounts
from veche.storage.database import Database
from veche.storage.writer import commit

app = typer.Typer(no_args_is_help=True, help="Add, list and change accounts.")
out = Console()

Password = Annotated[
    str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True, help="Prompted for if not given.")
]


class UserError(Exception):
    """The command cannot be done. The message says why."""


@app.command("add")
def add(username: str, password: Password, email: str | None = None, name: str | None = None, url: Url = None) -> None:
    """Add an account."""
    with open_database(url) as database:
        reserved = Reserved(read_settings(DIALECTS, database_url=url).spoken_names.values())
        command = Register(_hash(password), username=username, email=email, name=name, reserved=reserved)
        _commit(database, NOBODY_ID, command)
        out.print(f"Added the account of {username}.")


@app.command("list")
def list_users(after: int = 0, limit: int = 100, url: Url = None) -> None:
    """List accounts by id."""
    table = Table("id", "username", "name", "e-mail")
    with open_database(url) as database, database.reading() as snapshot:
        for account in list_accounts(snapshot, after, limit):
            table.add_row(str(account.id), account.username, account.name, account.email or "")
    out.print(table)


@app.command("password")
def password(username: str, password: Password, url: Url = None) -> None:
    """Set the password of an account. All its sessions end."""
    with open_database(url) as database:
        with database.reading() as snapshot:
            found = credentials(snapshot, username=username)
        if found is None:
            raise UserError(f"There is no account {handle_of(username)!r}. See `veche user list`.")
        _commit(database, found[0].id, SetPassword(_hash(password), old_hash=None))
        out.print(f"The password of {found[0].username} has been changed.")


def _hash(password: str) -> str:
    pool = Passwords(1)
    try:
        return asyncio.run(pool.hash(password))
    finally:
        pool.stop()


def _commit(database: Database, account_id: int, command: Command[object]) -> None:
    [outcome], _ = commit(database, [(Actor(account_id, "cli"), command)])
    if isinstance(outcome, ChatError):
        raise UserError(outcome.message)
