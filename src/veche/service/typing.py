"""Who is writing a message: told to whoever receives the room now, on all nodes. Nothing of it is stored.

It is the first thing to be left out when there is much to do. The client limits how often somebody is told about, a
node tells the others of so many a second, and the hub leaves out rooms with many people and clients that are behind.
"""

import asyncio
from typing import Any, Final

import msgspec

from veche.bus.bus import Bus
from veche.core.typing import Typing
from veche.core.values import LogId, Person
from veche.hub.hub import Hub

TOLD_PER_SECOND: Final = 200  # to other nodes; notes of other kinds need the bus, too
KIND: Final = "typing"


class Typists:
    """Shows who is writing, here and on the other nodes."""

    def __init__(self, bus: Bus, hub: Hub) -> None:
        self._bus = bus
        self._hub = hub
        self._second = 0.0  # in the loop's time
        self._told = 0  # since `_second`
        bus.on_note(KIND, self._on_note)

    def tell(self, person: Person, room_id: LogId) -> None:
        """Show to everybody else who receives a room that a person is writing there."""
        typing = Typing(room_id, person)
        self._hub.show(typing)
        now = asyncio.get_running_loop().time()
        if now - self._second >= 1:
            self._second, self._told = now, 0
        if self._told < TOLD_PER_SECOND:
            self._told += 1
            self._bus.tell(KIND, msgspec.to_builtins(typing))

    def _on_note(self, node_id: str, payload: Any) -> None:
        self._hub.show(msgspec.convert(payload, Typing))
