"""What a run leaves to the analysis: the records of clients, and what is stored at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from .records import ME, Invoke, Record

AnyKind = TypeVar("AnyKind")


@dataclass(frozen=True)
class Violation:
    """`kind` is a stable word for counting and comparing; `sentence` says what happened, with names and numbers."""

    kind: str
    sentence: str


@dataclass(frozen=True)
class Stored:
    """A message of a history. `kind` is `text`, or `notice` for a message of the server."""

    room: int
    seq: int
    id: int
    sender: int
    cid: str | None
    text: str
    kind: str = "text"
    revision: int = 0
    deleted: bool = False


@dataclass(frozen=True)
class StoredChange:
    """An entry of a room's log that changed a message: `kind` is `edited` or `deleted`."""

    room: int
    seq: int
    kind: str
    message_id: int
    revision: int


@dataclass(frozen=True)
class StoredTurn:
    """An entry that switched something on or off (see `switches`)."""

    log: int
    seq: int
    switch: str
    on: bool


@dataclass(frozen=True)
class Evidence:
    """All that a run produced.

    `accounts` has the account id of each client, `members` the clients of each room from its first event on.
    `served` is the history from the public API. `rows` and `events` are read from the database, events as (log, seq),
    where a room's log has the id of the room, and an account's own log has the negated id of the account.
    `heads` has the head of each room from the public API. `changes` has the entries that changed messages,
    and `turns` those that switched something on or off.
    """

    records: Sequence[Record]
    accounts: Mapping[str, int]
    members: Mapping[int, frozenset[str]]
    served: Sequence[Stored]
    rows: Sequence[Stored]
    events: Sequence[tuple[int, int]] = ()
    heads: Mapping[int, int] = field(default_factory=dict)
    changes: Sequence[StoredChange] = ()
    turns: Sequence[StoredTurn] = ()

    def all(self, kind: type[AnyKind]) -> list[AnyKind]:
        return [record for record in self.records if isinstance(record, kind)]

    @cached_property
    def invoked(self) -> dict[str, Invoke]:
        return {invoke.cid: invoke for invoke in self.all(Invoke)}

    @cached_property
    def by_cid(self) -> dict[str, Stored]:
        return {row.cid: row for row in self.rows if row.cid is not None}

    @cached_property
    def by_place(self) -> dict[tuple[int, int], Stored]:
        return {(row.room, row.seq): row for row in self.rows}

    @cached_property
    def numbers(self) -> dict[int, set[int]]:
        """The seqs that the database has of each log."""
        numbers: dict[int, set[int]] = defaultdict(set)
        for log, seq in [*self.by_place, *self.events]:
            numbers[log].add(seq)
        return dict(numbers)

    def log_of(self, client: str, room: int) -> int:
        """Return the id of the log that a client names by a room id or `ME`."""
        return -self.accounts[client] if room == ME else room
