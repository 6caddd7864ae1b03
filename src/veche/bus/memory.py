"""The bus of a server with one node. It calls its listeners. There is nobody else to tell."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from veche.bus.bus import Listener, OnBell, OnConnected, OnNote
from veche.core.event import LogEvent
from veche.core.values import LogId


class MemoryBus:
    """Passes each batch of committed entries to all listeners, in commit order."""

    def __init__(self) -> None:
        self.node_id = secrets.token_hex(8)
        self._listeners: list[Listener] = []

    @property
    def connected(self) -> bool:
        """True: the node hears everybody there is."""
        return True

    @property
    def was_connected(self) -> bool:
        """True: the node hears everybody there is."""
        return True

    async def start(self) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""

    def begin_history(self, history: str) -> None:
        """Do nothing: there is no other node."""

    def subscribe(self, listener: Listener) -> None:
        """Call a function with the entries that are announced, in commit order."""
        self._listeners.append(listener)

    def publish(self, events: Sequence[LogEvent]) -> None:
        """Pass entries to the listeners."""
        for listener in self._listeners:
            listener(events)

    def on_bell(self, handler: OnBell) -> None:
        """Do nothing: there is no other node."""

    def follow(self, log_id: LogId) -> None:
        """Do nothing."""

    def unfollow(self, log_id: LogId) -> None:
        """Do nothing."""

    def on_followed(self, handler: Callable[[Sequence[LogId]], None]) -> None:
        """Do nothing: no entry is missed."""

    def tell(self, kind: str, payload: Any) -> None:
        """Do nothing: there is no other node."""

    def on_note(self, kind: str, handler: OnNote) -> None:
        """Do nothing: there is no other node."""

    def on_connected(self, callback: OnConnected) -> None:
        """Do nothing: it is always connected."""
