"""One Engine.IO connection without I/O: packets in, bytes out, first by polling, then by a WebSocket, or by that alone.

On polling what is written waits in an outbox until a poll takes it; on a WebSocket it goes straight to its `write`. The
upgrade between them loses, repeats and reorders nothing:

    client: WebSocket with the sid, 2probe    probe()      a poll that waits is answered 6, and each further one
    server: 3probe                                         before long; then the client polls no more
    client: 5                                 upgrade()    the outbox is written to the WebSocket, `write` changes,
                                                           and the application is told `upgraded()`

Whoever kept the outbox's `queue` as its write may go on using it: since the upgrade it frames anew, and writes to the
same WebSocket. So nobody has to change in the same turn, only sooner or later, for the sake of speed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Protocol

from veche.wire.engineio.packets import (
    CLOSE,
    MESSAGE,
    NOOP,
    PING,
    PONG,
    BadPacket,
    Packet,
    poll_binary,
    poll_frame,
    to_websocket,
)
from veche.wire.frames import binary_frame, text_frame
from veche.wire.handler import Socket

OUTBOX: Final = 1_048_576
"""Bytes that wait for a poll before the application is told `paused`."""

_logger = logging.getLogger("veche.wire")

Wake = Callable[[], object]


class Application(Protocol):
    """What speaks over a connection: plain callbacks on the loop, of which none may block.

    One that raises BadPacket, or fails, ends the connection.
    """

    def text(self, text: str) -> None: ...
    def binary(self, data: bytes) -> None: ...

    def upgraded(self) -> None:
        """From now on `connection.write` and `connection.frame` are those of the WebSocket."""

    def paused(self) -> None:
        """The client reads slower than we write. Called in the middle of a write: only take note."""

    def resumed(self) -> None:
        """The client has caught up."""

    def closed(self, reason: str) -> None:
        """The connection is over. Called once. Called from inside `connection.close()`, it may still send."""


class Host(Protocol):
    """What a connection tells the server that holds it."""

    def answered(self, connection: EngineConnection) -> None:
        """A pong came."""

    def forget(self, connection: EngineConnection) -> None:
        """Nothing is left of it for anybody."""


class EngineConnection:
    """One client, whatever carries it. `write` takes framed bytes: `write(frame(payload))`, and may be kept."""

    __slots__ = (
        "_carrier",
        "_has_room",
        "_held",
        "_host",
        "_mute",
        "_size",
        "_waiting",
        "_wake",
        "application",
        "client",
        "ended",
        "frame",
        "paused",
        "posting",
        "probed",
        "reading",
        "sid",
        "write",
    )
    application: Application

    def __init__(self, host: Host, sid: str, client: str, carrier: Socket | None = None) -> None:
        self.sid = sid
        self.client = client  # the address
        self.ended = False
        self.paused = False
        self.reading = True
        self.probed = False  # a WebSocket is about to take over, and polls should not keep it waiting
        self.posting = False  # kept by the transport, which takes one POST at a time
        self.frame: Callable[[bytes], bytes] = poll_frame
        self.write: Callable[[bytes], None] = self.queue
        self._host = host
        self._carrier: Socket | None = None
        self._waiting: list[bytes] = []
        self._size = 0
        self._wake: Wake | None = None
        self._has_room: Wake | None = None
        self._held = False
        self._mute = False
        if carrier is not None:
            self._ride(carrier)

    @property
    def on_websocket(self) -> bool:
        return self._carrier is not None

    @property
    def deaf(self) -> bool:
        """Nothing is read from the client just now, so its silence proves nothing."""
        return self._carrier is not None and not self.reading

    # For the application.

    def send(self, payload: bytes) -> None:
        """Send a text packet, its type included."""
        self.write(self.frame(payload))

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        self.write(binary_frame(data) if self.on_websocket else poll_binary(data))

    def queue(self, chunk: bytes) -> None:
        """Take packets that are framed for polling; right at any time."""
        if self._mute:
            return
        if self._carrier is not None:
            self._carrier.write(to_websocket(chunk))
            return
        self._waiting.append(chunk)
        self._size += len(chunk)
        if self._wake is not None:
            self._wake()
        elif self._size > OUTBOX:
            self.pause()

    def pause_reading(self) -> None:
        """Let the client wait; what was already received is still delivered."""
        self._held = True
        self._listen()

    def resume_reading(self) -> None:
        self._held = False
        self._listen()

    def close(self, reason: str = "server closed") -> None:
        """End it in good order: what was written before is still read. Harmless twice."""
        self._end(reason, CLOSE, keep=True, linger=True)

    # From the transports.

    def received(self, packet: Packet) -> bool:
        """Take one packet; False: it broke the protocol, and the connection is over."""
        if self.ended:
            return True
        try:
            self._receive(packet)
        except BadPacket as bad:
            self.fail(str(bad))
            return False
        except Exception:
            _logger.exception("An Engine.IO connection failed")
            self.fail("internal error")
            return False
        return True

    def _receive(self, packet: Packet) -> None:
        if isinstance(packet, bytes):
            self.application.binary(packet)
            return
        kind = packet[:1]
        if kind == MESSAGE:
            self.application.text(packet[1:])
        elif kind == PONG:
            self._host.answered(self)
        elif kind == CLOSE:
            self._end("client closed", NOOP, linger=True)
        else:
            raise BadPacket("a packet that no client sends")

    def fail(self, reason: str) -> None:
        """End it at once: what waits is dropped, and its sid is unknown from now on."""
        self._end(reason, CLOSE)

    def pause(self) -> None:
        if not self.paused and not self.ended:
            self.paused = True
            self._listen()
            self.application.paused()

    def resume(self) -> None:
        if self.paused and not self.ended:
            self.paused = False
            self._listen()
            self.application.resumed()

    def _listen(self) -> None:
        """Who does not read answers, or is told to wait, may not ask for more."""
        reading = not (self.paused or self._held)
        if self.ended or reading == self.reading:
            return
        self.reading = reading
        if reading:
            self._host.answered(self)  # its pong may have waited too
            self._tell_room()
        if self._carrier is not None:
            (self._carrier.resume_reading if reading else self._carrier.pause_reading)()

    # From the heartbeat.

    def beat(self) -> None:
        if self.ended:
            self._host.forget(self)  # nobody came for its last words
        else:
            self.send(PING.encode())

    def unanswered(self) -> None:
        self.fail("ping timeout")
        self._host.forget(self)

    # Polling.

    def poll(self, wake: Wake) -> bool:
        """A poll waits until `wake` is called, then takes. False: another poll waits already, which is an error."""
        if self._wake is not None:
            self.fail("two polls at once")
            return False
        self._wake = wake
        if self._waiting or self.ended:
            wake()
        return True

    def take(self) -> bytes:
        """Give the poll all that waits, as a payload; a noop when that is nothing."""
        payload = b"".join(self._waiting)[:-1]
        self._wake = None
        self._empty()
        if self.ended:
            self._host.forget(self)
        elif self._carrier is None:
            self.resume()
        return payload or NOOP.encode()

    def wait_for_room(self, wake: Wake) -> None:
        """Call back when the client may ask for more; at once when it may."""
        self._has_room = wake
        if self.reading or self.ended:
            self._tell_room()

    # The upgrade.

    def probe(self) -> bool:
        """A WebSocket wants to take over; False: it may not."""
        if self.probed or self.ended or self._carrier is not None:
            return False
        self.probed = True
        if self._wake is not None:
            self._wake()
        return True

    def give_up_probe(self) -> None:
        self.probed = False

    def upgrade(self, carrier: Socket) -> None:
        """The WebSocket takes over."""
        waiting = b"".join(self._waiting)
        was_paused, self.paused = self.paused, False
        self.probed = False
        self._empty()
        self._listen()
        self._ride(carrier)
        if not self.reading:
            carrier.pause_reading()
        carrier.write(to_websocket(waiting))  # which may pause it again
        if self._wake is not None:
            self._wake()
        self.application.upgraded()
        if was_paused and not self.paused:
            self.application.resumed()

    def _ride(self, carrier: Socket) -> None:
        self._carrier = carrier
        self.write = carrier.write
        self.frame = text_frame

    # The end.

    def _end(self, reason: str, last: str, *, keep: bool = False, linger: bool = False) -> None:
        if self.ended:
            return
        self.ended = True
        self._mute = not keep
        carrier = self._carrier
        if not keep:
            self._empty()
            self.write = _nowhere
        self._tell_room()
        self._tell_closed(reason)
        self._mute = True
        self.write = _nowhere
        if carrier is None:
            self._waiting.append(poll_frame(last.encode()))
        if self._wake is not None:
            self._wake()
        if carrier is not None:
            carrier.close()
        if carrier is not None or not linger:
            self._host.forget(self)

    def _tell_closed(self, reason: str) -> None:
        try:
            self.application.closed(reason)
        except Exception:
            _logger.exception("An Engine.IO connection failed at its end")

    def _empty(self) -> None:
        self._waiting.clear()
        self._size = 0

    def _tell_room(self) -> None:
        wake, self._has_room = self._has_room, None
        if wake is not None:
            wake()


def _nowhere(chunk: bytes) -> None:
    """The connection is over."""
