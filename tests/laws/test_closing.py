"""An operator closes an account while the server runs: its sockets close and its token is worth nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from .town import PASSWORD, Person, Server, run, serving


def veche(server: Server, *words: str) -> str:
    done = run("user", *words, "--database-url", server.database_url)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sign_in(server: Server, name: str) -> int:
    return server.http.post("/v1/login", json={"username": name, "password": PASSWORD}).status_code


@pytest.mark.parametrize("words", [("disable",), ("delete", "--yes"), ("end-sessions",)])
async def test_its_sockets_close_and_its_token_is_refused(
    server: Server, ann: Person, bob: Person, words: tuple[str, ...]
) -> None:
    async with ann.socket() as first, ann.socket() as second, bob.socket() as other:
        await asyncio.to_thread(veche, server, words[0], ann.name, *words[1:])
        assert await first.ended() == 4004
        assert await second.ended() == 4004
        assert ann.call("GET", "/me", expect=401)["code"] == "unauthenticated"
        assert await other.ask("sync") is not None
        assert bob.call("GET", "/me", expect=200)


def test_a_disabled_account_cannot_sign_in_through_any_door_until_it_is_enabled(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        body = {"username": "annie1", "password": "Fence123"}
        assert server.http.post("/v1/register", json=body | {"email": "annie1@example.com"}).status_code == 201
        doors = {
            "native": ("POST", "/v1/login", body),
            "native by e-mail": ("POST", "/v1/login", {"email": "annie1@example.com", "password": "Fence123"}),
            "dispatch": ("POST", "/dispatch/signin", body),
            "rooms": ("PUT", "/rooms/login", {"email": "annie1@example.com", "password": "Fence123"}),
            "socketio": ("POST", "/api/auth/login", body),
            "channels": ("POST", "/api/v1/login", body),
            "messenger": ("POST", "/messenger/login", {"email": "annie1@example.com", "password": "Fence123"}),
        }

        def statuses() -> dict[str, int]:
            return {
                name: server.http.request(method, path, json=fields).status_code
                for name, (method, path, fields) in doors.items()
            }

        wrong = {
            name: server.http.request(method, path, json={**fields, "password": "Wrong123"}).status_code
            for name, (method, path, fields) in doors.items()
        }
        before = statuses()
        assert set(before.values()) <= {200, 201}, before
        veche(server, "disable", "annie1")
        assert statuses() == wrong
        veche(server, "enable", "annie1")
        assert statuses() == before


def test_the_messages_of_a_deleted_account_stay_without_its_name(server: Server, ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    ann.say(room, "hi", "c1")
    veche(server, "delete", ann.name, "--yes")
    [message] = bob.history(room)
    assert message["text"] == "hi"
    assert message["sender"] == {"id": ann.id, "username": f"deleted-{ann.id}", "name": "Deleted account"}
    assert sign_in(server, ann.name) == sign_in(server, f"deleted-{ann.id}") == 401


async def test_a_renamed_account_keeps_its_id_its_sockets_and_its_sessions(server: Server, ann: Person) -> None:
    room, new_name = ann.make_room(), f"anna-{ann.name}"
    async with ann.socket() as socket:
        await asyncio.to_thread(veche, server, "rename", ann.name, new_name)
        me = ann.call("GET", "/me", expect=200)
        assert (me["id"], me["username"]) == (ann.id, new_name)
        assert (await socket.ask("send", room_id=room, text="hi"))["seq"] > 0
    assert ann.history(room)[-1]["sender"]["username"] == new_name
    assert sign_in(server, new_name) == 200
    assert sign_in(server, ann.name) == 401
