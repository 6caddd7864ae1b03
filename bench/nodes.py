"""nodes: two nodes on PostgreSQL and Redis beside one: CPU in one room of 2,000, a room written by both, many rooms.

The capacity of two nodes is measured by CPU time, because two nodes, two load clients and PostgreSQL do not fit on two
cores: the CPU seconds of one node for a load, by those of the busier of two nodes for the same load.
"""

from functools import partial
from math import nan

from bench.cluster import Together, fill, measure_together, nodes
from bench.load import Load
from bench.peers import Crowd, Rooms
from bench.report import Line, Outcome, Plan, Row, Target, in_turns, median_of

LARGE = Crowd(sockets=2000, accounts=50)
HOT = Crowd(sockets=100, accounts=100)
MANY = Crowd(sockets=100, accounts=50, rooms=Rooms.EACH)
RATE = 20  # messages a second in the large room, all nodes together
HOT_RATE = 200  # messages a second in the hot room, all nodes together
MANY_RATE = 600
MANY_SECONDS = 60.0
CAPACITY, P99, NONE = Target(">=", 1.6), Target("<", 100), Target("<=", 0)
ONE, TWO, HOT_ROOM, PEAK, MANY_ROOMS = "one node", "two nodes", "hot room", "hot room, peak", "many rooms"


def run(plan: Plan) -> Outcome:
    rows = in_turns(plan, plan.turns, {ONE: partial(large_room, plan, 1), TWO: partial(large_room, plan, 2)})
    rows |= in_turns(plan, plan.turns, {HOT_ROOM: partial(hot_room, plan, HOT_RATE), PEAK: partial(hot_room, plan, 0)})
    rows |= in_turns(plan, 1, {MANY_ROOMS: partial(many_rooms, plan)})
    lines = [
        Line("deliveries by two nodes / by one", capacity(rows[ONE], rows[TWO]), "x", CAPACITY),
        Line("hot room: acknowledgement p99", median_of(rows[HOT_ROOM], "ack p99 ms"), "ms", P99),
        Line("hot room, 100 outstanding: acknowledgement p99", median_of(rows[PEAK], "ack p99 ms"), "ms"),
    ]
    lines += [
        Line(f"{name}: deadlocks", sum(row["deadlocks"] for row in rows[name]), "", NONE)
        for name in (HOT_ROOM, PEAK, MANY_ROOMS)
    ]
    lines += [
        Line(f"{name}: lost or doubled", sum(row["wrong"] for row in rows[name]), "deliveries", NONE)
        for name in (ONE, TWO, HOT_ROOM, MANY_ROOMS)
    ]
    return Outcome(lines, rows)


def capacity(one: list[Row], two: list[Row]) -> float:
    """Return how much more two nodes can deliver than one, if each node has a core."""
    return median_of(one, "node cpu us/delivery") / median_of(two, "node cpu us/delivery")


def large_room(plan: Plan, number: int) -> Row:
    with nodes(plan.site, number) as running:
        endpoints = fill(running, LARGE)
        rate, sockets = RATE / number, LARGE.sockets // number
        load = Load(sockets, senders=1, seconds=plan.seconds(4), rate=rate, sites=number)
        return row_of(measure_together(plan.site, running, endpoints, load))


def hot_room(plan: Plan, rate: float) -> Row:
    """Write to one room with 50 senders at each of two nodes. Without a rate, each has one message outstanding."""
    with nodes(plan.site, 2) as running:
        endpoints = fill(running, HOT)
        load = Load(50, senders=50, seconds=plan.seconds(5), rate=rate / 2, sites=2 if rate else 1)
        row = row_of(measure_together(plan.site, running, endpoints, load))
        if not rate:
            row["wrong"] = nan  # without a rate, a client does not know how many messages the other one sends
        return row | {"deadlocks": running.deadlocks()}


def many_rooms(plan: Plan) -> Row:
    """Write to 50 rooms from both nodes, so that a batch of each node touches many of them."""
    with nodes(plan.site, 2) as running:
        endpoints = fill(running, MANY)
        load = Load(50, senders=50, seconds=plan.seconds(MANY_SECONDS), rate=MANY_RATE / 2, sites=2)
        row = row_of(measure_together(plan.site, running, endpoints, load))
        return row | {"deadlocks": running.deadlocks()}


def row_of(measured: Together) -> Row:
    """Return all quantities of a run. The CPU of nodes is that of the busiest one, for each delivery of all nodes."""
    deliveries, acked = max(measured.deliveries, 1), max(measured.acked, 1)
    seconds = max(report.seconds for report in measured.reports)
    return {
        "node cpu us/delivery": max(measured.node_cpu_s) / deliveries * 1e6,
        "deliveries": measured.deliveries,
        "messages/s": acked / seconds,
        "ack p50 ms": max(report.ack_p50_ms for report in measured.reports),
        "ack p99 ms": max(report.ack_p99_ms for report in measured.reports),
        "delivery p99 ms": max(report.delivery_p99_ms for report in measured.reports),
        "node cpu us/message": sum(measured.node_cpu_s) / acked * 1e6,
        "postgres cpu us/message": measured.postgres_cpu_s / acked * 1e6,
        "redis cpu us/message": measured.redis_cpu_s / acked * 1e6,
        "commits/message": measured.commits / acked,
        "publishes/message": measured.publishes / acked,
        "frames/read": max(report.frames_per_read for report in measured.reports),
        "node cores": max(measured.node_cpu_s) / seconds,
        "wrong": measured.wrong,
    }
