"""A log as it is heard here, its subscribers, and what joins the two: subscriptions.

The three refer to each other, so they share a file.
"""

from veche.core.effects import Close
from veche.core.event import LogEvent
from veche.core.values import LogId, Person
from veche.hub.listener import Listener
from veche.hub.serializer import Serializer, Write

BYTES_PER_TURN = 65_536  # how much one turn writes to a socket at most, but one event at least

Broadcast = tuple[tuple[Write, ...], bytes]
"""Bytes, and the transports that they are still to be written to."""


class Subscriber:
    """One client of one dialect. `slow` while its transport has too much unsent: then nothing more is written to it."""

    __slots__ = (
        "account",
        "attached_at",
        "behind",
        "dialect",
        "listener",
        "own_seq",
        "pulling",
        "session_id",
        "slow",
        "subscriptions",
        "write",
    )

    def __init__(self, account: Person, session_id: str, write: Write, listener: Listener, dialect: str = "") -> None:
        self.account = account
        self.session_id = session_id
        self.write = write
        self.listener = listener
        self.dialect = dialect
        self.attached_at = 0  # microseconds since 1970 in UTC
        self.own_seq: int | None = None  # effects of the account's own log are applied up to here; None: not begun
        self.subscriptions: dict[LogId, Subscription] = {}
        self.behind: list[Subscription] = []  # in the order in which they catch up, one page at a time
        self.pulling = False  # a page of one of them is being read
        self.slow = False


class Subscription:
    """One subscriber's position in one log: live, or behind with a cursor of its own."""

    __slots__ = ("after", "live", "promised", "seq", "serializer", "since", "subscriber", "topic")

    def __init__(
        self,
        subscriber: Subscriber,
        topic: "Topic",
        serializer: Serializer,
        after: int | None,
        promised: int,
        since: int,
    ) -> None:
        self.subscriber = subscriber
        self.topic = topic
        self.serializer = serializer
        self.after = after or 0  # nothing up to here is written
        self.seq = after  # the last entry read; None: begin at the head. Meaningless while live
        self.promised = max(self.after, promised)  # the head that the client was told: before it, it has not caught up
        self.since = since  # the account was a member at this entry: that it left before is out of date
        self.live = False

    @property
    def position(self) -> int | None:
        """The last entry that was written or skipped; None: not known yet."""
        return self.topic.delivered if self.live else self.seq

    def is_current(self) -> bool:
        """Tell whether the subscriber still hears the log by this subscription."""
        return self.subscriber.subscriptions.get(self.topic.log_id) is self

    def ends_with(self, close: Close) -> bool:
        """Tell whether a Close is for this subscription, and newer than the membership that it rests on."""
        if close.log_id != self.topic.log_id or close.account_id != self.subscriber.account.id:
            return False
        return close.seq > self.since if close.seq is not None else close.at >= self.subscriber.attached_at


class Topic:
    """All live subscriptions of a log share one position, `delivered`; `pending` follows it without a hole."""

    __slots__ = (
        "_targets",
        "behind",
        "broadcasts",
        "delivered",
        "filling",
        "followed",
        "known",
        "log_id",
        "pending",
        "scheduled",
        "subscriptions",
        "throttled_until",
        "unannounced",
    )

    def __init__(self, log_id: LogId) -> None:
        self.log_id = log_id
        self.delivered: int | None = None  # None until the head was read
        self.pending: list[LogEvent] = []
        self.broadcasts: list[Broadcast] = []  # of the turn under way
        self.known = 0  # the highest seq heard of
        self.unannounced = 0  # a head seen in the database that was not announced
        self.scheduled = False
        self.throttled_until = 0.0  # loop time
        self.filling = False
        self.followed = False  # the own log of an account that has subscribers here (`own_log`)
        self.subscriptions: dict[Subscription, None] = {}  # in the order in which they came
        self.behind: dict[Subscription, None] = {}
        self._targets: dict[Serializer, tuple[Write, ...]] | None = None

    @property
    def head(self) -> int:
        """The last entry taken: delivered, or pending."""
        return self.pending[-1].seq if self.pending else (self.delivered or 0)

    def take_batch(self) -> list[LogEvent]:
        """Take from `pending` what one turn may write, and count it as delivered."""
        size = count = 0
        while count < len(self.pending) and size <= BYTES_PER_TURN:
            size += self.pending[count].size
            count += 1
        events, self.pending = self.pending[:count], self.pending[count:]
        self.delivered = events[-1].seq
        return events

    def targets(self) -> dict[Serializer, tuple[Write, ...]]:
        """Group the live subscribers by serializer, as tuples of writes for the fan-out to loop over."""
        if self._targets is None:
            writes: dict[Serializer, list[Write]] = {}
            for subscription in self.subscriptions:
                if subscription.live:
                    writes.setdefault(subscription.serializer, []).append(subscription.subscriber.write)
            self._targets = {serializer: tuple(found) for serializer, found in writes.items()}
        return self._targets

    def set_live(self, subscription: Subscription, live: bool) -> None:
        """Count a subscription among those that are live, or those that are behind."""
        subscription.live = live
        self._targets = None
        if live:
            self.behind.pop(subscription, None)
        else:
            self.behind[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self.subscriptions.pop(subscription, None)
        self.behind.pop(subscription, None)
        self._targets = None
