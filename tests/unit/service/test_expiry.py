"""Expired sessions are removed in slices, and the others stay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from veche.core.values import Person
from veche.hub.hub import Hub
from veche.hub.topic import Subscriber
from veche.service.chat import Chat
from veche.service.expiry import SLICE, forget_expired_sessions, forget_once
from veche.storage.kinds.sqlite_database import SqliteDatabase
from veche.storage.reader import Reader
from veche.storage.writer import Writer

DAY = 24 * 3600 * 1_000_000


def fill(database: SqliteDatabase, ages: dict[str, int]) -> None:
    """Store sessions of an account. `ages` says how many microseconds ago each expired."""
    now = time.time_ns() // 1000
    with database.writing() as tx:
        run = tx.connection.execute
        run("INSERT INTO accounts (id, username, handle, name, password_hash, created_at) VALUES (1,'a','a','a','h',0)")
        run("INSERT INTO logs VALUES (-1, 0, 0, NULL)")
        for id, age in ages.items():
            run("INSERT INTO sessions VALUES (?, 1, 'native', 0, ?, NULL)", (id, now - age))


def left(database: SqliteDatabase) -> set[str]:
    with database.reading() as tx:
        return {row[0] for row in tx.connection.execute("SELECT id FROM sessions")}


class Parts:
    """The parts of a server that the task needs. `batches` has the number of commands of each batch."""

    def __init__(self, path: Path) -> None:
        self.database = SqliteDatabase(f"sqlite:///{path}/x.db")
        self.database.migrate()
        self.reader = Reader(self.database)
        self.writer = Writer(self.database, lambda _: None)
        self.chat = Chat(self.writer, self.reader, Hub(lambda *_: None, lambda *_: None))

    async def stop(self) -> None:
        await self.writer.stop()
        self.reader.stop()
        self.database.close()


class Deaf:
    """A listener that does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # nothing tells when a row is gone
            await asyncio.sleep(0.01)


async def test_the_session_of_a_client_that_is_still_connected_stays(tmp_path: Path) -> None:
    """Its contract may not close the socket when the token expires, and the writer asks for the session."""
    parts = Parts(tmp_path)
    count = 2 * SLICE + 5
    fill(parts.database, {f"{n}": 2 * DAY + count - n for n in range(count)})
    parts.writer.start()
    connected = {f"{n}" for n in range(SLICE + 1)}  # the oldest, more than a slice
    for session_id in connected:
        parts.chat.hub.attach(Subscriber(Person(1, "a", "a"), session_id, lambda _: None, Deaf()))  # type: ignore[arg-type]
    assert await forget_once(parts.chat, pause=0) == count - len(connected)
    assert left(parts.database) == connected
    await parts.stop()


async def test_a_thousand_expired_sessions_go_slice_by_slice_and_the_others_stay(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    kept = {"open": -DAY, "just": 1_000_000, "hours": DAY - 60_000_000}
    fill(parts.database, kept | {f"old{number}": DAY + 60_000_000 + number for number in range(1000)})
    parts.writer.start()
    slices = []
    do = parts.chat.do

    async def counted(actor, command):  # type: ignore[no-untyped-def]
        slices.append(len(command.session_ids))
        return await do(actor, command)

    parts.chat.do = counted  # type: ignore[method-assign]
    assert await forget_once(parts.chat, 0) == 1000
    assert left(parts.database) == set(kept)
    assert max(slices) == SLICE
    assert len(slices) == 1000 // SLICE
    assert await forget_once(parts.chat, 0) == 0
    await parts.stop()


async def test_the_task_goes_on_when_nothing_can_be_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the writer has started, it refuses. The next round does the work."""
    monkeypatch.setattr("veche.service.expiry.EVERY", 0.01)
    monkeypatch.setattr("veche.service.expiry.PAUSE", 0.0)
    parts = Parts(tmp_path)
    fill(parts.database, {"old": 2 * DAY})
    with caplog.at_level("INFO", "veche"):
        task = asyncio.create_task(forget_expired_sessions(parts.chat))
        await until(lambda: any("could not be removed" in message for message in caplog.messages))
        assert left(parts.database) == {"old"}
        parts.writer.start()
        await until(lambda: not left(parts.database))
    assert not task.done()
    task.cancel()
    await parts.stop()
