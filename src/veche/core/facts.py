"""What decisions read.

A fact is a table of rows by key. The needs of a command name the rows that its decision reads.

A decision that reads a row that the needs do not name raises NotAsked. Otherwise a row that was not loaded would look
like a row that does not exist, and nobody would notice the bug.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar

from veche.core.effects import End

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
    row. It may ask for logs only of rows that nobody changes. `asks_for_actor`: it asks for the own log of the actor
    whose command made the row. That may be a command of the same batch, whose log is then locked in advance.

    `of`: to ask for a key of this fact is to ask for that row of `of`, and then for more. So each command asks for
    what it needs with a row, and for no more. The row is read as one of `of`.
    """

    __slots__ = ("asks_for_actor", "name", "rows", "then")

    def __init__(
        self,
        name: str,
        then: "Callable[[Needs, K, V], None] | None" = None,
        *,
        of: "Fact[K, V] | None" = None,
        asks_for_actor: bool = False,
    ) -> None:
        self.name = name
        self.rows = self if of is None else of
        self.then = then
        self.asks_for_actor = asks_for_actor

    def __repr__(self) -> str:
        return f"Fact({self.name})"


AnyFact: TypeAlias = Fact[Any, Any]

NOT_LOADED: Any = object()
"""Stands for a row that was removed without having been read: nobody knows whether there was one."""


class Needs(list[Any]):
    """The rows that one command asks for: a fact, its key, the next fact, its key, and so on.

    The list is flat, because a tuple for each pair would be one more object for the garbage collector to visit.
    """

    __slots__ = ()

    def ask(self, fact: Fact[K, V], key: K) -> None:
        """Ask for the row of a key. To ask for the same row twice is allowed."""
        self.append(fact)
        self.append(key)

    def pairs(self) -> "Iterator[tuple[AnyFact, Any]]":
        """Iterate over the facts and their keys."""
        parts = iter(self)
        return zip(parts, parts, strict=True)


class _Table:
    """The rows of one fact in a transaction."""

    __slots__ = ("asked_by", "before", "rows")

    def __init__(self) -> None:
        self.rows: dict[Any, Any] = {}
        # for each changed key: the row as loaded, NOT_LOADED, or None if it was created here
        self.before: dict[Any, Any] = {}
        self.asked_by: dict[Any, int] = {}  # for each key: the number of the last command that asked for it

    def created_here(self, key: Any) -> bool:
        """Return whether this transaction created the row."""
        return self.before.get(key, NOT_LOADED) is None


class Rows:
    """The rows that one transaction has loaded or changed.

    Each recorded event changes them, so the next command sees the result.
    """

    def __init__(self) -> None:
        self._tables: defaultdict[AnyFact, _Table] = defaultdict(_Table)
        self._command = 0  # the number of the command that is being decided
        self.ends: list[End] = []  # of sessions, by the last command

    def load(self, fact: Fact[K, V], key: K, row: V) -> None:
        """Add a row that was read from the database."""
        self._tables[fact].rows[key] = row

    def has_loaded_or_changed(self, fact: Fact[K, V], key: K) -> bool:
        table = self._tables[fact]
        return key in table.rows or key in table.before

    def allow(self, asked: Needs) -> None:
        """Begin the next command. It may read the rows that it asked for, but not rows that only others asked for."""
        command = self._command = self._command + 1
        tables = self._tables
        for fact, key in asked.pairs():
            tables[fact.rows].asked_by[key] = command

    def get(self, fact: Fact[K, V], key: K) -> V | None:
        """Return the row of a key, or None if there is no such row.

        Raises NotAsked if the command did not ask for this key. A row that this transaction created may be read
        without asking for it, because it did not exist when the commands asked.
        """
        table = self._tables[fact]
        if table.asked_by.get(key) != self._command and not table.created_here(key):
            raise NotAsked(fact, key)
        row: V | None = table.rows.get(key)
        return row

    def peek(self, fact: Fact[K, V], key: K) -> V | None:
        """Return the row of a key, whether or not the command asked for it. Only `Event.apply` may use this."""
        row: V | None = self._tables[fact].rows.get(key)
        return row

    def has(self, fact: Fact[K, V]) -> bool:
        """Return whether this transaction has asked for, loaded or changed a row of a fact."""
        return fact in self._tables

    def items(self, fact: Fact[K, V]) -> list[tuple[K, V]]:
        """Return all rows of a fact that this transaction has loaded or changed. Only `Event.apply` may use this."""
        return list(self._tables[fact].rows.items())

    def put(self, fact: Fact[K, V], key: K, row: V) -> None:
        """Set the row of a key, new or changed, for the later commands of this transaction.

        The subject's file in `storage` writes it to the database, by the event or by the fact.
        """
        table = self._tables[fact]
        if key not in table.before:
            table.before[key] = table.rows.get(key)
        table.rows[key] = row

    def remove(self, fact: Fact[K, V], key: K) -> None:
        """Remove the row of a key."""
        table = self._tables[fact]
        table.before.setdefault(key, table.rows.pop(key, NOT_LOADED))

    def changes(self, fact: Fact[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
        """Yield each changed key, its row before this transaction, and its row now. None means that there is no row.

        The row before is NOT_LOADED if the row was removed without having been read.
        """
        table = self._tables[fact]
        for key, before in table.before.items():
            yield key, before, table.rows.get(key)
