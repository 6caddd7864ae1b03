"""What is asked of the kernel for a connection that stays open."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

DEAD_AFTER_MS: Final = 60_000
PROBE_AFTER: Final = 30  # seconds of silence
PROBE_EVERY: Final = 10


def tune(transport: asyncio.BaseTransport, send_buffer: int) -> None:
    """Bound what the kernel holds for a peer that does not read, and drop one that has vanished after a minute."""
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is None:
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    if peer.family in (socket.AF_INET, socket.AF_INET6):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)


def peer_host(transport: asyncio.BaseTransport) -> str:
    """The peer's address, or "" on a Unix socket."""
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) and name else ""
