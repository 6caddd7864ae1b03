"""Whoever ends one of their sessions from elsewhere closes its sockets, in every dialect and on every node."""

from __future__ import annotations

import contextlib
import time

import pytest

from .dialects import IN_LOBBY
from .dialects import opened as open_client
from .town import LOBBY, PASSWORD, Person, Server

SOON = 2.0  # seconds, as docs/native.md promises; a busy machine gets more


@pytest.mark.parametrize("path", ["/sessions/{id}", "/sessions"])
async def test_the_sockets_of_a_session_that_is_ended_close_in_every_dialect(server: Server, path: str) -> None:
    lost = server.person()
    other = server.http.post("/v1/login", json={"username": lost.name, "password": PASSWORD}).json()["token"]
    headers = {"Authorization": f"Bearer {other}"}
    [here, there] = server.http.get("/v1/sessions", headers=headers).json()["items"]
    assert (here["current"], there["current"]) == (True, False)
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_client(server.port, one, lost, LOBBY)) for one in IN_LOBBY]
        stays = await stack.enter_async_context(open_client(server.port, IN_LOBBY[0], _with(lost, other), LOBBY))
        listed = server.http.get("/v1/sessions", headers=headers).json()["items"]
        assert [one["connected"] for one in listed] == [True, True]
        began = time.monotonic()
        answer = server.http.delete(f"/v1{path.format(id=there['id'])}", headers=headers)
        assert answer.status_code == 204
        for client in clients:  # Socket.IO disconnects the client, and leaves the connection to it
            await client.until(lambda client: client.closed or "41" in client.frames)
        assert time.monotonic() - began < 10 * SOON
        await stays.say("still here")
        await stays.receives("still here")
    assert lost.call("GET", "/me", expect=401)["code"] == "unauthenticated"
    [left] = server.http.get("/v1/sessions", headers=headers).json()["items"]
    assert (left["id"], left["current"]) == (here["id"], True)


def _with(person: Person, token: str) -> Person:
    """Return the same person, signed in by another session."""
    other = object.__new__(Person)
    other.__dict__.update(vars(person), token=token)
    return other
