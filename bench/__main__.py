"""Run the benchmarks: `python -m bench [--only FIGURE]`. `--against FOLDER` compares with another checkout."""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import msgspec
from rich.console import Console

from bench import (
    against,
    cpu,
    fanout,
    history,
    machine,
    memory,
    nodes,
    postgres,
    rest,
    sends,
    slow,
    small,
    socketio,
    start,
)
from bench.build import CACHE
from bench.checkout import checkout_at
from bench.errors import BenchError
from bench.peers import Peer, Site, limit, naive
from bench.report import Outcome, Plan, show_lines
from bench.veche import veche

FIGURES: dict[str, Callable[[Plan], Outcome]] = {
    "fanout": fanout.run,
    "cpu": cpu.run,
    "socketio": socketio.run,
    "sends": sends.run,
    "small": small.run,
    "rest": rest.run,
    "memory": memory.run,
    "slow": slow.run,
    "start": start.run,
    "history": history.run,
    "postgres": postgres.run,
    "nodes": nodes.run,
}
PEERS: dict[str, Peer] = {"veche": veche, "naive": naive, "limit": limit}
QUICK_TURNS, TURNS = 1, 5


def main() -> int:
    options = parse()
    console = Console(width=None if sys.stdout.isatty() else 140)
    machine.raise_file_limit()
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=CACHE, prefix="run-"))
    turns = options.turns or (QUICK_TURNS if options.quick else TURNS)
    peers = PEERS if options.against else {name: PEERS[name] for name in options.peers}
    plan = Plan(turns, options.quick, peers, Site(folder, options.naive_path), console)
    try:
        if options.against:
            return compare(plan, options)
        outcomes, failed = measure_all(plan, options.only or list(FIGURES))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    save(CACHE / "results.json", outcomes, failed)
    missed = report_misses(console, outcomes, failed)
    return 1 if options.check and missed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--only", action="append", choices=FIGURES, metavar="FIGURE", help=f"{', '.join(FIGURES)}; may be repeated")
    add("--turns", type=int, metavar="N", help=f"turns of each figure ({TURNS}; {QUICK_TURNS} with --quick)")
    add("--quick", action="store_true", help="one turn of half the length")
    add("--check", action="store_true", help="exit 1 when a target is missed or a figure could not be measured")
    add("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="the servers to measure (all)")
    add(
        "--naive-path",
        default="",
        metavar="FOLDER",
        help="a folder with other libraries for the naive app, such as another uvloop",
    )
    add("--against", type=Path, metavar="FOLDER", help="compare with the checkout of Veche in this folder")
    options = parser.parse_args()
    if options.against and (options.check or set(options.only or ()) - set(against.PARTS)):
        parser.error(f"--against has no targets, and only these figures: {', '.join(against.PARTS)}")
    return options


def compare(plan: Plan, options: argparse.Namespace) -> int:
    """Compare with another checkout. Return the exit code: 1 if something could not be measured."""
    try:
        old = checkout_at(options.against)
    except BenchError as error:
        plan.console.print(str(error), style="red", markup=False)
        return 1
    return 0 if against.compare(plan, old, options.only or list(against.PARTS), CACHE / "against.json") else 1


def measure_all(plan: Plan, names: list[str]) -> tuple[dict[str, Outcome], dict[str, str]]:
    """Return the outcomes by figure, and for figures that could not be measured the reason."""
    outcomes: dict[str, Outcome] = {}
    failed: dict[str, str] = {}
    for name in names:
        plan.console.rule(f"[bold]{name}", align="left")
        plan.console.print((sys.modules[FIGURES[name].__module__].__doc__ or "").strip(), style="dim")
        try:
            outcomes[name] = FIGURES[name](plan)
        except BenchError as error:
            failed[name] = str(error)
            plan.console.print(f"  not measured: {error}", style="red", markup=False)
        else:
            show_lines(plan.console, outcomes[name].lines)
    return outcomes, failed


def save(path: Path, outcomes: dict[str, Outcome], failed: dict[str, str]) -> None:
    result = {"machine": machine.description(), "figures": outcomes, "not_measured": failed}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result)))


def report_misses(console: Console, outcomes: dict[str, Outcome], failed: dict[str, str]) -> bool:
    """Print which targets were missed or not measured. Return whether there are any."""
    misses = [f"{name}: not measured" for name in failed]
    for name, outcome in outcomes.items():
        lines = [line for line in outcome.lines if line.target is not None and not line.target.met(line.value)]
        misses += [f"{name}: {line.what} is {line.value:.3g}, not {line.target}" for line in lines]
    for sentence in misses:
        console.print(sentence, style="red", markup=False)
    return bool(misses)


if __name__ == "__main__":
    sys.exit(main())
