"""GET and POST /chats, messages and history."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from .conftest import Meet
from .harness import Person

NO_ACCESS = '{"detail":"У вас нет доступа к этому чату"}'
NO_SUCH_USER = '{"detail":"Пользователь не найден."}'
LOBBY = 2**31 - 1
PLACES = [("GET", "/chats/{}/messages"), ("POST", "/chats/{}/messages"), ("GET", "/history/{}")]


def make(person: Person, **body: object) -> httpx.Response:
    return person.http.post("/chats", json={"name": "p", **body})


class TestMakingChats:
    @pytest.fixture
    def ann(self, meet: Meet) -> Person:
        return meet("ann")

    @pytest.fixture
    def bob(self, meet: Meet) -> Person:
        return meet("bob")

    def test_a_private_chat(self, ann: Person, bob: Person) -> None:
        answer = make(ann, name="Анна и Боб", chat_type="private", member_ids=[bob.id])
        assert answer.status_code == 200
        assert answer.text == f'{{"name":"Анна и Боб","chat_type":"private","id":{answer.json()["id"]}}}'
        for person in (ann, bob):
            assert person.http.get("/chats").json() == [answer.json()]

    def test_a_chat_is_private_unless_it_says_otherwise(self, ann: Person, bob: Person) -> None:
        assert make(ann, member_ids=[bob.id]).json()["chat_type"] == "private"

    def test_a_group(self, meet: Meet, ann: Person, bob: Person) -> None:
        eve = meet("eve")
        answer = make(ann, chat_type="group", member_ids=[bob.id, eve.id, bob.id, ann.id])
        assert answer.text == f'{{"name":"p","chat_type":"group","id":{answer.json()["id"]}}}'
        for person in (ann, bob, eve):
            assert person.http.get("/chats").json() == [answer.json()]

    def test_a_group_of_one(self, ann: Person) -> None:
        assert make(ann, chat_type="group", member_ids=[]).status_code == 200

    def test_numbers_in_quotes_are_numbers(self, ann: Person, bob: Person) -> None:
        assert make(ann, member_ids=[str(bob.id)]).status_code == 200

    @pytest.mark.parametrize("count", [0, 2])
    def test_a_private_chat_has_one_other(self, ann: Person, bob: Person, count: int) -> None:
        answer = make(ann, chat_type="private", member_ids=[bob.id] * count)
        assert answer.status_code == 400
        assert answer.text == '{"detail":"При создании приватного чата можно указать только одного участника"}'

    def test_not_with_oneself(self, ann: Person) -> None:
        answer = make(ann, chat_type="private", member_ids=[ann.id])
        assert (answer.status_code, answer.text) == (400, '{"detail":"Нельзя создать приватный чат с самим собой"}')

    def test_a_private_chat_is_made_once(self, ann: Person, bob: Person) -> None:
        ann.make_chat(bob, kind="private")
        for person, other in ((ann, bob), (bob, ann)):
            answer = make(person, chat_type="private", member_ids=[other.id])
            assert answer.status_code == 400
            assert answer.text == '{"detail":"Приватный чат между этими пользователями уже существует"}'
            assert len(person.http.get("/chats").json()) == 1

    @pytest.mark.parametrize("id", [0, -1, 999_999, LOBBY, 2**63 - 1, 2**63, 2**64, 10**100])
    @pytest.mark.parametrize("kind", ["private", "group"])
    def test_an_unknown_member(self, ann: Person, id: int, kind: str) -> None:
        answer = make(ann, chat_type=kind, member_ids=[id])
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
            ({"name": "x", "member_ids": [1] * 1001}, "too_long", ["member_ids"], None),
        ],
    )
    def test_what_does_not_fit(
        self, ann: Person, body: dict[str, Any], type: str, loc: list[object], msg: str | None
    ) -> None:
        answer = ann.http.post("/chats", json=body)
        assert answer.status_code == 422
        [detail] = answer.json()["detail"]
        assert (detail["type"], detail["loc"]) == (type, ["body", *loc])
        assert msg is None or detail["msg"] == msg


class TestListingChats:
    @pytest.fixture
    def ann(self, meet: Meet) -> Person:
        return meet("ann")

    @pytest.fixture
    def bob(self, meet: Meet) -> Person:
        return meet("bob")

    def test_own_chats_by_id(self, ann: Person, bob: Person) -> None:
        made = [ann.make_chat(bob, name=f"{number}") for number in range(3)]
        bob.make_chat(name="чужой")
        assert [(chat["id"], chat["name"]) for chat in ann.http.get("/chats").json()] == [
            (id, f"{number}") for number, id in enumerate(made)
        ]

    def test_nobody_has_the_lobby_in_their_list(self, ann: Person) -> None:
        ann.post(LOBBY, "всем")
        assert ann.http.get("/chats").text == "[]"

    def test_rooms_of_another_door(self, ann: Person, bob: Person) -> None:
        direct = ann.http.post("/v1/rooms", json={"kind": "direct", "member_ids": [bob.id]}).json()["id"]
        channel = ann.http.post("/v1/rooms", json={"kind": "channel", "name": "Новости"}).json()["id"]
        assert ann.http.get("/chats").json() == [
            {"name": "Bob", "chat_type": "private", "id": direct},
            {"name": "Новости", "chat_type": "group", "id": channel},
        ]
        assert bob.http.get("/chats").json() == [{"name": "Ann", "chat_type": "private", "id": direct}]


class TestMessages:
    def test_a_message(self, ann: Person, chat_id: int) -> None:
        answer = ann.http.post(f"/chats/{chat_id}/messages", json={"text": "hi"})
        assert answer.status_code == 200
        pattern = (
            rf'\{{"text":"hi","chat_id":{chat_id},"client_message_id":"[0-9a-f-]{{36}}","id":\d+,"sender_id":{ann.id},'
            r'"created_at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})","timestamp":"(.+)"\}'
        )
        found = re.fullmatch(pattern, answer.text)
        assert found, answer.text
        assert found[2] == f"{found[1]}+00:00"

    def test_all_of_them_oldest_first(self, ann: Person, bob: Person, chat_id: int) -> None:
        said = [person.post(chat_id, f"{number}") for number, person in enumerate((ann, bob, ann))]
        for person in (ann, bob):
            assert person.http.get(f"/chats/{chat_id}/messages").json() == said

    def test_none(self, ann: Person, chat_id: int) -> None:
        answer = ann.http.get(f"/chats/{chat_id}/messages")
        assert (answer.status_code, answer.text) == (200, "[]")

    def test_empty_text_is_a_message(self, ann: Person, chat_id: int) -> None:
        ann.post(chat_id, "")
        assert ann.texts(chat_id) == [""]

    def test_text_comes_back_as_it_was(self, ann: Person, chat_id: int) -> None:
        text = '  привет \u202e \r\n\t\x01 \u2028 👩‍👩‍👧 \\u0041 " </script> '
        ann.post(chat_id, text)
        assert ann.texts(chat_id) == [text]

    def test_a_repeat_is_stored_once(self, ann: Person, chat_id: int) -> None:
        id = f"{chat_id}".rjust(64, "i")
        first = ann.post(chat_id, "раз", client_message_id=id)
        assert first["client_message_id"] == id
        assert ann.post(chat_id, "раз", client_message_id=id) == first
        assert ann.texts(chat_id) == ["раз"]

    def test_the_same_id_with_another_text(self, ann: Person, chat_id: int) -> None:
        ann.post(chat_id, "раз", client_message_id=f"once-{chat_id}")
        answer = ann.http.post(
            f"/chats/{chat_id}/messages", json={"text": "два", "client_message_id": f"once-{chat_id}"}
        )
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", "client_message_id"]
        assert ann.texts(chat_id) == ["раз"]

    def test_ids_are_each_senders_own(self, ann: Person, bob: Person, chat_id: int) -> None:
        ann.post(chat_id, "раз", client_message_id=f"mine-{chat_id}")
        bob.post(chat_id, "два", client_message_id=f"mine-{chat_id}")
        assert ann.texts(chat_id) == ["раз", "два"]

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
    def test_what_does_not_fit(self, ann: Person, chat_id: int, body: object) -> None:
        answer = ann.http.post(f"/chats/{chat_id}/messages", json=body)
        assert answer.status_code == 422
        assert isinstance(answer.json()["detail"], list)
        assert ann.texts(chat_id) == []

    def test_a_long_chat_comes_whole(self, ann: Person, chat_id: int) -> None:
        with ann.listen(chat_id) as socket:
            for number in range(2100):
                socket.send(f'{{"type":"message","text":"{number}"}}')
            while f'"text":"{2099}"' not in str(socket.recv(30)):
                pass
        assert ann.texts(chat_id) == [f"{number}" for number in range(2100)]


class TestHistory:
    def test_a_page(self, ann: Person, chat_id: int) -> None:
        said = [ann.post(chat_id, f"{number}") for number in range(5)]
        answer = ann.http.get(f"/history/{chat_id}", params={"limit": 2, "offset": 1})
        assert answer.status_code == 200
        assert list(answer.json()) == ["items", "total", "offset", "limit"]
        assert answer.json() == {"items": said[1:3], "total": 5, "offset": 1, "limit": 2}

    def test_fifty_from_the_start_unless_asked(self, ann: Person, chat_id: int) -> None:
        assert ann.http.get(f"/history/{chat_id}").text == '{"items":[],"total":0,"offset":0,"limit":50}'

    @pytest.mark.parametrize("offset", [5, 2**63 - 1])
    def test_beyond_the_end(self, ann: Person, chat_id: int, offset: int) -> None:
        ann.post(chat_id, "x")
        answer = ann.http.get(f"/history/{chat_id}", params={"offset": offset})
        assert answer.json() == {"items": [], "total": 1, "offset": offset, "limit": 50}

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
    def test_what_does_not_fit(self, ann: Person, chat_id: int, name: str, value: str, type: str) -> None:
        answer = ann.http.get(f"/history/{chat_id}", params={name: value})
        assert answer.status_code == 422
        assert [(detail["type"], detail["loc"]) for detail in answer.json()["detail"]] == [(type, ["query", name])]


class TestWhoMay:
    """Only members read and write: our decision 5."""

    @pytest.mark.parametrize(("method", "path"), PLACES)
    def test_a_stranger(self, meet: Meet, chat_id: int, method: str, path: str) -> None:
        self.refused(meet("eve"), method, path.format(chat_id))

    @pytest.mark.parametrize(("method", "path"), PLACES)
    @pytest.mark.parametrize("id", [0, -1, 999_999, 2**63 - 1, 2**63, 10**100])
    def test_no_such_chat(self, ann: Person, method: str, path: str, id: int) -> None:
        self.refused(ann, method, path.format(id))

    @pytest.mark.parametrize(("method", "path"), PLACES)
    def test_who_was_removed(self, ann: Person, bob: Person, chat_id: int, method: str, path: str) -> None:
        ann.http.delete(f"/v1/rooms/{chat_id}/members/{bob.id}").raise_for_status()
        self.refused(bob, method, path.format(chat_id))

    @pytest.mark.parametrize(("method", "path"), PLACES)
    def test_a_channel_that_one_has_not_joined(self, ann: Person, bob: Person, method: str, path: str) -> None:
        channel = ann.http.post("/v1/rooms", json={"kind": "channel", "name": "Новости"}).json()["id"]
        self.refused(bob, method, path.format(channel))

    @pytest.mark.parametrize(("method", "path"), PLACES)
    @pytest.mark.parametrize("id", ["x", "1.5", "%00", "%ED%A0%80", "null", "1_0_"])
    def test_no_integer(self, ann: Person, method: str, path: str, id: str) -> None:
        answer = ann.http.request(method, path.format(id), json={"text": "x"} if method == "POST" else None)
        assert answer.status_code == 422
        [detail] = answer.json()["detail"]
        assert (detail["type"], detail["loc"]) == ("int_parsing", ["path", "chat_id"])

    def refused(self, person: Person, method: str, path: str) -> None:
        answer = person.http.request(method, path, json={"text": "x"} if method == "POST" else None)
        assert (answer.status_code, answer.text) == (403, NO_ACCESS)
