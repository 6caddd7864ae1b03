"""Counts what each key holds now, such as the connections of an address, and refuses more than a cap."""

from __future__ import annotations

from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", str, int)


class Holders(Generic[KeyT]):
    """How many things each key holds now: at most `cap`.

    A key that holds nothing is not kept. So the memory is bounded by the number of things that are held. For a client's
    address use `proxy.network` as the key. Each `take` that returned True needs one `release`.
    """

    __slots__ = ("_cap", "_held")

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._held: dict[KeyT, int] = {}

    def __len__(self) -> int:
        """The number of keys that hold something."""
        return len(self._held)

    def held(self, key: KeyT) -> int:
        """Return how many things a key holds."""
        return self._held.get(key, 0)

    def take(self, key: KeyT) -> bool:
        """Count one thing more. Return False, and count nothing, if the key already holds `cap` things."""
        held = self._held.get(key, 0)
        if held >= self._cap:
            return False
        self._held[key] = held + 1
        return True

    def release(self, key: KeyT) -> None:
        """Count one thing less. Raises KeyError if the key holds nothing."""
        held = self._held[key]
        if held > 1:
            self._held[key] = held - 1
        else:
            del self._held[key]
