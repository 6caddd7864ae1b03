"""What the hub knows of one connection: whose it is, how to write to it, and what it hears."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from veche.core.accounts import Person
from veche.core.events import LogEvent
from veche.core.rooms import LogId
from veche.hub.listener import Listener

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
