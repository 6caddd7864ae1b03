"""Native's hello: what is subscribed, in which order, and what happens to rooms that change while it is answered."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, cast

from veche.core.accounts import Account
from veche.core.rooms import LOBBY_ID, Head, Kind, Member, Role, Room
from veche.core.views import RoomView, Welcome
from veche.dialects.native.socket import NativeSocket
from veche.service.accounts import Login

ANN = Account(1, "ann", "ann", "Ann", None, 0)
OWN = -1


class Hub:
    """Notes what is called."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def attach(self, subscriber: Any) -> None:
        self.calls.append(("attach",))

    def detach(self, subscriber: Any) -> None:
        self.calls.append(("detach",))

    def subscribe(self, subscriber: Any, log_id: int, serializer: Any, after: int | None, promised: int) -> None:
        subscriber.subscriptions[log_id] = object()
        self.calls.append(("subscribe", log_id, after))

    def begin(self, subscriber: Any, own_seq: int) -> None:
        self.calls.append(("begin", own_seq))


class Chat:
    def __init__(self) -> None:
        self.hub = Hub()
        self.snapshot: asyncio.Future[Welcome] = asyncio.get_running_loop().create_future()

    async def welcome(self, account_id: int, session_id: str) -> Welcome:
        return await self.snapshot


class Accounts:
    async def authenticate(self, token: str) -> Login:
        return Login(ANN, "s1", time.time() + 60)


class FakeSocket:
    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.code: int | None = None

    def send(self, payload: bytes) -> None:
        self.frames.append(json.loads(payload))

    def write(self, frames: bytes) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self, code: int | None = None, reason: str = "") -> None:
        self.code = code


class Scene:
    """Ann has said hello, and the snapshot of her rooms is still being read."""

    def __init__(self) -> None:
        self.chat, self.socket = Chat(), FakeSocket()
        self.native = NativeSocket(cast(Any, self.chat), cast(Any, Accounts()), None)

    async def begin(self) -> None:
        self.native.opened(cast(Any, self.socket))
        self.native.text('{"id":1,"hello":{"token":"t"}}')
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def answer(self, *room_ids: int) -> None:
        rooms = [RoomView(Room(id, Kind.GROUP, "Team", 1, 0), Head(5), Member(id, 1, Role.OWNER, 0)) for id in room_ids]
        self.chat.snapshot.set_result(Welcome(True, "e", rooms, {OWN: 3, LOBBY_ID: 0}))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.native.closed()

    @property
    def heard(self) -> list[tuple[Any, ...]]:
        return [call for call in self.chat.hub.calls if call[0] in ("subscribe", "begin")]


async def test_the_own_log_is_followed_from_the_head_of_the_snapshot_after_all_was_subscribed() -> None:
    scene = Scene()
    await scene.begin()
    assert scene.chat.hub.calls == [("attach",)]
    await scene.answer(7)
    assert scene.heard == [("subscribe", OWN, 3), ("subscribe", 7, 5), ("begin", 3)]
    assert [room["id"] for room in scene.socket.frames[0]["hello"]["rooms"]] == [7]


async def test_rooms_that_are_joined_and_left_while_hello_is_answered() -> None:
    scene = Scene()
    await scene.begin()
    scene.native.removed(7, 6)
    scene.native.joined(9, 2)
    scene.native.joined(8, 1)
    await scene.answer(7, 8)
    assert [room["id"] for room in scene.socket.frames[0]["hello"]["rooms"]] == [8]
    assert scene.heard == [("subscribe", OWN, 3), ("subscribe", 8, 5), ("subscribe", 9, 2), ("begin", 3)]


async def test_a_room_that_is_joined_when_the_own_log_is_followed_is_heard() -> None:
    scene = Scene()
    scene.chat.hub.begin = lambda subscriber, own_seq: scene.native.joined(9, 4)  # type: ignore[method-assign]
    await scene.begin()
    await scene.answer()
    assert scene.heard == [("subscribe", OWN, 3), ("subscribe", 9, 4)]


async def test_a_session_that_ends_while_hello_is_answered_gets_its_bye_and_no_more() -> None:
    scene = Scene()
    await scene.begin()
    scene.native.session_ended()
    await scene.answer(7)
    assert scene.socket.frames == [{"bye": {"code": 4004, "reason": "session_ended"}}]
    assert (scene.socket.code, scene.heard) == (4004, [])
