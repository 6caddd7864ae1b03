"""Between the wire and a dialect: what a handler is told, what it may do to its socket, and how it is let in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from veche.wire.frames import MAX_MESSAGE
from veche.wire.handshake import Upgrade
from veche.wire.heartbeat import Heartbeats
from veche.wire.proxy import Trusted

WIRE: Final = "veche.wire"
"""The key under which the lifespan state holds a `Wire`."""


class Socket(Protocol):
    """One open WebSocket, as a handler sees it."""

    write: Callable[[bytes], None]
    """Takes framed bytes; meant to be kept by whoever writes often. Nothing may be written once it is closed."""
    upgrade: Upgrade | None
    """What was asked for; None once `opened` has returned."""

    def send(self, payload: bytes) -> None:
        """Send a text message, given as UTF-8."""

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Send a close frame and see the closing handshake through; harmless twice."""

    def abort(self) -> None:
        """Drop the connection and all that is still to be written."""

    def pause_reading(self) -> None:
        """Let the peer wait."""

    def resume_reading(self) -> None:
        """Listen to the peer again."""


class Handler(Protocol):
    """What a dialect does with one connection: plain callbacks on the loop, of which none may block.

    One that raises is logged, and its connection closed with 1011.
    """

    heartbeat: bytes | None
    """Framed bytes written at every heartbeat; None: never. `frames.ping_frame()` is one."""

    def opened(self, socket: Socket) -> None:
        """The 101 has been written. `socket.upgrade` is there until this returns."""

    def text(self, text: str) -> None: ...
    def binary(self, data: bytes) -> None: ...

    def paused(self) -> None:
        """The peer reads slower than we write. Called in the middle of a write: only take note, change no container."""

    def resumed(self) -> None:
        """The peer has caught up."""

    def draining(self) -> None:
        """The server stops: say goodbye and close."""

    def closed(self) -> None:
        """The connection is over: once for each that was opened, and nothing may be written after it."""

    def unanswered(self) -> None:
        """The heartbeat was not answered: say so and close."""

    def stalled(self) -> None:
        """Writing has been paused for too long: close."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer 101: who gets the messages, under which of the offered subprotocols, of how many bytes at most."""

    handler: Handler
    subprotocol: str | None = None
    max_message: int = MAX_MESSAGE


Accept = Callable[[Upgrade], Awaitable[Accepted]]
"""Raises UpgradeRefused to answer something else than 101."""
Routes = Callable[[Upgrade], Accept]
"""Raises UpgradeRefused for an unknown path; a new one each time: a shared one would gather tracebacks for ever."""


@dataclass(frozen=True, slots=True)
class Wire:
    """What all connections of a server share; times in seconds, sizes in bytes."""

    routes: Routes
    heartbeats: Heartbeats
    trusted: Trusted = field(default_factory=Trusted)
    origins: frozenset[str] | None = None
    """Pages that may connect; None: all."""
    request_within: float = 30.0
    """How long a request may take to arrive, its body too, and how long a new connection may keep silent."""
    max_head: int = 65_536
    """How much of a request may be no body."""
    accept_within: float = 10.0
    linger: float = 1.0
    """How long the peer may take to answer our close."""
    send_buffer: int = 65_536
    """SO_SNDBUF: what the kernel holds for a peer that does not read."""
    high_water: int = 262_144
    """What we hold for it before the handler is told `paused`."""
