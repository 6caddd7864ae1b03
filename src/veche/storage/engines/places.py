"""The places for connections of an engine: whoever needs a connection takes a place, and puts it back.

A place is None until its connection is opened.
"""

import queue
from typing import Protocol, TypeAlias, TypeVar


class Closable(Protocol):
    """A connection of any driver."""

    def close(self) -> None:
        """Close it."""


C = TypeVar("C", bound=Closable)

Places: TypeAlias = queue.Queue[C | None] | queue.SimpleQueue[C | None]


def filled(places: Places[C], size: int) -> Places[C]:
    """Fill a queue with places, and return it."""
    for _ in range(size):
        places.put(None)
    return places


def close_all(places: Places[C]) -> None:
    """Close the connections that nobody has taken. Their places stay."""
    taken = [places.get_nowait() for _ in range(places.qsize())]
    for connection in taken:
        if connection is not None:
            connection.close()
        places.put(None)
