"""Counts of rows that stop at a limit, so that nobody can make a count slow."""

from collections.abc import Callable
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, func, literal, select

from veche.storage.engines.engine import Engine, Query

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


def of_keys(rows: Select[Any], part: Part) -> Select[Any]:
    """Return a query that takes its keys from the query around it."""
    return rows.correlate(*select(part(0)).get_final_froms())
