"""The interface between a transport and a dialect: sockets, handlers, and how an upgrade is accepted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from veche.wire.backlog import Backlog
from veche.wire.connections import Connections
from veche.wire.frames import MAX_MESSAGE
from veche.wire.handshake import Upgrade
from veche.wire.heartbeat import Heartbeats
from veche.wire.origins import Origins
from veche.wire.proxy import Trusted

WIRE: Final = "veche.wire"
"""The key of the `Wire` in the lifespan state."""
GONE: Final = "veche.gone"
"""The ASGI extension of HTTP requests: a function that takes what to call once if the client is gone."""
SIGNED_IN: Final = "veche.signed_in"
"""The key of a function in the extensions of an HTTP scope. Call it with the id of the account that a token is for."""
STREAMED: Final = "veche.streamed"
"""The key of a function in the extensions of an HTTP scope. Call it with the seconds that the whole request may take,
if its body is not kept: what was read of it does not count as bytes that the server holds.
"""


class Socket(Protocol):
    """One open WebSocket, as a handler sees it."""

    write: Callable[[bytes], None]
    """Writes frames. A caller that writes often may keep a reference to it, but must not write after the close."""
    upgrade: Upgrade | None
    """The upgrade request. None after `Handler.opened` returns."""

    def send(self, payload: bytes) -> None:
        """Send a text message. `payload` must be UTF-8."""

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Start the closing handshake. A second call does nothing."""

    def abort(self) -> None:
        """Drop the connection, with all data that is not yet sent."""

    def admitted(self) -> None:
        """Somebody has signed in. The connection does not count as a guest of the client's address any more."""

    def pause_reading(self) -> None:
        """Stop reading from the client."""

    def resume_reading(self) -> None: ...


class MessageSocket(Socket, Protocol):
    """One open WebSocket whose largest message can be changed."""

    def limit_messages(self, size: int) -> None:
        """Refuse later messages over `size` bytes. At first this is `Accepted.max_message`."""


class Handler(Protocol):
    """Receives what happens on one connection. The callbacks run on the event loop and must not block.

    If a callback raises, the exception is logged and the connection is closed with 1011.
    """

    heartbeat: bytes | None
    """The frames to send at every heartbeat, such as `frames.ping_frame()`. None: send nothing."""

    def opened(self, socket: MessageSocket) -> None:
        """The 101 response was written. `socket.upgrade` is available until this returns."""

    def text(self, text: str) -> None: ...
    def binary(self, data: bytes) -> None: ...

    def paused(self) -> None:
        """The client reads too slowly. Called during a write: do not write or subscribe here."""

    def resumed(self) -> None:
        """The client has read enough: writing may continue."""

    def draining(self) -> None:
        """The server is shutting down: close the connection."""

    def closed(self) -> None:
        """The connection has ended. Called once for each `opened`. Nothing may be written afterwards."""

    def unanswered(self) -> None:
        """The client did not answer the heartbeat in time: close the connection."""

    def stalled(self) -> None:
        """Writing has been paused for too long: close the connection."""

    def crowded_out(self) -> None:
        """The address has too many connections on which nobody has signed in: close the connection."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted upgrade: the handler, the chosen subprotocol, and the largest message in bytes."""

    handler: Handler
    subprotocol: str | None = None
    max_message: int = MAX_MESSAGE


Accept = Callable[[Upgrade], Awaitable[Accepted]]
"""Decides about an upgrade. Raises UpgradeRefused to refuse it."""
Routes = Callable[[Upgrade], Accept]
"""Returns the `Accept` for an upgrade's path. Raises UpgradeRefused if the path is unknown.

Raise a new exception each time. The traceback of a shared exception would grow without limit.
"""


@dataclass(frozen=True, slots=True)
class Wire:
    """The settings that all connections of a server share. Times are in seconds, sizes in bytes."""

    routes: Routes
    heartbeats: Heartbeats
    trusted: Trusted = field(default_factory=Trusted)
    origins: Origins = field(default_factory=Origins)
    """The origins whose pages may connect."""
    connections: Connections = field(default_factory=Connections)
    head_timeout: float = 5.0
    """Time to receive the head of a request. For the first request, the time starts with the connection."""
    request_timeout: float = 30.0
    """Time to receive a whole request with its body."""
    max_head: int = 65_536
    """Size of a request without its body."""
    accept_timeout: float = 10.0
    """Time to decide about an upgrade."""
    close_timeout: float = 1.0
    """Time for the client to answer our close frame."""
    send_buffer: int = 65_536
    """Size of the kernel's send buffer of a connection (SO_SNDBUF)."""
    high_water: int = 262_144
    """If the server's own send buffer of a connection grows above this, `Handler.paused` is called."""
    backlog: Backlog = field(default_factory=Backlog)
