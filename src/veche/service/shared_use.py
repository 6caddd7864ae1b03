"""Tells the other nodes how much is used of the limits here, and counts here what is used there.

So somebody has about the same limit on many nodes as on one. While the bus is away, each node counts alone.
"""

import asyncio
import base64
import hashlib
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

from veche.bus.bus import Bus
from veche.service.limits import Limit

PAUSE = 0.05  # seconds in which amounts are added up before they are told
MAX_TOLD = 1000  # keys that are told at once; of further ones, other nodes hear nothing
AMOUNTS_IN_A_NOTE = 40


class SharedUse:
    """Shares limits, which have names, with the other nodes.

    Keys are addresses, accounts, and what people type as their names. They travel as a hash with the server's secret.
    """

    def __init__(self, bus: Bus, secret: str, limits: Mapping[str, Limit]) -> None:
        self._bus = bus
        self._limits = dict(limits)
        self._hash_key = hashlib.sha256(f"limits:{secret}".encode("utf-8", "surrogateescape")).digest()
        self._used: dict[tuple[str, Hashable], float] = {}  # since the last notes
        self._soon: asyncio.TimerHandle | None = None
        bus.on_note("used", self._on_used)
        for limit_name, limit in self._limits.items():
            limit.share(self._name_of, partial(self._add, limit_name))

    def _name_of(self, key: Hashable) -> str:
        digest = hashlib.blake2b(repr(key).encode(), digest_size=9, key=self._hash_key).digest()
        return base64.b64encode(digest).decode()

    def _add(self, limit_name: str, name: Hashable, amount: float) -> None:
        if not self._bus.connected:
            return
        use = (limit_name, name)
        if use not in self._used and len(self._used) >= MAX_TOLD:
            return
        self._used[use] = self._used.get(use, 0.0) + amount
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(PAUSE, self._tell)

    def _tell(self) -> None:
        self._soon = None
        used = [[*use, amount] for use, amount in self._used.items() if amount]
        self._used.clear()
        for start in range(0, len(used), AMOUNTS_IN_A_NOTE):
            self._bus.tell("used", used[start : start + AMOUNTS_IN_A_NOTE])

    def _on_used(self, node_id: str, payload: Any) -> None:
        for limit_name, name, amount in payload:
            if (limit := self._limits.get(limit_name)) is not None:  # a later version may have further limits
                limit.add_told(name, amount)
