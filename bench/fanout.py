"""fanout: a saturated room of 1,000 with 10 senders. Each sends its next message when it has the answer to the last."""

from collections.abc import Sequence
from functools import partial

from bench.load import Load, measure, row_of
from bench.peers import Crowd
from bench.report import Line, Outcome, Plan, Row, Target, in_turns, median_of, ratios

CROWD = Crowd(sockets=1000, accounts=50)
SENDERS = 10
AT_LEAST = Target(">=", 6)
TARGET_LOST = {"veche": Target("<=", 0)}


def run(plan: Plan) -> Outcome:
    names = plan.chosen("veche", "naive", "limit")
    rows = in_turns(plan, plan.turns, {name: partial(saturate, plan, name) for name in names})
    pairs = {("veche", "naive"): AT_LEAST, ("veche", "limit"): None, ("limit", "naive"): None}
    lines = ratios(rows, "deliveries/s", pairs, "deliveries per second")
    lines += [Line(f"delivery p99: {name}", median_of(rows[name], "p99 ms"), "ms") for name in names]
    lines += [Line(f"lost: {name}", lost(rows[name]), "deliveries", TARGET_LOST.get(name)) for name in names]
    return Outcome(lines, rows)


def lost(rows: Sequence[Row]) -> float:
    return sum(row["lost"] for row in rows)


def saturate(plan: Plan, name: str) -> Row:
    with plan.peers[name](plan.site, CROWD) as endpoint:
        return row_of(measure(plan.site, endpoint, Load(CROWD.sockets, SENDERS, plan.seconds(2.5))))
