"""A socket lives as long as its token, and goes on with a newer one of its session (docs/native.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import jwt
import pytest
from conftest import SECRET, Servers
from transcript import Head

from veche.core.values import Account
from veche.service.tokens import LEEWAY, Tokens, keys_of

from .people import Frame, Person, receive_until_close, send_command

LONG = 3600


@pytest.fixture
def ann(servers: Servers) -> Iterator[Person]:
    person = Person.new(servers.shared(Head()).base, "ann")
    yield person
    person.close()


def token_of(person: Person, lifetime: int) -> str:
    """Make a token for the session of a person, valid for `lifetime` seconds from now on."""
    account = Account(person.id, person.username, person.username, person.username, None, 0)
    sid = jwt.decode(person.token, options={"verify_signature": False})["sid"]
    return Tokens(keys_of(SECRET)).mint(account, sid, lifetime)


def result(frames: list[Frame]) -> Frame:
    answer = frames[-1]
    found: Frame = answer.get("refresh") or answer["error"]
    return found


def test_hello_is_refused_as_soon_as_the_token_has_expired(ann: Person) -> None:
    """Although clocks may differ: the socket would be closed at once. REST takes the token for a while."""
    ann.token = token_of(ann, -1)
    late = {"Authorization": f"Bearer {token_of(ann, 5 - LEEWAY)}"}
    assert ann.http.get("/v1/me", headers=late).status_code == 200, "it is inside the leeway"
    socket = ann.socket()
    [error] = send_command(socket, 1, hello={"token": ann.token})
    assert error["error"]["code"] == "unauthenticated"
    assert receive_until_close(socket) == ([{"bye": {"code": 4001, "reason": "unauthenticated"}}], 4001)


def test_a_socket_lives_as_long_as_its_newest_token(ann: Person) -> None:
    first, second, third = (ann.listen()[0] for _ in range(3))
    while True:
        soon = token_of(ann, 2)
        got = [result(send_command(socket, 2, refresh={"token": soon})) for socket in (first, second)]
        got.append(result(send_command(first, 3, refresh={"token": token_of(ann, LONG)})))
        if all("expires_in" in answer for answer in got):  # on a busy machine, the token may have expired before
            break
    ends_at = jwt.decode(soon, options={"verify_signature": False})["exp"]
    assert got[0]["expires_in"] <= 2
    assert LONG - 30 <= got[2]["expires_in"] <= LONG
    assert receive_until_close(second) == (
        [{"bye": {"code": 4201, "reason": "token_expired", "retry_after_ms": 0}}],
        4201,
    )
    assert -0.5 <= time.time() - ends_at <= 8, "at the end of the token; the rest is for a busy machine"
    for socket in (first, third):
        assert "sync" in send_command(socket, 4, sync={})[-1]


def test_a_bad_token_or_one_of_another_session_changes_nothing(ann: Person, servers: Servers) -> None:
    again = ann.http.post("/v1/login", json={"username": ann.username, "password": "correct horse"}).json()["token"]
    bob = Person.new(servers.shared(Head()).base, "bob")
    socket, _ = ann.listen()
    cases = [
        ("x", "unauthenticated"),
        (token_of(ann, -1), "unauthenticated"),
        (token_of(ann, -LONG), "unauthenticated"),
    ]
    for token, code in [*cases, (again, "forbidden"), (bob.token, "forbidden")]:
        assert result(send_command(socket, 2, refresh={"token": token}))["code"] == code
    assert result(send_command(socket, 3, refresh={"token": ann.token}))["expires_in"] > LONG
    bob.close()


def test_before_hello_there_is_nothing_to_refresh(ann: Person) -> None:
    assert result(send_command(ann.socket(), 1, refresh={"token": ann.token}))["code"] == "unauthenticated"


def test_one_refresh_is_carried_out_at_a_time(ann: Person) -> None:
    """So a client that sends many makes no more tasks than one that sends few."""
    socket, _ = ann.listen()
    codes: set[str] = set()
    for _ in range(30):  # until several are received at once
        for id in range(2, 30):
            socket.send(json.dumps({"id": id, "refresh": {"token": ann.token}}))
        frames = send_command(socket, 30, sync={})
        codes |= {frame["error"]["code"] for frame in frames if "error" in frame}
        if codes:
            break
    assert codes == {"rate_limited"}
