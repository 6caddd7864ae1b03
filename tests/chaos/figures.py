"""The figures of a run, computed from its records. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .evidence import Evidence
from .records import Ack, CaughtUp, Changed, Down, Fault, Opened, Recv, Trouble, Turned, Welcome


@dataclass(frozen=True)
class Figures:
    """Times are in seconds from the end of the server to the `caught_up` of a client; 0 if there was none."""

    faults: tuple[tuple[str, int], ...]
    acked: int
    stored: int
    duplicates: int
    changes: int
    turns: int
    frames: int
    reconnects: int
    own_drops: int
    back_p50: float
    back_p99: float
    troubles: tuple[tuple[str, int], ...] = ()
    across_p50: float = 0.0
    """Seconds from an answer to its event at a client of the other node, who was caught up before."""
    across_p99: float = 0.0
    away: int = 0
    """How many of these while nodes did not hear each other, and nothing else was disturbed."""
    away_p50: float = 0.0
    away_p99: float = 0.0


def figures(evidence: Evidence) -> Figures:
    acks = evidence.all(Ack)
    times = times_to_return(evidence)
    across = deliveries_to_the_other_node(evidence)
    alone = [trouble for trouble in evidence.all(Trouble) if trouble.bus and not trouble.overlaps]
    spans = [(trouble.at, trouble.at + trouble.seconds) for trouble in alone]
    away = [seconds for at, seconds in across if any(begin <= at <= end for begin, end in spans)]
    return Figures(
        faults=tuple(sorted(Counter(fault.how for fault in evidence.all(Fault)).items())),
        acked=len({ack.cid for ack in acks}),
        stored=sum(row.kind == "text" for row in evidence.rows),
        duplicates=sum(ack.duplicate for ack in acks),
        changes=len({ack.cid for ack in evidence.all(Changed)}),
        turns=len({turned.cid for turned in evidence.all(Turned)}),
        frames=len(evidence.all(Recv)),
        reconnects=sum(welcome.connection > 1 for welcome in evidence.all(Welcome)),
        own_drops=sum(down.own for down in evidence.all(Down)),
        back_p50=percentile(times, 0.50),
        back_p99=percentile(times, 0.99),
        troubles=tuple(sorted(Counter(trouble.how for trouble in evidence.all(Trouble)).items())),
        across_p50=percentile([seconds for _, seconds in across], 0.50),
        across_p99=percentile([seconds for _, seconds in across], 0.99),
        away=len(away),
        away_p50=percentile(away, 0.50),
        away_p99=percentile(away, 0.99),
    )


def deliveries_to_the_other_node(evidence: Evidence) -> list[tuple[float, float]]:
    """List the time of each answer to a send, and the seconds from it to the event at each client of the other node.

    Only sockets that had caught up before the answer count.
    """
    found: list[tuple[float, float]] = []
    urls: dict[tuple[str, int], str] = {}
    caught_up: dict[tuple[str, int], float] = {}
    acks: dict[str, Ack] = {}
    for record in evidence.records:
        if isinstance(record, Opened):
            urls[record.client, record.connection] = record.url
        elif isinstance(record, CaughtUp):
            caught_up.setdefault((record.client, record.connection), record.at)
        elif isinstance(record, Ack) and not record.duplicate:
            acks[record.cid] = record
        elif isinstance(record, Recv) and record.cid in acks:
            ack, socket = acks[record.cid], (record.client, record.connection)
            other = urls.get(socket) != urls.get((ack.client, ack.connection))
            if other and caught_up.get(socket, record.at) < ack.at:
                found.append((ack.at, record.at - ack.at))
    return found


def times_to_return(evidence: Evidence) -> list[float]:
    """List the times from each end of the server to the next `caught_up` of each client, if before the next end."""
    times: list[float] = []
    waiting: dict[str, float] = {}
    for record in evidence.records:
        if isinstance(record, Fault):
            waiting = dict.fromkeys(evidence.accounts, record.at)
        elif isinstance(record, CaughtUp) and record.client in waiting:
            times.append(record.at - waiting.pop(record.client))
    return times


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; 0 without values."""
    ranked = sorted(values)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)] if ranked else 0.0
