"""`caught_up` comes for each hello and sync. One of them is under way at a time. There is no server here."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace
from typing import Any

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.values import LOBBY_ID, Account, LogId
from veche.dialects.native.encode import SERIALIZER
from veche.dialects.native.resume import Resumption
from veche.dialects.native.socket import SLICE, NativeHandler, Replay
from veche.hub.hub import Hub
from veche.service.accounts import Login
from veche.service.chat import Chat
from veche.service.shares import Shares

OWN = -1
ACTOR = Actor(1, "native", "session")


class SilentHub:
    """A handler that said hello. Its hub reads nothing, so that nothing catches up."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.heads: list[list[LogId]] = []
        self.is_read = True
        self.refusing = False
        self.opened: list[LogId] = []
        hub = Hub(lambda *_: None, lambda reply, log_ids: self.opened.extend(log_ids))
        self.chat: Any = SimpleNamespace(hub=hub, heads=self._heads, submit=self._submit, shares=Shares(lambda: 0.0))
        self.chat.online = Chat(self.chat, self.chat, hub).online
        self.handler = NativeHandler(self.chat, self.chat, ACTOR, None)
        socket: Any = SimpleNamespace(
            write=self._write,
            send=lambda payload: self.frames.append(json.loads(payload)),
            admitted=lambda: None,
            pause_reading=lambda: self._set_reading(False),
            resume_reading=lambda: self._set_reading(True),
        )
        self.handler.opened(socket)
        login = Login(Account(1, "ann", "ann", "ann", None, 0), ACTOR, int(time.time()) + 60)
        self.handler._attach(login).subscribe(OWN, SERIALIZER, 0)

    def say(self, frame: dict[str, Any]) -> None:
        self.handler.text(json.dumps(frame))

    @property
    def caught_up(self) -> int:
        return sum("caught_up" in frame for frame in self.frames)

    def _write(self, data: bytes) -> None:
        while data:
            short = data[1] < 126
            length, start = (data[1], 2) if short else (int.from_bytes(data[2:4]), 4)
            self.frames.append(json.loads(data[start : start + length]))
            data = data[start + length :]

    def _set_reading(self, is_read: bool) -> None:
        self.is_read = is_read

    def join(self, *room_ids: int) -> None:
        for room_id in room_ids:
            self.handler.joined(room_id, 0)

    def catch_up(self) -> None:
        """Every log is live."""
        assert self.handler._replay is not None
        for log_id in [*self.handler._replay.catching_up]:
            self.handler.caught_up(log_id)

    def _heads(self, by: int, reply: Any, log_ids: list[LogId]) -> None:
        if self.refusing:
            raise ChatError(Code.OVERLOADED, "Too many queries wait.", retry_after=1)
        self.heads.append(log_ids)
        reply(dict.fromkeys(log_ids, 3))

    def _submit(self, actor: Actor, command: Any, reply: Any) -> None:
        reply(None)


async def test_a_sync_that_is_refused_leaves_room_for_the_next() -> None:
    silent = SilentHub()
    silent.refusing = True
    silent.say({"id": 1, "sync": {"rooms": {}}})
    assert silent.frames[-1]["id"] == 1
    assert silent.frames[-1]["error"]["code"] == "overloaded"
    silent.refusing = False
    silent.say({"id": 2, "sync": {"rooms": {}}})
    assert [frame["id"] for frame in silent.frames if "sync" in frame] == [2]


async def test_leaving_the_lobby_ends_the_wait_for_it() -> None:
    silent = SilentHub()
    silent.say({"id": 1, "sync": {"rooms": {str(LOBBY_ID): 0}}})
    assert silent.caught_up == 0
    silent.say({"id": 2, "leave": {"room_id": LOBBY_ID}})
    assert silent.caught_up == 1
    assert silent.frames[-1]["id"] == 2
    silent.handler.closed()


async def test_leaving_the_lobby_does_not_end_the_wait_for_other_logs() -> None:
    silent = SilentHub()
    silent.say({"id": 1, "sync": {"me": 0, "rooms": {str(LOBBY_ID): 0}}})
    silent.say({"id": 2, "leave": {"room_id": LOBBY_ID}})
    assert silent.caught_up == 0
    silent.handler.caught_up(OWN)
    assert silent.caught_up == 1
    silent.handler.closed()


async def test_a_second_sync_waits_and_so_do_the_commands_after_it() -> None:
    silent = SilentHub()
    silent.join(7)
    for id in (1, 2, 3):
        silent.say({"id": id, "sync": {"rooms": {"7": 0}}})
    silent.say({"id": 4, "who": {"room_id": 7}})
    assert [frame.get("id") for frame in silent.frames] == [1]
    assert not silent.is_read
    silent.handler.client.resume_reading()  # as an answer to an earlier command does
    assert not silent.is_read, "a client that is held back is not read"
    silent.catch_up()
    assert [frame.get("id") for frame in silent.frames] == [1, None, 2]
    assert not silent.is_read
    silent.catch_up()
    silent.catch_up()
    assert [frame.get("id") for frame in silent.frames] == [1, None, 2, None, 3, 4, None]
    assert silent.caught_up == 3
    assert silent.is_read
    assert silent.handler._early_texts == []
    silent.handler.closed()


async def test_rooms_that_are_not_ones_own_are_in_one_frame_and_their_heads_are_not_read() -> None:
    silent = SilentHub()
    silent.join(7)
    silent.say({"id": 1, "sync": {"rooms": {str(id): 0 for id in range(1, 1001)}}})
    answer, gone = silent.frames
    assert answer == {"id": 1, "sync": {"rooms": {"7": 3}, "me": 3}}
    assert gone == {"gone": {"room_id": 1, "room_ids": [id for id in range(1, 1001) if id != 7]}}
    assert [sorted(log_ids) for log_ids in silent.heads] == [[OWN, 7]]
    silent.handler.closed()


async def test_many_logs_are_subscribed_a_slice_in_a_turn_and_the_next_when_those_are_live() -> None:
    silent = SilentHub()
    rooms = list(range(1, 2 * SLICE + 11))
    silent.handler._replay = Replay()
    silent.handler._subscribe(Resumption(dict.fromkeys(rooms, 0), {}, []))
    for count in (SLICE, 2 * SLICE, len(rooms)):
        await asyncio.sleep(0)
        assert sorted(silent.opened)[1:] == rooms[:count]
        for log_id in rooms[:count]:
            assert silent.caught_up == 0
            silent.handler.caught_up(log_id)
        await asyncio.sleep(0)
    assert silent.caught_up == 1
    silent.handler.closed()


async def test_a_room_that_is_left_before_its_turn_is_not_subscribed() -> None:
    silent = SilentHub()
    rooms = list(range(1, SLICE + 3))
    silent.handler._replay = Replay()
    silent.handler._subscribe(Resumption(dict.fromkeys(rooms, 0), {}, []))
    silent.handler.removed(rooms[-1], 9)
    for log_id in rooms[:SLICE]:
        silent.handler.caught_up(log_id)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sorted(silent.opened)[1:] == rooms[:-1]
    silent.handler.caught_up(rooms[-2])
    assert silent.caught_up == 1
    silent.handler.closed()
