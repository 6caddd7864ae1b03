"""The hub: from a batch of committed entries to bytes on every socket that should see them.

Gets: entries in the order of their logs, as the bus announces them. Gives: for each channel and shape one write per
caught-up connection and turn of the loop, encoded once per shape. Who is behind reads the log (`hub.catchup`).
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from veche.core.accounts import Person
from veche.core.events import LogEvent, MemberJoined, MemberLeft, RoomEntered, RoomExited, SessionsEnded
from veche.core.rooms import LogId
from veche.hub.catchup import CatchUp
from veche.hub.channel import Channel, Job
from veche.hub.channels import Channels, Heads, Pull
from veche.hub.connection import Connection, Shape, Subscription, Write
from veche.ops.crash import armed, crash_point

log = logging.getLogger("veche.hub")

WORTH_A_REST = 0.001  # seconds
LONGEST_REST = 0.01
SLICE = 1 if armed("mid_fanout") else 1000  # writes in one turn of the loop, so that other work is not kept waiting


class Hub:
    """Every connection of this process, and every log that one of them hears."""

    def __init__(self, pull: Pull, heads: Heads) -> None:
        self._channels = Channels(pull, heads, self._opened, self.deliver)
        self._catch_up = CatchUp(pull, self._settle)
        self._accounts: dict[int, dict[Connection, None]] = {}  # in the order in which they came
        self._slowed: list[Connection] = []
        self.encodes = 0  # events times forms, counted for tests and metrics

    # Connections come and go.

    def attach(self, connection: Connection) -> None:
        """Take a connection in: from now on it is told when its account enters or leaves a room."""
        self._accounts.setdefault(connection.account.id, {})[connection] = None

    def detach(self, connection: Connection) -> None:
        """Forget a connection that goes: what was announced before is written before, and nothing after."""
        account_id = connection.account.id
        if (connections := self._accounts.get(account_id)) is not None:
            connections.pop(connection, None)
            if not connections:
                del self._accounts[account_id]
        for log_id in tuple(connection.subscriptions):
            self.unsubscribe(connection, log_id)

    def subscribe(
        self, connection: Connection, log_id: LogId, shape: Shape, after: int | None, promised: int = 0
    ) -> None:
        """Let a connection hear a log from the entry after `after` on (None: from its head on).

        Register first, read then: what is committed from here on is announced to a channel that listens. It has not
        caught up before the entry `promised` was written: a head read from the database may not be announced yet.
        """
        self.unsubscribe(connection, log_id)
        channel = self._channels.open(log_id)
        self._settle(channel)
        subscription = Subscription(connection, channel, shape, after, promised)
        channel.subscriptions[subscription] = None
        connection.subscriptions[log_id] = subscription
        self._catch_up.begin(subscription)
        self._catch_up.go_on(connection)

    def unsubscribe(self, connection: Connection, log_id: LogId) -> None:
        """Stop hearing a log; what was announced before is written before."""
        if (subscription := connection.subscriptions.get(log_id)) is not None:
            self._settle(subscription.channel)
            del connection.subscriptions[log_id]
            self._drop(subscription)

    def _drop(self, subscription: Subscription) -> None:
        subscription.channel.drop(subscription)
        if not subscription.live:
            subscription.connection.behind.remove(subscription)
        self._channels.close(subscription.channel)

    def _opened(self, channel: Channel) -> None:
        for subscription in tuple(channel.subscriptions):
            if channel.delivered is None:
                subscription.connection.listener.lost()
            else:
                self._catch_up.go_on(subscription.connection)

    def online(self, log_id: LogId) -> list[Person]:
        """Tell whose connections hear a log here."""
        channel = self._channels.get(log_id)
        found = channel.subscriptions if channel else ()
        people = {subscription.connection.account.id: subscription.connection.account for subscription in found}
        return [people[id] for id in sorted(people)]

    def connections(self, account_id: int) -> list[Connection]:
        """Tell which connections an account has here."""
        return list(self._accounts.get(account_id, ()))

    def logs(self) -> list[LogId]:
        """Name the logs that are heard here."""
        return self._channels.logs()

    def compare(self, heads: Iterable[tuple[LogId, int]]) -> None:
        """Hold what was heard against heads read from the database, and fill what was not announced."""
        self._channels.compare(heads)

    # Entries come in, and go out by turns.

    def deliver(self, events: Sequence[LogEvent]) -> None:
        """Take committed entries; they are written in the next turn of the loop, one write for all of a channel's."""
        for event in events:
            if type(event) is MemberJoined:
                self._enter(event.person.id, event.log_id, event.seq - 1)
            if (channel := self._channels.get(event.log_id)) is not None:
                self._take(channel, event)
            match event:
                case RoomEntered():
                    self._enter(-event.log_id, event.room.id, event.room_seq)
                case MemberLeft():
                    self._remove(event.person.id, event.log_id)
                case RoomExited():
                    self._remove(-event.log_id, event.room_id)
                case SessionsEnded():
                    self._end_sessions(event)

    # Rooms are entered and left in two logs, the room's and the account's: whichever is heard of first counts.

    def _enter(self, account_id: int, room_id: int, after: int) -> None:
        for connection in self.connections(account_id):
            if room_id not in connection.subscriptions:
                connection.listener.entered(room_id, after)

    def _remove(self, account_id: int, room_id: int) -> None:
        for connection in self.connections(account_id):
            self.unsubscribe(connection, room_id)
            connection.listener.removed(room_id)

    def _end_sessions(self, event: SessionsEnded) -> None:
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
            self._channels.fill(channel)

    def _schedule(self, channel: Channel) -> None:
        """Have what waits written in the next turn of the loop; in a busy large room, when it has rested."""
        if not channel.scheduled:
            channel.scheduled = True
            loop = asyncio.get_running_loop()
            if channel.jobs or channel.rests_until <= loop.time():
                loop.call_soon(self._turn, channel)
            else:
                loop.call_at(channel.rests_until, self._turn, channel)

    def _turn(self, channel: Channel) -> None:
        """Write, and then rest as long as it took: what comes meanwhile is joined, and other work gets its half."""
        if channel.jobs:
            crash_point("mid_fanout")
        began = (loop := asyncio.get_running_loop()).time()
        try:
            self._write_some(channel)
        finally:
            channel.scheduled = False
        if (took := loop.time() - began) > WORTH_A_REST:
            channel.rests_until = began + took + min(took, LONGEST_REST)
        if not channel.jobs:
            for subscription in tuple(channel.behind):
                self._catch_up.go_on(subscription.connection)
        if channel.jobs or channel.pending:
            self._schedule(channel)

    def _settle(self, channel: Channel) -> None:
        """Write all that waits, now: no write may cross a change of who hears it."""
        waits = channel.jobs or channel.pending
        while channel.jobs or channel.pending:
            self._write_some(channel)
        if waits and channel.behind:
            self._schedule(channel)  # whoever is behind has something to go on to

    def _write_some(self, channel: Channel) -> None:
        if not channel.jobs and channel.pending:
            channel.jobs = self._encode(channel, channel.cut())
        budget = SLICE
        while channel.jobs and budget > 0:
            writes, data = channel.jobs.pop()
            if len(writes) > budget:
                channel.jobs.append((writes[budget:], data))
                writes = writes[:budget]
            _write_all(writes, data)
            budget -= len(writes)
        self._set_slow_aside()

    def _encode(self, channel: Channel, events: list[LogEvent]) -> list[Job]:
        jobs: list[Job] = []
        payloads: dict[object, list[bytes]] = {}
        for shape, writes in channel.targets().items():
            try:
                if shape.encode not in payloads:
                    self.encodes += len(events)
                    payloads[shape.encode] = [data for event in events if (data := shape.encode(event)) is not None]
                if found := payloads[shape.encode]:
                    jobs.append((writes, b"".join(map(shape.frame, found))))
            except Exception:  # a bug of one form is no other form's misfortune
                log.exception("the form %s cannot be made of what happened in log %d", shape.name, channel.log_id)
                self._set_form_aside(channel, shape, events[0].seq - 1)
        return jobs

    def _set_form_aside(self, channel: Channel, shape: Shape, seq: int) -> None:
        for subscription in channel.subscriptions:
            if subscription.live and subscription.shape is shape:
                subscription.seq = seq
                self._catch_up.begin(subscription)

    # Who reads too slowly is set aside.

    def slow(self, connection: Connection) -> None:
        """Note that a transport has too much unsent. Called from inside a write: changes nothing that a loop walks."""
        connection.slow = True
        if not self._slowed:
            asyncio.get_running_loop().call_soon(self._set_slow_aside)
        self._slowed.append(connection)

    def drained(self, connection: Connection) -> None:
        """Note that a transport has room again: the connection goes on where it stopped."""
        connection.slow = False
        self._catch_up.go_on(connection)

    def _set_slow_aside(self) -> None:
        while self._slowed:
            for subscription in self._slowed.pop().subscriptions.values():
                if subscription.live:  # a write under way is still written: it counts as delivered
                    subscription.seq = subscription.channel.delivered
                    self._catch_up.begin(subscription)


def _write_all(writes: tuple[Write, ...], data: bytes) -> None:
    """Write to each; one that was closed since the tuple was made keeps nobody else from hearing."""
    left = iter(writes)
    while True:
        try:
            for write in left:
                write(data)
        except RuntimeError:  # uvloop's answer to a write on a closed transport
            continue
        return
