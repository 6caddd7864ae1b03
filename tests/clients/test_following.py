"""A client follows its logs: each entry once and in order, over gaps, repeats, resets and entries of unknown kinds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .driven import Driven, Refused, check_order, driven
from .people import Person
from .relay import Frame, Relay, relaying

LOBBY = 2147483647
pytestmark = pytest.mark.slow


async def say(person: Person, room: int, *texts: str) -> int:
    return await asyncio.to_thread(person.say, room, *texts)


async def test_what_is_said_comes_once_and_in_order(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    before = ann.say(room, "before")
    async with driven(language, bob.base, bob.token) as client:
        await client.caught_up()
        [[listed]] = client.all("rooms")
        assert (listed["id"], listed["head_seq"]) == (room, before)
        await say(ann, room, "one", "two")
        ann.call("PATCH", f"rooms/{room}", {"name": "Crew"})
        new = ann.make_room(bob)
        await say(ann, new, "first")
        await client.until(lambda: client.texts(new))
        assert client.texts(room) == ["one", "two"]
        check_order(client, room, before)
        kinds = [event["kind"] for event in client.all("event") if event["room_id"] == room]
        assert kinds == ["message", "message", "renamed"]
        [invited, own] = client.all("me")
        assert invited["invited"]["room"]["id"] == new
        assert own["joined"]["room"]["id"] == new
        assert not own["replayed"]
        saved = await client.do("saved")
        assert saved["rooms"] == {str(room): before + 3, str(new): client.seqs(new)[-1]}
        assert saved["me"] == own["seq"]


async def test_a_client_goes_on_where_an_earlier_one_stopped(language: str, ann: Person, bob: Person) -> None:
    room, long, lost = ann.make_room(bob), ann.make_room(bob), ann.make_room(bob)
    async with driven(language, bob.base, bob.token) as client:
        await client.caught_up()
        saved = await client.do("saved")
    ann.say(room, *[f"m{n}" for n in range(20)])
    for _ in range(2):
        ann.call("DELETE", f"rooms/{room}/members/{bob.id}")
        ann.bring(room, bob)
    ann.say(long, *["x"] * 501)
    ann.call("DELETE", f"rooms/{lost}/members/{bob.id}")
    new = ann.make_room(bob)
    async with driven(language, bob.base, bob.token, saved) as client:
        await client.caught_up()
        assert client.texts(room) == [f"m{n}" for n in range(20)]
        check_order(client, room, saved["rooms"][str(room)])
        assert client.all("gone") == [[lost]]
        [reset] = client.all("reset")
        assert (reset["room_id"], reset["reason"]) == (long, "too_far")
        assert all(own["replayed"] for own in client.all("me"))
        later = await client.do("saved")
        assert set(later["rooms"]) == {str(room), str(long), str(new)}
        last = await say(ann, long, "after the reset")
        await client.until(lambda: client.texts(long))
        assert client.seqs(long) == [last] == [reset["seq"] + 1]


async def test_a_gap_is_filled_and_what_came_after_it_is_held(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with relaying(ann.base) as relay, driven(language, relay.url, bob.token) as client:
        await client.caught_up()
        lose = {"two", "five"}

        def down(frame: Frame) -> list[Frame]:
            text = frame.get("message", {}).get("text")
            if text in lose:
                lose.remove(text)
                return []
            return [frame, frame] if text == "three" else [frame]

        relay.down = down
        texts = ["one", "two", "three", "four", "five", "six"]
        await say(ann, room, *texts)
        await client.until(lambda: len(client.texts(room)) == len(texts))
        assert client.texts(room) == texts
        check_order(client, room, client.seqs(room)[0] - 1)
        assert [next(iter(frame)) for frame in relay.sent if "sync" in frame]
        assert len(relay.hellos) == 1
        await client.caught_up(2)


async def test_a_gap_in_the_own_log_is_filled(language: str, ann: Person, bob: Person) -> None:
    ann.make_room(bob)
    async with relaying(ann.base) as relay, driven(language, relay.url, bob.token) as client:
        await client.caught_up()
        lost: list[Frame] = []

        def down(frame: Frame) -> list[Frame]:
            if "joined" in frame.get("me", {}) and not lost:
                lost.append(frame)
                return []
            return [frame]

        relay.down = down
        first = await asyncio.to_thread(ann.make_room, bob)
        second = await asyncio.to_thread(ann.make_room, bob)
        await client.until(lambda: client.count("me") == 4)
        await client.caught_up(2)
        assert lost
        check_order(client, None, client.seqs(None)[0] - 1)
        assert {str(first), str(second)} <= set((await client.do("saved"))["rooms"])
        await say(ann, first, "here")
        await client.until(lambda: client.texts(first))


@pytest.mark.parametrize("is_back", [True, False], ids=["back", "out"])
async def test_a_gap_in_the_own_log_hides_that_a_room_was_left(
    language: str, ann: Person, bob: Person, is_back: bool
) -> None:
    room = ann.make_room(bob)
    async with relaying(ann.base) as relay, driven(language, relay.url, bob.token) as client:
        await client.caught_up()
        lost: list[Frame] = []

        def down(frame: Frame) -> list[Frame]:
            if "me" not in frame or len(lost) == 1 + 2 * is_back:
                return [frame]
            lost.append(frame)
            return []

        relay.down = down
        ann.call("DELETE", f"rooms/{room}/members/{bob.id}")
        if is_back:
            ann.bring(room, bob)
        ann.make_room(bob)
        await client.until(lambda: client.count("me") == len(lost) + 2 > 2)
        await client.caught_up(2)
        check_order(client, None, client.seqs(None)[0] - 1)
        assert client.all("gone") == ([] if is_back else [[room]])
        assert (str(room) in (await client.do("saved"))["rooms"]) is is_back


async def test_a_gap_that_sync_does_not_fill_costs_the_connection(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with relaying(ann.base) as relay, driven(language, relay.url, bob.token) as client:
        await client.caught_up()
        relay.down = lambda frame: [] if frame.get("message", {}).get("text") == "two" else [frame]
        await say(ann, room, "one", "two", "three")
        await client.until(lambda: len(relay.hellos) > 1)
        assert client.texts(room) == ["one"]
        relay.down = lambda frame: [frame]
        await client.until(lambda: len(client.texts(room)) == 3)
        check_order(client, room, client.seqs(room)[0] - 1)


async def test_a_connection_that_is_lost_before_hello_is_answered(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with relaying(ann.base) as relay:
        closing: list[asyncio.Task[None]] = []

        def down(frame: Frame) -> list[Frame]:
            if len(relay.hellos) > 1:
                return [frame]
            if not closing:
                closing.append(asyncio.create_task(relay.close_all(1011)))
            return []  # nothing that follows on this connection comes either

        relay.down = down
        async with driven(language, relay.url, bob.token) as client:
            await client.caught_up()
            ann.say(room, "after")
            await client.until(lambda: client.texts(room) == ["after"])
            assert len(relay.hellos) == 2


async def test_entries_and_pushes_of_unknown_kinds_pass_through(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with relaying(ann.base) as relay, driven(language, relay.url, bob.token) as client:
        await client.caught_up()

        def down(frame: Frame) -> list[Frame]:
            message = frame.get("message")
            if message is None or message["text"] != "strange":
                return [frame]
            seen = {"room_id": room, "seq": message["seq"], "new": {"deep": [1]}}
            return [{"typing": {"room_id": room, "account_id": 1}}, {"waved": seen}]

        relay.down = down
        strange = await say(ann, room, "strange", "plain") - 1
        await client.until(lambda: client.texts(room) == ["plain"])
        events = [event for event in client.all("event") if event["kind"] == "waved"]
        assert [event["seq"] for event in events] == [strange]
        assert events[0]["body"]["new"] == {"deep": [1]}
        assert client.all("push") == [{"kind": "typing", "body": {"room_id": room, "account_id": 1}}]
        saved = await client.do("saved")
        assert saved["rooms"][str(room)] == strange + 1
        await relay.push({"me": {"seq": saved["me"] + 1, "pinned": {"room_id": room}}})
        await client.until(lambda: client.count("me") == 1)
        assert (await client.do("saved"))["me"] == saved["me"] + 1


async def test_more_rooms_than_an_answer_holds(language: str, ann: Person, bob: Person) -> None:
    rooms = [ann.make_room(bob) for _ in range(230)]
    ann.say(rooms[0], "old room, new message")
    async with driven(language, bob.base, bob.token) as client:
        await client.caught_up()
        assert {room["id"] for page in client.all("rooms") for room in page} == set(rooms)
        saved = await client.do("saved")
        assert set(map(int, saved["rooms"])) == set(rooms)
    for room in rooms[::10]:
        ann.say(room, "while away")
    async with driven(language, bob.base, bob.token, saved) as client:
        await client.caught_up()
        for room in rooms:
            assert client.texts(room) == (["while away"] if room in rooms[::10] else [])
        assert not client.all("reset")
        assert not client.all("gone")


@pytest.mark.parametrize("epoch", ["same", "another"])
async def test_more_positions_than_a_hello_holds(language: str, ann: Person, bob: Person, epoch: str) -> None:
    room = ann.make_room(bob)
    async with relaying(ann.base) as relay:
        async with driven(language, relay.url, bob.token) as client:
            await client.caught_up()
            saved = await client.do("saved")
        others = {str(10**15 + n): 10**15 for n in range(2500)}
        saved["rooms"] = others | saved["rooms"]
        if epoch == "another":
            saved["epoch"] = "another"
        ann.say(room, "while away")
        async with driven(language, relay.url, bob.token, saved) as client:
            await client.caught_up()
            assert sorted(id for page in client.all("gone") for id in page if id != room) == sorted(map(int, others))
            assert client.texts(room) == (["while away"] if epoch == "same" else [])
            assert set((await client.do("saved"))["rooms"]) == {str(room)}
        assert len(relay.hellos[-1]["rooms"]) == 1000
        syncs = [len(frame["sync"]["rooms"]) for frame in relay.sent if "sync" in frame]
        assert syncs == ([1000, 501] if epoch == "same" else [])


async def test_the_lobby_is_heard_after_joining_it_and_not_after_leaving_it(
    language: str, ann: Person, bob: Person
) -> None:
    async with driven(language, bob.base, bob.token) as client:
        await client.caught_up()
        await client.do("join", LOBBY)
        seq = await say(ann, LOBBY, "hello, all")
        await client.until(lambda: seq in client.seqs(LOBBY))
        saved = await client.do("saved")
    missed = ann.say(LOBBY, "missed")
    async with driven(language, bob.base, bob.token, saved) as client:
        await client.caught_up()
        assert client.seqs(LOBBY)[-1] >= missed
        await client.do("leave", LOBBY)
        await client.until(lambda: client.all("gone") == [[LOBBY]])
        assert str(LOBBY) not in (await client.do("saved"))["rooms"]


async def test_rest_and_commands(language: str, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    seq = ann.say(room, "one", "two", "three")
    async with driven(language, bob.base, bob.token) as client:
        await client.caught_up()
        page = await client.do("rest", "history", room, {"before_seq": seq, "limit": 1})
        assert [message["text"] for message in page["items"]] == ["two"]
        assert page["has_more_before"]
        assert page["has_more_after"]
        members = await client.do("rest", "members", room)
        assert [member["id"] for member in members["items"]] == [ann.id, bob.id]
        listed = await client.do("rest", "rooms", {"limit": 10})
        assert [(each["id"], each["unread"]) for each in listed["items"]] == [(room, 3)]
        await client.do("read", room, seq)
        await client.until(lambda: client.all("me"))
        assert (await client.do("rest", "room", room))["unread"] == 0
        assert bob.id in [each["id"] for each in (await client.do("who", room))["online"]]
        assert (await client.do("command", "read", {"room_id": room, "seq": seq}))["seq"] == seq
        await refused("not_found", client, "rest", "room", 10**9)
        await refused("not_found", client, "join", 10**9)
        await refused("bad_request", client, "command", "dance", {})


async def refused(code: str, client: Driven, *words: Any) -> None:
    with pytest.raises(Refused) as found:
        await client.do(*words)
    assert str(found.value) == code


def test_the_relay_is_a_relay() -> None:
    """A test of a gap has to lose something: `unchanged` passes all on."""
    assert Relay("http://127.0.0.1:1").down({"message": {}}) == [{"message": {}}]
