"""Conversations with the echo, for the dialect that has them.

A line may hold whatever is valid UTF-8, NUL too, which PostgreSQL's text cannot. So each is stored as a JSON string.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from veche.core.actor import Actor, server_actor
from veche.core.echo import AddEchoLines, CloseEcho, EchoLine, OpenEcho
from veche.core.errors import ChatError
from veche.service.chat import Chat
from veche.storage import echo

AT_ONCE = 1000
RETRY_AFTER = 1.0  # seconds


async def begin(chat: Chat, actor: Actor) -> int:
    """Begin a conversation and give its id."""
    return await chat.do(actor, OpenEcho())


def lines(echo_id: int, *pairs: tuple[str, str]) -> AddEchoLines:
    """Make the command that stores lines, each a source ("client" or "server") and a text."""
    return AddEchoLines(echo_id, tuple((source, msgspec.json.encode(text).decode()) for source, text in pairs))


def end(chat: Chat, actor: Actor, echo_id: int) -> None:
    """End a conversation; while the store cannot take it, this is tried again."""

    def reply(outcome: ChatError | None) -> None:
        if isinstance(outcome, ChatError) and outcome.temporary:
            asyncio.get_running_loop().call_later(RETRY_AFTER, end, chat, actor, echo_id)

    chat.submit(actor, CloseEcho(echo_id), reply)


async def history(chat: Chat, actor: Actor) -> AsyncIterator[list[EchoLine]]:
    """Read an account's conversations that are over, by pages: also those that ended just now."""
    await chat.stored()
    left, after = await chat.read(echo.closed_echoes, actor.account_id), 0
    while left:
        page, left, after = await chat.read(echo.echo_page, left, after)
        if page:
            yield [EchoLine(line.source, msgspec.json.decode(line.text, type=str), line.at) for line in page]


async def end_left_open(chat: Chat, dialect: str) -> None:
    """At the start of the server, end what its last run left open."""
    left = await chat.read(echo.open_echoes)
    actor = server_actor(dialect)
    for start in range(0, len(left), AT_ONCE):
        await asyncio.gather(*(chat.do(actor, CloseEcho(id)) for id in left[start : start + AT_ONCE]))
