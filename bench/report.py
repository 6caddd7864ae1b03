"""Turns in turn, medians of their ratios, targets, and the tables that show them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table

from bench.peers import Peer, Site

Row = dict[str, float]
SHOWN_WHOLE = 100


class Target(msgspec.Struct, frozen=True):
    """What a figure has to reach."""

    sense: Literal[">=", "<=", "<"]
    bound: float

    def met(self, value: float) -> bool:
        if self.sense == "<":
            return value < self.bound
        return value >= self.bound if self.sense == ">=" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.sense} {self.bound:g}"


class Line(msgspec.Struct, frozen=True):
    """One result: a number, and its target if it has one."""

    what: str
    value: float
    unit: str
    target: Target | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What a figure gives: its results, and the turns that they are the medians of."""

    lines: list[Line]
    turns: dict[str, list[Row]]


@dataclass(frozen=True)
class Plan:
    """How much to measure, of whom, and where to show it."""

    turns: int
    quick: bool
    peers: Mapping[str, Peer]
    site: Site
    console: Console

    def chosen(self, *names: str) -> list[str]:
        """Those of the named peers that take part in this run, in the order named."""
        return [name for name in names if name in self.peers]

    def seconds(self, normal: float) -> float:
        return normal / 2 if self.quick else normal


def in_turns(plan: Plan, turns: int, runs: Mapping[str, Callable[[], Row]]) -> dict[str, list[Row]]:
    """Run A B C, A B C, ... and show each row as it comes."""
    rows: dict[str, list[Row]] = {name: [] for name in runs}
    for turn in range(1, turns + 1):
        for name, run in runs.items():
            row = run()
            rows[name].append(row)
            shown = "  ".join(f"{key} {number(value)}" for key, value in row.items())
            plan.console.print(f"  {turn}/{turns} [bold]{name:<16}[/] {shown}", highlight=False, soft_wrap=True)
    show_medians(plan.console, rows)
    return rows


def show_medians(console: Console, rows: Mapping[str, Sequence[Row]]) -> None:
    table = Table(title="medians", title_justify="left")
    keys = list(next(iter(rows.values()))[0])
    table.add_column("")
    for key in keys:
        table.add_column(key, justify="right")
    for name, of_one in rows.items():
        table.add_row(name, *(number(middle(of_one, key)) for key in keys))
    console.print(table)


def show_lines(console: Console, lines: Sequence[Line]) -> None:
    """Show results; green where a target is met, red where it is missed."""
    table = Table()
    for column in ("result", "", "unit", "target"):
        table.add_column(column, justify="right" if column == "" else "left")
    for line in lines:
        colour = "" if line.target is None else "[green]" if line.target.met(line.value) else "[red]"
        table.add_row(line.what, f"{colour}{number(line.value)}", line.unit, str(line.target or ""))
    console.print(table)


def middle(rows: Sequence[Row], key: str) -> float:
    return median(row[key] for row in rows)


def ratio(above: Sequence[Row], below: Sequence[Row], key: str) -> float:
    """Median of the ratios of each turn."""
    return median(turn_ratios(above, below, key))


def turn_ratios(above: Sequence[Row], below: Sequence[Row], key: str) -> list[float]:
    """The ratio of each turn."""
    return [a[key] / max(b[key], 1e-9) for a, b in zip(above, below, strict=True)]


def ratios(
    rows: Mapping[str, Sequence[Row]], key: str, pairs: Mapping[tuple[str, str], Target | None], what: str
) -> list[Line]:
    """A result for each pair of peers that were both measured."""
    return [
        Line(f"{what}: {above} / {below}", ratio(rows[above], rows[below], key), "x", target)
        for (above, below), target in pairs.items()
        if above in rows and below in rows
    ]


def number(value: float) -> str:
    """Three significant digits, with separators for thousands."""
    return f"{value:,.0f}" if abs(value) >= SHOWN_WHOLE else f"{value:.3g}"
