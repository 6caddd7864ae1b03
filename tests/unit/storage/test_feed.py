"""The commit feed: a consumer that keeps one position for each log misses nothing and handles nothing twice."""

from __future__ import annotations

import random

from core import commands as c

from veche.core.event import LogEvent
from veche.core.values import LOBBY_ID, LogId
from veche.storage import feed
from veche.storage.entries import read_entries
from veche.storage.feed import CommitFeed
from veche.storage.reader import Reader

from .conftest import Town

CHANNEL, GROUP, ANN, BOB, EVE = 1, 2, 1, 2, 3


class Consumer:
    """Follows logs by the feed. `handled` has the entries in the order in which it handled them."""

    def __init__(self, town: Town, logs: tuple[LogId, ...]) -> None:
        self.reader = Reader(town.database)
        self.feed = CommitFeed(self.reader)
        self.positions = dict.fromkeys(logs, 0)
        self.handled: list[LogEvent] = []

    async def catch_up(self, page: int = 3) -> None:
        while ahead := await self.feed.heads_ahead_of(self.positions):
            for log_id, head in ahead.items():
                for event in await self.reader.read(1, read_entries, log_id, self.positions[log_id], head, page):
                    self.handled.append(event)
                    self.positions[log_id] = event.seq


async def test_a_consumer_handles_every_entry_once_and_in_order(town: Town) -> None:
    chance = random.Random(3)
    logs = (CHANNEL, GROUP, LOBBY_ID, -ANN, -BOB, -EVE)
    consumer = Consumer(town, logs)
    for _ in range(20):
        requests = [
            town.say(CHANNEL),
            town.say(LOBBY_ID, by=EVE),
            c.by(EVE, c.JoinRoom(CHANNEL)),
            c.by(EVE, c.LeaveRoom(CHANNEL)),
            c.by(BOB, c.ReadUpTo(GROUP, chance.randrange(9))),
        ]
        town.batch(*chance.choices(requests, k=4))
        if chance.random() < 0.5:
            await consumer.catch_up()
    await consumer.catch_up()
    for log_id in logs:
        handled = [event.seq for event in consumer.handled if event.log_id == log_id]
        assert handled == list(range(1, town.head(log_id) + 1))
    consumer.reader.stop()


async def test_only_logs_that_are_ahead_are_named(town: Town, monkeypatch) -> None:
    monkeypatch.setattr(feed, "LOGS_PER_QUERY", 2)
    reader = Reader(town.database)
    heads = {log_id: town.head(log_id) for log_id in (CHANNEL, GROUP, LOBBY_ID, -ANN)}
    ahead = CommitFeed(reader).heads_ahead_of
    assert await ahead(heads) == {}
    town.batch(town.say(CHANNEL), town.say(LOBBY_ID))
    assert await ahead(heads | {999: 0}) == {CHANNEL: heads[CHANNEL] + 1, LOBBY_ID: heads[LOBBY_ID] + 1}
    reader.stop()
