"""One WebSocket's life inside uvicorn: upgrade, messages in, bytes out, close; callbacks only, no task per connection.

Gets a transport and bytes from uvicorn (`Config(ws=WebSocket)`), and a `Wire` from the lifespan state ("veche.wire").
Gives decoded messages to the `Handler` that the wire's routes chose, and framed bytes to the transport.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from veche.wire import tcp
from veche.wire.frames import Close, Event, Fault, Ping, close_frame, pong_frame, text_frame
from veche.wire.handler import WIRE, Accept, Accepted, Handler, Wire
from veche.wire.handshake import Upgrade, UpgradeRefused, accept_answer, check_origin, read_upgrade, refuse_answer
from veche.wire.reader import FrameReader

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

_FLUSH: Final = 5.0

_logger = logging.getLogger("veche.wire")


class WebSocket(asyncio.Protocol):
    """One connection. `write` takes framed bytes and is meant to be kept by whoever writes often."""

    __slots__ = (
        "_handler",
        "_loop",
        "_opened",
        "_peers",
        "_reader",
        "_task",
        "_timer",
        "_transport",
        "_wire",
        "closing",
        "deaf",
        "heard",
        "slot",
        "upgrade",
        "write",
    )

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self._wire: Wire = app_state[WIRE]
        self._peers = cast("set[object]", server_state.connections)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._handler: Handler
        self._opened = False
        self._reader: FrameReader | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.upgrade: Upgrade | None = None
        self.write: Callable[[bytes], None] = _nowhere
        self.closing = False
        self.heard = True
        self.deaf = False
        self.slot = 0

    # For handlers.

    def send(self, payload: bytes) -> None:
        """Send a text message, given as UTF-8."""
        self.write(text_frame(payload))

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Send a close frame (without a code: an empty one) and see the closing handshake through; harmless twice.

        No message is delivered after it. `closed()` follows when the peer has answered, gone, or not done so in time.
        """
        if self.closing:
            return
        write = self._begin_closing()
        write(close_frame(code, reason))
        self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection and all that is still to be written."""
        self._transport.abort()

    def pause_reading(self) -> None:
        """Let the peer wait. What was already received is still delivered."""
        if not self.closing:
            self.deaf = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.closing:
            self.deaf = False
            self.heard = True
            self._transport.resume_reading()

    # For uvicorn.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._peers.add(self)

    def data_received(self, data: bytes) -> None:
        self.heard = True
        if self._reader is None:
            self._head_received(data)
            return
        try:
            for event in self._reader.feed(data):
                if type(event) is str:
                    if not self.closing:
                        self._handler.text(event)
                else:
                    self._received(event)
        except Exception:
            _logger.exception("A WebSocket handler failed")
            self.close(1011, "internal error")

    def pause_writing(self) -> None:
        if self._opened and not self.closing:
            self._wire.heartbeats.paused(self, self._loop.time())
            self._tell(self._handler.paused)

    def resume_writing(self) -> None:
        if self._opened and not self.closing:
            self._wire.heartbeats.resumed(self)
            self._tell(self._handler.resumed)

    def connection_lost(self, exc: Exception | None) -> None:
        self._peers.discard(self)
        if not self.closing:
            self._begin_closing()
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._part()

    def shutdown(self) -> None:
        """Called when uvicorn stops, which waits until all connections are gone."""
        if self.closing:
            return
        if self._opened:
            self._tell(self._handler.draining)
            return
        if self._task is not None:
            self._task.cancel()
        self._refuse(UpgradeRefused(503))

    # For the heartbeat.

    def beat(self) -> bool:
        frames = self._handler.heartbeat
        if frames is None:
            return False
        self.write(frames)
        return True

    def unanswered(self) -> None:
        self._tell(self._handler.unanswered)

    def stalled(self) -> None:
        self._tell(self._handler.stalled)

    # The upgrade.

    def _head_received(self, head: bytes) -> None:
        wire = self._wire
        try:
            upgrade = read_upgrade(head, tcp.peer_host(self._transport), wire.trusted)
            check_origin(upgrade, wire.origins)
            accept = wire.routes(upgrade)
        except UpgradeRefused as refused:
            self._refuse(refused)
        except Exception:
            _logger.exception("A WebSocket upgrade could not be read")
            self._refuse(UpgradeRefused(500))
        else:
            # What the client sends before it is decided waits in the kernel, bounded and free of charge.
            self._transport.pause_reading()
            self.upgrade = upgrade
            self._task = self._loop.create_task(self._decide(accept, upgrade))

    async def _decide(self, accept: Accept, upgrade: Upgrade) -> None:
        try:
            async with asyncio.timeout(self._wire.accept_within):
                accepted = await accept(upgrade)
            self._open(accepted, accept_answer(upgrade, accepted.subprotocol))
        except UpgradeRefused as refused:
            self._refuse(refused)
        except TimeoutError:
            self._refuse(UpgradeRefused(503))
        except Exception:
            _logger.exception("A WebSocket upgrade of %r failed", upgrade.path)
            self._refuse(UpgradeRefused(500))
        finally:
            self._task = None
            if not self._opened:
                self._refuse(UpgradeRefused(503))  # something cancelled it

    def _open(self, accepted: Accepted, answer: bytes) -> None:
        if self.closing:
            return
        tcp.tune(self._transport, self._wire.send_buffer)
        self._transport.set_write_buffer_limits(high=self._wire.high_water)
        self._reader = FrameReader(accepted.max_message)
        self._handler = accepted.handler
        self._opened = True
        self.write = self._transport.write
        self.write(answer)
        self._wire.heartbeats.add(self)
        self._transport.resume_reading()
        self._tell(lambda: accepted.handler.opened(self))
        self.upgrade = None

    def _refuse(self, refused: UpgradeRefused) -> None:
        if self.closing:
            return
        self.closing = True
        self.upgrade = None
        self._transport.write(refuse_answer(refused))
        self._transport.close()

    # Events that are not text.

    def _received(self, event: Event) -> None:
        if isinstance(event, Close):
            self._peer_closed(event)
        elif isinstance(event, Fault):
            self._fail(event)
        elif self.closing:
            return
        elif isinstance(event, bytes):
            self._handler.binary(event)
        elif isinstance(event, Ping):
            self.write(pong_frame(event.payload))

    def _peer_closed(self, close: Close) -> None:
        """Echo the code, unless it answers our own close (section 5.5.1)."""
        if not self.closing:
            write = self._begin_closing()
            self._part()
            write(close_frame(close.code))
        self._hang_up()

    def _fail(self, fault: Fault) -> None:
        """Section 7.1.7. Closing with input unread makes the kernel send a reset, which overtakes the close frame.

        So only our half is closed now, the rest when the peer has closed its own, or the linger is over.
        """
        if not self.closing:
            write = self._begin_closing()
            self._part()
            write(close_frame(fault.code, fault.reason))
            self._transport.resume_reading()
        self._part()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    # The end.

    def _begin_closing(self) -> Callable[[bytes], None]:
        """From here on nothing is delivered and `write` leads nowhere. Returns the true one, for the last frame."""
        self.closing = True
        self._wire.heartbeats.discard(self)
        self._timer = self._loop.call_later(self._wire.linger, self._hang_up)
        self.write = _nowhere
        return self._transport.write

    def _hang_up(self) -> None:
        """Close when all is written; a peer that does not even read gets a few seconds."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()
        self._timer = self._loop.call_later(_FLUSH, self._transport.abort)

    def _part(self) -> None:
        if self._opened:
            self._opened = False
            handler = self._handler
            del self._handler
            self._tell(handler.closed)

    def _tell(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            _logger.exception("A WebSocket handler failed")
            self.close(1011, "internal error")


def _nowhere(frames: bytes) -> None:
    """The connection is over."""
