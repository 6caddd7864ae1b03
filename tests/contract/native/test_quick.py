"""The quick routes answer exactly as FastAPI's routes do.

A request with `bearer` instead of `Bearer` is left to FastAPI. So each request is made in both ways, and the answers
are compared: status, headers and body.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from laws.town import Server, serving

from tests.veche_process import VECHE

JSON = {"Content-Type": "application/json"}
UNIQUE = ("id", "seq", "at")  # of a new message


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("quick")) as server:
        yield server


class Both:
    """Makes the same request in both ways, as one person with a room, and returns the two answers."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.person = server.person()
        self.room = self.person.make_room()
        for number in range(7):
            self.person.say(self.room, f"message {number}")

    def ask(
        self, method: str, path: str, body: bytes | None = None, token: str | None = None, **headers: str
    ) -> list[httpx.Response]:
        path = path.replace("ROOM", str(self.room))
        given = token if token is not None else self.person.token
        return [
            self.server.http.request(
                method, path, content=body, headers={"Authorization": f"{scheme} {given}", **headers}
            )
            for scheme in ("Bearer", "bearer")
        ]


def shown(response: httpx.Response) -> tuple[int, dict[str, str], Any]:
    headers = {name: value for name, value in response.headers.items() if name not in ("date", "content-length")}
    body = response.json() if response.content else None
    if isinstance(body, dict) and "text" in body:
        body = {name: value for name, value in body.items() if name not in UNIQUE}
    return response.status_code, headers, body


@pytest.fixture(scope="module")
def both(server: Server) -> Both:
    return Both(server)


READS = [
    *["/v1/rooms", "/v1/rooms?limit=1", "/v1/rooms?cursor=0&limit=200", "/v1/rooms?cursor=1", "/native/v1/rooms"],
    *["/v1/rooms?limit=0", "/v1/rooms?limit=201", "/v1/rooms?limit=x", "/v1/rooms?limit=%31", "/v1/rooms?other=1"],
    *["/v1/rooms?cursor=x", "/v1/rooms?cursor=99999999999999999999", "/v1/rooms?limit=1&limit=2", "/v1/rooms?limit="],
    *["/v1/rooms/", "/v1/rooms/ROOM/messages/"],
    *[
        f"/v1/rooms/ROOM/messages{query}"
        for query in (
            *("", "?limit=3", "?limit=03", "?limit=3&before_seq=5", "?after_seq=2&limit=2", "?around_seq=4&limit=3"),
            *("?before_seq=0", "?before_seq=9223372036854775807", "?before_seq=9223372036854775808", "?after_seq=-1"),
            *("?before_seq=1&after_seq=1", "?limit=3&limit=4", "?before_seq=", "?nothing", "?limit=1e1", "?limit=3&"),
        )
    ],
    *["/v1/rooms/0/messages", "/v1/rooms/-1/messages", "/v1/rooms/01/messages", "/v1/rooms/x/messages"],
    *["/v1/rooms/999999/messages", "/v1/rooms/9223372036854775808/messages", "/v1/rooms/1e3/messages"],
    *["/v1/rooms/999999999999999999999/messages", "/v1/rooms/%31/messages", "/v1/rooms/١/messages"],
]


@pytest.mark.parametrize("path", READS)
def test_a_read(both: Both, path: str) -> None:
    quick, slow = both.ask("GET", path)
    assert shown(quick) == shown(slow)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/rooms", "/v1/rooms/ROOM/messages"])
def test_another_method(both: Both, method: str, path: str) -> None:
    quick, slow = both.ask(method, path)
    assert shown(quick) == shown(slow)


BODIES = [
    *[
        {"text": "hi"},
        {"text": "hi", "client_message_id": None},
        {"text": "привет \x01 \u2028"},
        {"text": "x" * 16_384},
    ],
    *[{"text": ""}, {"text": "x" * 16_385}, {"text": "\0"}, {"text": 1}, {"text": None}, {"text": ["hi"]}, {}],
    *[{"text": "hi", "client_message_id": ""}, {"text": "hi", "client_message_id": "x" * 65}],
    *[{"text": "hi", "client_message_id": 1}, {"text": "hi", "client_message_id": "a\nb"}, {"text": "hi", "more": 1}],
    *[[], "hi", None, 1],
]
RAW = [
    *[b"", b"{", b"nothing", b'{"text":"hi"} ', b' {"text":"hi"}', b'{"text":"hi"}x', b'{"text":"hi","text":"ho"}'],
    *[b'{"text":"\\ud800"}', b'{"text":"\xff"}', b'\xef\xbb\xbf{"text":"hi"}', b'{"text":NaN}', b'{"text":"a\nb"}'],
    *['{"text":"hi"}'.encode("utf-16"), b"[" * 2000],
]


@pytest.mark.parametrize("body", [*(json.dumps(body).encode() for body in BODIES), *RAW], ids=lambda body: body[:30])
def test_a_message(both: Both, body: bytes) -> None:
    quick, slow = both.ask("POST", "/v1/rooms/ROOM/messages", body, **JSON)
    assert shown(quick) == shown(slow)


@pytest.mark.parametrize("room", ["0", "01", "x", "999999", "9223372036854775808"])
def test_a_message_to_a_room_that_is_not_there(both: Both, room: str) -> None:
    quick, slow = both.ask("POST", f"/v1/rooms/{room}/messages", b'{"text":"hi"}', **JSON)
    assert shown(quick) == shown(slow)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/json; charset=utf-8", "application/x+json", "APPLICATION/JSON"]
)
def test_a_message_of_another_content_type(both: Both, kind: str) -> None:
    quick, slow = both.ask("POST", "/v1/rooms/ROOM/messages", b'{"text":"hi"}', **{"Content-Type": kind})
    assert shown(quick) == shown(slow)


@pytest.mark.parametrize("key", ["k-1", "", "x" * 65, "ключ".encode().decode("latin-1")])
def test_a_message_with_an_idempotency_key(both: Both, key: str) -> None:
    headers = {**JSON, "Idempotency-Key": key.encode("latin-1")}
    first, again = both.ask("POST", "/v1/rooms/ROOM/messages", b'{"text":"key"}', **headers)  # type: ignore[arg-type]
    (one, *one_shown), (two, *two_shown) = shown(first), shown(again)
    assert one_shown == two_shown
    assert (one, two) in ((201, 200), (422, 422), (200, 200))


@pytest.mark.parametrize("token", ["x", "a b", "x" * 20_000])
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/rooms"), ("POST", "/v1/rooms/ROOM/messages")])
def test_a_bad_token(both: Both, method: str, path: str, token: str) -> None:
    quick, slow = both.ask(method, path, b'{"text":"hi"}' if method == "POST" else None, token, **JSON)
    assert shown(quick) == shown(slow)
    assert quick.status_code == 401


def test_cors_and_safety_headers(both: Both) -> None:
    quick, slow = both.ask("GET", "/v1/rooms", Origin="https://a.example")
    assert shown(quick) == shown(slow)
    assert quick.headers["access-control-allow-origin"]
    assert quick.headers["x-content-type-options"] == "nosniff"
    assert quick.headers["cache-control"] == "no-store"


def test_a_session_that_ended_is_refused_by_the_next_request(server: Server) -> None:
    """Also if another process ended it, and the signature of the token is remembered."""
    both = Both(server)
    calls = [
        ("GET", "/v1/rooms", None),
        ("GET", "/v1/rooms/ROOM/messages", None),
        ("POST", "/v1/rooms/ROOM/messages", b'{"text":"hi"}'),
        ("GET", "/v1/me", None),
        ("GET", "/v1/rooms/public", None),
        ("GET", "/v1/rooms/ROOM", None),
        ("GET", "/v1/rooms/ROOM/members", None),
        ("POST", "/v1/rooms/ROOM/read", b'{"seq":1}'),
    ]
    for method, path, body in calls:
        assert all(response.is_success for response in both.ask(method, path, body, **JSON))
    change_password(server.database_url, both.person.name)
    for method, path, body in calls:
        assert [response.status_code for response in both.ask(method, path, body, **JSON)] == [401, 401]


def change_password(database_url: str, username: str) -> None:
    """End all sessions of an account, from another process."""
    command = [
        VECHE,
        "user",
        "password",
        username,
        "--password",
        "another horse",
        "--database-url",
        database_url,
    ]
    subprocess.run(command, check=True, capture_output=True)


def test_a_client_that_hangs_up_in_the_middle_of_its_body_disturbs_nobody(both: Both) -> None:
    head = f"POST /v1/rooms/{both.room}/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {both.person.token}\r\n"
    for _ in range(5):
        with contextlib.closing(socket.create_connection(("127.0.0.1", both.server.port))) as peer:
            peer.sendall((head + "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{").encode())
    assert both.ask("GET", "/v1/rooms")[0].status_code == 200


def test_two_idempotency_keys_are_left_to_fastapi(both: Both) -> None:
    same = [("Idempotency-Key", "one"), ("Idempotency-Key", "two"), ("Content-Type", "application/json")]
    path = f"/v1/rooms/{both.room}/messages"
    stored = []
    for scheme in ("Bearer", "bearer"):
        headers = [*same, ("Authorization", f"{scheme} {both.person.token}")]
        stored.append(both.server.http.post(path, content=b'{"text":"keys"}', headers=headers))
    assert [response.json()["client_message_id"] for response in stored] == ["one", "one"]
    assert [response.status_code for response in stored] == [201, 200]
