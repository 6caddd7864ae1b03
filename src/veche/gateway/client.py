"""One connected client of a dialect: its subscriber in the hub, its socket, and its commands that wait for an answer.

Dialects use the hub only through `Client`. It also applies backpressure: the server stops reading from a client that
reads too slowly, or that sends commands faster than they are stored. Nothing is written after a close frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from veche.core.actor import Actor
from veche.core.command import Command, T
from veche.core.errors import ChatError
from veche.core.values import LogId, Person
from veche.hub.listener import Listener, call
from veche.hub.serializer import Serializer
from veche.hub.topic import Subscriber
from veche.service.chat import Chat
from veche.wire.frames import text_frame
from veche.wire.handler import Socket

TYPED_AGAIN: Final = 2.0  # seconds in which a client is shown to be writing once, in whatever room


class Client:
    """One connected client. The constructor attaches it to the hub.

    Create it before the session is checked (and so before the 101), so that no event of the account is missed.

    `actor` is the actor of the client's commands. The actor of an anonymous person has no session id. `ended` is True
    after the client was detached. While the dialect sets `held_back`, the client is not read.
    """

    __slots__ = ("_chat", "_share", "_socket", "_subscriber", "_typed_at", "actor", "ended", "held_back")

    def __init__(self, chat: Chat, person: Person, actor: Actor, listener: Listener) -> None:
        self._chat = chat
        self.actor = actor
        self._socket: Socket | None = None
        self._share = chat.shares.open(actor.party)
        self.ended = False
        self.held_back = False
        self._typed_at = -TYPED_AGAIN  # when the others were last shown that it writes
        self._subscriber = Subscriber(person, actor.session_id, _discard, listener, actor.dialect, actor.party)
        chat.hub.attach(self._subscriber)

    # Account and subscriptions.

    @property
    def account(self) -> Person:
        return self._subscriber.account

    @property
    def account_id(self) -> int:
        return self._subscriber.account.id

    def is_subscribed(self, log_id: LogId) -> bool:
        """Return whether the client has a subscription to a log, live or behind."""
        return log_id in self._subscriber.subscriptions

    def is_caught_up(self, log_id: LogId) -> bool:
        """Return whether the client's subscription to a log is live. Return True if there is no subscription."""
        subscription = self._subscriber.subscriptions.get(log_id)
        return subscription is None or subscription.live

    def online(self, done: Callable[[list[Person] | ChatError], None], room_id: int, after: int, limit: int) -> None:
        """Find people whose clients are subscribed to a room, on any node: `limit` with an id above `after`.

        `done` is called with them, or with a ChatError, unless the client is detached by then.
        """

        def reply(outcome: list[Person] | ChatError) -> None:
            if not self.ended:
                done(outcome)

        self._chat.online(self.actor.party, reply, room_id, after, limit)

    def replace_others(self) -> None:
        """Call `replaced` on the handlers of the account's other clients in this dialect, on all nodes."""
        mine = self._subscriber
        for other in self._chat.hub.subscribers(self.account_id):
            if other is not mine and other.dialect == mine.dialect:
                call(other.listener.replaced)
        self._chat.elsewhere.tell_came(self.account_id, mine.dialect, mine.attached_at)

    def type_in(self, room_id: LogId) -> None:
        """Show to the others who receive a room that the account is writing, but not again at once."""
        self.work(1)
        now = time.monotonic()
        if now - self._typed_at >= TYPED_AGAIN:
            self._typed_at = now
            self._chat.typists.tell(self.account, room_id)

    # Connecting and subscribing.

    def open(self, socket: Socket) -> None:
        """Set the socket, once the 101 has been written."""
        self._socket = socket
        self._subscriber.write = socket.write

    async def admit(self) -> int:
        """Check the session, follow the account's own log from its head, and return that head.

        Raises ChatError (UNAUTHENTICATED) if the session has ended. The session and the head are read in one snapshot,
        after the client was attached. So the end of the session is not missed.
        """
        own_seq = await self._chat.own_head(self.actor)
        self.begin(own_seq)
        return own_seq

    def begin(self, own_seq: int) -> None:
        """Follow the account's own log from the entry after `own_seq`.

        Call it before or after `subscribe`. `own_seq` must not come from a later snapshot than the positions given to
        `subscribe`. Otherwise entries of the own log could be missed.
        """
        if not self.ended:
            self._chat.hub.begin(self._subscriber, own_seq)

    def subscribe(
        self, log_id: LogId, serializer: Serializer, after: int | None, promised: int = 0, since: int | None = None
    ) -> None:
        """Subscribe to the entries of a log after seq `after`. None means after the log's head.

        Do nothing if the client is detached. For `promised` and `since` see `Hub.subscribe`.
        """
        if not self.ended:
            self._chat.hub.subscribe(self._subscriber, log_id, serializer, after, promised, since)

    def unsubscribe(self, log_id: LogId) -> None:
        """End the subscription to a log. Entries that the bus announced before are written first."""
        self._chat.hub.unsubscribe(self._subscriber, log_id)

    def flush(self, log_id: LogId) -> None:
        """Write the entries of a log that the bus announced before, so that what is sent next comes after them."""
        self._chat.hub.flush(self._subscriber, log_id)

    # Commands and answers.

    def submit(self, command: Command[T], done: Callable[[T | ChatError], None] | None = None) -> None:
        """Submit a command. `done` is called with the answer or a ChatError, unless the client is detached by then.

        Without `done`, the client is not told whether the command was refused. Many dialects have no frame for that.
        """
        size = command.size

        def reply(outcome: T | ChatError) -> None:
            self._share.release(size)
            if not self.ended and done is not None:
                done(outcome)

        self._share.take(size)
        self._chat.submit(self.actor, command, reply)
        self._stop_if_full()

    def work(self, units: float) -> None:
        """Count work that the client has caused, other than a command. Sending a message is about one unit."""
        self._share.work(units)
        self._stop_if_full()

    def _stop_if_full(self) -> None:
        """Do not read from the client as long as its account has no share left."""
        if self._share.is_full() and self._socket is not None:
            self._socket.pause_reading()
            self._share.call_when_free(self.resume_reading)

    def send(self, payload: bytes) -> None:
        """Send a text message to this client alone."""
        if self._socket is not None:
            self._socket.send(payload)

    def answer(self, payload: bytes) -> None:
        """Send a text message to this client alone, in one write with the events that follow at once."""
        self._chat.hub.hold(self._subscriber, text_frame(payload))

    # Backpressure.

    def paused(self) -> None:
        """React to a full send buffer: stop reading from the client, and mark its subscriptions as behind."""
        if self._socket is not None and not self.ended:
            self._socket.pause_reading()
            self._chat.hub.mark_slow(self._subscriber)

    def resumed(self) -> None:
        """React to a send buffer with room again: let the subscriptions catch up, and read from the client again."""
        if not self.ended:
            self._chat.hub.mark_drained(self._subscriber)
            self.resume_reading()

    def resume_reading(self) -> None:
        """Read from the client again, unless it is held back, reads too slowly, has no share left, or is detached."""
        if self._socket is None or self.ended or self.held_back or self._subscriber.slow:
            return
        if self._share.is_full():
            self._share.call_when_free(self.resume_reading)
        else:
            self._socket.resume_reading()

    # The end.

    def detach(self) -> None:
        """End all subscriptions. Entries that the bus announced before are written first. May be called twice."""
        if not self.ended:
            self.ended = True
            self._share.forget(self.resume_reading)
            self._chat.shares.close(self._share)
            self._chat.hub.detach(self._subscriber)

    def close(self, code: int | None, reason: str = "") -> None:
        """Detach the client, then close the socket. Detaching may write, and nothing may follow the close frame."""
        self.detach()
        if self._socket is not None:
            self._socket.close(code, reason)


def _discard(frames: bytes) -> None:
    """Write nothing. This is the subscriber's `write` until there is a socket."""
