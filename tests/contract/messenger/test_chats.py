"""The refusals of POST /chats, messages and history, and texts that are returned unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import NewPerson
from .harness import Person

NO_ACCESS = '{"detail":"У вас нет доступа к этому чату"}'
NO_SUCH_USER = '{"detail":"Пользователь не найден."}'
LOBBY = 2**31 - 1
PLACES = [("GET", "/chats/{}/messages"), ("POST", "/chats/{}/messages"), ("GET", "/history/{}")]


class TestPostChats:
    @pytest.fixture
    def ann(self, new_person: NewPerson) -> Person:
        return new_person("ann")

    @pytest.mark.parametrize("id", [0, -1, 999_999, LOBBY, 2**63 - 1, 2**63, 2**64, 10**100])
    @pytest.mark.parametrize("kind", ["private", "group"])
    def test_an_unknown_member(self, ann: Person, id: int, kind: str) -> None:
        answer = ann.http.post("/chats", json={"name": "p", "chat_type": kind, "member_ids": [id]})
        assert (answer.status_code, answer.text) == (400, NO_SUCH_USER)
        assert ann.http.get("/chats").json() == []

    @pytest.mark.parametrize(
        ("body", "type", "loc", "msg"),
        [
            ({"chat_type": "group", "member_ids": []}, "missing", ["name"], "Field required"),
            ({"name": "x"}, "missing", ["member_ids"], "Field required"),
            ({"name": "x", "member_ids": 1}, "list_type", ["member_ids"], "Input should be a valid list"),
            ({"name": "x", "member_ids": {}}, "list_type", ["member_ids"], "Input should be a valid list"),
            ({"name": "x", "member_ids": [None]}, "int_type", ["member_ids", 0], "Input should be a valid integer"),
            ({"name": "", "member_ids": []}, "string_too_short", ["name"], "String should have at least 1 character"),
            ({"name": "x" * 51, "member_ids": []}, "string_too_long", ["name"], None),
            ({"name": None, "member_ids": []}, "string_type", ["name"], "Input should be a valid string"),
            (
                {"name": "x", "chat_type": "lobby", "member_ids": []},
                "enum",
                ["chat_type"],
                "Input should be 'private' or 'group'",
            ),
            ({"name": "a\u200bb", "chat_type": "group", "member_ids": []}, "value_error", ["name"], None),
            ({"name": "x", "member_ids": [1] * 101}, "too_long", ["member_ids"], None),
        ],
    )
    def test_invalid_input(
        self, ann: Person, body: dict[str, Any], type: str, loc: list[object], msg: str | None
    ) -> None:
        answer = ann.http.post("/chats", json=body)
        assert answer.status_code == 422
        [detail] = answer.json()["detail"]
        assert (detail["type"], detail["loc"]) == (type, ["body", *loc])
        assert msg is None or detail["msg"] == msg


class TestMessages:
    def test_texts_are_returned_unchanged(self, ann: Person, chat_id: int) -> None:
        text = '  привет \u202e \r\n\t\x01 \u2028 👩‍👩‍👧 \\u0041 " </script> '
        ann.post(chat_id, text)
        assert ann.texts(chat_id) == [text]

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"text": None},
            {"text": 1},
            {"text": ["x"]},
            {"text": "x", "client_message_id": ""},
            {"text": "x", "client_message_id": "i" * 65},
            {"text": "x", "client_message_id": 1},
            {"text": "x", "client_message_id": "a\0"},
            {"text": "nul \0"},
            [],
            "x",
            None,
        ],
    )
    def test_invalid_input(self, ann: Person, chat_id: int, body: object) -> None:
        answer = ann.http.post(f"/chats/{chat_id}/messages", json=body)
        assert answer.status_code == 422
        assert isinstance(answer.json()["detail"], list)
        assert ann.texts(chat_id) == []

    def test_a_long_chat_is_complete(self, ann: Person, chat_id: int) -> None:
        with ann.listen(chat_id) as socket:
            for number in range(2100):
                socket.send(f'{{"type":"message","text":"{number}"}}')
            while f'"text":"{2099}"' not in str(socket.recv(30)):
                pass
        assert ann.texts(chat_id) == [f"{number}" for number in range(2100)]


class TestHistory:
    @pytest.mark.parametrize(
        ("name", "value", "type"),
        [
            ("limit", "0", "greater_than_equal"),
            ("limit", "101", "less_than_equal"),
            ("limit", "x", "int_parsing"),
            ("limit", "", "int_parsing"),
            ("limit", "1.5", "int_parsing"),
            ("limit", "\0", "int_parsing"),
            ("offset", "-1", "greater_than_equal"),
            ("offset", str(2**63), "less_than"),
            ("offset", "9" * 5000, "int_parsing_size"),
        ],
    )
    def test_invalid_input(self, ann: Person, chat_id: int, name: str, value: str, type: str) -> None:
        answer = ann.http.get(f"/history/{chat_id}", params={name: value})
        assert answer.status_code == 422
        assert [(detail["type"], detail["loc"]) for detail in answer.json()["detail"]] == [(type, ["query", name])]


class TestChatIds:
    @pytest.mark.parametrize(("method", "path"), PLACES)
    @pytest.mark.parametrize("id", [0, -1, 999_999, 2**63 - 1, 2**63, 10**100])
    def test_no_such_chat(self, ann: Person, method: str, path: str, id: int) -> None:
        answer = ann.http.request(method, path.format(id), json={"text": "x"} if method == "POST" else None)
        assert (answer.status_code, answer.text) == (403, NO_ACCESS)

    @pytest.mark.parametrize(("method", "path"), PLACES)
    @pytest.mark.parametrize("id", ["x", "1.5", "%00", "%ED%A0%80", "null", "1_0_"])
    def test_an_id_that_is_not_an_integer(self, ann: Person, method: str, path: str, id: str) -> None:
        answer = ann.http.request(method, path.format(id), json={"text": "x"} if method == "POST" else None)
        assert answer.status_code == 422
        [detail] = answer.json()["detail"]
        assert (detail["type"], detail["loc"]) == ("int_parsing", ["path", "chat_id"])
