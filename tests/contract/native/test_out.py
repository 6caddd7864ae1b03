"""Every frame that the server sends is listed, has its own schema, and is in docs/native.md."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from veche.core.actor import Actor
from veche.core.errors import ChatError, Code
from veche.core.event import LogEvent
from veche.core.membership import MemberJoined, MemberLeft, RoomEntered, RoomExited
from veche.core.messages import Message
from veche.core.ownership import OwnerChanged
from veche.core.profile import AccountChanged
from veche.core.reading import MessageRead, ReadMoved
from veche.core.room_renaming import RoomRenamed
from veche.core.sessions import SessionsEnded
from veche.core.values import LOBBY_ID, Account, Head, Kind, Member, Person, Role, Room
from veche.core.views import RoomView, Welcome
from veche.dialects.native import answers, errors, frames, out, views
from veche.dialects.native.encode import encode, event_out, to_json
from veche.dialects.native.resume import hello_result, resume
from veche.service.accounts import Login
from veche.storage.entries import EVENT_TYPES

from . import page
from .test_docs import name_of

FRAMES = (*out.EVENTS, *answers.ANSWERS, *answers.PUSHES)
OUTGOING = (*FRAMES, *out.BODIES)

ANN, BOB = Person(1, "ann", "Ann"), Person(2, "bob", "Bob")
AT = 1_780_000_000_123_456
TEAM = Room(7, Kind.GROUP, "Team", 1, AT)
DIRECT = Room(8, Kind.DIRECT, "", 1, AT, "1:2")
MESSAGE = Message(7, 3, AT, 31, ANN, "hi", None, "native", 1)


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
    names = {name for frame in answers.ANSWERS for name in names_of(frame)}
    assert names == {f"answer {name}" for name in frames.NAMES} | {"error"}


# The bytes: a frame has the fields of its Struct, in the same order.

EVENTS: dict[LogEvent, str] = {
    MESSAGE: '{"message":{"id":31,"room_id":7,"seq":3,"kind":"text","sender":{"id":1,"username":"ann","name":"Ann"},'
    '"text":"hi","client_message_id":null,"origin":"native","at":"2026-05-28T20:26:40.123456Z"}}',
    MemberJoined(7, 2, AT, BOB, Role.MEMBER, 1): '{"joined":{"room_id":7,"seq":2,'
    '"account":{"id":2,"username":"bob","name":"Bob"},"by_id":1,"at":"2026-05-28T20:26:40.123456Z","role":"member"}}',
    MemberLeft(7, 4, AT, BOB, 1): '{"left":{"room_id":7,"seq":4,"account":{"id":2,"username":"bob","name":"Bob"},'
    '"by_id":1,"at":"2026-05-28T20:26:40.123456Z"}}',
    OwnerChanged(7, 5, AT, BOB, 1): '{"owner":{"room_id":7,"seq":5,"account":{"id":2,"username":"bob","name":"Bob"},'
    '"by_id":1,"at":"2026-05-28T20:26:40.123456Z"}}',
    RoomRenamed(7, 6, AT, ANN, "Crew"): '{"renamed":{"room_id":7,"seq":6,"name":"Crew",'
    '"account":{"id":1,"username":"ann","name":"Ann"},"at":"2026-05-28T20:26:40.123456Z"}}',
    RoomEntered(-1, 1, AT, TEAM, 0): '{"me":{"seq":1,"joined":{"room":'
    '{"id":7,"kind":"group","name":"Team","head_seq":0}}}}',
    RoomExited(-1, 2, AT, 7): '{"me":{"seq":2,"left":{"room_id":7}}}',
    ReadMoved(-1, 3, AT, 7, 4, 1): '{"me":{"seq":3,"read":{"room_id":7,"seq":4}}}',
    MessageRead(-1, 4, AT, 7, 31, 2): '{"me":{"seq":4,"message_read":{"room_id":7,"message_id":31,"reader_id":2}}}',
    SessionsEnded(-1, 5, AT): '{"me":{"seq":5,"sessions_ended":{}}}',
    AccountChanged(-1, 6, AT, ANN): '{"me":{"seq":6,"account":{"id":1,"username":"ann","name":"Ann"}}}',
}


def test_every_event_has_its_frame() -> None:
    assert {type(event) for event in EVENTS} == set(EVENT_TYPES) | {Message}
    assert {type(event_out(event)) for event in EVENTS} == set(out.EVENTS)


@pytest.mark.parametrize(("event", "frame"), EVENTS.items(), ids=[type(event).__name__ for event in EVENTS])
def test_the_frame_of_an_event(event: LogEvent, frame: str) -> None:
    assert encode(event).decode() == frame
    assert as_documented(event_out(event)) == encode(event)


def as_documented(frame: out.Outgoing) -> bytes:
    """Decode a frame strictly by its own Struct, and encode it again."""
    return to_json(msgspec.json.decode(to_json(frame), type=type(frame)))


def test_a_joined_direct_room_has_the_other_persons_name() -> None:
    frame = encode(RoomEntered(-1, 1, AT, DIRECT, 0, BOB))
    assert frame == b'{"me":{"seq":1,"joined":{"room":{"id":8,"kind":"direct","name":"Bob","head_seq":0}}}}'
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
        '{"id":7,"kind":"group","name":"Team","head_seq":3,"unread":1,"read_seq":2,"role":"owner"},'
        '{"id":8,"kind":"direct","name":"Bob","head_seq":2,"unread":null,"read_seq":null,"role":null}]}}'
    )
    more = answers.HelloAnswer(1, hello_result(login, msgspec.structs.replace(welcome, more=True)))
    assert to_json(more) == to_json(frame).replace(b"null}]}}", b'null}],"rooms_cursor":"0"}}')
    decoded = msgspec.json.decode(to_json(frame), type=answers.HelloAnswer)
    whole = [views.room_out(view) for view in rooms]
    assert decoded.hello.rooms == [
        msgspec.structs.replace(room, created_at=UNSET, last_message=UNSET) for room in whole
    ]


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
