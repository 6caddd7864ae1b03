"""The echo: sends back each text, or the upstream's answer to it. Every text is stored before it is sent.

A conversation appears in the account's history when its connection has closed.
"""

import asyncio
import logging
from functools import partial

from veche.core.actor import Actor
from veche.core.errors import ChatError
from veche.dialects.channels.errors import UPSTREAM_FAILED
from veche.dialects.channels.options import Target
from veche.dialects.channels.socket import ChannelsHandler
from veche.dialects.channels.upstream import Upstream, UpstreamFailed
from veche.gateway.endings import Ending
from veche.service import echoes
from veche.service.chat import Chat

logger = logging.getLogger("veche.channels")

MAX_QUEUED = 16  # texts that may wait for the upstream; if there are more, reading is paused


class Echo:
    """One conversation in which the server sends back each text."""

    __slots__ = ("_actor", "_chat", "_echo_id", "_handler")

    def __init__(self, chat: Chat, actor: Actor, echo_id: int) -> None:
        self._chat = chat
        self._actor = actor
        self._echo_id = echo_id
        self._handler: ChannelsHandler

    @classmethod
    async def open(cls, chat: Chat, node_id: str, target: Target | None, actor: Actor) -> "Echo | ProxiedEcho":
        """Open a conversation, with the upstream `target` or, if that is None, without one."""
        echo_id = await echoes.begin(chat, actor, node_id)
        return cls(chat, actor, echo_id) if target is None else ProxiedEcho(chat, actor, echo_id, target)

    def start(self, handler: ChannelsHandler) -> None:
        self._handler = handler

    def received(self, text: str) -> None:
        lines = echoes.lines(self._echo_id, ("client", text), ("server", text))
        self._handler.client.submit(lines, partial(self._send_stored, text))

    def _send_stored(self, text: str, outcome: ChatError | None) -> None:
        if isinstance(outcome, ChatError):
            self._handler.end(Ending.UNAVAILABLE)
        else:
            self._handler.client.send(text.encode())

    def stop(self) -> None:
        echoes.end(self._chat, self._actor, self._echo_id)


class ProxiedEcho:
    """One conversation with the upstream. A text waits until the upstream has answered the text before.

    The first text starts a task, because the WebSocket client of the upstream needs one.
    """

    __slots__ = ("_actor", "_chat", "_echo_id", "_handler", "_lines", "_target", "_task")

    def __init__(self, chat: Chat, actor: Actor, echo_id: int, target: Target) -> None:
        self._chat = chat
        self._actor = actor
        self._echo_id = echo_id
        self._target = target
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._handler: ChannelsHandler

    def start(self, handler: ChannelsHandler) -> None:
        self._handler = handler

    def received(self, text: str) -> None:
        self._lines.put_nowait(text)
        if self._lines.qsize() > MAX_QUEUED:
            self._handler.socket.pause_reading()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        upstream = Upstream(self._target)
        try:
            while True:
                await self._exchange(upstream, await self._lines.get())
        except UpstreamFailed:
            self._handler.close(*UPSTREAM_FAILED)
        except ChatError:
            self._handler.end(Ending.UNAVAILABLE)
        except Exception:
            logger.exception("a conversation with the upstream failed")
            self._handler.end(Ending.INTERNAL)
        finally:
            await upstream.close()

    async def _exchange(self, upstream: Upstream, line: str) -> None:
        """Store a text, send it to the upstream, store the answer, and send the answer to the client."""
        await self._chat.do(self._actor, echoes.lines(self._echo_id, ("client", line)))
        answer = await upstream.ask(line)
        await self._chat.do(self._actor, echoes.lines(self._echo_id, ("server", answer)))
        client = self._handler.client
        if not client.ended:
            client.send(answer.encode())
            if self._lines.empty():
                client.resume_reading()

    def stop(self) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        echoes.end(self._chat, self._actor, self._echo_id)
