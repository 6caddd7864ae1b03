"""The figures: what is measured of each program, and which quantities go into the tables."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from bench import memory, rest
from bench.beside.program import TEXT, Program
from bench.load import Load, measure, row_of
from bench.peers import Crowd, Rooms
from bench.report import Plan, Row
from bench.server import free_port, running
from bench.veche import Prepared

CROWD = Crowd(sockets=500, accounts=50)
SMALL = Crowd(sockets=20, accounts=20)
ALONE = Crowd(sockets=50, accounts=50, rooms=Rooms.EACH)
IDLE = Crowd(sockets=1000, accounts=50)
VECHE, EMPTY = "veche", "empty FastAPI route"


def takes_room(program: Program) -> bool:
    return not program.only_stored


def takes_archive(program: Program) -> bool:
    return program.stores


@dataclass(frozen=True)
class Figure:
    """`run` measures one program in one turn. `columns` are its quantities in the tables, each with its heading.

    `takes` says which programs take part. With `names`, these take part, and no others.
    """

    what: str
    run: Callable[[Plan, str], Row]
    columns: dict[str, str]
    takes: Callable[[Program], bool] = takes_room
    names: tuple[str, ...] = ()


def saturated(plan: Plan, name: str) -> Row:
    return _load(plan, name, CROWD, senders=10, seconds=3)


def steady(plan: Plan, name: str) -> Row:
    return _load(plan, name, CROWD, senders=1, seconds=4, rate=20)


def echo(plan: Plan, name: str) -> Row:
    return _load(plan, name, SMALL, senders=10, seconds=3)


def lone(plan: Plan, name: str) -> Row:
    return _load(plan, name, SMALL, senders=1, seconds=4, rate=50)


def stored(plan: Plan, name: str) -> Row:
    return _load(plan, name, ALONE, senders=ALONE.sockets, seconds=4)


def _load(plan: Plan, name: str, crowd: Crowd, senders: int, seconds: float, rate: float = 0) -> Row:
    load = Load(crowd.sockets, senders, plan.seconds(seconds), rate, quick_ack=True, text=TEXT)
    with plan.peers[name](plan.site, crowd) as endpoint:
        return row_of(measure(plan.site, endpoint, load))


def held(plan: Plan, name: str) -> Row:
    return memory.hold_idle(plan, name, IDLE)


def posts(plan: Plan, name: str) -> Row:
    if name == VECHE:
        return rest.request_repeatedly(plan, "send")
    port = free_port()
    path = os.pathsep.join(filter(None, [str(plan.site.checkout.root), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "uvicorn", "bench.beside.empty:app", "--port", str(port)]
    command += ["--log-level", "warning", "--no-access-log"]
    with running(command, port, plan.site.folder / "empty.log", {"PYTHONPATH": path}) as server:
        anybody = Prepared(plan.site.folder, ("none",) * rest.CROWD.accounts, tuple(range(1, rest.CROWD.accounts + 1)))
        return rest.row_of(plan, server, rest.options(plan, server, anybody, rest.CALLS["send"]))


FIGURES = {
    "saturated": Figure(
        "A room of 500. 10 senders, each of which sends again when it has received its own message.",
        saturated,
        {
            "cpu us/delivery": "saturated: CPU µs",
            "deliveries/s": "deliveries/s",
            "p50 ms": "p50 ms",
            "p99 ms": "p99 ms",
        },
    ),
    "steady": Figure(
        "20 messages a second into a room of 500.",
        steady,
        {"cpu us/delivery": "20 a second: CPU µs", "p99 ms": "p99 ms"},
    ),
    "echo": Figure(
        "A room of 20. 10 senders, each of which sends again when it has received its own message.",
        echo,
        {"ack p50 ms": "20 members: echo p50 ms", "cpu us/delivery": "CPU µs"},
    ),
    "lone": Figure(
        "50 messages a second into a room of 20.",
        lone,
        {"cpu us/message": "lone message: CPU µs"},
    ),
    "memory": Figure(
        "1,000 idle members of one room.",
        held,
        {memory.KEY: "KB an idle member"},
    ),
    "stored": Figure(
        "50 senders with a room each. Each waits until its message is stored and acknowledged.",
        stored,
        {
            "messages/s": "stored and acknowledged/s",
            "ack p50 ms": "p50 ms",
            "ack p99 ms": "p99 ms",
            "cpu us/message": "CPU µs a message",
        },
        takes_archive,
    ),
    "rest": Figure(
        "16 clients post messages by HTTP. Each waits for its answer.",
        posts,
        {"requests/s": "posts/s", "p50 ms": "p50 ms", "p99 ms": "p99 ms", "cpu us/request": "CPU µs a post"},
        names=(VECHE, EMPTY),
    ),
}
