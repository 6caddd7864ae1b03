"""A disk that is full: refused as unavailable, nothing half stored, and it works again when there is room."""

from __future__ import annotations

import logging
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Town, codes

BIG = "x" * 60_000


def test_a_database_that_may_not_grow_refuses_and_works_again(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    pages = town.rows("PRAGMA page_count")[0][0]

    def allow(count: int) -> None:
        with town.database.writing() as tx:  # the only connection that writes
            tx.connection.execute(f"PRAGMA max_page_count={count}")

    allow(pages + 20)
    with caplog.at_level(logging.CRITICAL):
        refused = town.batch(*[town.say(1, BIG, f"c{n}") for n in range(10)])
        assert set(codes(refused)) == {"unavailable"}
        assert refused[0].temporary
        assert set(codes(town.batch(town.say(1, BIG * 1, "c0"), town.say(1, BIG, "c1")))) == {"unavailable"}
    assert town.rows("SELECT count(*) FROM messages") == [(0,)]
    allow(1 << 30)
    assert set(codes(town.batch(*[town.say(1, BIG, f"c{n}") for n in range(10)]))) == {"ok"}
    assert town.seqs(1) == list(range(1, 13))


SCRIPT = """
import logging, resource, sys
from veche.core.accounts import Register
from veche.core.actor import Actor
from veche.core.errors import ChatError
from veche.core.messages import SendMessage
from veche.core.values import LOBBY_ID
from veche.storage.kinds.sqlite_database import SqliteDatabase
from veche.storage.commit import commit

logging.disable()
database = SqliteDatabase("sqlite:///" + sys.argv[1])
commit(database, [(Actor(0, "native"), Register("h", username="ann"))])
kept = []

def send(n):
    (outcome,), _ = commit(database, [(Actor(1, "native"), SendMessage(LOBBY_ID, "x" * 50_000, f"c{n}"))])
    return str(outcome.code) if isinstance(outcome, ChatError) else kept.append(n) or "ok"

print("room", send(0), send(1), flush=True)
input()  # the test takes the room away
print("full", [send(n) for n in range(2, 40)][-1], flush=True)
with database.reading() as tx:
    (found,) = tx.connection.execute("SELECT count(*) FROM messages").fetchone()
    print("reads", found == len(kept), flush=True)
input()  # and gives it back
print("again", {send(n) for n in range(2, 40)}, flush=True)
with database.reading() as tx:
    found = [seq for (seq,) in tx.connection.execute("SELECT seq FROM messages ORDER BY seq")]
    print("stored", found == list(range(1, 41)), flush=True)
"""


@pytest.mark.slow
def test_writes_that_fail_in_the_kernel_are_refused_and_work_again(template: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(template.read_bytes())
    command = [sys.executable, "-c", SCRIPT, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def says() -> str:
            return process.stdout.readline().strip()  # type: ignore[union-attr]

        def go_on(limit: int) -> None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]

        assert says() == "room ok ok"
        go_on(400_000)
        assert says() == "full unavailable"
        assert says() == "reads True"
        go_on(resource.RLIM_INFINITY)
        assert says() == "again {'ok'}"
        assert says() == "stored True"
        process.stdin.close()
        assert process.wait(timeout=30) == 0
