"""The interface to one kind of database: statements for many keys, locks, and new ids."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Executable, Row, Select

T = TypeVar("T")


class Engine(Protocol):
    """One kind of database. It makes each statement once, and keeps it for later calls."""

    begin_write: str
    """The SQL that begins a write transaction. It takes the locks without which decisions could be out of date."""

    def statement(self, make: "Callable[[Engine], T]") -> T:
        """Return `make(self)`. It is called once, and its result is kept for later calls."""

    def where_keys(self, query: Select[Any], *columns: ColumnElement[Any]) -> Select[Any]:
        """Restrict a query to the rows whose `columns` equal one of the keys in the SQL parameter `keys`."""

    def select_from_keys(self, make: Callable[[Callable[[int], ColumnElement[Any]]], Select[Any]]) -> Select[Any]:
        """Make a query that selects from the list of keys.

        `make` is called with a function that returns the column with the i-th part of each key.
        """

    def encode_keys(self, keys: Iterable[object]) -> object:
        """Encode keys as the value of the SQL parameter `keys`."""

    def read_keys(
        self, connection: Connection, make: "Callable[[Engine], Select[Any]]", keys: Iterable[object]
    ) -> Sequence[Row[Any]]:
        """Run the query that `make` builds with these keys, and return its rows."""

    def write_each(self, connection: Connection, write: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a write once for each row. All rows have the same keys."""

    def lock_logs(self, connection: Connection, log_ids: Collection[int]) -> None:
        """Lock the rows of logs, in the order of their ids, until the transaction ends."""

    def new_ids(self, connection: Connection) -> Callable[[str], int]:
        """Return a function that returns the next free id of a table. Use it only in this transaction."""
