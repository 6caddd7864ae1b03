"""What an Engine.IO connection needs of the application that uses it."""

from __future__ import annotations

from typing import Protocol


class Application(Protocol):
    """Receives what happens on a connection. The callbacks run on the event loop and must not block.

    If `text` or `binary` raises an exception, the connection ends. BadPacket means that the client broke the protocol;
    other exceptions are logged.
    """

    def text(self, text: str) -> None: ...
    def binary(self, data: bytes) -> None: ...

    def upgraded(self) -> None:
        """The connection uses a WebSocket now: `connection.write` and `connection.frame` have changed."""

    def paused(self) -> None:
        """The client reads too slowly. Called during a write: do not write here."""

    def resumed(self) -> None:
        """The client has read enough: writing may continue."""

    def closed(self, reason: str) -> None:
        """The connection has ended. Called once. If the server closed it with `close()`, sending still works here."""
