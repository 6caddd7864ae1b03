"""One open transaction: a connection, and the Engine for this kind of database."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Executable, Result, Row, ScalarResult, Select

from veche.storage.engines.engine import Engine

KeyedQuery: TypeAlias = Callable[[Engine], Select[Any]]
"""A function that takes an Engine and returns a query with the SQL parameter `keys`."""


class Transaction:
    """One transaction. All its reads see one snapshot of the database. The writer's transaction can also write."""

    __slots__ = ("connection", "engine")

    def __init__(self, connection: Connection, engine: Engine) -> None:
        self.connection = connection
        self.engine = engine

    def read_by_keys(self, query: KeyedQuery, keys: Collection[object]) -> Sequence[Row[Any]]:
        """Run a query for these keys and return its rows. If there are no keys, return no rows and run no query."""
        return self.engine.read_keys(self.connection, query, keys) if keys else ()

    def execute(self, statement: Executable, parameters: Any = None) -> Result[Any]:
        """Run a statement. If `parameters` is a list, run it once for each item."""
        return self.connection.execute(statement, parameters)

    def write_each(self, write: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run an INSERT, UPDATE or DELETE statement once for each row. If there are no rows, do nothing."""
        if rows:
            self.engine.write_each(self.connection, write, rows)

    def scalar(self, statement: Executable) -> Any:
        """Run a query and return the first column of its first row, or None if there is no row."""
        return self.connection.scalar(statement)

    def scalars(self, statement: Executable) -> ScalarResult[Any]:
        """Run a query and return the values of its first column."""
        return self.connection.scalars(statement)
