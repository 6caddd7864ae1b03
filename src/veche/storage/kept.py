"""Rows that are kept after a write transaction, so that the next one need not read them again.

They are right only as long as nobody else writes. Each write transaction, once it holds the locks, checks this, and
forgets the rows if somebody else wrote. An engine that cannot check this cheaply keeps nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from veche.core.facts import Fact, K, V
from veche.core.state import State

LIMIT = 20_000  # rows of one fact; with more, all rows of the fact are forgotten


class KeptRows:
    """The rows by fact. The facts are those that the subjects name in `keeps`."""

    def __init__(self) -> None:
        self._rows: defaultdict[Fact[Any, Any], dict[Any, Any]] = defaultdict(dict)

    def load(self, state: State, fact: Fact[Any, Any], keys: Collection[Any]) -> Collection[Any]:
        """Load the kept rows of these keys into the state. Return the keys of which no row is kept."""
        kept = self._rows[fact]
        left = []
        for key in keys:
            if (row := kept.get(key)) is None:
                left.append(key)
            else:
                state.load(fact, key, row)
        return left

    def rows(self, fact: Fact[K, V]) -> Mapping[K, V]:
        """Return the kept rows of a fact."""
        return self._rows[fact]

    def drop(self, fact: Fact[K, V], is_dropped: Callable[[V], bool], key: K | None = None) -> None:
        """Forget some rows of a fact. With `key`, look at that row only."""
        kept = self._rows[fact]
        looked_at = kept.items() if key is None else ((key, kept[key]),) if key in kept else ()
        for dropped in [key for key, row in looked_at if is_dropped(row)]:
            del kept[dropped]

    def keep(self, state: State, facts: Collection[Fact[Any, Any]]) -> None:
        """Keep what a transaction read and wrote. Call it after the commit."""
        for fact in facts:
            if not state.has(fact):
                continue
            kept = self._rows[fact]
            kept.update(state.items(fact))
            for key, _, row in state.changes(fact):
                if row is None:
                    kept.pop(key, None)
            if len(kept) > LIMIT:
                kept.clear()

    def forget(self) -> None:
        """Forget all rows."""
        self._rows.clear()
