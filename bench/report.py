"""Runs measurements in turns, and shows medians, ratios and targets as tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table

from bench.peers import Peer, Site

Row = dict[str, float]
SHOW_AS_INTEGER = 100  # numbers from this one on are shown without decimals


class Target(msgspec.Struct, frozen=True):
    """The bound that a result has to meet."""

    operator: Literal[">=", "<=", "<"]
    bound: float

    def met(self, value: float) -> bool:
        if self.operator == "<":
            return value < self.bound
        return value >= self.bound if self.operator == ">=" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.operator} {self.bound:g}"


class Line(msgspec.Struct, frozen=True):
    """One result: a number, and a target or None."""

    what: str
    value: float
    unit: str
    target: Target | None = None


class Outcome(msgspec.Struct, frozen=True):
    """The results of a figure, and the rows of its turns by peer. The results are medians of these rows."""

    lines: list[Line]
    turns: dict[str, list[Row]]


@dataclass(frozen=True)
class Plan:
    """What to measure: how many turns, which peers, and where to write and show the results."""

    turns: int
    quick: bool
    peers: Mapping[str, Peer]
    site: Site
    console: Console

    def chosen(self, *names: str) -> list[str]:
        """Return the names of peers that take part in this run, in the given order."""
        return [name for name in names if name in self.peers]

    def seconds(self, normal: float) -> float:
        return normal / 2 if self.quick else normal


def in_turns(plan: Plan, turns: int, runs: Mapping[str, Callable[[], Row]]) -> dict[str, list[Row]]:
    """Run A B C, A B C, ... and print each row. Return the rows by name."""
    rows: dict[str, list[Row]] = {name: [] for name in runs}
    for turn in range(1, turns + 1):
        for name, run in runs.items():
            row = run()
            rows[name].append(row)
            show_row(plan.console, f"{turn}/{turns}", name, row)
    show_medians(plan.console, rows)
    return rows


def show_row(console: Console, turn: str, name: str, row: Row) -> None:
    shown = "  ".join(f"{key} {number(value)}" for key, value in row.items())
    console.print(f"  {turn} [bold]{name:<16}[/] {shown}", highlight=False, soft_wrap=True)


def show_medians(console: Console, rows: Mapping[str, Sequence[Row]]) -> None:
    table = Table(title="medians", title_justify="left")
    keys = list(next(iter(rows.values()))[0])
    table.add_column("")
    for key in keys:
        table.add_column(key, justify="right")
    for name, turns in rows.items():
        table.add_row(name, *(number(median_of(turns, key)) for key in keys))
    console.print(table)


def show_lines(console: Console, lines: Sequence[Line]) -> None:
    """Print results as a table. A value is green if it meets its target, and red if it misses it."""
    table = Table()
    for column in ("result", "", "unit", "target"):
        table.add_column(column, justify="right" if column == "" else "left")
    for line in lines:
        colour = "" if line.target is None else "[green]" if line.target.met(line.value) else "[red]"
        table.add_row(line.what, f"{colour}{number(line.value)}", line.unit, str(line.target or ""))
    console.print(table)


def median_of(rows: Sequence[Row], key: str) -> float:
    return median(row[key] for row in rows)


def ratio(above: Sequence[Row], below: Sequence[Row], key: str) -> float:
    """Return the median of the ratios of all turns."""
    return median(turn_ratios(above, below, key))


def turn_ratios(above: Sequence[Row], below: Sequence[Row], key: str) -> list[float]:
    return [a[key] / max(b[key], 1e-9) for a, b in zip(above, below, strict=True)]


def ratios(
    rows: Mapping[str, Sequence[Row]], key: str, pairs: Mapping[tuple[str, str], Target | None], what: str
) -> list[Line]:
    """Return a result for each pair of peers that were both measured."""
    return [
        Line(f"{what}: {above} / {below}", ratio(rows[above], rows[below], key), "x", target)
        for (above, below), target in pairs.items()
        if above in rows and below in rows
    ]


def number(value: float) -> str:
    """Format a number with three significant digits, or with separators for thousands."""
    return f"{value:,.0f}" if abs(value) >= SHOW_AS_INTEGER else f"{value:.3g}"
