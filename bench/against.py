"""Compares two checkouts in turns: new, old, old again, new, ... A result is the median of new / old within a turn.

The median of old again / old is the noise: how much two runs of the same checkout differ.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console
from rich.table import Table

from bench import cpu, fanout, machine, memory, rest, sends, small, start
from bench.checkout import Checkout
from bench.errors import BenchError
from bench.report import Plan, Row, in_turns, median_of, number, turn_ratios

NEW, OLD, AGAIN = "new", "old", "old again"


@dataclass(frozen=True)
class Part:
    """One measurement of a checkout. `keys` are the quantities that are compared."""

    what: str
    run: Callable[[Plan], Row]
    keys: tuple[str, ...]


class Ratios(msgspec.Struct, frozen=True):
    """The median of the ratios of all turns, the lowest and the highest."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.median:.3f}  ({self.lowest:.2f} to {self.highest:.2f})"


class Compared(msgspec.Struct, frozen=True):
    """One quantity of both checkouts: the medians, and the ratios of the turns."""

    what: str
    quantity: str
    new: float
    old: float
    ratio: Ratios
    noise: Ratios


REST = tuple(
    Part(f"rest, {name}", partial(rest.request_repeatedly, name=name), ("requests/s", "cpu us/request"))
    for name in rest.CALLS
)
PARTS: dict[str, tuple[Part, ...]] = {
    "fanout": (Part("fanout", partial(fanout.saturate, name="veche"), ("deliveries/s",)),),
    "cpu": (Part("cpu", partial(cpu.send_steadily, name="veche"), ("cpu us/delivery",)),),
    "sends": (
        Part("sends, sockets", sends.send_through_sockets, ("peak messages/s", "cpu us/message")),
        Part("sends, writer", sends.write_in_own_process, ("messages/s", "cpu us/message")),
    ),
    "small": (
        Part("small, rooms", small.many_rooms, ("messages/s", "cpu us/message")),
        Part("small, lone", small.lone, ("cpu us/message", "p50 ms")),
        Part("small, echo", small.echo, ("p50 ms", "cpu us/message")),
        Part("small, steady", small.steady, ("cpu us/delivery",)),
    ),
    "rest": REST,
    "memory": (Part("memory", partial(memory.hold_idle, name="veche"), (memory.KEY,)),),
    "start": (Part("start", start.start, ("seconds",)),),
}


def compare(plan: Plan, old: Checkout, names: Sequence[str], results: Path) -> bool:
    """Measure, show and save the comparison. Return whether everything could be measured."""
    compared: list[Compared] = []
    turns: dict[str, dict[str, list[Row]]] = {}
    failed: dict[str, str] = {}
    for part in (part for name in names for part in PARTS[name]):
        plan.console.rule(f"[bold]{part.what}", align="left")
        try:
            turns[part.what] = rows = measure(plan, old, part)
        except BenchError as error:
            failed[part.what] = str(error)
            plan.console.print(f"  not measured: {error}", style="red", markup=False)
        else:
            compared += [compare_rows(part.what, key, rows) for key in part.keys]
    show(plan.console, compared)
    for what in failed:
        plan.console.print(f"{what}: not measured", style="red", markup=False)
    result = {"machine": machine.description(), "compared": compared, "turns": turns, "not_measured": failed}
    results.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    return not failed


def measure(plan: Plan, old: Checkout, part: Part) -> dict[str, list[Row]]:
    other = replace(plan, site=replace(plan.site, checkout=old))
    plans = {NEW: plan, OLD: other, AGAIN: other}
    return in_turns(plan, plan.turns, {name: partial(part.run, one) for name, one in plans.items()})


def compare_rows(what: str, key: str, rows: dict[str, list[Row]]) -> Compared:
    new, old, again = rows[NEW], rows[OLD], rows[AGAIN]
    ratio, noise = spread(turn_ratios(new, old, key)), spread(turn_ratios(again, old, key))
    return Compared(what, key, median_of(new, key), median_of(old, key), ratio, noise)


def spread(values: list[float]) -> Ratios:
    return Ratios(median(values), min(values), max(values))


def show(console: Console, compared: Sequence[Compared]) -> None:
    table = Table(title="medians (lowest to highest of a turn)", title_justify="left")
    for column in ("figure", "quantity"):
        table.add_column(column)
    for column in (NEW, OLD, f"{NEW} / {OLD}", f"{AGAIN} / {OLD}"):
        table.add_column(column, justify="right")
    for one in compared:
        table.add_row(one.what, one.quantity, number(one.new), number(one.old), str(one.ratio), str(one.noise))
    console.print(table)
