"""Reading a room while somebody is put out of it."""

from __future__ import annotations

import pytest

from veche.core import commands as c
from veche.core.errors import ChatError
from veche.core.values import Kind
from veche.service.chat import Chat
from veche.storage.reader import P, Query, Reader, T

from .test_accounts import PASSWORD, Office, office

__all__ = ["office"]


class Interrupted(Reader):
    """Reads, and then lets something happen before whatever is read next."""

    happens: tuple[c.Command, ...] = ()

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        found = await super().read(query, *args, **kwargs)
        happens, self.happens = self.happens, ()
        for command in happens:
            await self.chat.do(command)  # type: ignore[call-overload]
        return found

    chat: Chat


@pytest.mark.parametrize("by_offset", [False, True])
async def test_who_is_put_out_reads_nothing_that_was_said_after_it(office: Office, by_offset: bool) -> None:
    ann, bob = [(await office.accounts.register(PASSWORD, username=name)).id for name in ("ann", "bob")]
    room = (await office.chat.do(c.CreateRoom(ann, Kind.GROUP, "room", (bob,)))).room.id
    await office.chat.do(c.SendMessage(ann, room, "for both", "native"))
    reader = Interrupted(office.database)
    reader.chat = chat = Chat(office.writer, reader, office.hub)
    reader.happens = (c.RemoveMember(ann, room, bob), c.SendMessage(ann, room, "bob is gone", "native"))
    if by_offset:
        found, _ = await chat.history_by_offset(bob, room, 0, 10)
    else:
        found = (await chat.history(bob, room, 10)).items
    assert [message.text for message in found] == ["for both"]
    with pytest.raises(ChatError):
        await chat.history(bob, room, 10)
    reader.stop()
