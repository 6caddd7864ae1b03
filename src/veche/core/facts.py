"""What decisions read: facts, each a table of rows by key, and the needs by which a command asks for them.

A decision that reads a row it did not ask for raises NotAsked. Otherwise a missing row would look like a row that
does not exist, and a forgotten check would pass silently.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class NotAsked(Exception):
    """A decision read what its command's needs did not name: a bug in the command.

    The message names the fact and the key, but shows no text of a key: people may have written it.
    """

    def __init__(self, fact: "Fact[Any, Any]", key: Hashable) -> None:
        super().__init__(f"{fact.name} {_without_text(key)}")


def _without_text(key: Hashable) -> str:
    if isinstance(key, tuple):
        return f"({', '.join(map(_without_text, key))})"
    return f"<{len(key)} characters>" if isinstance(key, str) else repr(key)


class Fact(Generic[K, V]):
    """One table of rows by key. `storage` has a load for each.

    `then` asks for more where a row was found: a key that is known only after this row was read.
    """

    __slots__ = ("name", "then")

    def __init__(self, name: str, then: "Callable[[Needs, K, V], None] | None" = None) -> None:
        self.name = name
        self.then = then

    def __repr__(self) -> str:
        return f"Fact({self.name})"


AnyFact: TypeAlias = Fact[Any, Any]


class Needs(dict[AnyFact, set[Any]]):
    """The rows that one command asks for: keys by fact."""

    __slots__ = ()

    def ask(self, fact: Fact[K, V], key: K) -> None:
        """Ask for the row of a key."""
        keys = self.get(fact)
        if keys is None:
            self[fact] = {key}
        else:
            keys.add(key)


class Rows:
    """The rows that one transaction knows, kept current while commands are decided one by one."""

    def __init__(self) -> None:
        self._rows: defaultdict[AnyFact, dict[Any, Any]] = defaultdict(dict)
        # Each row that changed, as it was stored; None for a row that was made here.
        self._before: defaultdict[AnyFact, dict[Any, Any]] = defaultdict(dict)
        self._asked = Needs()

    def load(self, fact: Fact[K, V], key: K, row: V) -> None:
        """Take a row as it is stored."""
        self._rows[fact][key] = row

    def knows(self, fact: Fact[K, V], key: K) -> bool:
        """Tell whether the row of a key was loaded here, or changed."""
        return key in self._rows[fact] or key in self._before[fact]

    def get(self, fact: Fact[K, V], key: K) -> V | None:
        """Return the row of a key, or None where there is none; raises NotAsked.

        Rows that this transaction made count as asked: nobody could ask for them before.
        """
        asked = self._asked.get(fact)
        if (asked is None or key not in asked) and self._before[fact].get(key, self) is not None:
            raise NotAsked(fact, key)
        row: V | None = self._rows[fact].get(key)
        return row

    def peek(self, fact: Fact[K, V], key: K) -> V | None:
        """Return what is known of a key. For events that change rows; decisions use `get`."""
        row: V | None = self._rows[fact].get(key)
        return row

    def items(self, fact: Fact[K, V]) -> list[tuple[K, V]]:
        """Return all rows of a fact that are known. For events that change rows."""
        return list(self._rows[fact].items())

    def put(self, fact: Fact[K, V], key: K, row: V) -> None:
        """Store a row, new or changed."""
        rows, before = self._rows[fact], self._before[fact]
        if key not in before:
            before[key] = rows.get(key)
        rows[key] = row

    def remove(self, fact: Fact[K, V], key: K) -> None:
        """Remove a row."""
        self._before[fact].setdefault(key, self._rows[fact].pop(key, None))

    def changes(self, fact: Fact[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
        """Give each key that changed, with the row as it was stored and as it is now; None where there is no row."""
        rows = self._rows[fact]
        for key, before in self._before[fact].items():
            yield key, before, rows.get(key)
