"""socketio: 500 WebSocket clients in the lobby, compared with socket.io 4.8 on Node, which stores nothing.

First with 10 senders, each of which sends its next message when it has received the last. Then at 20 messages a second.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from bench.install import node_package
from bench.load import Load, Measured, measure
from bench.peers import Crowd, Endpoint, Site
from bench.report import Line, Outcome, Plan, Row, Target, in_turns, median_of, ratios
from bench.server import Server, free_port, running
from bench.veche import fresh, prepare

CROWD = Crowd(sockets=500, accounts=50)
SENDERS, RATE = 10, 20
AT_LEAST, AT_MOST, NONE = Target(">=", 5), Target("<=", 1), Target("<=", 0)

PACKAGE, VERSION = "socket.io", "4.8"
PEER = Path(__file__).with_name("socketio_peer.mjs")
TEXT = "hello to all of you, how do you do today?"
MESSAGE = f'42["message",{{"id":"c-%n","author":"somebody","text":"@%t {TEXT}"}}]'
DELIVERY, OWN_MESSAGE, CONNECTED = '42["message",{"id":', '42["message",{"id":"c-%n"', '40{"sid":'


def run(plan: Plan) -> Outcome:
    fast = in_turns(plan, plan.turns, {name: partial(saturate, plan, name) for name in PEERS})
    slow = in_turns(plan, plan.turns, {name: partial(send_steadily, plan, name) for name in PEERS})
    lines = ratios(fast, "deliveries/s", {("veche", "node"): AT_LEAST}, "deliveries per second")
    lines += ratios(slow, "cpu us/delivery", {("veche", "node"): AT_MOST}, f"CPU per delivery at {RATE} messages/s")
    lines += [Line(f"delivery p99: {name}", median_of(fast[name], "p99 ms"), "ms") for name in PEERS]
    lines.append(Line("lost: veche", sum(row["lost"] for row in fast["veche"] + slow["veche"]), "deliveries", NONE))
    return Outcome(lines, fast | {f"{name} at {RATE}/s": rows for name, rows in slow.items()})


def saturate(plan: Plan, name: str) -> Row:
    with PEERS[name](plan.site) as endpoint:
        return row_of(measure(plan.site, endpoint, Load(CROWD.sockets, SENDERS, plan.seconds(2.5))))


def send_steadily(plan: Plan, name: str) -> Row:
    with PEERS[name](plan.site) as endpoint:
        return row_of(measure(plan.site, endpoint, Load(CROWD.sockets, senders=1, seconds=plan.seconds(4), rate=RATE)))


def row_of(measured: Measured) -> Row:
    report = measured.report
    return {
        "deliveries/s": report.deliveries_per_s,
        "p50 ms": report.delivery_p50_ms,
        "p99 ms": report.delivery_p99_ms,
        "lost": report.lost + report.extra,
        "cpu us/delivery": measured.cpu_us_per_delivery,
        "server cores": measured.server_cpu_s / report.seconds,
        "client cores": report.client_cpu_s / report.seconds,
        "frames/read": report.frames_per_read,
        "foreign cores": measured.foreign_cores,
    }


@contextmanager
def veche(site: Site) -> Iterator[Endpoint]:
    """Run a fresh Veche with the crowd's accounts. Their tokens are from the native dialect, which is allowed."""
    prepared = prepare(site, CROWD)
    with fresh(site, prepared) as server:
        yield endpoint_of(server, prepared.tokens)


@contextmanager
def node(site: Site) -> Iterator[Endpoint]:
    """Run bench/socketio_peer.mjs. It checks no tokens."""
    port = free_port()
    command = ["node", str(PEER), str(node_package(PACKAGE, VERSION)), str(port)]
    with running(command, port, site.folder / "node.log", {"NODE_ENV": "production"}) as server:
        yield endpoint_of(server, ("",) * CROWD.accounts)


PEERS: dict[str, Callable[[Site], AbstractContextManager[Endpoint]]] = {"veche": veche, "node": node}


def endpoint_of(server: Server, tokens: tuple[str, ...]) -> Endpoint:
    each = CROWD.sockets // CROWD.accounts
    first = tuple(f"40{json.dumps({'token': token})}" for token in tokens for _ in range(each))
    path = "/socket.io/?EIO=4&transport=websocket"
    return Endpoint(server, path, OWN_MESSAGE, ready=CONNECTED, first=first, message=MESSAGE, delivery=DELIVERY)
