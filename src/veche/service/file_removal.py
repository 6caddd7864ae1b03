"""Removes files in the background that no message has: uploads that were never used, and files of deleted messages.

The bytes go before the row. So if the server is killed in between, the row is found again, and nothing is left behind.
"""

import asyncio
import logging
import time

from veche.core.actor import NOBODY_ID, Actor
from veche.core.errors import ChatError
from veche.core.files import DropFiles, ForgetFiles
from veche.core.values import MICROSECONDS
from veche.service.chat import Chat
from veche.service.files import Files
from veche.storage import files as storage

SLICE = 100  # files in one command
EVERY = 60.0  # seconds between two rounds

_ACTOR = Actor(NOBODY_ID, "files")
logger = logging.getLogger("veche")


async def remove_files(chat: Chat, files: Files, unused_seconds: int) -> None:
    """Run until cancelled: look every minute for files to remove. `unused_seconds`: how long an upload may wait."""
    while True:
        try:
            await remove_once(chat, files, time.time_ns() // 1000 - unused_seconds * MICROSECONDS)
        except ChatError as refusal:  # the writer has too much to do, or the store is away: the next round tries again
            logger.info("files could not be removed: %s", refusal.message)
        except Exception:
            logger.exception("files could not be removed; this is tried again in %d s", EVERY)
        await asyncio.sleep(EVERY)


async def remove_once(chat: Chat, files: Files, before: int) -> int:
    """Remove all files of deleted messages, and uploads from before a time that no message has. Return how many."""
    while unused := await chat.read(None, storage.unused_files, before, SLICE):
        await chat.do(_ACTOR, DropFiles(tuple(unused), before))
    removed, after = 0, ""
    while gone := await chat.read(None, storage.gone_files, after, SLICE):
        for _, id in gone:
            await files.remove(id)
        await chat.do(_ACTOR, ForgetFiles(tuple(gone)))
        removed, after = removed + len(gone), gone[-1][1]
    if removed:
        logger.info("%d files were removed", removed, extra={"fields": {"removed": removed}})
    return removed
