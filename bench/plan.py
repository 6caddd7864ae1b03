"""How many nodes, databases and Redis servers a load needs, and what they cost a month.

    python -m bench.plan --people 10000000 --messages 0.002 --deliveries 20

It only computes, from the costs in `Costs`. They are CPU times of one virtual core, measured as docs/performance.md
says. Measure yours, and give them as options: `--cost delivery_us=9`. Each node is connected to each database, and the
bus is Redis.
"""

import argparse
from dataclasses import dataclass, fields, replace
from math import ceil

from veche.storage.kinds.postgres_examine import OF_NODE

RESERVED = 3
"""Of max_connections, which PostgreSQL keeps for its administrator."""


@dataclass(frozen=True)
class Costs:
    """Measured costs. Names that end with `_us` are microseconds of CPU."""

    delivery_us: float = 11.9
    """One message to one socket: "CPU for each delivery" in docs/performance.md."""
    message_us: float = 1800.0
    """What a message costs its node beside deliveries, if it has a commit of its own: `bench --only nodes`, many rooms,
    1,894 with two deliveries and a hearing. In a batch of many it is about 160."""
    request_us: float = 178.0
    """One REST request: "CPU for each message" of REST in docs/performance.md."""
    hearing_us: float = 74.0
    """What a node needs to hear an entry on Redis: half of 148 for both nodes in decision 0030."""
    database_us: float = 612.0
    """What a message costs PostgreSQL if it has a commit of its own, as with many nodes: `bench --only nodes`, many
    rooms. With twenty messages in a commit it is 50."""
    redis_us: float = 21.0
    """What Redis needs for one PUBLISH, or for handing it to one node: a third of the 63 of many rooms in `bench --only
    nodes`, where two nodes get each PUBLISH."""
    socket_kb: float = 16.0
    """Memory of a socket: 4.6 KB in the server, and an estimate of the kernel's share."""


@dataclass(frozen=True)
class Load:
    """What people do. Rates are means of the busiest hour. `share`: how much of a core, or of a database, is used."""

    people: int
    messages: float  # of one person in a second
    deliveries: float  # sockets that get one message
    requests: float = 0.01  # of one person in a second
    sockets_per_node: int = 10_000  # the default of VECHE_CONNECTIONS
    filled: float = 0.8
    """How many of its sockets a node has in use. The rest is for the clients of a node that stops, and of one that is
    further from the balancer's mean."""
    max_connections: int = 100  # PostgreSQL's own default
    database_cores: int = 16
    share: float = 0.5
    node_price: float = 15.0
    database_price: float = 300.0
    redis_price: float = 30.0


@dataclass(frozen=True)
class Needs:
    """The answer. Rates are for a second, in all; `bound` says what decides the number of nodes."""

    messages: float
    deliveries: float
    hearings: float
    nodes: int
    bound: str
    databases: int
    connections: int
    """To each database, with those of one node more, as in a rolling restart."""
    redis: int
    node_memory_mb: float
    price: float


def plan(load: Load, costs: Costs = Costs()) -> Needs:
    """Return what a load needs. A node has one core."""
    messages = load.people * load.messages
    deliveries = messages * load.deliveries
    own_us = messages * costs.message_us + deliveries * costs.delivery_us
    own_us += load.people * load.requests * costs.request_us
    sockets = max(ceil(load.people / (load.sockets_per_node * load.filled)), 1)
    nodes = hearing = sockets
    # More nodes hear more, so the number grows until it suffices. No message is heard more than once for each socket.
    while True:
        hearings = messages * hearing_nodes(hearing, load.deliveries)
        nodes = max(sockets, ceil((own_us + hearings * costs.hearing_us) / (load.share * 1e6)))
        if nodes <= hearing:
            break
        hearing = nodes
    databases = max(ceil(messages * costs.database_us / (load.database_cores * load.share * 1e6)), 1)
    redis_us = (messages + hearings) * costs.redis_us if nodes > 1 else 0.0
    redis = ceil(redis_us / (load.share * 1e6))
    price = nodes * load.node_price + databases * load.database_price + redis * load.redis_price
    bound = "sockets" if nodes == sockets else "CPU"
    memory = load.people / nodes * costs.socket_kb / 1000
    connections = (nodes + 1) * OF_NODE
    return Needs(messages, deliveries, hearings, nodes, bound, databases, connections, redis, memory, price)


def hearing_nodes(nodes: int, deliveries: float) -> float:
    """Return how many other nodes have at least one of the sockets of a message, if sockets are spread at random."""
    missed: float = (1 - 1 / nodes) ** deliveries
    return (nodes - 1) * (1 - missed)


def describe(load: Load, costs: Costs) -> list[str]:
    needs = plan(load, costs)
    pooler = (
        ""
        if needs.connections <= load.max_connections - RESERVED
        else ": raise max_connections, or put poolers in front"
    )
    return [
        f"messages stored:      {needs.messages:,.0f} a second",
        f"deliveries:           {needs.deliveries:,.0f} a second",
        f"entries heard:        {needs.hearings:,.0f} a second, by {needs.nodes:,} nodes together",
        f"nodes of one core:    {needs.nodes:,} (decided by {needs.bound})",
        f"sockets of a node:    {load.people / needs.nodes:,.0f}, with {needs.node_memory_mb:,.0f} MB of memory",
        f"PostgreSQL databases: {needs.databases:,}",
        f"connections to each:  {needs.connections:,} of {load.max_connections:,}{pooler}",
        f"Redis servers:        {needs.redis:,}",
        f"price a month:        {needs.price:,.0f}",
    ]


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.plan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--people", type=int, required=True, help="connected people")
    add("--messages", type=float, required=True, help="messages of one person in a second, in the busiest hour")
    add("--deliveries", type=float, required=True, help="sockets that get one message, in the mean")
    add("--requests", type=float, default=Load.requests, help="REST requests of one person in a second (%(default)s)")
    add("--sockets-per-node", type=int, default=Load.sockets_per_node, help="at most (%(default)s)")
    add("--filled", type=float, default=Load.filled, help="how many of its sockets a node has in use (%(default)s)")
    add("--max-connections", type=int, default=Load.max_connections, help="of one PostgreSQL (%(default)s)")
    add("--database-cores", type=int, default=Load.database_cores, help="of one PostgreSQL (%(default)s)")
    add("--share", type=float, default=Load.share, help="how much of a core and a database is used (%(default)s)")
    add("--node-price", type=float, default=Load.node_price, help="a month, for one core (%(default)s)")
    add("--database-price", type=float, default=Load.database_price, help="a month (%(default)s)")
    add("--redis-price", type=float, default=Load.redis_price, help="a month (%(default)s)")
    add(
        "--cost",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=", ".join(field.name for field in fields(Costs)),
    )
    options = vars(parser.parse_args(words))
    own = dict(word.partition("=")[::2] for word in options.pop("cost"))
    if unknown := set(own) - {field.name for field in fields(Costs)}:
        parser.error(f"unknown cost: {', '.join(sorted(unknown))}")
    load = Load(**options)
    numbers = [load.people, load.sockets_per_node, load.database_cores, load.share, load.deliveries, load.filled]
    if min(numbers) <= 0 or max(load.share, load.filled) > 1 or min(load.messages, load.requests) < 0:
        parser.error("people, deliveries, sockets and shares must be above 0, and shares at most 1; rates at least 0")
    try:
        costs = replace(Costs(), **{name: float(value) for name, value in own.items()})
    except ValueError as error:
        parser.error(f"a cost is no number: {error}")
    print("\n".join(describe(load, costs)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
