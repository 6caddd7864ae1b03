"""What comes while a socket joins waits, bounded; no server, so that the join takes as long as the test wants."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from veche.core.accounts import Account
from veche.core.errors import ChatError, Code
from veche.dialects.rooms.encode import serializer_of
from veche.dialects.rooms.options import Options
from veche.dialects.rooms.socket import MAX_HELD, RoomSocket
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
        chat: Any = SimpleNamespace(hub=Hub(_nothing, _nothing), entered_room=self._entered_room)
        login = Login(Account(1, "ann", "ann", "ann", None, 0), "session", 0)
        self.session = RoomSocket(chat, login, serializer_of("system"), OPTIONS)
        self.socket: Any = Recorded()
        self.session.opened(self.socket)
        self.session.text('{"type":"join","content":"1"}')

    async def _entered_room(self, by: int, room_id: int) -> Any:
        return await self.checked

    async def fail(self, error: Exception) -> None:
        assert self.session._moving is not None
        self.checked.set_exception(error)
        await self.session._moving


def _nothing(*_: object) -> None: ...


async def test_the_peer_waits_while_it_joins_and_is_heard_again_when_that_fails() -> None:
    joining = Joining()
    assert joining.socket.reading
    joining.session.text('{"type":"message","content":"x"}')
    joining.session.text("{}")
    assert (joining.socket.told, joining.socket.reading) == ([], False)
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))
    assert joining.socket.told == ["user not a member of room", "not connected to any room", "invalid operation"]
    assert joining.socket.reading


async def test_whoever_sends_without_end_is_closed() -> None:
    joining = Joining()
    for _ in range(MAX_HELD):
        joining.session.text("{}")
    assert joining.socket.closed is None
    joining.session.text("{}")
    assert joining.socket.closed == 1008
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))


async def test_a_bug_is_the_servers_error_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    joining = Joining()
    joining.session.text('{"type":"message","content":"x"}')
    await joining.fail(KeyError("a bug"))
    assert joining.socket.told == ["server error", "not connected to any room"]
    assert "could not join or leave" in caplog.text
    assert joining.socket.closed is None


async def test_closed_while_it_is_checked() -> None:
    joining = Joining()
    joining.session.closed()
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))
    assert joining.socket.told == []


@pytest.mark.parametrize("times", [1, 2])
async def test_removed_while_it_is_checked(times: int) -> None:
    joining = Joining()
    for _ in range(times):
        joining.handler.removed(1, 9)
    await joining.fail(ChatError(Code.NOT_MEMBER, "no"))
    assert joining.socket.told == ["user not a member of room"]
