"""Every frame that the server sends is listed, has its own schema, and is in docs/native.md."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from veche.core.actor import Actor
from veche.core.bans import MemberBanned, MemberUnbanned
from veche.core.deletion import MessageDeleted
from veche.core.editing import MessageEdited
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.invitations import InvitationCame, InvitationEnded, InvitationGone, MemberInvited
from veche.core.membership import MemberJoined, MemberLeft, RoomEntered, RoomExited
from veche.core.mentions import Mentions
from veche.core.messages import Message, References
from veche.core.notifications import LevelChanged
from veche.core.ownership import OwnerChanged
from veche.core.pins import MessagePinned
from veche.core.profile import AccountChanged
from veche.core.reactions import MessageReacted
from veche.core.reading import MessageRead, ReadMoved
from veche.core.roles import RoleChanged
from veche.core.room_renaming import RoomRenamed
from veche.core.room_settings import RoomChanged
from veche.core.sessions import SessionsEnded
from veche.core.threads import ThreadFollowed
from veche.core.values import LOBBY_ID, Account, Head, Kind, Level, Member, Person, Reaction, Role, Room
from veche.core.views import RoomView, Welcome
from veche.dialects.native import answers, errors, features, frames, out, views
from veche.dialects.native.encode import encode, event_out, to_json
from veche.dialects.native.resume import hello_result, resume
from veche.service.accounts import Login
from veche.storage.entries import EVENT_TYPES

from . import page
from .test_docs import name_of

FRAMES = (*features.EVENTS, *features.ANSWERS, *features.PUSHES)
OUTGOING = (*FRAMES, *features.BODIES)

ANN, BOB = Person(1, "ann", "Ann"), Person(2, "bob", "Bob")
AT = 1_780_000_000_123_456
TEAM = Room(7, Kind.GROUP, "Team", 1, AT)
DIRECT = Room(8, Kind.DIRECT, "", 1, AT, "1:2")
MESSAGE = Message(7, 3, AT, 31, ANN, "hi", None, "native", 1)
EDITED = msgspec.structs.replace(MESSAGE, text="ho", revision=1, edited_at=AT + 1)


def every_kind(kind: type[out.Outgoing] = out.Outgoing) -> Iterator[type[out.Outgoing]]:
    for found in kind.__subclasses__():
        yield found
        yield from every_kind(found)


def test_every_struct_is_sent_and_has_its_own_schema() -> None:
    _, components = msgspec.json.schema_components(OUTGOING)
    structs = {name for name, found in components.items() if found.get("type") == "object"}
    assert structs == {kind.__name__ for kind in every_kind()} | {"Person"}
    assert [name for name, found in components.items() if not found.get("description")] == []


def names_of(frame: type[out.Outgoing]) -> list[str]:
    """Return the names that `test_docs` gives to frames of this Struct."""
    hints = typing.get_type_hints(frame)
    key = next((name for name in hints if name != "id"), "")
    if key == "me":
        return [f"me.{next(name for name in typing.get_type_hints(hints['me']) if name != 'seq')}"]
    if key == "reset":
        return ["reset room", "reset me"]
    return [f"answer {key}" if "id" in hints and key != "error" else key]


@pytest.mark.parametrize("frame", FRAMES, ids=[frame.__name__ for frame in FRAMES])
def test_the_page_has_every_frame(frame: type[out.Outgoing]) -> None:
    shown = {name_of(example.value) for example in page.examples() if example.value and not example.sent}
    shown |= {f"answer {page.codes(row[0])[0]}" for row in page.table("Commands")}
    if frame is answers.Heartbeat:
        assert "The server sends `{}`" in page.sections()["Heartbeat"]
    else:
        assert set(names_of(frame)) <= shown


def test_each_command_has_its_answer() -> None:
    names = {name for frame in features.ANSWERS for name in names_of(frame)}
    assert names == {f"answer {name}" for name in frames.NAMES} | {"error"}


# The bytes: a frame has the fields of its Struct, in the same order.

EVENTS: dict[LogEvent, str] = {
    MESSAGE: '{"message":{"id":31,"room_id":7,"seq":3,"kind":"text","sender":{"id":1,"username":"ann","name":"Ann"},'
    '"text":"hi","client_message_id":null,"origin":"native","at":"2026-05-28T20:26:40.123456Z"}}',
    MessageEdited(7, 4, AT + 1, EDITED, 1): '{"edited":{"room_id":7,"seq":4,"revision":1,"message":'
    '{"id":31,"room_id":7,"seq":3,"kind":"text","sender":{"id":1,"username":"ann","name":"Ann"},"text":"ho",'
    '"client_message_id":null,"origin":"native","at":"2026-05-28T20:26:40.123456Z","revision":1,'
    '"edited_at":"2026-05-28T20:26:40.123457Z"},"at":"2026-05-28T20:26:40.123457Z"}}',
    MessageDeleted(7, 5, AT, 31, 3, 2, 2): '{"deleted":{"room_id":7,"seq":5,"message_id":31,"message_seq":3,'
    '"revision":2,"by_id":2,"at":"2026-05-28T20:26:40.123456Z"}}',
    MessageReacted(7, 5, AT, BOB, 31, "\U0001f44d", True, 2): '{"reacted":{"room_id":7,"seq":5,"message_id":31,'
    '"account":{"id":2,"username":"bob","name":"Bob"},"emoji":"\U0001f44d","added":true,"count":2,'
    '"at":"2026-05-28T20:26:40.123456Z"}}',
    MessagePinned(7, 5, AT, BOB, 31, True): '{"pinned":{"room_id":7,"seq":5,"message_id":31,'
    '"account":{"id":2,"username":"bob","name":"Bob"},"pinned":true,"at":"2026-05-28T20:26:40.123456Z"}}',
    MemberJoined(7, 2, AT, BOB, Role.MEMBER, 1): '{"joined":{"room_id":7,"seq":2,'
    '"account":{"id":2,"username":"bob","name":"Bob"},"by_id":1,"at":"2026-05-28T20:26:40.123456Z","role":"member"}}',
    MemberLeft(7, 4, AT, BOB, 1): '{"left":{"room_id":7,"seq":4,"account":{"id":2,"username":"bob","name":"Bob"},'
    '"by_id":1,"at":"2026-05-28T20:26:40.123456Z"}}',
    OwnerChanged(7, 5, AT, BOB, 1): '{"owner":{"room_id":7,"seq":5,"account":{"id":2,"username":"bob","name":"Bob"},'
    '"by_id":1,"at":"2026-05-28T20:26:40.123456Z"}}',
    MemberBanned(7, 6, AT, BOB, 1, AT + 1): '{"banned":{"room_id":7,"seq":6,'
    '"account":{"id":2,"username":"bob","name":"Bob"},"by_id":1,"until":"2026-05-28T20:26:40.123457Z",'
    '"at":"2026-05-28T20:26:40.123456Z"}}',
    MemberUnbanned(7, 7, AT, BOB, 1): '{"unbanned":{"room_id":7,"seq":7,'
    '"account":{"id":2,"username":"bob","name":"Bob"},"by_id":1,"at":"2026-05-28T20:26:40.123456Z"}}',
    MemberInvited(7, 6, AT, BOB, 1): '{"invited":{"room_id":7,"seq":6,'
    '"account":{"id":2,"username":"bob","name":"Bob"},"by_id":1,"at":"2026-05-28T20:26:40.123456Z"}}',
    InvitationEnded(7, 7, AT, BOB, 2): '{"uninvited":{"room_id":7,"seq":7,'
    '"account":{"id":2,"username":"bob","name":"Bob"},"by_id":2,"at":"2026-05-28T20:26:40.123456Z"}}',
    InvitationCame(-1, 1, AT, TEAM, BOB): '{"me":{"seq":1,"invited":{"room":'
    '{"id":7,"kind":"group","name":"Team","topic":""},"by":{"id":2,"username":"bob","name":"Bob"},'
    '"at":"2026-05-28T20:26:40.123456Z"}}}',
    InvitationGone(-1, 2, AT, 7): '{"me":{"seq":2,"uninvited":{"room_id":7}}}',
    RoleChanged(7, 6, AT, BOB, Role.READER, 1): '{"role":{"room_id":7,"seq":6,'
    '"account":{"id":2,"username":"bob","name":"Bob"},"role":"reader","by_id":1,"at":"2026-05-28T20:26:40.123456Z"}}',
    RoomRenamed(7, 6, AT, ANN, "Crew"): '{"renamed":{"room_id":7,"seq":6,"name":"Crew",'
    '"account":{"id":1,"username":"ann","name":"Ann"},"at":"2026-05-28T20:26:40.123456Z"}}',
    RoomChanged(
        7, 6, AT, ANN, msgspec.structs.replace(TEAM, topic="Lunch", archived_at=AT)
    ): '{"updated":{"room_id":7,"seq":6,'
    '"topic":"Lunch","archived":true,"slow_seconds":0,"account":{"id":1,"username":"ann","name":"Ann"},'
    '"at":"2026-05-28T20:26:40.123456Z"}}',
    RoomEntered(-1, 1, AT, TEAM, 0): '{"me":{"seq":1,"joined":{"room":'
    '{"id":7,"kind":"group","name":"Team","head_seq":0}}}}',
    RoomExited(-1, 2, AT, 7): '{"me":{"seq":2,"left":{"room_id":7}}}',
    ReadMoved(-1, 3, AT, 7, 4, 1): '{"me":{"seq":3,"read":{"room_id":7,"seq":4}}}',
    LevelChanged(-1, 8, AT, 7, Level.NONE): '{"me":{"seq":8,"notify":{"room_id":7,"level":"none"}}}',
    ThreadFollowed(-1, 7, AT, 7, 31, True): '{"me":{"seq":7,"thread":{"room_id":7,"thread_id":31,"follows":true}}}',
    MessageRead(-1, 4, AT, 7, 31, 2): '{"me":{"seq":4,"message_read":{"room_id":7,"message_id":31,"reader_id":2}}}',
    SessionsEnded(-1, 5, AT): '{"me":{"seq":5,"sessions_ended":{}}}',
    AccountChanged(-1, 6, AT, ANN): '{"me":{"seq":6,"account":{"id":1,"username":"ann","name":"Ann"}}}',
}


def test_every_event_has_its_frame() -> None:
    assert {type(event) for event in EVENTS} == set(EVENT_TYPES) | {Message}
    assert {type(event_out(event)) for event in EVENTS} == set(features.EVENTS)


@pytest.mark.parametrize(("event", "frame"), EVENTS.items(), ids=[type(event).__name__ for event in EVENTS])
def test_the_frame_of_an_event(event: LogEvent, frame: str) -> None:
    assert encode(event).decode() == frame
    assert as_documented(event_out(event)) == encode(event)


def as_documented(frame: out.Outgoing) -> bytes:
    """Decode a frame strictly by its own Struct, and encode it again."""
    return to_json(msgspec.json.decode(to_json(frame), type=type(frame)))


def test_a_message_with_reactions() -> None:
    liked = msgspec.structs.replace(MESSAGE, reactions=(Reaction("\U0001f44d", 2, True), Reaction("\u2764", 1, False)))
    assert (
        to_json(views.message_out(liked))
        .decode()
        .endswith(
            '"at":"2026-05-28T20:26:40.123456Z","reactions":[{"emoji":"\U0001f44d","count":2,"mine":true},'
            '{"emoji":"\u2764","count":1,"mine":false}]}'
        )
    )


def test_a_deleted_message() -> None:
    deleted = msgspec.structs.replace(EDITED, text="", revision=2, deleted_by=2)
    assert (
        to_json(views.message_out(deleted))
        .decode()
        .endswith(
            '"text":"","client_message_id":null,"origin":"native","at":"2026-05-28T20:26:40.123456Z","revision":2,'
            '"edited_at":"2026-05-28T20:26:40.123457Z","deleted_by_id":2}'
        )
    )


def test_a_message_of_a_thread_and_the_first_one() -> None:
    reply = msgspec.structs.replace(MESSAGE, references=References(30, 2, 29, 4, Mentions((2, 3), room=True)))
    assert (
        to_json(views.message_out(reply))
        .decode()
        .endswith(
            '"at":"2026-05-28T20:26:40.123456Z","reply_to":{"id":30,"seq":2},"thread_id":29,"thread_seq":4,'
            '"mentions":[2,3],"mentions_room":true}'
        )
    )
    first = msgspec.structs.replace(MESSAGE, replies=2, last_reply_seq=9)
    assert to_json(views.message_out(first)).decode().endswith('"replies":2,"last_reply_seq":9}')


def test_a_joined_direct_room_has_the_other_persons_name() -> None:
    frame = encode(RoomEntered(-1, 1, AT, DIRECT, 0, BOB))
    assert frame == (
        b'{"me":{"seq":1,"joined":{"room":{"id":8,"kind":"direct","name":"Bob",'
        b'"peer":{"id":2,"username":"bob","name":"Bob"},"head_seq":0}}}}'
    )
    named = msgspec.structs.replace(DIRECT, name="Us")
    assert b'"name":"Us"' in encode(RoomEntered(-1, 1, AT, named, 0, BOB))


def test_hello_uses_the_struct_room() -> None:
    login = Login(Account(1, "ann", "ann", "Ann", None, AT), Actor(1, "native", "s1"), 0)
    member = Member(7, 1, Role.OWNER, AT, 2, 0)
    rooms = [RoomView(TEAM, Head(3, 1, 31), member, None, MESSAGE), RoomView(DIRECT, Head(2), None, BOB)]
    welcome = Welcome(True, "e", rooms, {-1: 4, LOBBY_ID: 0})
    frame = answers.HelloAnswer(1, hello_result(login, welcome))
    assert to_json(frame).decode() == (
        '{"id":1,"hello":{"epoch":"e","me":{"id":1,"username":"ann","name":"Ann","email":null,"seq":4},"rooms":['
        '{"id":7,"kind":"group","name":"Team","head_seq":3,"unread":1,"mentions":0,"read_seq":2,"role":"owner"},'
        '{"id":8,"kind":"direct","name":"Bob","peer":{"id":2,"username":"bob","name":"Bob"},'
        '"head_seq":2,"unread":null,"mentions":null,"read_seq":null,"role":null}]}}'
    )
    more = answers.HelloAnswer(1, hello_result(login, msgspec.structs.replace(welcome, more=True)))
    assert to_json(more) == to_json(frame).replace(b"null}]}}", b'null}],"rooms_cursor":"0"}}')
    decoded = msgspec.json.decode(to_json(frame), type=answers.HelloAnswer)
    whole = [views.room_out(view) for view in rooms]
    assert decoded.hello.rooms == [
        msgspec.structs.replace(room, created_at=UNSET, last_message=UNSET) for room in whole
    ]


def test_a_room_shows_what_is_set_for_it() -> None:
    room = msgspec.structs.replace(TEAM, topic="Lunch", archived_at=AT, slow_seconds=5)
    member = Member(7, 1, Role.OWNER, AT, level=Level.MENTIONS)
    shown = msgspec.to_builtins(views.room_in_hello(RoomView(room, Head(3, 1, 31), member)))
    assert (shown["topic"], shown["archived"], shown["slow_seconds"]) == ("Lunch", True, 5)
    assert shown["notify"] == "mentions"


def test_resets_and_gone_rooms() -> None:
    pushes = resume({7: 9, 9: 1, 11: 0, -1: 9}, {7: 4, -1: 2}).pushes
    assert [to_json(push).decode() for push in pushes] == [
        '{"gone":{"room_id":9,"room_ids":[9,11]}}',
        '{"reset":{"room_id":7,"seq":4,"reason":"ahead"}}',
        '{"reset":{"me":true,"seq":2,"reason":"ahead"}}',
    ]


REFUSALS: list[tuple[ChatError, dict[str, Any]]] = [
    (ChatError(Code.NOT_FOUND, "No."), {}),
    (ChatError(Code.INVALID, "No.", field="text"), {"field": "text"}),
    (ChatError(Code.RATE_LIMITED, "No.", retry_after=1.5), {"retry_after_ms": 1500}),
    (ChatError(Code.OVERLOADED, "No.", retry_after=2), {"retry_after_ms": 2000}),
    (ChatError(Code.UNAVAILABLE, "No."), {"retry_after_ms": 1000}),
]


@pytest.mark.parametrize(("refusal", "more"), REFUSALS, ids=[str(refusal.code) for refusal, _ in REFUSALS])
def test_an_error_leaves_empty_fields_out(refusal: ChatError, more: dict[str, Any]) -> None:
    """What may succeed later says when: on the socket as on REST."""
    error = {"code": str(refusal.code), "message": "No.", "temporary": refusal.temporary, **more}
    for id, frame in ((UNSET, {"error": error}), (3, {"id": 3, "error": error})):
        sent = answers.ErrorAnswer(id=id, error=errors.socket_error(refusal))
        assert to_json(sent) == to_json(frame) == as_documented(sent)
    _, body, headers = errors.problem(refusal)
    assert ("Retry-After" in headers) == ("retry_after_ms" in more) == refusal.temporary
    assert ("errors" in msgspec.json.decode(body)) == ("field" in more)
    msgspec.json.decode(body, type=out.Problem)
