"""Many frames, many sockets: what one socket does keeps its order, and all in a room see one order."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

from messenger.harness import PATIENCE

from .conftest import Meet, Member, do, said, said_until


class TestOneSocket:
    def test_all_at_once(self, ann: Member) -> None:
        one, two = ann.make_room(), ann.make_room()
        socket = ann.connect()
        do(socket, "message", "too early")
        do(socket, "join", one)
        do(socket, "message", "a")
        do(socket, "join", one)
        do(socket, "message", "b")
        do(socket, "join", two)
        do(socket, "message", "c")
        do(socket, "leave")
        do(socket, "message", "too late")
        do(socket, "join", one)
        do(socket, "message", "d")
        do(socket, "leave")
        do(socket, "leave")
        name = ann.name
        expected = [
            ("error", "not connected to any room"),
            ("system", f"{name} joined the room"),
            ("error", "already in room"),
            (name, "a"),
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
        found = [said(socket) for _ in expected]
        assert [line for line in found if line[0] != "error"] == [line for line in expected if line[0] != "error"]
        assert sorted(found) == sorted(expected)
        coming, going = f"{name} joined the room", f"{name} leaved the room"
        assert [text for _, text in ann.stored(one)] == [coming, "a", "b", going, coming, "d", going]
        assert [text for _, text in ann.stored(two)] == [coming, "c", going]

    def test_a_thousand_behind_a_join(self, ann: Member) -> None:
        room_id = ann.make_room()
        socket = ann.connect()
        do(socket, "join", room_id)
        for number in range(1500):
            do(socket, "message", number)
        do(socket, "leave")
        lines = said_until(socket, "you leaved the room")
        assert [text for _, text in lines[1:-1]] == [str(number) for number in range(1500)]

    def test_a_join_that_is_refused_takes_no_message_with_it(self, ann: Member, bob: Member) -> None:
        open, shut = ann.make_room(bob), ann.make_room()
        socket = bob.connect(open)
        do(socket, "join", shut)
        do(socket, "message", "nowhere")
        assert [said(socket) for _ in range(3)] == [
            ("system", "you leaved the room"),
            ("error", "user not a member of room"),
            ("error", "not connected to any room"),
        ]
        assert "nowhere" not in [text for _, text in ann.stored(open) + ann.stored(shut)]

    def test_nothing_of_before(self, ann: Member, bob: Member) -> None:
        room_id = ann.make_room(bob)
        socket = ann.connect(room_id)
        for number in range(50):
            do(socket, "message", number)
            late = bob.connect(room_id)
            do(late, "message", f"then {number}")
            assert said(late) == (bob.name, f"then {number}")
            late.close()


class TestManySockets:
    def test_all_see_one_order(self, meet: Meet) -> None:
        people = [meet(name) for name in ("ann", "bob", "cat", "dan")]
        room_id = people[0].make_room(*people[1:])
        watching = people[0].connect(room_id)

        def talk(person: Member) -> list[tuple[str, str]]:
            socket = person.connect()
            do(socket, "join", room_id)
            for number in range(100):
                do(socket, "message", f"{person.name} {number}")
            return said_until(socket, "the end")

        with ThreadPoolExecutor(4) as threads:
            talks = [threads.submit(talk, person) for person in people]
            seen, left = [], len(people)
            while left:
                seen.append(said(watching))
                left -= seen[-1][1].endswith(" 99")
            do(watching, "message", "the end")
            found = [talk.result(PATIENCE) for talk in talks]
        seen += said_until(watching, "the end")
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

    def test_two_of_one_person(self, ann: Member) -> None:
        room_id = ann.make_room()
        first = ann.connect(room_id)
        second = ann.connect(room_id)
        assert said(first) == ("system", f"{ann.name} joined the room")
        do(second, "message", "hi")
        assert said(first) == said(second) == (ann.name, "hi")
        do(first, "leave")
        assert said(first) == ("system", "you leaved the room")
        assert said(second) == ("system", f"{ann.name} leaved the room")

    def test_the_same_asked_twice_at_once(self, ann: Member, bob: Member) -> None:
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
        """Wherever the removal falls, nothing of what is said after it is heard."""
        rooms = [ann.make_room(bob) for _ in range(20)]
        watching, socket = ann.connect(), bob.connect()
        with ThreadPoolExecutor(1) as threads:
            for room_id in rooms:
                do(watching, "join", room_id)
                removing = threads.submit(ann.native, "DELETE", f"/rooms/{room_id}/members/{bob.id}")
                do(socket, "join", room_id)
                removing.result(PATIENCE)
                said_until(watching, f"{ann.name} joined the room")
                do(watching, "message", "without bob")
                said_until(watching, "without bob")
                do(socket, "message", "hello?")
                lines = said_until(socket, "not connected to any room")
                assert (bob.name, "hello?") not in lines
                assert (ann.name, "without bob") not in lines
                assert lines.count(("error", "user not a member of room")) == 1

    def test_whoever_came_has_gone(self, ann: Member, bob: Member) -> None:
        """Sockets that close in the middle of joining are told of as gone as often as they are told of as come."""
        room_id = ann.make_room(bob)
        for number in range(20):
            socket = bob.connect()
            do(socket, "join", room_id)
            if number % 4 == 1:
                do(socket, "message", "hi")
            elif number % 4 == 2:
                socket.ping().wait(PATIENCE)
            elif number % 4 == 3:
                said(socket)
            socket.close()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            texts = [text for _, text in ann.stored(room_id)]
            come, gone = texts.count(f"{bob.name} joined the room"), texts.count(f"{bob.name} leaved the room")
            if come == gone:
                break
        assert come == gone >= 5

    def test_an_account_that_is_renamed_goes_on(self, meet: Meet) -> None:
        eve = meet("eve")
        room_id = eve.make_room()
        socket = eve.connect(room_id)
        eve.http.put("/change-name", json={"username": f"{eve.name}_new"}).raise_for_status()
        do(socket, "message", "hi")
        assert said(socket) == (f"{eve.name}_new", "hi")


def test_many_joins_of_one_socket(ann: Member) -> None:
    rooms = [ann.make_room() for _ in range(5)]
    socket = ann.connect()
    for number in range(100):
        socket.send(json.dumps({"type": "join", "content": rooms[number % 5]}))
        do(socket, "message", number)
    do(socket, "leave")
    do(socket, "message", "end")
    lines = said_until(socket, "not connected to any room")
    assert [text for who, text in lines if who == ann.name] == [str(number) for number in range(100)]
    assert lines.count(("system", "you leaved the room")) == 100
    assert lines.count(("system", f"{ann.name} joined the room")) == 100
