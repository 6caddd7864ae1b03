"""The hub may report a leave late. There is no server here, so the test chooses when."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from veche.core.actor import Actor
from veche.core.values import Account, Head, Kind, Room
from veche.core.views import RoomView
from veche.dialects.messenger.errors import CLOSE_CODES
from veche.dialects.messenger.socket import MessengerHandler
from veche.gateway.endings import Ending
from veche.hub.hub import UNKNOWN_SEQ, Hub
from veche.service.accounts import Login
from veche.service.shares import Shares
from veche.wire.handshake import UpgradeRefused

CHAT_ID = 1


LEAVES = [(CHAT_ID, 9, False), (CHAT_ID, 10, True), (CHAT_ID, UNKNOWN_SEQ, True), (2, 10, False)]


class Admission:
    """A handler whose membership check sees the chat at seq 9. `during(handler)` is called during the check."""

    def __init__(self, during: Callable[[MessengerHandler], None] = lambda handler: None) -> None:
        self.closed: list[tuple[int | None, str]] = []
        hub = Hub(lambda *_: None, lambda *_: None)
        chat: Any = SimpleNamespace(
            hub=hub, own_head=self._own_head, entered_room=self._entered_room, shares=Shares(lambda: 0.0)
        )
        login = Login(Account(1, "ann", "ann", "ann", None, 0), Actor(1, "messenger", "session"), 0)
        self.handler = MessengerHandler(chat, login, CHAT_ID)
        self._during = during

    async def admit(self) -> None:
        await self.handler.admit()

    def open(self) -> None:
        socket: Any = SimpleNamespace(
            write=lambda frames: None, admitted=lambda: None, close=lambda *close: self.closed.append(close)
        )
        self.handler.opened(socket)

    async def _own_head(self, by: Actor) -> int:
        return 3

    async def _entered_room(self, by: int, room_id: int) -> RoomView:
        self._during(self.handler)
        return RoomView(Room(room_id, Kind.GROUP, "chat", 1, 0), Head(9))


@pytest.mark.parametrize(("room_id", "seq", "removed"), LEAVES)
async def test_only_a_leave_after_the_membership_check_closes(room_id: int, seq: int, removed: bool) -> None:
    admission = Admission()
    await admission.admit()
    admission.open()
    admission.handler.removed(room_id, seq)
    assert admission.closed == [CLOSE_CODES[Ending.REMOVED]] * removed


@pytest.mark.parametrize(("room_id", "seq", "removed"), LEAVES)
async def test_a_leave_during_the_membership_check_is_compared_with_its_result(
    room_id: int, seq: int, removed: bool
) -> None:
    def during(handler: MessengerHandler) -> None:
        handler.removed(room_id, seq)
        handler.removed(room_id, 2)

    admission = Admission(during)
    if removed:
        with pytest.raises(UpgradeRefused):
            await admission.admit()
    else:
        await admission.admit()
        admission.open()
        assert admission.closed == []


async def test_a_leave_between_the_membership_check_and_the_101_closes() -> None:
    admission = Admission()
    await admission.admit()
    admission.handler.removed(CHAT_ID, 10)
    admission.open()
    assert admission.closed == [CLOSE_CODES[Ending.REMOVED]]
