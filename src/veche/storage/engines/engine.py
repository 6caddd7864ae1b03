"""The interface to one kind of database: how statements are made and run, locks, and new ids.

Statements are made with SQLAlchemy, once, and compiled to SQL. The SQL then runs on the database's own driver, because
running it through SQLAlchemy takes several times as long as the database needs. So values go to the driver as they
are, and columns have only types that need no conversion (a test checks this).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, Protocol, TypeAlias

from sqlalchemy import ColumnElement, Delete, Insert, Select, Update

from veche.core.facts import Fact
from veche.core.state import State
from veche.storage.kept import KeptRows

READERS = 4  # how many read transactions can be open at once
COPYING = "copying"
"""The key in `meta` of how far a copy to this database has come. Until it is complete, nobody may use the database."""


class DatabaseError(Exception):
    """The database cannot be used. The message says why, or what to do."""


class Failure(Enum):
    """Why a transaction failed, if that is not a bug."""

    CONFLICT = "another transaction stored a row with the same unique value"
    AGAIN = "the transaction was not committed, and may succeed if it is tried again now"
    UNAVAILABLE = "the database cannot store or read anything now"


class Engine(Protocol):
    """One open database."""

    def where_keys(self, query: Select[Any], *columns: ColumnElement[Any]) -> Select[Any]:
        """Restrict a query to the rows whose `columns` equal one of the keys of `Transaction.read_by_keys`."""

    def select_from_keys(self, make: Callable[[Callable[[int], ColumnElement[Any]]], Select[Any]]) -> Select[Any]:
        """Make a query that selects from the list of keys of `Transaction.read_by_keys`.

        `make` is called with a function that returns the column with the i-th part of each key.
        """

    def writing(self) -> "AbstractContextManager[Transaction]":
        """Open a write transaction. It is committed at the end of the block, or rolled back if the block raises.

        It takes the locks without which decisions could be out of date.
        """

    def reading(self) -> "AbstractContextManager[Transaction]":
        """Open a read transaction. All its reads see one snapshot of the database."""

    def rest(self) -> None:
        """Do what is better done when nobody waits for a commit. It may raise, and then does it the next time."""

    def failure_of(self, error: BaseException) -> Failure | None:
        """Return why the driver raised `error`. None means a bug, for example in a statement."""

    def close(self) -> None:
        """Close all connections."""


Query: TypeAlias = Select[Any] | Callable[[Engine], Select[Any]]
"""A query, or a function that makes it for an Engine. It is a constant of its module: it is compiled once and kept."""
Write: TypeAlias = Insert | Update | Delete
"""A statement that writes. It is a constant of its module, too."""


class Transaction(Protocol):
    """One transaction. The rows of queries have the columns as attributes."""

    kept: KeptRows | None
    """Rows that earlier transactions kept and that are still right. None if this transaction reads everything."""

    def read(self, query: Query, **parameters: object) -> Sequence[Any]:
        """Run a query with these SQL parameters, and return its rows."""

    def first(self, query: Query, **parameters: object) -> Any:
        """Run a query and return its first row, or None if it has no rows."""

    def stream(self, query: Query, **parameters: object) -> Iterator[Any]:
        """Run a query as `read` does, but fetch each row only when it is asked for. It ends with the transaction."""

    def read_by_keys(self, query: Query, keys: Iterable[object]) -> Sequence[Any]:
        """Run a query that has `where_keys` or `select_from_keys` for these keys, and return its rows.

        If there are no keys, return no rows and run no query.
        """

    def write_each(self, write: Write, rows: Sequence[Mapping[str, Any]], unique: tuple[str, ...] = ()) -> None:
        """Run a write once for each row. All rows have the same names. If there are no rows, do nothing.

        No two rows may be for the same row of the table. `unique`: columns of which two transactions may write the same
        values at once, although only one may. Where that can be, all write in the order of these values. Otherwise two
        could wait for each other.
        """

    def lock_logs(self, log_ids: Collection[int]) -> None:
        """Lock the rows of logs, in the order of their ids, until the transaction ends. Call it once."""

    def has_locked(self, log_id: int) -> bool:
        """Return whether `lock_logs` has locked a log. A log that was not there then is not locked."""

    def keep(self, state: State, facts: Collection[Fact[Any, Any]]) -> None:
        """If this transaction is committed, keep its rows of these facts. It must have written nothing else of them."""

    def expect_ids(self, tables: Iterable[str]) -> None:
        """Say which ids the commands that are decided next probably take: a table for each. It is only a hint.

        Call it before `lock_logs`. An id that is not taken is lost.
        """

    def new_id(self, table: str) -> int:
        """Return the next free id of a table. Use it only in this transaction. In a room, ids grow with the seqs."""
