"""Leave out every single need of every command, one at a time: a test of the core must notice each.

`python -m tests.mutants.needs` tries them all, and with `--quick` one for each command.

The tests of the core run once. Whatever a command asks for is noted then: the fact, the lines that asked, and the
tests that were running. After that each need is left out in a fork of this process, and those tests run again. The
mutation stands here and nowhere in the product: a watched command gets a `Needs` that drops what is left out.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import pickle
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, TypeAlias, TypeVar

import pytest
from _pytest.runner import runtestprotocol

import veche.core
from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.facts import Fact, Needs
from veche.core.once import OnceCommand

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
CORE = Path(veche.core.__file__).parent
TESTS = "tests/unit/core"
BASE = str(CORE / "facts.py")  # `Needs` itself asks for nothing


class Line(NamedTuple):
    """A line of the core."""

    file: str
    number: int


class Need(NamedTuple):
    """One thing that a command asks for. `lines` are those that asked, the innermost first; `nth` counts in a loop."""

    command: str
    fact: str
    lines: tuple[Line, ...]
    nth: int

    def __str__(self) -> str:
        where = " from ".join(f"{line.file}:{line.number}" for line in self.lines)
        return f"{self.command}: {self.fact}{f', number {self.nth}' if self.nth > 1 else ''} ({where})"


# Watching.


def commands() -> list[type[Command[Any]]]:
    """Every command class that asks for something by itself."""
    return sorted((kind for kind in _all() if "needs" in vars(kind)), key=lambda kind: kind.__name__)


def decided() -> list[type[Command[Any]]]:
    """Every command class that is decided and asks for something: base classes of others do it, too."""
    return [kind for kind in _all() if kind is not OnceCommand and kind.needs is not Command.needs]


def _all() -> list[type[Command[Any]]]:
    for path in sorted(CORE.glob("*.py")):
        importlib.import_module(f"veche.core.{path.stem}")
    return [kind for kind in _below(Command) if kind.__module__.startswith("veche.core.")]


def _below(base: type[Any]) -> Iterator[type[Any]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _below(kind)


def watch(kind: type[Command[Any]], keep: Callable[[Need], bool]) -> None:
    """Show each need of a command class to `keep`, which says whether it may be asked for."""
    original = kind.needs
    seen: dict[int, tuple[Needs, str, Counter[Any]]] = {}  # holds the needs, so that no id comes twice

    class Watched(Needs):
        __slots__ = ()

        def ask(self, fact: Fact[Any, Any], key: Any) -> None:
            _, command, counts = seen[id(self)]
            lines = asking(sys._getframe(1))
            counts[fact.name, lines] += 1
            if keep(Need(command, fact.name, lines, counts[fact.name, lines])):
                super().ask(fact, key)

    def needs(self: Command[Any], actor: Actor, needs: Needs) -> None:
        needs.__class__ = Watched
        seen[id(needs)] = (needs, type(self).__name__, Counter())
        original(self, actor, needs)

    kind.needs = needs  # type: ignore[method-assign]


def asking(frame: FrameType | None) -> tuple[Line, ...]:
    """Name the lines of the core that are asking, the innermost first."""
    lines = []
    while frame is not None and frame.f_code.co_filename in (BASE, __file__):
        frame = frame.f_back
    while frame is not None and frame.f_code.co_filename.startswith((f"{CORE}{os.sep}", __file__)):
        if frame.f_code.co_filename != __file__:  # a command may ask for what its base class asks for
            lines.append(Line(Path(frame.f_code.co_filename).name, frame.f_lineno))
        frame = frame.f_back
    return tuple(lines)


def never_ran(needs: Iterable[Need]) -> list[str]:
    """Name the calls in the core that ask, or hand `needs` on to what asks, and that no test came by."""
    ran = {line for need in needs for line in need.lines}
    return [
        f"{path.name}:{call.lineno}"
        for path in sorted(CORE.glob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _asks(call)
        if not any(Line(path.name, number) in ran for number in range(call.lineno, (call.end_lineno or 0) + 1))
    ]


def _asks(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "pairs":  # this only looks
        return False
    on = call.func.value if isinstance(call.func, ast.Attribute) else None
    return any(isinstance(part, ast.Name) and part.id == "needs" for part in (on, *call.args))


# Running.


Asked: TypeAlias = Mapping[Need, set[str]]
"""Each need, with the tests in which it was asked for."""


class Verdict(NamedTuple):
    """Which test noticed that a need was left out, or None."""

    need: Need
    test: str | None


class Trial:
    """A plugin of pytest that runs the collected tests in forks: once as they are, then once for each need."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.verdicts: list[Verdict] = []
        self.trouble = "No test was found."

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = [item for item in session.items if "town" in getattr(item, "fixturenames", ())]  # others ask nothing
        asked, broken = in_fork(lambda: note(items))
        self.trouble = ""
        if session.testsfailed or broken:
            self.trouble = f"With nothing left out, these fail: {', '.join(broken) or 'imports'}."
        elif missed := never_ran(asked):
            self.trouble = f"No test of {TESTS} runs these lines, which ask for something: {', '.join(missed)}."
        else:
            self.leave_out_each(one_each(asked) if self.quick else sorted(asked), asked, items)
        return True

    def leave_out_each(self, needs: Sequence[Need], asked: Asked, items: Sequence[pytest.Item]) -> None:
        for number, need in enumerate(needs, 1):
            those = [item for item in items if item.nodeid in asked[need]]
            test = in_fork(partial(leave_out, need, those))
            self.verdicts.append(Verdict(need, test))
            said = f"noticed by {test}" if test else f"NOT NOTICED by {len(those)} tests"
            print(f"[{number}/{len(needs)}] {need}: {said}", flush=True)


def note(items: Sequence[pytest.Item]) -> tuple[Asked, list[str]]:
    """Run the tests as they are; give each need with the tests in which it was asked for, and the tests that fail."""
    asked: defaultdict[Need, set[str]] = defaultdict(set)
    running = ""

    def keep(need: Need) -> bool:
        asked[need].add(running)
        return True

    for kind in commands():
        watch(kind, keep)
    broken = []
    for item in items:
        running = item.nodeid
        if not passes(item):
            broken.append(running)
    return dict(asked), broken


def leave_out(left_out: Need, items: Sequence[pytest.Item]) -> str | None:
    """Run tests without one need; give the first that fails."""
    for kind in commands():
        watch(kind, lambda need: need != left_out)
    return next((item.name for item in items if not passes(item)), None)


def passes(item: pytest.Item) -> bool:
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def one_each(needs: Iterable[Need]) -> list[Need]:
    """Choose one need of each command."""
    return list({need.command: need for need in sorted(needs, reverse=True)}.values())[::-1]


def in_fork(work: Callable[[], T]) -> T:
    """Do some work in a fork of this process, which leaves no trace here, and give its result."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(work(), pipe)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    result: T = pickle.loads(data)  # fails where the fork did: it left no result
    return result


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.needs", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one need of each command")
    trial = Trial(quick=parser.parse_args(argv).quick)
    start = time.monotonic()
    quiet = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:terminal", "-o", "addopts="]
    pytest.main([*quiet, "--rootdir", str(ROOT), str(ROOT / TESTS)], [trial])
    if trial.trouble:
        print(trial.trouble)
        return 2
    survivors = [verdict.need for verdict in trial.verdicts if verdict.test is None]
    print(f"{len(trial.verdicts)} needs left out in {time.monotonic() - start:.1f} s, {len(survivors)} not noticed.")
    for need in survivors:
        print(f"  {need}: add a test that reads it, or take it out of the command.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
