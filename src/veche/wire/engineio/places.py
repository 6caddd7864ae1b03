"""The places for Engine.IO connections: how many an address may have, and how many may not have entered yet.

A connection enters when its client shows that it may use the application. If a cap is reached, a new connection takes
the place of the oldest one that has not entered. So connections that never enter cannot keep anybody out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from veche.wire.by_owner import ByOwner
from veche.wire.proxy import network

REASON: Final = "a newer connection needed its place"


@dataclass(frozen=True, slots=True)
class Caps:
    """How many connections there may be. An IPv6 /64 network counts as one address."""

    total: int = 100_000
    per_address: int = 10_000
    not_entered: int = 10_000
    not_entered_per_address: int = 1_000


class Placed(Protocol):
    """What `Places` needs of a connection."""

    @property
    def address(self) -> str: ...
    def drop(self, reason: str) -> None: ...  # ends the connection and calls `Places.release`


class Places:
    """All connections, and those that have not entered, by address."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self._all = ByOwner[Placed]()
        self._outside = ByOwner[Placed]()

    def make_room(self, address: str) -> bool:
        """Return whether a new connection of an address has a place. May drop the oldest that has not entered."""
        key, caps, outside = network(address), self.caps, self._outside
        if outside.count(key) >= caps.not_entered_per_address or self._all.count(key) >= caps.per_address:
            if (oldest := outside.oldest_of(key)) is None:
                return False
            oldest.drop(REASON)
        if len(outside) >= caps.not_entered or len(self._all) >= caps.total:
            if (oldest := outside.oldest()) is None:
                return False
            oldest.drop(REASON)
        return True

    def take(self, connection: Placed) -> None:
        """Count a new connection. Call this directly after `make_room`."""
        key = network(connection.address)
        self._all.add(connection, key)
        self._outside.add(connection, key)

    def enter(self, connection: Placed) -> None:
        """Count a connection as entered. A second call does nothing."""
        self._outside.discard(connection)

    def has_entered(self, connection: Placed) -> bool:
        return connection in self._all and connection not in self._outside

    def release(self, connection: Placed) -> None:
        """Count a connection no more. A second call does nothing."""
        self._outside.discard(connection)
        self._all.discard(connection)
