"""One client of a dialect, while it is connected: its subscriber in the hub, its commands that wait, its socket.

A dialect knows the hub only through it. A client that reads too slowly is not read from either; one that sends faster
than we store has to wait; after a close frame nothing is written.
"""

from collections.abc import Callable

from veche.core.actor import Actor
from veche.core.command import Command, T
from veche.core.errors import ChatError
from veche.core.values import LogId, Person
from veche.hub.listener import Listener
from veche.hub.serializer import Serializer
from veche.hub.topic import Subscriber
from veche.service.chat import Chat
from veche.wire.handler import Socket

MAX_WAITING = 1000  # commands of one socket without an answer; above that it is not read on
MAX_WAITING_BYTES = 1 << 20  # and of their texts


class Client:
    """Attached to the hub before the 101, so that nothing that concerns the account is missed while it is admitted.

    `actor` goes with its commands; an anonymous person's has no session. `ended` is true once the client was detached,
    by whichever side.
    """

    __slots__ = ("_chat", "_socket", "_subscriber", "_waiting", "_waiting_bytes", "actor", "ended")

    def __init__(self, chat: Chat, person: Person, actor: Actor, listener: Listener) -> None:
        self._chat = chat
        self.actor = actor
        self._socket: Socket | None = None
        self._waiting = 0
        self._waiting_bytes = 0
        self.ended = False
        self._subscriber = Subscriber(person, actor.session_id, _nowhere, listener, actor.dialect)
        chat.hub.attach(self._subscriber)

    # Who it is, and what it hears.

    @property
    def account(self) -> Person:
        """Whose client it is."""
        return self._subscriber.account

    @property
    def account_id(self) -> int:
        return self._subscriber.account.id

    def is_subscribed(self, log_id: LogId) -> bool:
        """Tell whether it hears a log, or is about to."""
        return log_id in self._subscriber.subscriptions

    def is_caught_up(self, log_id: LogId) -> bool:
        """Tell whether it hears a log live by now, or does not hear it at all."""
        subscription = self._subscriber.subscriptions.get(log_id)
        return subscription is None or subscription.live

    def online(self, room_id: int) -> list[Person]:
        """Tell who hears a room on this server."""
        return self._chat.hub.online(room_id)

    def others(self) -> list[Listener]:
        """Find the handlers of the account's other clients in this dialect."""
        found = self._chat.hub.subscribers(self.account_id)
        mine = self._subscriber
        return [other.listener for other in found if other is not mine and other.dialect == mine.dialect]

    # It connects and subscribes.

    def open(self, socket: Socket) -> None:
        """Take the socket, after its 101."""
        self._socket = socket
        self._subscriber.write = socket.write

    async def admit(self) -> int:
        """Refuse a session that has ended, and follow the account's own log; gives that log's head.

        Both are seen in one snapshot, and asked after the client was attached: so no end of the session is missed.
        """
        own_seq = await self._chat.own_head(self.account_id, self.actor.session_id or None)
        self.begin(own_seq)
        return own_seq

    def begin(self, own_seq: int) -> None:
        """Follow the account's own log from the entry after `own_seq`, before anything is subscribed."""
        if not self.ended:
            self._chat.hub.begin(self._subscriber, own_seq)

    def subscribe(
        self, log_id: LogId, serializer: Serializer, after: int | None, promised: int = 0, since: int | None = None
    ) -> None:
        """Hear a log in a serializer from an entry on (None: from its head); harmless once the client was detached."""
        if not self.ended:
            self._chat.hub.subscribe(self._subscriber, log_id, serializer, after, promised, since)

    def unsubscribe(self, log_id: LogId) -> None:
        """Hear a log no more; what was announced before is written before."""
        self._chat.hub.unsubscribe(self._subscriber, log_id)

    # Commands and answers.

    def submit(self, command: Command[T], done: Callable[[T | ChatError], None] | None = None) -> None:
        """Ask for a change; `done` gets the answer or the ChatError, unless the client was detached meanwhile.

        Without `done` a refusal is not told: many contracts have no frame for it.
        """
        size = command.size

        def reply(outcome: T | ChatError) -> None:
            self._waiting -= 1
            self._waiting_bytes -= size
            if not self.ended:
                if done is not None:
                    done(outcome)
                self.read_on()

        self._waiting += 1
        self._waiting_bytes += size
        if self._is_full() and self._socket is not None:
            self._socket.pause_reading()
        self._chat.submit(self.actor, command, reply)

    def send(self, payload: bytes) -> None:
        """Send a text message to this client alone."""
        if self._socket is not None:
            self._socket.send(payload)

    # Backpressure.

    def paused(self) -> None:
        """The peer reads too slowly: it goes on by cursor, and may not ask for more."""
        if self._socket is not None and not self.ended:
            self._socket.pause_reading()
            self._chat.hub.slow(self._subscriber)

    def resumed(self) -> None:
        """The peer has caught up with what was written."""
        if not self.ended:
            self._chat.hub.drained(self._subscriber)
            self.read_on()

    def read_on(self) -> None:
        """Let the peer be read again, unless it is slow, too much of its waits, or it was detached."""
        if self._socket is not None and not (self.ended or self._subscriber.slow or self._is_full()):
            self._socket.resume_reading()

    def _is_full(self) -> bool:
        return self._waiting >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES

    # The end.

    def detach(self) -> None:
        """Hear nothing more; what was announced before is written before. Harmless twice."""
        if not self.ended:
            self.ended = True
            self._chat.hub.detach(self._subscriber)

    def close(self, code: int | None, reason: str = "") -> None:
        """Detach, and close the socket: in this order, because nothing may follow a close frame."""
        self.detach()
        if self._socket is not None:
            self._socket.close(code, reason)


def _nowhere(frames: bytes) -> None:
    """There is no socket yet."""
