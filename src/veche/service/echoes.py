"""Conversations with the echo, behind the dialect that has them.

A line may hold whatever is valid UTF-8, NUL too, which PostgreSQL's text cannot: so each is stored as a JSON string.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from veche.core import commands as c
from veche.core.errors import ChatError
from veche.core.views import EchoLine
from veche.service.chat import Chat, Outcome
from veche.storage import read

AT_ONCE = 1000
AGAIN_AFTER = 1.0  # seconds


async def begin(chat: Chat, by: int) -> int:
    """Begin a conversation and give its id."""
    return (await chat.do(c.OpenEcho(by))).echo_id


def spoken(echo_id: int, *lines: tuple[str, str]) -> c.SpeakEcho:
    """Make the command that writes lines down, each a source ("client" or "server") and a text."""
    return c.SpeakEcho(echo_id, tuple((source, msgspec.json.encode(text).decode()) for source, text in lines))


def end(chat: Chat, echo_id: int) -> None:
    """End a conversation; where the store cannot take it now, it is tried again until it can."""

    def reply(outcome: Outcome) -> None:
        if isinstance(outcome, ChatError) and outcome.temporary:
            asyncio.get_running_loop().call_later(AGAIN_AFTER, end, chat, echo_id)

    chat.submit(c.CloseEcho(echo_id), reply)


async def history(chat: Chat, by: int) -> AsyncIterator[list[EchoLine]]:
    """Look at one's conversations that are over, one after another and by pages: those too that are over just now."""
    await chat.do(c.EndSession(by, ""))  # changes nothing; the writer answers in order, so what came before is stored
    left, after = await chat.read(read.closed_echoes, by), 0
    while left:
        lines, left, after = await chat.read(read.echo_page, left, after)
        if lines:
            yield [EchoLine(line.source, msgspec.json.decode(line.text, type=str), line.at) for line in lines]


async def end_left_open(chat: Chat) -> None:
    """End what the last run of the server left open, at its start."""
    left = await chat.read(read.open_echoes)
    for start in range(0, len(left), AT_ONCE):
        await asyncio.gather(*(chat.do(c.CloseEcho(id)) for id in left[start : start + AT_ONCE]))
