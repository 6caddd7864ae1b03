"""The network between a node and a service: TCP connections that can be cut, or fall silent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

LIMIT = 10.0


class Network:
    """Runs wires in a thread of its own, so that they do not wait for the clients of the run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._wires: list[Wire] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for wire in self._wires:
            self.do(wire.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT)
        self._loop.close()

    def wire(self, target: int, host: str = "127.0.0.1") -> Wire:
        """Make a wire from a new port of an address of ours to a port of 127.0.0.1."""
        wire = Wire(self, target, host)
        asyncio.run_coroutine_threadsafe(wire.listen(), self._loop).result(LIMIT)
        self._wires.append(wire)
        return wire

    def do(self, what: Callable[[], None]) -> None:
        """Call a function in the thread, and wait for it."""

        async def call() -> None:
            what()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(LIMIT)


class Wire:
    """Passes connections to its port on to another port. `mend` ends what `cut` or `hold` began."""

    def __init__(self, network: Network, target: int, host: str) -> None:
        self.host = host
        self.port = 0
        self.target = target
        self.is_cut = False
        self.is_held = False
        self.ends: set[End] = set()
        self._network = network

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: NearEnd(self), self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset all connections, and each new one."""
        self._network.do(self._cut)

    def hold(self) -> None:
        """Pass nothing on any more, without a word: connections stay open, and new ones are taken."""
        self._network.do(self._hold)

    def mend(self) -> None:
        """Work again. What was held is passed on."""
        self._network.do(self._mend)

    def _cut(self) -> None:
        self.is_cut = True
        self._abort()

    def _hold(self) -> None:
        self.is_held = True
        for end in self.ends:
            end.transport.pause_reading()

    def _mend(self) -> None:
        self.is_cut = self.is_held = False
        for end in tuple(self.ends):
            if end.other is not None and end.other not in self.ends:  # it ended while this one was held
                end.transport.abort()
            elif end.other is not None:
                end.transport.resume_reading()

    def _abort(self) -> None:
        for end in tuple(self.ends):
            end.transport.abort()

    def close(self) -> None:
        self._server.close()
        self._abort()


class End(asyncio.Protocol):
    """One end of a connection. What it receives goes to the other end."""

    transport: asyncio.Transport

    def __init__(self, wire: Wire, other: End | None = None) -> None:
        self.wire = wire
        self.other = other

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.wire.ends.add(self)

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and not self.wire.is_held:
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.wire.ends.discard(self)
        if self.other is not None and not self.wire.is_held:
            self.other.transport.close()


class NearEnd(End):
    """The end that a node has opened. It reads nothing until the other end is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.wire.is_cut:
            self.transport.abort()
            return
        self.transport.pause_reading()
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            _, self.other = await loop.create_connection(lambda: End(self.wire, self), "127.0.0.1", self.wire.target)
        except OSError:
            self.transport.abort()
            return
        if self.wire.is_held:
            self.other.transport.pause_reading()
        else:
            self.transport.resume_reading()
