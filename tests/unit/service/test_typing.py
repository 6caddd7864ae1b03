"""Who is writing is told to the other nodes, so many times a second, and dropped beyond that."""

from __future__ import annotations

import secrets
from typing import Any

from veche.bus.memory import MemoryBus
from veche.core.event import Ephemeral
from veche.core.typing import Typing
from veche.core.values import Person
from veche.service import typing as service
from veche.service.typing import Typists

ANN = Person(2, "ann", "Ann")


class Shown:
    """A hub that notes what is shown."""

    def __init__(self) -> None:
        self.seen: list[Ephemeral] = []

    def show(self, shown: Ephemeral) -> None:
        self.seen.append(shown)


class Told(MemoryBus):
    """A bus that notes what is told to other nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[tuple[str, Any]] = []

    def tell(self, kind: str, payload: Any) -> None:
        self.notes.append((kind, payload))


async def test_others_here_see_it_always_and_other_nodes_so_often() -> None:
    hub: Any = Shown()
    bus = Told()
    typists = Typists(bus, hub)
    for _ in range(service.TOLD_PER_SECOND + 5):
        typists.tell(ANN, 7)
    assert hub.seen == [Typing(7, ANN)] * (service.TOLD_PER_SECOND + 5)
    assert len(bus.notes) == service.TOLD_PER_SECOND
    typists._second -= 1
    typists.tell(ANN, 7)
    assert len(bus.notes) == service.TOLD_PER_SECOND + 1


async def test_what_another_node_tells_is_shown() -> None:
    hub: Any = Shown()
    bus = Told()
    typists = Typists(bus, hub)
    typists.tell(ANN, 7)
    [(_, payload)] = bus.notes
    typists._on_note(secrets.token_hex(8), payload)
    assert hub.seen == [Typing(7, ANN)] * 2
