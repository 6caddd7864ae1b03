"""Replies and threads: what a message may answer, who follows, and that a thread is a view of its room."""

from __future__ import annotations

import pytest

from veche.core.errors import Code
from veche.core.messages import MESSAGES, MessageRefers, References
from veche.core.threads import FOLLOWERS, Following, ThreadFollowed
from veche.core.values import LOBBY_ID, Kind

from . import commands as c
from .conftest import People
from .world import Town


def reply(
    by: int,
    room: int,
    *,
    to: int | None = None,
    thread: int | None = None,
    text: str = "re",
    client_id: str | None = None,
) -> c.Request:
    return c.by(by, c.SendReply(room, text, client_id, reply_to_id=to, thread_id=thread))


def follow(by: int, room: int, thread: int, *, follows: bool = True, client_id: str | None = None) -> c.Request:
    return c.by(by, c.FollowThread(room, thread, follows, client_id=client_id))


def test_a_reply_is_a_message_of_the_room_that_names_another(town: Town, people: People) -> None:
    first = town.say(people.ann, LOBBY_ID, "hi").message
    answer = town.do(reply(people.bob, LOBBY_ID, to=first.id)).message
    assert (answer.seq, answer.number, answer.references) == (
        first.seq + 1,
        first.number + 1,
        References(first.id, first.seq),
    )
    assert town.news == [answer, MessageRefers(LOBBY_ID, answer.seq, answer.id, References(first.id, first.seq))]
    assert town.rows(MESSAGES)[first.id] == first


def test_the_messages_of_a_thread_are_numbered(town: Town, people: People) -> None:
    root = town.say(people.ann, LOBBY_ID, "hi").message
    one = town.do(reply(people.bob, LOBBY_ID, thread=root.id)).message
    town.say(people.eve, LOBBY_ID, "between")
    two = town.do(reply(people.ann, LOBBY_ID, thread=root.id, to=one.id)).message
    assert one.references == References(None, None, root.id, 1)
    assert two.references == References(one.id, one.seq, root.id, 2)
    now = town.rows(MESSAGES)[root.id]
    assert (now.replies, now.last_reply_seq, now.revision) == (2, two.seq, 0)


def test_who_writes_in_a_thread_follows_it_and_so_does_its_first_author(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob, people.eve)
    root = town.say(people.ann, room).message
    town.do(reply(people.bob, room, thread=root.id))
    followed = [(-event.log_id, event.thread_id) for event in town.news if isinstance(event, ThreadFollowed)]
    assert followed == [(people.bob, root.id), (people.ann, root.id)]
    town.do(reply(people.bob, room, thread=root.id))
    assert not [event for event in town.news if isinstance(event, ThreadFollowed)]
    assert town.rows(FOLLOWERS) == {(root.id, people.ann): True, (root.id, people.bob): True}


def test_an_author_who_answers_first_follows_once(town: Town, people: People) -> None:
    root = town.say(people.ann, LOBBY_ID).message
    town.do(reply(people.ann, LOBBY_ID, thread=root.id))
    assert [type(event).__name__ for event in town.news] == ["Message", "MessageRefers", "ThreadFollowed"]


def test_an_author_who_has_left_does_not_follow(town: Town, people: People) -> None:
    room = town.room(people.ann, Kind.GROUP, people.bob)
    root = town.say(people.bob, room).message
    town.do(c.by(people.bob, c.LeaveRoom(room)))
    town.do(reply(people.ann, room, thread=root.id))
    assert town.rows(FOLLOWERS) == {(root.id, people.ann): True}


def test_who_does_not_want_to_follow_is_not_made_to(town: Town, people: People) -> None:
    root = town.say(people.ann, LOBBY_ID).message
    town.do(reply(people.bob, LOBBY_ID, thread=root.id))
    assert town.do(follow(people.bob, LOBBY_ID, root.id, follows=False)) == Following(LOBBY_ID, root.id, False)
    town.do(reply(people.bob, LOBBY_ID, thread=root.id))
    assert town.rows(FOLLOWERS)[root.id, people.bob] is False


def test_following_again_changes_nothing(town: Town, people: People) -> None:
    root = town.say(people.ann, LOBBY_ID).message
    town.do(follow(people.eve, LOBBY_ID, root.id, follows=False))
    assert town.news == []
    town.do(follow(people.eve, LOBBY_ID, root.id))
    assert town.kinds() == ["ThreadFollowed"]
    town.do(follow(people.eve, LOBBY_ID, root.id))
    assert town.news == []


def test_to_follow_and_to_follow_no_longer_are_two_requests(town: Town, people: People) -> None:
    root = town.say(people.ann, LOBBY_ID).message
    town.do(follow(people.eve, LOBBY_ID, root.id, client_id="f"))
    assert town.do(follow(people.eve, LOBBY_ID, root.id, client_id="f")).duplicate
    refusal = town.refuses(follow(people.eve, LOBBY_ID, root.id, follows=False, client_id="f"))
    assert refusal.code is Code.IDEMPOTENCY_MISMATCH


@pytest.mark.parametrize("field", ["to", "thread"])
@pytest.mark.parametrize("where", ["nowhere", "another room", "deleted"])
def test_only_a_message_of_the_room_can_be_answered(town: Town, people: People, field: str, where: str) -> None:
    room, other = town.room(people.ann), town.room(people.ann)
    message = town.say(people.ann, other if where == "another room" else room).message
    if where == "deleted":
        town.do(c.by(people.ann, c.DeleteMessage(room, message.id)))
    id = 99 if where == "nowhere" else message.id
    refusal = town.refuses(reply(people.ann, room, **{field: id}))
    assert (refusal.code, refusal.data["what"]) == (Code.NOT_FOUND, "message")
    if field == "thread":
        assert town.refuses(follow(people.ann, room, id)).code is Code.NOT_FOUND


def test_strangers_cannot_answer_or_follow(town: Town, people: People) -> None:
    room = town.room(people.ann)
    message = town.say(people.ann, room).message
    for asked in (
        reply(people.eve, room, to=message.id),
        reply(people.eve, room, thread=message.id),
        follow(people.eve, room, message.id),
    ):
        assert town.refuses(asked).data["what"] == "room"


def test_a_thread_outlives_its_first_message(town: Town, people: People) -> None:
    root = town.say(people.ann, LOBBY_ID).message
    town.do(reply(people.bob, LOBBY_ID, thread=root.id))
    town.do(c.by(people.ann, c.DeleteMessage(LOBBY_ID, root.id)))
    assert town.do(reply(people.bob, LOBBY_ID, thread=root.id)).message.references.thread_seq == 2
    assert town.rows(MESSAGES)[root.id].replies == 2


def test_there_is_no_thread_in_a_thread_and_none_after_a_notice(town: Town, people: People) -> None:
    root = town.say(people.ann, LOBBY_ID).message
    inside = town.do(reply(people.bob, LOBBY_ID, thread=root.id)).message
    notice = town.do(c.by(people.ann, c.PostNotice(LOBBY_ID, "notice"))).message
    for id in (inside.id, notice.id):
        for asked in (reply(people.bob, LOBBY_ID, thread=id), follow(people.bob, LOBBY_ID, id)):
            refusal = town.refuses(asked)
            assert (refusal.code, refusal.data["field"]) == (Code.INVALID, "thread_id")


def test_a_repeat_of_a_reply_gets_the_first_answer(town: Town, people: People) -> None:
    root = town.say(people.ann, LOBBY_ID).message
    first = town.do(reply(people.bob, LOBBY_ID, thread=root.id, to=root.id, client_id="r"))
    again = town.do(reply(people.bob, LOBBY_ID, thread=root.id, to=root.id, client_id="r"))
    assert (again.duplicate, again.message, town.news) == (True, first.message, [])
    for other in (
        reply(people.bob, LOBBY_ID, thread=root.id, client_id="r"),
        reply(people.bob, LOBBY_ID, to=root.id, client_id="r"),
        c.by(people.bob, c.SendMessage(LOBBY_ID, "re", "r")),
    ):
        assert town.refuses(other).code is Code.IDEMPOTENCY_MISMATCH
    town.do(c.by(people.bob, c.EditMessage(LOBBY_ID, first.message.id, "edited")))
    assert town.do(reply(people.bob, LOBBY_ID, thread=root.id, to=root.id, client_id="r")).duplicate
    refusal = town.refuses(c.by(people.bob, c.SendMessage(LOBBY_ID, "re", "r")))
    assert refusal.code is Code.IDEMPOTENCY_MISMATCH


def test_an_edit_of_the_first_message_keeps_its_thread(town: Town, people: People) -> None:
    root = town.say(people.ann, LOBBY_ID).message
    last = town.do(reply(people.bob, LOBBY_ID, thread=root.id)).message
    town.do(c.by(people.ann, c.EditMessage(LOBBY_ID, root.id, "edited")))
    now = town.rows(MESSAGES)[root.id]
    assert (now.text, now.replies, now.last_reply_seq) == ("edited", 1, last.seq)
