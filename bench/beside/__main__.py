"""Measure Veche beside the programs that one would pick instead: `python -m bench.beside [--only FIGURE]`."""

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

import msgspec
from rich.console import Console

from bench import machine
from bench.beside import relays, xmpp
from bench.beside.figures import EMPTY, FIGURES, VECHE, Figure
from bench.beside.program import Program
from bench.beside.tables import insert, tables
from bench.build import CACHE
from bench.checkout import ROOT
from bench.errors import BenchError
from bench.peers import Site
from bench.report import Plan, Row, number, show_medians, show_row

PAGE = ROOT / "docs" / "performance.md"
TURNS, QUICK_TURNS = 3, 1
NOTHING, ARCHIVE = "nothing", "an archive"


def own() -> str:
    """Return no version: this program is part of the checkout."""
    return ""


PROGRAMS = {
    VECHE: Program(relays.veche, own, "every message, synced", stores=True),
    "nchan": Program(relays.nchan, relays.install_nchan, NOTHING),
    "NATS": Program(relays.nats, relays.install_nats, NOTHING),
    "limit": Program(relays.limit, own, NOTHING),
    "ws": Program(relays.ws, relays.install_ws, NOTHING),
    "socket.io": Program(relays.socketio, relays.install_socketio, NOTHING),
    "python-socketio": Program(relays.python_socketio, relays.install_python_socketio, NOTHING),
    "ejabberd": Program(xmpp.ejabberd, xmpp.install_ejabberd, f"{ARCHIVE} in SQLite", stores=True),
    "ejabberd-mnesia": Program(
        partial(xmpp.ejabberd, archive="mnesia"),
        xmpp.install_ejabberd,
        f"{ARCHIVE}, not synced",
        stores=True,
        only_stored=True,
    ),
    "prosody": Program(xmpp.prosody, xmpp.install_prosody, f"{ARCHIVE}, not synced", stores=True),
    "prosody-sqlite": Program(
        partial(xmpp.prosody, archive="sql"),
        xmpp.install_prosody,
        f"{ARCHIVE} in SQLite",
        stores=True,
        only_stored=True,
    ),
}


class Results(msgspec.Struct, frozen=True):
    """What is saved: the turns by figure and program, and why something was skipped."""

    machine: dict[str, str | int | float]
    command: str
    date: str
    versions: dict[str, str]
    figures: dict[str, dict[str, list[Row]]]
    skipped: dict[str, str]


def main() -> int:
    options = parse()
    console = Console(width=None if sys.stdout.isatty() else 140)
    machine.raise_file_limit()
    CACHE.mkdir(parents=True, exist_ok=True)
    skipped: dict[str, str] = {}
    versions = install(console, options.programs, skipped)
    folder = Path(mkdtemp(dir=CACHE, prefix="run-"))
    peers = {name: PROGRAMS[name].run for name in versions}
    turns = options.turns or (QUICK_TURNS if options.quick else TURNS)
    plan = Plan(turns, options.quick, peers, Site(folder), console)
    try:
        figures = {name: measure(plan, FIGURES[name], name, skipped) for name in options.only or FIGURES}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    command = " ".join(["python -m bench.beside", *sys.argv[1:]])
    date = datetime.now(UTC).date().isoformat()
    report(console, Results(machine.description(), command, date, versions, figures, skipped), options.write)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.beside", description=__doc__)
    add = parser.add_argument
    add("--only", action="append", choices=FIGURES, metavar="FIGURE", help=f"{', '.join(FIGURES)}; may be repeated")
    add("--programs", nargs="+", choices=PROGRAMS, default=list(PROGRAMS), help="the programs to measure (all)")
    add("--turns", type=int, metavar="N", help=f"turns of each figure ({TURNS}; {QUICK_TURNS} with --quick)")
    add("--quick", action="store_true", help="one turn of half the length")
    add("--write", action="store_true", help="write the tables into docs/performance.md")
    return parser.parse_args()


def install(console: Console, names: list[str], skipped: dict[str, str]) -> dict[str, str]:
    """Install the programs, and return the versions of those that are there now."""
    versions: dict[str, str] = {}
    for name in names:
        try:
            versions[name] = PROGRAMS[name].install()
        except BenchError as error:
            skip(console, skipped, name, error)
    return versions


def measure(plan: Plan, figure: Figure, title: str, skipped: dict[str, str]) -> dict[str, list[Row]]:
    """Measure the programs in turns, and return the rows by program. Leave out a program that fails."""
    plan.console.rule(f"[bold]{title}", align="left")
    plan.console.print(figure.what, style="dim")
    rows: dict[str, list[Row]] = {name: [] for name in runs(plan, figure)}
    for turn in range(1, plan.turns + 1):
        for name, run in runs(plan, figure).items():
            if name not in rows:
                continue
            try:
                row = run()
            except BenchError as error:
                del rows[name]
                skip(plan.console, skipped, f"{name} in {title}", error)
            else:
                rows[name].append(row)
                show_row(plan.console, f"{turn}/{plan.turns}", name, row)
    if rows:
        show_medians(plan.console, rows)
    return rows


def runs(plan: Plan, figure: Figure) -> Mapping[str, Callable[[], Row]]:
    """Return how to measure each program that takes part."""
    names = figure.names or [name for name in plan.peers if figure.takes(PROGRAMS[name])]
    return {name: partial(figure.run, plan, name) for name in names}


def skip(console: Console, skipped: dict[str, str], what: str, error: BenchError) -> None:
    skipped[what] = str(error)
    console.print(f"  {what} is skipped: {error}", style="yellow", markup=False)


def report(console: Console, results: Results, write: bool) -> None:
    """Show the tables, save the results, and write the page if that is wanted."""
    keeps = {name: program.keeps for name, program in PROGRAMS.items()} | {EMPTY: NOTHING}
    lines = [*origin(results), "", *tables(results.figures, keeps)]
    console.rule("[bold]tables", align="left")
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    (CACHE / "beside.json").write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    if write:
        PAGE.write_text(insert(PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")


def origin(results: Results) -> list[str]:
    """Return when and how the results were measured, and of which versions."""
    measured = {name: version for name, version in results.versions.items() if not PROGRAMS[name].only_stored}
    versions = ", ".join(f"{name} {version}" for name, version in measured.items() if version)
    lines = [f"Measured on {results.date} by `{results.command}`" + (f", with {versions}." if versions else ".")]
    lines += [f"Not measured: {what}." for what in results.skipped]
    rows = [row for programs in results.figures.values() for turns in programs.values() for row in turns]
    if foreign := [row["foreign cores"] for row in rows if "foreign cores" in row]:
        usual, most = number(median(foreign)), number(max(foreign))
        lines.append(f"Other processes used {usual} cores in the median turn, and {most} in the worst.")
    return lines


if __name__ == "__main__":
    sys.exit(main())
