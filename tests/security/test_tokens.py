"""Tokens and sessions: a token is the only thing that identifies somebody, and it is carried as the contract says.

What a token may be is tested in tests/unit/service/test_tokens.py, and at each dialect with its bad input.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from laws.town import PASSWORD, Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


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
