"""The echo: each text comes back as it is, or as the upstream answers it. Nothing is sent before it is written down.

The conversation shows in its account's history once the socket is closed, whatever closed it.
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

log = logging.getLogger("veche.channels")

MAX_WAITING = 16  # lines that wait for the upstream before the client is not read any more


class Echo:
    """One conversation with ourselves."""

    __slots__ = ("_actor", "_chat", "_echo_id", "_handler")

    def __init__(self, chat: Chat, actor: Actor, echo_id: int) -> None:
        self._chat = chat
        self._actor = actor
        self._echo_id = echo_id
        self._handler: ChannelsHandler

    @classmethod
    async def open(cls, chat: Chat, target: Target | None, actor: Actor) -> "Echo | ProxiedEcho":
        """Begin a conversation of an actor, with the upstream where there is one."""
        echo_id = await echoes.begin(chat, actor)
        return cls(chat, actor, echo_id) if target is None else ProxiedEcho(chat, actor, echo_id, target)

    def start(self, handler: ChannelsHandler) -> None:
        self._handler = handler

    def received(self, text: str) -> None:
        lines = echoes.lines(self._echo_id, ("client", text), ("server", text))
        self._handler.client.submit(lines, partial(self._stored, text))

    def _stored(self, text: str, outcome: ChatError | None) -> None:
        if isinstance(outcome, ChatError):
            self._handler.end(Ending.UNAVAILABLE)
        else:
            self._handler.client.send(text.encode())

    def stop(self) -> None:
        echoes.end(self._chat, self._actor, self._echo_id)


class ProxiedEcho:
    """One conversation with the upstream: one line at a time, and the next ones wait for its answer.

    This is the one place where a connection has a task of its own, from its first line on: the upstream's client is
    written for tasks.
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
        if self._lines.qsize() > MAX_WAITING:
            self._handler.socket.pause_reading()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._converse())

    async def _converse(self) -> None:
        upstream = Upstream(self._target)
        try:
            while True:
                await self._exchange(upstream, await self._lines.get())
        except UpstreamFailed:
            self._handler.close(*UPSTREAM_FAILED)
        except ChatError:
            self._handler.end(Ending.UNAVAILABLE)
        except Exception:
            log.exception("a proxied conversation failed")
            self._handler.end(Ending.INTERNAL)
        finally:
            await upstream.close()

    async def _exchange(self, upstream: Upstream, line: str) -> None:
        """Write a line down, have it answered, write the answer down, and send it."""
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
