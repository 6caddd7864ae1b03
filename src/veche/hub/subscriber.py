"""What the hub knows of one subscriber: whose it is, how to write to it, and what it hears."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from veche.core.accounts import Person
from veche.core.events import LogEvent
from veche.core.rooms import LogId
from veche.hub.listener import Listener

if TYPE_CHECKING:
    from veche.hub.topic import Topic

Write = Callable[[bytes], object]


@dataclass(frozen=True, eq=False, slots=True)
class Serializer:
    """A form in which events leave: all subscribers of one serializer get the same bytes, made once.

    `encode` gives None for what this form does not show; `frame` wraps a payload for the transport.
    """

    name: str
    encode: Callable[[LogEvent], bytes | None]
    frame: Callable[[bytes], bytes]


class Subscription:
    """One subscriber's place in one log: live, or behind with a cursor of its own."""

    __slots__ = ("live", "promised", "seq", "serializer", "subscriber", "topic")

    def __init__(
        self, subscriber: "Subscriber", topic: "Topic", serializer: Serializer, seq: int | None, promised: int
    ) -> None:
        self.subscriber = subscriber
        self.topic = topic
        self.serializer = serializer
        self.seq = seq  # the last entry written; None: begin at the head. Meaningless while live
        self.promised = promised  # the head that the client was told: before it, it has not caught up
        self.live = False

    def stands(self) -> bool:
        """Tell whether the subscriber still hears the log by this subscription."""
        return self.subscriber.subscriptions.get(self.topic.log_id) is self


class Subscriber:
    """One subscriber, through the dialect of one contract.

    `slow` while its transport has too much unsent: then nothing more is written to it.
    """

    __slots__ = ("account", "behind", "dialect", "listener", "pulling", "session_id", "slow", "subscriptions", "write")

    def __init__(self, account: Person, session_id: str, write: Write, listener: Listener, dialect: str = "") -> None:
        self.account = account
        self.session_id = session_id
        self.write = write
        self.listener = listener
        self.dialect = dialect
        self.subscriptions: dict[LogId, Subscription] = {}
        self.behind: list[Subscription] = []  # in the order in which they catch up, one page at a time
        self.pulling = False
        self.slow = False
