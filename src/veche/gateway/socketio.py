"""A Socket.IO client in the hub: which serializer it has, and how it changes when polling becomes a WebSocket.

Both serializers share one `encode`, so an event is encoded once for both, and framed once for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from veche.core.event import LogEvent
from veche.gateway.client import Client
from veche.hub.hub import Hub
from veche.hub.serializer import Serializer
from veche.hub.topic import Subscriber
from veche.wire.engineio.packets import poll_frame
from veche.wire.frames import text_frame
from veche.wire.socketio.namespaces import Socket


@dataclass(frozen=True, slots=True)
class Serializers:
    """One form of payload, framed for both transports."""

    polling: Serializer
    websocket: Serializer

    @classmethod
    def of(cls, name: str, encode: Callable[[LogEvent], bytes | None]) -> Serializers:
        """`encode` gives what `packets.event` makes."""
        return cls(Serializer(f"{name} poll", encode, poll_frame), Serializer(name, encode, text_frame))

    def has(self, serializer: Serializer) -> bool:
        return serializer in (self.polling, self.websocket)

    def now(self, socket: Socket) -> Serializer:
        """The serializer for what carries a socket now."""
        return self.websocket if socket.on_websocket else self.polling


def move(hub: Hub, subscriber: Subscriber, socket: Socket, serializers: Serializers) -> bool:
    """Let a subscriber go on where it is, by the write and the serializer of what carries its socket now.

    Everything happens in one turn of the loop. Each log is unsubscribed, which first writes, the old way, all that was
    announced; then it is subscribed again after exactly that entry. The old write still leads to the client, behind
    what it was given before and ahead of what comes after, so nothing is lost, repeated or reordered. What is heard in
    another serializer is not written to the client, and stays as it is.

    False: a log was subscribed from its head on, and that is not known yet. Nothing was changed, and nothing is amiss:
    call again when it has caught up. True: done, now or before.
    """
    write = socket.write
    if subscriber.write == write:
        return True
    moving = [heard for heard in subscriber.subscriptions.values() if serializers.has(heard.serializer)]
    if any(not heard.live and heard.seq is None for heard in moving):
        return False
    positions = []
    for heard in moving:
        hub.unsubscribe(subscriber, heard.topic.log_id)
        positions.append((heard.topic.log_id, heard.topic.delivered if heard.live else heard.seq, heard.promised))
    subscriber.write = write
    for log_id, seq, promised in positions:
        hub.subscribe(subscriber, log_id, serializers.now(socket), seq, promised)
    return True


class SocketioClient(Client):
    """A client whose socket may change from polling to a WebSocket."""

    __slots__ = ()

    def move(self, socket: Socket, serializers: Serializers) -> None:
        """Go on by what carries the socket now, as soon as that can be."""
        if not self.ended:
            move(self._chat.hub, self._subscriber, socket, serializers)
