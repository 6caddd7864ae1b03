"""POST /register, POST /login, GET /me, and what happens without a good token."""

from __future__ import annotations

import time

import httpx
import jwt
import pytest

from .conftest import Meet
from .harness import PASSWORD, SECRET, Person, Served


def register(http: httpx.Client, email: str, **more: object) -> httpx.Response:
    return http.post("/register", json={"email": email, "password": PASSWORD, **more})


class TestRegister:
    def test_answers_with_the_profile(self, http: httpx.Client) -> None:
        answer = register(http, "Eve@EXAMPLE.com", name="Ева")
        assert answer.status_code == 201
        assert answer.text == f'{{"email":"Eve@example.com","name":"Ева","id":{answer.json()["id"]}}}'

    @pytest.mark.parametrize("email", ["twice@example.com", "Twice@Example.com"])
    def test_an_email_has_one_account(self, http: httpx.Client, email: str) -> None:
        register(http, "twice@example.com", name="Раз")
        answer = register(http, email, name="Два")
        assert answer.status_code == 400
        assert answer.text == '{"detail":"Пользователь с таким email уже существует."}'

    def test_without_a_name_it_is_the_local_part(self, http: httpx.Client) -> None:
        assert register(http, "some.body@example.com").json()["name"] == "some.body"

    def test_a_long_local_part_still_makes_a_name(self, http: httpx.Client) -> None:
        assert register(http, f"{'l' * 60}@example.com").json()["name"] == "l" * 50

    def test_the_name_need_not_be_unique(self, http: httpx.Client) -> None:
        assert register(http, "one@example.com", name="Тёзка").status_code == 201
        assert register(http, "one@example.org", name="Тёзка").status_code == 201

    @pytest.mark.parametrize(
        ("body", "type", "field"),
        [
            ({"password": PASSWORD, "name": "x"}, "missing", "email"),
            ({"email": "m@example.com", "name": "x"}, "missing", "password"),
            ({"username": "x", "password": PASSWORD}, "missing", "email"),
            ({"email": "not an e-mail", "password": PASSWORD, "name": "x"}, "value_error", "email"),
            ({"email": "x@nodot", "password": PASSWORD, "name": "x"}, "value_error", "email"),
            ({"email": "x@host.test", "password": PASSWORD, "name": "x"}, "value_error", "email"),
            ({"email": "m@example.com", "password": "7 chars", "name": "x"}, "string_too_short", "password"),
            ({"email": "m@example.com", "password": "p" * 65, "name": "x"}, "string_too_long", "password"),
            ({"email": "m@example.com", "password": 12345678, "name": "x"}, "string_type", "password"),
            ({"email": "m@example.com", "password": PASSWORD, "name": ""}, "string_too_short", "name"),
            ({"email": "m@example.com", "password": PASSWORD, "name": "n" * 51}, "string_too_long", "name"),
            ({"email": "m@example.com", "password": PASSWORD, "name": None}, "string_type", "name"),
            ({"email": "m@example.com", "password": PASSWORD, "name": "a\u202eb"}, "value_error", "name"),
            ({"email": "m@example.com", "password": PASSWORD, "name": "a\0b"}, "value_error", "name"),
        ],
    )
    def test_what_does_not_fit(self, http: httpx.Client, body: dict[str, object], type: str, field: str) -> None:
        answer = http.post("/register", json=body)
        assert answer.status_code == 422
        [detail] = answer.json()["detail"]
        assert (detail["type"], detail["loc"]) == (type, ["body", field])

    def test_the_words_of_fastapi(self, http: httpx.Client) -> None:
        answer = http.post("/register", json={"email": "m@example.com", "password": "короткий"[:7], "name": "x"})
        assert answer.json() == {
            "detail": [
                {
                    "type": "string_too_short",
                    "loc": ["body", "password"],
                    "msg": "String should have at least 8 characters",
                    "ctx": {"min_length": 8},
                }
            ]
        }

    @pytest.mark.parametrize("password", ["p" * 8, "п" * 64])
    def test_passwords_are_counted_in_characters(self, http: httpx.Client, password: str) -> None:
        email = f"password{len(password)}@example.com"
        assert http.post("/register", json={"email": email, "password": password, "name": "x"}).status_code == 201
        assert http.post("/login", json={"email": email, "password": password}).status_code == 200

    def test_a_body_without_content_type_is_read(self, http: httpx.Client) -> None:
        body = b'{"email":"untyped@example.com","password":"secretpassword"}'
        assert http.post("/register", content=body).status_code == 201


class TestLogin:
    def test_answers_with_a_token(self, ann: Person, http: httpx.Client) -> None:
        answer = http.post("/login", json={"email": ann.email.upper(), "password": PASSWORD})
        assert answer.status_code == 200
        assert list(answer.json()) == ["access_token", "token_type"]
        assert answer.json()["token_type"] == "bearer"

    def test_the_token_lives_sixty_hours(self, ann: Person) -> None:
        claims = jwt.decode(ann.token, options={"verify_signature": False})
        assert claims["user_id"] == ann.id
        assert claims["exp"] - claims["iat"] == 60 * 3600

    def test_nobody(self, http: httpx.Client) -> None:
        answer = http.post("/login", json={"email": "nobody@example.com", "password": PASSWORD})
        assert (answer.status_code, answer.text) == (400, '{"detail":"Пользователь не найден."}')

    def test_a_wrong_password(self, ann: Person, http: httpx.Client) -> None:
        answer = http.post("/login", json={"email": ann.email, "password": "wrong password"})
        assert (answer.status_code, answer.text) == (400, '{"detail":"Неверный пароль."}')

    @pytest.mark.parametrize("body", [{}, {"email": "x"}, {"email": "a@example.com", "password": "short"}, [], "x", 1])
    def test_what_does_not_fit(self, http: httpx.Client, body: object) -> None:
        answer = http.post("/login", json=body)
        assert answer.status_code == 422
        assert isinstance(answer.json()["detail"], list)

    def test_an_account_of_another_door_signs_in(self, http: httpx.Client) -> None:
        body = {"username": "fromnative", "email": "fromnative@example.com", "password": "correct horse"}
        http.post("/v1/register", json=body).raise_for_status()
        answer = http.post("/login", json={"email": "fromnative@example.com", "password": "correct horse"})
        assert answer.status_code == 200


class TestMe:
    def test_answers_with_the_profile(self, ann: Person) -> None:
        answer = ann.http.get("/me")
        assert (answer.status_code, answer.text) == (200, f'{{"email":"{ann.email}","name":"Ann","id":{ann.id}}}')

    def test_an_account_without_email(self, server: Served) -> None:
        with server.http() as http:
            answer = http.post("/v1/register", json={"username": "mailless", "password": "correct horse"})
            token = answer.raise_for_status().json()["token"]
            me = http.get("/me", headers={"Authorization": f"Bearer {token}"})
        assert me.text == f'{{"email":null,"name":"mailless","id":{me.json()["id"]}}}'


CALLS = [
    ("GET", "/me"),
    ("GET", "/chats"),
    ("POST", "/chats"),
    ("GET", "/chats/1/messages"),
    ("POST", "/chats/1/messages"),
    ("GET", "/history/1"),
]


class TestTokens:
    @pytest.mark.parametrize(("method", "path"), CALLS)
    @pytest.mark.parametrize("header", [None, "", "Bearer", "Basic abc", "raw"])
    def test_no_token(self, http: httpx.Client, method: str, path: str, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header}
        answer = http.request(method, path, headers=headers)
        assert (answer.status_code, answer.text) == (401, '{"detail":"Not authenticated"}')
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_a_raw_token(self, ann: Person, http: httpx.Client) -> None:
        answer = http.get("/me", headers={"Authorization": ann.token})
        assert (answer.status_code, answer.text) == (401, '{"detail":"Not authenticated"}')

    def bad_tokens(self, ann: Person) -> list[str]:
        claims = jwt.decode(ann.token, options={"verify_signature": False})
        old = claims | {"iat": int(time.time()) - 100, "exp": int(time.time()) - 50}
        return [
            "rubbish",
            "a.b.c",
            ann.token[:-2],
            f"{ann.token}x",
            jwt.encode(claims, "another secret that is long enough, too", "HS256", headers={"kid": "1"}),
            jwt.encode(claims, "", "none", headers={"kid": "1"}),
            jwt.encode(old, SECRET, "HS256", headers={"kid": "1"}),
            jwt.encode({"user_id": ann.id}, SECRET, "HS256", headers={"kid": "1"}),
        ]

    def test_a_bad_token_on_me(self, ann: Person, http: httpx.Client) -> None:
        for token in self.bad_tokens(ann):
            answer = http.get("/me", headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.text) == (401, '{"detail":"Неверный или истекший токен"}')
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize(("method", "path"), CALLS[1:])
    def test_a_bad_token_elsewhere(self, ann: Person, http: httpx.Client, method: str, path: str) -> None:
        for token in self.bad_tokens(ann):
            answer = http.request(method, path, headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.text) == (401, '{"detail":"Invalid authentication credentials"}')
            assert "WWW-Authenticate" not in answer.headers

    def test_a_token_of_an_ended_session(self, meet: Meet) -> None:
        ann = meet("ann")
        ann.http.post("/v1/logout").raise_for_status()
        assert ann.http.get("/me").text == '{"detail":"Неверный или истекший токен"}'
        assert ann.http.get("/chats").text == '{"detail":"Invalid authentication credentials"}'

    def test_one_token_opens_every_door(self, meet: Meet) -> None:
        eve = meet("eve")
        assert eve.http.get("/v1/me").json()["id"] == eve.id


class TestAround:
    def test_health(self, http: httpx.Client) -> None:
        assert http.get("/health").text == '{"status":"все ок👌"}'
        assert http.get("/healthz").text == '{"status":"ok"}'

    @pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
    def test_documentation(self, http: httpx.Client, path: str) -> None:
        assert http.get(path).status_code == 200

    def test_the_document_tells_every_call(self, http: httpx.Client) -> None:
        paths = http.get("/openapi.json").json()["paths"]
        calls = {(method.upper(), path) for path, methods in paths.items() for method in methods}
        assert calls >= {
            ("POST", "/register"),
            ("POST", "/login"),
            ("GET", "/me"),
            ("GET", "/chats"),
            ("POST", "/chats"),
            ("GET", "/chats/{chat_id}/messages"),
            ("POST", "/chats/{chat_id}/messages"),
            ("GET", "/history/{chat_id}"),
            ("GET", "/health"),
        }

    @pytest.mark.parametrize("path", ["/nothing", "/history", "/chats/1", "/ws/1"])
    def test_unknown_paths(self, http: httpx.Client, path: str) -> None:
        answer = http.get(path)
        assert (answer.status_code, answer.text) == (404, '{"detail":"Not Found"}')

    def test_wrong_methods(self, http: httpx.Client) -> None:
        answer = http.delete("/chats")
        assert (answer.status_code, answer.text) == (405, '{"detail":"Method Not Allowed"}')

    def test_pages_of_other_origins_may_ask(self, http: httpx.Client) -> None:
        headers = {
            "Origin": "https://page.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        answer = http.options("/chats", headers=headers)
        assert (answer.status_code, answer.text) == (200, "OK")
        assert answer.headers["Access-Control-Allow-Origin"] == "https://page.example"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
