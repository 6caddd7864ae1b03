"""postgres: messages stored per second by the storage writer, on PostgreSQL and on SQLite, with 200 outstanding.

A private PostgreSQL with full durability is started, on the same disk as the SQLite database.
"""

from functools import partial

from bench import machine
from bench.errors import BenchError
from bench.report import Line, Outcome, Plan, Row, Target, in_turns, median_of, ratios
from bench.sends import BATCH, row_of, write
from bench.writer import store_at
from tests.services import MissingError, Postgres

SECONDS = 3.0
TOGETHER, ONE_BY_ONE, SQLITE = "PostgreSQL, batched", "PostgreSQL, one commit each", "SQLite, batched"
PAIRS = {(TOGETHER, ONE_BY_ONE): Target(">=", 10), (TOGETHER, SQLITE): Target(">=", 0.5)}


def run(plan: Plan) -> Outcome:
    try:
        with Postgres() as postgres:
            fsync = machine.fsync_ms(plan.site.folder)
            runs = {
                TOGETHER: partial(write_to, postgres, plan, BATCH),
                ONE_BY_ONE: partial(write_to, postgres, plan, 1),
                SQLITE: partial(write, plan, BATCH),
            }
            rows = in_turns(plan, plan.turns, runs)
    except MissingError as error:
        raise BenchError(str(error)) from None
    lines = [Line("fsync of 4 KiB", fsync, "ms")]
    lines += ratios(rows, "messages/s", PAIRS, "messages stored per second")
    lines += [Line(f"stored: {name}", median_of(rows[name], "messages/s"), "messages/s") for name in rows]
    return Outcome(lines, rows)


def write_to(postgres: Postgres, plan: Plan, batch: int) -> Row:
    return row_of(store_at(postgres.new_database(), batch, plan.seconds(SECONDS)))
