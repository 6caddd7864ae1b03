"""Authorisation: who may call what, and what a client says of itself and of what is stored."""

from __future__ import annotations

import os

import pytest
from laws.town import LOBBY, PASSWORD, Person, Server
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .standings import STANDINGS, stage, with_outsiders


class Call:
    """A call about a private room, and the status that each standing gets (`with_outsiders`)."""

    def __init__(self, line: str, statuses: str, body: dict[str, object] | None = None, **others: str) -> None:
        self.line, self.body = line, body
        self.statuses = with_outsiders(statuses, **others)


NATIVE = [
    Call("GET /v1/rooms/{room_id}", "401 404 200 200 200 200"),
    Call("PATCH /v1/rooms/{room_id}", "401 404 403 403 403 200", {"name": "Other"}),
    Call("PATCH /v1/rooms/{room_id}", "401 404 403 403 200 200", {"topic": "Lunch", "slow_seconds": 0}),
    Call("PATCH /v1/rooms/{room_id}", "401 404 403 403 403 200", {"archived": True}),
    Call("GET /v1/rooms/{room_id}/members", "401 404 200 200 200 200"),
    Call("POST /v1/rooms/{room_id}/members", "401 404 403 403 202 202", {"account_id": "guest"}),
    Call("POST /v1/rooms/{room_id}/join", "401 404 200 200 200 200", invited="200"),
    Call("POST /v1/rooms/{room_id}/leave", "401 404 204 204 204 204"),
    Call("PATCH /v1/rooms/{room_id}/members/{account_id}", "401 404 403 403 403 200", {"role": "reader"}),
    Call("DELETE /v1/rooms/{room_id}/members/{account_id}", "401 404 403 403 204 404"),
    Call("GET /v1/rooms/{room_id}/invitations", "401 404 403 403 200 200"),
    Call("POST /v1/rooms/{room_id}/invitations", "401 404 403 403 200 200", {"account_id": "guest"}),
    Call("DELETE /v1/rooms/{room_id}/invitations/{account_id}", "401 404 403 403 204 204"),
    Call("GET /v1/rooms/{room_id}/links", "401 404 403 403 200 200"),
    Call("POST /v1/rooms/{room_id}/links", "401 404 403 403 201 201", {}),
    Call("DELETE /v1/rooms/{room_id}/links/{code}", "401 404 403 403 204 204"),
    Call("GET /v1/links/{code}", "401 200 200 200 200 200"),
    Call("POST /v1/links/{code}/join", "401 200 200 200 200 200", banned="403"),
    Call("GET /v1/rooms/{room_id}/bans", "401 404 403 403 200 200"),
    Call("POST /v1/rooms/{room_id}/bans", "401 404 403 403 200 200", {"account_id": "guest"}),
    Call("DELETE /v1/rooms/{room_id}/bans/{account_id}", "401 404 403 403 204 204"),
    Call("POST /v1/rooms/{room_id}/messages", "401 404 403 201 201 201", {"text": "hi"}),
    Call("GET /v1/rooms/{room_id}/messages/{message_id}", "401 404 200 200 200 200"),
    Call("PATCH /v1/rooms/{room_id}/messages/{message_id}", "401 404 403 403 403 200", {"text": "ho"}),
    Call("GET /v1/rooms/{room_id}/messages/{message_id}/seen", "401 404 200 200 200 200"),
    Call("GET /v1/rooms/{room_id}/messages/{message_id}/revisions", "401 404 403 403 200 200"),
    Call("DELETE /v1/rooms/{room_id}/messages/{message_id}", "401 404 403 403 204 204"),
    Call("GET /v1/rooms/{room_id}/messages", "401 404 200 200 200 200"),
    Call("GET /v1/files/{file_id}", "401 404 200 200 200 200"),
    Call("GET /v1/files/{file_id}/thumbnail", "401 404 404 404 404 404"),  # it is a text
    Call("POST /v1/files/{file_id}/ticket", "401 404 201 201 201 201"),
    Call("GET /v1/rooms/{room_id}/threads/{thread_id}", "401 404 200 200 200 200"),
    Call("PUT /v1/rooms/{room_id}/threads/{thread_id}/follow", "401 404 204 204 204 204"),
    Call("DELETE /v1/rooms/{room_id}/threads/{thread_id}/follow", "401 404 204 204 204 204"),
    Call("GET /v1/rooms/{room_id}/messages/{message_id}/reactions/{emoji}", "401 404 200 200 200 200"),
    Call("PUT /v1/rooms/{room_id}/messages/{message_id}/reactions/{emoji}", "401 404 403 204 204 204"),
    Call("DELETE /v1/rooms/{room_id}/messages/{message_id}/reactions/{emoji}", "401 404 403 204 204 204"),
    Call("GET /v1/rooms/{room_id}/pins", "401 404 200 200 200 200"),
    Call("PUT /v1/rooms/{room_id}/pins/{message_id}", "401 404 403 204 204 204"),
    Call("DELETE /v1/rooms/{room_id}/pins/{message_id}", "401 404 403 204 204 204"),
    Call("PUT /v1/rooms/{room_id}/notify", "401 404 204 204 204 204", {"level": "none"}),
    Call("POST /v1/rooms/{room_id}/read", "401 404 204 204 204 204", {"seq": 1}),
]
OLDER = [
    Call("PUT /join", "401 401 401 401 401 401", {"room_id": "room_id"}, invited="200"),
    Call("PUT /invite", "401 403 403 403 403 200", {"room_id": "room_id", "user_id": "guest"}),
    Call("GET /chats/{chat_id}/messages", "401 403 200 200 200 200"),
    Call("POST /chats/{chat_id}/messages", "401 403 403 200 200 200", {"text": "hi"}),
    Call("GET /history/{chat_id}", "401 403 200 200 200 200"),
]
PERSONAL = {  # about the account that asks: the status without a token, and the one with it
    "POST /v1/logout": "401 204",
    "GET /v1/me": "401 200",
    "PATCH /v1/me": "401 200",
    "DELETE /v1/me": "401 422",
    "PUT /v1/me/password": "401 422",
    "GET /v1/sessions": "401 200",
    "DELETE /v1/sessions": "401 204",
    "DELETE /v1/sessions/{session_id}": "401 204",
    "GET /v1/people": "401 422",
    "GET /v1/invitations": "401 200",
    "DELETE /v1/invitations/{room_id}": "401 422",
    "GET /v1/blocks": "401 200",
    "PUT /v1/blocks/{account_id}": "401 422",
    "DELETE /v1/blocks/{account_id}": "401 422",
    "GET /v1/rooms": "401 200",
    "GET /v1/threads": "401 200",
    "POST /v1/files": "401 422",
    "GET /v1/search": "401 404",  # it is switched off
    "GET /v1/rooms/public": "401 200",
    "POST /v1/rooms": "401 422",
    "GET /profile": "401 200",
    "PUT /change-name": "401 400",
    "POST /create-room": "401 400",
    "GET /api/users": "401 200",
    "GET /api/messages": "401 200",
    "GET /history": "403 200",
    "GET /echo_ws": "403 200",
    "GET /pub_ws": "403 200",
    "GET /api/v1/history": "403 200",
    "GET /api/v1/echo_ws": "403 200",
    "GET /api/v1/pub_ws": "403 200",
    "GET /me": "401 200",
    "GET /chats": "401 200",
    "POST /chats": "401 422",
}
FREE = {  # one signs in with it, or it tells nothing of anybody
    *("POST /v1/register", "POST /v1/login", "POST /signup", "POST /signin", "POST /register", "PUT /login"),
    *("POST /login", "POST /api/auth/login", "POST /api/auth/register", "POST /api/v1/register"),
    *("POST /api/v1/login", "POST /v1/refresh", "GET /v1/limits", "GET /health", "GET /connect"),
}
RAW = ("/profile", "/change-name", "/create-room", "/join", "/invite")  # rooms: a token without `Bearer`


def authorization(path: str, person: Person | None) -> dict[str, str]:
    if person is None:
        return {}
    return {"Authorization": person.token if path in RAW else f"Bearer {person.token}"}


def test_every_call_has_its_row(server: Server) -> None:
    paths = server.http.get("/openapi.json").json()["paths"]
    served = {f"{method.upper()} {path}" for path, calls in paths.items() for method in calls}
    assert served == {call.line for call in (*NATIVE, *OLDER)} | set(PERSONAL) | FREE


@pytest.mark.parametrize("call", [*NATIVE, *OLDER], ids=lambda call: call.line)
def test_who_may_call_what_about_a_private_room(server: Server, others: dict[str, Person], call: Call) -> None:
    found = stage(server, others)
    body = call.body and {name: found.values.get(str(value), value) for name, value in call.body.items()}
    method, _, path = call.line.partition(" ")
    url = path.format(**found.values)
    got = {
        name: server.http.request(method, url, json=body, headers=authorization(path, found.people[name])).status_code
        for name in STANDINGS
    }
    assert {name: str(status) for name, status in got.items()} == call.statuses


@pytest.mark.parametrize("line", PERSONAL)
def test_what_is_about_oneself_needs_a_token(server: Server, line: str) -> None:
    method, _, path = line.partition(" ")
    body = {} if method != "GET" else None
    person = server.person()
    got = [
        server.http.request(method, path, json=body, headers=authorization(path, who)).status_code
        for who in (None, person)
    ]
    assert " ".join(map(str, got)) == PERSONAL[line]


COLUMNS = {"id": 7, "role": "owner", "admin": True, "sender_id": 1, "seq": 1, "created_at": 1, "creator_id": 1}
COLUMNS |= {"password_hash": "x", "handle": "root", "skeleton": "root", "kind": "notice", "origin": "x", "ascii": 0}


def test_what_a_client_says_of_stored_columns_changes_nothing(server: Server) -> None:
    """The older contracts ignore fields that they do not know. Native refuses them."""
    first, ann = server.person(), server.person()
    room = first.make_room(ann)
    bearer = {"Authorization": f"Bearer {ann.token}"}
    answer = server.http.post(f"/chats/{room}/messages", json={**COLUMNS, "text": "mine"}, headers=bearer)
    said = answer.raise_for_status().json()
    assert (said["sender_id"], said["text"]) == (ann.id, "mine")
    stored = ann.history(room)[-1]
    assert (stored["id"], stored["sender"]["id"], stored["kind"]) == (said["id"], ann.id, "text")
    assert stored["id"] != COLUMNS["id"]
    assert said["created_at"] != COLUMNS["created_at"]
    name = f"col_{os.getpid()}"
    for path, own in (
        ("/api/auth/register", {"username": f"{name}_a", "password": PASSWORD}),
        ("/rooms/register", {"username": f"{name}_b", "email": f"{name}@example.com", "password": PASSWORD}),
    ):
        server.http.post(path, json=COLUMNS | own).raise_for_status()
        body = {"username": own["username"], "password": PASSWORD}
        me = server.http.post("/v1/login", json=body).raise_for_status().json()["me"]
        assert (me["id"] > ann.id, me["username"]) == (True, own["username"])


@pytest.mark.parametrize("door", ["/pub_ws/{name}", "/echo_ws/{name}"])
def test_a_name_in_a_path_identifies_nobody(server: Server, door: str) -> None:
    """Who connects is who the token says, or nobody."""
    ann, bob = server.person(), server.person()
    url = f"ws://127.0.0.1:{server.port}{door.format(name=ann.name)}"
    with connect(url) as nobody:
        nobody.recv(10)  # the reason
        with pytest.raises(ConnectionClosed, match="1008"):
            nobody.recv(10)
    with connect(f"{url}?token={bob.token}") as opened:
        opened.send("who am I?")
        frames = [str(opened.recv(10))]
        while "who am I?" not in frames[-1]:
            frames.append(str(opened.recv(10)))
        assert not frames[-1].startswith(ann.name)
    if door.startswith("/pub_ws"):
        assert frames[-1].startswith(f"{bob.name}:")
        assert bob.history(LOBBY)[-1]["sender"]["id"] == bob.id


def test_metrics_and_other_pages_for_operators_are_not_there(server: Server) -> None:
    for path in ("/metrics", "/admin", "/debug", "/v1/admin", "/v1/accounts", "/v1/users"):
        assert server.http.get(path).status_code == 404
