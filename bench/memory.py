"""memory: how much 5,000 idle authenticated sockets add to the server's resident memory, without kernel buffers."""

import time
from functools import partial

from bench import machine
from bench.load import idle
from bench.peers import Crowd, Rooms
from bench.report import Line, Outcome, Plan, Row, Target, in_turns, median_of, ratios

CROWD = Crowd(sockets=5000, accounts=100, rooms=Rooms.SOME)
WARMUP_SOCKETS = 50  # so that what the server allocates once, at the first connections, is not counted
SETTLE_SECONDS = 1.0
AT_MOST = Target("<=", 12)
KEY = "KB/socket"


def run(plan: Plan) -> Outcome:
    names = plan.chosen("veche", "naive")
    rows = in_turns(plan, plan.turns, {name: partial(hold_idle, plan, name) for name in names})
    targets = {"veche": AT_MOST}
    lines = [
        Line(f"memory: {name}", median_of(rows[name], KEY), "KB per idle socket", targets.get(name)) for name in names
    ]
    return Outcome(lines + ratios(rows, KEY, {("naive", "veche"): None}, "memory"), rows)


def hold_idle(plan: Plan, name: str, crowd: Crowd = CROWD) -> Row:
    with plan.peers[name](plan.site, crowd) as endpoint:
        with idle(plan.site, endpoint, WARMUP_SOCKETS):
            pass
        time.sleep(SETTLE_SECONDS)
        before = machine.resident_bytes(endpoint.server.pid)
        with idle(plan.site, endpoint, crowd.sockets):
            time.sleep(SETTLE_SECONDS)
            after = machine.resident_bytes(endpoint.server.pid)
    return {KEY: (after - before) / crowd.sockets / 1000, "MB before": before / 1e6, "MB after": after / 1e6}
