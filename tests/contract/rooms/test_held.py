"""Frames that arrive during a join wait, up to a limit. There is no server, so the test ends the join when it wants."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.values import Account, Head, Kind, Room
from veche.core.views import RoomView
from veche.dialects.rooms.encode import serializer_of
from veche.dialects.rooms.options import Options
from veche.dialects.rooms.socket import MAX_QUEUED, RoomsHandler
from veche.hub.hub import UNKNOWN_SEQ, Hub
from veche.service.accounts import Login
from veche.service.shares import Shares

OPTIONS = Options()


class RecordingSocket:
    """A socket that records the calls to it."""

    upgrade = None

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.reading = True
        self.closed: int | None = None

    def write(self, frames: bytes) -> None: ...

    def admitted(self) -> None: ...

    def send(self, payload: bytes) -> None:
        self.texts.append(json.loads(payload)["text"])

    def close(self, code: int | None = None, reason: str = "") -> None:
        self.closed = code

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Joining:
    """A handler whose join waits until the test calls `succeed` or `fail`."""

    def __init__(self) -> None:
        self.checked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        hub = Hub(_nothing, _nothing)
        chat: Any = SimpleNamespace(
            hub=hub, entered_room=self._entered_room, do=self._do, submit=self._submit, shares=Shares(lambda: 0.0)
        )
        self.notices: list[str] = []
        login = Login(Account(1, "ann", "ann", "ann", None, 0), Actor(1, "rooms", "session"), 0)
        self.handler = RoomsHandler(chat, login, serializer_of("system"), OPTIONS)
        self.socket: Any = RecordingSocket()
        self.handler.opened(self.socket)
        self.handler.text('{"type":"join","content":"1"}')

    async def _entered_room(self, by: int, room_id: int) -> Any:
        return await self.checked

    async def _do(self, actor: Any, command: Any) -> Any:
        self._submit(actor, command)
        return SimpleNamespace(message=SimpleNamespace(seq=10))

    def _submit(self, actor: Any, command: Any, reply: object = None) -> None:
        self.notices.append(command.text)

    async def checking(self) -> None:
        """Wait until the membership check has begun."""
        await asyncio.sleep(0)
        assert self.handler._presence.room_id == 1

    async def succeed(self, last_seq: int) -> None:
        assert self.handler._task is not None
        self.checked.set_result(RoomView(Room(1, Kind.CHANNEL, "room", 1, 0), Head(last_seq)))
        await self.handler._task

    async def fail(self, error: Exception) -> None:
        assert self.handler._task is not None
        self.checked.set_exception(error)
        await self.handler._task


def _nothing(*_: object) -> None: ...


async def test_reading_pauses_during_a_join_and_resumes_when_it_fails() -> None:
    joining = Joining()
    assert joining.socket.reading
    joining.handler.text('{"type":"message","content":"x"}')
    joining.handler.text("{}")
    assert (joining.socket.texts, joining.socket.reading) == ([], False)
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))
    assert joining.socket.texts == ["user not a member of room", "not connected to any room", "invalid operation"]
    assert joining.socket.reading


async def test_a_client_that_sends_too_much_during_a_join_is_closed() -> None:
    joining = Joining()
    for _ in range(MAX_QUEUED):
        joining.handler.text("{}")
    assert joining.socket.closed is None
    joining.handler.text("{}")
    assert joining.socket.closed == 1008
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))


async def test_a_bug_is_reported_as_server_error_and_keeps_the_socket_open(caplog: pytest.LogCaptureFixture) -> None:
    joining = Joining()
    joining.handler.text('{"type":"message","content":"x"}')
    await joining.fail(KeyError("a bug"))
    assert joining.socket.texts == ["server error", "not connected to any room"]
    assert "a frame could not be handled" in caplog.text
    assert joining.socket.closed is None


async def test_closed_during_the_check() -> None:
    joining = Joining()
    joining.handler.closed()
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))
    assert joining.socket.texts == []


@pytest.mark.parametrize("times", [1, 2])
async def test_removed_during_the_check(times: int) -> None:
    joining = Joining()
    await joining.checking()
    for _ in range(times):
        joining.handler.removed(1, 9)
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))
    assert joining.socket.texts == ["user not a member of room"]


LEAVES = [(9, False), (10, True), (UNKNOWN_SEQ, True)]


@pytest.mark.parametrize(("seq", "removed"), LEAVES)
async def test_only_a_leave_after_the_check_ends_the_join(seq: int, removed: bool) -> None:
    joining = Joining()
    await joining.succeed(9)
    joining.handler.removed(1, seq)
    assert joining.socket.texts == ["user not a member of room"] * removed
    assert joining.notices == ["ann joined the room"] + ["ann leaved the room"] * removed


@pytest.mark.parametrize(("seq", "removed"), LEAVES)
async def test_a_leave_during_the_check_is_compared_with_its_result(seq: int, removed: bool) -> None:
    joining = Joining()
    await joining.checking()
    joining.handler.removed(1, seq)
    joining.handler.removed(1, 2)
    await joining.succeed(9)
    assert joining.socket.texts == ["user not a member of room"] * removed
    assert joining.notices == ["ann joined the room"] * (not removed)


async def test_each_join_is_checked_again() -> None:
    joining = Joining()
    await joining.checking()
    joining.handler.removed(1, 10)
    await joining.succeed(9)
    joining.checked = asyncio.get_running_loop().create_future()
    joining.handler.text('{"type":"join","content":"1"}')
    await joining.succeed(11)
    assert joining.socket.texts == ["user not a member of room"]
    assert joining.notices == ["ann joined the room"]
