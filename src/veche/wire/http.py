"""uvicorn's HTTP with what it leaves open: how large a request's head may be, and how long a request may take to come.

Gets and gives what `HttpToolsProtocol` does; the bounds are those of the `Wire` in the lifespan state.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from veche.wire import tcp
from veche.wire.handler import WIRE, Wire

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """One connection. All that comes of a request but its body is counted: head, edges of chunks, trailers."""

    _size = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wire: Wire = self.app_state[WIRE]
        tcp.tune(transport, self._wire.send_buffer)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        self._size += len(data)
        super().data_received(data)
        if self._size > self._wire.max_head:
            self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_request()

    def on_body(self, body: bytes) -> None:
        self._size -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._size = 0
        self._await_nothing()

    def handle_websocket_upgrade(self) -> None:
        self._size = 0
        self._await_nothing()
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_nothing()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        """From the connection on, or the first byte of a later request; between two, uvicorn's keep-alive counts."""
        if self._timer is None:
            self._timer = self.loop.call_later(self._wire.request_within, self.transport.abort)

    def _await_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        else:
            self.transport.abort()  # an answer may be under way already
