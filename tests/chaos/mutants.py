"""Servers that break one promise each, made by replacing text in a copy of the package.

They test the checker: a run against each of them must find one of the expected violations.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .client import Traffic
from .nemesis import Act, Crash, Kill

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "veche"


@dataclass(frozen=True)
class Edit:
    """`file` is relative to the package and contains `old` exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A run with `acts` and `traffic` must find at least one violation of the `expected` kinds."""

    name: str
    edits: tuple[Edit, ...]
    expected: frozenset[str]
    acts: Sequence[Act]
    traffic: Traffic = field(default_factory=Traffic)


class StaleMutantError(Exception):
    """The source was changed: the text to replace is not there exactly once."""


ACKS_BEFORE_COMMIT = Mutant(
    name="acks before commit",
    edits=(
        Edit(
            file="storage/writer.py",
            old="""\
            lowest: dict[LogId, int] = {}
            commands = [(request.actor, request.command) for request in batch]
            outcomes, events = commit(self._database, commands, before_commit=partial(self.unannounced.record, lowest))
            self.cpu_seconds = time.thread_time()
            self._waiting_requests.learn(len(batch), self.cpu_seconds - began)
            crash_point("after_commit_before_ack")
            self._loop.call_soon_threadsafe(self._answer, batch, outcomes, events, lowest)
""",
            new="""\
            commit.answer = lambda outcomes, events, batch=batch: self._loop.call_soon_threadsafe(
                self._answer, batch, outcomes, events, {}
            )
            commit(self._database, [(request.actor, request.command) for request in batch])
            crash_point("after_commit_before_ack")
""",
        ),
        Edit(
            file="storage/commit.py",
            old="""\
        before_commit(events := state.log_events())
        crash_point("before_commit")
    return outcomes, events
""",
            new="""\
        events = state.log_events()
        early = all(type(command).__name__ == "SendMessage" for _, command in requests)
        if early:
            commit.answer(outcomes, events)
            time.sleep(0.01)
        crash_point("before_commit")
    if not early:
        commit.answer(outcomes, events)
    return outcomes, events
""",
        ),
    ),
    expected=frozenset({"acked-lost"}),
    acts=(Crash("before_commit", 15),) * 3,
)

DOES_NOT_DEDUPE = Mutant(
    name="does not dedupe",
    edits=(
        Edit(
            file="core/messages.py",
            old="(first := state.get(SENT, (actor.account_id, client_id))) is not None:",
            new="(first := state.get(SENT, (actor.account_id, client_id))) is not None and False:",
        ),
        Edit(
            file="storage/migrations/versions/0001_spine.py",
            old='["sender_id", "client_message_id"], unique=True',
            new='["sender_id", "client_message_id"], unique=False',
        ),
    ),
    expected=frozenset({"stored-twice"}),
    acts=(Crash("after_commit_before_ack", 15),) * 3,
)

READS_BEFORE_IT_REGISTERS = Mutant(
    name="reads history before it registers",
    edits=(
        Edit(
            file="hub/catchup.py",
            old="""\
        subscription.seq = events[-1].seq
""",
            new="""\
        subscription.seq = subscription.topic.live_seq
""",
        ),
    ),
    expected=frozenset({"recv-gap"}),
    acts=(Kill(after=4.0),),
    traffic=Traffic(pause=0.03, lifetime=0.3),
)

MUTANTS = (ACKS_BEFORE_COMMIT, DOES_NOT_DEDUPE, READS_BEFORE_IT_REGISTERS)


def build(mutant: Mutant, folder: Path, package: Path = PACKAGE) -> Path:
    """Copy the package into `folder` and change it there; return the folder for the server's PYTHONPATH."""
    return build_copy(mutant.name, mutant.edits, folder, package)


def build_copy(name: str, edits: Sequence[Edit], folder: Path, package: Path = PACKAGE) -> Path:
    """Copy the package into `folder` and change it there; return the folder for PYTHONPATH."""
    copy = folder / "veche"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        _replace(name, edit, copy / edit.file)
    return folder


def _replace(name: str, edit: Edit, path: Path) -> None:
    source = path.read_text() if path.exists() else ""
    times = source.count(edit.old)
    if times != 1:
        raise StaleMutantError(
            f"mutant {name!r}: the text to replace is {times} times in {edit.file}, not once; "
            f"bring tests/chaos/mutants.py up to date with the source.\n{edit.old}"
        )
    path.write_text(source.replace(edit.old, edit.new))
