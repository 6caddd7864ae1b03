"""WebSocket /ws/{chat_id}?token=: the handshake, what is heard, read marks, and frames that are none."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from websockets.exceptions import ConnectionClosed

from .conftest import Meet
from .harness import Person, closed_with, heard, mark, say, text_of, undisturbed

LOBBY = 2**31 - 1


class TestHandshake:
    def test_a_member_comes_in_and_hears_nothing_at_first(self, ann: Person, chat_id: int) -> None:
        ann.post(chat_id, "раньше")
        socket = ann.listen(chat_id)
        ann.post(chat_id, "потом")
        assert text_of(socket) == "потом"

    @pytest.mark.parametrize("id", ["x", "1.5", "-1", "+1", "%20", "%00", "%D9%A1", "9" * 20, "9" * 5000, "", "*"])
    def test_no_integer(self, ann: Person, id: str) -> None:
        assert ann.server.refuses(id, ann.token) == 403

    @pytest.mark.parametrize("id", [0, 999_999, 2**63 - 1, 2**63])
    def test_no_such_chat(self, ann: Person, id: int) -> None:
        assert ann.server.refuses(id, ann.token) == 403

    @pytest.mark.parametrize("token", [None, "", "rubbish", "a.b.c", "%00", "%ED%A0%80"])
    def test_no_good_token(self, ann: Person, chat_id: int, token: str | None) -> None:
        assert ann.server.refuses(chat_id, token) == 403

    def test_an_ended_session(self, meet: Meet) -> None:
        ann = meet("ann")
        chat_id = ann.make_chat()
        ann.http.post("/v1/logout").raise_for_status()
        assert ann.server.refuses(chat_id, ann.token) == 403

    def test_a_stranger(self, meet: Meet, chat_id: int) -> None:
        eve = meet("eve")
        assert eve.server.refuses(chat_id, eve.token) == 403

    def test_who_was_removed(self, ann: Person, bob: Person, chat_id: int) -> None:
        assert bob.server.refuses(chat_id, bob.token) == 101
        ann.http.delete(f"/v1/rooms/{chat_id}/members/{bob.id}").raise_for_status()
        assert bob.server.refuses(chat_id, bob.token) == 403

    def test_other_paths_are_unknown(self, ann: Person, chat_id: int) -> None:
        assert ann.server.refuses(f"{chat_id}/", ann.token) == 404
        assert ann.server.refuses(f"{chat_id}/more", ann.token) == 404

    def test_a_token_of_another_door(self, ann: Person, chat_id: int) -> None:
        answer = ann.http.post("/v1/login", json={"email": ann.email, "password": "secretpassword"})
        assert ann.server.refuses(chat_id, answer.raise_for_status().json()["token"]) == 101


class TestMessages:
    def test_everybody_hears_it_to_the_letter(self, ann: Person, bob: Person, chat_id: int) -> None:
        sockets = [ann.listen(chat_id), ann.listen(chat_id), bob.listen(chat_id)]
        say(sockets[0], "привет")
        frames = [heard(socket) for socket in sockets]
        assert frames[0] == frames[1] == frames[2]
        pattern = (
            rf'\{{"type":"message","id":\d+,"chat_id":{chat_id},"sender_id":{ann.id},"text":"привет",'
            r'"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"\}'
        )
        assert re.fullmatch(pattern, frames[0]), frames[0]

    def test_rest_tells_the_same(self, ann: Person, chat_id: int) -> None:
        socket = ann.listen(chat_id)
        say(socket, "привет")
        frame = json.loads(heard(socket))
        [stored] = ann.http.get(f"/chats/{chat_id}/messages").json()
        assert {name: stored[name] for name in frame if name != "type"} == {
            name: value for name, value in frame.items() if name != "type"
        }

    def test_what_is_posted_is_heard(self, ann: Person, bob: Person, chat_id: int) -> None:
        socket = bob.listen(chat_id)
        posted = ann.post(chat_id, "через REST")
        assert json.loads(heard(socket)) == {
            "type": "message",
            "id": posted["id"],
            "chat_id": chat_id,
            "sender_id": ann.id,
            "text": "через REST",
            "timestamp": posted["timestamp"],
        }

    def test_what_comes_through_another_door_is_heard(self, ann: Person, bob: Person, chat_id: int) -> None:
        socket = bob.listen(chat_id)
        ann.http.post(f"/v1/rooms/{chat_id}/messages", json={"text": "native"}).raise_for_status()
        assert text_of(socket) == "native"
        say(socket, "messenger")
        assert text_of(socket) == "messenger"
        items = ann.http.get(f"/v1/rooms/{chat_id}/messages").json()["items"]
        assert [(item["text"], item["origin"]) for item in items] == [("native", "native"), ("messenger", "messenger")]

    def test_other_chats_are_not_heard(self, ann: Person, bob: Person, chat_id: int) -> None:
        socket = bob.listen(chat_id)
        ann.post(ann.make_chat(bob), "там")
        ann.post(chat_id, "здесь")
        assert text_of(socket) == "здесь"

    def test_who_comes_and_goes_is_not_told(self, meet: Meet, ann: Person, bob: Person, chat_id: int) -> None:
        socket, eve = ann.listen(chat_id), meet("eve")
        with undisturbed(socket, by=ann, chat_id=chat_id):
            ann.http.post(f"/v1/rooms/{chat_id}/members", json={"account_id": eve.id}).raise_for_status()
            eve.listen(chat_id).close()
            ann.http.delete(f"/v1/rooms/{chat_id}/members/{bob.id}").raise_for_status()

    def test_the_lobby_has_everybody(self, ann: Person, bob: Person) -> None:
        socket = bob.listen(LOBBY)
        ann.post(LOBBY, "всем")
        assert text_of(socket) == "всем"

    def test_empty_text(self, ann: Person, chat_id: int) -> None:
        socket = ann.listen(chat_id)
        say(socket, "")
        assert text_of(socket) == ""

    def test_what_is_said_at_once_after_the_handshake_is_heard(self, ann: Person, chat_id: int) -> None:
        for number in range(30):
            with ann.server.listen(chat_id, ann.token) as socket:
                say(socket, f"{number}")
                assert text_of(socket) == f"{number}"

    def test_many_arrive_in_order_and_once(self, ann: Person, bob: Person, chat_id: int) -> None:
        sockets = [ann.listen(chat_id), bob.listen(chat_id)]
        for number in range(300):
            say(sockets[number % 2], f"{number}")
        texts = [[text_of(socket) for _ in range(300)] for socket in sockets]
        assert texts[0] == texts[1] == ann.texts(chat_id)
        assert sorted(texts[0], key=int) == [f"{number}" for number in range(300)]

    def test_a_repeat_is_stored_and_heard_once(self, ann: Person, chat_id: int) -> None:
        socket = ann.listen(chat_id)
        say(socket, "раз", client_message_id=f"once-{chat_id}")
        assert text_of(socket) == "раз"
        with undisturbed(socket, by=ann, chat_id=chat_id):
            say(socket, "раз", client_message_id=f"once-{chat_id}")
            say(socket, "два", client_message_id=f"once-{chat_id}")
            socket.ping().wait(5)
        assert ann.texts(chat_id) == ["раз", "и всё"]

    def test_who_reads_late_hears_all_in_order(self, ann: Person, bob: Person, chat_id: int) -> None:
        late, quick = bob.listen(chat_id, max_queue=1), ann.listen(chat_id)
        for number in range(100):
            say(quick, f"{number}".ljust(60_000))
            assert text_of(quick).startswith(f"{number} ")
        assert [text_of(late).strip() for _ in range(100)] == [f"{number}" for number in range(100)]

    @pytest.mark.parametrize("client_id", [None, "", 1, [], {}, "i" * 65, "nul \0", "lone \ud800"])
    def test_an_id_that_is_none_is_ignored(self, ann: Person, chat_id: int, client_id: object) -> None:
        socket = ann.listen(chat_id)
        say(socket, "раз", client_message_id=client_id)
        assert text_of(socket) == "раз"

    def test_the_longest_text(self, ann: Person, chat_id: int) -> None:
        socket = ann.listen(chat_id, max_size=None)
        longest = "x" * (65_536 - len('{"type":"message","text":""}'))
        socket.send(f'{{"type":"message","text":"{longest}"}}')
        assert text_of(socket) == longest


class TestReadMarks:
    def test_the_author_is_told_to_the_letter_and_once(self, ann: Person, bob: Person, chat_id: int) -> None:
        authors, reader = [ann.listen(chat_id), ann.listen(chat_id)], bob.listen(chat_id)
        message_id = ann.post(chat_id, "прочти")["id"]
        for socket in (*authors, reader):
            heard(socket)
        mark(reader, message_id)
        for socket in authors:
            assert heard(socket) == f'{{"type":"read","message_id":{message_id},"reader_id":{bob.id}}}'
        mark(reader, message_id)
        mark(authors[0], message_id)
        with undisturbed(*authors, reader, by=bob, chat_id=chat_id):
            reader.ping().wait(5)

    def test_ones_own_message(self, ann: Person, chat_id: int) -> None:
        socket = ann.listen(chat_id)
        message_id = ann.post(chat_id, "себе")["id"]
        heard(socket)
        mark(socket, message_id)
        assert json.loads(heard(socket)) == {"type": "read", "message_id": message_id, "reader_id": ann.id}

    def test_sockets_in_other_chats_are_not_told(self, ann: Person, bob: Person, chat_id: int) -> None:
        elsewhere, other = ann.make_chat(bob), ann.listen(chat_id)
        socket, reader = ann.listen(elsewhere), bob.listen(elsewhere)
        mark(reader, ann.post(elsewhere, "прочти")["id"])
        assert text_of(socket) == "прочти"
        assert json.loads(heard(socket))["type"] == "read"
        ann.post(chat_id, "здесь")
        assert text_of(other) == "здесь"

    def test_only_messages_of_this_chat(self, ann: Person, bob: Person, chat_id: int) -> None:
        socket, reader = ann.listen(chat_id), bob.listen(chat_id)
        elsewhere = ann.post(ann.make_chat(bob), "там")["id"]
        with undisturbed(socket, reader, by=ann, chat_id=chat_id):
            for id in (elsewhere, 0, -1, 999_999_999, 2**63 - 1, 2**63, 10**100):
                mark(reader, id)
            no_ids: list[object] = ["1", None, 1.0, True, [], {}]
            for no_id in no_ids:
                mark(reader, no_id)
            reader.ping().wait(5)

    def test_it_counts_as_read_at_other_doors(self, ann: Person, bob: Person, chat_id: int) -> None:
        first = ann.post(chat_id, "раз")["id"]
        ann.post(chat_id, "два")
        socket = ann.listen(chat_id)
        mark(bob.listen(chat_id), first)
        heard(socket)
        assert bob.http.get(f"/v1/rooms/{chat_id}").json()["unread"] == 1


class TestBadFrames:
    @pytest.mark.parametrize(
        "frame",
        [
            "",
            "{",
            '{"type":"message","text":"x"',
            "привет",
            "[]",
            '"text"',
            "1",
            "null",
            "NaN",
            "[" * 60_000,
            '{"type":"message","text":"x","more":' + "[" * 60_000 + "]" * 5_000,
            '{"a":' * 10_000,
            '{"type":"read","message_id":' + "9" * 5_000 + "}",
            b"binary",
            b"",
            b'{"type":"message","text":"x"}',
        ],
    )
    def test_broken_json_and_binary_close_with_1003(
        self, ann: Person, bob: Person, chat_id: int, frame: str | bytes
    ) -> None:
        other, socket = bob.listen(chat_id), ann.listen(chat_id)
        with undisturbed(other, by=bob, chat_id=chat_id):
            socket.send(frame)
            assert closed_with(socket) == 1003

    def test_a_frame_too_long_closes_with_1009(self, ann: Person, bob: Person, chat_id: int) -> None:
        other, socket = bob.listen(chat_id), ann.listen(chat_id)
        with undisturbed(other, by=bob, chat_id=chat_id):
            socket.send("x" * 65_537)
            assert closed_with(socket) == 1009

    @pytest.mark.parametrize(
        "frame",
        [
            "{}",
            '{"type":null}',
            '{"type":[]}',
            '{"type":{}}',
            '{"type":1}',
            '{"type":"typing"}',
            '{"text":"x"}',
            '{"type":"message"}',
            '{"type":"message","text":null}',
            '{"type":"message","text":1}',
            '{"type":"message","text":["x"]}',
            '{"type":"message","text":NaN}',
            '{"type":"message","text":"nul \\u0000"}',
            '{"type":"message","text":"lone \\ud800"}',
            '{"type":"read"}',
            '{"type":"read","message_id":NaN}',
            '{"type":"read","message_id":Infinity}',
        ],
    )
    def test_what_means_nothing_is_ignored(self, ann: Person, bob: Person, chat_id: int, frame: str) -> None:
        other, socket = bob.listen(chat_id), ann.listen(chat_id)
        with undisturbed(other, socket, by=bob, chat_id=chat_id):
            socket.send(frame)
            socket.ping().wait(5)
        say(socket, "жив")
        assert (text_of(socket), text_of(other)) == ("жив", "жив")

    def test_what_follows_a_bad_frame_is_not_said(self, ann: Person, chat_id: int) -> None:
        socket = ann.listen(chat_id)
        socket.send("{")
        with contextlib.suppress(ConnectionClosed):
            while True:
                say(socket, "после")
        assert ann.texts(chat_id) == []

    def test_text_that_is_no_text_closes_with_1007(self, ann: Person, chat_id: int) -> None:
        socket = ann.listen(chat_id)
        with socket.protocol_mutex:
            socket.protocol.send_text(b"\xff\xfe")
            socket.send_data()
        assert closed_with(socket) == 1007

    def test_more_than_may_wait_is_stored_nevertheless(self, ann: Person, chat_id: int) -> None:
        socket = ann.listen(chat_id)
        for number in range(3_000):
            say(socket, f"{number}")
        assert [text_of(socket) for _ in range(3_000)] == [f"{number}" for number in range(3_000)]
