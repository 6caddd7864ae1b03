"""`caught_up` comes for each sync, even if the client leaves the lobby meanwhile. There is no server here."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

from veche.core.actor import Actor
from veche.core.values import LOBBY_ID, Account, LogId
from veche.dialects.native.encode import SERIALIZER
from veche.dialects.native.socket import NativeHandler
from veche.hub.hub import Hub
from veche.service.accounts import Login
from veche.service.shares import Shares

OWN = -1
ACTOR = Actor(1, "native", "session")


class SilentHub:
    """A handler that said hello. Its hub reads nothing, so that nothing catches up."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        hub = Hub(lambda *_: None, lambda *_: None)
        self.chat: Any = SimpleNamespace(hub=hub, heads=self._heads, submit=self._submit, shares=Shares(lambda: 0.0))
        self.handler = NativeHandler(self.chat, self.chat, ACTOR, None)
        socket: Any = SimpleNamespace(
            write=lambda frames: None,
            send=lambda payload: self.frames.append(json.loads(payload)),
            admitted=lambda: None,
            pause_reading=lambda: None,
            resume_reading=lambda: None,
        )
        self.handler.opened(socket)
        login = Login(Account(1, "ann", "ann", "ann", None, 0), ACTOR, int(time.time()) + 60)
        self.handler._attach(login).subscribe(OWN, SERIALIZER, 0)

    def say(self, frame: dict[str, Any]) -> None:
        self.handler.text(json.dumps(frame))

    @property
    def caught_up(self) -> int:
        return sum("caught_up" in frame for frame in self.frames)

    def _heads(self, reply: Any, log_ids: list[LogId]) -> None:
        reply(dict.fromkeys(log_ids, 3))

    def _submit(self, actor: Actor, command: Any, reply: Any) -> None:
        reply(None)


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
