"""Removes expired sessions in the background, a few at a time, so that nobody waits for it."""

import asyncio
import logging
import time

from veche.core.actor import NOBODY_ID, Actor
from veche.core.errors import ChatError
from veche.core.sessions import ForgetSessions
from veche.service.chat import Chat
from veche.storage import sessions

logger = logging.getLogger("veche")

SLICE = 100  # sessions in one command
PAUSE = 0.5  # seconds between two slices
EVERY = 600.0  # seconds between two rounds


async def forget_expired_sessions(chat: Chat) -> None:
    """Run until cancelled: look for expired sessions every ten minutes, and remove them slice by slice."""
    while True:
        try:
            await forget_once(chat)
        except ChatError as refusal:  # the writer has too much to do, or the disk is full: the next round tries again
            logger.info("expired sessions could not be removed: %s", refusal.message)
        except Exception:
            logger.exception("expired sessions could not be removed; this is tried again in %d s", EVERY)
        await asyncio.sleep(EVERY)


async def forget_once(chat: Chat, pause: float = PAUSE) -> int:
    """Remove all sessions that expired more than a day ago. Return how many there were. Raises ChatError.

    Those of clients that are still connected, to any node, stay: some contracts do not close a socket when its token
    expires, and the writer refuses commands of a session that is not there. If the other nodes cannot be asked, all
    stay. The sessions are looked for on a reader. The writer gets small commands, with a pause after each.
    """
    removed = 0
    spared: set[str] = set()  # connected to other nodes
    while found := await _expired(chat, spared):
        connected = await chat.elsewhere.connected_sessions(found)
        if connected is None:
            logger.info("other nodes cannot be asked now: expired sessions stay until the next round")
            break
        spared |= connected
        if not (unused := [session_id for session_id in found if session_id not in connected]):
            continue
        count = await chat.do(Actor(NOBODY_ID, "expiry"), ForgetSessions(tuple(unused)))
        removed += count
        if not count:
            break
        await asyncio.sleep(pause)
    if removed:
        logger.info("%d expired sessions were removed", removed, extra={"fields": {"removed": removed}})
    return removed


async def _expired(chat: Chat, spared: set[str]) -> list[str]:
    connected = chat.hub.session_ids() | spared
    found = await chat.read(None, sessions.expired, time.time_ns() // 1000, SLICE + len(connected))
    return [session_id for session_id in found if session_id not in connected][:SLICE]
