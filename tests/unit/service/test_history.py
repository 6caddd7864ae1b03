"""Reading a room while somebody is put out of it."""

from __future__ import annotations

import pytest
from core import commands as c

from veche.core.errors import ChatError
from veche.core.values import Kind
from veche.service.chat import Chat
from veche.storage.reader import P, Query, Reader, T

from .test_accounts import GUEST, PASSWORD, Office, office

__all__ = ["office"]


class Interrupted(Reader):
    """Reads, and then lets something happen before whatever is read next."""

    happens: tuple[c.Request, ...] = ()

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        found = await super().read(query, *args, **kwargs)
        happens, self.happens = self.happens, ()
        for request in happens:
            await self.chat.do(*request)
        return found

    chat: Chat


@pytest.mark.parametrize("by_offset", [False, True])
async def test_who_is_put_out_reads_nothing_that_was_said_after_it(office: Office, by_offset: bool) -> None:
    ann, bob = [(await office.accounts.register(GUEST, PASSWORD, username=name)).id for name in ("ann", "bob")]
    room = (await office.chat.do(*c.by(ann, c.CreateRoom(Kind.GROUP, "room", (bob,))))).room.id
    await office.chat.do(*c.by(ann, c.SendMessage(room, "for both")))
    reader = Interrupted(office.database)
    reader.chat = chat = Chat(office.writer, reader, office.hub)
    reader.happens = (c.by(ann, c.RemoveMember(room, bob)), c.by(ann, c.SendMessage(room, "bob is gone")))
    if by_offset:
        found, _ = await chat.history_by_offset(bob, room, 0, 10)
    else:
        found = (await chat.history(bob, room, 10)).items
    assert [message.text for message in found] == ["for both"]
    with pytest.raises(ChatError):
        await chat.history(bob, room, 10)
    reader.stop()
