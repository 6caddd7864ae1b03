"""Many frames and sockets: the frames of one socket keep their order, and all clients in a room see the same order."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from messenger.harness import TIMEOUT
from websockets.sync.client import ClientConnection

from .conftest import Member, NewPerson, receive_line, receive_until, send_frame


def say(text: object) -> str:
    return json.dumps({"type": "message", "content": f"{text}"})


def send_at_once(socket: ClientConnection, texts: list[str]) -> None:
    """Send texts in one write."""
    with socket.protocol_mutex:
        for text in texts:
            socket.protocol.send_text(text.encode())
        socket.socket.sendall(b"".join(socket.protocol.data_to_send()))


class TestOneSocket:
    def test_many_commands_at_once(self, ann: Member) -> None:
        one, two = ann.make_room(), ann.make_room()
        socket = ann.connect()
        send_frame(socket, "message", "too early")
        send_frame(socket, "join", one)
        send_frame(socket, "message", "a")
        send_frame(socket, "join", one)
        send_frame(socket, "message", "b")
        send_frame(socket, "join", two)
        send_frame(socket, "message", "c")
        send_frame(socket, "leave")
        send_frame(socket, "message", "too late")
        send_frame(socket, "join", one)
        send_frame(socket, "message", "d")
        send_frame(socket, "leave")
        send_frame(socket, "leave")
        name = ann.name
        expected = [
            ("error", "not connected to any room"),
            ("system", f"{name} joined the room"),
            (name, "a"),
            ("error", "already in room"),
            (name, "b"),
            ("system", "you leaved the room"),
            ("system", f"{name} joined the room"),
            (name, "c"),
            ("system", "you leaved the room"),
            ("error", "not connected to any room"),
            ("system", f"{name} joined the room"),
            (name, "d"),
            ("system", "you leaved the room"),
            ("error", "not connected to any room"),
        ]
        found = [receive_line(socket) for _ in expected]
        assert found == expected
        joined, left = f"{name} joined the room", f"{name} leaved the room"
        assert [text for _, text in ann.stored(one)] == [joined, "a", "b", left, joined, "d", left]
        assert [text for _, text in ann.stored(two)] == [joined, "c", left]

    @pytest.mark.parametrize(
        ("bad", "refusal"),
        [
            ('{"type":"shout","content":"x"}', "invalid operation"),
            ('{"type":7,"content":"x"}', "invalid data"),
            ('{"type":"message","content":7}', "invalid data"),
            ('{"type":"message","content":""}', "can not send empty message"),
            ('{"type":"message","content":"' + "x" * 2001 + '"}', "message should be less 2000 symbols long"),
            ('{"type":"join","content":"here"}', "room id must be number"),
            ("[", "invalid data"),
        ],
    )
    def test_answers_have_the_order_of_the_frames(self, ann: Member, bad: str, refusal: str) -> None:
        """All frames are in one write. Some answers need the database, and others do not."""
        joined, error = ("system", f"{ann.name} joined the room"), ("error", refusal)
        for _ in range(10):
            join = json.dumps({"type": "join", "content": ann.make_room()})
            texts = [bad, join, bad, *[text for n in range(3) for text in (say(n), bad)], '{"type":"leave"}', bad]
            socket = ann.connect()
            send_at_once(socket, texts)
            first = "not connected to any room" if '"message"' in bad and '"content":7' not in bad else refusal
            said = [line for n in range(3) for line in ((ann.name, f"{n}"), error)]
            expected = [("error", first), joined, error, *said, ("system", "you leaved the room"), ("error", first)]
            assert [receive_line(socket) for _ in expected] == expected

    def test_many_messages_behind_a_join(self, ann: Member) -> None:
        room_id = ann.make_room()
        socket = ann.connect()
        send_frame(socket, "join", room_id)
        for number in range(1500):
            send_frame(socket, "message", number)
        send_frame(socket, "leave")
        lines = receive_until(socket, "you leaved the room")
        assert [text for _, text in lines[1:-1]] == [str(number) for number in range(1500)]

    def test_messages_behind_a_refused_join_are_not_stored(self, ann: Member, bob: Member) -> None:
        open, shut = ann.make_room(bob), ann.make_room()
        socket = bob.connect(open)
        send_frame(socket, "join", shut)
        send_frame(socket, "message", "nowhere")
        assert [receive_line(socket) for _ in range(3)] == [
            ("system", "you leaved the room"),
            ("error", "user not a member of room"),
            ("error", "not connected to any room"),
        ]
        assert "nowhere" not in [text for _, text in ann.stored(open) + ann.stored(shut)]

    @pytest.mark.one_node("the line and the join would go to two nodes, and either may be the first")
    def test_a_join_receives_no_earlier_messages(self, ann: Member, bob: Member) -> None:
        room_id = ann.make_room(bob)
        socket = ann.connect(room_id)
        for number in range(50):
            send_frame(socket, "message", number)
            late = bob.connect(room_id)
            send_frame(late, "message", f"then {number}")
            assert receive_line(late) == (bob.name, f"then {number}")
            late.close()


class TestManySockets:
    def test_all_see_one_order(self, new_person: NewPerson) -> None:
        people = [new_person(name) for name in ("ann", "bob", "cat", "dan")]
        room_id = people[0].make_room(*people[1:])
        watching = people[0].connect(room_id)

        def talk(person: Member) -> list[tuple[str, str]]:
            socket = person.connect()
            send_frame(socket, "join", room_id)
            for number in range(100):
                send_frame(socket, "message", f"{person.name} {number}")
            return receive_until(socket, "the end")

        with ThreadPoolExecutor(4) as threads:
            talks = [threads.submit(talk, person) for person in people]
            seen, left = [], len(people)
            while left:
                seen.append(receive_line(watching))
                left -= seen[-1][1].endswith(" 99")
            send_frame(watching, "message", "the end")
            found = [talk.result(TIMEOUT) for talk in talks]
        seen += receive_until(watching, "the end")
        stored = people[0].stored(room_id)
        assert [text for _, text in stored[: len(seen) + 1]] == [
            f"{people[0].name} joined the room",
            *(t for _, t in seen),
        ]
        for person, lines in zip(people, found, strict=True):
            assert lines[0] == ("system", f"{person.name} joined the room")
            assert lines == seen[-len(lines) :]
            own = [text for who, text in lines if who == person.name and text != "the end"]
            assert own == [f"{person.name} {number}" for number in range(100)]

    def test_two_sockets_of_one_person(self, ann: Member) -> None:
        room_id = ann.make_room()
        first = ann.connect(room_id)
        second = ann.connect(room_id)
        assert receive_line(first) == ("system", f"{ann.name} joined the room")
        send_frame(second, "message", "hi")
        assert receive_line(first) == receive_line(second) == (ann.name, "hi")
        send_frame(first, "leave")
        assert receive_line(first) == ("system", "you leaved the room")
        assert receive_line(second) == ("system", f"{ann.name} leaved the room")

    def test_equal_calls_at_once(self, ann: Member, bob: Member) -> None:
        with ThreadPoolExecutor(8) as threads:
            bodies = [{"name": f"twice_{ann.id}", "is_private": bool(n % 2)} for n in range(8)]
            answers = list(threads.map(lambda body: ann.http.post("/create-room", json=body), bodies))
            assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
            room_id = next(answer.json()["id"] for answer in answers if answer.status_code == 201)
            asked = {"room_id": room_id, "user_id": bob.id}
            answers = list(threads.map(lambda _: ann.http.put("/invite", json=asked), range(8)))
            assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


class TestRaces:
    def test_removed_while_joining(self, ann: Member, bob: Member) -> None:
        """The socket receives no message that is sent after the removal, at whatever moment that comes."""
        rooms = [ann.make_room(bob) for _ in range(20)]
        watching, socket = ann.connect(), bob.connect()
        with ThreadPoolExecutor(1) as threads:
            for room_id in rooms:
                send_frame(watching, "join", room_id)
                removing = threads.submit(ann.native, "DELETE", f"/rooms/{room_id}/members/{bob.id}")
                send_frame(socket, "join", room_id)
                removing.result(TIMEOUT)
                receive_until(watching, f"{ann.name} joined the room")
                send_frame(watching, "message", "without bob")
                receive_until(watching, "without bob")
                send_frame(socket, "message", "hello?")
                send_frame(socket, "join", "no number")
                lines = receive_until(socket, "room id must be number")
                assert (bob.name, "hello?") not in lines
                assert (ann.name, "without bob") not in lines
                assert lines.count(("error", "user not a member of room")) == 1

    def test_each_join_notice_has_a_leave_notice(self, ann: Member, bob: Member) -> None:
        """A socket that closes while it joins causes as many leave notices as join notices."""
        room_id = ann.make_room(bob)
        for number in range(20):
            socket = bob.connect()
            send_frame(socket, "join", room_id)
            if number % 4 == 1:
                send_frame(socket, "message", "hi")
            elif number % 4 == 2:
                socket.ping().wait(TIMEOUT)
            elif number % 4 == 3:
                receive_line(socket)
            socket.close()
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            texts = [text for _, text in ann.stored(room_id)]
            come, gone = texts.count(f"{bob.name} joined the room"), texts.count(f"{bob.name} leaved the room")
            if come == gone:
                break
        assert come == gone >= 5

    def test_a_renamed_account_keeps_its_socket(self, new_person: NewPerson) -> None:
        eve = new_person("eve")
        room_id = eve.make_room()
        socket = eve.connect(room_id)
        eve.http.put("/change-name", json={"username": f"{eve.name}_new"}).raise_for_status()
        send_frame(socket, "message", "hi")
        assert receive_line(socket) == (f"{eve.name}_new", "hi")


def test_many_joins_of_one_socket(ann: Member) -> None:
    rooms = [ann.make_room() for _ in range(5)]
    socket = ann.connect()
    for number in range(100):
        socket.send(json.dumps({"type": "join", "content": rooms[number % 5]}))
        send_frame(socket, "message", number)
    send_frame(socket, "leave")
    send_frame(socket, "message", "end")
    lines = receive_until(socket, "not connected to any room")
    assert [text for who, text in lines if who == ann.name] == [str(number) for number in range(100)]
    assert lines.count(("system", "you leaved the room")) == 100
    assert lines.count(("system", f"{ann.name} joined the room")) == 100
