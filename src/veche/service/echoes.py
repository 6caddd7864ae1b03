"""Stored conversations with the echo WebSocket, for the channels dialect.

Each line is stored as a JSON string, because a line may contain NUL, which PostgreSQL's text type cannot store.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from veche.core.actor import Actor, server_actor
from veche.core.echo import AddEchoLines, CloseEcho, EchoLine, OpenEcho
from veche.core.errors import ChatError
from veche.service.chat import Chat
from veche.storage import echo

CLOSE_AT_ONCE = 1000
RETRY_AFTER = 1.0  # seconds


async def begin(chat: Chat, actor: Actor, node_id: str) -> int:
    """Begin a conversation with the node `node_id`, this one, and return its id."""
    return await chat.do(actor, OpenEcho(node_id))


def lines(echo_id: int, *pairs: tuple[str, str]) -> AddEchoLines:
    """Return the command that stores lines. Each pair is the source of a line ("client" or "server") and its text."""
    return AddEchoLines(echo_id, tuple((source, msgspec.json.encode(text).decode()) for source, text in pairs))


def end(chat: Chat, actor: Actor, echo_id: int) -> None:
    """End a conversation. If the command is refused for a temporary reason, it is submitted again later."""

    def reply(outcome: ChatError | None) -> None:
        if isinstance(outcome, ChatError) and outcome.temporary:
            asyncio.get_running_loop().call_later(RETRY_AFTER, end, chat, actor, echo_id)

    chat.submit(actor, CloseEcho(echo_id), reply)


async def history(chat: Chat, actor: Actor) -> AsyncIterator[list[EchoLine]]:
    """Yield the lines of an account's ended conversations, page by page.

    First wait for the commands submitted so far, so that a conversation that has just ended is included.
    """
    await chat.stored()
    left, after = await chat.read(actor.party, echo.closed_echoes, actor.account_id), 0
    while left:
        page, left, after = await chat.read(actor.party, echo.echo_page, left, after)
        chat.charge(actor.party, len(page))
        if page:
            yield [EchoLine(line.source, msgspec.json.decode(line.text, type=str), line.at) for line in page]


async def close_unfinished(chat: Chat, dialect: str) -> None:
    """End the conversations that were still open when their node stopped.

    Called when a node starts, when it stops, and when the lease of another one ran out.
    """
    unfinished = await chat.read(None, echo.unfinished_echoes)
    actor = server_actor(dialect)
    for start in range(0, len(unfinished), CLOSE_AT_ONCE):
        await asyncio.gather(*(chat.do(actor, CloseEcho(id)) for id in unfinished[start : start + CLOSE_AT_ONCE]))
