"""The refusals of POST /register and POST /login, and all kinds of bad tokens."""

from __future__ import annotations

import time

import httpx
import jwt
import pytest

from .harness import PASSWORD, SECRET, Person


class TestRegister:
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
    def test_invalid_bodies(self, http: httpx.Client, body: dict[str, object], type: str, field: str) -> None:
        answer = http.post("/register", json=body)
        assert answer.status_code == 422
        [detail] = answer.json()["detail"]
        assert (detail["type"], detail["loc"]) == (type, ["body", field])

    @pytest.mark.parametrize("password", ["p" * 8, "п" * 64])
    def test_passwords_are_counted_in_characters(self, http: httpx.Client, password: str) -> None:
        email = f"password{len(password)}@example.com"
        assert http.post("/register", json={"email": email, "password": password, "name": "x"}).status_code == 201
        assert http.post("/login", json={"email": email, "password": password}).status_code == 200


class TestLogin:
    def test_the_token_lives_sixty_hours(self, ann: Person) -> None:
        claims = jwt.decode(ann.token, options={"verify_signature": False})
        assert claims["user_id"] == ann.id
        assert claims["exp"] - claims["iat"] == 60 * 3600

    @pytest.mark.parametrize("body", [{}, {"email": "x"}, {"email": "a@example.com", "password": "short"}, [], "x", 1])
    def test_invalid_bodies(self, http: httpx.Client, body: object) -> None:
        answer = http.post("/login", json=body)
        assert answer.status_code == 422
        assert isinstance(answer.json()["detail"], list)


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
