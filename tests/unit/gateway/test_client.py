"""`gateway.client.Client` and the default handlers: admitting, subscribing, backpressure and endings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.membership import LeaveRoom
from veche.core.values import Account
from veche.gateway.endings import COMMON_CLOSE_CODES, Ending
from veche.gateway.handler import AdmittedHandler, DialectHandler
from veche.hub.hub import Hub
from veche.hub.serializer import Serializer
from veche.service.accounts import Login
from veche.service.chat import Chat
from veche.service.shares import WINDOW, Shares

ROOM = 7
ANN, BOB = Account(1, "ann", "ann", "ann", None, 0), Account(2, "bob", "bob", "bob", None, 0)
LOGIN = Login(ANN, Actor(1, "test", "session"), 0)
SERIALIZER = Serializer("test", lambda _: None, bytes)


class RecordingSocket:
    """A socket that records the calls to it."""

    upgrade = None

    def __init__(self) -> None:
        self.calls: list[object] = []

    def write(self, frames: bytes) -> None: ...

    def admitted(self) -> None: ...

    def close(self, code: int | None = None, reason: str = "") -> None:
        self.calls.append((code, reason))

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


class World:
    """A hub that records calls of `begin`, and a chat whose session may have ended."""

    def __init__(self) -> None:
        self.hub = Hub(lambda *_: None, lambda *_: None)
        self.begun: list[int] = []
        self.hub.begin = lambda _, own_seq: self.begun.append(own_seq)  # type: ignore[method-assign]
        self.session = True
        self.replies: list[Any] = []
        self.chat: Any = SimpleNamespace(
            hub=self.hub, own_head=self.own_head, submit=self.submit, shares=Shares(lambda: 0.0)
        )
        chat = Chat(None, None, self.hub)  # type: ignore[arg-type]  # it needs neither a writer nor a reader for these
        self.chat.elsewhere, self.chat.online = chat.elsewhere, chat.online
        self.handler = AdmittedHandler(self.chat, LOGIN)
        self.client = self.handler.client
        self.socket: Any = RecordingSocket()

    async def own_head(self, by: Actor) -> int:
        assert (by.account_id, by.session_id) == (1, "session")
        if not self.session:
            raise ChatError(Code.UNAUTHENTICATED, "ended")
        return 5

    def submit(self, actor: object, command: object, reply: Any) -> None:
        self.replies.append(reply)


@pytest.fixture
async def world() -> World:
    return World()


async def test_it_follows_its_own_log_from_the_head_in_the_snapshot_of_the_session(world: World) -> None:
    await world.handler.admit()
    assert world.begun == [5]
    assert not world.client.ended


async def test_a_client_with_an_ended_session_is_detached(world: World) -> None:
    world.session = False
    with pytest.raises(ChatError):
        await world.handler.admit()
    assert (world.begun, world.client.ended, world.hub.subscribers(1)) == ([], True, [])


async def test_a_session_that_ends_during_admission_closes_the_connection(world: World) -> None:
    world.handler.session_ended()
    await world.handler.admit()
    world.client.subscribe(ROOM, SERIALIZER, 0)
    world.handler.opened(world.socket)
    assert (world.begun, world.hub.log_ids()) == ([], [])
    assert world.socket.calls == [COMMON_CLOSE_CODES[Ending.SESSION_ENDED]]


@pytest.mark.parametrize("ending", [Ending.LOST, Ending.REMOVED])
async def test_an_end_before_the_101_closes_with_its_own_code(world: World, ending: Ending) -> None:
    await world.handler.admit()
    world.handler.end(ending)
    world.handler.session_ended()
    world.handler.opened(world.socket)
    assert world.socket.calls == [COMMON_CLOSE_CODES[ending]]


async def test_a_client_that_was_closed_before_the_101_without_an_ending_is_not_admitted(world: World) -> None:
    world.handler.close(1008)
    world.handler.opened(world.socket)
    assert world.socket.calls == [COMMON_CLOSE_CODES[Ending.NOT_ADMITTED]]


async def test_subscribing_and_unsubscribing(world: World) -> None:
    assert (world.client.is_subscribed(ROOM), world.client.is_caught_up(ROOM)) == (False, True)
    world.client.subscribe(ROOM, SERIALIZER, 0)
    assert (world.client.is_subscribed(ROOM), world.client.is_caught_up(ROOM)) == (True, False)
    found: list[object] = []
    world.client.online(found.append, ROOM, 0, 9)
    assert found == [[LOGIN.account.person]]
    world.client.unsubscribe(ROOM)
    assert not world.client.is_subscribed(ROOM)


class Replaceable(AdmittedHandler):
    """Counts how often it was replaced."""

    count = 0

    def replaced(self) -> None:
        self.count += 1


async def test_a_client_replaces_the_others_of_its_account_in_its_dialect(world: World) -> None:
    logins = (LOGIN, LOGIN._replace(actor=Actor(1, "another", "session")), Login(BOB, Actor(2, "test", "other"), 0))
    handlers = [Replaceable(world.chat, login) for login in (LOGIN, *logins)]
    handlers[0].client.replace_others()
    assert [handler.count for handler in handlers] == [0, 1, 0, 0]


async def test_answers_after_detach_are_dropped(world: World) -> None:
    answers: list[object] = []
    for done in (answers.append, None):
        world.client.submit(LeaveRoom(ROOM), done)
        world.client.submit(LeaveRoom(ROOM), done)
        world.replies.pop()("first")
    world.client.detach()
    for reply in world.replies:
        reply("second")
    assert answers == ["first"]


@pytest.mark.parametrize(
    ("callback", "ending"),
    [
        ("draining", Ending.RESTART),
        ("unanswered", Ending.NO_PONG),
        ("stalled", Ending.SLOW),
        ("session_ended", Ending.SESSION_ENDED),
        ("lost", Ending.LOST),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
async def test_each_ending_closes_with_its_code(world: World, callback: str, ending: Ending, known: bool) -> None:
    handler = world.handler if known else DialectHandler()
    handler.opened(world.socket)
    getattr(handler, callback)()
    assert world.socket.calls == [COMMON_CLOSE_CODES[ending]]
    assert world.client.ended == known


@pytest.mark.parametrize(("known", "ending"), [(True, Ending.TOO_MANY), (False, Ending.UNAVAILABLE)])
async def test_one_too_many_of_an_account_should_not_come_back_but_a_guest_may(
    world: World, known: bool, ending: Ending
) -> None:
    handler = world.handler if known else DialectHandler()
    handler.opened(world.socket)
    handler.crowded_out()
    assert world.socket.calls == [COMMON_CLOSE_CODES[ending]]


async def test_a_handler_without_a_client_applies_backpressure(world: World) -> None:
    handler = DialectHandler()
    handler.opened(world.socket)
    handler.paused()
    handler.resumed()
    handler.binary(b"")
    handler.closed()
    assert world.socket.calls == ["pause", "resume", COMMON_CLOSE_CODES[Ending.TEXT_ONLY]]


async def test_a_client_that_caused_too_much_work_is_not_read_until_its_share_is_free(world: World) -> None:
    world.client.open(world.socket)
    share = world.client._share
    world.client.work(3.0)
    assert world.socket.calls == []
    share.allowed = 4.0
    world.client.work(2.0)
    assert world.socket.calls == ["pause"]
    share.allowed = 1000.0
    share.end_window(WINDOW)
    share.go_on()
    assert world.socket.calls == ["pause", "resume"]
    world.chat.shares.stop()
