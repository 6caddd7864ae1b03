"""One log as it is heard here: what waits to be written, and to whom."""

from veche.core.events import LogEvent, Message
from veche.core.rooms import LogId
from veche.core.text import size_of
from veche.hub.subscriber import Serializer, Subscription, Write

CUT_BYTES = 65_536  # how much one turn writes to a socket at most, but one event at least

Job = tuple[tuple[Write, ...], bytes]


class Topic:
    """All caught-up subscribers of a log share one position, `delivered`; `pending` follows it without a hole."""

    __slots__ = (
        "_targets",
        "behind",
        "delivered",
        "filling",
        "jobs",
        "known",
        "log_id",
        "pending",
        "rests_until",
        "scheduled",
        "subscriptions",
        "suspect",
    )

    def __init__(self, log_id: LogId) -> None:
        self.log_id = log_id
        self.delivered: int | None = None  # None until the head was read
        self.pending: list[LogEvent] = []
        self.jobs: list[Job] = []  # of the turn under way
        self.known = 0  # the highest seq heard of
        self.suspect = 0  # a head seen in the database that nobody announced
        self.scheduled = False
        self.rests_until = 0.0  # loop time
        self.filling = False
        self.subscriptions: dict[Subscription, None] = {}  # in the order in which they came
        self.behind: dict[Subscription, None] = {}
        self._targets: dict[Serializer, tuple[Write, ...]] | None = None

    @property
    def head(self) -> int:
        """The last entry taken: delivered, or pending."""
        return self.pending[-1].seq if self.pending else (self.delivered or 0)

    def cut(self) -> list[LogEvent]:
        """Take what one turn may write off `pending`, and count it as delivered."""
        size = count = 0
        while count < len(self.pending) and size <= CUT_BYTES:
            event = self.pending[count]
            size += size_of(event.text) if type(event) is Message else 64
            count += 1
        events, self.pending = self.pending[:count], self.pending[count:]
        self.delivered = events[-1].seq
        return events

    def targets(self) -> dict[Serializer, tuple[Write, ...]]:
        """Group the live subscribers by serializer, as tuples of writes that a loop can walk."""
        if self._targets is None:
            writes: dict[Serializer, list[Write]] = {}
            for subscription in self.subscriptions:
                if subscription.live:
                    writes.setdefault(subscription.serializer, []).append(subscription.subscriber.write)
            self._targets = {serializer: tuple(found) for serializer, found in writes.items()}
        return self._targets

    def put(self, subscription: Subscription, *, live: bool) -> None:
        """Count a subscription among those that are live, or those that are behind at what was delivered."""
        subscription.live = live
        self._targets = None
        if live:
            self.behind.pop(subscription, None)
        else:
            self.behind[subscription] = None

    def drop(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self.subscriptions.pop(subscription, None)
        self.behind.pop(subscription, None)
        self._targets = None
