"""start: the time from process start to the first stored message, with 1,000,000 messages in the database."""

import sqlite3
import time
from contextlib import suppress
from functools import cache, partial

from bench.errors import BenchError
from bench.peers import Crowd, Site
from bench.report import Line, Outcome, Plan, Row, Target, in_turns, median_of
from bench.server import tail
from bench.veche import LOG, Prepared, post, prepare, serve

MESSAGES = 1_000_000
AT_MOST = Target("<=", 2)  # the requirement is about the first accepted connection; this measures more than that
LIMIT_SECONDS = 60.0
PAUSE_SECONDS = 0.005
# The requests come from another address than the server's. As long as nobody listens, the kernel may give a connection
# the server's own port. From the server's address it would connect to itself, and then keep the port for a minute.
SOURCE = "127.0.0.2"
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
        raise BenchError("This figure measures only veche.")
    began = time.monotonic()
    prepared = prepare_filled(plan.site)
    took, size = time.monotonic() - began, (prepared.folder / "veche.db").stat().st_size
    plan.console.print(f"  {MESSAGES:,} messages inserted in {took:.0f} s: {size / 1e6:,.0f} MB")
    rows = in_turns(plan, plan.turns, {"veche": partial(start, plan)})
    return Outcome([Line("start to the first stored message", median_of(rows["veche"], "seconds"), "s", AT_MOST)], rows)


@cache
def prepare_filled(site: Site) -> Prepared:
    """Prepare a database with the messages, by `fill` of the site's checkout, which knows that checkout's schema."""
    prepared = prepare(site, Crowd(sockets=2, accounts=2))
    words = ["-c", FILL, str(prepared.folder / "veche.db"), str(prepared.rooms[0]), str(MESSAGES)]
    site.checkout.python(words, FILL_LIMIT_SECONDS)
    return prepared


def fill(database: sqlite3.Connection, room_id: int, count: int) -> None:
    """Append `count` messages of the room's owner to the room's log. Adapt it when the schema changes."""
    (last_seq,) = database.execute("SELECT last_seq FROM logs WHERE id = ?", (room_id,)).fetchone()
    values = {"count": count, "room": room_id, "last": last_seq}
    with database:
        database.execute(APPEND, values)
        database.execute(MOVE_HEAD, values)


def start(plan: Plan) -> Row:
    """Start the server, and send a message again and again until it is stored."""
    prepared = prepare_filled(plan.site)
    with serve(plan.site, prepared.folder, wait=False) as server:
        deadline = server.started + LIMIT_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                post(
                    server, f"/v1/rooms/{prepared.rooms[0]}/messages", {"text": "the first"}, prepared.tokens[0], SOURCE
                )
                return {"seconds": time.monotonic() - server.started}
            time.sleep(PAUSE_SECONDS)
    lines = tail(prepared.folder / LOG)
    raise BenchError(
        f"No message was stored within {LIMIT_SECONDS:.0f} s of the start. The server's last lines:\n{lines}"
    )
