"""One Engine.IO connection without I/O. It uses polling, a WebSocket, or polling first and then a WebSocket.

On polling, written packets wait in an outbox until a poll takes them. On a WebSocket, they go to its `write`. The
upgrade from polling to a WebSocket does not lose, repeat or reorder packets:

    client: WebSocket with the sid, 2probe    probe()      The waiting poll gets 6 (noop), and so does each further
    server: 3probe                                         poll after a short time. Then the client stops polling.
    client: 5                                 upgrade()    The outbox is written to the WebSocket, `write` changes,
                                                           and the application's `upgraded()` is called.

A caller that keeps a reference to the `write` of polling may use it after the upgrade too. That function then converts
the packets to WebSocket frames and writes them to the WebSocket. The new `write` does the same faster.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from veche.wire.engineio.application import Application
from veche.wire.engineio.packets import (
    CLOSE,
    MAX_PAYLOAD,
    MAX_POLL,
    MESSAGE,
    NOOP,
    PING,
    PONG,
    BadPacket,
    Packet,
    number_of_packets,
    poll_binary,
    poll_frame,
    split_packets,
    to_websocket,
)
from veche.wire.frames import binary_frame, text_frame
from veche.wire.handler import MessageSocket

MAX_OUTBOX: Final = 1_048_576
"""If the outbox grows above this number of bytes, `Application.paused` is called. At half of it, `resumed` is."""

logger = logging.getLogger("veche.wire")

Callback = Callable[[], object]


class Owner(Protocol):
    """What a connection needs of the server that owns it."""

    def pong_received(self, connection: EngineConnection) -> None:
        """The client sent a pong, or could not send one because the server did not read."""

    def entered(self, connection: EngineConnection) -> None:
        """The client has shown that it may use the application."""

    def forget(self, connection: EngineConnection) -> None:
        """The connection has ended and nothing waits in its outbox: remove its sid."""


class EngineConnection:
    """One connection, on polling or on a WebSocket. `address` is the client's address.

    `max_payload` is the limit of a POST body and of a WebSocket message, in bytes: small until `enter` is called.
    `write` takes framed bytes: `write(frame(payload))`. A caller may keep a reference to it.
    """

    __slots__ = (
        "_discarding",
        "_outbox",
        "_outbox_bytes",
        "_owner",
        "_reading_held",
        "_resume_post",
        "_wake_poll",
        "_websocket",
        "address",
        "application",
        "ended",
        "frame",
        "max_payload",
        "paused",
        "posting",
        "probing",
        "reading",
        "sid",
        "taking",
        "write",
    )
    application: Application

    def __init__(
        self,
        owner: Owner,
        sid: str,
        address: str,
        websocket: MessageSocket | None = None,
        max_payload: int = MAX_PAYLOAD,
    ) -> None:
        self.sid = sid
        self.address = address
        self.ended = False
        self.paused = False
        self.reading = True
        self.probing = False  # a WebSocket has started the upgrade, so polls must return soon
        self.posting = False  # set by `Polling`, which allows one POST at a time
        self.taking = 0  # set by `Polling`: the bytes of the POST whose packets it takes
        self.max_payload = max_payload
        self.frame: Callable[[bytes], bytes] = poll_frame
        self.write: Callable[[bytes], None] = self.queue
        self._owner = owner
        self._websocket: MessageSocket | None = None
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._wake_poll: Callback | None = None
        self._resume_post: Callback | None = None
        self._reading_held = False
        self._discarding = False
        if websocket is not None:
            self._use_websocket(websocket)

    @property
    def closing(self) -> bool:
        return self.ended

    @property
    def on_websocket(self) -> bool:
        return self._websocket is not None

    @property
    def reading_paused(self) -> bool:
        """True while the client cannot send a pong because of the server. A missing pong then means nothing.

        On polling, clients send one POST at a time. So they wait until its packets are taken, unless they do not poll.
        """
        return not self.reading if self._websocket is not None else self.taking > 0 and not self.paused

    # Called by the application.

    def send(self, payload: bytes) -> None:
        """Send a text packet. `payload` includes the packet type."""
        self.write(self.frame(payload))

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        self.write(binary_frame(data) if self.on_websocket else poll_binary(data))

    def queue(self, chunk: bytes) -> None:
        """Send packets that are framed for polling. This also works after the upgrade."""
        if self._discarding:
            return
        if self._websocket is not None:
            self._websocket.write(to_websocket(chunk))
            return
        self._outbox.append(chunk)
        self._outbox_bytes += len(chunk)
        if self._wake_poll is not None:
            self._wake_poll()
        elif self._outbox_bytes > MAX_OUTBOX:
            self.pause()

    def enter(self) -> None:
        """The client has shown that it may use the application: from now on, the small limits do not hold."""
        self.max_payload = MAX_PAYLOAD
        if self._websocket is not None:
            self._websocket.limit_messages(MAX_PAYLOAD)
        self._owner.entered(self)

    def pause_reading(self) -> None:
        """Stop reading from the client. Messages already received are still delivered."""
        self._reading_held = True
        self._update_reading()

    def resume_reading(self) -> None:
        self._reading_held = False
        self._update_reading()

    def close(self, reason: str = "server closed") -> None:
        """Close the connection after everything written before is sent. A second call does nothing."""
        self._end(reason, CLOSE, flush=True, keep_sid=True)

    # Called by the transports.

    def received(self, packet: Packet) -> bool:
        """Handle one packet. Returns False if the packet ended the connection with an error."""
        if self.ended:
            return True
        try:
            self._handle(packet)
        except BadPacket as bad:
            self.fail(str(bad))
            return False
        except Exception:
            logger.exception("An Engine.IO application failed")
            self.fail("internal error")
            return False
        return True

    def _handle(self, packet: Packet) -> None:
        if isinstance(packet, bytes):
            self.application.binary(packet)
            return
        kind = packet[:1]
        if kind == MESSAGE:
            self.application.text(packet[1:])
        elif kind == PONG:
            self._owner.pong_received(self)
        elif kind == CLOSE:
            self._end("client closed", NOOP, keep_sid=True)
        else:
            raise BadPacket("a packet that a client must not send")

    def fail(self, reason: str) -> None:
        """Close the connection at once: drop the outbox and forget the sid."""
        self._end(reason, CLOSE)

    def drop(self, reason: str) -> None:
        """Close the connection at once, and forget it even if the client has not fetched the last packets."""
        self.fail(reason)
        self._owner.forget(self)

    def pause(self) -> None:
        if not self.paused and not self.ended:
            self.paused = True
            self._update_reading()
            self.application.paused()

    def resume(self) -> None:
        if self.paused and not self.ended:
            self.paused = False
            self._update_reading()
            self.application.resumed()

    def _update_reading(self) -> None:
        """Pause reading if the client reads too slowly or the application has paused reading. Otherwise resume it."""
        reading = not (self.paused or self._reading_held)
        if self.ended or reading == self.reading:
            return
        self.reading = reading
        if reading:
            self._owner.pong_received(self)  # the client could not send a pong meanwhile
            self._release_post()
        if self._websocket is not None:
            (self._websocket.resume_reading if reading else self._websocket.pause_reading)()

    # Called by the heartbeat.

    def send_ping(self) -> None:
        if self.ended:
            self._owner.forget(self)  # no poll has fetched the last packets
        else:
            self.send(PING.encode())

    def unanswered(self) -> None:
        self.drop("ping timeout")

    # Called by `HeldBytes`.

    def held(self) -> int:
        """Return how many bytes wait: for a poll, and in a POST. What waits on a WebSocket is counted there."""
        return self._outbox_bytes + self.taking

    def stalled(self) -> None:
        self.drop("stalled")

    def abort(self) -> None:
        self._owner.forget(self)

    # Polling.

    def poll(self, wake: Callback) -> bool:
        """Start a poll. `wake` is called when the poll should call `take`.

        If another poll is waiting, close the connection and return False.
        """
        if self._wake_poll is not None:
            self.fail("two polls at once")
            return False
        self._wake_poll = wake
        if self._outbox or self.ended:
            wake()
        return True

    def take(self) -> bytes:
        """Finish a poll: return the first packets of the outbox as a payload, or a noop if there are none."""
        self._wake_poll = None
        payload = self._first_packets()[:-1]
        if self.ended and not self._outbox:
            self._owner.forget(self)
        elif self._websocket is None and self._outbox_bytes <= MAX_OUTBOX // 2:
            self.resume()
        return payload or NOOP.encode()

    def _first_packets(self) -> bytes:
        """Remove up to MAX_POLL packets from the outbox and return them."""
        found, room = list[bytes](), MAX_POLL
        while self._outbox and room:
            first, rest = split_packets(self._outbox.popleft(), room)
            if rest:
                self._outbox.appendleft(rest)
            room -= number_of_packets(first)
            self._outbox_bytes -= len(first)
            found.append(first)
        return b"".join(found)

    def call_when_reading(self, wake: Callback) -> None:
        """Call `wake` once the client may send again: at once if it already may, or if the connection has ended."""
        self._resume_post = wake
        if self.reading or self.ended:
            self._release_post()

    # The upgrade.

    def probe(self) -> bool:
        """Start the upgrade to a WebSocket. Returns False if it is not possible now."""
        if self.probing or self.ended or self._websocket is not None:
            return False
        self.probing = True
        if self._wake_poll is not None:
            self._wake_poll()
        return True

    def cancel_probe(self) -> None:
        self.probing = False

    def upgrade(self, websocket: MessageSocket) -> None:
        """Finish the upgrade: write the outbox to the WebSocket and use it from now on."""
        outbox = b"".join(self._outbox)
        was_paused, self.paused = self.paused, False
        self.probing = False
        self._clear_outbox()
        self._update_reading()
        self._use_websocket(websocket)
        if not self.reading:
            websocket.pause_reading()
        websocket.write(to_websocket(outbox))  # may call `pause`
        if self._wake_poll is not None:
            self._wake_poll()
        if not self.ended:
            self.application.upgraded()
        if was_paused and not (self.paused or self.ended):
            self.application.resumed()

    def _use_websocket(self, websocket: MessageSocket) -> None:
        self._websocket = websocket
        websocket.limit_messages(self.max_payload)
        self.write = websocket.write
        self.frame = text_frame

    # Closing.

    def _end(self, reason: str, last_packet: str, *, flush: bool = False, keep_sid: bool = False) -> None:
        if self.ended:
            return
        self.ended = True
        self._discarding = not flush
        websocket = self._websocket
        if not flush:
            self._clear_outbox()
            self.write = _discard
        self._release_post()
        self._notify_closed(reason)
        self._discarding = True
        self.write = _discard
        if websocket is None:
            self._outbox.append(poll_frame(last_packet.encode()))
        if self._wake_poll is not None:
            self._wake_poll()
        if websocket is not None:
            websocket.close()
        if websocket is not None or not keep_sid:
            self._owner.forget(self)

    def _notify_closed(self, reason: str) -> None:
        try:
            self.application.closed(reason)
        except Exception:
            logger.exception("An Engine.IO application failed in closed()")
        del self.application  # the two refer to each other: without this line only the garbage collector frees them

    def _clear_outbox(self) -> None:
        self._outbox.clear()
        self._outbox_bytes = 0

    def _release_post(self) -> None:
        wake, self._resume_post = self._resume_post, None
        if wake is not None:
            wake()


def _discard(chunk: bytes) -> None:
    """Replaces `write` once the connection has ended."""
