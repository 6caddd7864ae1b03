"""One open transaction: a connection, and the engine that knows how this database wants its statements."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Executable, Result, Row, ScalarResult, Select

from veche.storage.engines.engine import Engine

Keyed: TypeAlias = Callable[[Engine], Select[Any]]
"""Makes a query with the parameter `keys` for an engine."""


class Transaction:
    """Reads as of one moment; the writer's also writes."""

    __slots__ = ("connection", "engine")

    def __init__(self, connection: Connection, engine: Engine) -> None:
        self.connection = connection
        self.engine = engine

    def by_keys(self, query: Keyed, keys: Collection[object]) -> Sequence[Row[Any]]:
        """Run a query for the rows of these keys. Without keys nothing is asked."""
        return self.engine.read_keys(self.connection, query, keys) if keys else ()

    def execute(self, statement: Executable, parameters: Any = None) -> Result[Any]:
        """Run a statement, once for each of a list of parameters."""
        return self.connection.execute(statement, parameters)

    def write_each(self, write: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a write once for each row. Without rows nothing is written."""
        if rows:
            self.engine.write_each(self.connection, write, rows)

    def scalar(self, statement: Executable) -> Any:
        """Run a query for one value, None where there is no row."""
        return self.connection.scalar(statement)

    def scalars(self, statement: Executable) -> ScalarResult[Any]:
        """Run a query for one column."""
        return self.connection.scalars(statement)
