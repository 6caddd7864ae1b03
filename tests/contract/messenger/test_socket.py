"""WebSocket /ws/{chat_id}?token=: refused handshakes, order under load, and invalid frames."""

from __future__ import annotations

import contextlib

import pytest
from websockets.exceptions import ConnectionClosed

from .harness import Person, closed_with, expect_silence, mark_read, receive_text, send_message


class TestHandshake:
    @pytest.mark.parametrize("id", ["x", "1.5", "-1", "+1", "%20", "%00", "%D9%A1", "9" * 20, "9" * 5000, "", "*"])
    def test_an_id_that_is_not_an_integer(self, ann: Person, id: str) -> None:
        assert ann.server.handshake_status(id, ann.token) == 403

    @pytest.mark.parametrize("id", [0, 999_999, 2**63 - 1, 2**63])
    def test_no_such_chat(self, ann: Person, id: int) -> None:
        assert ann.server.handshake_status(id, ann.token) == 403

    @pytest.mark.parametrize("token", [None, "", "rubbish", "a.b.c", "%00", "%ED%A0%80"])
    def test_bad_tokens(self, ann: Person, chat_id: int, token: str | None) -> None:
        assert ann.server.handshake_status(chat_id, token) == 403


class TestMessages:
    def test_a_message_right_after_the_handshake_is_received(self, ann: Person, chat_id: int) -> None:
        for number in range(30):
            with ann.server.listen(chat_id, ann.token) as socket:
                send_message(socket, f"{number}")
                assert receive_text(socket) == f"{number}"

    def test_many_arrive_in_order_and_once(self, ann: Person, bob: Person, chat_id: int) -> None:
        sockets = [ann.listen(chat_id), bob.listen(chat_id)]
        for number in range(300):
            send_message(sockets[number % 2], f"{number}")
        texts = [[receive_text(socket) for _ in range(300)] for socket in sockets]
        assert texts[0] == texts[1] == ann.texts(chat_id)
        assert sorted(texts[0], key=int) == [f"{number}" for number in range(300)]

    def test_a_client_that_reads_late_receives_all_in_order(self, ann: Person, bob: Person, chat_id: int) -> None:
        late, quick = bob.listen(chat_id, max_queue=1), ann.listen(chat_id)
        for number in range(100):
            send_message(quick, f"{number}".ljust(60_000))
            assert receive_text(quick).startswith(f"{number} ")
        assert [receive_text(late).strip() for _ in range(100)] == [f"{number}" for number in range(100)]

    @pytest.mark.parametrize("client_id", [None, "", 1, [], {}, "i" * 65, "nul \0", "lone \ud800"])
    def test_an_invalid_id_is_ignored(self, ann: Person, chat_id: int, client_id: object) -> None:
        socket = ann.listen(chat_id)
        send_message(socket, "раз", client_message_id=client_id)
        assert receive_text(socket) == "раз"


class TestReadMarks:
    def test_only_messages_of_this_chat(self, ann: Person, bob: Person, chat_id: int) -> None:
        socket, reader = ann.listen(chat_id), bob.listen(chat_id)
        elsewhere = ann.post(ann.make_chat(bob), "там")["id"]
        with expect_silence(socket, reader, by=ann, chat_id=chat_id):
            for id in (elsewhere, 0, -1, 999_999_999, 2**63 - 1, 2**63, 10**100):
                mark_read(reader, id)
            no_ids: list[object] = ["1", None, 1.0, True, [], {}]
            for no_id in no_ids:
                mark_read(reader, no_id)
            reader.ping().wait(5)


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
        with expect_silence(other, by=bob, chat_id=chat_id):
            socket.send(frame)
            assert closed_with(socket) == 1003

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
    def test_json_without_a_meaning_is_ignored(self, ann: Person, bob: Person, chat_id: int, frame: str) -> None:
        other, socket = bob.listen(chat_id), ann.listen(chat_id)
        with expect_silence(other, socket, by=bob, chat_id=chat_id):
            socket.send(frame)
            socket.ping().wait(5)
        send_message(socket, "жив")
        assert (receive_text(socket), receive_text(other)) == ("жив", "жив")

    def test_messages_after_a_bad_frame_are_not_stored(self, ann: Person, chat_id: int) -> None:
        socket = ann.listen(chat_id)
        socket.send("{")
        with contextlib.suppress(ConnectionClosed):
            while True:
                send_message(socket, "после")
        assert ann.texts(chat_id) == []

    def test_more_messages_than_may_wait_are_all_stored(self, ann: Person, chat_id: int) -> None:
        socket = ann.listen(chat_id)
        for number in range(3_000):
            send_message(socket, f"{number}")
        assert [receive_text(socket) for _ in range(3_000)] == [f"{number}" for number in range(3_000)]
