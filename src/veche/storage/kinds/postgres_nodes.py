"""A node's lease in PostgreSQL: one row of the table `nodes`, which the node renews on a connection of its own.

A node is alive as long as its lease has not run out, by the clock of the database. A node that was stopped for some
seconds keeps it. If it was stopped for longer, others may have removed its row, and it takes a new lease when it wakes.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import psycopg

from veche.storage.engines.engine import DatabaseError
from veche.storage.engines.postgres_limit import Limited
from veche.storage.engines.postgres_sql import SCHEMA
from veche.storage.kinds.postgres_identity import LOCAL
from veche.storage.kinds.process import has_ended, this_process

LEASE_SECONDS = 10
RENEW_SECONDS = 2.0
LOOK_SECONDS = 0.5
"""Between two looks at the lease of another node, while a node waits for it to run out."""
LATE_SECONDS = 6.0
"""After the last renewal, when a node takes the database for one that cannot be reached."""
_STATEMENT_SECONDS = 4
_LEAVE_SECONDS = 3.0

Connection = psycopg.Connection[tuple[Any, ...]]
Locked = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction with the advisory lock of this database."""

# All names in these statements are our own.
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_LEASE = f"{_NOW} + {LEASE_SECONDS * 1_000_000}"
_OTHERS = f"""
    SELECT id, process, shares_bus, lobby_seq, lease_until, lease_until > {_NOW} FROM {SCHEMA}.nodes
    WHERE id <> $1::text ORDER BY started_at, id
"""  # noqa: S608
_INSERT = f"""
    INSERT INTO {SCHEMA}.nodes (id, machine, process, shares_bus, lobby_seq, started_at, lease_until)
    VALUES ($1::text, $2::text, $3::text, $4::int, $5::bigint, {_NOW}, {_LEASE})
"""  # noqa: S608
_RENEW = f"""
    WITH mine AS (
        UPDATE {SCHEMA}.nodes SET lease_until = {_LEASE} WHERE id = $1::text AND lease_until > {_NOW} RETURNING id
    )
    SELECT (SELECT count(*) FROM mine), count(*) FILTER (WHERE machine <> $2::text), array_agg(id::text)
    FROM {SCHEMA}.nodes WHERE id <> $1::text AND lease_until > {_NOW}
"""  # noqa: S608
_COUNT = f"""
    SELECT count(*) FILTER (WHERE lease_until > {_NOW}), count(*) FILTER (WHERE lease_until <= {_NOW}),
    count(*) FILTER (WHERE lease_until > {_NOW} AND shares_bus = 0) FROM {SCHEMA}.nodes
"""  # noqa: S608
_REMOVE = f"DELETE FROM {SCHEMA}.nodes WHERE id = ANY($1::text[])"  # noqa: S608
_REMOVE_ENDED = f"DELETE FROM {SCHEMA}.nodes WHERE lease_until <= {_NOW} RETURNING id"  # noqa: S608

logger = logging.getLogger("veche.storage")


def count_alive(connection: Connection) -> int:
    """Return how many nodes have a lease."""
    return count(connection).alive


class Counts(NamedTuple):
    """How many nodes have a lease, had one that ran out, and have one but no bus."""

    alive: int
    ended: int
    without_bus: int


def count(connection: Connection) -> Counts:
    """Count the nodes in the table."""
    return Counts(*connection.execute(_COUNT).fetchall()[0])


class _Other(NamedTuple):
    id: str
    process: str
    shares_bus: int
    lobby_seq: int
    lease_until: int
    is_alive: bool


class PostgresNode:
    """A process as a node. `connect` opens a connection whose cursors are raw ones. `join` must come first.

    `limited` breaks a connection on which a block takes too long: then the server stands still.

    `machine`: the same for all nodes that stop together. Empty: this node stops alone. `shares_bus`: whether it hears
    what other nodes announce.
    """

    def __init__(
        self,
        node_id: str,
        name: str,
        connect: Callable[[], Connection],
        limited: Limited,
        locked: Locked,
        *,
        machine: str,
        shares_bus: bool,
    ) -> None:
        self.id = node_id
        self.lobby_seq = 0
        self._name = name
        self._connect = connect
        self._limited = limited
        self._locked = locked
        self._machine = machine or self.id
        self._shares_bus = shares_bus
        self._connection: Connection | None = None
        self._successors = 0
        self.others: frozenset[str] = frozenset()
        self._is_reached = True
        self._renewed_at = time.monotonic()
        self._may_remove_at = time.monotonic() + LEASE_SECONDS
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="veche-lease", daemon=True)
        self._on_ended: Callable[[], object]
        self._on_refused: Callable[[str], object]

    @property
    def problem(self) -> str | None:
        is_late = time.monotonic() - self._renewed_at > LATE_SECONDS  # a database that stands still answers nothing
        return None if self._is_reached and not is_late else "The database cannot be reached."

    @property
    def has_successors(self) -> bool:
        return self._successors > 0

    # Joining.

    def join(self, lobby_seq: int) -> None:
        """Take a lease. `lobby_seq`: the head of the lobby, which counts if no other node is alive.

        If another node is alive and the two would not hear each other, wait until its lease has run out. Raise
        DatabaseError if it renews it.
        """
        seen: dict[str, int] = {}
        while conflicts := self._try_to_join(lobby_seq):
            if not seen:
                logger.warning("another node may still serve %s; waiting for its lease to run out", self._name)
            for other in conflicts:
                if seen.setdefault(other.id, other.lease_until) != other.lease_until:
                    raise DatabaseError(self._refusal(other))
            time.sleep(LOOK_SECONDS)

    def _try_to_join(self, lobby_seq: int) -> list[_Other]:
        """Take a lease. If other nodes would not hear this one, return them instead."""
        with (
            self._locked() as connection,
            self._limited(connection, _STATEMENT_SECONDS + 1),
            psycopg.RawCursor(connection) as cursor,
        ):
            cursor.execute(LOCAL)
            found = [_Other(*row) for row in cursor.execute(_OTHERS, [self.id]).fetchall()]
            ended = [other.id for other in found if has_ended(other.process)]
            others = [other for other in found if other.is_alive and other.id not in ended]
            cursor.execute(_REMOVE, [[*ended, self.id]])
            conflicts = [other for other in others if not (self._shares_bus and other.shares_bus)]
            if not conflicts:
                self.lobby_seq = others[0].lobby_seq if others else lobby_seq
                values = [self.id, self._machine, this_process(), int(self._shares_bus), self.lobby_seq]
                cursor.execute(_INSERT, values)
            return conflicts

    def _refusal(self, other: _Other) -> str:
        if self._shares_bus:
            return (
                f"Another node serves {self._name} without a bus, so it would not hear this one. Set VECHE_BUS_URL "
                "there, too, and start it again."
            )
        return (
            f"Another node serves {self._name}. Several nodes need a bus: set VECHE_BUS_URL on each of them, for "
            "example to redis://HOST, or stop the other one."
        )

    # The lease.

    def start(self, on_ended: Callable[[], object], on_refused: Callable[[str], object]) -> None:
        """Begin to renew the lease. See `storage.nodes.Node`."""
        self._on_ended, self._on_refused = on_ended, on_refused
        self._renew()
        self._thread.start()

    def leave(self) -> None:
        """End the lease."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_LEAVE_SECONDS)
        if self._thread.is_alive():
            return  # the database stands still; the lease runs out by itself
        with contextlib.suppress(psycopg.Error, DatabaseError), self._connected() as connection:
            connection.execute(_REMOVE, [[self.id]])
        self._close()

    def _run(self) -> None:
        while not self._stopping.wait(RENEW_SECONDS):
            self._renew()

    def _renew(self) -> None:
        """Renew the lease. If it has run out, take a new one: others may have come who took this node for dead."""
        try:
            with self._connected() as connection:
                row = connection.execute(_RENEW, [self.id, self._machine]).fetchone()
            assert row is not None
            is_mine, self._successors, others = row
            self.others = frozenset(others or ())
            self._reached()
            if not is_mine:
                self._join_again()
            elif time.monotonic() >= self._may_remove_at:
                self._remove_ended()
        except (psycopg.Error, DatabaseError) as error:
            self._not_reached(error)

    def _join_again(self) -> None:
        logger.warning("the lease of this node ran out, because it stood still or was cut off; it takes a new one")
        if conflicts := self._try_to_join(self.lobby_seq):
            self._stopping.set()
            self._on_refused(self._refusal(conflicts[0]))

    def _remove_ended(self) -> None:
        with self._connected() as connection:
            ended = connection.execute(_REMOVE_ENDED).fetchall()
        if ended:
            logger.warning("the lease of %d nodes ran out", len(ended))
            self._on_ended()

    def _reached(self) -> None:
        self._renewed_at = time.monotonic()
        if not self._is_reached:
            self._is_reached = True
            logger.info("%s is reached again", self._name)

    def _not_reached(self, error: Exception) -> None:
        """Note that the lease is not renewed. The other nodes may have the same trouble.

        They get the time of one lease to renew theirs before this node removes any.
        """
        if self._is_reached:
            self._is_reached = False
            logger.warning("the lease of this node cannot be renewed: %s", str(error).strip().partition("\n")[0])
        self._may_remove_at = time.monotonic() + LEASE_SECONDS
        self.others = frozenset()  # nobody knows
        self._close()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Take the connection of this node, in a transaction whose statements may not take long."""
        if self._connection is None:
            self._connection = self._connect()
        with self._limited(self._connection, _STATEMENT_SECONDS + 1), self._connection.transaction():
            self._connection.execute(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS}s'")
            # While a replica is missing for which commits wait, this node is alive, and the lease need not outlive it.
            self._connection.execute(LOCAL)
            yield self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
