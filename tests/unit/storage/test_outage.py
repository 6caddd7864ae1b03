"""While the database is away, all who wait share the time for which it is tried again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from core import commands as c

from tests.services import PostgresAddress
from veche.core.values import LOBBY_ID
from veche.storage import commit as committing
from veche.storage import opening
from veche.storage.commit import commit
from veche.storage.database import Database
from veche.storage.engines.engine import Failure
from veche.storage.outage import LONGEST_PAUSE, Outage
from veche.storage.writer import Writer

from .conftest import Town, codes

ANN = 1
SECONDS = 0.5


class Switch:
    """Takes a database away, and gives it back."""

    def __init__(self, postgres: PostgresAddress, url: str) -> None:
        self._psql = postgres.psql
        self._name = url.rpartition("/")[2].partition("?")[0]

    def off(self) -> None:
        self._psql(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self._psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'")

    def on(self) -> None:
        self._psql(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")


@pytest.fixture
def switch(postgres: PostgresAddress, postgres_url: str) -> Switch:
    return Switch(postgres, postgres_url)


@pytest.fixture
def remote(postgres_url: str) -> Iterator[Database]:
    with contextlib.closing(opening.open_to_serve(postgres_url)) as found:
        commit(found, [c.by(c.NOBODY_ID, c.Register("hash", username="ann"))])
        yield found


def say(number: int) -> c.Request:
    return c.by(ANN, c.SendMessage(LOBBY_ID, "hi", f"c{number}"))


async def test_a_long_queue_is_refused_in_the_time_of_one_batch(remote: Database, switch: Switch) -> None:
    writer = Writer(remote, lambda _: None, batch=128)
    writer._outage = Outage(SECONDS)
    writer.start()
    answers: list[Any] = []
    short = writer._waiting_requests._short
    switch.off()
    began = time.monotonic()
    for number in range(2000):
        writer.submit(*say(number), answers.append)
    await writer.wait_until_answered()
    assert codes(answers) == ["unavailable"] * 2000
    assert writer._waiting_requests._short == short, "what was refused says nothing about how long a batch takes"
    assert time.monotonic() - began < 4 * SECONDS + 2  # with its own time for each batch: 16 times SECONDS
    switch.on()
    async with asyncio.timeout(10):
        while codes(answers)[-1] != "ok":
            writer.submit(*say(0), answers.append)
            await writer.wait_until_answered()
    await writer.stop()


def test_a_database_that_comes_back_in_time_refuses_nobody(remote: Database, switch: Switch) -> None:
    switch.off()
    outage = Outage(30)
    wait, waits = outage.wait, []

    def wait_and_come_back() -> bool:
        waits.append(1)
        if len(waits) == 3:
            switch.on()
        return wait()

    outage.wait = wait_and_come_back  # type: ignore[method-assign]
    assert codes(commit(remote, [say(1), say(2)], outage=outage)[0]) == ["ok", "ok"]
    assert outage.began is None


def test_after_the_time_there_is_one_attempt_in_each_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    outage = Outage(SECONDS)
    while outage.wait():
        pass
    assert outage.refuses()
    now[0] += LONGEST_PAUSE
    assert not outage.refuses()
    assert not outage.wait()
    assert outage.refuses()
    outage.end()
    assert not outage.refuses()
    assert outage.wait(), "a new outage has its own time"
    now[0] += 10
    assert not outage.wait(), "an attempt may take longer than all the time there is"
    now[0] += 3600
    assert not outage.refuses(), "an hour without an attempt says nothing"
    assert outage.wait()


def test_a_command_that_conflicts_and_then_meets_a_deadlock_is_decided_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, errors = committing._commit_once, [psycopg.errors.DeadlockDetected(), psycopg.IntegrityError()]
    kinds = {psycopg.errors.DeadlockDetected: Failure.AGAIN, psycopg.IntegrityError: Failure.CONFLICT}

    def fail_first(*arguments: Any) -> Any:
        if errors:
            raise errors.pop()
        return once(*arguments)

    monkeypatch.setattr(committing, "_commit_once", fail_first)
    monkeypatch.setattr(type(town.database), "failure_of", lambda _, error: kinds[type(error)])
    assert codes(town.batch(town.say(1))) == ["ok"]
