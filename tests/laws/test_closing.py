"""An operator closes an account while the server runs: its sockets close and its token is worth nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from .town import PASSWORD, Server, serving, start

LOBBY = 2**31 - 1


def veche(server: Server, *words: str) -> str:
    process = start("user", *words, "--database-url", server.database_url)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    return out


def sign_in(server: Server, name: str) -> int:
    return server.http.post("/v1/login", json={"username": name, "password": PASSWORD}).status_code


@pytest.mark.parametrize("words", [("disable",), ("delete", "--yes"), ("end-sessions",)])
async def test_its_sockets_close_and_its_token_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    with serving(tmp_path) as server:
        ann, bob = server.person(), server.person()
        async with ann.socket() as first, ann.socket() as second, bob.socket() as other:
            veche(server, words[0], ann.name, *words[1:])
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


def test_the_messages_of_a_deleted_account_stay_without_its_name(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        ann, bob = server.person(), server.person()
        ann.say(LOBBY, "hi", "c1")
        veche(server, "delete", ann.name, "--yes")
        [message] = [one for one in bob.history(LOBBY) if one["text"] == "hi"]
        assert message["sender"] == {"id": ann.id, "username": f"deleted-{ann.id}", "name": "Deleted account"}
        assert sign_in(server, ann.name) == sign_in(server, f"deleted-{ann.id}") == 401


async def test_a_renamed_account_keeps_its_id_its_sockets_and_its_sessions(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        ann = server.person()
        async with ann.socket() as socket:
            veche(server, "rename", ann.name, "anna")
            me = ann.call("GET", "/me", expect=200)
            assert (me["id"], me["username"]) == (ann.id, "anna")
            assert (await socket.ask("send", room_id=LOBBY, text="hi"))["seq"] > 0
        assert ann.history(LOBBY)[-1]["sender"]["username"] == "anna"
        assert sign_in(server, "anna") == 200
        assert sign_in(server, ann.name) == 401
