"""What the rest of storage asks of a database: statements by key, locks, and new ids."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Executable, Row, Select

T = TypeVar("T")


class Engine(Protocol):
    """One kind of database, open. Statements are made once for each engine and kept by it."""

    begin_write: str
    """Begins a transaction that will write, and takes what it needs so that no decision is overtaken."""

    def statement(self, make: "Callable[[Engine], T]") -> T:
        """Return what `make` makes for this engine, made at the first call and kept."""

    def by_key(self, query: Select[Any], *columns: ColumnElement[Any]) -> Select[Any]:
        """Narrow a query to the rows whose columns are among the keys in the parameter `keys`."""

    def for_each_key(self, make: Callable[[Callable[[int], ColumnElement[Any]]], Select[Any]]) -> Select[Any]:
        """Make a query of the keys themselves; `make` gets a function that gives the i-th part of a key."""

    def pack(self, keys: Iterable[object]) -> object:
        """Make the value of the parameter `keys`."""

    def read_keys(
        self, connection: Connection, make: "Callable[[Engine], Select[Any]]", keys: Iterable[object]
    ) -> Sequence[Row[Any]]:
        """Run the query that `make` makes, for these keys."""

    def write_each(self, connection: Connection, write: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a write once for each row. All rows have the same keys."""

    def lock_logs(self, connection: Connection, log_ids: Collection[int]) -> None:
        """Lock the rows of logs, in the order of their ids, until the transaction ends."""

    def new_ids(self, connection: Connection) -> Callable[[str], int]:
        """Return a function that gives the next free id of a table, for one transaction."""
