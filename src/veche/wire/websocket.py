"""The WebSocket protocol class for uvicorn: upgrade, messages, closing handshake. An open connection needs no task.

uvicorn creates one instance per upgrade request (`Config(ws=WebSocket)`) and passes it the transport and the received
bytes. The routes of the `Wire` in the lifespan state choose the `Handler`, which receives the decoded messages.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from math import inf
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final, cast

from veche.wire import tcp
from veche.wire.frames import Close, Fault, Incoming, Ping, close_frame, pong_frame, text_frame
from veche.wire.handler import WIRE, Accept, Accepted, Handler, Wire
from veche.wire.handshake import Upgrade, UpgradeRefused, check_origin, read_upgrade, refusal_response
from veche.wire.proxy import network
from veche.wire.reader import FrameReader
from veche.wire.upgrades import decide, log_upgrade, refusal_of_bug

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

DELIVER_SECONDS: Final = 0.001  # for which the frames of one connection are delivered before others have their turn
_FLUSH_TIMEOUT: Final = 5.0  # seconds to write the buffered data after the closing handshake

_CROWDED: Final = (503, b"", (("Retry-After", "1"),))

logger = logging.getLogger("veche.wire")


class WebSocket(asyncio.Protocol):
    """One WebSocket connection. Implements `wire.handler.MessageSocket`.

    `write` takes frames. A caller that writes often may keep a reference to it.
    """

    __slots__ = (
        "_accept_task",
        "_connections",
        "_early",
        "_handler",
        "_left",
        "_loop",
        "_opened",
        "_reader",
        "_timer",
        "_transport",
        "_wire",
        "closing",
        "reading_paused",
        "received_since_ping",
        "slot",
        "upgrade",
        "write",
    )

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self._wire: Wire = app_state[WIRE]
        self._connections = cast("set[object]", server_state.connections)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._handler: Handler
        self._opened = False
        self._reader: FrameReader | None = None
        self._early = b""  # what came in one read with the request, until the upgrade is accepted
        self._left: Sequence[Incoming] = ()
        self._accept_task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.upgrade: Upgrade | None = None
        self.write: Callable[[bytes], None] = _discard
        self.closing = self.reading_paused = False
        self.received_since_ping = True
        self.slot = 0

    # Called by handlers.

    def send(self, payload: bytes) -> None:
        """Send a text message. `payload` must be UTF-8."""
        self.write(text_frame(payload))

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Start the closing handshake. Without a code, the close frame is empty. A second call does nothing.

        The handler receives no further message. Its `closed()` is called when the connection ends: when the client
        answers, disconnects, or exceeds `Wire.close_timeout`.
        """
        if self.closing:
            return
        write = self._begin_closing()
        write(close_frame(code, reason))
        self._read_on()

    def admitted(self) -> None:
        """Somebody has signed in. The connection does not count as a guest of the client's address any more."""
        self._wire.connections.admit(self)

    def abort(self) -> None:
        """Drop the connection, with all data that is not yet sent."""
        self._transport.abort()

    def pause_reading(self) -> None:
        """Stop reading from the socket. Messages that were received already wait as well."""
        if not self.closing:
            self.reading_paused = True
            self._transport.pause_reading()

    def limit_messages(self, size: int) -> None:
        """Refuse later messages over `size` bytes, as soon as their header arrives."""
        if self._reader is not None:
            self._reader.limit = size

    def resume_reading(self) -> None:
        if not self.closing:
            self.reading_paused = False
            self.received_since_ping = True
            self._read_on()

    # Called by uvicorn.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self.received_since_ping = True
        if self._reader is None:
            if self.upgrade is not None:
                self._early += data
            elif not self.closing:
                self._request_received(data)
            return
        self._deliver(self._reader.feed(data))
        if self._has_more():
            self._read_on()

    def _deliver(self, received: Sequence[Incoming]) -> None:
        """Deliver what was received, until the handler pauses reading, or for DELIVER_SECONDS. Keep the rest."""
        until = self._loop.time() + DELIVER_SECONDS if len(received) > 1 else inf
        for count, incoming in enumerate(received):
            if (self.reading_paused and not self.closing) or (count and self._loop.time() > until):
                self._left = received[count:]
                return
            try:
                if type(incoming) is str:
                    if not self.closing:
                        self._handler.text(incoming)
                else:
                    self._handle(incoming)
            except Exception:
                logger.exception("A WebSocket handler failed")
                self._close_detached(1011, "internal error")

    # What was received and not yet delivered: `_left`, and then the unparsed bytes of the reader.

    def handle_slice(self) -> None:
        """Called by the backlog: deliver the next slice, unless reading is paused."""
        if self._reader is not None and (self.closing or not self.reading_paused):
            self.received_since_ping = True
            left, self._left = self._left, ()
            self._deliver(left or self._reader.feed(b""))
            if self.closing or not self.reading_paused:
                self._read_on()

    def _read_on(self) -> None:
        """Deliver what was received, or read more if all is delivered.

        As long as something is left, nothing is read: not even if the handler has paused reading and resumed it since
        the slice began. So what is received later can neither overtake nor replace what is left.
        """
        if self._has_more():
            self._transport.pause_reading()
            self._wire.backlog.add(self)
        else:
            self._transport.resume_reading()

    def _has_more(self) -> bool:
        return bool(self._left) or (self._reader is not None and self._reader.has_more)

    # Called by uvicorn.

    def pause_writing(self) -> None:
        if self._opened and not self.closing:
            self._wire.heartbeats.paused(self, self._loop.time())
            self._call_handler(self._handler.paused)

    def resume_writing(self) -> None:
        if self._opened and not self.closing:
            self._wire.heartbeats.resumed(self)
            self._call_handler(self._handler.resumed)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._wire.connections.leave(self)
        self._wire.backlog.discard(self)
        self._left = ()
        if not self.closing:
            self._begin_closing()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None  # it refers back to this object
        if self._accept_task is not None:
            self._accept_task.cancel()
        self._detach_handler()

    def shutdown(self) -> None:
        """Called by uvicorn when it stops. uvicorn then waits until all connections are closed."""
        if not self.closing:
            self._call_handler(self._handler.draining) if self._opened else self._refuse_now(UpgradeRefused(503))

    # Called by `Connections`.

    def crowded_out(self) -> None:
        """Close the connection without waiting for the client, because nobody has signed in on it."""
        if self._opened:
            self._call_handler(self._handler.crowded_out)
            self._close_transport()
        elif not self.closing:
            self._refuse_now(UpgradeRefused(*_CROWDED))

    # Called by `HeldBytes`.

    def held(self) -> int:
        """Return about how many bytes wait: unsent ones, and received ones that are not handled yet."""
        reader = self._reader
        received = len(self._early) if reader is None else reader.held
        return self._transport.get_write_buffer_size() + received + sum(map(getsizeof, self._left))

    # Called by the heartbeat.

    def send_heartbeat(self) -> bool:
        frames = self._handler.heartbeat
        if frames is None:
            return False
        self.write(frames)
        return True

    def unanswered(self) -> None:
        self._call_handler(self._handler.unanswered)

    def stalled(self) -> None:
        self._call_handler(self._handler.stalled) if self._opened else self.crowded_out()

    # The upgrade.

    def _request_received(self, head: bytes) -> None:
        wire = self._wire
        try:
            upgrade = read_upgrade(head, tcp.peer_host(self._transport), wire.trusted, self._transport)
            self.upgrade = upgrade
            check_origin(upgrade, wire.origins)
            accept = wire.routes(upgrade)
        except UpgradeRefused as refused:
            self._refuse(refused)
        except Exception as error:
            self._refuse(refusal_of_bug("", error))
        else:
            if not wire.connections.enter(self, network(upgrade.client)):
                self._refuse(UpgradeRefused(*_CROWDED))
                return
            # Until the upgrade is accepted, the client's data waits in the kernel's buffer, which is limited.
            self._transport.pause_reading()
            self._accept_task = self._loop.create_task(self._run_accept(accept, upgrade))

    async def _run_accept(self, accept: Accept, upgrade: Upgrade) -> None:
        try:
            self._open(*await decide(accept, upgrade, self._wire.accept_timeout))
        except UpgradeRefused as refused:
            self._refuse(refused)
        finally:
            self._accept_task = None
            if not self._opened:
                self._refuse(UpgradeRefused(503))  # the task was cancelled

    def _open(self, accepted: Accepted, response: bytes) -> None:
        if self.closing:
            return
        tcp.tune(self._transport, self._wire.send_buffer)
        self._transport.set_write_buffer_limits(high=self._wire.high_water)
        self._reader = FrameReader(accepted.max_message)
        self._handler = accepted.handler
        self._opened = True
        self.write = self._transport.write
        self.write(response)
        self._wire.heartbeats.add(self)
        self._transport.resume_reading()
        log_upgrade(self.upgrade, tcp.peer_host(self._transport), 101)
        self._call_handler(lambda: accepted.handler.opened(self))
        self.upgrade = None
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

    def _refuse_now(self, refused: UpgradeRefused) -> None:
        """Refuse the upgrade while it is being decided."""
        if self._accept_task is not None:
            self._accept_task.cancel()
        self._refuse(refused)

    def _refuse(self, refused: UpgradeRefused) -> None:
        if self.closing:
            return
        self.closing = True
        log_upgrade(self.upgrade, tcp.peer_host(self._transport), refused.status)
        self.upgrade = None
        self._transport.write(refusal_response(refused))
        self._transport.close()

    # Control frames, binary messages and protocol errors.

    def _handle(self, incoming: Incoming) -> None:
        if isinstance(incoming, Close):
            self._close_received(incoming)
        elif isinstance(incoming, Fault):
            self._fail(incoming)
        elif self.closing:
            return
        elif isinstance(incoming, bytes):
            self._handler.binary(incoming)
        elif isinstance(incoming, Ping):
            self.write(pong_frame(incoming.payload))

    def _close_received(self, close: Close) -> None:
        """Answer the client's close frame with the same code, unless it answers our own (section 5.5.1)."""
        if not self.closing:
            write = self._begin_closing()
            self._detach_handler()
            write(close_frame(close.code))
        self._close_transport()

    def _fail(self, fault: Fault) -> None:
        """Fail the connection (section 7.1.7).

        If a socket with unread input is closed, the kernel sends a reset, and the client may lose the close frame. So
        close only our half now. Close the rest when the client closes its half, or after `Wire.close_timeout`.
        """
        self._close_detached(fault.code, fault.reason)
        self._detach_handler()  # also if the connection is closing already
        if self._transport.can_write_eof():
            self._transport.write_eof()

    # Closing.

    def _begin_closing(self) -> Callable[[bytes], None]:
        """Stop delivering messages and discard later writes. Returns the transport's `write`, for the close frame."""
        self.closing = True
        self._wire.heartbeats.discard(self)
        self._timer = self._loop.call_later(self._wire.close_timeout, self._close_timed_out)
        self.write = _discard
        return self._transport.write

    def _close_timed_out(self) -> None:
        """Close the transport, because the client did not answer the close frame.

        If the close frame is not yet sent, the client reads slowly. Then close only our half and keep reading. If input
        arrived after a full close, the kernel would send a reset, and the client would lose the close frame.
        """
        if self._transport.get_write_buffer_size() and self._transport.can_write_eof():
            self._transport.write_eof()
            self._timer = self._loop.call_later(_FLUSH_TIMEOUT, self._transport.abort)
        else:
            self._close_transport()

    def _close_transport(self) -> None:
        """Close the transport after its buffer is written, or abort it after `_FLUSH_TIMEOUT`."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()
        self._timer = self._loop.call_later(_FLUSH_TIMEOUT, self._transport.abort)

    def _detach_handler(self) -> None:
        if self._opened:
            self._opened = False
            handler = self._handler
            del self._handler
            self._call_handler(handler.closed)

    def _close_detached(self, code: int, reason: str) -> None:
        """Start the closing handshake without the handler, because nothing may follow the close frame."""
        if not self.closing:
            write = self._begin_closing()
            self._detach_handler()
            write(close_frame(code, reason))
            self._read_on()

    def _call_handler(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            logger.exception("A WebSocket handler failed")
            self._close_detached(1011, "internal error")


def _discard(frames: bytes) -> None:
    """Replaces `write` once the connection is closing."""
