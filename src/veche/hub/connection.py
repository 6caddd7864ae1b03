"""What the hub knows of one connection: whose it is, how to write to it, and what it hears."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from veche.core.accounts import Person
from veche.core.events import LogEvent, MemberJoined
from veche.core.rooms import LogId

if TYPE_CHECKING:
    from veche.hub.channel import Channel

Write = Callable[[bytes], object]


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """A form in which events leave: all connections of one shape get the same bytes, made once.

    `encode` gives None for what this form does not show; `frame` wraps a payload for the transport.
    """

    name: str
    encode: Callable[[LogEvent], bytes | None]
    frame: Callable[[bytes], bytes]


class Listener(Protocol):
    """What a dialect is told about its connection, on the loop."""

    def caught_up(self, log_id: LogId) -> None:
        """Everything there is of this log was written; from now on it is live."""

    def entered(self, event: MemberJoined) -> None:
        """The account is in a room now; told before the room's connections hear of it."""

    def removed(self, room_id: int) -> None:
        """The account is no longer in a room; nothing more of it will be written."""

    def session_ended(self) -> None:
        """The session was ended: say so and close."""

    def lost(self) -> None:
        """The hub lost the connection's place: close, so that it comes back and resumes."""


class Subscription:
    """One connection's place in one log: live, or behind with a cursor of its own."""

    __slots__ = ("channel", "connection", "live", "promised", "seq", "shape")

    def __init__(
        self, connection: "Connection", channel: "Channel", shape: Shape, seq: int | None, promised: int
    ) -> None:
        self.connection = connection
        self.channel = channel
        self.shape = shape
        self.seq = seq  # the last entry written; None: begin at the head. Meaningless while live
        self.promised = promised  # the head that the client was told: before it, it has not caught up
        self.live = False

    def stands(self) -> bool:
        """Tell whether the connection still hears the log by this subscription."""
        return self.connection.subscriptions.get(self.channel.log_id) is self


class Connection:
    """One connection, through the door of one contract.

    `slow` while its transport has too much unsent: then nothing more is written to it.
    """

    __slots__ = ("account", "behind", "door", "listener", "pulling", "session_id", "slow", "subscriptions", "write")

    def __init__(self, account: Person, session_id: str, write: Write, listener: Listener, door: str = "") -> None:
        self.account = account
        self.session_id = session_id
        self.write = write
        self.listener = listener
        self.door = door
        self.subscriptions: dict[LogId, Subscription] = {}
        self.behind: list[Subscription] = []  # in the order in which they catch up, one page at a time
        self.pulling = False
        self.slow = False
