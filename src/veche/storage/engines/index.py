"""What the index of the search does, whichever database it is in: it stores what the analyser made, and finds it.

It is made from the logs, and can be made again from them at any time. Each log has a position: the entries up to it are
in the index. Positions and entries are stored together, so a kill loses none and doubles none.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from veche.core.search import Place, Query
from veche.core.values import LogId
from veche.storage.engines.engine import Transaction

CONSIDERED: Final = 10_000
"""Matches that one page looks at, the newest first: of these it takes those that the filters let through."""
ROOMS_AS_MARKS: Final = 64
"""Up to so many rooms are looked up in the index. With more, each match is checked whether it is in one of them."""


class Entry(NamedTuple):
    """A message to index. If it has no text, it is removed. `at` is in microseconds since 1970."""

    id: int
    room_id: int
    sender_id: int
    at: int
    revision: int
    text: str


class Scope(NamedTuple):
    """Which messages are looked at: those of these rooms, of a sender, with after <= at < before."""

    room_ids: Sequence[int]
    sender_id: int | None = None
    after: int | None = None
    before: int | None = None


class Match(NamedTuple):
    """A message that matches, as it was indexed. `score` is higher for a better match."""

    id: int
    score: float = 0.0


class Page(NamedTuple):
    """Matches in their order. `goes_on_below`: ids below it were not considered. None: all were."""

    matches: list[Match]
    goes_on_below: int | None


class Index(Protocol):
    """The index of one database. Methods may be called in any thread, `store` in one at a time."""

    def positions(self) -> dict[LogId, int]:
        """Return the seq up to which each log is indexed. Logs that are not are left out."""

    def store(self, moved: Mapping[LogId, tuple[int, int]], entries: Iterable[Entry]) -> bool:
        """Index messages, and move the positions of logs from the first to the second number.

        If a position is not where it is said to be, another node was faster: nothing is stored, and it returns False.
        Later entries replace earlier ones for the same message.
        """

    def top(self, tx: Transaction) -> int:
        """Return a number above the ids of all messages that are indexed."""

    def newest(self, tx: Transaction, query: Query, scope: Scope, below: int, limit: int) -> Page:
        """Find matches with ids below `below`, the newest first.

        The page may have fewer than `limit` matches, even none, although the search goes on.
        """

    def best(self, tx: Transaction, query: Query, scope: Scope, place: Place, limit: int) -> Page:
        """Find the best of the newest CONSIDERED matches below a place: those that come after it."""

    def close(self) -> None:
        """Close all connections."""
