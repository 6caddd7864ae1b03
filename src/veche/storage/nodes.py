"""The nodes that serve one database: the table, and what a node knows of itself and of the others.

Each node has a row, and renews its lease in it every few seconds. Times are those of the database's clock. Only a
database that several nodes may serve has rows: an SQLite file is locked by the one node that serves it.
"""

from collections.abc import Callable
from typing import Protocol

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from veche.storage.tables import metadata

nodes = Table(
    "nodes",
    metadata,
    Column("id", String(32), primary_key=True),
    # The nodes that stop together have the same: the workers of one `veche serve`.
    Column("machine", String(32), nullable=False),
    Column("process", Text, nullable=False),  # where it runs, so that others on the same machine see that it has ended
    Column("shares_bus", Integer, nullable=False),  # 1: it hears what other nodes announce
    Column("lobby_seq", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
)


class Node(Protocol):
    """What a process knows as one of the nodes that serve a database."""

    id: str
    lobby_seq: int
    """The head of the lobby when the first of these nodes started, and no other was alive."""

    others: frozenset[str]
    """The ids of the other nodes that had a lease when this one was last renewed."""

    @property
    def problem(self) -> str | None:
        """Why the node should get no clients now, as an English sentence. None: it may get them."""

    @property
    def has_successors(self) -> bool:
        """Whether other nodes can take the clients when this node, and all of its machine, stop."""

    def start(self, on_ended: Callable[[], object], on_refused: Callable[[str], object]) -> None:
        """Begin to renew the lease. The callbacks are called in another thread.

        `on_ended`: the lease of another node ran out. `on_refused`: this node must stop, for this reason.
        """

    def leave(self) -> None:
        """End the lease. The node must not serve any more."""


class LoneNode:
    """The only node that may serve a database."""

    problem: str | None = None
    has_successors = False
    others: frozenset[str] = frozenset()

    def __init__(self, node_id: str, lobby_seq: int) -> None:
        self.id = node_id
        self.lobby_seq = lobby_seq

    def start(self, on_ended: Callable[[], object], on_refused: Callable[[str], object]) -> None:
        """Do nothing: there are no other nodes."""

    def leave(self) -> None:
        """Do nothing."""
