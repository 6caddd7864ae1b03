"""The commands of `veche`: serve, migrate, demo, backup, restore, epoch, user, doctor."""

import os
from typing import Annotated, NoReturn

import typer

from veche import __version__
from veche.app import DIALECTS
from veche.bus.bus import BusError
from veche.cli import backup, demo, doctor, epoch, restore, user
from veche.cli.command import CommandError
from veche.cli.database import Url, open_database, url_of_database
from veche.cli.serve import BindError, begin_log, bind_all, serve, url_of
from veche.cli.show import Json, complain, say
from veche.dialects.native import dialect as native
from veche.ops import logs
from veche.settings import SettingsError, read_settings
from veche.storage.database import DatabaseError
from veche.storage.opening import migrate_database

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Veche, a self-hosted chat server.",
)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
app.add_typer(epoch.app, name="epoch")
app.add_typer(user.app, name="user")


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"Veche {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Veche, a self-hosted chat server."""


def main() -> None:
    """Run the command line. An expected error is printed as one sentence."""
    logs.show_warnings()
    os.umask(0o077)  # databases and backups contain private messages: only the owner may read them
    try:
        app()
    except (SettingsError, DatabaseError, BusError, BindError, CommandError) as error:
        fail(str(error))


def fail(sentence: str) -> NoReturn:
    """Print an error without a traceback, and exit with status 1."""
    complain(sentence)
    raise SystemExit(1)


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.")] = None,
    bind: Annotated[list[str] | None, typer.Option(help="HOST:PORT to listen on; may be given several times.")] = None,
    database_url: Url = None,
) -> None:
    """Serve the chat until it is stopped."""
    logs.hold()
    settings = read_settings(
        DIALECTS, host=host, port=port, bind=tuple(bind) if bind else None, database_url=database_url
    )
    begin_log(settings)
    listeners = bind_all(settings.server)
    where = " and ".join(url_of(listener) for listener in listeners)
    has_page = native.DIALECT.name in settings.options
    hint = " - open it in a browser." if has_page else "."
    serve(settings, listeners, lambda: say(f"Veche {__version__} is on {where}{hint}"))


@app.command()
def migrate(
    copy: Annotated[bool, typer.Option(help="Copy the database before a migration.")] = True, database_url: Url = None
) -> None:
    """Create the database, or migrate it to this version's schema. `serve` does this too."""
    path = migrate_database(url_of_database(database_url), copy=copy, say=say)
    say(f"{path} is up to date.")


@app.command("demo")
def demo_command(database_url: Url = None) -> None:
    """Create four people, two rooms and 25 messages to try Veche with. It may run twice, and while a server runs."""
    with open_database(database_url, create=True) as database:
        demo.create(database)
    say(f"{', '.join(demo.emails())} sign in with the password {demo.PASSWORD}.")


@app.command("doctor")
def doctor_command(json: Json = False, database_url: Url = None) -> None:
    """Check for common problems, and print what to do about them."""
    findings = doctor.examine(read_settings(DIALECTS, database_url=database_url).server)
    doctor.show(findings, json=json)
    if not all(finding.good for finding in findings):
        raise SystemExit(1)
