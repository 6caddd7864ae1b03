"""The hub: from a batch of committed entries to bytes on every socket that should see them.

Gets: entries in the order of their logs, as the bus announces them. Gives: for each channel and shape one write per
caught-up connection and turn of the loop. Encoding happens once per shape. Whoever is behind (resuming, slow, or
joined just now) reads the log by pages as the socket drains, and becomes live in the turn in which it has reached
what was delivered (`catch_up`).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from veche.core.accounts import Person
from veche.core.events import LogEvent, MemberJoined, MemberLeft, SessionsEnded
from veche.core.rooms import LogId
from veche.hub.channel import Channel, Job
from veche.hub.connection import Connection, Shape, Subscription
from veche.ops.crash import armed, crash_point

Pull = Callable[[Callable[[list[LogEvent] | None], None], LogId, int, int, int], None]
"""`pull(reply, log_id, after, upto, limit)`: read a page of a log, and call back with it (None: it failed)."""
Heads = Callable[[Callable[[dict[LogId, int] | None], None], list[LogId]], None]
"""`heads(reply, log_ids)`: read the highest seq of each log, and call back with them."""

PAGE = 200  # entries that are read at once for one that is behind
SLICE = 1 if armed("mid_fanout") else 1000  # writes in one turn of the loop, so that other work is not kept waiting


class Hub:
    """Every connection of this process, and every log that one of them hears."""

    def __init__(self, pull: Pull, heads: Heads) -> None:
        self._pull = pull
        self._heads = heads
        self._channels: dict[LogId, Channel] = {}
        self._accounts: dict[int, set[Connection]] = {}
        self._opening: list[Channel] = []
        self._slowed: list[Connection] = []
        self.encodes = 0  # events times shapes, counted for tests and metrics

    # Connections come and go.

    def attach(self, connection: Connection) -> None:
        """Take a connection in: from now on it is told when its account enters or leaves a room."""
        self._accounts.setdefault(connection.account.id, set()).add(connection)

    def detach(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        account_id = connection.account.id
        if (connections := self._accounts.get(account_id)) is not None:
            connections.discard(connection)
            if not connections:
                del self._accounts[account_id]
        for subscription in connection.subscriptions.values():
            self._drop(subscription)
        connection.subscriptions.clear()
        connection.behind.clear()

    def subscribe(self, connection: Connection, log_id: LogId, shape: Shape, after: int | None) -> None:
        """Let a connection hear a log from the entry after `after` on (None: from its head on).

        Register first, read then: what is committed from here on is announced to a channel that listens.
        """
        if log_id in connection.subscriptions:
            self.unsubscribe(connection, log_id)
        channel = self._channel(log_id)
        self._settle(channel)
        subscription = Subscription(connection, channel, shape, after)
        channel.subscriptions.add(subscription)
        connection.subscriptions[log_id] = subscription
        self._fall_behind(subscription)
        self._catch_up(connection)

    def unsubscribe(self, connection: Connection, log_id: LogId) -> None:
        """Stop hearing a log; what was announced before is written before."""
        if (subscription := connection.subscriptions.get(log_id)) is not None:
            self._settle(subscription.channel)
            del connection.subscriptions[log_id]
            self._drop(subscription)

    def head(self, log_id: LogId) -> int | None:
        """Tell up to where a log has been heard here, if anybody hears it."""
        channel = self._channels.get(log_id)
        return channel.head if channel is not None and channel.delivered is not None else None

    def online(self, log_id: LogId) -> list[Person]:
        """Tell whose connections hear a log here."""
        channel = self._channels.get(log_id)
        found = channel.subscriptions if channel else ()
        people = {subscription.connection.account.id: subscription.connection.account for subscription in found}
        return [people[id] for id in sorted(people)]

    def connections(self, account_id: int) -> list[Connection]:
        """Tell which connections an account has here."""
        return list(self._accounts.get(account_id, ()))

    # Live: one position for all.

    def deliver(self, events: Sequence[LogEvent]) -> None:
        """Take committed entries; they are written in the next turn of the loop, one write for all of a channel's."""
        for event in events:
            self._deliver(event)

    def _deliver(self, event: LogEvent) -> None:
        if type(event) is MemberJoined:
            for connection in self.connections(event.person.id):
                connection.listener.entered(event)
        if (channel := self._channels.get(event.log_id)) is not None:
            self._take(channel, event)
        if type(event) is MemberLeft:
            for connection in self.connections(event.person.id):
                self.unsubscribe(connection, event.log_id)
                connection.listener.removed(event.log_id)
        elif type(event) is SessionsEnded:
            for connection in self.connections(-event.log_id):
                if event.ends(connection.session_id):
                    connection.listener.session_ended()

    def _take(self, channel: Channel, event: LogEvent) -> None:
        channel.known = max(channel.known, event.seq)
        if channel.delivered is None or event.seq <= channel.head:
            return
        if event.seq == channel.head + 1:
            channel.pending.append(event)
            self._schedule(channel)
        else:
            self._fill(channel)

    def _schedule(self, channel: Channel) -> None:
        if not channel.scheduled:
            channel.scheduled = True
            asyncio.get_running_loop().call_soon(self._turn, channel)

    def _turn(self, channel: Channel) -> None:
        if channel.jobs:
            crash_point("mid_fanout")
        self._write_some(channel)
        channel.scheduled = False
        if channel.jobs or channel.pending:
            self._schedule(channel)

    def _settle(self, channel: Channel) -> None:
        """Write all that waits, now: no write may cross a change of who hears it."""
        while channel.jobs or channel.pending:
            self._write_some(channel)

    def _write_some(self, channel: Channel) -> None:
        if not channel.jobs and channel.pending:
            channel.jobs = self._encode(channel, channel.cut())
        budget = SLICE
        while channel.jobs and budget > 0:
            writes, data = channel.jobs.pop()
            if len(writes) > budget:
                channel.jobs.append((writes[budget:], data))
                writes = writes[:budget]
            for write in writes:
                write(data)
            budget -= len(writes)
        self._set_aside_slow()
        if channel.behind and not channel.jobs:
            for subscription in tuple(channel.behind):
                self._catch_up(subscription.connection)

    def _encode(self, channel: Channel, events: list[LogEvent]) -> list[Job]:
        jobs: list[Job] = []
        payloads: dict[object, list[bytes]] = {}
        for shape, writes in channel.targets().items():
            if shape.encode not in payloads:
                self.encodes += len(events)
                payloads[shape.encode] = [data for event in events if (data := shape.encode(event)) is not None]
            if found := payloads[shape.encode]:
                jobs.append((writes, b"".join(map(shape.frame, found))))
        return jobs

    # Behind: each its own cursor.

    def slow(self, connection: Connection) -> None:
        """Note that a transport has too much unsent. Called from inside a write: changes nothing that a loop walks."""
        connection.slow = True
        if not self._slowed:
            asyncio.get_running_loop().call_soon(self._set_aside_slow)
        self._slowed.append(connection)

    def drained(self, connection: Connection) -> None:
        """Note that a transport has room again: the connection goes on where it stopped."""
        connection.slow = False
        self._catch_up(connection)

    def _set_aside_slow(self) -> None:
        while self._slowed:
            for subscription in tuple(self._slowed.pop().subscriptions.values()):
                if subscription.live:
                    self._settle(subscription.channel)
                    subscription.seq = subscription.channel.delivered
                    self._fall_behind(subscription)

    def _fall_behind(self, subscription: Subscription) -> None:
        subscription.channel.put(subscription, live=False)
        subscription.connection.behind.append(subscription)

    def _catch_up(self, connection: Connection) -> None:
        """Go on for a connection that is behind, one page of one log at a time."""
        for subscription in tuple(connection.behind):
            channel = subscription.channel
            if connection.slow or connection.pulling or channel.delivered is None or not _stands(subscription):
                continue
            self._settle(channel)  # which may bring this very subscription up
            if subscription not in connection.behind:
                continue
            if subscription.seq is None or subscription.seq == channel.delivered:
                connection.behind.remove(subscription)
                channel.put(subscription, live=True)
                connection.listener.caught_up(channel.log_id)
            elif subscription.seq < channel.delivered:
                connection.pulling = True
                self._pull_page(subscription, subscription.seq, channel.delivered)

    def _pull_page(self, subscription: Subscription, after: int, upto: int) -> None:
        def reply(events: list[LogEvent] | None) -> None:
            self._write_page(subscription, events)

        self._pull(reply, subscription.channel.log_id, after, upto, PAGE)

    def _write_page(self, subscription: Subscription, events: list[LogEvent] | None) -> None:
        connection, shape = subscription.connection, subscription.shape
        connection.pulling = False
        if _stands(subscription):
            if not events:  # the log has a hole, or cannot be read now
                connection.listener.lost()
                return
            payloads = [shape.frame(data) for event in events if (data := shape.encode(event)) is not None]
            subscription.seq = events[-1].seq
            if payloads:
                connection.write(b"".join(payloads))
        self._catch_up(connection)

    # Channels open, fill their gaps, and close.

    def _channel(self, log_id: LogId) -> Channel:
        if (channel := self._channels.get(log_id)) is None:
            channel = self._channels[log_id] = Channel(log_id)
            if not self._opening:
                asyncio.get_running_loop().call_soon(self._read_opening)
            self._opening.append(channel)
        return channel

    def _read_opening(self) -> None:
        channels, self._opening = self._opening, []

        def reply(found: dict[LogId, int] | None) -> None:
            for channel in channels:
                self._opened(channel, None if found is None else found.get(channel.log_id, 0))

        self._heads(reply, [channel.log_id for channel in channels])

    def _opened(self, channel: Channel, head: int | None) -> None:
        if head is not None:
            channel.delivered = max(head, channel.known)
        for subscription in tuple(channel.subscriptions):
            if head is None:
                subscription.connection.listener.lost()
            else:
                self._catch_up(subscription.connection)

    def _drop(self, subscription: Subscription) -> None:
        channel = subscription.channel
        channel.drop(subscription)
        if subscription in subscription.connection.behind:
            subscription.connection.behind.remove(subscription)
        if not channel.subscriptions and self._channels.get(channel.log_id) is channel:
            del self._channels[channel.log_id]

    def _fill(self, channel: Channel) -> None:
        """Read what was committed and not announced to us."""
        if channel.filling or channel.delivered is None:
            return
        channel.filling = True

        def reply(events: list[LogEvent] | None) -> None:
            channel.filling = False
            if self._channels.get(channel.log_id) is channel and events:
                self.deliver(events)
                if channel.known > channel.head:
                    self._fill(channel)

        self._pull(reply, channel.log_id, channel.head, channel.known, PAGE)

    def logs(self) -> list[LogId]:
        """Name the logs that are heard here."""
        return list(self._channels)

    def compare(self, heads: Iterable[tuple[LogId, int]]) -> None:
        """Hold what was heard against heads read from the database: finds the lost last announcement too.

        A head that is ahead twice in a row was not announced; once, it may be on its way.
        """
        for log_id, head in heads:
            channel = self._channels.get(log_id)
            if channel is None or channel.delivered is None or head <= channel.head:
                continue
            if channel.suspect > channel.head:
                channel.known = max(channel.known, channel.suspect)
                self._fill(channel)
            channel.suspect = head


def _stands(subscription: Subscription) -> bool:
    found = subscription.connection.subscriptions.get(subscription.channel.log_id)
    return found is subscription
