"""The topic of a room, slow mode, and archived rooms."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.errors import ChatError, Code
from veche.core.messages import Message
from veche.core.room_renaming import RoomRenamed
from veche.core.room_settings import MAX_TOPIC, RoomChanged, RoomUpdated
from veche.core.rooms import ROOMS
from veche.core.slow_mode import MAX_SLOW
from veche.core.values import LOBBY_ID, Kind, Role

from . import commands as c
from .conftest import People
from .world import Town

SECOND = 1_000_000


def update(by: int, room: int, client_id: str | None = None, **changes: Any) -> c.Request:
    return c.by(by, c.UpdateRoom(room, **changes, client_id=client_id))


@pytest.fixture
def room(town: Town, people: People) -> int:
    return town.room(people.ann, Kind.CHANNEL, people.bob)


def test_what_is_set_is_an_entry_of_the_log(town: Town, people: People, room: int) -> None:
    assert town.do(update(people.ann, room, topic="Lunch", slow_seconds=5)) == RoomUpdated(room, 3)
    [event] = town.news
    assert isinstance(event, RoomChanged)
    assert (event.log_id, event.seq, event.person.id) == (room, 3, people.ann)
    now = town.rows(ROOMS)[room]
    assert event.room == now
    assert (now.topic, now.slow_seconds, now.archived_at, now.name) == ("Lunch", 5, None, "Team")
    assert town.do(update(people.ann, room, topic="Lunch")) == RoomUpdated(room, 3)
    assert town.news == [], "what is so already has no event"
    assert town.do(update(people.ann, room, topic="", slow_seconds=0)) == RoomUpdated(room, 4)
    assert (town.rows(ROOMS)[room].topic, town.rows(ROOMS)[room].slow_seconds) == ("", 0)


def test_a_name_and_a_topic_in_one_command_are_two_entries(town: Town, people: People, room: int) -> None:
    assert town.do(update(people.ann, room, new_name="Crew", topic="Lunch")) == RoomUpdated(room, 4)
    renamed, changed = town.news
    assert isinstance(renamed, RoomRenamed)
    assert isinstance(changed, RoomChanged)
    assert changed.room == town.rows(ROOMS)[room]
    assert (changed.room.name, changed.room.topic) == ("Crew", "Lunch")


def test_all_or_nothing(town: Town, people: People, room: int) -> None:
    town.do(c.by(people.ann, c.ChangeRole(room, people.bob, Role.MODERATOR)))
    assert town.refuses(update(people.bob, room, topic="Lunch", new_name="Crew")).code is Code.FORBIDDEN
    assert town.refuses(update(people.bob, room, topic="Lunch", archived=True)).code is Code.FORBIDDEN
    assert town.rows(ROOMS)[room].topic == ""
    town.do(update(people.bob, room, topic="Lunch"))
    assert town.rows(ROOMS)[room].topic == "Lunch"


def test_a_retry_gets_the_first_answer(town: Town, people: People, room: int) -> None:
    first = town.do(update(people.ann, room, "u-1", topic="Lunch"))
    town.do(update(people.ann, room, topic="Dinner"))
    assert town.do(update(people.ann, room, "u-1", topic="Lunch")) == msgspec.structs.replace(first, duplicate=True)
    assert town.rows(ROOMS)[room].topic == "Dinner"
    assert town.refuses(update(people.ann, room, "u-1", topic="Tea")).code is Code.IDEMPOTENCY_MISMATCH


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "name"),
        ({"topic": "x" * (MAX_TOPIC + 1)}, "topic"),
        ({"topic": "a\u200bb"}, "topic"),
        ({"topic": "two\nlines"}, "topic"),
        ({"new_name": "a\0b"}, "name"),
        ({"slow_seconds": -1}, "slow_seconds"),
        ({"slow_seconds": MAX_SLOW + 1}, "slow_seconds"),
    ],
)
def test_what_does_not_fit_is_refused(
    town: Town, people: People, room: int, changes: dict[str, Any], field: str
) -> None:
    refusal = town.refuses(update(people.ann, room, **changes))
    assert (refusal.code, refusal.data["field"]) == (Code.INVALID, field)


# Archived rooms.


def test_an_archived_room_takes_no_message_until_it_is_brought_back(town: Town, people: People, room: int) -> None:
    said = town.say(people.bob, room, client_id="c-1").message
    town.do(update(people.ann, room, archived=True))
    for request in (
        c.by(people.bob, c.SendMessage(room, "hi")),
        c.by(people.bob, c.SendReply(room, "hi", reply_to_id=said.id)),
        c.by(people.bob, c.EditMessage(room, said.id, "ho")),
        c.by(people.bob, c.DeleteMessage(room, said.id)),
        c.by(people.bob, c.React(room, said.id, "\U0001f44d")),
        c.by(people.ann, c.PostNotice(room, "ann joined the room")),
        c.by(people.eve, c.JoinRoom(room)),
        update(people.ann, room, topic="Lunch", archived=False),
    ):
        refusal = town.refuses(request)
        assert (refusal.code, refusal.data["reason"]) == (Code.FORBIDDEN, "archived")
    assert town.say(people.bob, room, client_id="c-1").duplicate, "a retry is answered as before"
    town.do(c.by(people.bob, c.ReadUpTo(room, 3)))
    assert town.do(update(people.ann, room, archived=True)) == RoomUpdated(room, 4)
    assert town.news == []
    assert town.do(update(people.ann, room, archived=False)) == RoomUpdated(room, 5)
    assert town.say(people.bob, room).message.seq == 6


def test_who_is_outside_an_archived_group_learns_nothing_of_it(town: Town, people: People) -> None:
    group = town.room(people.ann, Kind.GROUP, people.bob)
    town.do(update(people.ann, group, archived=True))
    for request in (c.by(people.eve, c.SendMessage(group, "hi")), update(people.eve, group, archived=False)):
        assert town.refuses(request).code is Code.NOT_FOUND


# Slow mode.


def test_members_wait_and_moderators_do_not(town: Town, people: People, room: int) -> None:
    town.say(people.bob, room)
    spoke = town.now
    town.do(update(people.ann, room, slow_seconds=10))
    for seconds, left in ((0, 10), (1, 9), (9, 1)):
        town.now = spoke + seconds * SECOND - 1
        refusal = town.refuses(c.by(people.bob, c.SendMessage(room, "hi")))
        assert (refusal.code, refusal.data["retry_after"]) == (Code.RATE_LIMITED, left)
        assert refusal.temporary
    town.say(people.ann, room)
    town.say(people.ann, room)
    town.do(c.by(people.ann, c.ChangeRole(room, people.bob, Role.MODERATOR)))
    town.say(people.bob, room)
    town.do(c.by(people.ann, c.ChangeRole(room, people.bob, Role.MEMBER)))
    assert town.refuses(c.by(people.bob, c.SendMessage(room, "hi"))).code is Code.RATE_LIMITED
    town.now += 10 * SECOND
    town.say(people.bob, room)


def test_a_retry_does_not_wait(town: Town, people: People, room: int) -> None:
    town.do(update(people.ann, room, slow_seconds=10))
    town.now += 10 * SECOND
    first = town.say(people.bob, room, client_id="c-1")
    assert town.say(people.bob, room, client_id="c-1") == msgspec.structs.replace(first, duplicate=True)


def test_nobody_gets_round_it_by_leaving_and_joining(town: Town, people: People, room: int) -> None:
    town.do(update(people.ann, room, slow_seconds=10))
    town.do(c.by(people.bob, c.LeaveRoom(room)))
    town.do(c.by(people.bob, c.JoinRoom(room)))
    refusal = town.refuses(c.by(people.bob, c.SendMessage(room, "hi")))
    assert (refusal.code, refusal.data["retry_after"]) == (Code.RATE_LIMITED, 10)


def test_a_direct_room_and_the_lobby_are_never_slow(town: Town, people: People) -> None:
    direct = town.room(people.ann, Kind.DIRECT, people.bob)
    for room in (direct, LOBBY_ID):
        for changes in ({"slow_seconds": 5}, {"topic": "x"}, {"archived": True}):
            assert town.refuses(update(people.ann, room, **changes)).code is Code.FORBIDDEN


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["say", "slow", "rejoin"]),
        st.integers(0, 12),  # seconds before the step
        st.sampled_from([0, 1, 5, 10]),  # of slow mode
    ),
    max_size=12,
)


@given(STEPS)
def test_two_messages_of_a_member_are_never_nearer_than_slow_mode_allows(steps: list[tuple[str, int, int]]) -> None:
    """Whatever happens between them. And whoever has waited long enough is never refused."""
    town = Town()
    ann, bob = town.person("ann"), town.person("bob")
    room = town.room(ann, Kind.CHANNEL, bob)
    slow, last = 0, town.now  # when bob last spoke or joined
    for step, seconds, setting in steps:
        town.now += seconds * SECOND
        if step == "slow":
            town.do(update(ann, room, slow_seconds=setting))
            slow = setting
        elif step == "rejoin":
            town.do(c.by(bob, c.LeaveRoom(room)))
            town.do(c.by(bob, c.JoinRoom(room)))
            last = town.now
        else:
            refusal = outcome(town, c.by(bob, c.SendMessage(room, "hi")))
            if refusal is None:
                [message] = town.news
                assert isinstance(message, Message)
                assert message.at >= last + slow * SECOND
                last = message.at
            else:
                assert refusal.code is Code.RATE_LIMITED
                assert town.now < last + slow * SECOND <= town.now + int(str(refusal.data["retry_after"])) * SECOND


def outcome(town: Town, request: c.Request) -> ChatError | None:
    try:
        town.do(request)
    except ChatError as refusal:
        return refusal
    return None
