"""sends: how many messages are stored in a second, at the writer alone and through 200 sockets with a room each."""

from functools import partial

from bench import machine
from bench.load import Load, measure
from bench.peers import Crowd, Rooms
from bench.report import Line, Outcome, Plan, Row, Target, in_turns, middle, ratios
from bench.writer import store

CROWD = Crowd(sockets=200, accounts=200, rooms=Rooms.EACH)
WRITER_SECONDS = 1.5
TIMES_MORE = Target(">=", 15)
TARGETS = {"half ack p99 ms": Target("<=", 50), "lost": Target("<=", 0)}
TOGETHER, ONE_BY_ONE, SOCKETS = "writer, batched", "writer, one commit each", "200 sockets"


def run(plan: Plan) -> Outcome:
    fsync = machine.fsync_ms(plan.site.folder)
    plan.console.print(f"  4 KiB and fsync on this disk: {fsync:.2f} ms")
    rows = in_turns(plan, plan.turns, {TOGETHER: partial(write, plan, 1000), ONE_BY_ONE: partial(write, plan, 1)})
    lines = [Line("fsync of 4 KiB", fsync, "ms")]
    lines += ratios(rows, "messages/s", {(TOGETHER, ONE_BY_ONE): TIMES_MORE}, "messages stored per second")
    if plan.chosen("veche"):
        rows |= in_turns(plan, plan.turns, {SOCKETS: partial(send_through_sockets, plan)})
        lines += [
            Line(f"{SOCKETS}: {key}", middle(rows[SOCKETS], key), "", TARGETS.get(key)) for key in rows[SOCKETS][0]
        ]
    return Outcome(lines, rows)


def write(plan: Plan, batch: int) -> Row:
    stored = store(plan.site.folder, batch, plan.seconds(WRITER_SECONDS))
    return {"messages/s": stored.per_second, "ack p50 ms": stored.p50_ms, "ack p99 ms": stored.p99_ms}


def send_through_sockets(plan: Plan) -> Row:
    """The peak, closed loop; then half of it, open loop, on the same server."""
    seconds = plan.seconds(3)
    with plan.peers["veche"](plan.site, CROWD) as dialect:
        peak = measure(plan.site, dialect, Load(CROWD.sockets, CROWD.sockets, seconds)).report
        steady = measure(plan.site, dialect, Load(CROWD.sockets, CROWD.sockets, seconds, rate=peak.acked_per_s / 2))
    half = steady.report
    return {
        "peak messages/s": peak.acked_per_s,
        "peak ack p99 ms": peak.ack_p99_ms,
        "half messages/s": half.acked_per_s,
        "half ack p50 ms": half.ack_p50_ms,
        "half ack p99 ms": half.ack_p99_ms,
        "lost": peak.lost + peak.extra + half.lost + half.extra,
        "foreign cores": steady.foreign_cores,
    }
