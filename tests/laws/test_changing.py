"""What is edited or deleted: shown as it is now, nowhere twice, and in the older dialects without a frame."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .dialects import CHANNELS, DISPATCH, IN_LOBBY, MESSENGER, NATIVE, Dialect, opened
from .town import LOBBY, Frame, Server, Socket, serving

OTHERS = tuple(dialect for dialect in IN_LOBBY if dialect is not NATIVE)
DELETED = "Сообщение удалено"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


async def change(socket: Socket, message: Frame, text: str | None, **client_id: str) -> Frame:
    """Edit a message, or delete it if there is no text."""
    where = {"room_id": message["room_id"], "message_id": message["id"]} | client_id
    name = "delete" if text is None else "edit"
    answer: Frame = await socket.ask(name, **where, **({} if text is None else {"text": text}))
    return answer


async def test_clients_of_the_older_dialects_get_nothing_of_a_change(server: Server) -> None:
    ann, bob = server.person(), server.person()
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(opened(server.port, dialect, bob, LOBBY)) for dialect in OTHERS]
        socket = await stack.enter_async_context(ann.socket())
        one, other = [await asyncio.to_thread(ann.say, LOBBY, text) for text in ("first", "second")]
        for client in clients:
            await client.receives("first", "second")
        before = [len(client.frames) for client in clients]
        assert (await change(socket, one, "changed"))["revision"] == 1
        assert (await change(socket, other, None))["revision"] == 1
        await asyncio.to_thread(ann.say, LOBBY, "after")
        for client, seen in zip(clients, before, strict=True):
            await client.receives("after")
            assert (client.dialect.name, len(client.frames) - seen, client.closed) == (client.dialect.name, 1, False)


@pytest.mark.parametrize("dialect", [DISPATCH, CHANNELS], ids=lambda dialect: dialect.name)
async def test_a_replay_shows_the_present_text_and_leaves_out_what_is_deleted(server: Server, dialect: Dialect) -> None:
    ann, bob = server.person(), server.person()
    texts = [f"{dialect.name} {word}" for word in ("kept", "edited", "deleted")]
    kept, edited, deleted = [await asyncio.to_thread(ann.say, LOBBY, text) for text in texts]
    async with ann.socket() as socket:
        await change(socket, edited, f"{dialect.name} now")
        await change(socket, deleted, None)
    last = await asyncio.to_thread(ann.say, LOBBY, f"{dialect.name} last")
    async with opened(server.port, dialect, bob, LOBBY) as client:
        await client.receives(last["text"])
        mine = [text for text in client.texts if text.startswith(dialect.name)]
    assert mine == [kept["text"], f"{dialect.name} now", last["text"]]


async def test_the_texts_of_socketio_are_those_of_now(server: Server) -> None:
    ann = server.person()
    edited, deleted, last = [await asyncio.to_thread(ann.say, LOBBY, f"texts {number}") for number in range(3)]
    async with ann.socket() as socket:
        await change(socket, edited, "texts now")
        await change(socket, deleted, None)
    shown = server.http.get("/api/messages", headers={"Authorization": f"Bearer {ann.token}"}).json()
    assert shown[-2:] == ["texts now", last["text"]]


async def test_a_deleted_message_keeps_its_place_in_messenger(server: Server) -> None:
    ann, bob = server.person(), server.person()
    room = ann.make_room(bob)
    kept, edited, deleted = [await asyncio.to_thread(ann.say, room, text) for text in ("kept", "edited", "deleted")]
    async with ann.socket() as socket:
        await change(socket, edited, "now")
        await change(socket, deleted, None)
    page = server.http.get(f"/history/{room}", headers={"Authorization": f"Bearer {bob.token}"}).json()
    assert [(item["id"], item["text"]) for item in page["items"]] == [
        (kept["id"], "kept"),
        (edited["id"], "now"),
        (deleted["id"], DELETED),
    ]
    assert page["total"] == 3
    async with opened(server.port, MESSENGER, bob, room) as client:
        await client.socket.send(f'{{"type":"read","message_id":{deleted["id"]}}}')
        await asyncio.to_thread(ann.say, room, "next")
        await client.receives("next")
        assert not client.closed


async def test_a_change_outlives_a_kill_and_so_does_the_retry(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        ann, bob = server.person(), server.person()
        room = ann.make_room(bob)
        one, other = ann.say(room, "first", "m-1"), ann.say(room, "second", "m-2")
        async with ann.socket() as socket:
            edited = await change(socket, one, "changed", client_id="e-1")
            deleted = await change(socket, other, None, client_id="d-1")
            server.send_signal(signal.SIGKILL)
    with serving(tmp_path) as server:
        ann.server = bob.server = server
        async with ann.socket() as socket:
            assert await change(socket, one, "changed", client_id="e-1") == edited | {"duplicate": True}
            assert await change(socket, other, None, client_id="d-1") == deleted | {"duplicate": True}
            for text, message in (("first", one), ("second", other)):
                again = await socket.ask(
                    "send", room_id=room, text=text, client_message_id=message["client_message_id"]
                )
                assert (again["message_id"], again["duplicate"]) == (message["id"], True)
        async with bob.socket(rooms={str(room): one["seq"] - 1}) as socket:
            replayed = [next(iter(frame.items())) for frame in socket.frames if "message" in frame]
            assert [(message["text"], message["revision"]) for _, message in replayed] == [("changed", 1), ("", 1)]
        assert [message["id"] for message in ann.history(room)] == [one["id"], other["id"]]


async def test_two_devices_that_edit_at_once_end_alike(server: Server) -> None:
    """Each edit is an entry with a revision of its own, and every client ends with the last one."""
    ann, bob = server.person(), server.person()
    room = ann.make_room(bob)
    message = ann.say(room, "first")
    async with ann.socket() as one, ann.socket() as other, bob.socket() as third:
        asked = [
            change(socket, message, f"{name} {n}")
            for name, socket in (("one", one), ("other", other))
            for n in range(10)
        ]
        answers = await asyncio.gather(*asked)
        assert sorted(answer["revision"] for answer in answers) == list(range(1, 21))
        last = max(answer["seq"] for answer in answers)
        for socket in (one, other, third):
            await socket.wait_for_seq(room, last)
            edits = [frame["edited"] for frame in socket.frames if "edited" in frame]
            assert [edit["revision"] for edit in edits] == list(range(1, 21))
            assert edits[-1]["message"]["text"] == ann.history(room)[-1]["text"]
