"""A Socket.IO client's place in the hub: which shape it has, and how it changes when polling becomes a WebSocket.

Both shapes share one `encode`, so an event is encoded once for both, and framed once for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from veche.core.events import LogEvent
from veche.hub.connection import Connection, Shape
from veche.hub.hub import Hub
from veche.wire.engineio.packets import poll_frame
from veche.wire.frames import text_frame
from veche.wire.socketio.client import Socket


@dataclass(frozen=True, slots=True)
class Shapes:
    """One form of payload, framed for both transports."""

    polling: Shape
    websocket: Shape

    @classmethod
    def of(cls, name: str, encode: Callable[[LogEvent], bytes | None]) -> Shapes:
        """`encode` gives what `packets.event` makes."""
        return cls(Shape(f"{name} poll", encode, poll_frame), Shape(name, encode, text_frame))

    def now(self, socket: Socket) -> Shape:
        """The shape for what carries a socket now."""
        return self.websocket if socket.on_websocket else self.polling


def move(hub: Hub, connection: Connection, socket: Socket, shapes: Shapes) -> bool:
    """Let a connection go on where it is, by the write and the shape of what carries its socket now.

    Everything happens in one turn of the loop. Each log is unsubscribed, which first writes, the old way, all that was
    announced; then it is subscribed again after exactly that entry. The old write still leads to the client, behind
    what it was given before and ahead of what comes after, so nothing is lost, repeated or reordered.

    False: a log was subscribed from its head on, and that is not known yet. Nothing was changed, and nothing is amiss:
    call again when it has caught up. True: done, now or before.
    """
    write = socket.write
    subscriptions = connection.subscriptions
    if connection.write == write:
        return True
    if any(not place.live and place.seq is None for place in subscriptions.values()):
        return False
    places = []
    for log_id, place in tuple(subscriptions.items()):
        hub.unsubscribe(connection, log_id)
        places.append((log_id, place.channel.delivered if place.live else place.seq, place.promised))
    connection.write = write
    for log_id, seq, promised in places:
        hub.subscribe(connection, log_id, shapes.now(socket), seq, promised)
    return True
