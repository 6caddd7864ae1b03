"""What the server and the commands need of one open database, whichever kind it is. `opening.py` opens it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from veche.storage.engines.engine import DatabaseError as DatabaseError
from veche.storage.engines.engine import Failure, Transaction
from veche.storage.engines.index import Index
from veche.storage.nodes import Node

DEFAULT_URL = "sqlite:///data/veche.db"
"""The folder of this database is created if it is missing. Other folders are not: the address may be misspelt."""


class Database(Protocol):
    """One open database.

    `on_replaced` is called, in some thread, when the database has another history than before: its server was replaced.
    It is set by whoever has to know it.
    """

    on_replaced: Callable[[], object]
    histories: int
    """How many more histories the database has had since it was opened. It is counted before `on_replaced`."""

    @property
    def name(self) -> str:
        """What people read instead of its URL, which may contain a password."""

    def history(self) -> str:
        """Return what tells this database and its present history from all others.

        It is the same in all processes that have it open. It has changed when `on_replaced` is called.
        """

    def secret(self) -> str:
        """Return the secret that signs tokens if no setting gives one. It is created at the first call."""

    def join(self, node_id: str, lobby_seq: int, *, machine: str = "", shares_bus: bool = False) -> Node:
        """Become one of the nodes that serve this database. Raises DatabaseError if it may not.

        `lobby_seq`: the head of the lobby. `machine`: the same for all nodes that stop together. `shares_bus`: whether
        the node hears what other nodes announce. Without that, it may only be the only one.
        """

    def writing(self) -> AbstractContextManager[Transaction]:
        """Open a write transaction. It is committed at the end of the block, or rolled back if the block raises."""

    def reading(self) -> AbstractContextManager[Transaction]:
        """Open a read transaction. All its reads see one snapshot of the database."""

    def index(self) -> Index:
        """Open the index of the search. Only the process that serves the database may. Close it before the database."""

    def rest(self) -> None:
        """Do what is better done when nobody waits for a commit. It may raise, and then does it the next time."""

    def failure_of(self, error: BaseException) -> Failure | None:
        """Return why a transaction raised `error`. None means a bug."""

    def close(self) -> None:
        """Close all connections, and let others serve the database."""
