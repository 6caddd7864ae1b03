"""The comparison of positions with the database."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from veche.bus.memory import MemoryBus
from veche.hub.hub import Hub
from veche.service import heads

PAUSE = 0.1  # seconds


class SlowFeed:
    """A feed whose database takes longer to answer than lies between two comparisons."""

    def __init__(self) -> None:
        self.ended_at = 0.0
        self.pauses: list[float] = []

    async def heads_ahead_of(self, positions: dict[int, int]) -> dict[int, int]:
        loop = asyncio.get_running_loop()
        if self.ended_at:
            self.pauses.append(loop.time() - self.ended_at)
        await asyncio.sleep(2 * PAUSE)
        self.ended_at = loop.time()
        return {}


async def test_a_slow_database_gets_a_pause_between_two_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "SECONDS", PAUSE)
    monkeypatch.setattr(heads, "SECONDS_WITHOUT_BUS", PAUSE)
    feed: Any = SlowFeed()
    hub = Hub(lambda *_: None, lambda reply, log_ids: reply(dict.fromkeys(log_ids, 0)))
    task = asyncio.create_task(heads.Comparison(feed, hub, MemoryBus()).run())
    try:
        while len(feed.pauses) < 3:  # noqa: ASYNC110  # the test's timeout ends it
            await asyncio.sleep(PAUSE)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert min(feed.pauses) > PAUSE / 2
