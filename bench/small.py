"""small: what most of chat is. Small rooms, few messages at a time, and no chance to share the work between them.

`rooms`: 50 senders with a room each, and each waits for its answer. `lone`: 50 messages a second into a room of 20, so
that each message is alone. `echo`: 10 senders in a room of 20. `steady`: 20 messages a second into a room of 500.
"""

from functools import partial

from bench.load import Load, measure, row_of
from bench.peers import Crowd, Rooms
from bench.report import Line, Outcome, Plan, Row, in_turns, median_of

ROOMS = Crowd(sockets=50, accounts=50, rooms=Rooms.EACH)
ROOM = Crowd(sockets=20, accounts=20)
CROWDED_ROOM = Crowd(sockets=500, accounts=50)


def run(plan: Plan) -> Outcome:
    if not plan.chosen("veche"):
        return Outcome([], {})
    rows = in_turns(plan, plan.turns, {name: partial(part, plan) for name, part in PARTS.items()})
    lines = [Line(f"{name}: {key}", median_of(found, key), "") for name, found in rows.items() for key in found[0]]
    return Outcome(lines, rows)


def many_rooms(plan: Plan) -> Row:
    load = Load(ROOMS.sockets, senders=ROOMS.sockets, seconds=plan.seconds(3))
    return _measure(plan, ROOMS, load)


def lone(plan: Plan) -> Row:
    return _measure(plan, ROOM, Load(ROOM.sockets, senders=1, seconds=plan.seconds(4), rate=50))


def echo(plan: Plan) -> Row:
    return _measure(plan, ROOM, Load(ROOM.sockets, senders=10, seconds=plan.seconds(3)))


def steady(plan: Plan) -> Row:
    load = Load(CROWDED_ROOM.sockets, senders=1, seconds=plan.seconds(4), rate=20)
    return _measure(plan, CROWDED_ROOM, load)


PARTS = {"rooms": many_rooms, "lone": lone, "echo": echo, "steady": steady}


def _measure(plan: Plan, crowd: Crowd, load: Load) -> Row:
    with plan.peers["veche"](plan.site, crowd) as endpoint:
        return row_of(measure(plan.site, endpoint, load))
