"""Mutants of what two nodes need. Each is caught by tests that run with a copy of the package, as in mutants.py.

Those tests let exactly the one thing happen that the mutant gets wrong; a run of the checker meets it by chance.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .mutants import PACKAGE, Edit, build_copy

ROOT = PACKAGE.parents[1]
LIMIT = 300.0


@dataclass(frozen=True)
class NodeMutant:
    """`test` fails with it. `is_seen_late`: the test waits for long for what does not come."""

    name: str
    edit: Edit
    test: str
    is_seen_late: bool = False


ON_POSTGRES = "tests/unit/storage/test_postgres.py"
ON_TWO_NODES = "tests/laws/test_without_bus.py"
LOST_ANSWER = f"{ON_POSTGRES}::test_a_commit_whose_answer_is_lost_is_stored_once_and_answered"
RESOLVES = """\
                if not resolve(self.writer, tx.number, self.connect, self.limited, self._closing):
                    raise
"""

NODE_MUTANTS = (
    NodeMutant(
        "assigns seqs without the lock",
        Edit(
            file="storage/engines/postgres_transaction.py",
            old="ORDER BY id\n    FOR NO KEY UPDATE\n",
            new="ORDER BY id\n",
        ),
        f"{ON_POSTGRES}::test_a_batch_waits_for_another_that_has_locked_its_log",
    ),
    NodeMutant(
        "trusts the bus",
        Edit(
            file="service/heads.py",
            old="            self._hub.learn_heads(await self._feed.heads_ahead_of(positions))\n",
            new="            pass\n",
        ),
        f"{ON_TWO_NODES}::test_messages_are_delivered_to_the_other_node",
        is_seen_late=True,
    ),
    NodeMutant(
        "answers no before the outcome is known",
        Edit(file="storage/engines/postgres.py", old=RESOLVES, new="                raise\n"),
        f"{LOST_ANSWER}[COMMIT arrived]",
    ),
    NodeMutant(
        "answers yes before the outcome is known",
        Edit(file="storage/engines/postgres.py", old=RESOLVES, new="                pass\n"),
        f"{LOST_ANSWER}[COMMIT was lost]",
    ),
    NodeMutant(
        "takes the note of another transaction for its own",
        Edit(
            file="storage/engines/postgres_outcome.py",
            old="_last(writer, connect, limited) == number",
            new="_last(writer, connect, limited) > 0",
        ),
        f"{LOST_ANSWER}[COMMIT was lost]",
    ),
    NodeMutant(
        "hears nodes of another history",
        Edit(file="bus/frames.py", old='b"veche bus frames 1 " + history.encode()', new='b"veche bus frames 1 "'),
        "tests/unit/bus/test_history.py::test_a_node_hears_only_those_that_know_the_same_history[redis]",
    ),
    NodeMutant(
        "never compares an own log",
        Edit(
            file="service/heads.py",
            old="            positions = self._hub.positions()\n",
            new="            positions = {id: seq for id, seq in self._hub.positions().items() if id > 0}\n",
        ),
        f"{ON_TWO_NODES}::test_a_session_that_ends_ends_on_the_other_node",
        is_seen_late=True,
    ),
)


def failures(mutant: NodeMutant, folder: Path) -> str:
    """Run the test of a mutant with the mutant. Return what pytest says of failures; empty if there are none."""
    copy = build_copy(mutant.name, (mutant.edit,), folder)
    words = [sys.executable, "-m", "pytest", mutant.test, "-q", "-p", "no:cacheprovider", "--no-header", "-rf"]
    env = os.environ | {"PYTHONPATH": str(copy), "NEED_SERVICES": "1"}
    env.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LIMIT, check=False)
    return "\n".join(line for line in done.stdout.splitlines() if line.startswith("FAILED"))
