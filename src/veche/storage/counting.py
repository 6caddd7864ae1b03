"""Counts of rows that stop at a limit, so that nobody can make a count slow."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, func, literal, select

from veche.storage.engines.engine import Engine, Query, Transaction
from veche.storage.subject import Load

Part: TypeAlias = Callable[[int], ColumnElement[Any]]
"""Returns the column with the i-th part of each key."""

ONE = literal(1).label("one")
"""What a query selects whose rows are only counted."""


def counts_by_key(rows: Callable[[Part], Select[Any]], limit: int) -> Query:
    """Make the query that counts rows for each key, up to `limit` for each. `rows` makes the query of one key's rows.

    Its rows have the first part of each key as `of_key`, and the count as `count_`.
    """

    def make(part: Part) -> Select[Any]:
        found = of_keys(rows(part).limit(limit), part)
        counted = select(func.count()).select_from(found.subquery()).scalar_subquery()
        return select(part(0).label("of_key"), counted.label("count_"))

    def query(engine: Engine) -> Select[Any]:
        return engine.select_from_keys(make)

    return query


def rows_by_key(column: ColumnElement[Any]) -> Load:
    """Make the function that loads how many rows each key has in a column. It is for few rows, as it counts all."""
    counts = select(column.label("of_key"), func.count().label("count_")).group_by(column)

    def query(engine: Engine) -> Select[Any]:
        return engine.where_keys(counts, column)

    def load(tx: Transaction, keys: Collection[Any]) -> Iterator[tuple[Any, int]]:
        return ((row.of_key, row.count_) for row in tx.read_by_keys(query, keys))

    return load


def of_keys(rows: Select[Any], part: Part) -> Select[Any]:
    """Return a query that takes its keys from the query around it."""
    return rows.correlate(*select(part(0)).get_final_froms())
