"""Statements that were compiled to SQL once, with what is needed to run them on a driver."""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Dialect, Select
from sqlalchemy.sql.base import Executable

Values: TypeAlias = tuple[Any, ...]


class Prepared(NamedTuple):
    """The SQL of a statement.

    `values` takes a mapping of parameters, and returns their values in the order of the SQL. `row` makes a row of the
    values of the columns, with the columns' names as attributes. `names` are the names of the parameters.
    """

    sql: str
    names: frozenset[str]
    values: Callable[[Mapping[str, Any]], Values]
    row: Callable[[Iterable[Any]], Any]


def prepare(statement: Executable, dialect: Dialect, names: Sequence[str], **options: Any) -> Prepared:
    """Compile a statement. `names` are the names of the parameters that each call gives. `options` are SQLAlchemy's.

    Raises TypeError if a parameter is missing.
    """
    columns = list(names) if not isinstance(statement, Select) else None
    compiled = statement.compile(dialect=dialect, column_keys=columns, **options)  # type: ignore[attr-defined]
    order = compiled.positiontup or ()
    if missing := [name for name, bind in compiled.binds.items() if bind.required and name not in names]:
        raise TypeError(f"a statement needs the parameters {missing}")
    constants = {name: value for name, value in compiled.params.items() if name not in names}
    return Prepared(str(compiled), frozenset(names), _in_order(order, constants), _row_of(statement))


def _in_order(order: Sequence[str], constants: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Values]:
    if not order:
        return lambda _: ()
    if any(name in constants for name in order):
        return lambda parameters: tuple([parameters[name] if name in parameters else constants[name] for name in order])
    if len(order) == 1:
        return lambda parameters: (parameters[order[0]],)
    return itemgetter(*order)


def _row_of(statement: Executable) -> Callable[[Iterable[Any]], Any]:
    if not isinstance(statement, Select):
        return tuple
    row: Any = namedtuple("Row", [column.name for column in statement.selected_columns])  # type: ignore[misc]
    return row._make
