"""The figures of a run, computed from its records. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .check import Evidence
from .records import Ack, CaughtUp, Down, Fault, Recv, Welcome


@dataclass(frozen=True)
class Figures:
    """Times are in seconds from the end of the server to the `caught_up` of a client; 0 if there was none."""

    faults: tuple[tuple[str, int], ...]
    acked: int
    stored: int
    duplicates: int
    frames: int
    reconnects: int
    own_drops: int
    back_p50: float
    back_p99: float


def figures(evidence: Evidence) -> Figures:
    acks = evidence.all(Ack)
    times = times_to_return(evidence)
    return Figures(
        faults=tuple(sorted(Counter(fault.how for fault in evidence.all(Fault)).items())),
        acked=len({ack.cid for ack in acks}),
        stored=sum(row.kind == "text" for row in evidence.rows),
        duplicates=sum(ack.duplicate for ack in acks),
        frames=len(evidence.all(Recv)),
        reconnects=sum(welcome.connection > 1 for welcome in evidence.all(Welcome)),
        own_drops=sum(down.own for down in evidence.all(Down)),
        back_p50=percentile(times, 0.50),
        back_p99=percentile(times, 0.99),
    )


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
