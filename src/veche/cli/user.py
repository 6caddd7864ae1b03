"""`veche user`: adds, lists, changes and closes accounts. It may run while a server runs (docs/cli.md)."""

import time
from typing import Annotated, Any

import typer

from veche.cli.command import CommandError, hash_password, run
from veche.cli.database import Url, open_database
from veche.cli.env_file import EnvFile, settings_for
from veche.cli.show import Json, say, show_json, show_table, time_of
from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID
from veche.core.closing import DeleteAccount, DisableAccount, EnableAccount
from veche.core.command import Command, T
from veche.core.errors import ChatError
from veche.core.names import Reserved
from veche.core.profile import RenameAccount
from veche.core.sessions import EndSessions, SetPassword
from veche.core.values import Account, Closed
from veche.dialects.native.limits import check_email, check_person_name, check_username
from veche.dialects.native.passwords import check_password
from veche.storage.accounts import credentials, list_accounts
from veche.storage.closing import closed
from veche.storage.database import Database
from veche.storage.sessions import sessions_of

app = typer.Typer(no_args_is_help=True, help="Add, list, change and close accounts.")

Username = Annotated[str, typer.Argument(help="The username of the account, or its e-mail.")]
Password = Annotated[
    str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True, help="Prompted for if not given.")
]
After = Annotated[int, typer.Option(min=0, max=2**62, help="List accounts with an id above this one.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="How many accounts to list.")]


@app.command("add")
def add(
    username: str,
    password: Password,
    email: str | None = None,
    name: str | None = None,
    url: Url = None,
    env_file: EnvFile = None,
) -> None:
    """Add an account. The rules are those of the native dialect."""
    _check_new(username, password, email, name)
    with open_database(url) as database:
        command = Register(hash_password(password), username=username, email=email, name=name, reserved=_reserved(url))
        account = run(database, NOBODY_ID, command)
        say(f"Added the account of {account.username}.")


@app.command("list")
def list_users(
    after: After = 0, limit: Limit = 100, json: Json = False, url: Url = None, env_file: EnvFile = None
) -> None:
    """List accounts by id."""
    with open_database(url) as database, database.reading() as snapshot:
        found = list_accounts(snapshot, after, limit)
        states = closed(snapshot, [account.id for account in found])
    rows = [_row(account, states.get(account.id)) for account in found]
    if json:
        show_json(rows)
    else:
        columns = ("id", "username", "name", "e-mail", "state")
        show_table(
            columns, [[str(row[key] or "") for key in ("id", "username", "name", "email", "state")] for row in rows]
        )


@app.command("password")
def password(username: Username, password: Password, url: Url = None, env_file: EnvFile = None) -> None:
    """Set the password of an account. All its sessions end."""
    with open_database(url) as database:
        account = _existing(database, username)
        _check(check_password, password, account.username, account.email)
        run(database, account.id, SetPassword(hash_password(password), old_hash=None))
    say(f"The password of {account.username} has been changed.")


@app.command("rename")
def rename(username: Username, new_username: str, url: Url = None, env_file: EnvFile = None) -> None:
    """Change the username of an account. Its id, its messages and its sessions stay."""
    _check(check_username, new_username)
    account, renamed = _change(username, RenameAccount(new_username, _reserved(url)), url)
    say(f"{account.username} is {renamed.username} now.")


@app.command("disable")
def disable(username: Username, url: Url = None, env_file: EnvFile = None) -> None:
    """Let nobody sign in to an account, and end its sessions. Its connections are closed."""
    account, _ = _change(username, DisableAccount(), url)
    say(f"Nobody can sign in as {account.username} any more.")


@app.command("enable")
def enable(username: Username, url: Url = None, env_file: EnvFile = None) -> None:
    """Let the owner of a disabled account sign in again."""
    account, _ = _change(username, EnableAccount(), url)
    say(f"{account.username} can sign in.")


@app.command("delete")
def delete(
    username: Username,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
    env_file: EnvFile = None,
) -> None:
    """Delete an account for ever: its names, e-mail, password and sessions. Its messages stay, without its name."""
    with open_database(url) as database:
        account = _existing(database, username)
        if not yes:
            say(f"{account.username} (id {account.id}) will be deleted. This cannot be undone.")
            typer.confirm("Delete it?", abort=True)
        deleted = run(database, account.id, DeleteAccount())
        say(f"Deleted. The author of its messages is {deleted.username} now.")


@app.command("sessions")
def sessions(username: Username, json: Json = False, url: Url = None, env_file: EnvFile = None) -> None:
    """List the sessions of an account."""
    with open_database(url) as database:
        account = _existing(database, username)
        with database.reading() as snapshot:
            found = sessions_of(snapshot, account.id)
    now = time.time_ns() // 1000
    rows = [
        {
            "dialect": one.dialect,
            "device": one.device,
            "created_at": time_of(one.created_at),
            "expires_at": time_of(one.expires_at),
        }
        for one in found
        if one.expires_at > now
    ]
    if json:
        show_json(rows)
    else:
        show_table(
            ("dialect", "device", "signed in at", "expires at"),
            [[value or "" for value in row.values()] for row in rows],
        )


@app.command("end-sessions")
def end_sessions(username: Username, url: Url = None, env_file: EnvFile = None) -> None:
    """Sign an account out everywhere. Its connections are closed; its owner can sign in again."""
    account, _ = _change(username, EndSessions(), url)
    say(f"All sessions of {account.username} have ended.")


def _reserved(url: str | None) -> Reserved:
    return Reserved(settings_for(url).spoken_names.values())


def _row(account: Account, state: Closed | None) -> dict[str, Any]:
    return {
        "id": account.id,
        "username": account.username,
        "name": account.name,
        "email": account.email,
        "created_at": time_of(account.created_at),
        "state": "open" if state is None else "deleted" if state.deleted else "disabled",
    }


def _check_new(username: str, password: str, email: str | None, name: str | None) -> None:
    _check(check_username, username)
    _check(check_password, password, username, email)
    if email is not None:
        _check(check_email, email)
    if name is not None:
        _check(check_person_name, name)


def _check(rule: Any, *texts: str | None) -> None:
    """Check texts as the native dialect does. Raises CommandError."""
    try:
        rule(*texts)
    except ChatError as refusal:
        raise CommandError(refusal.message) from None


def _existing(database: Database, username: str) -> Account:
    """Return the account with this username or e-mail. Raises CommandError if there is none, or if it was deleted."""
    with database.reading() as snapshot:
        found = credentials(snapshot, username=username) or credentials(snapshot, email=username)
        state = closed(snapshot, [found[0].id]) if found else {}
    if found is None:
        raise CommandError(f"There is no account {username!r}. See `veche user list`.")
    account = found[0]
    if (deleted := state.get(account.id)) is not None and deleted.deleted:
        raise CommandError(f"The account {account.username} has been deleted.")
    return account


def _change(username: str, command: Command[T], url: str | None) -> tuple[Account, T]:
    """Run a command of an account. Return the account as it was before, and the answer. Raises CommandError."""
    with open_database(url) as database:
        account = _existing(database, username)
        return account, run(database, account.id, command)
