"""Tokens and sessions: a token is the only thing that identifies somebody, and it is carried as the contract says.

What a token may be is tested in tests/unit/service/test_tokens.py, and at each dialect with its bad input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from laws.town import PASSWORD, Server, serving

SIGNING_IN = [
    ("POST", "/v1/login", {"username": "ann", "password": PASSWORD}),
    ("POST", "/signin", {"username": "ann", "password": PASSWORD}),
    ("PUT", "/login", {"email": "ann", "password": PASSWORD}),
    ("POST", "/api/auth/login", {"username": "ann", "password": PASSWORD}),
    ("POST", "/messenger/login", {"email": "ann@example.com", "password": PASSWORD}),
]


def test_there_are_no_cookies_so_no_page_can_use_those_of_somebody(server: Server) -> None:
    """No answer sets one, and a token in one identifies nobody."""
    ann = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
    answers = [server.http.post("/v1/register", json=ann).raise_for_status()]
    token = answers[0].json()["token"]
    for method, path, body in SIGNING_IN:
        answers.append(server.http.request(method, path, json=body).raise_for_status())
    paths = ("/", "/docs", "/healthz", "/v1/limits", "/socket.io/?EIO=4&transport=polling")
    answers += [server.http.get(path).raise_for_status() for path in paths]
    assert not [str(answer.url) for answer in answers if "set-cookie" in answer.headers]
    carried = f"token={token}; access_token={token}; Authorization=Bearer {token}; session={token}"
    for path in ("/v1/me", "/me", "/profile", "/api/users"):
        assert server.http.get(path, headers={"Cookie": carried}).status_code == 401, path


FIRST, SECOND = "6f1d0a7c3e9b48521f0e7d6c5b4a3928", "b1946ac92492d2347c6235b4d2611184"
ANN = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
GIVEN = {"/v1/me": "Bearer ", "/me": "Bearer ", "/profile": "", "/api/users": "Bearer ", "/echo_ws": "Bearer "}
"""A call of each dialect that needs a token, and what stands before the token."""


def tokens_of_all(server: Server) -> list[str]:
    """Return a token of each dialect."""
    tokens = []
    for method, path, body in SIGNING_IN:
        answer = server.http.request(method, path, json=body).raise_for_status()
        is_json = answer.headers["content-type"].startswith("application/json")
        found = answer.json() if is_json else {"token": answer.text}
        tokens.append(str(found.get("token") or found["access_token"]))
    return tokens


def statuses(server: Server, tokens: list[str]) -> set[int]:
    """Return how all dialects answer to these tokens."""
    answers = [
        server.http.get(path, headers={"Authorization": f"{before}{token}"})
        for token in tokens
        for path, before in GIVEN.items()
    ]
    return {answer.status_code for answer in answers}


def in_file(folder: Path) -> str:
    (folder / "old").write_text(f"{FIRST}\n")
    return str(folder / "old")


def made_by_the_server(folder: Path) -> str:
    """Rename the secret that the server has made. The next start makes another."""
    path = folder / "veche.db.secret"
    return str(path.rename(path.with_suffix(".old")))


def test_a_new_secret_signs_and_the_tokens_of_the_old_one_go_on_until_it_is_removed(tmp_path: Path) -> None:
    with serving(tmp_path, VECHE_SECRET=FIRST) as server:
        server.http.post("/v1/register", json=ANN).raise_for_status()
        old = tokens_of_all(server)
        assert statuses(server, old) == {200}
        server.stop()
    with serving(tmp_path, VECHE_SECRET=SECOND, VECHE_OLD_SECRET=FIRST) as server:
        assert statuses(server, old) == {200}
        new = tokens_of_all(server)
        assert statuses(server, new) == {200}
        server.stop()
    with serving(tmp_path, VECHE_SECRET=SECOND) as server:
        assert statuses(server, old) == {401}
        assert statuses(server, new) == {200}, "the old secret has signed none of them"
        server.stop()
    with serving(tmp_path, VECHE_SECRET=FIRST) as server:
        assert statuses(server, new) == {401}
        server.stop()


BESIDE = pytest.mark.one_node("it looks for the secret beside the SQLite file")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"VECHE_SECRET": FIRST}, lambda folder: {"VECHE_SECRET": SECOND, "VECHE_OLD_SECRET_FILE": in_file(folder)}),
        pytest.param({}, lambda folder: {"VECHE_OLD_SECRET_FILE": made_by_the_server(folder)}, marks=BESIDE),
        pytest.param(
            {},
            lambda folder: {"VECHE_SECRET": SECOND, "VECHE_OLD_SECRET_FILE": made_by_the_server(folder)},
            marks=BESIDE,
        ),
        (
            {"JWT_SECRET": FIRST},
            lambda _: {"VECHE_SECRET": SECOND, "VECHE_OLD_SECRET": hashlib.sha256(FIRST.encode()).hexdigest()},
        ),
    ],
)
def test_the_old_secret_may_be_wherever_the_secret_was(
    tmp_path: Path, before: dict[str, str], after: Callable[[Path], dict[str, str]]
) -> None:
    with serving(tmp_path, **before) as server:
        server.http.post("/v1/register", json=ANN).raise_for_status()
        old = tokens_of_all(server)
        server.stop()
    with serving(tmp_path, **after(tmp_path)) as server:
        assert statuses(server, old) == {200}
        assert statuses(server, tokens_of_all(server)) == {200}
        server.stop()
