"""The commands of `veche`: serve, migrate, demo, backup, restore, copy, epoch, user, doctor."""

import logging
import os
from typing import Annotated, NoReturn

import typer

from veche import __version__
from veche.app import DIALECTS
from veche.bus.bus import BusError
from veche.cli import backup, copy, demo, demo_many, doctor, epoch, restore, user
from veche.cli.command import CommandError
from veche.cli.database import Url, open_database, url_of_database
from veche.cli.env_file import EnvFile, environment, files_of_serve, settings_for
from veche.cli.parent import become_parent, check_workers
from veche.cli.serve import BindError, begin_log, bind_all, serve, url_of
from veche.cli.show import Json, complain, say
from veche.dialects.native import dialect as native
from veche.ops import logs
from veche.settings import SettingsError, read_settings
from veche.storage.database import DatabaseError
from veche.storage.opening import migrate_database

logger = logging.getLogger("veche")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Veche, a self-hosted chat server.",
)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
app.command("copy")(copy.copy)
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
    env_file: EnvFile = None,
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
    workers: Annotated[int | None, typer.Option(help="How many processes serve on this machine.")] = None,
    env_file: EnvFile = None,
) -> None:
    """Serve the chat until it is stopped."""
    logs.hold()
    addresses = tuple(bind) if bind else None
    given: dict[str, object] = {"host": host, "port": port, "bind": addresses, "database_url": database_url}
    given |= {"workers": workers}
    files = files_of_serve()
    environ = environment(files)
    settings = read_settings(DIALECTS, environ, **given)
    begin_log(settings)
    for path in files:
        logger.info("settings are also read from %s", path.resolve())
    check_workers(settings.server)
    listeners = bind_all(settings.server)
    where = " and ".join(url_of(listener) for listener in listeners)
    has_page = native.DIALECT.name in settings.options
    hint = " - open it in a browser." if has_page else "."
    greeting = f"Veche {__version__} is on {where}{hint}"
    if settings.server.workers > 1:
        become_parent(settings.server, listeners, greeting, environ, given)
    serve(settings, listeners, lambda: say(greeting))


@app.command()
def migrate(
    copy: Annotated[bool, typer.Option(help="Copy the database before a migration.")] = True,
    database_url: Url = None,
    env_file: EnvFile = None,
) -> None:
    """Create the database, or migrate it to this version's schema. `serve` does this too."""
    path = migrate_database(url_of_database(database_url), copy=copy, say=say)
    say(f"{path} is up to date.")


@app.command("demo")
def demo_command(
    messages: Annotated[
        int, typer.Option(min=0, max=10_000_000, help="Create so many more, in up to 5,000 rooms, to see how it grows.")
    ] = 0,
    database_url: Url = None,
    env_file: EnvFile = None,
) -> None:
    """Create four people, two rooms and 25 messages to try Veche with. It may run twice, and while a server runs."""
    with open_database(database_url, create=True) as database:
        people = demo.create(database)
        demo_many.create(database, people, messages, say)
    say(f"{', '.join(demo.emails())} sign in with the password {demo.PASSWORD}.")


@app.command("doctor")
def doctor_command(json: Json = False, database_url: Url = None, env_file: EnvFile = None) -> None:
    """Check for common problems, and print what to do about them."""
    findings = doctor.examine(settings_for(database_url).server)
    doctor.show(findings, json=json)
    if not all(finding.good for finding in findings):
        raise SystemExit(1)
