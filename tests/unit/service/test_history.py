"""Reading the history of a room while the member is removed from it."""

from __future__ import annotations

import pytest
from core import commands as c

from veche.core.actor import Party
from veche.core.errors import ChatError
from veche.core.values import Kind
from veche.service.chat import Chat
from veche.storage.reader import P, Query, Reader, T

from .test_accounts import GUEST, PASSWORD, Services, services

__all__ = ["services"]


class Interrupted(Reader):
    """A reader that runs commands after its first query, and before the next one."""

    commands: tuple[c.Request, ...] = ()

    async def read(self, party: Party | None, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        found = await super().read(party, query, *args, **kwargs)
        commands, self.commands = self.commands, ()
        for request in commands:
            await self.chat.do(*request)
        return found

    chat: Chat


@pytest.mark.parametrize("by_offset", [False, True])
async def test_a_removed_member_reads_no_later_messages(services: Services, by_offset: bool) -> None:
    ann, bob = [
        (await services.accounts.register(GUEST, PASSWORD, username=name)).account.id for name in ("ann", "bob")
    ]
    room = (await services.chat.do(*c.by(ann, c.CreateRoom(Kind.GROUP, "room", (bob,))))).room.id
    await services.chat.do(*c.by(ann, c.SendMessage(room, "for both")))
    reader = Interrupted(services.database)
    reader.chat = chat = Chat(services.writer, reader, services.hub)
    reader.commands = (c.by(ann, c.RemoveMember(room, bob)), c.by(ann, c.SendMessage(room, "bob is gone")))
    if by_offset:
        found, _ = await chat.history_by_offset(bob, room, 0, 10)
    else:
        found = (await chat.history(bob, room, 10)).items
    assert [message.text for message in found] == ["for both"]
    with pytest.raises(ChatError):
        await chat.history(bob, room, 10)
    reader.stop()
