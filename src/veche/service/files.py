"""Files: uploads as streams, and downloads in parts. Neither is ever whole in memory."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from msgspec.structs import replace

from veche.core.access import Right, check_access
from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.file_types import HEAD, INLINE, UNKNOWN, clean_name, type_of
from veche.core.files import BeginUpload, DropFiles, FileState, FinishUpload, StoredFile, is_file_id
from veche.core.values import FileInfo
from veche.service.chat import Chat
from veche.service.images import MAX_IMAGE_BYTES, size_of_image, thumbnail_of
from veche.storage import files
from veche.storage.blobs import SMALL, BlobError, BlobStore, BlobWriter

MAX_UPLOADS: Final = 4
"""Of one account at once."""
MAX_ALL_UPLOADS: Final = 64
"""Of all accounts together at once."""
UPLOAD_SECONDS: Final = 600.0
"""How long an upload may take."""
PART: Final = 262_144
"""Bytes that are stored or read in one go."""
THREADS: Final = 4
MAX_THUMBNAILS: Final = 20
"""Small pictures that wait to be made, one after the other."""
UNITS_OF_A_THUMBNAIL: Final = 50.0
"""How much work it is to make a small picture."""
UNITS_OF_A_PART: Final = 1.0
"""How much work it is to store or read a part (`service.shares`)."""

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("veche")


class Files:
    """Stores and gives out files. The bytes are in the store, the rest is in the database.

    A file has at most `most_bytes` bytes.
    """

    def __init__(self, chat: Chat, store: BlobStore, most_bytes: int) -> None:
        self._chat = chat
        self._store = store
        self.most_bytes = most_bytes
        self._threads = ThreadPoolExecutor(THREADS, "veche-files")
        self._maker = ThreadPoolExecutor(1, "veche-thumbnails")
        self._being_made = 0
        self._uploads: Counter[int] = Counter()  # by account

    def stop(self) -> None:
        """End the threads."""
        self._maker.shutdown(wait=True, cancel_futures=True)
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def upload(self, actor: Actor, name: str, size: int | None, body: AsyncIterator[bytes]) -> FileInfo:
        """Store a file that no message has yet. `size` is how many bytes it has, if the client has said so.

        Raises ChatError: TOO_LARGE if the file or all files of the account have too many bytes, RATE_LIMITED or
        OVERLOADED if there are too many uploads, or UNAVAILABLE.
        """
        if size is not None and size > self.most_bytes:
            raise self._too_large()
        self._enter(actor.account_id)
        try:
            return await self._upload(actor, clean_name(name), size, body)
        finally:
            self._uploads[actor.account_id] -= 1
            self._uploads += Counter()  # forgets those that have none

    def _enter(self, account_id: int) -> None:
        if self._uploads[account_id] >= MAX_UPLOADS:
            raise ChatError(Code.RATE_LIMITED, f"An account may have {MAX_UPLOADS} uploads at once.", retry_after=1)
        if self._uploads.total() >= MAX_ALL_UPLOADS:
            raise ChatError(Code.OVERLOADED, "There are too many uploads.")
        self._uploads[account_id] += 1

    async def _upload(self, actor: Actor, name: str, size: int | None, body: AsyncIterator[bytes]) -> FileInfo:
        most = self.most_bytes if size is None else size
        info = FileInfo(secrets.token_hex(16), name, most, UNKNOWN)
        await self._chat.do(actor, BeginUpload(info))
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                stored = await self._store_body(actor, info, body)
            return await self._chat.do(actor, FinishUpload(stored))
        except TimeoutError:
            await self._give_up(actor, info.id)
            raise ChatError(Code.UNAVAILABLE, "The upload has taken too long.") from None
        except BaseException:
            await self._give_up(actor, info.id)
            raise

    async def _store_body(self, actor: Actor, info: FileInfo, body: AsyncIterator[bytes]) -> FileInfo:
        writer = await self._in_thread(self._store.write, info.id)
        head, size, part = b"", 0, bytearray()
        try:
            async for data in body:
                size += len(data)
                if size > info.size:
                    raise self._too_large()
                part += data
                if len(part) >= PART:
                    head = head or bytes(part[:HEAD])
                    await self._add(actor, writer, part)
                    part.clear()
            head = head or bytes(part[:HEAD])
            await self._add(actor, writer, part)
            await self._in_thread(writer.finish)
            type = type_of(head)
            width, height = await self._in_thread(size_of_image, head, type) or (None, None)
        except BaseException:
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._threads, writer.abandon))
            raise
        return replace(info, size=size, type=type, width=width, height=height)

    async def _add(self, actor: Actor, writer: BlobWriter, part: bytearray) -> None:
        await self._in_thread(writer.add, bytes(part))
        self._chat.shares.of(actor.party).work(UNITS_OF_A_PART)

    async def _give_up(self, actor: Actor, id: str) -> None:
        """Let the file go. If that fails, it is found later: it is too old then."""
        command = DropFiles(((actor.account_id, id),), time.time_ns() // 1000 + 1)
        try:
            await asyncio.shield(self._chat.do(actor, command))
        except ChatError as refusal:
            logger.info("an upload that ended early is removed later: %s", refusal.message)

    async def find(self, account_id: int, id: str) -> StoredFile:
        """Return a file that the account may read now. Raises ChatError (NOT_FOUND).

        Only its owner may read a file that no message has.
        """
        if not is_file_id(id):
            raise _no_such_file()
        file, view = await self._chat.read(account_id, files.file_with_room, id, account_id)
        if file is None:
            raise _no_such_file()
        if file.state is FileState.UNUSED and file.owner_id == account_id:
            return file
        if file.state is not FileState.USED or view is None:
            raise _no_such_file()
        try:
            check_access(Right.READ, view.room, view.member)
        except ChatError:
            raise _no_such_file() from None
        return file

    async def first_part(self, account_id: int, file: StoredFile, begin: int, end: int) -> bytes:
        """Read the beginning of the bytes from `begin` up to, not including, `end`. Raises ChatError (UNAVAILABLE)."""
        length = min(PART, end - begin)
        if not length:
            return b""
        self._chat.shares.of(account_id).work(UNITS_OF_A_PART)
        return await self._in_thread(self._store.read, file.info.id, begin, length)

    async def parts(self, account_id: int, file: StoredFile, begin: int, end: int) -> AsyncIterator[bytes]:
        """Read the bytes from `begin` up to, not including, `end`, part by part. Raises ChatError (UNAVAILABLE)."""
        while begin < end:
            part = await self.first_part(account_id, file, begin, end)
            yield part
            begin += len(part)

    async def thumbnail(self, account_id: int, file: StoredFile) -> bytes:
        """Return a small picture of an image. It is made once, and then kept in the store.

        Raises ChatError: NOT_FOUND if there can be none, OVERLOADED if too many are being made, or UNAVAILABLE.
        """
        info = file.info
        if info.type not in INLINE or info.width is None or info.size > MAX_IMAGE_BYTES:
            raise _no_thumbnail()
        self._chat.shares.of(account_id).work(UNITS_OF_A_PART)
        if (kept := await self._in_thread(self._kept_thumbnail, info.id)) is not None:
            return kept
        if self._being_made >= MAX_THUMBNAILS:
            raise ChatError(Code.OVERLOADED, "Too many small pictures are being made.")
        self._being_made += 1
        self._chat.shares.of(account_id).work(UNITS_OF_A_THUMBNAIL)
        try:
            made = await self._in(self._maker, self._make_thumbnail, info)
        finally:
            self._being_made -= 1
        if made is None:
            raise _no_thumbnail()
        try:
            await self.find(account_id, info.id)
        except ChatError:  # the file may have been removed before the small picture was stored
            if (await self._chat.read(account_id, files.file_with_room, info.id, account_id))[0] is None:
                await self.remove(info.id)
            raise
        return made

    def _kept_thumbnail(self, id: str) -> bytes | None:
        return self._store.read_whole(id + SMALL)

    def _make_thumbnail(self, info: FileInfo) -> bytes | None:
        made = thumbnail_of(self._store.read(info.id, 0, info.size))
        if made is not None:
            with contextlib.suppress(BlobError):  # another node may be storing it: then this one need not
                writer = self._store.write(info.id + SMALL)
                try:
                    writer.add(made)
                    writer.finish()
                except BlobError:
                    writer.abandon()
        return made

    async def _in_thread(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function of the store in a thread. Raises ChatError (UNAVAILABLE)."""
        return await self._in(self._threads, do, *args, **kwargs)

    async def _in(self, threads: ThreadPoolExecutor, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, lambda: do(*args, **kwargs))
        except BlobError as error:
            logger.warning("%s", error)
            raise ChatError(Code.UNAVAILABLE, "Files cannot be stored or read now.") from None

    async def remove(self, id: str) -> None:
        """Remove the bytes of a file. Raises ChatError (UNAVAILABLE)."""
        await self._in_thread(self._store.remove, id)

    def _too_large(self) -> ChatError:
        return ChatError(Code.TOO_LARGE, f"A file may have {self.most_bytes} bytes, and not more than it says.")


def _no_thumbnail() -> ChatError:
    return ChatError(Code.NOT_FOUND, "There is no small picture of this file.", what="file")


def _no_such_file() -> ChatError:
    return ChatError(Code.NOT_FOUND, "No such file.", what="file")
