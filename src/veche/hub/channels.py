"""The channels of this process: they open at the log's head, fill their gaps from the log, and close with the last ear.

The announcements are hints. Whatever was committed and not announced here is found by its number, and read.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from veche.core.events import LogEvent
from veche.core.rooms import LogId
from veche.hub.channel import Channel

Page = list[LogEvent]
Pull = Callable[[Callable[[Page | None], None], LogId, int, int, int], None]
"""`pull(reply, log_id, after, upto, limit)`: read a page of a log, and call back with it (None: it failed)."""
Heads = Callable[[Callable[[dict[LogId, int] | None], None], list[LogId]], None]
"""`heads(reply, log_ids)`: read the highest seq of each log, and call back with them (None: it failed)."""

PAGE = 200  # entries that are read at once


class Channels:
    """Every log that somebody here hears.

    `opened(channel)` is called when a channel's head is known, or `delivered` is still None: it cannot be read;
    `found(events)` with entries that filled a gap.
    """

    def __init__(
        self, pull: Pull, heads: Heads, opened: Callable[[Channel], None], found: Callable[[Sequence[LogEvent]], None]
    ) -> None:
        self._pull = pull
        self._heads = heads
        self._opened = opened
        self._found = found
        self._channels: dict[LogId, Channel] = {}
        self._opening: list[Channel] = []

    def get(self, log_id: LogId) -> Channel | None:
        """Find a channel that somebody hears."""
        return self._channels.get(log_id)

    def logs(self) -> list[LogId]:
        """Name the logs that are heard here."""
        return list(self._channels)

    def open(self, log_id: LogId) -> Channel:
        """Find or make a channel. A new one listens at once; its head is read with those of its turn's others."""
        if (channel := self._channels.get(log_id)) is None:
            channel = self._channels[log_id] = Channel(log_id)
            if not self._opening:
                asyncio.get_running_loop().call_soon(self._read_heads)
            self._opening.append(channel)
        return channel

    def close(self, channel: Channel) -> None:
        """Forget a channel that nobody hears any more."""
        if not channel.subscriptions and self._channels.get(channel.log_id) is channel:
            del self._channels[channel.log_id]

    def _read_heads(self) -> None:
        channels, self._opening = self._opening, []

        def reply(heads: dict[LogId, int] | None) -> None:
            for channel in channels:
                if heads is not None:
                    channel.delivered = max(heads.get(channel.log_id, 0), channel.known)
                self._opened(channel)

        self._heads(reply, [channel.log_id for channel in channels])

    def fill(self, channel: Channel) -> None:
        """Read what was committed up to `known` and not announced to us."""
        if channel.filling or channel.delivered is None or channel.known <= channel.head:
            return
        channel.filling = True

        def reply(events: Page | None) -> None:
            channel.filling = False
            if events and self._channels.get(channel.log_id) is channel:
                self._found(events)
                self.fill(channel)

        self._pull(reply, channel.log_id, channel.head, channel.known, PAGE)

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
                self.fill(channel)
            channel.suspect = head
