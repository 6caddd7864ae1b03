"""Socket options of long-lived connections."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Final

USER_TIMEOUT_MS: Final = 60_000
KEEPALIVE_IDLE: Final = 30  # seconds of silence
KEEPALIVE_INTERVAL: Final = 10  # seconds


def tune(transport: asyncio.BaseTransport, send_buffer: int) -> None:
    """Limit the kernel's send buffer to `send_buffer` bytes, and drop a peer that is unreachable for a minute."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)


def peer_host(transport: asyncio.BaseTransport) -> str:
    """Return the peer's IP address, or "" on a Unix socket."""
    name = transport.get_extra_info("peername")
    # Many connections come from one proxy: they share the string.
    return sys.intern(str(name[0])) if isinstance(name, tuple) and name else ""
