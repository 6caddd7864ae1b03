"""The places for Engine.IO connections: how many an address may have, and how many may not have entered yet.

A connection enters when its client shows that it may use the application. If a cap is reached, a new connection takes
the place of the oldest one that has not entered. So connections that never enter cannot keep anybody out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from veche.wire.holders import Holders
from veche.wire.proxy import network


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
    """All connections, and those that have not entered: the oldest first, together and by address."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self._addresses: dict[Placed, str] = {}
        self._held = Holders[str](caps.per_address)
        self._outside: dict[Placed, None] = {}
        self._outside_by_address: dict[str, dict[Placed, None]] = {}

    def make_room(self, address: str) -> bool:
        """Return whether a new connection of an address has a place. May drop the oldest that has not entered."""
        key, caps = network(address), self.caps
        mine = self._outside_by_address.get(key, {})
        if len(mine) >= caps.not_entered_per_address or self._held.held(key) >= caps.per_address:
            if not mine:
                return False
            _drop_oldest(mine)
        if len(self._outside) >= caps.not_entered or len(self._addresses) >= caps.total:
            if not self._outside:
                return False
            _drop_oldest(self._outside)
        return True

    def take(self, connection: Placed) -> None:
        """Count a new connection. Call this directly after `make_room`."""
        key = self._addresses[connection] = network(connection.address)
        self._held.take(key)
        self._outside[connection] = None
        self._outside_by_address.setdefault(key, {})[connection] = None

    def enter(self, connection: Placed) -> None:
        """Count a connection as entered. A second call does nothing."""
        if connection in self._outside:
            key = self._addresses[connection]
            del self._outside[connection], self._outside_by_address[key][connection]
            if not self._outside_by_address[key]:
                del self._outside_by_address[key]

    def has_entered(self, connection: Placed) -> bool:
        return connection in self._addresses and connection not in self._outside

    def release(self, connection: Placed) -> None:
        """Count a connection no more. A second call does nothing."""
        self.enter(connection)
        key = self._addresses.pop(connection, None)
        if key is not None:
            self._held.release(key)


def _drop_oldest(connections: dict[Placed, None]) -> None:
    next(iter(connections)).drop("a newer connection needed its place")
