"""What this node does about the other nodes: it ends what they left open, and stops if it may not go on."""

import asyncio
import logging
import os
import signal

from veche.core.errors import ChatError
from veche.service import echoes
from veche.service.chat import Chat
from veche.storage.nodes import Node

ECHO_DIALECT = "channels"

logger = logging.getLogger("veche")


class Nodes:
    """One node among others. `refused` is set if the node may not go on."""

    def __init__(self, node: Node, chat: Chat) -> None:
        self._node = node
        self._chat = chat
        self._closing: asyncio.Task[None] | None = None
        self.refused = False

    async def start(self) -> None:
        """Renew the lease from now on, and end what nodes that are no more left open."""
        loop = asyncio.get_running_loop()
        self._node.start(
            lambda: loop.call_soon_threadsafe(self._on_ended),
            lambda reason: loop.call_soon_threadsafe(self._on_refused, reason),
        )
        await self._close_unfinished()

    async def stop(self) -> None:
        """End the lease, and what is open here, if the writer still takes commands."""
        if self._closing is not None:
            await self._closing
        await asyncio.to_thread(self._node.leave)
        if self._chat.accepts_commands:
            await self._close_unfinished()

    def _on_ended(self) -> None:
        if self._closing is None or self._closing.done():
            self._closing = asyncio.get_running_loop().create_task(self._close_unfinished())

    def _on_refused(self, reason: str) -> None:
        logger.critical("%s This node stops.", reason)
        self.refused = True
        os.kill(os.getpid(), signal.SIGTERM)

    async def _close_unfinished(self) -> None:
        try:
            await echoes.close_unfinished(self._chat, ECHO_DIALECT)
        except ChatError as refusal:  # the next start closes them
            logger.warning("open echo conversations could not be closed: %s", refusal.message)
        except Exception:
            logger.exception("open echo conversations could not be closed")
