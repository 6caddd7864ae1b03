"""What waits, taken from each owner in turn. So one owner who has much waiting delays nobody else for long."""

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """At most `limit` things of all owners wait. The things of one owner are taken in the order in which they came."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()  # whose turn is next comes first

    def __len__(self) -> int:
        return self._count

    def add(self, owner: str, one: T) -> T | None:
        """Add one thing. If too much waits now, remove and return the last thing of the owner with the most things.

        That may be the thing itself.
        """
        self._waiting.setdefault(owner, deque()).append(one)
        self._count += 1
        if self._count <= self._limit:
            return None
        longest = max(self._waiting, key=lambda owner: len(self._waiting[owner]))
        last = self._waiting[longest][-1]
        self.discard(longest, last)
        return last

    def take(self) -> T | None:
        """Remove and return the next thing, or return None if nothing waits."""
        if not self._waiting:
            return None
        owner, things = self._waiting.popitem(last=False)
        if len(things) > 1:
            self._waiting[owner] = things  # behind the other owners
        self._count -= 1
        return things.popleft()

    def discard(self, owner: str, one: T) -> None:
        """Remove a thing if it waits."""
        things = self._waiting.get(owner, ())
        if one in things:
            self._waiting[owner].remove(one)
            self._count -= 1
            if not self._waiting[owner]:
                del self._waiting[owner]
