"""Uploads, with all their limits, and the removal of what nobody uses."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from veche.core.accounts import Register
from veche.core.actor import NOBODY_ID, Actor
from veche.core.deletion import DeleteMessage
from veche.core.errors import ChatError, Code
from veche.core.files import DropFiles, SendFiles
from veche.core.rules import Rules
from veche.core.values import LOBBY_ID, FileInfo
from veche.hub.hub import Hub
from veche.service import files as service
from veche.service.chat import Chat
from veche.service.file_removal import remove_once
from veche.service.files import MAX_ALL_UPLOADS, MAX_UPLOADS, PART, Files
from veche.storage import files as storage
from veche.storage.blobs import SMALL, DiskStore
from veche.storage.kinds.sqlite_database import SqliteDatabase
from veche.storage.reader import Reader
from veche.storage.writer import Writer

MOST = 3 * PART
ANN = Actor(1, "native")
NEVER = 0
LATER = time.time_ns() // 1000 + 10**12


class Town:
    """A chat with one account, and its files."""

    def __init__(self, folder: Path) -> None:
        self.database = SqliteDatabase(f"sqlite:///{folder}/x.db")
        self.database.migrate()
        self.reader = Reader(self.database)
        self.writer = Writer(self.database, lambda _: None, Rules(file_quota=4 * MOST))
        self.chat = Chat(self.writer, self.reader, Hub(lambda *_: None, lambda *_: None))
        self.store = DiskStore(folder / "files")
        self.files = Files(self.chat, self.store, MOST)

    async def upload(self, *parts: bytes, size: int | None = None, by: Actor = ANN) -> FileInfo:
        return await self.files.upload(by, "a.txt", size, stream(*parts))

    def blobs(self) -> set[str]:
        return set(self.store.names())

    def rows(self) -> dict[str, str]:
        with self.database.reading() as tx:
            return dict(tx.connection.execute("SELECT id, state FROM files").fetchall())

    def usage(self) -> int:
        with self.database.reading() as tx:
            return sum(row[0] for row in tx.connection.execute("SELECT bytes FROM usages"))


async def stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    town = Town(tmp_path)
    town.writer.start()
    await town.chat.do(Actor(NOBODY_ID, "native"), Register("hash", username="ann"))
    yield town
    town.files.stop()
    await town.writer.stop()
    town.reader.stop()
    town.database.close()


async def test_a_file_is_stored_part_by_part_and_read_part_by_part(town: Town) -> None:
    parts = [bytes([n]) * 50_000 for n in range(12)]
    file = await town.upload(*parts, size=600_000)
    stored = await town.files.find(1, file.id)
    read = [part async for part in town.files.parts(1, stored, 10, 600_000)]
    assert b"".join(read) == b"".join(parts)[10:]
    assert max(map(len, read)) == PART


@pytest.mark.parametrize(("length", "said"), [(MOST + 1, None), (11, 10), (1, MOST + 1)])
async def test_what_is_too_large_leaves_nothing(town: Town, length: int, said: int | None) -> None:
    with pytest.raises(ChatError) as refused:
        await town.upload(*[b"x" * min(length, PART)] * -(-length // PART), size=said)
    assert refused.value.code is Code.TOO_LARGE
    await remove_once(town.chat, town.files, NEVER)
    assert (town.blobs(), town.rows(), town.usage()) == (set(), {}, 0)


async def test_a_client_that_is_gone_leaves_nothing(town: Town) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * PART
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await town.files.upload(ANN, "a", None, broken())
    assert (town.blobs(), set(town.rows().values())) == (set(), {"gone"})
    await remove_once(town.chat, town.files, NEVER)
    assert (town.rows(), town.usage()) == ({}, 0)


async def test_an_upload_that_takes_too_long_is_given_up(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    monkeypatch.setattr(service, "UPLOAD_SECONDS", 0.05)
    with pytest.raises(ChatError) as refused:
        await town.files.upload(ANN, "a", None, endless())
    assert refused.value.code is Code.UNAVAILABLE
    assert town.blobs() == set()


async def begun(town: Town, count: int, *actors: Actor) -> list[asyncio.Task[FileInfo]]:
    """Begin uploads that never end."""
    ready = asyncio.Semaphore(0)

    async def endless() -> AsyncIterator[bytes]:
        ready.release()
        await asyncio.Event().wait()
        yield b""

    tasks = [
        asyncio.create_task(town.files.upload(actor, "a", 10, endless())) for actor in actors for _ in range(count)
    ]
    for _ in tasks:
        await ready.acquire()
    return tasks


async def test_an_account_has_few_uploads_at_once(town: Town) -> None:
    tasks = await begun(town, MAX_UPLOADS, ANN)
    with pytest.raises(ChatError) as refused:
        await town.upload(b"x")
    assert refused.value.code is Code.RATE_LIMITED
    await end(tasks[0])
    assert (await town.upload(b"x")).size == 1
    for task in tasks[1:]:
        await end(task)


async def test_all_together_have_not_many_uploads_at_once(town: Town) -> None:
    others = [Actor(2 + n, "native") for n in range(MAX_ALL_UPLOADS // MAX_UPLOADS)]
    tasks = await begun(town, MAX_UPLOADS, *others)
    with pytest.raises(ChatError) as refused:
        await town.upload(b"x")
    assert refused.value.code is Code.OVERLOADED
    for task in tasks:
        await end(task)


async def end(task: asyncio.Task[FileInfo]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_what_no_message_has_is_removed_after_a_while(town: Town) -> None:
    old, used = await town.upload(b"old"), await town.upload(b"used")
    await town.chat.do(ANN, SendFiles(LOBBY_ID, "", file_ids=(used.id,)))
    assert await remove_once(town.chat, town.files, NEVER) == 0
    assert town.blobs() == {old.id, used.id}
    assert await remove_once(town.chat, town.files, LATER) == 1
    assert (town.blobs(), town.rows()) == ({used.id}, {used.id: "used"})


async def test_a_file_goes_with_its_message(town: Town) -> None:
    file, other = await town.upload(b"x"), await town.upload(b"y")
    first = await town.chat.do(ANN, SendFiles(LOBBY_ID, "", file_ids=(file.id,)))
    await town.chat.do(ANN, SendFiles(LOBBY_ID, "", file_ids=(other.id,)))
    await town.chat.do(ANN, DeleteMessage(LOBBY_ID, first.message.id))
    with pytest.raises(ChatError):
        await town.files.find(1, file.id)
    assert await remove_once(town.chat, town.files, NEVER) == 1
    assert (town.blobs(), set(town.rows())) == ({other.id}, {other.id})


async def test_a_kill_between_the_bytes_and_the_row_leaves_what_is_found(town: Town) -> None:
    file = await town.upload(b"x")
    await town.chat.do(ANN, DropFiles(((1, file.id),), LATER))
    town.store.remove(file.id)
    assert await remove_once(town.chat, town.files, NEVER) == 1
    assert (town.rows(), town.usage()) == ({}, 0)


async def test_more_files_than_one_command_has_are_removed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("veche.service.file_removal.SLICE", 2)
    for _ in range(5):
        await town.upload(b"x")
    assert await remove_once(town.chat, town.files, LATER) == 5
    assert (town.blobs(), town.rows()) == (set(), {})


async def test_a_store_that_is_away_is_unavailable_and_nothing_is_forgotten(town: Town, tmp_path: Path) -> None:
    file = await town.upload(b"x")
    stored = await town.files.find(1, file.id)
    (tmp_path / "files").rename(tmp_path / "away")
    (tmp_path / "files").write_text("no folder")
    for deed in (
        town.upload(b"x"),
        remove_once(town.chat, town.files, LATER),
        anext(town.files.parts(1, stored, 0, 1)),
    ):
        with pytest.raises(ChatError) as refused:
            await deed
        assert refused.value.code is Code.UNAVAILABLE
    with town.database.reading() as tx:
        assert (1, file.id) in storage.gone_files(tx, "", 10)


async def test_a_small_picture_is_made_once_and_goes_with_the_file(town: Town, tmp_path: Path) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (600, 300)).save(drawn, "PNG")
    file = await town.upload(drawn.getvalue())
    assert (file.width, file.height) == (600, 300)
    stored = await town.files.find(1, file.id)
    made = await town.files.thumbnail(1, stored)
    assert town.store.read_whole(file.id + SMALL) == made
    (tmp_path / "files" / file.id[:2] / file.id).write_bytes(b"no image any more")
    assert await town.files.thumbnail(1, stored) == made
    assert town.blobs() == {file.id}
    await remove_once(town.chat, town.files, LATER)
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


async def test_a_text_has_no_small_picture(town: Town) -> None:
    stored = await town.files.find(1, (await town.upload(b"text")).id)
    with pytest.raises(ChatError) as refused:
        await town.files.thumbnail(1, stored)
    assert refused.value.code is Code.NOT_FOUND
