"""The promises of docs/native.md."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import secrets
import subprocess
from pathlib import Path

import pytest

from veche.core.errors import ChatError, Code
from veche.service.shares import MAX_WAITING

from .town import LOBBY, PASSWORD, Frame, Person, Server, head_of_new, seq_in_room

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "native.md").read_text(encoding="utf-8")


def test_the_first_message_of_the_page(server: Server) -> None:
    [text] = re.findall(r"## A first message\n.*?```sh\n(.*?)```", PAGE, re.DOTALL)
    script = text.replace("http://127.0.0.1:8000", server.base).replace('"ann"', f'"first{secrets.token_hex(4)}"')
    *before, send, read = script.splitlines(keepends=True)
    words = ["sh", "-euc", f"{''.join(before)}{send}echo\n{send}echo\n{read}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    first, again, page = map(json.loads, done.stdout.splitlines())
    assert first == again
    assert first["text"] == "Who is hungry?"
    assert [item for item in page["items"] if item["kind"] == "text"] == [first]


async def test_a_message_is_acknowledged_before_its_own_event(ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with ann.socket() as socket:
        ids = {
            await socket.say("send", room_id=room, text=f"m{n}", client_message_id=f"{room}-{n}"): n for n in range(100)
        }
        await socket.wait_for_seq(room, head_of_new(1) + 100)
        acknowledged: set[int] = set()
        for frame in socket.frames:
            if frame.get("id") in ids:
                assert frame["send"]["client_message_id"] == f"{room}-{ids[frame['id']]}"
                acknowledged.add(frame["send"]["seq"])
            elif "message" in frame:
                assert frame["message"]["seq"] in acknowledged
        assert len(acknowledged) == 100


async def test_a_client_that_sends_too_fast_waits_and_gets_all_answers(ann: Person) -> None:
    room = ann.make_room()
    async with ann.socket() as socket:
        ids = [await socket.say("send", room_id=room, text=f"m{n}") for n in range(3 * MAX_WAITING)]
        await socket.until(lambda frame: frame.get("id") == ids[-1])
        await socket.wait_for_seq(room, len(ids) + 1)
        assert [frame["id"] for frame in socket.frames if "send" in frame] == ids, (
            "each must be stored, and none refused"
        )


@pytest.mark.parametrize("seed", range(3))
async def test_every_command_is_answered_whatever_comes_before_it(ann: Person, seed: int) -> None:
    """Also one that came while a sync held the client back, or while rooms were left and joined."""
    rooms = [LOBBY, *(ann.make_room(kind="channel") for _ in range(3))]
    draw = random.Random(seed)

    def command() -> tuple[str, Frame]:
        room = draw.choice(rooms)
        return draw.choice(
            [
                ("send", {"room_id": room, "text": "x" * draw.choice([0, 1, 5_000])}),
                ("read", {"room_id": room, "seq": 1}),
                ("leave", {"room_id": room}),
                ("join", {"room_id": room}),
                ("who", {"room_id": room}),
                ("sync", {"rooms": {str(room): 0}, "me": 0}),
                ("sync", {"rooms": {str(one): 0 for one in rooms}}),
            ]
        )

    async with ann.socket() as socket:
        ids = {await socket.say(name, **fields) for name, fields in (command() for _ in range(500))}
        await socket.ask("send", room_id=LOBBY, text="the last")
        await socket.until(lambda _: ids <= {frame.get("id") for frame in socket.frames})


async def test_all_members_see_one_order_with_five_senders_at_once(server: Server) -> None:
    people = [server.person() for _ in range(5)]
    room, head = people[0].make_room(*people[1:]), head_of_new(4)
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(person.socket()) for person in people]

        async def send(index: int) -> None:
            for n in range(30):
                await sockets[index].say("send", room_id=room, text=f"{index}.{n}")
                if n % 7 == index:
                    await asyncio.sleep(0)

        await asyncio.gather(*[send(index) for index in range(5)])
        for socket in sockets:
            await socket.wait_for_seq(room, head + 150)
        logs = [[frame["message"] for frame in socket.events(room)] for socket in sockets]
    assert all(log == logs[0] for log in logs)
    assert [message["seq"] for message in logs[0]] == list(range(head + 1, head + 151))
    assert people[0].history(room) == logs[0]
    for index in range(5):
        texts = [message["text"] for message in logs[0] if message["sender"]["id"] == people[index].id]
        assert texts == [f"{index}.{n}" for n in range(30)], "each sender's messages must be in the order sent"


async def test_an_earlier_state_plus_its_events_is_the_present_state(ann: Person, bob: Person, server: Server) -> None:
    eve, dan = server.person(), server.person()
    room = ann.make_room(bob, eve, kind="channel")
    ann.say(room, "before")

    def members() -> dict[int, str]:
        return {one["id"]: one["role"] for one in ann.call("GET", f"/rooms/{room}/members")["items"]}

    people, messages = members(), ann.history(room)
    async with bob.socket() as socket:
        eve.say(room, "one")
        dan.call("POST", f"/rooms/{room}/join", expect=200)
        eve.call("POST", f"/rooms/{room}/leave", expect=204)
        dan.say(room, "two")
        ann.call("DELETE", f"/rooms/{room}/members/{dan.id}", expect=204)
        eve.call("POST", f"/rooms/{room}/join", expect=200)
        last = ann.say(room, "three")
        await socket.wait_for_seq(room, last["seq"])
        for frame in socket.events(room):
            apply(frame, people, messages)
    assert people == members()
    assert messages == ann.history(room)


def apply(frame: Frame, people: dict[int, str], messages: list[Frame]) -> None:
    match frame:
        case {"message": message}:
            messages.append(message)
        case {"joined": joined}:
            people[joined["account"]["id"]] = joined["role"]
        case {"left": left}:
            del people[left["account"]["id"]]


async def test_rooms_and_read_pointers_follow_from_the_own_log(ann: Person, bob: Person) -> None:
    kept = ann.make_room(bob)
    async with bob.socket() as socket:
        rooms = {room["id"]: room["read_seq"] for room in socket.welcome["rooms"]}
        new = ann.make_room(bob)
        gone = ann.make_room(bob)
        message = ann.say(kept, "hi")
        bob.call("POST", f"/rooms/{kept}/read", json={"seq": message["seq"]}, expect=204)
        ann.call("DELETE", f"/rooms/{gone}/members/{bob.id}", expect=204)
        await socket.until(lambda frame: "left" in frame.get("me", {}))
        seqs = []
        for frame in socket.frames:
            if (me := frame.get("me")) is not None:
                seqs.append(me["seq"])
                if "joined" in me:
                    rooms[me["joined"]["room"]["id"]] = 0
                elif "left" in me:
                    del rooms[me["left"]["room_id"]]
                elif "read" in me:
                    rooms[me["read"]["room_id"]] = me["read"]["seq"]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    fresh = {room["id"]: room["read_seq"] for room in bob.call("GET", "/rooms")["items"]}
    assert set(rooms) == set(fresh) == {kept, new}
    assert rooms[kept] == fresh[kept] == message["seq"]


async def test_a_removed_member_receives_nothing_more(ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with bob.socket() as out, ann.socket() as inside:
        ids = [await inside.say("send", room_id=room, text="x") for _ in range(50)]
        ann.call("DELETE", f"/rooms/{room}/members/{bob.id}", expect=204)
        await inside.until(lambda frame: frame.get("id") == ids[-1])
        left_seq = (await inside.until(lambda frame: "left" in frame))["left"]["seq"]
        last = ann.say(room, "after")
        await inside.wait_for_seq(room, last["seq"])
        await out.until(lambda frame: "left" in frame.get("me", {}))
        await out.ask("sync", rooms={str(room): 0})
        assert await out.until(lambda frame: "gone" in frame) == {"gone": {"room_id": room, "room_ids": [room]}}
        assert (await out.ask("send", room_id=room, text="still here?"))["error"]["code"] == "not_found"
        assert out.seqs(room) == list(range(head_of_new(1) + 1, left_seq + 1))
    assert bob.call("GET", f"/rooms/{room}/messages")["code"] == "not_found"
    async with bob.socket(rooms={str(room): 0}) as again:
        assert {"gone": {"room_id": room, "room_ids": [room]}} in again.frames
        assert again.events(room) == []


async def test_a_sync_during_a_removal_does_not_resubscribe(ann: Person, bob: Person) -> None:
    """The sync is sent before the removal and answered after it."""
    room = ann.make_room(bob)
    async with bob.socket() as out, ann.socket() as inside:
        asked = [await out.say("sync", rooms={str(room): 0}) for _ in range(300)]
        await asyncio.to_thread(ann.call, "DELETE", f"/rooms/{room}/members/{bob.id}", expect=204)
        await out.until(lambda frame: frame.get("id") == asked[-1])
        left_seq = (await inside.until(lambda frame: "left" in frame))["left"]["seq"]
        last = ann.say(room, "secret")
        await inside.wait_for_seq(room, last["seq"])
        await out.ask("sync", me=0)
        assert [seq for seq in out.seqs(room) if seq > left_seq] == []


async def test_the_same_client_id_is_stored_once_by_socket_and_rest(ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with ann.socket() as socket, bob.socket() as other:
        first = await socket.ask("send", room_id=room, text="hi", client_message_id="same")
        again = await socket.ask("send", room_id=room, text="hi", client_message_id="same")
        assert again == first | {"duplicate": True}
        by_rest = ann.say(room, "hi", "same")
        assert (by_rest["seq"], by_rest["id"]) == (first["seq"], first["message_id"])
        refused = await socket.ask("send", room_id=room, text="ho", client_message_id="same")
        assert refused["error"]["code"] == "idempotency_mismatch"
        key = {"Authorization": f"Bearer {ann.token}", "Idempotency-Key": "same"}
        answers = [
            ann.server.http.post(f"/v1/rooms/{room}/messages", json={"text": text}, headers=key)
            for text in ("hi", "ho")
        ]
        assert [answer.status_code for answer in answers] == [200, 422]
        last = await socket.ask("send", room_id=room, text="end")
        await other.wait_for_seq(room, last["seq"])
        assert [frame["message"]["text"] for frame in other.events(room)] == ["hi", "end"]


async def test_a_message_sent_many_times_at_once_is_stored_once(ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with ann.socket() as one, ann.socket() as two:
        ids = [
            (socket, await socket.say("send", room_id=room, text="hi", client_message_id="c"))
            for socket in (one, two) * 20
        ]
        answers = [
            (await socket.until(lambda frame, wanted=id: frame.get("id") == wanted))["send"] for socket, id in ids
        ]  # type: ignore[misc]
    assert {answer["seq"] for answer in answers} == {head_of_new(1) + 1}
    assert sorted(answer["duplicate"] for answer in answers) == [False] + [True] * 39
    assert len(ann.history(room)) == 1


async def test_rest_and_sockets_write_one_log(ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    async with ann.socket() as socket, bob.socket() as other:
        for n in range(10):
            stored = await asyncio.to_thread(bob.say, room, f"rest {n}")
            answer = await socket.ask("send", room_id=room, text=f"socket {n}")
            assert answer["seq"] == stored["seq"] + 1
        for each in (socket, other):
            await each.wait_for_seq(room, answer["seq"])
            assert [frame["message"] for frame in each.events(room)] == ann.history(room)


async def test_a_client_that_resumes_gets_missed_events_once_and_in_order(ann: Person, bob: Person) -> None:
    room, head = ann.make_room(bob), head_of_new(1)
    async with bob.socket() as socket:
        epoch, me = socket.welcome["epoch"], socket.welcome["me"]["seq"]
    for n in range(30):
        ann.say(room, f"missed {n}")
    async with bob.socket(epoch=epoch, rooms={str(room): head + 10}, me=me) as back, ann.socket() as inside:
        ids = [await inside.say("send", room_id=room, text="live") for _ in range(20)]
        await inside.until(lambda frame: frame.get("id") == ids[-1])
        await back.wait_for_seq(room, head + 50)
        assert back.seqs(room) == list(range(head + 11, head + 51))


@pytest.mark.parametrize(
    ("position", "epoch", "reason"), [(99, None, "ahead"), (2, "another", "epoch"), (None, None, None)]
)
async def test_a_position_that_cannot_be_continued_is_reset(
    ann: Person, bob: Person, position: int | None, epoch: str | None, reason: str | None
) -> None:
    room, head = ann.make_room(bob), head_of_new(1) + 1
    ann.say(room, "hi")
    rooms = {} if position is None else {str(room): position}
    async with bob.socket(rooms=rooms, epoch=epoch) as socket:
        resets = [frame["reset"] for frame in socket.frames if "reset" in frame and "room_id" in frame["reset"]]
        assert resets == ([{"room_id": room, "seq": head, "reason": reason}] if reason else [])
        ann.say(room, "next")
        await socket.wait_for_seq(room, head + 1)
        assert socket.seqs(room) == [head + 1]


async def test_more_than_is_replayed_is_a_reset(ann: Person) -> None:
    room = ann.make_room()
    async with ann.socket() as socket:
        ids = [await socket.say("send", room_id=room, text="x") for _ in range(502)]
        await socket.until(lambda frame: frame.get("id") == ids[-1])
    async with ann.socket(rooms={str(room): 2}) as enough, ann.socket(rooms={str(room): 3}) as exactly:
        assert {"reset": {"room_id": room, "seq": 503, "reason": "too_far"}} in enough.frames
        assert exactly.seqs(room) == list(range(4, 504))


async def test_only_sockets_that_join_the_lobby_receive_it(ann: Person, bob: Person) -> None:
    async with ann.socket() as joined, bob.socket() as not_joined:
        head = (await joined.ask("join", room_id=LOBBY))["head_seq"]
        message = await asyncio.to_thread(bob.say, LOBBY, "hello everybody")
        assert message["seq"] > head
        await joined.wait_for_seq(LOBBY, message["seq"])
        assert (await not_joined.ask("sync", me=0))["rooms"] == {}
        assert not_joined.events(LOBBY) == []
        await joined.ask("leave", room_id=LOBBY)
        bob.say(LOBBY, "anybody?")
        await joined.ask("sync", me=0)
        assert joined.seqs(LOBBY)[-1] == message["seq"]


async def test_a_password_change_closes_the_other_sockets(ann: Person) -> None:
    async with ann.socket() as socket:
        other = ann.server.http.post("/v1/login", json={"username": ann.name, "password": PASSWORD}).json()["token"]
        body = {"old_password": PASSWORD, "new_password": "another horse"}
        headers = {"Authorization": f"Bearer {other}"}
        assert ann.server.http.put("/v1/me/password", json=body, headers=headers).status_code == 204
        assert (await socket.until(lambda frame: "bye" in frame))["bye"]["reason"] == "session_ended"
        assert await socket.ended() == 4004


@pytest.mark.one_node("it counts the connections to the SQLite file")
async def test_an_idle_socket_holds_no_database_connection(server: Server, ann: Person) -> None:
    def connections() -> int:
        return sum(path == str(server.database) for path in server.open_files())

    async with contextlib.AsyncExitStack() as stack:
        for _ in range(40):
            await stack.enter_async_context(ann.socket())
        assert connections() <= 6, "one writer, four readers and the lock, for any number of sockets"


NEGATIVE = {
    "bad_request": '{"id":1}',
    "unknown": '{"id":1,"shout":{}}',
    "nonsense": "{",
    "number": "7",
    "two": '{"id":1,"who":{"room_id":1},"join":{"room_id":1}}',
}


@pytest.mark.parametrize("text", NEGATIVE.values(), ids=list(NEGATIVE))
async def test_an_unreadable_frame_is_answered_and_the_socket_stays_open(ann: Person, text: str) -> None:
    async with ann.socket() as socket:
        await socket.connection.send(text)
        assert (await socket.until(lambda frame: "error" in frame))["error"]["code"] == "bad_request"
        assert await socket.ask("sync", me=0)


@pytest.mark.parametrize(
    "query",
    [f"{name}={2**63 - 1}" for name in ("before_seq", "after_seq", "around_seq")]
    + ["limit=200", "before_seq=0", "around_seq=0"],
)
def test_the_limits_of_all_numbers_are_accepted(ann: Person, query: str) -> None:
    room = ann.make_room()
    ann.say(room, "hi")
    assert ann.call("GET", f"/rooms/{room}/messages?{query}", expect=200)


@pytest.mark.parametrize("field", ["username", "name", "email", "password"])
@pytest.mark.parametrize("bad", ["a\0b@x.org", "a\ud800b@x.org", "a\u202eb@x.org"])
def test_text_that_cannot_be_stored_is_refused(server: Server, field: str, bad: str) -> None:
    body = {"username": "someone", "name": "S", "email": "s@x.org", "password": "correct horse"} | {field: bad}
    answer = server.http.post(
        "/v1/register", content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    if field == "password":
        assert answer.status_code in (201, 409, 422)
    else:
        assert answer.status_code == 422, answer.text


def test_status_500_is_the_code_internal(ann: Person) -> None:
    """A client must be able to tell a bug in the server from its own mistake."""
    from veche.dialects.native.errors import problem

    status, body, _ = problem(ChatError(Code.INTERNAL, "Something went wrong here."))
    assert (status, json.loads(body)["code"]) == (500, "internal")


def test_seq_in_room(ann: Person) -> None:
    assert seq_in_room({"message": {"room_id": 1, "seq": 2}}, 1) == (2,)
    assert seq_in_room({"message": {"room_id": 1, "seq": 2}}, 2) == ()
