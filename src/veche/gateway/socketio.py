"""Clients of Socket.IO dialects: their serializers, and moving a subscriber from polling to a WebSocket.

The serializers of both transports share one `encode`. An event is encoded once, and framed once for each transport.
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
    """Two serializers with the same payload: one frames it for polling, one for a WebSocket."""

    polling: Serializer
    websocket: Serializer

    @classmethod
    def of(cls, name: str, encode: Callable[[LogEvent], bytes | None]) -> Serializers:
        """Make both serializers. `encode` returns a payload of `packets.event`, or None if nothing is sent."""
        return cls(Serializer(f"{name} poll", encode, poll_frame), Serializer(name, encode, text_frame))

    def has(self, serializer: Serializer) -> bool:
        return serializer in (self.polling, self.websocket)

    def current(self, socket: Socket) -> Serializer:
        """Return the serializer for the transport that a socket uses now."""
        return self.websocket if socket.on_websocket else self.polling


def move(hub: Hub, subscriber: Subscriber, socket: Socket, serializers: Serializers) -> bool:
    """Move a subscriber to the transport that its socket uses now: its `write`, and the serializer of each log.

    Return True if it is on that transport now. Return False, and change nothing, if it subscribed to a log from the
    head and this head is not known yet. In that case call again when the log has caught up.

    The move takes one turn of the loop. Each log is unsubscribed, which first writes all announced entries to the old
    transport. Then it is subscribed again, after the last of these entries. The client gets the bytes of the old
    transport before those of the new one, so no entry is lost, repeated or reordered. Each subscription keeps its
    `since`, because its position does not prove that the account is a member. Subscriptions with other serializers are
    not changed, because they write nothing to the client.
    """
    write = socket.write
    if subscriber.write == write:
        return True
    moving = [one for one in subscriber.subscriptions.values() if serializers.has(one.serializer)]
    if any(not one.live and one.seq is None for one in moving):
        return False
    places = []
    for one in moving:
        hub.unsubscribe(subscriber, one.topic.log_id)
        position = one.topic.live_seq if one.live else one.seq
        after = None if position is None else max(position, one.after)
        places.append((one.topic.log_id, after, one.promised, one.since))
    subscriber.write = write
    for log_id, after, promised, since in places:
        hub.subscribe(subscriber, log_id, serializers.current(socket), after, promised, since)
    return True


class SocketioClient(Client):
    """A client whose connection may change from polling to a WebSocket."""

    __slots__ = ()

    def move(self, socket: Socket, serializers: Serializers) -> None:
        """Move to the transport that the socket uses now. Call this again when a log has caught up."""
        if not self.ended:
            move(self._chat.hub, self._subscriber, socket, serializers)
