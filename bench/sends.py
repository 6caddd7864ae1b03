"""sends: messages stored per second, by the storage writer alone, and through 200 sockets with one room each."""

from functools import partial

import msgspec

from bench import machine
from bench.load import Load, measure
from bench.peers import Crowd, Rooms
from bench.report import Line, Outcome, Plan, Row, Target, in_turns, median_of, ratios
from bench.writer import Stored, store

CROWD = Crowd(sockets=200, accounts=200, rooms=Rooms.EACH)
BATCH = 1000
WRITER_SECONDS, WRITER_LIMIT_SECONDS = 1.5, 60.0
AT_LEAST = Target(">=", 15)
TARGETS = {"half ack p99 ms": Target("<=", 50), "lost": Target("<=", 0)}
TOGETHER, ONE_BY_ONE, SOCKETS = "writer, batched", "writer, one commit each", "200 sockets"
OLD_WRITER = """
import asyncio, dataclasses, json, pathlib, sys, time
from bench import writer

folder, batch, window = pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
sleep, used = asyncio.sleep, {}

async def watched(seconds):  # the measured window is the only sleep of this length
    cpu, start = time.process_time(), time.perf_counter()
    await sleep(seconds)
    used[seconds] = (time.process_time() - cpu) / (time.perf_counter() - start)

asyncio.sleep = watched
stored = dataclasses.asdict(writer.store(folder, batch, window))
print(json.dumps(stored | {"cpu_us": used[window] / stored["per_second"] * 1e6}))
"""  # for an older checkout whose bench/writer.py has no `main`


def run(plan: Plan) -> Outcome:
    fsync = machine.fsync_ms(plan.site.folder)
    plan.console.print(f"  4 KiB and fsync on this disk: {fsync:.2f} ms")
    rows = in_turns(plan, plan.turns, {TOGETHER: partial(write, plan, BATCH), ONE_BY_ONE: partial(write, plan, 1)})
    lines = [Line("fsync of 4 KiB", fsync, "ms")]
    lines += ratios(rows, "messages/s", {(TOGETHER, ONE_BY_ONE): AT_LEAST}, "messages stored per second")
    if plan.chosen("veche"):
        rows |= in_turns(plan, plan.turns, {SOCKETS: partial(send_through_sockets, plan)})
        lines += [
            Line(f"{SOCKETS}: {key}", median_of(rows[SOCKETS], key), "", TARGETS.get(key)) for key in rows[SOCKETS][0]
        ]
    return Outcome(lines, rows)


def write(plan: Plan, batch: int) -> Row:
    return row_of(store(plan.site.folder, batch, plan.seconds(WRITER_SECONDS)))


def row_of(stored: Stored) -> Row:
    return {
        "messages/s": stored.per_second,
        "ack p50 ms": stored.p50_ms,
        "ack p99 ms": stored.p99_ms,
        "cpu us/message": stored.cpu_us,
    }


def write_in_own_process(plan: Plan) -> Row:
    """Measure the batched writer of the site's checkout, in its own Python on the server's core."""
    checkout, seconds = plan.site.checkout, plan.seconds(WRITER_SECONDS)
    has_main = "__main__" in (checkout.root / "bench" / "writer.py").read_text()
    program = ["-m", "bench.writer"] if has_main else ["-c", OLD_WRITER]
    printed = checkout.python([*program, str(plan.site.folder), str(BATCH), str(seconds)], WRITER_LIMIT_SECONDS)
    return row_of(msgspec.json.decode(printed, type=Stored))


def send_through_sockets(plan: Plan) -> Row:
    """Measure the peak rate in a closed loop, then half of that rate in an open loop, on the same server."""
    seconds = plan.seconds(3)
    with plan.peers["veche"](plan.site, CROWD) as endpoint:
        fast = measure(plan.site, endpoint, Load(CROWD.sockets, CROWD.sockets, seconds))
        peak = fast.report
        steady = measure(plan.site, endpoint, Load(CROWD.sockets, CROWD.sockets, seconds, rate=peak.acked_per_s / 2))
    half = steady.report
    return {
        "peak messages/s": peak.acked_per_s,
        "peak ack p99 ms": peak.ack_p99_ms,
        "cpu us/message": fast.server_cpu_s / max(peak.acked, 1) * 1e6,
        "half messages/s": half.acked_per_s,
        "half ack p50 ms": half.ack_p50_ms,
        "half ack p99 ms": half.ack_p99_ms,
        "lost": peak.lost + peak.extra + half.lost + half.extra,
        "foreign cores": steady.foreign_cores,
    }
