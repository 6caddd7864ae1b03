"""`veche serve | migrate | demo | backup | user | doctor`: each says plainly what is wrong and what to do."""

import logging
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from veche import __version__
from veche.cli.serve import BindError, bind, serve
from veche.settings import Settings, SettingsError, read_settings
from veche.storage import sqlite
from veche.storage.database import Database, DatabaseError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Veche, a self-hosted chat server.")
out, err = Console(), Console(stderr=True)

Url = Annotated[str | None, typer.Option("--database-url", help="The database, sqlite:///PATH.")]


def main() -> None:
    """Run the command line."""
    try:
        app(standalone_mode=True)
    except (SettingsError, DatabaseError, BindError) as error:
        fail(str(error))


def fail(sentence: str) -> NoReturn:
    """Say what is wrong, without a trace, and end with status 1."""
    err.print(f"[bold red]veche:[/] {sentence}", highlight=False, soft_wrap=True)
    raise SystemExit(1)


def _settings(**overrides: object) -> Settings:
    return read_settings(**overrides)


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.")] = None,
    database_url: Url = None,
) -> None:
    """Serve the chat until it is stopped."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = _settings(host=host, port=port, database_url=database_url)
    listener = bind(settings.host, settings.port)
    address, actual = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    out.print(
        f"[bold green]Veche {__version__}[/] is on http://{shown}:{actual} - open it in a browser.", highlight=False
    )
    serve(settings, listener)


@app.command()
def migrate(database_url: Url = None) -> None:
    """Bring the database to this version's schema; `serve` does so by itself."""
    database = Database(_settings(database_url=database_url).database_url)
    database.migrate()
    database.close()
    out.print(f"{database.path} is up to date.")


@app.command()
def backup(file: Path, database_url: Url = None) -> None:
    """Copy the database to FILE, also while a server runs. Restored from it, clients begin anew."""
    database = Database(_settings(database_url=database_url).database_url)
    try:
        sqlite.backup(database.path, file)
    except FileExistsError:
        fail(f"{file} exists already; a backup never overwrites.")
    except (OSError, sqlite.OperationalError, sqlite.DriverError) as error:
        fail(f"Cannot back {database.path} up to {file}: {error}.")
    out.print(f"Backed up to {file}.")
