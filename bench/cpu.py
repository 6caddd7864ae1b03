"""cpu: the server's CPU time per delivery at 20 messages a second in a room of 1,000.

At this rate no two messages can be sent with one write.
"""

from functools import partial

from bench.load import Load, measure, row_of
from bench.peers import Crowd
from bench.report import Outcome, Plan, Row, Target, in_turns, ratios

CROWD = Crowd(sockets=1000, accounts=50)
RATE = 20
AT_MOST = Target("<=", 2.2)


def run(plan: Plan) -> Outcome:
    names = plan.chosen("veche", "naive", "limit")
    rows = in_turns(plan, plan.turns, {name: partial(send_steadily, plan, name) for name in names})
    pairs = {("veche", "limit"): AT_MOST, ("naive", "limit"): None, ("naive", "veche"): None}
    return Outcome(ratios(rows, "cpu us/delivery", pairs, "CPU per delivery"), rows)


def send_steadily(plan: Plan, name: str) -> Row:
    with plan.peers[name](plan.site, CROWD) as endpoint:
        load = Load(CROWD.sockets, senders=1, seconds=plan.seconds(4), rate=RATE)
        return row_of(measure(plan.site, endpoint, load))
