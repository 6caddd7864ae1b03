"""uvicorn's HTTP protocol class with more limits.

The limits are those of the `Wire` in the lifespan state: the size of a request's head (`max_head`), the time to receive
it (`head_timeout`) and the whole request (`request_timeout`), and the connections of an address (`connections`).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from veche.wire import tcp
from veche.wire.handler import GONE, SIGNED_IN, STREAMED, WIRE, Wire
from veche.wire.proxy import network

MAX_PIPELINED: Final = 100
"""Requests that one connection may send without waiting for their answers."""

_CROWDED = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """One HTTP connection. All bytes of a request except its body count as head, also chunk headers and trailers.

    While a request is being answered, and the client reads the answer, the connection is no guest of its address.
    """

    _head_size = 0
    _refusal = ""
    """What is answered to bytes that are no HTTP, after the answers to the requests before them."""
    _data = b""
    _timer: asyncio.TimerHandle | None = None
    _address: str | None = None
    _gone: Callable[[], object] | None = None
    """What the request that is being answered wants to be called if the client is gone."""
    _streamed: RequestResponseCycle | None = None
    """The request whose body is not kept."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # The requests without a complete response, in order, and how many bytes of their bodies have come.
        self._unanswered = dict[RequestResponseCycle, int]()
        self._wire: Wire = self.app_state[WIRE]
        tcp.tune(transport, self._wire.send_buffer)
        peer = self.client[0] if self.client else ""
        self._address = None if peer in self._wire.trusted else network(peer)
        if self._wire.connections.enter(self, self._address):
            self._start_timer(self._wire.head_timeout)
        else:
            transport.write(_CROWDED)
            transport.close()

    def data_received(self, data: bytes) -> None:
        if self._refusal:
            return
        self._head_size += len(data)
        self._data = data
        super().data_received(data)
        self._data = b""
        if self._head_size > self._wire.max_head:
            self._refuse()

    def _get_upgrade(self) -> bytes | None:
        """Return the protocol of an upgrade, or None. The values of Connection may be spread over several headers."""
        connection = b",".join(value for name, value in self.headers if name == b"connection")
        upgrades = [value.lower() for name, value in self.headers if name == b"upgrade"]
        wanted = b"upgrade" in [token.strip() for token in connection.lower().split(b",")]
        return upgrades[-1] if wanted and upgrades else None

    def on_headers_complete(self) -> None:
        """Refuse a request without exactly one Host (RFC 9112, section 3.2), and one of HTTP/0.9. The answer is 400."""
        version = self.parser.get_http_version()
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and version != "1.0") or version not in ("1.0", "1.1"):
            raise ValueError("no Host, several, or another version of HTTP")
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ValueError("too many requests that wait for an answer")
        self._stop_timer()
        self._start_timer(self._wire.request_timeout)
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self._unanswered[self.cycle] = 0

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {SIGNED_IN: self._signed_in, GONE: self._call_if_gone, STREAMED: self._stream}  # type: ignore[dict-item]
        self._start_timer(self._wire.head_timeout)

    def on_body(self, body: bytes) -> None:
        self._head_size -= len(body)
        if self.cycle in self._unanswered and self.cycle is not self._streamed:
            self._unanswered[self.cycle] += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_size = 0
        self._stop_timer()
        if self._is_answering():
            self._wire.connections.admit(self)

    def on_response_complete(self) -> None:
        del self._unanswered[next(iter(self._unanswered))]
        self._streamed = None
        self._gone = None
        super().on_response_complete()
        if self._refusal and not self._unanswered and not self.transport.is_closing():
            super().send_400_response(self._refusal)
        self._be_guest()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._be_guest()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._is_answering():
            self._wire.connections.admit(self)

    def handle_websocket_upgrade(self) -> None:
        self._head_size = 0
        self._stop_timer()
        self._wire.connections.leave(self)
        # uvicorn passes on the request alone. The same read may have frames after it.
        upgrade = sys.exception()
        frames = self._data[upgrade.args[0] :] if isinstance(upgrade, httptools.HttpParserUpgrade) else b""
        super().handle_websocket_upgrade()
        if frames:
            cast("asyncio.Protocol", self.transport.get_protocol()).data_received(frames)
        # These refer back to this object. Without these lines only the garbage collector could free them.
        self.parser = None  # type: ignore[assignment]
        self.scope.pop("extensions", None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._wire.connections.leave(self)
        self._tell_unanswered()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn does it only if the connection has ended without an error
        # These refer back to this object, as in `handle_websocket_upgrade`. The task of a request has its own.
        self._unanswered.clear()
        self.pipeline.clear()
        self.cycle = self.scope = self._streamed = None  # type: ignore[assignment]

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP. The requests before them are answered first."""
        if self._is_answering():
            self._refusal = msg
            self._stop_timer()
        elif len(self._unanswered) > 1 or any(cycle.response_started for cycle in self._unanswered):
            self.abort()
        else:
            super().send_400_response(msg)
            self._tell_unanswered()

    @property
    def has_begun(self) -> bool:
        """Whether a request has come."""
        return self.cycle is not None

    # Called by `Connections`.

    @property
    def closing(self) -> bool:
        return self.transport.is_closing()

    def crowded_out(self) -> None:
        """Close the connection: at once, or after the answer to the request that was received last."""
        if self._is_answering() and not self.flow.write_paused:
            self.cycle.keep_alive = False
        elif self._is_answering():
            self.abort()
        else:
            if self._timer is not None:
                self.transport.write(_CROWDED)
            self.transport.close()
            self._tell_unanswered()

    # Called by `HeldBytes`.

    def held(self) -> int:
        """Return about how many bytes wait: unsent ones, and the bodies of requests.

        The application may hold what it has read of a body until it has answered.
        """
        streamed = len(self._streamed.body) if self._streamed is not None else 0
        return self.transport.get_write_buffer_size() + sum(self._unanswered.values()) + streamed

    def stalled(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Close the connection at once, because a part of a response may have been sent already."""
        self.transport.abort()
        self._tell_unanswered()

    def _is_answering(self) -> bool:
        """Return whether a request was received completely, and its response is not complete."""
        return self.cycle is not None and not (self.cycle.more_body or self.cycle.response_complete)

    def _be_guest(self) -> None:
        if not self.transport.is_closing():
            self._wire.connections.be_guest(self, self._address)

    def _signed_in(self, account_id: int) -> None:
        if self._address is not None:
            self._wire.connections.sign_in(self, account_id)

    def _call_if_gone(self, gone: Callable[[], object]) -> None:
        if self.transport.is_closing():
            gone()
        else:
            self._gone = gone

    def _stream(self, seconds: float) -> None:
        """Give the request whose body is coming more time, and do not count what was read of its body."""
        if self.cycle in self._unanswered and self.cycle.more_body:
            self._streamed = self.cycle
            self._unanswered[self.cycle] = 0
            self._stop_timer()
            self._timer = self.loop.call_later(seconds, self.abort)

    def _start_timer(self, seconds: float) -> None:
        """Limit the time to receive a head, or a whole request. If the timer is already running, do nothing.

        Called for a new connection and for each later request. uvicorn limits the idle time between requests.
        """
        if self._timer is None:
            seconds = min(seconds, self._wire.request_timeout)
            self._timer = self.loop.call_later(seconds, self.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        else:
            self.abort()

    def _tell_unanswered(self) -> None:
        """Tell each request that its client is gone, so that it writes nothing. uvicorn tells only the last one."""
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        if self._gone is not None:
            gone, self._gone = self._gone, None
            gone()
