"""What decisions read.

A fact is a table of rows by key. The needs of a command name the rows that its decision reads.

A decision that reads a row that the needs do not name raises NotAsked. Otherwise a row that was not loaded would look
like a row that does not exist, and nobody would notice the bug.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class NotAsked(Exception):
    """A decision read a row that its command's needs do not name. This is a bug in the command.

    The exception's message contains the fact and the key. Each string in the key is replaced by its length, because a
    person may have written it.
    """

    def __init__(self, fact: "Fact[Any, Any]", key: Hashable) -> None:
        super().__init__(f"{fact.name} {_without_text(key)}")


def _without_text(key: Hashable) -> str:
    if isinstance(key, tuple):
        return f"({', '.join(map(_without_text, key))})"
    return f"<{len(key)} characters>" if isinstance(key, str) else repr(key)


class Fact(Generic[K, V]):
    """One table of rows by key. For each fact, `storage` has a function that loads its rows.

    If a row is found, `then(needs, key, row)` is called. It asks for more rows, whose keys are known only from this
    row.
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
    """The rows that one transaction has loaded or changed.

    Each recorded event changes them, so the next command sees the result.
    """

    def __init__(self) -> None:
        self._rows: defaultdict[AnyFact, dict[Any, Any]] = defaultdict(dict)
        # For each changed key: the row as it was loaded, or None if this transaction created the row.
        self._before: defaultdict[AnyFact, dict[Any, Any]] = defaultdict(dict)
        self._asked = Needs()

    def load(self, fact: Fact[K, V], key: K, row: V) -> None:
        """Add a row that was read from the database."""
        self._rows[fact][key] = row

    def has_loaded_or_changed(self, fact: Fact[K, V], key: K) -> bool:
        """Return whether this transaction has loaded or changed the row of a key."""
        return key in self._rows[fact] or key in self._before[fact]

    def get(self, fact: Fact[K, V], key: K) -> V | None:
        """Return the row of a key, or None if there is no such row.

        Raises NotAsked if the command did not ask for this key. A row that this transaction created may be read
        without asking for it, because it did not exist when the commands asked.
        """
        asked = self._asked.get(fact)
        if (asked is None or key not in asked) and self._before[fact].get(key, self) is not None:
            raise NotAsked(fact, key)
        row: V | None = self._rows[fact].get(key)
        return row

    def peek(self, fact: Fact[K, V], key: K) -> V | None:
        """Return the row of a key, asked for or not. `Event.apply` uses this. Decisions use `get`."""
        row: V | None = self._rows[fact].get(key)
        return row

    def items(self, fact: Fact[K, V]) -> list[tuple[K, V]]:
        """Return all rows of a fact that this transaction has. `Event.apply` uses this."""
        return list(self._rows[fact].items())

    def put(self, fact: Fact[K, V], key: K, row: V) -> None:
        """Set the row of a key, new or changed. It is written to the database after the batch was decided."""
        rows, before = self._rows[fact], self._before[fact]
        if key not in before:
            before[key] = rows.get(key)
        rows[key] = row

    def remove(self, fact: Fact[K, V], key: K) -> None:
        """Remove a row."""
        self._before[fact].setdefault(key, self._rows[fact].pop(key, None))

    def changes(self, fact: Fact[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
        """Yield each changed key, its row before this transaction, and its row now. None means that there is no row."""
        rows = self._rows[fact]
        for key, before in self._before[fact].items():
            yield key, before, rows.get(key)
