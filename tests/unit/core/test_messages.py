"""Sending, repeating, and reading."""

from __future__ import annotations

import msgspec
import pytest

from veche.core.errors import Code
from veche.core.reading import MessageRead, ReadMoved
from veche.core.rooms import MEMBERS
from veche.core.text import MAX_CLIENT_ID, MAX_TEXT_BYTES
from veche.core.values import LOBBY_ID, SYSTEM_ID, Kind

from . import commands as c
from .conftest import People
from .world import Town


def send(by: int, room: int, text: str = "hi", client_id: str | None = None) -> c.SendMessage:
    return c.by(by, c.SendMessage(room, text, client_id))


def test_a_message_takes_the_next_seq_of_its_room_and_the_next_id_of_all(town: Town, people: People) -> None:
    one, other = town.room(people.ann), town.room(people.ann, Kind.CHANNEL)
    sent = [town.say(people.ann, room).message for room in (one, other, one)]
    assert [(message.log_id, message.seq, message.id, message.number) for message in sent] == [
        (one, 2, 1, 1),
        (other, 2, 2, 1),
        (one, 3, 3, 2),
    ]


def test_everybody_may_speak_in_the_lobby(town: Town, people: People) -> None:
    assert town.say(people.eve, LOBBY_ID).message.seq == 1


def test_a_channel_is_seen_but_spoken_in_by_members_only(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL)
    refusal = town.refuses(send(people.bob, room))
    assert (refusal.code, refusal.data["room_id"]) == (Code.NOT_MEMBER, room)


def test_nowhere_is_not_found(town: Town, people: People) -> None:
    assert town.refuses(send(people.ann, 99)).data["what"] == "room"


def test_a_repeat_gets_the_first_answer_and_stores_nothing(town: Town, people: People) -> None:
    room = town.room(people.ann)
    first = town.say(people.ann, room, "hi", "c-1")
    again = town.say(people.ann, room, "hi", "c-1")
    assert (first.duplicate, again.duplicate, again.message, town.news) == (False, True, first.message, [])


@pytest.mark.parametrize("change", ["text", "room"])
def test_the_same_client_id_for_another_message_is_refused(town: Town, people: People, change: str) -> None:
    room, other = town.room(people.ann), town.room(people.ann)
    town.say(people.ann, room, "hi", "c-1")
    command = send(people.ann, room, "ho", "c-1") if change == "text" else send(people.ann, other, "hi", "c-1")
    assert town.refuses(command).code is Code.IDEMPOTENCY_MISMATCH


def test_client_ids_are_each_senders_own(town: Town, people: People) -> None:
    town.say(people.ann, LOBBY_ID, "hi", "c-1")
    assert not town.say(people.bob, LOBBY_ID, "ho", "c-1").duplicate


def test_a_repeat_is_answered_even_after_one_was_put_out(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    first = town.say(people.bob, room, "hi", "c-1")
    town.do(c.by(people.ann, c.RemoveMember(room, people.bob)))
    assert town.say(people.bob, room, "hi", "c-1") == msgspec.structs.replace(first, duplicate=True)
    assert town.refuses(send(people.bob, room, "ho", "c-2")).code is Code.NOT_FOUND


@pytest.mark.parametrize("client_id", ["", "x" * (MAX_CLIENT_ID + 1), "a\0b", "a\ud800", "a\u200b", "a\nb"])
def test_client_ids_are_short_and_visible(town: Town, people: People, client_id: str) -> None:
    refusal = town.refuses(send(people.ann, LOBBY_ID, "hi", client_id))
    assert (refusal.code, refusal.data["field"]) == (Code.INVALID, "client_message_id")


def test_the_longest_client_id_and_text_pass(town: Town, people: People) -> None:
    town.say(people.ann, LOBBY_ID, "x" * MAX_TEXT_BYTES, "c" * MAX_CLIENT_ID)
    town.say(people.ann, LOBBY_ID, "é" * (MAX_TEXT_BYTES // 2))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a\0b", Code.INVALID),
        ("\ud800", Code.INVALID),
        ("x" * (MAX_TEXT_BYTES + 1), Code.TOO_LARGE),
        ("é" * (MAX_TEXT_BYTES // 2 + 1), Code.TOO_LARGE),
    ],
)
def test_text_that_no_database_takes_is_refused(town: Town, people: People, text: str, code: Code) -> None:
    refusal = town.refuses(send(people.ann, LOBBY_ID, text))
    assert (refusal.code, refusal.data["field"]) == (code, "text")


def test_who_speaks_has_read(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    town.say(people.ann, room)
    town.say(people.bob, room)
    assert town.rows(MEMBERS)[room, people.bob].read_count == 2
    assert town.rows(MEMBERS)[room, people.ann].read_count == 1


def test_the_read_pointer_goes_forward_only_and_never_beyond_the_head(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    for _ in range(3):
        town.say(people.ann, room)
    town.do(c.by(people.bob, c.ReadUpTo(room, 4)))
    moved = town.news[0]
    assert isinstance(moved, ReadMoved)
    assert (moved.log_id, moved.seq, moved.read_seq, moved.read_count) == (-people.bob, 2, 4, 2)
    town.do(c.by(people.bob, c.ReadUpTo(room, 3)))
    assert town.news == []
    town.do(c.by(people.bob, c.ReadUpTo(room, 2**63 - 1)))
    assert (town.news[0].read_seq, town.news[0].read_count) == (5, 3)  # type: ignore[union-attr]
    town.do(c.by(people.bob, c.ReadUpTo(room, 2**63 - 1)))
    assert town.news == []


def test_the_lobbys_pointer_begins_when_it_is_first_moved(town: Town, people: People) -> None:
    town.say(people.ann, LOBBY_ID)
    town.do(c.by(people.bob, c.ReadUpTo(LOBBY_ID, 1)))
    assert town.rows(MEMBERS)[LOBBY_ID, people.bob].read_count == 1
    town.do(c.by(people.bob, c.ReadUpTo(LOBBY_ID, 1)))
    assert town.news == []


def test_a_message_is_marked_read_once_and_its_author_told(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob, people.eve)
    message = town.say(people.ann, room).message
    town.do(c.by(people.bob, c.MarkRead(room, message.id)))
    moved, read = town.news
    assert isinstance(moved, ReadMoved)
    assert isinstance(read, MessageRead)
    assert (read.log_id, read.seq, read.message_id, read.reader_id) == (-people.ann, 2, message.id, people.bob)
    town.do(c.by(people.eve, c.MarkRead(room, message.id)))
    assert town.kinds() == ["ReadMoved"]
    town.do(c.by(people.bob, c.MarkRead(room, message.id)))
    assert town.news == []


def test_an_author_who_has_left_is_not_told_who_reads(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob, people.eve)
    message = town.say(people.bob, room).message
    town.do(c.by(people.ann, c.RemoveMember(room, people.bob)))
    town.do(c.by(people.eve, c.MarkRead(room, message.id)))
    assert town.kinds() == ["ReadMoved"]


def test_a_mark_moves_no_pointer_in_the_lobby(town: Town, people: People) -> None:
    town.say(people.ann, LOBBY_ID)
    town.do(c.by(people.bob, c.ReadUpTo(LOBBY_ID, 1)))
    message = town.say(people.ann, LOBBY_ID).message
    town.do(c.by(people.bob, c.MarkRead(LOBBY_ID, message.id)))
    assert town.kinds() == ["MessageRead"]
    assert town.rows(MEMBERS)[LOBBY_ID, people.bob].read_seq == 1


def test_a_message_is_marked_in_its_own_room_only(town: Town, people: People) -> None:
    room, other = town.room(people.ann), town.room(people.ann)
    message = town.say(people.ann, room).message
    assert town.refuses(c.by(people.ann, c.MarkRead(other, message.id))).data["what"] == "message"
    assert town.refuses(c.by(people.ann, c.MarkRead(room, 99))).data["what"] == "message"


def test_a_notice_takes_the_next_seq_and_counts_as_nothing_unread(town: Town, people: People) -> None:
    room = town.room(people.ann)
    said = town.say(people.ann, room).message
    notice = town.do(c.by(people.ann, c.PostNotice(room, "ann is here"))).message
    assert (notice.seq, notice.number, notice.type) == (said.seq + 1, said.number, "notice")
    assert notice.sender.id == SYSTEM_ID
    assert town.refuses(c.by(people.ann, c.PostNotice(99, "hi"))).data["what"] == "room"
