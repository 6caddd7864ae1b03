"""Shows sentences, tables and JSON. Text that other people wrote is shown letter for letter, and acts on nothing."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from veche.ops.visible import visible, visible_lines

out = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
err = Console(markup=False, emoji=False, highlight=False, soft_wrap=True, stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def say(sentence: str) -> None:
    """Print one line."""
    out.print(Text(visible(sentence)))


def complain(text: str) -> None:
    """Print an error on stderr. It may have several lines."""
    err.print(Text.assemble(("veche:", "bold red"), " ", visible_lines(text)))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table. A cell that is too wide is folded, never cut."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    Console(markup=False, emoji=False, highlight=False).print(table)


def show_json(value: object) -> None:
    """Print one line of JSON in ASCII, which no terminal takes for a command."""
    typer.echo(json.dumps(value, ensure_ascii=True))


def time_of(at: int) -> str:
    """Return a time in microseconds since 1970 as RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
