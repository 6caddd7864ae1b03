"""Editing a message: who may, what is kept, and that a retry outlives the change."""

from __future__ import annotations

import msgspec
import pytest

from veche.core.accounts import ACCOUNTS
from veche.core.client_ids import FIRST_USES
from veche.core.editing import Changed, MessageEdited, RevisionKept
from veche.core.errors import Code
from veche.core.messages import MESSAGES
from veche.core.rules import Rules
from veche.core.values import ANONYMOUS_ID, LOBBY_ID, Account, Kind

from . import commands as c
from .conftest import People
from .world import Town

SECOND = 1_000_000


def edit(by: int, room: int, message: int, text: str = "ho", client_id: str | None = None) -> c.Request:
    return c.by(by, c.EditMessage(room, message, text, client_id=client_id))


def test_an_author_changes_the_text_and_the_text_before_is_kept(town: Town, people: People) -> None:
    room = town.room(people.ann)
    message = town.say(people.ann, room, "hi").message
    done = town.do(edit(people.ann, room, message.id))
    assert done == Changed(room, message.seq + 1, message.id, 1)
    kept, edited = town.news
    assert kept == RevisionKept(message.id, 0, "hi", message.at)
    now = msgspec.structs.replace(message, text="ho", revision=1, edited_at=town.now)
    assert edited == MessageEdited(room, message.seq + 1, town.now, now, 1)
    assert town.rows(MESSAGES)[message.id] == now
    first_edit = town.now
    assert town.do(edit(people.ann, room, message.id, "hm")).revision == 2
    assert town.news[0] == RevisionKept(message.id, 1, "ho", first_edit)


def test_the_same_text_changes_nothing(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "hi").message
    assert town.do(edit(people.ann, LOBBY_ID, message.id, "hi")) == Changed(LOBBY_ID, message.seq, message.id, 0)
    assert town.news == []


def test_an_edit_counts_for_nobody(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "hi").message
    town.do(edit(people.ann, LOBBY_ID, message.id))
    assert town.say(people.ann, LOBBY_ID, "next").message.number == message.number + 1


def test_only_the_author_may_edit(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    message = town.say(people.bob, room).message
    assert town.refuses(edit(people.ann, room, message.id)).code is Code.FORBIDDEN
    assert town.refuses(edit(people.eve, room, message.id)).code is Code.NOT_FOUND


def test_whoever_has_left_may_not_edit(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.CHANNEL)
    town.do(c.by(people.bob, c.JoinRoom(room)))
    message = town.say(people.bob, room).message
    town.do(c.by(people.bob, c.LeaveRoom(room)))
    assert town.refuses(edit(people.bob, room, message.id)).code is Code.NOT_MEMBER


def test_notices_and_what_was_sent_without_an_account_have_no_author(town: Town, people: People) -> None:
    notice = town.do(c.by(people.ann, c.PostNotice(LOBBY_ID, "notice"))).message
    assert town.refuses(edit(2**31 - 1, LOBBY_ID, notice.id)).code is Code.FORBIDDEN
    town.everything.rows[ACCOUNTS][ANONYMOUS_ID] = Account(ANONYMOUS_ID, "guest", "guest", "guest", None, 0)
    said = town.do(c.by(ANONYMOUS_ID, c.SendMessage(LOBBY_ID, "hi", author="somebody"))).message
    assert town.refuses(edit(ANONYMOUS_ID, LOBBY_ID, said.id)).code is Code.FORBIDDEN


@pytest.mark.parametrize("where", ["nowhere", "another room", "deleted"])
def test_only_a_message_of_the_room_can_be_edited(town: Town, people: People, where: str) -> None:
    room, other = town.room(people.ann), town.room(people.ann)
    message = town.say(people.ann, room).message
    if where == "deleted":
        town.do(c.by(people.ann, c.DeleteMessage(room, message.id)))
    asked = {
        "nowhere": edit(people.ann, room, 99),
        "another room": edit(people.ann, other, message.id),
        "deleted": edit(people.ann, room, message.id),
    }[where]
    refusal = town.refuses(asked)
    assert (refusal.code, refusal.data["what"]) == (Code.NOT_FOUND, "message")


def test_after_the_time_that_the_operator_has_set_a_message_stays(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "hi").message
    town.rules = Rules(edit_seconds=60)
    town.now = message.at + 60 * SECOND - 1
    assert town.do(edit(people.ann, LOBBY_ID, message.id, client_id="e")).revision == 1
    town.now = message.at + 60 * SECOND
    assert town.refuses(edit(people.ann, LOBBY_ID, message.id, "hm")).code is Code.FORBIDDEN
    assert town.do(edit(people.ann, LOBBY_ID, message.id, client_id="e")).duplicate


# Retries.


def test_a_retry_gets_the_first_answer_and_changes_nothing(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "hi").message
    first = town.do(edit(people.ann, LOBBY_ID, message.id, "ho", "e-1"))
    town.do(edit(people.ann, LOBBY_ID, message.id, "hm", "e-2"))
    again = town.do(edit(people.ann, LOBBY_ID, message.id, "ho", "e-1"))
    assert (again, town.news) == (msgspec.structs.replace(first, duplicate=True), [])
    assert town.rows(MESSAGES)[message.id].text == "hm"


@pytest.mark.parametrize("change", ["text", "message", "room", "kind"])
def test_a_client_id_is_for_one_command(town: Town, people: People, change: str) -> None:
    room = town.room(people.ann)
    one, other = town.say(people.ann, room, "hi").message, town.say(people.ann, room, "you").message
    town.do(edit(people.ann, room, one.id, "ho", "e-1"))
    asked = {
        "text": edit(people.ann, room, one.id, "hm", "e-1"),
        "message": edit(people.ann, room, other.id, "ho", "e-1"),
        "room": edit(people.ann, LOBBY_ID, one.id, "ho", "e-1"),
        "kind": c.by(people.ann, c.DeleteMessage(room, one.id, client_id="e-1")),
    }[change]
    assert town.refuses(asked).code is Code.IDEMPOTENCY_MISMATCH


def test_messages_and_other_commands_share_their_ids(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "hi", "m-1").message
    assert town.refuses(edit(people.ann, LOBBY_ID, message.id, "ho", "m-1")).code is Code.IDEMPOTENCY_MISMATCH
    town.do(edit(people.ann, LOBBY_ID, message.id, "ho", "e-1"))
    refusal = town.refuses(c.by(people.ann, c.SendMessage(LOBBY_ID, "ho", "e-1")))
    assert refusal.code is Code.IDEMPOTENCY_MISMATCH


def test_client_ids_are_each_accounts_own(town: Town, people: People) -> None:
    one, other = town.say(people.ann, LOBBY_ID, "hi").message, town.say(people.bob, LOBBY_ID, "hi").message
    town.do(edit(people.ann, LOBBY_ID, one.id, "ho", "e-1"))
    assert not town.do(edit(people.bob, LOBBY_ID, other.id, "hm", "e-1")).duplicate


def test_a_refused_command_uses_no_client_id(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "hi").message
    town.refuses(edit(people.bob, LOBBY_ID, message.id, "ho", "e-1"))
    assert town.rows(FIRST_USES) == {}


@pytest.mark.parametrize("times", [1, 2])
def test_a_message_that_was_edited_is_not_sent_again(town: Town, people: People, times: int) -> None:
    town.say(people.ann, LOBBY_ID, "hi", "m-1")
    message = town.say(people.ann, LOBBY_ID, "hi", "m-2").message
    for number in range(times):
        town.do(edit(people.ann, LOBBY_ID, message.id, f"edit {number}"))
    again = town.do(c.by(people.ann, c.SendMessage(LOBBY_ID, "hi", "m-2")))
    assert (again.duplicate, again.message.id, again.message.text) == (True, message.id, f"edit {times - 1}")
    for text in ("ho", f"edit {times - 1}"):
        refusal = town.refuses(c.by(people.ann, c.SendMessage(LOBBY_ID, text, "m-2")))
        assert refusal.code is Code.IDEMPOTENCY_MISMATCH
    assert town.say(people.ann, LOBBY_ID, "hi", "m-1").duplicate


def test_a_hash_of_an_older_key_is_still_known(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "hi", "m-1").message
    town.rules = Rules((b"old",))
    town.do(edit(people.ann, LOBBY_ID, message.id, "ho", "e-1"))
    town.rules = Rules((b"new", b"old"))
    assert town.do(edit(people.ann, LOBBY_ID, message.id, "ho", "e-1")).duplicate
    assert town.say(people.ann, LOBBY_ID, "hi", "m-1").duplicate
    town.rules = Rules((b"new",))
    assert town.refuses(edit(people.ann, LOBBY_ID, message.id, "ho", "e-1")).code is Code.IDEMPOTENCY_MISMATCH


def test_what_is_kept_of_a_request_shows_no_text(town: Town, people: People) -> None:
    message = town.say(people.ann, LOBBY_ID, "secret", "m-1").message
    town.do(edit(people.ann, LOBBY_ID, message.id, "hidden", "e-1"))
    kept = msgspec.json.encode([msgspec.to_builtins(use) for use in town.rows(FIRST_USES).values()])
    assert len(town.rows(FIRST_USES)) == 2
    assert b"secret" not in kept
    assert b"hidden" not in kept
