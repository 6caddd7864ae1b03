"""What comes while a socket joins waits, bounded; no server, so that the join takes as long as the test wants."""

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
from veche.hub.hub import Hub
from veche.service.accounts import Login

OPTIONS = Options()


class Recorded:
    """A socket that writes down what is done to it."""

    upgrade = None

    def __init__(self) -> None:
        self.told: list[str] = []
        self.reading = True
        self.closed: int | None = None

    def write(self, frames: bytes) -> None: ...

    def send(self, payload: bytes) -> None:
        self.told.append(json.loads(payload)["text"])

    def close(self, code: int | None = None, reason: str = "") -> None:
        self.closed = code

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Joining:
    """A socket whose join waits until it is told how it ends."""

    def __init__(self) -> None:
        self.checked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        hub = Hub(_nothing, _nothing)
        chat: Any = SimpleNamespace(hub=hub, entered_room=self._entered_room, do=self._do, submit=self._submit)
        self.notices: list[str] = []
        login = Login(Account(1, "ann", "ann", "ann", None, 0), Actor(1, "rooms", "session"), 0)
        self.handler = RoomsHandler(chat, login, serializer_of("system"), OPTIONS)
        self.socket: Any = Recorded()
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
        """Wait until membership is asked for."""
        await asyncio.sleep(0)
        assert self.handler._presence.room_id == 1

    async def succeed(self, last_seq: int) -> None:
        assert self.handler._room_change is not None
        self.checked.set_result(RoomView(Room(1, Kind.CHANNEL, "room", 1, 0), Head(last_seq)))
        await self.handler._room_change

    async def fail(self, error: Exception) -> None:
        assert self.handler._room_change is not None
        self.checked.set_exception(error)
        await self.handler._room_change


def _nothing(*_: object) -> None: ...


async def test_the_peer_waits_while_it_joins_and_is_heard_again_when_that_fails() -> None:
    joining = Joining()
    assert joining.socket.reading
    joining.handler.text('{"type":"message","content":"x"}')
    joining.handler.text("{}")
    assert (joining.socket.told, joining.socket.reading) == ([], False)
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))
    assert joining.socket.told == ["user not a member of room", "not connected to any room", "invalid operation"]
    assert joining.socket.reading


async def test_whoever_sends_without_end_is_closed() -> None:
    joining = Joining()
    for _ in range(MAX_QUEUED):
        joining.handler.text("{}")
    assert joining.socket.closed is None
    joining.handler.text("{}")
    assert joining.socket.closed == 1008
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))


async def test_a_bug_is_the_servers_error_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    joining = Joining()
    joining.handler.text('{"type":"message","content":"x"}')
    await joining.fail(KeyError("a bug"))
    assert joining.socket.told == ["server error", "not connected to any room"]
    assert "could not join or leave" in caplog.text
    assert joining.socket.closed is None


async def test_closed_while_it_is_checked() -> None:
    joining = Joining()
    joining.handler.closed()
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))
    assert joining.socket.told == []


@pytest.mark.parametrize("times", [1, 2])
async def test_removed_while_it_is_checked(times: int) -> None:
    joining = Joining()
    await joining.checking()
    for _ in range(times):
        joining.handler.removed(1, 9)
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))
    assert joining.socket.told == ["user not a member of room"]


LEAVES = [(9, False), (10, True), (0, True)]  # entry 0: not known which


@pytest.mark.parametrize(("seq", "out"), LEAVES)
async def test_only_a_leave_after_the_check_puts_it_out(seq: int, out: bool) -> None:
    joining = Joining()
    await joining.succeed(9)
    joining.handler.removed(1, seq)
    assert joining.socket.told == ["user not a member of room"] * out
    assert joining.notices == ["ann joined the room"] + ["ann leaved the room"] * out


@pytest.mark.parametrize(("seq", "out"), LEAVES)
async def test_a_leave_while_it_is_checked_waits_for_what_the_check_saw(seq: int, out: bool) -> None:
    joining = Joining()
    await joining.checking()
    joining.handler.removed(1, seq)
    joining.handler.removed(1, 2)
    await joining.succeed(9)
    assert joining.socket.told == ["user not a member of room"] * out
    assert joining.notices == ["ann joined the room"] * (not out)


async def test_each_join_is_checked_anew() -> None:
    joining = Joining()
    await joining.checking()
    joining.handler.removed(1, 10)
    await joining.succeed(9)
    joining.checked = asyncio.get_running_loop().create_future()
    joining.handler.text('{"type":"join","content":"1"}')
    await joining.succeed(11)
    assert joining.socket.told == ["user not a member of room"]
    assert joining.notices == ["ann joined the room"]
