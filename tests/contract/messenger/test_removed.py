"""The hub may report a leave late. There is no server here, so the test chooses when."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from veche.core.actor import Actor
from veche.core.values import Account, Head, Kind, Room
from veche.core.views import RoomView
from veche.dialects.messenger.socket import MessengerHandler
from veche.hub.hub import Hub
from veche.service.accounts import Login

CHAT_ID = 1


@pytest.mark.parametrize(
    ("room_id", "seq", "code"), [(CHAT_ID, 9, None), (CHAT_ID, 10, 1008), (CHAT_ID, 0, 1008), (2, 10, None)]
)
async def test_only_a_leave_after_the_membership_check_closes(room_id: int, seq: int, code: int | None) -> None:
    async def own_head(account_id: int, session_id: str | None) -> int:
        return 3

    async def entered_room(by: int, room_id: int) -> RoomView:
        return RoomView(Room(room_id, Kind.GROUP, "chat", 1, 0), Head(9))

    closed: list[int | None] = []
    hub = Hub(lambda *_: None, lambda *_: None)
    chat: Any = SimpleNamespace(hub=hub, own_head=own_head, entered_room=entered_room)
    login = Login(Account(1, "ann", "ann", "ann", None, 0), Actor(1, "messenger", "session"), 0)
    socket: Any = SimpleNamespace(write=lambda frames: None, close=lambda code, reason: closed.append(code))
    handler = MessengerHandler(chat, login, CHAT_ID)
    await handler.admit()
    handler.opened(socket)
    handler.removed(room_id, seq)
    assert closed == [code] * (code is not None)
