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
            record = partial(self.unannounced.record, lowest)
            outcomes, events = self._commit(commands, before_commit=record, outage=self._outage)
            self.cpu_seconds = time.thread_time()
            if self._outage.failures == failures:  # else its time says nothing
                self._waiting_requests.learn(len(batch), self.cpu_seconds - began)
            crash_point("after_commit_before_ack")
            self._on_loop(self._answer, batch, outcomes, events, lowest, histories)
""",
            new="""\
            commit.answer = lambda outcomes, events, batch=batch, histories=histories: self._on_loop(
                self._answer, batch, outcomes, events, {}, histories
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
            time.sleep(0.1)
        crash_point("before_commit")
    if not early:
        commit.answer(outcomes, events)
    return outcomes, events
""",
        ),
    ),
    expected=frozenset({"acked-lost"}),
    acts=(Crash("before_commit", 15),) * 3,
    traffic=Traffic(change_share=0, switch_share=0),
)

DOES_NOT_DEDUPE = Mutant(
    name="does not dedupe",
    edits=(
        Edit(
            file="core/messages.py",
            old="(sent := self._sent_before(state, (actor.account_id, client_id))) is not None:",
            new="(sent := self._sent_before(state, (actor.account_id, client_id))) is not None and False:",
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

CHANGES_AGAIN = Mutant(
    name="carries a change out again",
    edits=(
        Edit(
            file="core/once.py",
            old="        if (first := state.get(FIRST_USES, key)) is not None:",
            new="        if (first := state.get(FIRST_USES, key)) is not None and False:",
        ),
        Edit(
            file="core/once.py",
            old="        state.record(ClientIdUsed(*key, use, state.now))",
            new="        if first is None:\n            state.record(ClientIdUsed(*key, use, state.now))",
        ),
        Edit(file="core/editing.py", old="        if self.text == message.text:", new="        if False:"),
    ),
    expected=frozenset({"change-twice"}),
    acts=(Crash("after_commit_before_ack", 15),) * 3,
    traffic=Traffic(change_share=0.9, delete_share=0.0),
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

MUTANTS = (ACKS_BEFORE_COMMIT, DOES_NOT_DEDUPE, CHANGES_AGAIN, READS_BEFORE_IT_REGISTERS)


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
