"""One of the two databases of `veche copy`, as its kind opens it. Nobody else uses it meanwhile."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Table

from veche.storage.database import Database
from veche.storage.engines.engine import Transaction

COPIED_FROM = "copied_from"
"""The key in `meta` of the `identity` of the database from which a copy was made."""


def complete_nothing(secret: str | None, epoch: str) -> None:
    """Do nothing: the `complete` of a source."""


class CopyEnd(NamedTuple):
    """A source, or a target.

    `identity` is another one after a server has run with the database. `is_restored`: the next server draws a new
    epoch, because the database is a backup. `secret` signs tokens; it is None if a setting gives it, or if there is
    none yet. `load` writes rows of a table in a transaction of this database. `complete` is called when all rows are in
    a target, with the secret of the source and the epoch that the target will have.
    """

    database: Database
    identity: str
    is_restored: bool
    secret: str | None
    load: Callable[[Transaction, Table, Sequence[Any]], None]
    complete: Callable[[str | None, str], None]
