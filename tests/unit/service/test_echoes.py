"""The history of conversations with the echo: it waits for what was submitted, and submits nothing itself."""

from __future__ import annotations

from typing import Any

import pytest
from core import commands as c

from veche.service import echoes
from veche.service.chat import Chat
from veche.storage.echo import MAX_LINES_PER_PAGE
from veche.storage.tables import PAGE_BYTES
from veche.storage.writer import Reply, Writer

from .test_accounts import Services, services

__all__ = ["services"]

ANN = c.Actor(1, "channels")


class Noting(Writer):
    """Notes the commands that reach the writer, by whatever way."""

    commands: list[type[Any]]

    def submit(self, actor: c.Actor, command: c.Command[Any], reply: Reply[Any]) -> None:
        self.commands.append(type(command))
        super().submit(actor, command, reply)


async def test_its_pages_are_bounded_in_lines_and_in_bytes(services: Services) -> None:
    chat = services.chat
    said = ["", *[""] * 2 * MAX_LINES_PER_PAGE, *["é" * 30_000] * 7, *["x"] * (MAX_LINES_PER_PAGE + 1)]
    for part in (said[:100], said[100:]):  # two conversations
        echo_id = await echoes.begin(chat, ANN, "")
        for text in part:
            chat.submit(ANN, echoes.lines(echo_id, ("client", text)), lambda outcome: None)
        await chat.stored()
        echoes.end(chat, ANN, echo_id)
    pages = [[line.text for line in page] async for page in echoes.history(chat, ANN)]
    assert [text for page in pages for text in page] == said
    assert max(map(len, pages)) <= MAX_LINES_PER_PAGE
    assert max(sum(len(text.encode()) for text in page) for page in pages) <= PAGE_BYTES + 65_536


@pytest.mark.parametrize("said", [0, 1, 50])
async def test_it_has_what_was_submitted_just_now_and_is_no_command(services: Services, said: int) -> None:
    writer = Noting(services.database, lambda events: None)
    writer.commands = []
    writer.start()
    chat = Chat(writer, services.reader, services.hub)
    echo_id = await echoes.begin(chat, ANN, "")
    for number in range(said):
        chat.submit(ANN, echoes.lines(echo_id, ("client", f"{number}")), lambda outcome: None)
    echoes.end(chat, ANN, echo_id)
    pages = [page async for page in echoes.history(chat, ANN)]
    assert [line.text for page in pages for line in page] == [f"{number}" for number in range(said)]
    assert writer.commands == [c.OpenEcho, *[c.AddEchoLines] * said, c.CloseEcho]
    await writer.stop()
