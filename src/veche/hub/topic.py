"""The topic, the subscriber and the subscription.

A topic is one log in this process. A subscriber is one connection. A subscription is one subscriber's position in one
topic. The three refer to each other, so they share a file.
"""

from veche.core.actor import Party
from veche.core.effects import Close
from veche.core.event import LogEvent
from veche.core.values import LogId, Person
from veche.hub.listener import Listener
from veche.hub.serializer import Serializer, Write

# One batch takes events until their sizes together exceed this. It takes at least one event.
BYTES_PER_TURN = 65_536

Broadcast = tuple[tuple[Write, ...], bytes]
"""The write functions that are still to be called, and the bytes to write."""


class Subscriber:
    """One connection as the hub sees it.

    `slow` is true while its transport has too many unsent bytes. Meanwhile the hub starts no new write to it; a write
    or a page under way is finished.
    """

    __slots__ = (
        "account",
        "attached_at",
        "behind",
        "dialect",
        "held",
        "listener",
        "own_seq",
        "party",
        "reading_page",
        "session_id",
        "slow",
        "subscriptions",
        "write",
    )

    def __init__(
        self,
        account: Person,
        session_id: str,
        write: Write,
        listener: Listener,
        dialect: str = "",
        party: Party | None = None,
    ) -> None:
        self.account = account
        self.party = account.id if party is None else party  # for whom the log is read
        self.session_id = session_id
        self.write = write
        self.listener = listener
        self.dialect = dialect
        self.attached_at = 0  # microseconds since 1970 in UTC
        # Effects of the account's own log were applied up to this seq. None before `Hub.begin` and after `Hub.detach`.
        self.own_seq: int | None = None
        self.subscriptions: dict[LogId, Subscription] = {}
        # The subscriptions that are behind, in the order in which they catch up. Only one page is read at a time.
        self.behind: list[Subscription] = []
        self.reading_page = False  # true while a page is being read for one of the subscriptions in `behind`
        self.slow = False
        self.held = b""  # written together with the next entries, or shortly after (see `FanOut.hold`)

    def take_held(self) -> bytes:
        """Return the held bytes, and hold nothing any more."""
        held, self.held = self.held, b""
        return held


class Subscription:
    """One subscriber's position in one log.

    A subscription is either live, or behind. While it is behind, it has its own cursor, `seq`.
    """

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
        self.after = after or 0  # entries up to this seq are not written to the client
        # While behind: the log was read up to this seq; None: start at the head. Not used while live.
        self.seq = after
        # The head that the client was told. The subscription becomes live only once the topic has written up to it.
        self.promised = max(self.after, promised)
        # The account was a member as of this seq. A Close with this seq or a lower one is out of date.
        self.since = since
        self.live = False

    @property
    def position(self) -> int | None:
        """The seq of the last entry that was written or skipped, or None if the head is not known yet."""
        return self.topic.live_seq if self.live else self.seq

    def is_current(self) -> bool:
        """Return whether this is still the subscriber's subscription: it was neither removed nor replaced."""
        return self.subscriber.subscriptions.get(self.topic.log_id) is self

    def is_ended_by(self, close: Close) -> bool:
        """Return whether a Close ends this subscription.

        The Close must be of this log and this account, and its seq must be higher than `since`. A Close without a seq
        must not be older than `attached_at`.
        """
        if close.log_id != self.topic.log_id or close.account_id != self.subscriber.account.id:
            return False
        return close.seq > self.since if close.seq is not None else close.at >= self.subscriber.attached_at


class Topic:
    """One log in this process.

    All its live subscriptions share one position, `live_seq`. `pending` holds the entries that follow `live_seq`,
    without gaps.
    """

    __slots__ = (
        "_live_writes",
        "awaits_announcement",
        "behind",
        "broadcasts",
        "early",
        "filling_gap",
        "followed",
        "highest_known_seq",
        "live_seq",
        "log_id",
        "pending",
        "reads_soon",
        "scheduled",
        "subscriptions",
        "throttled_until",
    )

    def __init__(self, log_id: LogId) -> None:
        self.log_id = log_id
        self.live_seq: int | None = None  # None until the head was read
        self.pending: list[LogEvent] = []
        self.broadcasts: list[Broadcast] = []  # encoded entries that are not yet written to all live subscribers
        self.highest_known_seq = 0  # the highest seq that was announced, told by another node, or found in the database
        # Entries that came before the ones that precede them, by seq. They wait here for these.
        self.early: dict[int, LogEvent] = {}
        self.reads_soon = False  # true while a timer runs that will read the missing entries
        self.awaits_announcement = False  # true while missing entries are not read because of the own writer's batch
        self.scheduled = False
        self.throttled_until = 0.0  # loop time
        self.filling_gap = False
        # True if this is the own log of an account that has subscribers here (see `hub/own_log.py`).
        self.followed = False
        self.subscriptions: dict[Subscription, None] = {}  # in the order of `Hub.subscribe`
        self.behind: dict[Subscription, None] = {}
        self._live_writes: dict[Serializer, tuple[Write, ...]] | None = None

    @property
    def head_seq(self) -> int:
        """The seq of the last entry that this topic received: the last pending one, or else the one at `live_seq`."""
        return self.pending[-1].seq if self.pending else (self.live_seq or 0)

    def take_batch(self) -> list[LogEvent]:
        """Remove the events that are written next from `pending`, and move `live_seq` to the last of them."""
        size = count = 0
        while count < len(self.pending) and size <= BYTES_PER_TURN:
            size += self.pending[count].size
            count += 1
        events, self.pending = self.pending[:count], self.pending[count:]
        self.live_seq = events[-1].seq
        return events

    def live_writes_by_serializer(self) -> dict[Serializer, tuple[Write, ...]]:
        """Return the write functions of the live subscribers, grouped by serializer. The fan-out loops over them."""
        if self._live_writes is None:
            writes: dict[Serializer, list[Write]] = {}
            for subscription in self.subscriptions:
                if subscription.live:
                    writes.setdefault(subscription.serializer, []).append(subscription.subscriber.write)
            self._live_writes = {serializer: tuple(found) for serializer, found in writes.items()}
        return self._live_writes

    def set_live(self, subscription: Subscription, live: bool) -> None:
        """Mark a subscription as live or as behind."""
        subscription.live = live
        self._live_writes = None
        if live:
            self.behind.pop(subscription, None)
        else:
            self.behind[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self.subscriptions.pop(subscription, None)
        self.behind.pop(subscription, None)
        self._live_writes = None
