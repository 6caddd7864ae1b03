"""The bus of a server with one process. It calls its listeners."""

from collections.abc import Callable, Sequence

from veche.core.event import LogEvent

Listener = Callable[[Sequence[LogEvent]], None]


class MemoryBus:
    """Passes each batch of committed entries to all listeners, in commit order."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def publish(self, events: Sequence[LogEvent]) -> None:
        for listener in self._listeners:
            listener(events)
