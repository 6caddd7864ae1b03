"""Things by owner, the oldest first: such as the connections of each address, when one of them has to go."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class ByOwner(Generic[T]):
    """Each thing has one owner. Neither a thing nor an owner is kept after `discard`."""

    def __init__(self) -> None:
        self._owners: dict[T, Hashable] = {}
        self._things: dict[Hashable, dict[T, None]] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def __contains__(self, thing: T) -> bool:
        return thing in self._owners

    def count(self, owner: Hashable) -> int:
        """Return how many things an owner has."""
        return len(self._things.get(owner, ()))

    def add(self, thing: T, owner: Hashable) -> None:
        """Make a thing the newest of an owner. It may have belonged to another."""
        self.discard(thing)
        self._owners[thing] = owner
        self._things.setdefault(owner, {})[thing] = None

    def discard(self, thing: T) -> None:
        """Remove a thing. Do nothing if it is not there."""
        if thing in self._owners:
            owner = self._owners.pop(thing)
            del self._things[owner][thing]
            if not self._things[owner]:
                del self._things[owner]

    def oldest(self) -> T | None:
        """Return the thing that was added the longest ago, or None if there is none."""
        return next(iter(self._owners), None)

    def oldest_of(self, owner: Hashable) -> T | None:
        """Return the thing of an owner that was added the longest ago, or None if it has none."""
        return next(iter(self._things.get(owner, ())), None)
