"""A session's seat: its socket, its subscriber in the hub, and the commands of its that wait to be stored.

What every dialect's session does alike is here, so that a dialect holds nothing but its contract. Who does not read is
not read from either; who sends faster than is stored waits; after a close frame nothing is written.
"""

from collections.abc import Callable

from veche.core.accounts import Person
from veche.core.commands import Command, SendMessage, SpeakEcho
from veche.core.rooms import LogId
from veche.hub.listener import Listener
from veche.hub.subscriber import Serializer, Subscriber
from veche.service.chat import Chat, Outcome
from veche.wire.handler import Socket

MAX_WAITING = 1000  # commands of one socket without an answer; above that it is not read on
MAX_WAITING_BYTES = 1 << 20  # and of their texts


class Seat:
    """Taken before the 101, so that nothing that concerns the account is missed while it is decided.

    `dialect` names the contract. `ended` is true once the seat was left, by whichever side.
    """

    __slots__ = ("_chat", "_socket", "_waiting", "_waiting_bytes", "ended", "subscriber")

    def __init__(self, chat: Chat, person: Person, session_id: str, listener: Listener, dialect: str) -> None:
        self._chat = chat
        self._socket: Socket | None = None
        self._waiting = 0
        self._waiting_bytes = 0
        self.ended = False
        self.subscriber = Subscriber(person, session_id, _nowhere, listener, dialect)
        chat.hub.attach(self.subscriber)
        chat.hub.begin(self.subscriber, None)  # until the dialects begin by themselves

    def open(self, socket: Socket) -> None:
        """Take the socket, after its 101."""
        self._socket = socket
        self.subscriber.write = socket.write

    def hear(self, log_id: LogId, serializer: Serializer, after: int | None, promised: int = 0) -> None:
        """Hear a log in a serializer from an entry on (None: from its head); harmless once the seat was left."""
        if not self.ended:
            self._chat.hub.subscribe(self.subscriber, log_id, serializer, after, promised)

    def stop_hearing(self, log_id: LogId) -> None:
        """Hear a log no more; what was announced before is written before."""
        self._chat.hub.unsubscribe(self.subscriber, log_id)

    def submit(self, command: Command, done: Callable[[Outcome], None]) -> None:
        """Ask for a change; `done` gets the answer or the ChatError, unless the seat was left meanwhile."""
        size = _size(command)

        def reply(outcome: Outcome) -> None:
            self._waiting -= 1
            self._waiting_bytes -= size
            if not self.ended:
                done(outcome)
                self.read_on()

        self._waiting += 1
        self._waiting_bytes += size
        if self._is_full() and self._socket is not None:
            self._socket.pause_reading()
        self._chat.submit(command, reply)

    def send(self, payload: bytes) -> None:
        """Send a text message to this socket alone."""
        if self._socket is not None:
            self._socket.send(payload)

    def paused(self) -> None:
        """The peer reads too slowly: it goes on by cursor, and may not ask for more."""
        if self._socket is not None and not self.ended:
            self._socket.pause_reading()
            self._chat.hub.slow(self.subscriber)

    def resumed(self) -> None:
        """The peer has caught up with what was written."""
        if not self.ended:
            self._chat.hub.drained(self.subscriber)
            self.read_on()

    def leave(self) -> None:
        """Hear nothing more; what was announced before is written before. Harmless twice."""
        if not self.ended:
            self.ended = True
            self._chat.hub.detach(self.subscriber)

    def end(self, code: int | None, reason: str = "") -> None:
        """Close: nothing may follow a close frame, so the hub lets go first."""
        self.leave()
        if self._socket is not None:
            self._socket.close(code, reason)

    def read_on(self) -> None:
        """Let the peer be read again, unless it is slow, too much of its waits, or the seat was left."""
        if self._socket is not None and not (self.ended or self.subscriber.slow or self._is_full()):
            self._socket.resume_reading()

    def _is_full(self) -> bool:
        return self._waiting >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES


def _size(command: Command) -> int:
    match command:
        case SendMessage():
            return len(command.text)
        case SpeakEcho():
            return sum(len(text) for _, text in command.lines)
    return 0


def _nowhere(frames: bytes) -> None:
    """There is no socket yet."""
