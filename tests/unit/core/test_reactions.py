"""Reactions: who may react with what, how often, and that the counts are right."""

from __future__ import annotations

import pytest

from veche.core.errors import ChatError, Code
from veche.core.reactions import MAX_EMOJI_OF_MESSAGE, REACTIONS, TALLIES, MessageReacted, Reacted
from veche.core.values import LOBBY_ID, Kind, Person

from . import commands as c
from .conftest import People
from .world import Town

THUMB, HEART = "\U0001f44d", "\u2764\ufe0f"
EMOJI = {
    "a character": THUMB,
    "one of an old block": "\u2600",
    "in colour": HEART,
    "with a skin tone": "\U0001f44b\U0001f3fd",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "a couple with skin tones": "\U0001f469\U0001f3fb\u200d\u2764\ufe0f\u200d\U0001f48b\u200d\U0001f468\U0001f3ff",
    "a flag": "\U0001f1e9\U0001f1ea",
    "a flag with tags": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "the rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "a keycap": "1\ufe0f\u20e3",
    "another keycap": "#\ufe0f\u20e3",
    "a sign": "\xa9\ufe0f",
}
NO_EMOJI = {
    "nothing": "",
    "a letter": "a",
    "a word": "lol",
    "a digit": "1",
    "a space": " ",
    "a newline": f"{THUMB}\n",
    "NUL": "\0",
    "a lone surrogate": "\ud83d",
    "two": THUMB + THUMB,
    "joined to nothing": f"{THUMB}\u200d",
    "joined to a letter": f"{THUMB}\u200da",
    "a joiner": "\u200d",
    "a variation selector": "\ufe0f",
    "half a flag": "\U0001f1e9",
    "three halves": "\U0001f1e9\U0001f1ea\U0001f1e9",
    "tags without an end": "\U0001f3f4\U000e0067\U000e0062",
    "tags alone": "\U000e0067\U000e007f",
    "right to left": f"\u202e{THUMB}",
    "a combining mark": f"{THUMB}\u0301",
    "too long": "\u200d".join([THUMB] * 17),
}


def react(by: int, room: int, message: int, emoji: str = THUMB, client_id: str | None = None) -> c.Request:
    return c.by(by, c.React(room, message, emoji, client_id=client_id))


def take_back(by: int, room: int, message: int, emoji: str = THUMB, client_id: str | None = None) -> c.Request:
    return c.by(by, c.React(room, message, emoji, False, client_id=client_id))


def test_members_react_and_take_it_back(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    message = town.say(people.ann, room).message
    assert town.do(react(people.bob, room, message.id)) == Reacted(room, message.seq + 1, message.id, THUMB)
    bob = Person(people.bob, "bob", "bob")
    assert town.news == [MessageReacted(room, message.seq + 1, town.now, bob, message.id, THUMB, True, 1)]
    town.do(react(people.ann, room, message.id))
    assert town.rows(TALLIES)[message.id] == {THUMB: 2}
    town.do(take_back(people.bob, room, message.id))
    assert town.news == [MessageReacted(room, message.seq + 3, town.now, bob, message.id, THUMB, False, 1)]
    assert list(town.rows(REACTIONS)) == [(message.id, people.ann, THUMB)]
    town.do(take_back(people.ann, room, message.id))
    assert (town.rows(TALLIES)[message.id], town.rows(REACTIONS)) == ({}, {})


def test_a_second_reaction_alike_changes_nothing(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID).message
    assert town.do(take_back(people.ann, LOBBY_ID, message.id)).seq == message.seq
    assert town.news == []
    first = town.do(react(people.ann, LOBBY_ID, message.id))
    assert (town.do(react(people.ann, LOBBY_ID, message.id)), town.news) == (first, [])
    assert town.rows(TALLIES)[message.id] == {THUMB: 1}


def test_a_retry_is_answered_as_the_first_time(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID).message
    first = town.do(react(people.ann, LOBBY_ID, message.id, THUMB, "r-1"))
    town.do(take_back(people.ann, LOBBY_ID, message.id))
    again = town.do(react(people.ann, LOBBY_ID, message.id, THUMB, "r-1"))
    assert (again.duplicate, again.seq, town.news) == (True, first.seq, [])
    assert town.rows(REACTIONS) == {}
    for other in (
        react(people.ann, LOBBY_ID, message.id, HEART, "r-1"),
        take_back(people.ann, LOBBY_ID, 1, THUMB, "r-1"),
    ):
        assert town.refuses(other).code is Code.IDEMPOTENCY_MISMATCH


def test_a_message_has_a_limit_of_different_emoji(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID).message
    emoji = [chr(0x1F600 + number) for number in range(MAX_EMOJI_OF_MESSAGE)]
    for one in emoji:
        town.do(react(people.ann, LOBBY_ID, message.id, one))
    assert town.refuses(react(people.bob, LOBBY_ID, message.id)).code is Code.FORBIDDEN
    town.do(react(people.bob, LOBBY_ID, message.id, emoji[0]))
    town.do(take_back(people.ann, LOBBY_ID, message.id, emoji[1]))
    town.do(react(people.bob, LOBBY_ID, message.id))
    assert len(town.rows(TALLIES)[message.id]) == MAX_EMOJI_OF_MESSAGE


def test_only_who_may_write_reacts(town: Town, people: People) -> None:
    room, channel = town.room(people.ann), town.room(people.ann, Kind.CHANNEL)
    assert town.refuses(react(people.eve, room, town.say(people.ann, room).message.id)).code is Code.NOT_FOUND
    assert town.refuses(react(people.eve, channel, town.say(people.ann, channel).message.id)).code is Code.NOT_MEMBER


def test_only_a_message_of_the_room_that_is_not_deleted_gets_a_reaction(town: Town, people: People) -> None:
    room = town.room(people.ann)
    message = town.say(people.ann, LOBBY_ID).message
    town.do(react(people.ann, LOBBY_ID, message.id))
    for id in (message.id, 99):
        refusal = town.refuses(react(people.ann, room, id))
        assert (refusal.code, refusal.data["what"]) == (Code.NOT_FOUND, "message")
    town.do(c.by(people.ann, c.DeleteMessage(LOBBY_ID, message.id)))
    for request in (react(people.ann, LOBBY_ID, message.id, HEART), take_back(people.ann, LOBBY_ID, message.id)):
        assert town.refuses(request).code is Code.NOT_FOUND


@pytest.mark.parametrize("emoji", EMOJI.values(), ids=EMOJI)
def test_one_emoji_is_a_reaction(emoji: str) -> None:
    c.React(1, 1, emoji).check()


@pytest.mark.parametrize("emoji", NO_EMOJI.values(), ids=NO_EMOJI)
def test_everything_else_is_none(emoji: str) -> None:
    with pytest.raises(ChatError) as refusal:
        c.React(1, 1, emoji).check()
    assert (refusal.value.code, refusal.value.data) == (Code.INVALID, {"field": "emoji"})
