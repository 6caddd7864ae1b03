"""Mentions: whom a text means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.core.editing import MentionsChanged
from veche.core.mentions import MAX_MENTIONS, NO_MENTIONS, Mentions, handles_in
from veche.core.messages import MESSAGES, MessageRefers
from veche.core.values import LOBBY_ID, Kind

from . import commands as c
from .conftest import People
from .world import Town


def mentions(town: Town, by: int, room: int, text: str) -> Mentions:
    references = town.say(by, room, text).message.references
    return NO_MENTIONS if references is None else references.mentions


@pytest.mark.parametrize(
    "text",
    [
        "@bob",
        "hi @bob!",
        "@BOB",
        "@bob.",
        "(@bob)",
        "@bob, @bob",
        "@bob-",
        "@nobody @bob",
        "@ann @bob",
        "\n@bob",
        "@ｂｏｂ",
    ],
)
def test_a_name_is_found_in_a_text(town: Town, people: People, text: str) -> None:
    assert mentions(town, people.ann, LOBBY_ID, text) == Mentions((people.bob,))


@pytest.mark.parametrize("text", ["bob", "a@bob", "@@bob", "@bobby", "@ bob", "ann.@bob", "@system", "@bob_"])
def test_what_is_no_mention(town: Town, people: People, text: str) -> None:
    assert mentions(town, people.ann, LOBBY_ID, text) == NO_MENTIONS


def test_a_name_may_end_with_a_dot(town: Town, people: People) -> None:
    dotted = town.person("dan.")
    plain = town.person("dan")
    assert mentions(town, people.ann, LOBBY_ID, "@dan.") == Mentions((dotted, plain))
    assert mentions(town, people.ann, LOBBY_ID, "@dan") == Mentions((plain,))


def test_only_people_in_the_room_are_mentioned(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    assert mentions(town, people.ann, room, "@bob @eve") == Mentions((people.bob,))
    first = town.say(people.ann, room, "hi").message
    reply = town.do(c.by(people.ann, c.SendReply(room, "@bob @eve", reply_to_id=first.id))).message
    assert reply.references.mentions == Mentions((people.bob,))
    town.do(c.by(people.ann, c.EditMessage(room, first.id, "@bob @eve")))
    assert town.rows(MESSAGES)[first.id].references.mentions == Mentions((people.bob,))


def test_a_message_says_whom_it_mentions(town: Town, people: People) -> None:
    sent = town.say(people.ann, LOBBY_ID, "@bob").message
    assert town.news == [sent, MessageRefers(LOBBY_ID, sent.seq, sent.id, sent.references)]


@pytest.mark.parametrize(
    ("kind", "owner", "member"), [(Kind.DIRECT, 1, 1), (Kind.GROUP, 1, 1), (Kind.CHANNEL, 1, 0), (Kind.LOBBY, 0, 0)]
)
def test_everybody_is_mentioned_by_those_who_may(
    town: Town, people: People, kind: Kind, owner: int, member: int
) -> None:
    room = LOBBY_ID if kind is Kind.LOBBY else town.room(people.ann, kind, people.bob)
    assert mentions(town, people.ann, room, "@room") == Mentions(room=bool(owner))
    assert mentions(town, people.bob, room, "@room @ann") == Mentions((people.ann,), bool(member))


def test_an_edit_changes_whom_a_message_mentions(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "@bob").message
    town.do(c.by(people.ann, c.EditMessage(LOBBY_ID, message.id, "@eve")))
    assert MentionsChanged(LOBBY_ID, message.seq, message.id, Mentions((people.eve,))) in town.news
    assert town.rows(MESSAGES)[message.id].references.mentions == Mentions((people.eve,))
    town.do(c.by(people.ann, c.EditMessage(LOBBY_ID, message.id, "you, @eve")))
    assert town.kinds() == ["RevisionKept", "MessageEdited"]
    town.do(c.by(people.ann, c.EditMessage(LOBBY_ID, message.id, "nobody")))
    assert MentionsChanged(LOBBY_ID, message.seq, message.id, NO_MENTIONS) in town.news


def test_a_deleted_message_mentions_nobody(town: Town, people: People) -> None:
    first = town.say(people.ann, LOBBY_ID, "hi").message
    reply = town.do(c.by(people.ann, c.SendReply(LOBBY_ID, "@bob", reply_to_id=first.id))).message
    plain = town.say(people.ann, LOBBY_ID, "@bob").message
    for message in (reply, plain):
        town.do(c.by(people.ann, c.DeleteMessage(LOBBY_ID, message.id)))
    left = town.rows(MESSAGES)[reply.id].references
    assert (left.to_id, left.mentions) == (first.id, NO_MENTIONS)
    assert town.rows(MESSAGES)[plain.id].references is None


def test_few_names_are_looked_up() -> None:
    assert len(list(handles_in(" ".join(f"@n{number}." for number in range(1000))))) == 2 * MAX_MENTIONS


@given(st.text(st.sampled_from("@ab.-_ \n@é"), max_size=200))
def test_every_handle_stands_in_the_text(text: str) -> None:
    for handle in handles_in(text):
        assert handle
        assert f"@{handle}" in text
