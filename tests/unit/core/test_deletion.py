"""Deleting a message: who may, what is left, and that a retry outlives the deletion."""

from __future__ import annotations

import msgspec
import pytest

from veche.core.deletion import MessageDeleted
from veche.core.editing import Changed
from veche.core.errors import Code
from veche.core.messages import MESSAGES
from veche.core.rules import Rules
from veche.core.values import LOBBY_ID, Kind

from . import commands as c
from .conftest import People
from .world import Town

SECOND = 1_000_000


def delete(by: int, room: int, message: int, client_id: str | None = None) -> c.Request:
    return c.by(by, c.DeleteMessage(room, message, client_id=client_id))


def test_an_author_deletes_a_message_and_its_place_stays(town: Town, people: People) -> None:
    room = town.room(people.ann)
    message = town.say(people.ann, room, "hi").message
    assert town.do(delete(people.ann, room, message.id)) == Changed(room, message.seq + 1, message.id, 1)
    assert town.news == [MessageDeleted(room, message.seq + 1, town.now, message.id, message.seq, 1, people.ann)]
    left = msgspec.structs.replace(message, text="", revision=1, deleted_by=people.ann)
    assert town.rows(MESSAGES)[message.id] == left
    assert town.say(people.ann, room).message.number == message.number + 1


def test_deleting_again_changes_nothing(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "hi").message
    first = town.do(delete(people.ann, LOBBY_ID, message.id))
    assert (town.do(delete(people.ann, LOBBY_ID, message.id)), town.news) == (first, [])


def test_the_owner_deletes_what_others_said(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob, people.eve)
    message = town.say(people.bob, room).message
    assert town.refuses(delete(people.eve, room, message.id)).code is Code.FORBIDDEN
    town.do(delete(people.ann, room, message.id))
    assert town.rows(MESSAGES)[message.id].deleted_by == people.ann


@pytest.mark.parametrize("kind", [Kind.DIRECT, Kind.LOBBY])
def test_nobody_deletes_what_others_said_where_nobody_moderates(town: Town, people: People, kind: Kind) -> None:
    room = LOBBY_ID if kind is Kind.LOBBY else town.room(people.ann, kind, people.bob)
    message = town.say(people.bob, room).message
    assert town.refuses(delete(people.ann, room, message.id)).code is Code.FORBIDDEN
    assert town.do(delete(people.bob, room, message.id)).revision == 1


def test_strangers_learn_nothing(town: Town, people: People) -> None:
    room, channel = town.room(people.ann), town.room(people.ann, Kind.CHANNEL)
    assert town.refuses(delete(people.eve, room, town.say(people.ann, room).message.id)).code is Code.NOT_FOUND
    assert town.refuses(delete(people.eve, channel, town.say(people.ann, channel).message.id)).code is Code.NOT_MEMBER


def test_only_a_message_of_the_room_can_be_deleted(town: Town, people: People) -> None:
    room = town.room(people.ann)
    message = town.say(people.ann, LOBBY_ID).message
    for id in (message.id, 99):
        refusal = town.refuses(delete(people.ann, room, id))
        assert (refusal.code, refusal.data["what"]) == (Code.NOT_FOUND, "message")


def test_a_notice_stays(town: Town, people: People) -> None:
    room = town.room(people.ann)
    notice = town.do(c.by(people.ann, c.PostNotice(room, "notice"))).message
    assert town.refuses(delete(people.ann, room, notice.id)).code is Code.FORBIDDEN


def test_an_author_has_the_time_that_the_operator_has_set_and_the_owner_has_more(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    his, hers = town.say(people.bob, room).message, town.say(people.ann, room).message
    town.rules = Rules(delete_seconds=60)
    town.now = hers.at + 61 * SECOND
    assert town.refuses(delete(people.bob, room, his.id)).code is Code.FORBIDDEN
    for message in (his, hers):
        assert town.do(delete(people.ann, room, message.id)).revision == 1


def test_a_deleted_message_is_not_sent_again(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "hi", "m-1").message
    town.do(delete(people.ann, LOBBY_ID, message.id, "d-1"))
    again = town.do(c.by(people.ann, c.SendMessage(LOBBY_ID, "hi", "m-1")))
    assert (again.duplicate, again.message.id, again.message.text, town.news) == (True, message.id, "", [])
    for text in ("ho", ""):
        refusal = town.refuses(c.by(people.ann, c.SendMessage(LOBBY_ID, text, "m-1")))
        assert refusal.code is Code.IDEMPOTENCY_MISMATCH
    assert town.do(delete(people.ann, LOBBY_ID, message.id, "d-1")).duplicate


def test_an_edit_that_was_carried_out_is_answered_after_the_deletion(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "hi").message
    edit = c.by(people.ann, c.EditMessage(LOBBY_ID, message.id, "ho", client_id="e-1"))
    first = town.do(edit)
    town.do(delete(people.ann, LOBBY_ID, message.id))
    assert town.do(edit) == msgspec.structs.replace(first, duplicate=True)
    late = c.EditMessage(LOBBY_ID, message.id, "hm", client_id="e-2")
    assert town.refuses(c.by(people.ann, late)).code is Code.NOT_FOUND
