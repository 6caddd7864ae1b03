"""The bell of a single process: a plain call."""

from collections.abc import Callable, Sequence

from veche.core.event import LogEvent

Listener = Callable[[Sequence[LogEvent]], None]


class MemoryBus:
    """Passes each batch of committed entries to its listeners, in commit order."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every batch from now on."""
        self._listeners.append(listener)

    def publish(self, events: Sequence[LogEvent]) -> None:
        """Ring: these entries are committed."""
        for listener in self._listeners:
            listener(events)
