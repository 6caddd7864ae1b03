"""start: from the start of the process to its first stored message, on a database that holds 1,000,000 messages."""

import sqlite3
import time
from contextlib import suppress
from functools import cache, partial

from bench.errors import BenchError
from bench.peers import Crowd, Site
from bench.report import Line, Outcome, Plan, Row, Target, in_turns, middle
from bench.veche import Prepared, post, prepare, serve

MESSAGES = 1_000_000
WITHIN = Target("<=", 2)  # asked of the first accept; this waits for a whole stored message
LIMIT_SECONDS = 60.0
PAUSE_SECONDS = 0.005
FILL_LIMIT_SECONDS = 300.0
FILL = """
import contextlib, sqlite3, sys
from bench.start import fill

with contextlib.closing(sqlite3.connect(sys.argv[1])) as database:
    fill(database, int(sys.argv[2]), int(sys.argv[3]))
"""
APPEND = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
INSERT INTO messages (id, room_id, seq, number, sender_id, kind, text, client_message_id, origin, created_at)
SELECT n, :room, :last + n, n, (SELECT creator_id FROM rooms WHERE id = :room), 'text',
       'message number ' || n || ', as long as people write', 'filled-' || n, 'native', 1780000000000000 + n
FROM numbers
"""
MOVE_HEAD = """
UPDATE logs SET last_seq = :last + :count, message_count = :count, last_message_id = :count WHERE id = :room
"""


def run(plan: Plan) -> Outcome:
    if not plan.chosen("veche"):
        raise BenchError("Only veche is measured here.")
    began = time.monotonic()
    prepared = filled(plan.site)
    took, size = time.monotonic() - began, (prepared.folder / "veche.db").stat().st_size
    plan.console.print(f"  {MESSAGES:,} messages filled in within {took:.0f} s: {size / 1e6:,.0f} MB")
    rows = in_turns(plan, plan.turns, {"veche": partial(start, plan)})
    return Outcome([Line("start to the first stored message", middle(rows["veche"], "seconds"), "s", WITHIN)], rows)


@cache
def filled(site: Site) -> Prepared:
    """A database with the messages in it, filled by the `fill` of its own checkout, which knows its schema."""
    prepared = prepare(site, Crowd(sockets=2, accounts=2))
    words = ["-c", FILL, str(prepared.folder / "veche.db"), str(prepared.rooms[0]), str(MESSAGES)]
    site.checkout.python(words, FILL_LIMIT_SECONDS)
    return prepared


def fill(database: sqlite3.Connection, room_id: int, count: int) -> None:
    """WIRE HERE when the schema changes: append `count` messages of the room's owner to the room's log."""
    (last_seq,) = database.execute("SELECT last_seq FROM logs WHERE id = ?", (room_id,)).fetchone()
    values = {"count": count, "room": room_id, "last": last_seq}
    with database:
        database.execute(APPEND, values)
        database.execute(MOVE_HEAD, values)


def start(plan: Plan) -> Row:
    """Ask again and again until a message is stored."""
    prepared = filled(plan.site)
    with serve(plan.site, prepared.folder, wait=False) as server:
        deadline = server.started + LIMIT_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                post(server, f"/v1/rooms/{prepared.rooms[0]}/messages", {"text": "the first"}, prepared.tokens[0])
                return {"seconds": time.monotonic() - server.started}
            time.sleep(PAUSE_SECONDS)
    raise BenchError(f"No message was stored within {LIMIT_SECONDS:.0f} s of the start.")
