"""Compares the hub's positions with the heads in the database. It finds the entries that the bus did not tell."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from veche.bus.bus import Bus
from veche.core.errors import ChatError
from veche.core.values import LogId
from veche.hub.hub import Hub
from veche.storage.feed import CommitFeed

logger = logging.getLogger("veche")

SECONDS = 1.0  # between two comparisons
SECONDS_WITHOUT_BUS = 0.5  # the same while the bus is away: nothing else tells then what other nodes commit


class Comparison:
    """Compares all heads regularly, and those of logs that the bus has just begun to follow at once."""

    def __init__(self, feed: CommitFeed, hub: Hub, bus: Bus) -> None:
        self._feed = feed
        self._hub = hub
        self._bus = bus
        self._followed: set[LogId] = set()
        self._wake = asyncio.Event()
        bus.on_bell(hub.learn_heads)
        bus.on_followed(self._compare_soon)

    def _compare_soon(self, log_ids: Sequence[LogId]) -> None:
        self._followed.update(log_ids)
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        loop = asyncio.get_running_loop()
        compared_at = loop.time()
        while True:
            pause = SECONDS if self._bus.connected else SECONDS_WITHOUT_BUS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(compared_at + pause):
                    await self._wake.wait()
            self._wake.clear()
            followed, self._followed = self._followed, set()
            positions = self._hub.positions()
            if loop.time() < compared_at + pause:
                await self._compare({log_id: positions[log_id] for log_id in followed if log_id in positions})
            else:
                await self._compare(positions)
                compared_at = loop.time()  # only now: a database that is slow gets a pause, too

    async def _compare(self, positions: dict[LogId, int]) -> None:
        try:
            self._hub.learn_heads(await self._feed.heads_ahead_of(positions))
        except ChatError as refusal:
            logger.warning("the heads could not be compared, which is tried again soon: %s", refusal.message)
        except Exception:
            logger.exception("the heads could not be compared; this is tried again in %.1f s", SECONDS)
