"""Statements for PostgreSQL: how they are compiled, and how one statement reads or writes many rows.

Many keys or rows are passed as one array for each column, which `unnest` makes rows of. So a statement has the same
text for any number of rows, and is prepared once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Insert,
    Select,
    TableValuedAlias,
    Text,
    and_,
    any_,
    bindparam,
    column,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import NullType, TypeEngine

from veche.storage.engines.engine import Write
from veche.storage.engines.prepared import Prepared, prepare

SCHEMA = "veche"
"""The schema that has all tables. No other schema is touched."""


class _Types(PGTypeCompiler):
    def visit_VARCHAR(self, type_: Any, **options: Any) -> str:  # noqa: N802  # the name is SQLAlchemy's
        """Cast to text: a cast to varchar(n) cuts a longer value silently, and would find another row."""
        return "TEXT"


class _Dialect(PGDialect_psycopg):
    type_compiler_cls = _Types
    supports_statement_cache = False  # statements are compiled once, by `prepare`


_DIALECT: Dialect = _Dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_SCHEMAS = {"schema_translate_map": {None: SCHEMA}, "render_schema_translate": True}


def prepare_query(query: Select[Any], names: Iterable[str]) -> Prepared:
    """Compile a query. `names` are the names of the parameters that each call gives."""
    return prepare(query, _DIALECT, list(names), **_SCHEMAS)


def prepare_write(write: Write, names: Sequence[str]) -> Prepared:
    """Compile a write for many rows. Each parameter is the list of a column's values.

    All rows must be different rows of the table: PostgreSQL updates or deletes each row once.
    """
    types = _types_of(write, names)
    rows = _unnest(types)
    if isinstance(write, Insert):
        bulk: Any = insert(write.table).from_select(list(names), select(*[rows.c[name] for name in names]))
    else:
        traverse: Any = visitors.replacement_traverse
        bulk = traverse(write, {}, lambda part, **_: rows.c[part.key] if _is_given(part) else None)
    return prepare(bulk, _DIALECT, list(types), **_SCHEMAS)


def where_keys(query: Select[Any], *columns: ColumnElement[Any]) -> Select[Any]:
    """Restrict a query as `Engine.where_keys` says. See `keys_as_parameters`."""
    if len(columns) == 1:
        return query.where(columns[0] == any_(bindparam(_key(0), type_=ARRAY(columns[0].type))))
    keys = _unnest({_key(index): one.type for index, one in enumerate(columns)})
    return query.where(and_(*[one == keys.c[_key(index)] for index, one in enumerate(columns)]))


def select_from_keys(make: Callable[[Callable[[int], ColumnElement[Any]]], Select[Any]]) -> Select[Any]:
    """Make a query as `Engine.select_from_keys` says. All parts of keys are integers."""
    used: set[int] = set()

    def count(index: int) -> ColumnElement[Any]:
        used.add(index)
        return literal_column("0", BigInteger)

    make(count)
    keys = _unnest({_key(index): BigInteger() for index in range(max(used) + 1)})
    return make(lambda index: keys.c[_key(index)]).select_from(keys)


def keys_as_parameters(keys: Sequence[Any]) -> dict[str, str]:
    """Return the parameters for keys: one array for each part of a key."""
    parts = zip(*keys, strict=True) if isinstance(keys[0], tuple) else (keys,)
    return {_key(index): array_of(part) for index, part in enumerate(parts)}


def rows_as_parameters(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the parameters for rows: one array for each column."""
    return {name: array_of([row[name] for row in rows]) for name in rows[0]}


def array_of(values: Iterable[object]) -> str:
    """Return an array of integers, texts and None in PostgreSQL's notation.

    The driver would look at each value to find the type of the array, which takes several times as long.
    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "NULL" if value is None else str(value)


def one_value(connection: psycopg.Connection[tuple[Any, ...]], query: str, *values: object) -> Any:
    """Run a query of one column, and return its value in the first row, or None if there is no row."""
    with psycopg.RawCursor(connection) as cursor:
        for (value,) in cursor.execute(query, values, prepare=False).fetchall():
            return value
        return None


def _key(index: int) -> str:
    return f"keys{index}"


def _unnest(types: Mapping[str, TypeEngine[Any]]) -> TableValuedAlias:
    arrays = [bindparam(name, type_=ARRAY(type)) for name, type in types.items()]
    return func.unnest(*arrays).table_valued(*[column(name, type) for name, type in types.items()]).render_derived()


def _types_of(write: Write, names: Sequence[str]) -> dict[str, TypeEngine[Any]]:
    """Return the types of the parameters of a write, by name."""
    if isinstance(write, Insert):
        return {name: write.table.c[name].type for name in names}
    parts: Iterable[Any] = visitors.iterate(write)
    types: dict[str, TypeEngine[Any]] = {part.key: part.type for part in parts if _is_given(part)}
    for target, value in (getattr(write, "_values", None) or {}).items():
        if _is_given(value):
            types[value.key] = (write.table.c[target] if isinstance(target, str) else target).type
    return {name: Text() if isinstance(type, NullType) else type for name, type in types.items()}


def _is_given(part: Any) -> bool:
    """Return whether a part of a statement is a parameter that each call gives."""
    return isinstance(part, BindParameter) and part.required
